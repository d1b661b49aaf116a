// Valid: errors of its own classes, extra exports, extra optional parameters, a table of nested Maps.

export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

export const DEFAULT_TIMEOUT_MS = 10_000;

export class Refused extends Deno.errors.ConnectionRefused {
  override name = "Refused";
}

export class TooLate extends Deno.errors.TimedOut {
  override name = "TooLate";
}

export class NobodyAnswered extends AggregateError {
  override name = "NobodyAnswered";
}

export function endpoint(hostname: string, port: number): string {
  return /:/.test(hostname) ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

export async function connectTo(
  hostname: string,
  port: number,
  { signal, noDelay = false }: { signal?: AbortSignal; noDelay?: boolean } = {},
): Promise<Deno.TcpConn> {
  try {
    const conn = await Deno.connect({ hostname, port, signal });
    if (noDelay) conn.setNoDelay();
    return conn;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const where = endpoint(hostname, port);
    if (error instanceof Deno.errors.ConnectionRefused) {
      throw new Refused(`Refused at ${where}`, { cause: error });
    }
    const { constructor, message } = error as Error;
    throw new (constructor as ErrorConstructor)(`${where}: ${message}`, { cause: error });
  }
}

export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs = DEFAULT_TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<Deno.TcpConn> {
  const limit = AbortSignal.timeout(timeoutMs);
  const either = signal ? AbortSignal.any([limit, signal]) : limit;
  try {
    return await connectTo(hostname, port, { signal: either });
  } catch (error) {
    if (!limit.aborted || signal?.aborted) throw error;
    throw new TooLate(`Too late: ${endpoint(hostname, port)}, ${timeoutMs} ms`, { cause: error });
  }
}

export function fiveTuple({ localAddr, remoteAddr }: Deno.TcpConn): FiveTuple & { id: string } {
  const tuple = {
    protocol: "tcp" as const,
    localAddress: localAddr.hostname,
    localPort: localAddr.port,
    remoteAddress: remoteAddr.hostname,
    remotePort: remoteAddr.port,
  };
  return { ...tuple, id: Object.values(tuple).join("/") };
}

export async function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
  onError: (error: unknown) => void = console.error,
): Promise<void> {
  const working = new Set<Promise<void>>();
  while (true) {
    const conn = await listener.accept().catch((error) => error as Error);
    if (conn instanceof Deno.errors.NotConnected) continue;
    if (conn instanceof Deno.errors.BadResource) break;
    if (conn instanceof Error) throw conn;
    const work = Promise.resolve().then(() => handle(conn)).catch(onError).finally(() => {
      // A disposed connection may be disposed again.
      conn[Symbol.dispose]();
      working.delete(work);
    });
    working.add(work);
  }
  if (working.size > 0) console.info(`${working.size} clients are still being served`);
}

export async function connectFirst(
  candidates: readonly { hostname: string; port: number }[],
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<Deno.TcpConn> {
  const errors: unknown[] = [];
  const queue = [...candidates];
  for (let next = queue.shift(); next; next = queue.shift()) {
    try {
      return await connectWithin(next.hostname, next.port, timeoutMs);
    } catch (error) {
      errors.push(error);
    }
  }
  throw new NobodyAnswered(errors, "Nobody answered");
}

type Part = string | number;
type Level = Map<Part, Level | Deno.TcpConn>;

export class ConnectionTable {
  #root: Level = new Map();
  #size = 0;

  static #parts(t: FiveTuple): [Part[], Part] {
    return [[t.protocol, t.remoteAddress, t.localAddress, t.remotePort], t.localPort];
  }

  #level(path: Part[], make: boolean): Level | undefined {
    let level: Level | undefined = this.#root;
    for (const part of path) {
      if (make && !level.has(part)) level.set(part, new Map());
      level = level.get(part) as Level | undefined;
      if (!level) return undefined;
    }
    return level;
  }

  /** Adds a connection and gives the table, for chaining. */
  add(conn: Deno.TcpConn): this {
    const [path, last] = ConnectionTable.#parts(fiveTuple(conn));
    const level = this.#level(path, true)!;
    if (!level.has(last)) this.#size++;
    level.set(last, conn);
    return this;
  }

  find(tuple: FiveTuple): Deno.TcpConn | undefined {
    const [path, last] = ConnectionTable.#parts(tuple);
    return this.#level(path, false)?.get(last) as Deno.TcpConn | undefined;
  }

  delete(conn: Deno.TcpConn): boolean {
    const [path, last] = ConnectionTable.#parts(fiveTuple(conn));
    const gone = this.#level(path, false)?.delete(last) ?? false;
    if (gone) this.#size--;
    return gone;
  }

  get size(): number {
    return this.#size;
  }
}
