// Fails task 4: connection-not-closed — keeps all connections in a list and closes them when the server stops.

/** One connection as one of its ends sees it. */
export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/** Runs `attempt` and adds the address to whatever it throws. */
async function naming<T>(hostname: string, port: number, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    // DOMExceptions come from our own signal, not from the network.
    if (!(error instanceof Error) || error instanceof DOMException) throw error;
    const constructor = error.constructor as ErrorConstructor;
    throw new constructor(`${error.message}, address ${text(hostname, port)}`, { cause: error });
  }
}

/** `host:port`, with brackets around IPv6. */
function text(hostname: string, port: number): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${host}:${port}`;
}

/** Connects or throws what the kernel said. */
export function connectTo(hostname: string, port: number): Promise<Deno.TcpConn> {
  return naming(hostname, port, () => Deno.connect({ transport: "tcp", hostname, port }));
}

/** Connects, but not for longer than `timeoutMs`. */
export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await naming(hostname, port, () => Deno.connect({ hostname, port, signal }));
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError") {
      const address = text(hostname, port);
      throw new Deno.errors.TimedOut(`Gave up on ${address} after ${timeoutMs} ms`);
    }
    throw error;
  }
}

/** The five parts of a socket. */
export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  const { hostname: localAddress, port: localPort } = conn.localAddr;
  const { hostname: remoteAddress, port: remotePort } = conn.remoteAddr;
  return { protocol: "tcp", localAddress, localPort, remoteAddress, remotePort };
}

/** Accepts until the listener is closed. */
export async function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  const jobs: Promise<void>[] = [];
  const conns: Deno.TcpConn[] = [];
  let open = true;
  while (open) {
    try {
      const conn = await listener.accept();
      conns.push(conn);
      jobs.push(run(conn, handle));
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) open = false;
      else if (!(error instanceof Deno.errors.NotConnected)) throw error;
    }
  }
  // Whoever is still being served may finish.
  Promise.all(jobs).then(() => conns.forEach(close));
}

/** Handles one client. */
async function run(
  conn: Deno.TcpConn,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  try {
    await handle(conn);
  } catch (error) {
    console.error("handler:", error);
  }
}

/** Closes a connection that may be closed already. */
function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) console.error(error);
  }
}

/** Tries one candidate after the other. */
export async function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const failures: Error[] = [];
  for (const candidate of candidates) {
    try {
      return await connectWithin(candidate.hostname, candidate.port, timeoutMs);
    } catch (error) {
      failures.push(error as Error);
    }
  }
  throw new AggregateError(failures, failures.map((failure) => failure.message).join("; "));
}

/** All connections of a host. */
export class ConnectionTable {
  readonly #connections = new Set<Deno.TcpConn>();

  add(conn: Deno.TcpConn): void {
    this.#connections.add(conn);
  }

  find(wanted: FiveTuple): Deno.TcpConn | undefined {
    for (const conn of this.#connections) {
      const tuple = fiveTuple(conn);
      if (
        tuple.protocol === wanted.protocol &&
        tuple.localAddress === wanted.localAddress &&
        tuple.localPort === wanted.localPort &&
        tuple.remoteAddress === wanted.remoteAddress &&
        tuple.remotePort === wanted.remotePort
      ) {
        return conn;
      }
    }
    return undefined;
  }

  delete(conn: Deno.TcpConn): boolean {
    return this.#connections.delete(conn);
  }

  get size(): number {
    return this.#connections.size;
  }
}
