// Fails task 4: unhandled-handler-rejection — handles the good end of a handler and not the bad one.

export type FiveTuple = {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
};

function hostPort(host: string, port: number) {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** A handler for catch(): the same error again, with the address in front. */
function addAddress(host: string, port: number) {
  return (e: Error): never => {
    const Again = e.constructor as ErrorConstructor;
    throw new Again(`${hostPort(host, port)} ${e.message}`, { cause: e });
  };
}

// 1
export function connectTo(host: string, port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: host, port }).catch(addAddress(host, port));
}

// 2
export function connectWithin(host: string, port: number, ms: number): Promise<Deno.TcpConn> {
  const abort = new AbortController();
  const timer = setTimeout(
    () => abort.abort(new Deno.errors.TimedOut(`gave up after ${ms} ms`)),
    ms,
  );
  return Deno.connect({ hostname: host, port, signal: abort.signal })
    .catch(addAddress(host, port))
    .finally(() => clearTimeout(timer));
}

// 3
export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  const local = conn.localAddr;
  const remote = conn.remoteAddr;
  return {
    protocol: "tcp",
    localAddress: local.hostname,
    localPort: local.port,
    remoteAddress: remote.hostname,
    remotePort: remote.port,
  };
}

// 4
function closeQuietly(conn: Deno.TcpConn) {
  try {
    conn.close();
  } catch {
    // was closed
  }
}

export function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  const next = (): Promise<void> =>
    listener.accept().then((conn) => {
      Promise.resolve(conn).then(handle).finally(() => closeQuietly(conn));
      return next();
    }, (e) => {
      if (e instanceof Deno.errors.NotConnected) return next();
      if (e instanceof Deno.errors.BadResource) return;
      throw e;
    });
  return next();
}

// 5
export function connectFirst(
  candidates: { hostname: string; port: number }[],
  ms: number,
  errors: unknown[] = [],
): Promise<Deno.TcpConn> {
  const [first, ...rest] = candidates;
  if (!first) return Promise.reject(new AggregateError(errors, "no candidate answered"));
  return connectWithin(first.hostname, first.port, ms)
    .catch((e) => connectFirst(rest, ms, [...errors, e]));
}

// 6
export class ConnectionTable {
  #conns: Deno.TcpConn[] = [];

  add(conn: Deno.TcpConn) {
    if (!this.#conns.includes(conn)) this.#conns.push(conn);
  }

  find(tuple: FiveTuple) {
    const wanted = Object.entries(tuple);
    return this.#conns.find((conn) => {
      const own: Record<string, unknown> = fiveTuple(conn);
      return wanted.every(([name, value]) => own[name] === value);
    });
  }

  delete(conn: Deno.TcpConn) {
    const i = this.#conns.indexOf(conn);
    if (i >= 0) this.#conns.splice(i, 1);
    return i >= 0;
  }

  get size() {
    return this.#conns.length;
  }
}
