// Fails task 5: chunks-ahead — asks for the next chunk while it writes the one before.

class WaitGroup {
  #n = 0;
  #waiting: (() => void)[] = [];
  add(): void {
    this.#n++;
  }
  done(): void {
    if (--this.#n > 0) return;
    for (const wake of this.#waiting.splice(0)) wake();
  }
  wait(): Promise<void> {
    return this.#n === 0 ? Promise.resolve() : new Promise((wake) => this.#waiting.push(wake));
  }
}

class Chan<T> {
  #values: T[] = [];
  #takers: ((value: T | undefined) => void)[] = [];
  #closed = false;
  put(value: T): void {
    const taker = this.#takers.shift();
    if (taker) taker(value);
    else this.#values.push(value);
  }
  close(): void {
    this.#closed = true;
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
  take(): Promise<T | undefined> {
    if (this.#values.length) return Promise.resolve(this.#values.shift());
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((taker) => this.#takers.push(taker));
  }
}

type Result<T> = { ok: true; value: T } | { ok: false; error: unknown };

async function attempt<T>(work: () => T | Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error };
  }
}

function close(what: { close(): void }): void {
  try {
    what.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

async function writeFull(conn: Deno.Conn, data: Uint8Array): Promise<number> {
  let n = 0;
  while (n !== data.length) {
    const m = await conn.write(data.subarray(n, Math.min(data.length, n + 65536)));
    n += m;
  }
  return n;
}

async function readFull(conn: Deno.Conn): Promise<Uint8Array> {
  let all = new Uint8Array(0);
  const buf = new Uint8Array(1 << 16);
  for (;;) {
    const n = await conn.read(buf);
    if (n === null) return all;
    const bigger = new Uint8Array(all.length + n);
    bigger.set(all, 0);
    bigger.set(buf.subarray(0, n), all.length);
    all = bigger;
  }
}

export function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  return Deno.connect({ hostname, port }).then((conn) =>
    writeFull(conn, request)
      .then(() => conn.closeWrite())
      .then(() => readFull(conn))
      .finally(() => close(conn))
  );
}

export async function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  const request = await attempt(() => readFull(conn));
  if (!request.ok) {
    close(conn);
    throw request.error;
  }
  const reply = await attempt(() => makeReply(request.value));
  if (!reply.ok) {
    close(conn);
    throw reply.error;
  }
  const written = await attempt(() => writeFull(conn, reply.value));
  close(conn);
  if (!written.ok) throw written.error;
}

export interface Server {
  readonly addr: Deno.NetAddr;
  stop(graceMs: number): Promise<void>;
}

export function startServer(handle: (line: string) => string | Promise<string>): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const wg = new WaitGroup();
  const conns = new Map<number, { conn: Deno.Conn; pending: number }>();
  let nextId = 0;
  let quit = false;
  let port = true;

  // Reads lines and puts them in a channel; a second worker answers them in order.
  function go(conn: Deno.Conn): void {
    const id = nextId++;
    const state = { conn, pending: 0 };
    conns.set(id, state);
    const lines = new Chan<string>();
    wg.add();

    const reader = async () => {
      const dec = new TextDecoder("utf-8", { ignoreBOM: true });
      const buf = new Uint8Array(2048);
      let rest = "";
      for (;;) {
        const got = await attempt(() => conn.read(buf));
        if (!got.ok || got.value === null) break;
        rest += dec.decode(buf.subarray(0, got.value), { stream: true });
        let i;
        while ((i = rest.indexOf("\n")) !== -1) {
          let line = rest.substring(0, i);
          rest = rest.substring(i + 1);
          if (line.endsWith("\r")) line = line.substring(0, line.length - 1);
          if (quit) continue;
          state.pending++;
          lines.put(line);
        }
      }
      lines.close();
    };

    const worker = async () => {
      for (;;) {
        const line = await lines.take();
        if (line === undefined) break;
        const reply = await attempt(() => handle(line));
        if (!reply.ok) break;
        const wrote = await attempt(() =>
          writeFull(conn, new TextEncoder().encode(reply.value + "\n"))
        );
        if (!wrote.ok) break;
        state.pending--;
        if (quit && state.pending === 0) break;
      }
    };

    reader();
    let over = false;
    const finish = () => {
      if (over) return;
      over = true;
      conns.delete(id);
      close(conn);
      wg.done();
    };
    worker().then(finish);
    Object.assign(state, { finish });
  }

  const acceptDone = (async () => {
    for (;;) {
      const next = await attempt(() => listener.accept());
      if (next.ok) {
        if (quit) close(next.value);
        else go(next.value);
        continue;
      }
      if (quit || next.error instanceof Deno.errors.BadResource) break;
    }
    port = false;
  })();

  let result: Promise<void> | undefined;
  return {
    addr: { ...listener.addr },
    stop(graceMs) {
      if (result) return result;
      quit = true;
      close(listener);
      for (const { conn, pending } of conns.values()) if (pending === 0) close(conn);
      result = new Promise<void>((resolve, reject) => {
        const end = () => {
          clearTimeout(timer);
          acceptDone.then(resolve, reject);
        };
        const timer = setTimeout(() => {
          for (const state of [...conns.values()]) {
            (state as unknown as { finish(): void }).finish();
          }
        }, graceMs);
        wg.wait().then(end);
      }).then(() => {
        if (port) throw new Error("Cannot stop: still accepting");
      });
      return result;
    },
  };
}

export async function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  const wg = new WaitGroup();
  const counts = { aToB: 0, bToA: 0 };
  let failure: { error: unknown } | undefined;

  const go = async (src: Deno.Conn, dst: Deno.Conn, key: "aToB" | "bToA") => {
    const buf = new Uint8Array(32 * 1024);
    try {
      for (;;) {
        const n = await src.read(buf);
        if (n === null) {
          await dst.closeWrite();
          break;
        }
        counts[key] += await writeFull(dst, buf.subarray(0, n));
      }
    } catch (error) {
      failure ??= { error };
      close(a);
      close(b);
    } finally {
      wg.done();
    }
  };

  wg.add();
  wg.add();
  go(a, b, "aToB");
  go(b, a, "bToA");
  await wg.wait();
  close(a);
  close(b);
  if (failure) throw failure.error;
  return counts;
}

export interface SendResult {
  sent: number;
  reason: "finished" | "gone";
}

function isGone(error: unknown): boolean {
  switch ((error as Error)?.constructor) {
    case Deno.errors.BrokenPipe:
    case Deno.errors.ConnectionReset:
    case Deno.errors.ConnectionAborted:
    case Deno.errors.NotConnected:
      return true;
  }
  return false;
}

export async function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SendResult> {
  const iterator: Iterator<Uint8Array> | AsyncIterator<Uint8Array> = Symbol.asyncIterator in chunks
    ? chunks[Symbol.asyncIterator]()
    : chunks[Symbol.iterator]();
  let sent = 0;
  let coming = Promise.resolve(iterator.next());
  try {
    for (;;) {
      const next = await coming;
      coming = Promise.resolve(iterator.next());
      if (next.done) return { sent, reason: "finished" };
      try {
        for (let at = 0; at < next.value.length;) {
          const n = await conn.write(next.value.subarray(at));
          at += n;
          sent += n;
        }
      } catch (error) {
        await iterator.return?.();
        if (isGone(error)) return { sent, reason: "gone" };
        throw error;
      }
    }
  } finally {
    close(conn);
  }
}

export async function main(): Promise<void> {
  const sigs = new Chan<string>();
  Deno.addSignalListener("SIGINT", () => sigs.put("SIGINT"));
  Deno.addSignalListener("SIGTERM", () => sigs.put("SIGTERM"));
  const srv = startServer((line) => Promise.resolve(line.toUpperCase()));
  console.log(`Listening on 127.0.0.1:${srv.addr.port}`);
  await sigs.take();
  sigs.take().then(() => Deno.exit(130));
  await srv.stop(10_000);
  Deno.exit(0);
}

if (import.meta.main) {
  main().catch((error) => {
    console.error(error);
    Deno.exit(1);
  });
}
