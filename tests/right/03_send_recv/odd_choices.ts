// Valid: odd choices, all within the contract: results inside larger arrays, an iterator made by hand, one receiver
// per socket that never stops, an interval for the attempts, a read of one byte here and there.

const kTail = Symbol("tail");

export async function writeAll(
  conn: Deno.Conn & { [kTail]?: Promise<unknown> },
  data: Uint8Array,
): Promise<void> {
  const prev = conn[kTail];
  let free!: () => void;
  conn[kTail] = new Promise<void>((r) => free = r);
  try {
    await prev;
    let n = 0;
    while (n < data.length) n += await conn.write(data.subarray(n));
  } finally {
    free();
  }
}

const EMPTY = new Uint8Array(0);

export async function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  if (n === 0) return EMPTY;
  const pool = new Uint8Array(n * 2 + 8);
  const out = pool.subarray(5, 5 + n);
  let have = 0;
  do {
    const c = await conn.read(out.subarray(have));
    if (c === null) {
      throw new Deno.errors.UnexpectedEof(`${have} of ${n} bytes`, { cause: new Error("end") });
    }
    have += c;
  } while (have < n);
  return Object.assign(out, { complete: true, n });
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const pool = new Uint8Array(payload.length + 40);
  const frame = pool.subarray(17, 21 + payload.length);
  let rest = payload.length;
  for (let i = 3; i >= 0; i--) {
    frame[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  for (let i = 0; i < payload.length; i++) frame[i + 4] = payload[i];
  return frame;
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  let length = 0;
  for (let i = 0; i < 4; i++) {
    const one = new Uint8Array(1);
    const count = await conn.read(one);
    if (count === null) {
      if (i === 0) return null;
      throw new Deno.errors.UnexpectedEof("The stream ended inside a length, " + i + " of 4 bytes");
    }
    length = length * 256 + one[0];
  }
  if (length > maxBytes) {
    throw new RangeError("Frame of " + length + " bytes, but at most " + maxBytes + " are allowed");
  }
  return await readExactly(conn, length);
}

export function readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const queue: string[] = [];
  let text = "";
  let ended = false;
  const d = new TextDecoder("utf-8", { ignoreBOM: true });
  const b = new Uint8Array(100);
  const gen = {
    async next() {
      while (queue.length === 0 && !ended) {
        const n = await conn.read(b);
        if (n === null) {
          ended = true;
          text += d.decode();
          if (text.length) queue.push(text);
          break;
        }
        const parts = (text + d.decode(b.subarray(0, n), { stream: true })).split(/\r?\n/);
        text = parts.pop() ?? "";
        queue.push(...parts);
      }
      return queue.length
        ? { done: false as const, value: queue.shift()! }
        : { done: true as const, value: undefined };
    },
    return() {
      ended = true;
      queue.length = 0;
      return Promise.resolve({ done: true as const, value: undefined });
    },
    throw(e: unknown) {
      ended = true;
      return Promise.reject(e);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return();
    },
  };
  return gen as unknown as AsyncGenerator<string>;
}

export async function echo(conn: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(5000);
  let total = 0;
  try {
    for (let n; (n = await conn.read(buffer)) !== null; total += n) {
      await writeAll(conn, buffer.subarray(0, n));
    }
    await conn.closeWrite();
  } catch (e) {
    try {
      conn.close();
    } catch { /* gone */ }
    throw e;
  }
  conn.close();
  return total;
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  for await (const [data, from] of socket) {
    const { hostname, port } = from as Deno.NetAddr;
    socket.send(data, { transport: "udp", hostname, port }).catch(() => {});
  }
}

type Handler = { take(d: Uint8Array, from: Deno.NetAddr): void; fail(e: unknown): void };
const handlers = new WeakMap<Deno.DatagramConn, Set<Handler>>();
function handlersOf(socket: Deno.DatagramConn): Set<Handler> {
  let set = handlers.get(socket);
  if (!set) {
    const mine = set = new Set<Handler>();
    handlers.set(socket, mine);
    (async () => {
      try {
        for (;;) {
          const [d, from] = await socket.receive();
          for (const h of [...mine]) h.take(d, from as Deno.NetAddr);
        }
      } catch (e) {
        handlers.delete(socket);
        for (const h of [...mine]) h.fail(e);
      }
    })();
  }
  return set;
}

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | null>();
  const all = handlersOf(socket);
  const id = payload[0] << 8 | payload[1];
  const address = `${to.hostname}:${to.port}`;
  const h: Handler = {
    take(d, from) {
      if (
        `${from.hostname}:${from.port}` === address && d.length >= 2 &&
        new DataView(d.buffer, d.byteOffset).getUint16(0) === id
      ) resolve(d);
    },
    fail: reject,
  };
  all.add(h);
  let left = attempts;
  const again = () => {
    if (left-- > 0) socket.send(payload.slice(), { transport: "udp", ...to }).catch(reject);
    else resolve(null);
  };
  const interval = setInterval(again, timeoutMs);
  try {
    again();
    const answer = await promise;
    if (answer === null) {
      throw new class NoAnswer extends Deno.errors.TimedOut {}(
        `${to.hostname.includes(":") ? `[${to.hostname}]` : to.hostname}:${to.port} gave no answer`,
        { cause: { attempts } },
      );
    }
    return answer;
  } finally {
    clearInterval(interval);
    all.delete(h);
  }
}
