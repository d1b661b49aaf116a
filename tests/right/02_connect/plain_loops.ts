// Valid: plain loops and early returns, everything written out, each function on its own.

export type FiveTuple = {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
};

export async function connectTo(hostname: string, port: number): Promise<Deno.TcpConn> {
  let name = hostname + ":" + port;
  if (hostname.indexOf(":") >= 0) name = "[" + hostname + "]:" + port;
  try {
    return await Deno.connect({ hostname: hostname, port: port });
  } catch (e) {
    if (e instanceof Deno.errors.ConnectionRefused) {
      throw new Deno.errors.ConnectionRefused("nobody listens on " + name, { cause: e });
    }
    if (e instanceof Deno.errors.ConnectionReset) {
      throw new Deno.errors.ConnectionReset("reset by " + name, { cause: e });
    }
    if (e instanceof Deno.errors.TimedOut) {
      throw new Deno.errors.TimedOut("no answer from " + name, { cause: e });
    }
    if (e instanceof Deno.errors.NetworkUnreachable) {
      throw new Deno.errors.NetworkUnreachable("no way to " + name, { cause: e });
    }
    if (e instanceof Deno.errors.PermissionDenied) {
      throw new Deno.errors.PermissionDenied("not allowed to connect to " + name, { cause: e });
    }
    if (e instanceof Error) {
      const Other = e.constructor as ErrorConstructor;
      throw new Other(name + ": " + e.message, { cause: e });
    }
    throw e;
  }
}

export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  let name = hostname + ":" + port;
  if (hostname.indexOf(":") >= 0) name = "[" + hostname + "]:" + port;
  const abort = new AbortController();
  let timedOut = false;
  const timer = setTimeout(function () {
    timedOut = true;
    abort.abort();
  }, timeoutMs);
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname: hostname, port: port, signal: abort.signal });
  } catch (e) {
    clearTimeout(timer);
    if (timedOut) {
      throw new Deno.errors.TimedOut(name + " did not answer within " + timeoutMs + " ms");
    }
    if (e instanceof Deno.errors.ConnectionRefused) {
      throw new Deno.errors.ConnectionRefused("nobody listens on " + name, { cause: e });
    }
    if (e instanceof Error) {
      const Other = e.constructor as ErrorConstructor;
      throw new Other(name + ": " + e.message, { cause: e });
    }
    throw e;
  }
  clearTimeout(timer);
  return conn;
}

export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  const tuple: FiveTuple = {
    protocol: "tcp",
    localAddress: "",
    localPort: 0,
    remoteAddress: "",
    remotePort: 0,
  };
  tuple.localAddress = conn.localAddr.hostname;
  tuple.localPort = conn.localAddr.port;
  tuple.remoteAddress = conn.remoteAddr.hostname;
  tuple.remotePort = conn.remoteAddr.port;
  return tuple;
}

export async function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  async function one(conn: Deno.TcpConn) {
    try {
      await handle(conn);
    } catch (e) {
      console.log("handler: " + e);
    }
    try {
      conn.close();
    } catch {
      return;
    }
  }

  while (true) {
    let conn: Deno.TcpConn | null = null;
    try {
      conn = await listener.accept();
    } catch (e) {
      if (e instanceof Deno.errors.BadResource) return;
      if (!(e instanceof Deno.errors.NotConnected)) throw e;
    }
    if (conn === null) continue;
    one(conn);
  }
}

export async function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const failures: unknown[] = new Array(candidates.length);
  let i = 0;
  while (i < candidates.length) {
    try {
      const conn = await connectWithin(candidates[i]!.hostname, candidates[i]!.port, timeoutMs);
      return conn;
    } catch (e) {
      failures[i] = e;
    }
    i++;
  }
  throw new AggregateError(failures, i + " candidates, none of which answered");
}

function same(a: FiveTuple, b: FiveTuple): boolean {
  if (a.protocol !== b.protocol) return false;
  if (a.localAddress !== b.localAddress) return false;
  if (a.localPort !== b.localPort) return false;
  if (a.remoteAddress !== b.remoteAddress) return false;
  return a.remotePort === b.remotePort;
}

export class ConnectionTable {
  connections: Deno.TcpConn[] = [];

  add(conn: Deno.TcpConn): void {
    for (const known of this.connections) {
      if (known === conn) return;
    }
    this.connections.push(conn);
  }

  find(tuple: FiveTuple): Deno.TcpConn | undefined {
    for (const conn of this.connections) {
      if (same(fiveTuple(conn), tuple)) return conn;
    }
    return undefined;
  }

  delete(conn: Deno.TcpConn): boolean {
    for (let i = 0; i < this.connections.length; i++) {
      if (this.connections[i] !== conn) continue;
      this.connections.splice(i, 1);
      return true;
    }
    return false;
  }

  get size(): number {
    return this.connections.length;
  }
}
