/**
 * Lesson 4, solved: the connection ends, the port is given back.
 *
 * Why it has this shape: an ending has two sides. `closeWrite()` says "I have sent everything" and
 * leaves the other direction open; `close()` lets go of both. So whoever still waits for a reply uses
 * the first, and every function here that holds a connection uses the second in a `finally`, on
 * whichever path it leaves. A server that stops has to know what its clients are in the middle of.
 *
 * @module
 */

const CHUNK_BYTES = 64 * 1024;

/** How long `main()` lets requests finish after the first signal, in milliseconds. */
const GRACE_MS = 10_000;

/**
 * Sends `request` to a server, half-closes, and returns all that the server sends until its end.
 *
 * The connection is closed on every path. A refusal, a reset or any other error surfaces: a part of
 * the reply is never taken for the reply.
 */
export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  const conn = await Deno.connect({ hostname, port });
  try {
    await writeAll(conn, request);
    // The classic mistake avoided: close() here would end both directions, and the reply with them.
    await conn.closeWrite();
    return await readToEnd(conn);
  } finally {
    conn.close();
  }
}

/**
 * Reads everything until the client half-closes, calls `makeReply` once with it, sends the whole
 * reply, and closes.
 *
 * Closes also when something fails; the error surfaces, that of `makeReply` too.
 */
export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  try {
    // Not by conn.readable: in Deno the end of that stream closes the connection, before the reply.
    await writeAll(conn, await makeReply(await readToEnd(conn)));
  } finally {
    conn.close();
  }
}

/** A server that runs. */
export interface Server {
  /** Where it listens. */
  readonly addr: Deno.NetAddr;
  /** Ends it, letting requests in flight finish for at most `graceMs` milliseconds. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a server on 127.0.0.1, on a port that the OS chooses, and returns at once.
 *
 * A request is a line ended by LF (a CR before it is dropped), its reply what `handle` makes of it and
 * an LF. A connection carries any number of requests, answered in order; clients are served side by
 * side. If `handle` fails, that client's connection is closed, and nobody else is harmed.
 *
 * `stop(graceMs)` accepts nobody new, closes idle connections at once, lets a request in flight be
 * answered and then closes its connection; what is not done after `graceMs` is closed by force. It
 * resolves when all is released and the port can be bound again. Called twice it is once.
 */
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
        // Either the listener was closed, or this one client left before it was accepted.
      }
    }
  }
  const accepting = acceptAll();

  async function stop(graceMs: number): Promise<void> {
    listener.close();
    // Only when the pending accept() has ended is the port free, and the list of clients complete.
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

/** One client of a server. */
class Client {
  /** Settles when the connection is closed. Never rejects. */
  readonly ended: Promise<void>;
  #busy = false;
  #finishing = false;
  #closed = Promise.withResolvers<void>();

  constructor(
    readonly conn: Deno.Conn,
    readonly handle: (line: string) => string | Promise<string>,
  ) {
    // A handler that hangs is not waited for once the connection is closed.
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

  /** Ends the connection as soon as no request is in flight. */
  finish(): Promise<void> {
    this.#finishing = true;
    if (!this.#busy) this.close();
    return this.ended;
  }

  /** Closes the connection, whatever goes on. */
  close(): void {
    try {
      this.conn.close();
    } catch {
      // Closed already.
    }
    this.#closed.resolve();
  }
}

/**
 * Carries bytes between two connections, both ways at the same time.
 *
 * The end of one direction is handed on as a half-close while the other goes on; at the end both are
 * closed. A reset of one closes both; it may reject with that error or resolve. Otherwise it resolves to
 * the bytes carried each way.
 */
export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  const closeBoth = () => {
    for (const conn of [a, b]) {
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    }
  };
  try {
    // Side by side: whoever waits for one direction first makes a peer wait that waits for the other.
    const directions = [carry(a, b), carry(b, a)];
    for (const direction of directions) direction.catch(closeBoth);
    const [aToB, bToA] = await Promise.all(directions) as [number, number];
    return { aToB, bToA };
  } finally {
    closeBoth();
  }
}

/** Carries one direction to its end and hands the end on. */
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

/** How the sending ended. */
export interface SendResult {
  /** Bytes that the kernel took. */
  sent: number;
  reason: "finished" | "gone";
}

/**
 * Sends chunk after chunk, each whole, taking the next only when the one before is written.
 *
 * A peer that has left is a normal ending: it resolves with "gone", takes no more chunks and ends their
 * iterator. Any other error surfaces. The connection is closed on every path.
 */
export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SendResult> {
  let sent = 0;
  try {
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.length;) {
        // Only the write is inside the try: an error of the chunks' source is not a peer that left.
        try {
          const n = await conn.write(chunk.subarray(done));
          done += n;
          sent += n;
        } catch (error) {
          // Leaving the loop by return ends the iterator: its finally runs.
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

/**
 * The program: a server that answers each line in upper case until it is told to end.
 *
 * Prints `Listening on 127.0.0.1:PORT` once it listens. SIGINT or SIGTERM stops it, requests in flight
 * are answered, and it ends with status 0; a second signal ends it at once, with status 130.
 */
export async function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase());
  // In C this handler would be cleanExit: exit(0), in the middle of whatever goes on.
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
  // Nothing holds the program any longer; said all the same, since a timer somewhere would.
  Deno.exit(0);
}

/** Sends every byte of `data`. */
async function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.length;) done += await conn.write(data.subarray(done));
}

/** Everything until the other side half-closes. */
async function readToEnd(conn: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const n = await conn.read(buffer);
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

/** The lines of a connection that are ended by an LF, without it and a CR before it. */
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
