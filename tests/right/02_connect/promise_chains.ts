// Valid: promise chains, no async functions.

export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

type Handler = (conn: Deno.TcpConn) => Promise<void>;

const address = (hostname: string, port: number) =>
  `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;

function attempt(hostname: string, port: number, signal?: AbortSignal): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname, port, ...(signal && { signal }) });
}

function naming(hostname: string, port: number): (error: Error) => never {
  return (cause) => {
    const Same = cause.constructor as ErrorConstructor;
    throw new Same(`${address(hostname, port)}: ${cause.message}`, { cause });
  };
}

export function connectTo(hostname: string, port: number): Promise<Deno.TcpConn> {
  return attempt(hostname, port).catch(naming(hostname, port));
}

export function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const signal = AbortSignal.timeout(timeoutMs);
  return attempt(hostname, port, signal).catch((error) => {
    if (error !== signal.reason) return naming(hostname, port)(error);
    throw new Deno.errors.TimedOut(`${address(hostname, port)}: silent for ${timeoutMs} ms`);
  });
}

export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  return Object.freeze({
    remotePort: conn.remoteAddr.port,
    remoteAddress: conn.remoteAddr.hostname,
    localPort: conn.localAddr.port,
    localAddress: conn.localAddr.hostname,
    protocol: "tcp",
  });
}

export function serveClients(listener: Deno.TcpListener, handle: Handler): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (): void =>
      void listener.accept().then((conn) => {
        serve(conn, handle);
        next();
      }, (error) => {
        if (error instanceof Deno.errors.NotConnected) next();
        else if (error instanceof Deno.errors.BadResource) resolve();
        else reject(error);
      });
    next();
  });
}

function serve(conn: Deno.TcpConn, handle: Handler): void {
  Promise.try(handle, conn)
    .catch((error) => console.error(error))
    .then(() => conn.close())
    .catch(() => {});
}

export function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const errors: Error[] = [];
  return candidates.reduce(
    (tried, { hostname, port }) =>
      tried.catch((error) => {
        errors.push(error);
        return connectWithin(hostname, port, timeoutMs);
      }),
    Promise.reject<Deno.TcpConn>(new Error("Before the first")),
  ).catch((error) => {
    // The first of them is what started the chain.
    throw new AggregateError([...errors, error].slice(1), "All candidates failed");
  });
}

export class ConnectionTable {
  private byTuple: Record<string, Deno.TcpConn> = {};

  add(conn: Deno.TcpConn) {
    this.byTuple[this.key(fiveTuple(conn))] = conn;
  }

  find(tuple: FiveTuple) {
    return this.byTuple[this.key(tuple)];
  }

  delete(conn: Deno.TcpConn) {
    const key = this.key(fiveTuple(conn));
    return key in this.byTuple && delete this.byTuple[key];
  }

  get size() {
    return Object.keys(this.byTuple).length;
  }

  private key({ protocol, localAddress, localPort, remoteAddress, remotePort }: FiveTuple) {
    return [protocol, localAddress, localPort, remoteAddress, remotePort].join();
  }
}
