// Fails task 3: request-cut-off — ends the others when the first request in flight is answered.

/** A connection that can be read to its end and written whole. */
class Channel implements Disposable {
  #conn: Deno.Conn;
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #text = "";
  #buffer = new Uint8Array(4096);
  #open = true;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  static async dial(hostname: string, port: number): Promise<Channel> {
    return new Channel(await Deno.connect({ hostname, port, transport: "tcp" }));
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    let n;
    while ((n = await this.#conn.read(this.#buffer)) !== null) yield this.#buffer.slice(0, n);
  }

  async everything(): Promise<Uint8Array> {
    const parts = await Array.fromAsync(this.pieces());
    return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  }

  async writeWhole(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.byteLength;) at += await this.#conn.write(data.subarray(at));
  }

  end(): Promise<void> {
    return this.#conn.closeWrite();
  }

  async nextLine(): Promise<string | null> {
    let end;
    while ((end = this.#text.indexOf("\n")) < 0) {
      const n = await this.#conn.read(this.#buffer);
      if (n === null) return null;
      this.#text += this.#decoder.decode(this.#buffer.subarray(0, n), { stream: true });
    }
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return line.replace(/\r$/, "");
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#conn.close();
  }
}

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  using channel = await Channel.dial(hostname, port);
  await channel.writeWhole(request);
  await channel.end();
  return await channel.everything();
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  using channel = new Channel(conn);
  await channel.writeWhole(await makeReply(await channel.everything()));
  await channel.end();
}

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs: number): Promise<void>;
}

/** One client, from its arrival to its end. */
class Session {
  #channel: Channel;
  #inFlight = false;
  #leaving = false;
  readonly done: Promise<void>;

  constructor(conn: Deno.Conn, handle: (line: string) => string | Promise<string>) {
    this.#channel = new Channel(conn);
    this.done = this.#run(handle).catch(() => {});
  }

  async #run(handle: (line: string) => string | Promise<string>): Promise<void> {
    using channel = this.#channel;
    for (let line; !this.#leaving && (line = await channel.nextLine()) !== null;) {
      this.#inFlight = true;
      const reply = await handle(line);
      await channel.writeWhole(new TextEncoder().encode(`${reply}\n`));
      this.#inFlight = false;
    }
  }

  get busy(): boolean {
    return this.#inFlight;
  }

  /** Asks it to end when it has answered. */
  leave(): void {
    this.#leaving = true;
    if (!this.#inFlight) this.kill();
  }

  kill(): void {
    this.#channel[Symbol.dispose]();
  }
}

class LineServer implements Server, AsyncDisposable {
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0, transport: "tcp" });
  #sessions = new Set<Session>();
  #abort = new AbortController();
  #accepting: Promise<void>;
  #stopped?: Promise<void>;
  readonly addr = this.#listener.addr;

  constructor(readonly handle: (line: string) => string | Promise<string>) {
    this.#accepting = this.#accept();
  }

  async #accept(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        const session = new Session(await this.#listener.accept(), this.handle);
        this.#sessions.add(session);
        session.done.finally(() => this.#sessions.delete(session));
        if (this.#abort.signal.aborted) session.kill();
      } catch {
        // Somebody who has left before being accepted, or the end.
      }
    }
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#abort.abort();
    this.#listener.close();
    const sessions = [...this.#sessions];
    for (const session of sessions) session.leave();
    const busy = [...this.#sessions].filter((s) => s.busy);
    using timer = new Timer(graceMs);
    if (busy.length) await Promise.race([...busy.map((session) => session.done), timer.fired]);
    for (const session of this.#sessions) session.kill();
    await this.#accepting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(10_000);
  }
}

class Timer implements Disposable {
  readonly fired: Promise<void>;
  #id!: ReturnType<typeof setTimeout>;

  constructor(ms: number) {
    this.fired = new Promise((resolve) => {
      this.#id = setTimeout(resolve, ms);
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#id);
  }
}

export function startServer(handle: (line: string) => string | Promise<string>): Server {
  return new LineServer(handle);
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  const abort = new AbortController();
  using stack = new DisposableStack();
  const left = stack.use(new Channel(a));
  const right = stack.use(new Channel(b));
  abort.signal.addEventListener("abort", () => {
    left[Symbol.dispose]();
    right[Symbol.dispose]();
  });

  const carry = async (from: Channel, to: Channel): Promise<number> => {
    let total = 0;
    try {
      for await (const piece of from.pieces()) {
        await to.writeWhole(piece);
        total += piece.length;
      }
      await to.end();
    } catch (error) {
      abort.abort(error);
    }
    return total;
  };

  const [aToB, bToA] = await Promise.all([carry(left, right), carry(right, left)]);
  abort.signal.throwIfAborted();
  return { aToB, bToA };
}

export interface SendResult {
  sent: number;
  reason: "finished" | "gone";
}

/** Says that the peer has left. */
class PeerGone extends Error {}

class Sender implements Disposable {
  sent = 0;
  constructor(readonly conn: Deno.Conn) {}

  async send(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.length) {
      let n;
      try {
        n = await this.conn.write(rest);
      } catch (cause) {
        const { BrokenPipe, ConnectionReset, ConnectionAborted, NotConnected } = Deno.errors;
        const gone = [BrokenPipe, ConnectionReset, ConnectionAborted, NotConnected];
        if (gone.some((kind) => cause instanceof kind)) {
          throw new PeerGone("Peer is gone", { cause });
        }
        throw cause;
      }
      this.sent += n;
      rest = rest.subarray(n);
    }
  }

  [Symbol.dispose](): void {
    this.conn.close();
  }
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SendResult> {
  using sender = new Sender(conn);
  try {
    for await (const chunk of chunks) await sender.send(chunk);
  } catch (error) {
    if (error instanceof PeerGone) return { sent: sender.sent, reason: "gone" };
    throw error;
  }
  return { sent: sender.sent, reason: "finished" };
}

export async function main(): Promise<void> {
  await using server = new LineServer((line) => line.toUpperCase());
  console.log(`Listening on 127.0.0.1:${server.addr.port}`);
  const first = new AbortController();
  const listen = () => {
    if (first.signal.aborted) Deno.exit(130);
    first.abort();
  };
  Deno.addSignalListener("SIGINT", listen);
  Deno.addSignalListener("SIGTERM", listen);
  await new Promise((resolve) => first.signal.addEventListener("abort", resolve, { once: true }));
}

if (import.meta.main) await main();
