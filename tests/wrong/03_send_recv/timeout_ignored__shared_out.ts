// Fails task 6: timeout-ignored — takes the time for all attempts together, and shares it out.

class Lock {
  static #all = new WeakMap<object, Lock>();
  static of(key: object): Lock {
    let lock = Lock.#all.get(key);
    if (!lock) Lock.#all.set(key, lock = new Lock());
    return lock;
  }

  #held = false;
  #waiting: (() => void)[] = [];

  async acquire(): Promise<Disposable> {
    if (this.#held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#held = true;
    return {
      [Symbol.dispose]: () => {
        const next = this.#waiting.shift();
        if (next) next();
        else this.#held = false;
      },
    };
  }
}

export async function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  using _lock = await Lock.of(conn).acquire();
  let rest = data;
  while (rest.length > 0) rest = rest.subarray(await conn.write(rest));
}

class Reader {
  constructor(private readonly conn: Deno.Conn) {}

  async fill(target: Uint8Array): Promise<number> {
    let have = 0;
    while (have < target.length) {
      const count = await this.conn.read(target.subarray(have));
      if (count === null) break;
      have += count;
    }
    return have;
  }

  async exactly(n: number): Promise<Uint8Array> {
    const target = new Uint8Array(n);
    const have = await this.fill(target);
    if (have < n) throw new UnexpectedEnd(have, n);
    return target;
  }
}

class UnexpectedEnd extends Deno.errors.UnexpectedEof {
  constructor(readonly have: number, readonly wanted: number) {
    super(`Connection ended: got ${have} of ${wanted} bytes`);
    this.name = "UnexpectedEnd";
  }
}

class FrameTooLong extends RangeError {
  override name = "FrameTooLong";
}

export function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  return new Reader(conn).exactly(n);
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const buffer = new ArrayBuffer(payload.length + 4);
  new DataView(buffer).setUint32(0, payload.length);
  const frame = new Uint8Array(buffer);
  frame.set(payload, 4);
  return frame;
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const reader = new Reader(conn);
  const header = new Uint8Array(4);
  const have = await reader.fill(header);
  if (have === 0) return null;
  if (have < 4) throw new UnexpectedEnd(have, 4);
  const length = new DataView(header.buffer).getUint32(0);
  if (length > maxBytes) throw new FrameTooLong(`limit ${maxBytes}, announced ${length}`);
  return await reader.exactly(length);
}

class LineSplitter {
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: false });
  #text = "";

  push(bytes?: Uint8Array): void {
    this.#text += bytes ? this.#decoder.decode(bytes, { stream: true }) : this.#decoder.decode();
  }

  *lines(): Generator<string> {
    let end: number;
    while ((end = this.#text.indexOf("\n")) !== -1) {
      const line = this.#text.substring(0, end);
      this.#text = this.#text.substring(end + 1);
      yield line.replace(/\r$/, "");
    }
  }

  get rest(): string {
    return this.#text;
  }
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const splitter = new LineSplitter();
  const buffer = new Uint8Array(1024 * 1024);
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    splitter.push(buffer.subarray(0, count));
    yield* splitter.lines();
  }
  splitter.push();
  yield* splitter.lines();
  if (splitter.rest.length > 0) yield splitter.rest;
}

export async function echo(conn: Deno.Conn): Promise<number> {
  await using stack = new AsyncDisposableStack();
  stack.defer(() => {
    conn.close();
  });
  const buffer = new Uint8Array(8192);
  let bytes = 0;
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    await writeAll(conn, buffer.subarray(0, count));
    bytes += count;
  }
  return bytes;
}

function closed(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  const room = new Uint8Array(65535);
  try {
    for (;;) {
      const [data, from] = await socket.receive(room);
      await socket.send(data, from);
    }
  } catch (error) {
    if (!closed(error)) throw error;
  }
}

type Listener = (data: Uint8Array, from: Deno.NetAddr) => void;

/** One for each socket: receives while somebody listens. */
class Dispatcher {
  static #all = new WeakMap<Deno.DatagramConn, Dispatcher>();
  static of(socket: Deno.DatagramConn): Dispatcher {
    let found = Dispatcher.#all.get(socket);
    if (!found) Dispatcher.#all.set(socket, found = new Dispatcher(socket));
    return found;
  }

  #listeners = new Map<Listener, (reason: unknown) => void>();
  #running = false;
  constructor(private readonly socket: Deno.DatagramConn) {}

  add(listener: Listener, fail: (reason: unknown) => void): Disposable {
    this.#listeners.set(listener, fail);
    if (!this.#running) this.#run();
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#listeners.size > 0) {
        const [data, from] = await this.socket.receive();
        for (const listener of [...this.#listeners.keys()]) {
          listener(data.slice(), from as Deno.NetAddr);
        }
        await Promise.resolve();
      }
    } catch (error) {
      for (const fail of [...this.#listeners.values()]) fail(error);
    } finally {
      this.#running = false;
    }
  }
}

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  const answer = Promise.withResolvers<Uint8Array>();
  answer.promise.catch(() => {});
  using _listening = Dispatcher.of(socket).add((data, from) => {
    const matches = from.hostname === to.hostname && from.port === to.port && data.length > 1 &&
      data[0] === payload[0] && data[1] === payload[1];
    if (matches) answer.resolve(data);
  }, answer.reject);
  for (let attempt = 0; attempt < attempts; attempt++) {
    await socket.send(payload, { transport: "udp", hostname: to.hostname, port: to.port });
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeoutMs / attempts);
    const aborted = new Promise<"aborted">((resolve) => {
      controller.signal.addEventListener("abort", () => resolve("aborted"), { once: true });
    });
    try {
      const result = await Promise.race([answer.promise, aborted]);
      if (result !== "aborted") return result;
    } finally {
      clearTimeout(timer);
    }
  }
  const host = to.hostname.includes(":") ? `[${to.hostname}]` : to.hostname;
  throw new Deno.errors.TimedOut(`No answer from ${host}:${to.port}`);
}
