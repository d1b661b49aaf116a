// Fails task 3: fixed-buffer — has 4096 bytes for a line, and hangs up on whoever sends a longer one.

class GrowingBuffer {
  #bytes = new Uint8Array(256);
  #length = 0;

  append(data: Uint8Array): void {
    if (this.#length + data.length > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + data.length));
      bigger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = bigger;
    }
    this.#bytes.set(data, this.#length);
    this.#length += data.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Takes the bytes before the first LF, and the LF, or gives null. */
  takeLine(): Uint8Array | null {
    const end = this.#bytes.subarray(0, this.#length).indexOf(10);
    if (end === -1) return null;
    const line = this.#bytes.slice(0, end);
    this.#bytes.copyWithin(0, end + 1, this.#length);
    this.#length -= end + 1;
    return line;
  }
}

/** What has come of a line, and of those behind it. */
class LineBuffer {
  #bytes = new Uint8Array(4096);
  #length = 0;

  append(data: Uint8Array): void {
    this.#bytes.set(data, this.#length);
    this.#length += data.length;
  }

  takeLine(): Uint8Array | null {
    const end = this.#bytes.subarray(0, this.#length).indexOf(10);
    if (end === -1) return null;
    const line = this.#bytes.slice(0, end);
    this.#bytes.copyWithin(0, end + 1, this.#length);
    this.#length -= end + 1;
    return line;
  }
}

async function sendAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  let at = 0;
  while (at < data.length) {
    at += await conn.write(data.subarray(at));
  }
}

async function receiveAll(conn: Deno.Conn): Promise<Uint8Array> {
  const all = new GrowingBuffer();
  const buffer = new Uint8Array(1000);
  while (true) {
    const n = await conn.read(buffer);
    if (n === null) break;
    all.append(buffer.subarray(0, n));
  }
  return all.bytes();
}

function closeQuietly(closer: { close(): void }): void {
  try {
    closer.close();
  } catch {
    // It was closed before.
  }
}

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  const conn = await Deno.connect({ hostname, port });
  try {
    await sendAll(conn, request);
    await conn.closeWrite();
    return await receiveAll(conn);
  } finally {
    conn.close();
  }
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  try {
    const request = await receiveAll(conn);
    const reply = await makeReply(request);
    await sendAll(conn, reply);
  } finally {
    conn.close();
  }
}

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs: number): Promise<void>;
}

interface Client {
  conn: Deno.Conn;
  busy: boolean;
  closed: boolean;
}

export function startServer(handle: (line: string) => string | Promise<string>): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const addr = listener.addr as Deno.NetAddr;
  const clients: Client[] = [];
  let stopping = false;
  let checkDone: () => void = () => {};

  function drop(client: Client): void {
    if (client.closed) return;
    client.closed = true;
    client.conn.close();
    clients.splice(clients.indexOf(client), 1);
    checkDone();
  }

  async function serve(client: Client): Promise<void> {
    const pending = new LineBuffer();
    const buffer = new Uint8Array(1000);
    try {
      while (!stopping) {
        const n = await client.conn.read(buffer);
        if (n === null) return;
        pending.append(buffer.subarray(0, n));
        while (!stopping) {
          const raw = pending.takeLine();
          if (raw === null) break;
          client.busy = true;
          const end = raw.at(-1) === 13 ? raw.length - 1 : raw.length;
          const line = new TextDecoder().decode(raw.subarray(0, end));
          const reply = await handle(line);
          await sendAll(client.conn, new TextEncoder().encode(reply + "\n"));
          client.busy = false;
        }
      }
    } catch {
      // This client is lost, or its request has failed. The others go on.
    } finally {
      drop(client);
    }
  }

  async function acceptAll(): Promise<void> {
    while (!stopping) {
      let conn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.NotConnected) continue;
        if (stopping) return;
        // For example too many open files: a little later there may be one.
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      if (stopping) {
        conn.close();
        return;
      }
      const client = { conn, busy: false, closed: false };
      clients.push(client);
      serve(client);
    }
  }

  const accepting = acceptAll();
  let stopped: Promise<void> | null = null;

  async function stopNow(graceMs: number): Promise<void> {
    stopping = true;
    listener.close();
    for (const client of [...clients]) {
      if (!client.busy) drop(client);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const client of [...clients]) drop(client);
      }, graceMs);
      checkDone = () => {
        if (clients.length > 0) return;
        clearTimeout(timer);
        resolve();
      };
      checkDone();
    });
    await accepting;
  }

  return {
    addr,
    stop(graceMs: number): Promise<void> {
      if (stopped === null) stopped = stopNow(graceMs);
      return stopped;
    },
  };
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  async function oneWay(from: Deno.Conn, to: Deno.Conn): Promise<number> {
    let count = 0;
    const buffer = new Uint8Array(16_384);
    while (true) {
      const n = await from.read(buffer);
      if (n === null) break;
      await sendAll(to, buffer.subarray(0, n));
      count += n;
    }
    await to.closeWrite();
    return count;
  }

  try {
    const there = oneWay(a, b);
    const back = oneWay(b, a);
    const [aToB, bToA] = await Promise.all([there, back]);
    return { aToB, bToA };
  } finally {
    closeQuietly(a);
    closeQuietly(b);
  }
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
      let at = 0;
      while (at < chunk.length) {
        try {
          const n = await conn.write(chunk.subarray(at));
          at += n;
          sent += n;
        } catch (error) {
          if (
            error instanceof Deno.errors.BrokenPipe ||
            error instanceof Deno.errors.ConnectionReset ||
            error instanceof Deno.errors.ConnectionAborted ||
            error instanceof Deno.errors.NotConnected
          ) {
            return { sent, reason: "gone" };
          }
          throw error;
        }
      }
    }
    return { sent, reason: "finished" };
  } finally {
    conn.close();
  }
}

export async function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase());
  console.log(`Listening on 127.0.0.1:${server.addr.port}`);
  let count = 0;
  await new Promise<void>((resolve) => {
    const onSignal = () => {
      count++;
      if (count === 2) Deno.exit(130);
      resolve();
    };
    Deno.addSignalListener("SIGINT", onSignal);
    Deno.addSignalListener("SIGTERM", onSignal);
  });
  await server.stop(10_000);
}

if (import.meta.main) await main();
