// Fails task 6: wrong-timeout-error — gives null when nobody answered, as if that was an answer.

/** Lets one holder in at a time: `using _ = await lock.enter()`. */
class Lock {
  #last: Promise<void> = Promise.resolve();

  async enter(): Promise<Disposable> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = promise;
    await before;
    return { [Symbol.dispose]: resolve };
  }
}

const locks = new WeakMap<Deno.Conn, Lock>();

export async function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  const lock = locks.get(conn) ?? new Lock();
  locks.set(conn, lock);
  using _turn = await lock.enter();
  while (data.length > 0) data = data.subarray(await conn.write(data));
}

export async function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(n);
  let came = 0;
  for await (const size of reads(conn, () => bytes.subarray(came))) {
    if (size === null) throw new Deno.errors.UnexpectedEof(`${came} of ${n} bytes`);
    came += size;
  }
  return bytes;
}

/** Reads until there is no room left; `null` says that the stream ended before. */
async function* reads(conn: Deno.Conn, room: () => Uint8Array): AsyncGenerator<number | null> {
  for (let into = room(); into.length > 0; into = room()) yield await conn.read(into);
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, payload.length, false);
  const frame = new Uint8Array(4 + payload.length);
  frame.set(length);
  frame.set(payload, length.length);
  return frame;
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  // The first byte alone tells whether there is one more frame.
  const [first] = await readExactly(conn, 1).catch((error) => {
    if (error instanceof Deno.errors.UnexpectedEof) return [];
    throw error;
  });
  if (first === undefined) return null;
  const header = Uint8Array.of(first, ...await readExactly(conn, 3));
  const length = new DataView(header.buffer).getUint32(0);
  if (length > maxBytes) {
    throw new RangeError(`Frame is too long: announced are ${length} bytes, limit ${maxBytes}`);
  }
  return await readExactly(conn, length);
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const text = new TextDecoderStream("utf-8", { ignoreBOM: true });
  const lines = byteStream(conn)
    .pipeThrough(text as ReadableWritablePair<string, Uint8Array>)
    .pipeThrough(lineSplitter());
  yield* lines.values();
}

/** The bytes of a connection by a BYOB reader, which is given back after each read. */
function byteStream(conn: Deno.Conn): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const reader = conn.readable.getReader({ mode: "byob" });
      const { value, done } = await reader.read(new Uint8Array(4096));
      reader.releaseLock();
      if (done) controller.close();
      else controller.enqueue(value!);
    },
  }, { highWaterMark: 0 });
}

function lineSplitter(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const parts = chunk.split("\n");
      parts[0] = rest + parts[0];
      rest = parts.pop()!;
      for (const part of parts) controller.enqueue(part.replace(/\r$/, ""));
    },
    flush(controller) {
      if (rest) controller.enqueue(rest);
    },
  });
}

export async function echo(conn: Deno.Conn): Promise<number> {
  let total = 0;
  const writer = conn.writable.getWriter();
  try {
    for await (const chunk of conn.readable) {
      await writer.ready;
      await writer.write(chunk);
      total += chunk.byteLength;
    }
    return total;
  } finally {
    writer.releaseLock();
    closeIfOpen(conn);
  }
}

/** The end of `readable` has closed the connection already, an error of a write has not. */
function closeIfOpen(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  const datagrams = ReadableStream.from(socket);
  await datagrams.pipeTo(
    new WritableStream({
      async write([data, from]) {
        await socket.send(data, from);
      },
    }),
  );
}

const heard = new WeakMap<Deno.DatagramConn, Promise<[Uint8Array, Deno.Addr]>>();

/** What a socket hears until `late` resolves. What comes after that is kept for the next who listens. */
async function* hear(socket: Deno.DatagramConn, late: Promise<null>) {
  while (true) {
    let receive = heard.get(socket);
    if (!receive) {
      heard.set(socket, receive = socket.receive(new Uint8Array(65_507)));
      receive.catch(() => heard.delete(socket));
    }
    // First in the list, so that a flood of datagrams cannot hide that the time is over.
    const datagram = await Promise.race([late, receive]);
    if (datagram === null) return;
    heard.delete(socket);
    yield datagram;
    // A turn of the event loop, or the timer would never fire while datagrams are there.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array | null> {
  for (const _attempt of Array(attempts).keys()) {
    await socket.send(payload, { transport: "udp", ...to });
    using late = new Timer(timeoutMs);
    for await (const [data, from] of hear(socket, late.passed)) {
      const { hostname, port } = from as Deno.NetAddr;
      const sameNumber = data.length >= 2 &&
        data.subarray(0, 2).join() === payload.subarray(0, 2).join();
      if (hostname === to.hostname && port === to.port && sameNumber) return data;
    }
  }
  return null;
}

class Timer implements Disposable {
  readonly passed: Promise<null>;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number) {
    const { promise, resolve } = Promise.withResolvers<null>();
    this.passed = promise;
    this.#timer = setTimeout(resolve, ms, null);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
