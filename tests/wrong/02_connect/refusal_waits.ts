// Fails task 2: refusal-waits — knocks again until the time is over, also where the answer was no.

export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

function where(hostname: string, port: number): string {
  if (hostname.includes(":")) {
    return "[" + hostname + "]:" + port;
  }
  return hostname + ":" + port;
}

// Task 1
export async function connectTo(hostname: string, port: number): Promise<Deno.TcpConn> {
  try {
    const conn = await Deno.connect({ hostname: hostname, port: port });
    return conn;
  } catch (err) {
    if (err instanceof Error) {
      const ErrorClass = err.constructor as ErrorConstructor;
      throw new ErrorClass(where(hostname, port) + ": " + err.message, { cause: err });
    }
    throw err;
  }
}

// Task 2
export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const target = where(hostname, port);
  const signal = AbortSignal.timeout(timeoutMs);
  while (!signal.aborted) {
    try {
      return await Deno.connect({ hostname: hostname, port: port, signal: signal });
    } catch {
      // maybe the server is still starting, try again
      await new Promise((resolve) => setTimeout(resolve, 30_000));
    }
  }
  throw new Deno.errors.TimedOut(target + " did not answer in " + timeoutMs + " ms");
}

// Task 3
export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  return {
    protocol: "tcp",
    localAddress: conn.localAddr.hostname,
    localPort: conn.localAddr.port,
    remoteAddress: conn.remoteAddr.hostname,
    remotePort: conn.remoteAddr.port,
  };
}

// Task 4
async function serveOne(
  conn: Deno.TcpConn,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  try {
    await handle(conn);
  } catch (err) {
    console.log("handler failed: " + err);
  }
  try {
    conn.close();
  } catch {
    // already closed by the handler
  }
}

export async function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  while (true) {
    let conn: Deno.TcpConn;
    try {
      conn = await listener.accept();
    } catch (err) {
      if (err instanceof Deno.errors.NotConnected) {
        continue;
      }
      if (err instanceof Deno.errors.BadResource) {
        return;
      }
      throw err;
    }
    serveOne(conn, handle);
  }
}

// Task 5
export async function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const errors = [];
  for (const candidate of candidates) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return await Deno.connect({
        hostname: candidate.hostname,
        port: candidate.port,
        signal: signal,
      });
    } catch (err) {
      const target = where(candidate.hostname, candidate.port);
      errors.push(signal.aborted ? new Deno.errors.TimedOut(target + " did not answer") : err);
    }
  }
  throw new AggregateError(errors, "could not connect to any candidate");
}

// Task 6
export class ConnectionTable {
  private table = new Map<string, Deno.TcpConn>();

  private key(t: FiveTuple): string {
    return [t.protocol, t.localAddress, t.localPort, t.remoteAddress, t.remotePort].join("|");
  }

  add(conn: Deno.TcpConn): void {
    this.table.set(this.key(fiveTuple(conn)), conn);
  }

  find(tuple: FiveTuple): Deno.TcpConn | undefined {
    return this.table.get(this.key(tuple));
  }

  delete(conn: Deno.TcpConn): boolean {
    return this.table.delete(this.key(fiveTuple(conn)));
  }

  get size(): number {
    return this.table.size;
  }
}
