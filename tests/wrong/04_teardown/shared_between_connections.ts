// Fails task 1, 2: shared-between-connections — reads for all connections into one buffer, and copies a moment too late.

const CHUNK_BYTES = 64 * 1024;

const GRACE_MS = 10_000;

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  const conn = await Deno.connect({ hostname, port });
  try {
    await writeAll(conn, request);
    await conn.closeWrite();
    return await readToEnd(conn);
  } finally {
    conn.close();
  }
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  try {
    await writeAll(conn, await makeReply(await readToEnd(conn)));
  } finally {
    conn.close();
  }
}

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs: number): Promise<void>;
}

export function startServer(handle: (line: string) => string | Promise<string>): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clients = new Set<Client>();
  let stopped: Promise<void> | undefined;

  async function acceptAll(): Promise<void> {
    while (!stopped) {
      try {
        const client = new Client(await listener.accept(), handle);
        clients.add(client);
        client.ended.then(() => clients.delete(client));
      } catch {
      }
    }
  }
  const accepting = acceptAll();

  async function stop(graceMs: number): Promise<void> {
    listener.close();
    await accepting;
    const ended = Promise.all([...clients].map((client) => client.finish()));
    const timer = setTimeout(() => clients.forEach((client) => client.close()), graceMs);
    await ended;
    clearTimeout(timer);
  }

  return {
    addr: listener.addr as Deno.NetAddr,
    stop: (graceMs) => stopped ??= Promise.resolve().then(() => stop(graceMs)),
  };
}

class Client {
  readonly ended: Promise<void>;
  #busy = false;
  #finishing = false;
  #closed = Promise.withResolvers<void>();

  constructor(
    readonly conn: Deno.Conn,
    readonly handle: (line: string) => string | Promise<string>,
  ) {
    this.ended = this.#closed.promise;
    this.#serve().catch(() => {}).finally(() => this.close());
  }

  async #serve(): Promise<void> {
    for await (const line of readLines(this.conn)) {
      this.#busy = true;
      await writeAll(this.conn, new TextEncoder().encode(`${await this.handle(line)}\n`));
      this.#busy = false;
      if (this.#finishing) return;
    }
  }

  finish(): Promise<void> {
    this.#finishing = true;
    if (!this.#busy) this.close();
    return this.ended;
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
    }
    this.#closed.resolve();
  }
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  const closeBoth = () => {
    for (const conn of [a, b]) {
      try {
        conn.close();
      } catch {
      }
    }
  };
  try {
    const directions = [carry(a, b), carry(b, a)];
    for (const direction of directions) direction.catch(closeBoth);
    const [aToB, bToA] = await Promise.all(directions) as [number, number];
    return { aToB, bToA };
  } finally {
    closeBoth();
  }
}

async function carry(from: Deno.Conn, to: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  let count = 0;
  for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
    await writeAll(to, buffer.subarray(0, n));
    count += n;
  }
  await to.closeWrite();
  return count;
}

export interface SendResult {
  sent: number;
  reason: "finished" | "gone";
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SendResult> {
  let sent = 0;
  try {
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.length;) {
        try {
          const n = await conn.write(chunk.subarray(done));
          done += n;
          sent += n;
        } catch (error) {
          if (isGone(error)) return { sent, reason: "gone" };
          throw error;
        }
      }
    }
    return { sent, reason: "finished" };
  } finally {
    conn.close();
  }
}

function isGone(error: unknown): boolean {
  const { BrokenPipe, ConnectionReset, ConnectionAborted, NotConnected } = Deno.errors;
  return [BrokenPipe, ConnectionReset, ConnectionAborted, NotConnected]
    .some((kind) => error instanceof kind);
}

export async function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase());
  const signalled = Promise.withResolvers<void>();
  let signals = 0;
  const onSignal = () => {
    if (++signals > 1) Deno.exit(130);
    signalled.resolve();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  console.log(`Listening on 127.0.0.1:${server.addr.port}`);
  await signalled.promise;
  await server.stop(GRACE_MS);
  Deno.exit(0);
}

async function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.length;) done += await conn.write(data.subarray(done));
}

const shared = new Uint8Array(CHUNK_BYTES);
async function readToEnd(conn: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const n = await conn.read(shared);
    const buffer = shared.slice();
    if (n === null) break;
    parts.push(buffer.subarray(0, n));
    length += n;
  }
  const all = new Uint8Array(length);
  for (let at = 0; parts.length > 0;) {
    const part = parts.shift()!;
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(CHUNK_BYTES);
  let text = "";
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, n), { stream: true });
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
}

if (import.meta.main) await main();
