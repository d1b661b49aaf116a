// Fails task 1, 2, 3, 4, 6: short-write — one write() for whatever is to be sent, in all functions.

const encoder = new TextEncoder();

async function send(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  await conn.write(data);
}

async function receive(conn: Deno.Conn): Promise<Uint8Array> {
  let all = new Uint8Array(0);
  const part = new Uint8Array(4096);
  while (true) {
    const n = await conn.read(part);
    if (n === null) return all;
    const next = new Uint8Array(all.length + n);
    next.set(all);
    next.set(part.subarray(0, n), all.length);
    all = next;
  }
}

export async function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname, port });
  await send(conn, request);
  await conn.closeWrite();
  return await receive(conn);
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  using own = conn;
  const request = await receive(own);
  const reply = await makeReply(request);
  await send(own, reply);
}

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs: number): Promise<void>;
}

interface Client {
  conn: Deno.Conn;
  busy: boolean;
  done: Promise<void>;
}

function closeOnce(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

export function startServer(handle: (line: string) => string | Promise<string>): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clients: Client[] = [];
  let stopping: Promise<void> | null = null;
  let isStopping = false;

  async function talk(client: Client): Promise<void> {
    const { conn } = client;
    const decoder = new TextDecoder();
    const part = new Uint8Array(1024);
    let rest = "";
    while (true) {
      const n = await conn.read(part);
      if (n === null) return;
      rest += decoder.decode(part.subarray(0, n), { stream: true });
      while (rest.includes("\n")) {
        const end = rest.indexOf("\n");
        let line = rest.slice(0, end);
        rest = rest.slice(end + 1);
        if (line.endsWith("\r")) line = line.slice(0, -1);
        client.busy = true;
        await send(conn, encoder.encode(await handle(line) + "\n"));
        client.busy = false;
        if (isStopping) return;
      }
    }
  }

  async function run(client: Client): Promise<void> {
    try {
      await talk(client);
    } catch {
      // This client is over; the others go on.
    } finally {
      closeOnce(client.conn);
      clients.splice(clients.indexOf(client), 1);
    }
  }

  async function accept(): Promise<void> {
    while (!isStopping) {
      let conn: Deno.Conn;
      try {
        conn = await listener.accept();
      } catch {
        continue;
      }
      const client: Client = { conn, busy: false, done: Promise.resolve() };
      clients.push(client);
      client.done = run(client);
    }
  }
  const accepting = accept();

  async function stopNow(graceMs: number): Promise<void> {
    listener.close();
    await accepting;
    const running = clients.slice();
    for (const client of running) if (!client.busy) closeOnce(client.conn);
    const all = Promise.all(running.map((client) => client.done));
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(() => grace.resolve(), graceMs);
    await Promise.race([all, grace.promise]);
    clearTimeout(timer);
    for (const client of running) closeOnce(client.conn);
  }

  return {
    addr: listener.addr as Deno.NetAddr,
    stop(graceMs: number): Promise<void> {
      if (stopping === null) {
        isStopping = true;
        stopping = stopNow(graceMs);
      }
      return stopping;
    },
  };
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  async function pump(from: Deno.Conn, to: Deno.Conn): Promise<number> {
    const part = new Uint8Array(16_384);
    let total = 0;
    while (true) {
      const n = await from.read(part);
      if (n === null) break;
      total += n;
      await send(to, part.subarray(0, n));
    }
    await to.closeWrite();
    return total;
  }
  async function guarded(from: Deno.Conn, to: Deno.Conn): Promise<number> {
    try {
      return await pump(from, to);
    } catch (error) {
      closeOnce(a);
      closeOnce(b);
      throw error;
    }
  }
  const results = await Promise.allSettled([guarded(a, b), guarded(b, a)]);
  closeOnce(a);
  closeOnce(b);
  const [one, two] = results;
  if (one!.status === "rejected") throw one!.reason;
  if (two!.status === "rejected") throw two!.reason;
  return { aToB: one!.value, bToA: two!.value };
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<{ sent: number; reason: "finished" | "gone" }> {
  using own = conn;
  let sent = 0;
  let gone = false;
  for await (const chunk of chunks) {
    let at = 0;
    while (at < chunk.length && !gone) {
      try {
        const n = await own.write(chunk.subarray(at));
        at += n;
        sent += n;
      } catch (error) {
        const known = error instanceof Deno.errors.BrokenPipe ||
          error instanceof Deno.errors.ConnectionReset ||
          error instanceof Deno.errors.ConnectionAborted ||
          error instanceof Deno.errors.NotConnected;
        if (!known) throw error;
        gone = true;
      }
    }
    if (gone) break;
  }
  return { sent, reason: gone ? "gone" : "finished" };
}

export async function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase());
  let told = false;
  const ended = new Promise<void>((resolve) => {
    const onSignal = () => {
      if (told) Deno.exit(130);
      told = true;
      server.stop(10_000).then(resolve);
    };
    Deno.addSignalListener("SIGINT", onSignal);
    Deno.addSignalListener("SIGTERM", onSignal);
  });
  console.log(`Listening on 127.0.0.1:${server.addr.port}`);
  await ended;
}

if (import.meta.main) await main();
