// Valid: async iteration over clients, `using` for what has to end, for await restarted after a lost client.

export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

const named = (hostname: string, port: number) =>
  hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;

/** A time limit that ends with its block. */
class Limit implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(readonly reason: Error, timeoutMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(reason), timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

async function open(hostname: string, port: number, limit?: Limit): Promise<Deno.TcpConn> {
  try {
    return await Deno.connect({ hostname, port, signal: limit?.signal });
  } catch (error) {
    if (error === limit?.reason || !(error instanceof Error)) throw error;
    const message = `${error.message} (${named(hostname, port)})`;
    throw new (error.constructor as ErrorConstructor)(message, { cause: error });
  }
}

export const connectTo = (hostname: string, port: number): Promise<Deno.TcpConn> =>
  open(hostname, port);

export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const late = new Deno.errors.TimedOut(`${timeoutMs} ms are over for ${named(hostname, port)}`);
  using limit = new Limit(late, timeoutMs);
  return await open(hostname, port, limit);
}

export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  const [local, remote] = [conn.localAddr, conn.remoteAddr];
  return {
    protocol: "tcp",
    ...{ localAddress: local.hostname, localPort: local.port },
    ...{ remoteAddress: remote.hostname, remotePort: remote.port },
  };
}

export async function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  for await (const conn of clients(listener)) {
    (async () => {
      using _closing = conn;
      await handle(conn);
    })().catch((error) => console.warn(`${conn.remoteAddr.port}:`, error));
  }
}

/** Clients until the listener is closed. An error of accept() does not close it: begin again. */
async function* clients(listener: Deno.TcpListener): AsyncGenerator<Deno.TcpConn, void> {
  for (let closed = false; !closed;) {
    try {
      for await (const conn of listener) yield conn;
      closed = true;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotConnected)) throw error;
    }
  }
}

export async function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const causes: unknown[] = [];
  for await (const outcome of outcomes(candidates, timeoutMs)) {
    if (outcome.status === "fulfilled") return outcome.value;
    causes.push(outcome.reason);
  }
  throw new AggregateError(causes, `${causes.length} of ${candidates.length} failed`);
}

/** Tries one more candidate each time it is asked. */
async function* outcomes(candidates: { hostname: string; port: number }[], timeoutMs: number) {
  for (const { hostname, port } of candidates) {
    const [outcome] = await Promise.allSettled([connectWithin(hostname, port, timeoutMs)]);
    yield outcome;
  }
}

export class ConnectionTable implements Iterable<Deno.TcpConn> {
  readonly #all = new Set<Deno.TcpConn>();

  add(conn: Deno.TcpConn): void {
    this.#all.add(conn);
  }

  find(tuple: FiveTuple): Deno.TcpConn | undefined {
    const wanted = Object.entries(tuple);
    for (const conn of this) {
      const own = new Map<string, unknown>(Object.entries(fiveTuple(conn)));
      if (wanted.every(([part, value]) => own.get(part) === value)) return conn;
    }
  }

  delete(conn: Deno.TcpConn): boolean {
    return this.#all.delete(conn);
  }

  get size(): number {
    return [...this].length;
  }

  [Symbol.iterator](): Iterator<Deno.TcpConn> {
    return this.#all.values();
  }
}
