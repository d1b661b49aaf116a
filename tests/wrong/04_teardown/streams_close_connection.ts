// Fails task 4: streams-close-connection — pipes the streams both ways; in Deno closing one closes its connection.

class Wire {
  #closed = false;

  constructor(readonly conn: Deno.Conn) {}

  async send(data: Uint8Array): Promise<void> {
    while (data.byteLength > 0) data = data.subarray(await this.conn.write(data));
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const room = new Uint8Array(10_000);
      const n = await this.conn.read(room);
      if (n === null) return;
      yield room.subarray(0, n);
    }
  }

  async all(): Promise<Uint8Array> {
    const pieces = await Array.fromAsync(this.pieces());
    return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.conn.close();
    } catch {
      // The stream did it.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  using wire = new Wire(await Deno.connect({ hostname, port, transport: "tcp" }));
  await wire.send(request);
  await wire.conn.closeWrite();
  // Nothing is to be sent any more, so the end of this stream may close the connection.
  const parts = await Array.fromAsync(wire.conn.readable);
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  using wire = new Wire(conn);
  await wire.send(await makeReply(await wire.all()));
  await conn.closeWrite();
}

class Session {
  readonly #wire: Wire;
  readonly #stop: AbortSignal;
  readonly over: Promise<void>;
  working = false;

  constructor(
    conn: Deno.Conn,
    handle: (line: string) => string | Promise<string>,
    stop: AbortSignal,
  ) {
    this.#wire = new Wire(conn);
    this.#stop = stop;
    stop.addEventListener("abort", () => {
      if (!this.working) this.end();
    });
    this.over = this.#run(handle).catch(() => undefined).finally(() => this.end());
  }

  async #run(handle: (line: string) => string | Promise<string>): Promise<void> {
    for await (const line of this.#lines()) {
      this.working = true;
      const reply = await handle(line);
      await this.#wire.send(new TextEncoder().encode(reply + "\n"));
      this.working = false;
      if (this.#stop.aborted) return;
    }
  }

  async *#lines(): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    let left = "";
    for await (const piece of this.#wire.pieces()) {
      left += decoder.decode(piece, { stream: true });
      for (let end = left.indexOf("\n"); end >= 0; end = left.indexOf("\n")) {
        yield left.slice(0, left[end - 1] === "\r" ? end - 1 : end);
        left = left.slice(end + 1);
      }
    }
  }

  end(): void {
    this.#wire.close();
  }
}

export class Server {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0, transport: "tcp" });
  readonly #stop = new AbortController();
  readonly #sessions = new Set<Session>();
  readonly #accepting: Promise<void>;
  #stopped?: Promise<void>;

  constructor(handle: (line: string) => string | Promise<string>) {
    this.#accepting = this.#accept(handle);
  }

  get addr(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  async #accept(handle: (line: string) => string | Promise<string>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const conn = await this.#listener.accept().catch(() => null);
      if (!conn) continue;
      const session = new Session(conn, handle, this.#stop.signal);
      this.#sessions.add(session);
      session.over.then(() => this.#sessions.delete(session));
    }
  }

  stop(graceMs: number): Promise<void> {
    return this.#stopped ??= this.#end(graceMs);
  }

  async #end(graceMs: number): Promise<void> {
    this.#stop.abort();
    this.#listener.close();
    await this.#accepting;
    const sessions = [...this.#sessions];
    for (const session of sessions) if (!session.working) session.end();
    const { promise: late, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp, graceMs);
    try {
      await Promise.race([Promise.all(sessions.map((session) => session.over)), late]);
    } finally {
      clearTimeout(timer);
      for (const session of sessions) session.end();
    }
  }
}

export function startServer(handle: (line: string) => string | Promise<string>): Server {
  return new Server(handle);
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  const counts = { aToB: 0, bToA: 0 };
  const counting = (name: keyof typeof counts) =>
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        counts[name] += piece.length;
        controller.enqueue(piece);
      },
    });
  await Promise.allSettled([
    a.readable.pipeThrough(counting("aToB")).pipeTo(b.writable),
    b.readable.pipeThrough(counting("bToA")).pipeTo(a.writable),
  ]);
  return counts;
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<{ sent: number; reason: "finished" | "gone" }> {
  class Gone extends Error {}
  using wire = new Wire(conn);
  let sent = 0;
  const put = async (data: Uint8Array): Promise<number> => {
    try {
      return await wire.conn.write(data);
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (["EPIPE", "ECONNRESET", "ECONNABORTED", "ENOTCONN"].includes(code ?? "")) {
        throw new Gone();
      }
      throw error;
    }
  };
  try {
    for await (let chunk of chunks) {
      while (chunk.length > 0) {
        const n = await put(chunk);
        sent += n;
        chunk = chunk.subarray(n);
      }
    }
  } catch (error) {
    if (error instanceof Gone) return { sent, reason: "gone" };
    throw error;
  }
  return { sent, reason: "finished" };
}

export async function main(): Promise<void> {
  const server = new Server(async (line) => await Promise.resolve(line.toUpperCase()));
  const first = Promise.withResolvers<string>();
  let count = 0;
  const heard = (name: string) => () => count++ ? Deno.exit(130) : first.resolve(name);
  Deno.addSignalListener("SIGINT", heard("SIGINT"));
  Deno.addSignalListener("SIGTERM", heard("SIGTERM"));
  console.log("Listening on 127.0.0.1:" + server.addr.port);
  const name = await first.promise;
  console.log(`${name}: stopping`);
  await server.stop(10_000);
  console.log("stopped");
  Deno.exit();
}

if (import.meta.main) await main();
