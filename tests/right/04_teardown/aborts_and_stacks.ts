// Valid: AbortController for each ending, DisposableStack, streams only where their end may close the connection.

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs: number): Promise<void>;
}

type Handle = (line: string) => string | Promise<string>;

/** What was read, piece by piece; leaving the loop early closes nothing. */
async function* received(conn: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(48 * 1024);
  let n: number | null;
  while ((n = await conn.read(buffer)) !== null) yield buffer.slice(0, n);
}

function joined(parts: Uint8Array[]): Promise<Uint8Array> {
  return new Blob(parts as BlobPart[]).bytes();
}

async function put(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  for (let from = 0; from !== data.length;) from += await conn.write(data.subarray(from));
}

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname, port });
  const writer = conn.writable.getWriter();
  if (request.length > 0) await writer.write(request);
  // Released and not closed: closing the stream would close the connection.
  writer.releaseLock();
  await conn.closeWrite();
  return await joined(await Array.fromAsync(conn.readable));
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  using _always = conn;
  const request = await joined(await Array.fromAsync(received(conn)));
  const writer = conn.writable.getWriter();
  await writer.write(await makeReply(request));
  // Here it may be closed: the reply is out, and nothing is left to be read.
  await writer.close();
}

export function startServer(handle: Handle): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stopping = new AbortController();
  const forced = new AbortController();
  const running = new Set<Promise<void>>();

  const accepting = (async () => {
    while (!stopping.signal.aborted) {
      const conn = await listener.accept().catch(() => undefined);
      if (!conn) continue;
      const over: Promise<void> = serve(conn, handle, stopping.signal, forced.signal)
        .finally(() => running.delete(over));
      running.add(over);
    }
  })();

  let ended: Promise<void> | undefined;
  async function stop(graceMs: number): Promise<void> {
    const timer = setTimeout(() => forced.abort(), graceMs);
    using stack = new DisposableStack();
    stack.defer(() => clearTimeout(timer));
    listener.close();
    stopping.abort();
    await accepting;
    while (running.size > 0) await Promise.all(running);
  }

  return { addr: listener.addr, stop: (graceMs) => ended ??= stop(graceMs) };
}

/** Serves one client. Resolves when its connection is closed, and never rejects. */
function serve(
  conn: Deno.Conn,
  handle: Handle,
  stopping: AbortSignal,
  forced: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stack = new DisposableStack();
  stack.defer(resolve);
  stack.use(conn);
  const endNow = () => stack.dispose();
  let inFlight = false;
  const endIfIdle = () => inFlight || endNow();
  stopping.addEventListener("abort", endIfIdle);
  forced.addEventListener("abort", endNow);
  stack.defer(() => stopping.removeEventListener("abort", endIfIdle));
  stack.defer(() => forced.removeEventListener("abort", endNow));

  (async () => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let begun: string[] = [];
    for await (const part of received(conn)) {
      const [first = "", ...others] = decoder.decode(part, { stream: true }).split("\n");
      begun.push(first);
      for (const next of others) {
        if (stopping.aborted) return;
        inFlight = true;
        const reply = await handle(begun.join("").replace(/\r$/, ""));
        await put(conn, new TextEncoder().encode(reply + "\n"));
        inFlight = false;
        begun = [next];
      }
      if (stopping.aborted) return;
    }
  })().then(endNow, endNow);
  if (stopping.aborted) endIfIdle();
  return promise;
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  using stack = new DisposableStack();
  stack.use(a);
  stack.use(b);
  const broken = new AbortController();
  broken.signal.addEventListener("abort", () => stack.dispose());

  const carried = async (from: Deno.Conn, to: Deno.Conn): Promise<number> => {
    let bytes = 0;
    const counter = new WritableStream<Uint8Array>({
      async write(part) {
        await put(to, part);
        bytes += part.length;
      },
      close: () => to.closeWrite(),
      abort: (reason) => broken.abort(reason),
    });
    await ReadableStream.from(received(from)).pipeTo(counter).catch((error) => {
      broken.abort(error);
      throw error;
    });
    return bytes;
  };
  const [aToB, bToA] = await Promise.all([carried(a, b), carried(b, a)]).catch(() => {
    throw broken.signal.reason;
  });
  return { aToB, bToA };
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<{ sent: number; reason: "finished" | "gone" }> {
  using _always = conn;
  const gone = new AbortController();
  let sent = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    while (rest.length > 0 && !gone.signal.aborted) {
      const n = await conn.write(rest).catch((error) => {
        if (!isGone(error)) throw error;
        gone.abort(error);
        return 0;
      });
      sent += n;
      rest = rest.subarray(n);
    }
    if (gone.signal.aborted) break;
  }
  return { sent, reason: gone.signal.aborted ? "gone" : "finished" };
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.NotConnected;
}

export async function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase());
  const interrupt = new AbortController();
  const onSignal = () => {
    if (interrupt.signal.aborted) Deno.exit(130);
    interrupt.abort();
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
  console.log(`Listening on 127.0.0.1:${server.addr.port}`);
  await new Promise((resolve) => interrupt.signal.addEventListener("abort", resolve));
  await server.stop(10_000);
}

if (import.meta.main) await main();
