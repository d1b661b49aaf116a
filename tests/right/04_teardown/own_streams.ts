// Valid: streams of its own around read(), write() and closeWrite().

/** The bytes of a connection; its end closes nothing. */
function source(conn: Deno.Conn): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const chunk = new Uint8Array(32 * 1024);
      const n = await conn.read(chunk);
      if (n === null) controller.close();
      else controller.enqueue(chunk.subarray(0, n));
    },
  }, { highWaterMark: 0 });
}

/** Takes bytes for a connection; its close is a half-close. */
function sink(conn: Deno.Conn): WritableStream<Uint8Array> {
  return new WritableStream({
    async write(chunk) {
      while (chunk.length > 0) chunk = chunk.subarray(await conn.write(chunk));
    },
    close: () => conn.closeWrite(),
  });
}

function toBytes(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  return new Response(stream).bytes();
}

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname, port });
  await ReadableStream.from([request]).pipeTo(sink(conn));
  return await toBytes(conn.readable);
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  using _ = conn;
  const reply = await makeReply(await toBytes(source(conn)));
  const writer = conn.writable.getWriter();
  await writer.write(reply as Uint8Array<ArrayBuffer>);
  await writer.close();
}

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs: number): Promise<void>;
}

/** Cuts text into lines; what has no LF at the end is dropped. */
class LineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(text, controller) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          controller.enqueue(line.endsWith("\r") ? line.slice(0, -1) : line);
        }
      },
    });
  }
}

export function startServer(handle: (line: string) => string | Promise<string>): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const idle = new Set<Deno.Conn>();
  const open = new Map<Deno.Conn, Promise<void>>();
  let ending: Promise<void> | undefined;

  async function* replies(conn: Deno.Conn): AsyncGenerator<Uint8Array> {
    const lines = source(conn)
      .pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true }))
      .pipeThrough(new LineStream());
    for await (const line of lines) {
      idle.delete(conn);
      yield new TextEncoder().encode(await handle(line) + "\n");
      if (ending) return;
      idle.add(conn);
    }
  }

  async function converse(conn: Deno.Conn): Promise<void> {
    idle.add(conn);
    try {
      for await (let reply of replies(conn)) {
        while (reply.length > 0) reply = reply.subarray(await conn.write(reply));
      }
    } catch {
      // One client less.
    } finally {
      idle.delete(conn);
      open.delete(conn);
      try {
        conn.close();
      } catch {
        // stop() was faster.
      }
    }
  }

  async function* arrivals(): AsyncGenerator<Deno.Conn> {
    for (;;) {
      try {
        yield await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (ending) return;
      }
    }
  }

  const accepting = (async () => {
    for await (const conn of arrivals()) {
      if (ending) conn.close();
      else open.set(conn, converse(conn));
    }
  })();

  async function end(graceMs: number): Promise<void> {
    listener.close();
    await accepting;
    for (const conn of idle) conn.close();
    const grace = new AbortController();
    const late = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      grace.signal.addEventListener("abort", () => clearTimeout(timer));
    });
    await Promise.race([Promise.all(open.values()), late]);
    grace.abort();
    for (const conn of open.keys()) conn.close();
  }

  return {
    addr: listener.addr,
    stop: (graceMs) => ending ??= Promise.resolve(graceMs).then(end),
  };
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  function pump(from: Deno.Conn, to: Deno.Conn): Promise<number> {
    let count = 0;
    const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        count += chunk.length;
        controller.enqueue(chunk);
      },
    });
    return source(from).pipeThrough(counter).pipeTo(sink(to)).then(() => count);
  }
  using _a = a;
  using _b = b;
  const [aToB, bToA] = await Promise.all([pump(a, b), pump(b, a)]);
  return { aToB, bToA };
}

export interface SendResult {
  sent: number;
  reason: "finished" | "gone";
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SendResult> {
  using _ = conn;
  let sent = 0;
  for await (const chunk of chunks) {
    for (let left = chunk; left.length > 0;) {
      const n = await conn.write(left).catch((error) => {
        if (
          ["BrokenPipe", "ConnectionReset", "ConnectionAborted", "NotConnected"].includes(
            error.name,
          )
        ) {
          return null;
        }
        throw error;
      });
      if (n === null) return { sent, reason: "gone" };
      sent += n;
      left = left.subarray(n);
    }
  }
  return { sent, reason: "finished" };
}

/** The signals as they come. */
function signals(...names: Deno.Signal[]): ReadableStream<Deno.Signal> {
  return new ReadableStream({
    start(controller) {
      for (const name of names) Deno.addSignalListener(name, () => controller.enqueue(name));
    },
  });
}

export async function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase());
  console.log("Listening on %s:%d", server.addr.hostname, server.addr.port);
  const reader = signals("SIGINT", "SIGTERM").getReader();
  await reader.read();
  const second = reader.read().then(() => Deno.exit(130));
  await Promise.race([server.stop(10_000), second]);
  Deno.exit(0);
}

if (import.meta.main) await main();
