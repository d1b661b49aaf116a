// Fails task 1: queue-broken — chains each call on the one before, whose failure then fails them all.

const queues = new WeakMap<Deno.Conn, Promise<void>>();

export async function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  const before = queues.get(conn) ?? Promise.resolve();
  const mine = before.then(async () => {
    let i = 0;
    while (i < data.length) {
      i = i + await conn.write(data.subarray(i, data.length));
    }
  });
  queues.set(conn, mine);
  await mine;
}

export async function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  const result = new Uint8Array(n);
  let count = 0;
  while (count < n) {
    const got = await conn.read(result.subarray(count));
    if (got === null) {
      throw new Deno.errors.UnexpectedEof("got only " + count + " of " + n + " bytes");
    }
    count = count + got;
  }
  return result;
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const n = payload.length;
  const frame = new Uint8Array(n + 4);
  frame[0] = n >>> 24;
  frame[1] = n >>> 16;
  frame[2] = n >>> 8;
  frame[3] = n;
  for (let i = 0; i < n; i++) {
    frame[i + 4] = payload[i]!;
  }
  return frame;
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const head = new Uint8Array(4);
  let h = 0;
  while (h < 4) {
    const got = await conn.read(head.subarray(h));
    if (got === null) {
      if (h === 0) return null;
      throw new Deno.errors.UnexpectedEof("got only " + h + " of 4 bytes of the length");
    }
    h = h + got;
  }
  let length = 0;
  for (let i = 0; i < 4; i++) {
    length = length * 256 + head[i]!;
  }
  if (length > maxBytes) {
    throw new RangeError("frame of " + length + " bytes, allowed are " + maxBytes);
  }
  const payload = new Uint8Array(length);
  let p = 0;
  while (p < length) {
    const got = await conn.read(payload.subarray(p));
    if (got === null) {
      throw new Deno.errors.UnexpectedEof("got only " + p + " of " + length + " bytes");
    }
    p = p + got;
  }
  return payload;
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const buf = new Uint8Array(1000);
  let line: number[] = [];
  while (true) {
    const n = await conn.read(buf);
    if (n === null) break;
    for (let i = 0; i < n; i++) {
      if (buf[i] !== 10) {
        line.push(buf[i]!);
        continue;
      }
      if (line.at(-1) === 13) line.pop();
      yield text(line);
      line = [];
    }
  }
  if (line.length > 0) {
    yield text(line);
  }
}

function text(bytes: number[]): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes));
}

export async function echo(conn: Deno.Conn): Promise<number> {
  let total = 0;
  const buf = new Uint8Array(4096);
  try {
    while (true) {
      const n = await conn.read(buf);
      if (n === null) break;
      let sent = 0;
      while (sent < n) {
        sent += await conn.write(buf.subarray(sent, n));
      }
      total += n;
    }
  } finally {
    conn.close();
  }
  return total;
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  while (true) {
    try {
      const [data, sender] = await socket.receive();
      await socket.send(data, sender);
    } catch (e) {
      if (e instanceof Deno.errors.Interrupted || e instanceof Deno.errors.BadResource) return;
      throw e;
    }
  }
}

// receive() calls that are still waiting
const waiting = new Map<Deno.DatagramConn, Promise<[Uint8Array, Deno.Addr]>>();

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  options: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  for (let i = 0; i < options.attempts; i++) {
    await socket.send(payload, { transport: "udp", hostname: to.hostname, port: to.port });
    const end = Date.now() + options.timeoutMs;
    while (Date.now() < end) {
      let receive = waiting.get(socket);
      if (receive === undefined) {
        receive = socket.receive();
        receive.catch(() => {});
        waiting.set(socket, receive);
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<"late">((resolve) => {
        timer = setTimeout(() => resolve("late"), Math.max(0, end - Date.now()));
      });
      let got;
      try {
        got = await Promise.race([receive, late]);
      } catch (e) {
        waiting.delete(socket);
        throw e;
      } finally {
        clearTimeout(timer);
      }
      if (got === "late") break;
      waiting.delete(socket);
      const [data, from] = got;
      if (from.transport !== "udp") continue;
      if (from.hostname !== to.hostname || from.port !== to.port) continue;
      if (data.length < 2 || data[0] !== payload[0] || data[1] !== payload[1]) continue;
      return data;
    }
  }
  const host = to.hostname.includes(":") ? "[" + to.hostname + "]" : to.hostname;
  throw new Deno.errors.TimedOut("no answer from " + host + ":" + to.port);
}
