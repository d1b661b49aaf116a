// Fails task 3: line-per-read — takes each read for one whole line.

function sendAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  if (data.length === 0) return Promise.resolve();
  return conn.write(data).then((n) => sendAll(conn, data.subarray(n)));
}

function receiveAll(conn: Deno.Conn, parts: Uint8Array[] = []): Promise<Uint8Array> {
  const buffer = new Uint8Array(32_768);
  return conn.read(buffer).then((n) => {
    if (n !== null) return receiveAll(conn, [...parts, buffer.subarray(0, n)]);
    return new Blob(parts as BlobPart[]).arrayBuffer().then((all) => new Uint8Array(all));
  });
}

function shut(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed before.
  }
}

export function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  return Deno.connect({ hostname, port }).then((conn) =>
    sendAll(conn, request)
      .then(() => conn.closeWrite())
      .then(() => receiveAll(conn))
      .finally(() => conn.close())
  );
}

export function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  return receiveAll(conn)
    .then((request) => makeReply(request))
    .then((reply) => sendAll(conn, reply))
    .finally(() => conn.close());
}

export function startServer(handle: (line: string) => string | Promise<string>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const idle = new Set<Deno.Conn>();
  const busy = new Set<Deno.Conn>();
  const talks = new Map<Deno.Conn, Promise<void>>();
  let stopping: Promise<void> | undefined;
  let closing = false;

  const answer = (conn: Deno.Conn, lines: string[]): Promise<void> => {
    const [line, ...others] = lines;
    if (line === undefined || closing) return Promise.resolve();
    idle.delete(conn);
    busy.add(conn);
    return Promise.resolve(line.replace(/\r$/, ""))
      .then(handle)
      .then((reply) => sendAll(conn, new TextEncoder().encode(`${reply}\n`)))
      .then(() => {
        busy.delete(conn);
        idle.add(conn);
        return answer(conn, others);
      });
  };

  const talk = (conn: Deno.Conn, decoder: TextDecoder, rest: string): Promise<void> => {
    const buffer = new Uint8Array(8192);
    return conn.read(buffer).then((n) => {
      if (n === null) return;
      const line = rest + decoder.decode(buffer.subarray(0, n), { stream: true });
      return answer(conn, [line.trim()]).then(() => {
        if (!closing) return talk(conn, decoder, "");
      });
    });
  };

  const acceptNext = (): Promise<void> =>
    listener.accept().then(
      (conn) => {
        idle.add(conn);
        const over = talk(conn, new TextDecoder(), "").catch(() => {}).then(() => {
          shut(conn);
          idle.delete(conn);
          busy.delete(conn);
          talks.delete(conn);
        });
        talks.set(conn, over);
      },
      () => {},
    ).then(() => closing ? undefined : acceptNext());
  const accepting = acceptNext();

  const stopOnce = (graceMs: number): Promise<void> => {
    closing = true;
    listener.close();
    return accepting.then(() => {
      idle.forEach(shut);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const grace = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
      return Promise.race([Promise.all(talks.values()), grace]).then(() => {
        clearTimeout(timer);
        busy.forEach(shut);
      });
    });
  };

  return {
    addr: listener.addr as Deno.NetAddr,
    stop: (graceMs: number): Promise<void> => stopping ??= stopOnce(graceMs),
  };
}

export function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  const pass = (from: Deno.Conn, to: Deno.Conn, total = 0): Promise<number> => {
    const buffer = new Uint8Array(20_000);
    return from.read(buffer).then((n) =>
      n === null
        ? to.closeWrite().then(() => total)
        : sendAll(to, buffer.subarray(0, n)).then(() => pass(from, to, total + n))
    );
  };
  const both = Promise.all([pass(a, b), pass(b, a)]);
  return both.then(([aToB, bToA]) => ({ aToB, bToA })).finally(() => [a, b].forEach(shut));
}

export function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<{ sent: number; reason: "finished" | "gone" }> {
  type Ending = { sent: number; reason: "finished" | "gone" };
  const source = Symbol.asyncIterator in chunks
    ? chunks[Symbol.asyncIterator]()
    : chunks[Symbol.iterator]();
  const GONE = ["BrokenPipe", "ConnectionReset", "ConnectionAborted", "NotConnected"];
  let sent = 0;
  const write = (chunk: Uint8Array): Promise<boolean> =>
    chunk.length === 0 ? Promise.resolve(true) : conn.write(chunk).then(
      (n) => {
        sent += n;
        return write(chunk.subarray(n));
      },
      (error) => {
        if (GONE.includes(error.name)) return false;
        throw error;
      },
    );
  const step = (): Promise<Ending> =>
    Promise.resolve(source.next()).then(({ done, value }) => {
      if (done) return { sent, reason: "finished" };
      return write(value).then((here): Ending | Promise<Ending> => {
        if (here) return step();
        return Promise.resolve(source.return?.()).then(() => ({ sent, reason: "gone" }));
      });
    });
  return step().finally(() => conn.close());
}

export function main(): Promise<void> {
  const server = startServer((line) => line.toUpperCase());
  let first = true;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      if (!first) Deno.exit(130);
      first = false;
      server.stop(10_000).then(() => Deno.exit(0));
    });
  }
  console.log(`Listening on ${server.addr.hostname}:${server.addr.port}`);
  return new Promise(() => setInterval(() => {}, 60_000));
}

if (import.meta.main) main();
