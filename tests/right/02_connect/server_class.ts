// Valid: the work is done by classes; the functions only make one and let it run.

export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/** Nobody answered in time. Its class is still that of the contract. */
export class NoAnswer extends Deno.errors.TimedOut {
  constructor(readonly target: Target, readonly timeoutMs: number) {
    super(`${target} gave no answer in ${timeoutMs} ms`);
  }
}

/** Somewhere to connect to. */
class Target {
  constructor(readonly hostname: string, readonly port: number) {}

  toString(): string {
    const host = this.hostname.includes(":") ? `[${this.hostname}]` : this.hostname;
    return `${host}:${this.port}`;
  }

  async connect(signal?: AbortSignal): Promise<Deno.TcpConn> {
    try {
      return await Deno.connect({ transport: "tcp", ...this, signal });
    } catch (error) {
      if (!(error instanceof Error) || error instanceof DOMException) throw error;
      throw Object.assign(Reflect.construct(error.constructor, [`${this}: ${error.message}`]), {
        cause: error,
      });
    }
  }

  async connectWithin(timeoutMs: number): Promise<Deno.TcpConn> {
    const controller = new AbortController();
    const noAnswer = new NoAnswer(this, timeoutMs);
    const timer = setTimeout(() => controller.abort(), timeoutMs);
    try {
      return await this.connect(controller.signal);
    } catch (error) {
      throw controller.signal.aborted ? noAnswer : error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One client, from its acceptance to its end. */
class Session {
  #closed = false;

  constructor(readonly conn: Deno.TcpConn) {}

  async run(handle: (conn: Deno.TcpConn) => Promise<void>): Promise<void> {
    try {
      await handle(this.conn);
    } catch (error) {
      console.log("A client's handler failed:", error);
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

/** Accepts until its listener is closed. */
class Server {
  readonly sessions = new Set<Session>();

  constructor(readonly listener: Deno.TcpListener) {}

  async run(handle: (conn: Deno.TcpConn) => Promise<void>): Promise<void> {
    for (let session = await this.next(); session; session = await this.next()) {
      const current = session;
      this.sessions.add(current);
      current.run(handle).finally(() => this.sessions.delete(current));
    }
  }

  async next(): Promise<Session | null> {
    try {
      return new Session(await this.listener.accept());
    } catch (error) {
      if (error instanceof Deno.errors.NotConnected) return this.next();
      if (error instanceof Deno.errors.BadResource) return null;
      throw error;
    }
  }
}

/** A five-tuple that compares itself. */
class Tuple implements FiveTuple {
  readonly protocol = "tcp";
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor({ localAddr, remoteAddr }: Deno.TcpConn) {
    this.localAddress = localAddr.hostname;
    this.localPort = localAddr.port;
    this.remoteAddress = remoteAddr.hostname;
    this.remotePort = remoteAddr.port;
  }

  equals(other: FiveTuple): boolean {
    return this.protocol === other.protocol &&
      this.localAddress === other.localAddress && this.localPort === other.localPort &&
      this.remoteAddress === other.remoteAddress && this.remotePort === other.remotePort;
  }
}

export function connectTo(hostname: string, port: number): Promise<Deno.TcpConn> {
  return new Target(hostname, port).connect();
}

export function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  return new Target(hostname, port).connectWithin(timeoutMs);
}

export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  // A plain object, without the method.
  return { ...new Tuple(conn) };
}

export function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  return new Server(listener).run(handle);
}

export async function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const causes: Error[] = [];
  for (const { hostname, port } of candidates) {
    const conn = await new Target(hostname, port).connectWithin(timeoutMs)
      .catch((error: Error) => void causes.push(error));
    if (conn) return conn;
  }
  throw new AggregateError(causes);
}

export class ConnectionTable {
  #entries = new Map<Deno.TcpConn, Tuple>();

  add(conn: Deno.TcpConn): void {
    this.#entries.set(conn, new Tuple(conn));
  }

  find(wanted: FiveTuple): Deno.TcpConn | undefined {
    return this.#entries.entries().find(([, tuple]) => tuple.equals(wanted))?.[0];
  }

  delete(conn: Deno.TcpConn): boolean {
    return this.#entries.delete(conn);
  }

  get size(): number {
    return this.#entries.size;
  }
}
