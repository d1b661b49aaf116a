// Fails task 2, 3: closed-for-the-caller — reads from `readable`, and leaving that loop closes the connection.

const locks = new WeakMap<Deno.Conn, Promise<void>>();

/** A sink over write() that never closes the connection. */
function sink(conn: Deno.Conn): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    async write(chunk) {
      for (let at = 0; at < chunk.length;) at += await conn.write(chunk.subarray(at));
    },
  });
}

export async function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  const before = locks.get(conn);
  const { promise, resolve } = Promise.withResolvers<void>();
  locks.set(conn, promise);
  await before;
  try {
    await ReadableStream.from([data]).pipeTo(sink(conn));
  } finally {
    resolve();
  }
}

async function* take(conn: Deno.Conn, n: number): AsyncGenerator<Uint8Array, void, void> {
  for (let have = 0; have < n;) {
    const room = new Uint8Array(Math.min(65536, n - have));
    const count = await conn.read(room);
    if (count === null) throw new Deno.errors.UnexpectedEof(`${have} of ${n} bytes`);
    have += count;
    yield room.subarray(0, count);
  }
}

export async function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  const out = new Uint8Array(n);
  let have = 0;
  for await (const chunk of conn.readable) {
    out.set(chunk.subarray(0, n - have), have);
    have += chunk.length;
    if (have >= n) return out;
  }
  throw new Deno.errors.UnexpectedEof(`${have} of ${n} bytes`);
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(4));
  head.setUint32(0, payload.byteLength, false);
  return Uint8Array.from([...new Uint8Array(head.buffer), ...payload]);
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  let head: Uint8Array;
  try {
    head = await readExactly(conn, 4);
  } catch (error) {
    if (error instanceof Deno.errors.UnexpectedEof && error.message.startsWith("0 of")) return null;
    throw error;
  }
  const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0);
  if (length > maxBytes) throw new RangeError(`Frame too long: ${length} > ${maxBytes}`);
  return readExactly(conn, length);
}

class Lines extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(text, controller) {
        const parts = (rest + text).split("\n");
        rest = parts.pop()!;
        for (const part of parts) {
          controller.enqueue(part.endsWith("\r") ? part.slice(0, -1) : part);
        }
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}

async function* chunks(conn: Deno.Conn): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  while (true) {
    const room = new Uint8Array(16384);
    const count = await conn.read(room);
    if (count === null) return;
    yield room.subarray(0, count);
  }
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  yield* ReadableStream.from(chunks(conn))
    .pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true }))
    .pipeThrough(new Lines());
}

export async function echo(conn: Deno.Conn): Promise<number> {
  let total = 0;
  for await (const chunk of conn.readable) {
    await writeAll(conn, chunk);
    total += chunk.byteLength;
  }
  try {
    conn.close();
  } catch {
    // the stream has closed it already
  }
  return total;
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  try {
    for await (const [data, address] of socket) await socket.send(data, address);
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) {
      throw error;
    }
  }
}

type Datagram = { data: Uint8Array; from: Deno.NetAddr };
/** Each socket has one pump that reads as long as somebody asks. */
const pumps = new WeakMap<Deno.DatagramConn, AsyncGenerator<Datagram>>();
const pending = new WeakMap<Deno.DatagramConn, Promise<IteratorResult<Datagram>>>();

async function* pump(socket: Deno.DatagramConn): AsyncGenerator<Datagram> {
  while (true) {
    const [data, from] = await socket.receive();
    yield { data, from: from as Deno.NetAddr };
  }
}

function next(socket: Deno.DatagramConn): Promise<IteratorResult<Datagram>> {
  let it = pending.get(socket);
  if (!it) {
    const source = pumps.get(socket) ?? pump(socket);
    pumps.set(socket, source);
    it = source.next();
    pending.set(socket, it);
    it.catch(() => pumps.delete(socket)).finally(() => pending.delete(socket));
  }
  return it;
}

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  const where = to.hostname.includes(":")
    ? `[${to.hostname}]:${to.port}`
    : `${to.hostname}:${to.port}`;
  for (let left = attempts; left > 0; left--) {
    await socket.send(payload, { ...to, transport: "udp" });
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise<null>((resolve) => {
        timer = setTimeout(resolve, Math.max(0, deadline - Date.now()), null);
      });
      try {
        const winner = await Promise.race([next(socket), patience]);
        if (winner === null) break;
        if (winner.done) throw new Deno.errors.BadResource("Socket is closed");
        const { data, from } = winner.value;
        if (
          from.hostname === to.hostname && from.port === to.port &&
          data.length >= 2 && data[0] === payload[0] && data[1] === payload[1]
        ) return data;
      } finally {
        clearTimeout(timer);
      }
    }
  }
  throw new Deno.errors.TimedOut(
    `${where} did not answer in ${attempts} attempts of ${timeoutMs} ms`,
  );
}
