// Valid: odd but legal choices: extra parameters, exports and properties, errors of its own classes, a second printed line.

/** A refusal that says whose. */
export class Refused extends Deno.errors.ConnectionRefused {
  override name = "Refused";
}

export class BrokenOff extends Deno.errors.ConnectionReset {
  override name = "BrokenOff";
}

export const DEFAULT_GRACE_MS = 5_000;
export const GONE = [
  Deno.errors.BrokenPipe,
  Deno.errors.ConnectionReset,
  Deno.errors.ConnectionAborted,
  Deno.errors.NotConnected,
];

const LF = 10;
const CR = 13;

/** Sends in blocks; a caller may want to know how far it came. */
export async function writeFully(
  conn: Deno.Conn,
  data: Uint8Array,
  { blockBytes = 100_000, onTaken = (_bytes: number) => {} } = {},
): Promise<number> {
  let offset = 0;
  do {
    if (data.length === 0) break;
    const taken = await conn.write(data.subarray(offset, offset + blockBytes));
    onTaken(taken);
    offset += taken;
  } while (offset < data.length);
  return offset;
}

/** Doubles its room whenever it is full, as a vector does. */
async function readFully(conn: Deno.Conn): Promise<Uint8Array> {
  let room = new Uint8Array(16);
  let length = 0;
  for (;;) {
    if (length === room.length) {
      const larger = new Uint8Array(2 * room.length);
      larger.set(room);
      room = larger;
    }
    const n = await conn.read(room.subarray(length));
    if (n === null) return room.subarray(0, length);
    length += n;
  }
}

function closeQuietly(...conns: { close(): void }[]): void {
  for (const conn of conns) {
    try {
      conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) console.error(error);
    }
  }
}

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
  options: { noDelay?: boolean } = {},
): Promise<Uint8Array> {
  let conn: Deno.TcpConn | undefined;
  try {
    conn = await Deno.connect({ hostname, port });
    conn.setNoDelay(options.noDelay ?? true);
    await writeFully(conn, request);
    await conn.closeWrite();
    return await readFully(conn);
  } catch (cause) {
    if (cause instanceof Deno.errors.ConnectionRefused) {
      throw new Refused(`Nobody listens on ${hostname}:${port}`, { cause });
    }
    if (cause instanceof Deno.errors.ConnectionReset) {
      throw new BrokenOff(`${hostname}:${port} broke off`, { cause });
    }
    throw cause;
  } finally {
    if (conn) closeQuietly(conn);
  }
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  const failures: unknown[] = [];
  try {
    const request = await readFully(conn);
    const reply = await makeReply(request);
    await writeFully(conn, reply, { blockBytes: 7_000 });
    // Said twice, since close() says it too.
    await conn.closeWrite();
  } catch (failure) {
    failures.push(failure);
  }
  conn.close();
  if (failures.length > 0) throw failures[0];
}

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs?: number): Promise<void>;
}

export interface TalkativeServer extends Server, AsyncDisposable {
  /** How many clients are connected now. */
  readonly size: number;
  /** Resolves when it has stopped, whoever stops it. */
  readonly stopped: Promise<void>;
}

type State = "idle" | "busy" | "closed";

export function startServer(
  handle: (line: string) => string | Promise<string>,
  log: (text: string) => void = () => {},
): TalkativeServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 128 });
  const states = new Map<Deno.TcpConn, State>();
  const stopped = Promise.withResolvers<void>();
  let mood: "serving" | "stopping" = "serving";
  let acceptEnded = false;

  /** Closes one, and tells stop() when it was the last. */
  function drop(conn: Deno.TcpConn): void {
    closeQuietly(conn);
    states.delete(conn);
    settleIfDone();
  }

  function settleIfDone(): void {
    if (mood === "stopping" && acceptEnded && states.size === 0) stopped.resolve();
  }

  async function converse(conn: Deno.TcpConn): Promise<void> {
    const byte = new Uint8Array(1);
    const block = new Uint8Array(2_000);
    let line: number[] = [];
    while (states.get(conn) === "idle") {
      const n = await conn.read(line.length === 0 ? byte : block);
      if (n === null) break;
      for (const value of (line.length === 0 ? byte : block).slice(0, n)) {
        if (value !== LF) {
          line.push(value);
          continue;
        }
        if (line.at(-1) === CR) line.pop();
        const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(line));
        line = [];
        states.set(conn, "busy");
        await writeFully(conn, new TextEncoder().encode(`${await handle(text)}\n`));
        if (mood === "stopping") return;
        states.set(conn, "idle");
      }
    }
  }

  async function accept(): Promise<void> {
    for (;;) {
      try {
        const conn = await listener.accept();
        states.set(conn, "idle");
        converse(conn).catch((error) => log(String(error))).finally(() => drop(conn));
      } catch (error) {
        if (mood === "stopping") break;
        log(`A client left before it was accepted: ${error}`);
      }
    }
    acceptEnded = true;
    closeIdle();
    settleIfDone();
  }
  accept();

  function closeIdle(): void {
    for (const [conn, state] of [...states]) if (state === "idle") drop(conn);
  }

  function stop(graceMs = DEFAULT_GRACE_MS): Promise<void> {
    if (mood === "serving") {
      mood = "stopping";
      listener.close();
      closeIdle();
      const timer = setTimeout(() => {
        log(`${states.size} clients are cut off`);
        for (const conn of [...states.keys()]) drop(conn);
      }, graceMs);
      stopped.promise.finally(() => clearTimeout(timer));
    }
    return stopped.promise;
  }

  return {
    addr: listener.addr,
    stop,
    stopped: stopped.promise,
    get size() {
      return states.size;
    },
    [Symbol.asyncDispose]: () => stop(0),
  };
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
  onBytes: (from: "a" | "b", count: number) => void = () => {},
): Promise<{ aToB: number; bToA: number; error?: unknown }> {
  const result: { aToB: number; bToA: number; error?: unknown } = { bToA: 0, aToB: 0 };
  async function half(from: Deno.Conn, to: Deno.Conn, name: "a" | "b"): Promise<void> {
    // Two buffers in turn, so that a caller who keeps one for a moment is not surprised.
    const buffers = [new Uint8Array(3_000), new Uint8Array(30_000)];
    try {
      for (let turn = 0;; turn ^= 1) {
        const n = await from.read(buffers[turn]!);
        if (n === null) break;
        await writeFully(to, buffers[turn]!.subarray(0, n));
        onBytes(name, n);
        result[name === "a" ? "aToB" : "bToA"] += n;
      }
      await to.closeWrite();
    } catch (error) {
      result.error ??= error;
      closeQuietly(a, b);
    }
  }
  await Promise.all([half(b, a, "b"), half(a, b, "a")]);
  closeQuietly(b, a);
  return result;
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<{ sent: number; reason: "finished" | "gone"; error?: Error }> {
  let sent = 0;
  let trouble: Error | undefined;
  try {
    for await (const chunk of chunks) {
      await writeFully(conn, chunk, { onTaken: (bytes) => void (sent += bytes) })
        .catch((error) => void (trouble = error));
      if (trouble) break;
    }
  } finally {
    closeQuietly(conn);
  }
  if (!trouble) return { sent, reason: "finished" };
  if (!GONE.some((kind) => trouble instanceof kind)) throw trouble;
  return { sent, reason: "gone", error: trouble };
}

export function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase(), console.error);
  const heard: Record<string, number> = { SIGINT: 0, SIGTERM: 0 };
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      heard[name]!++;
      if (heard["SIGINT"]! + heard["SIGTERM"]! === 2) Deno.exit(130);
      // Its promise is the one that is returned below.
      server.stop(10_000);
    });
  }
  console.log("Listening on %s:%d", server.addr.hostname, server.addr.port);
  // A program that has printed more is a program all the same.
  console.log("Ctrl-C ends it, twice ends it at once.");
  return server.stopped;
}

if (import.meta.main) await main();
