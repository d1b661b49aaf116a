// Fails task 6: key-remote-port-only — the peer's address and port are taken for enough, as a server may get away with.

export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

type Handler = (conn: Deno.TcpConn) => Promise<void>;
type Candidate = { hostname: string; port: number };

const at = ({ hostname, port }: Candidate) =>
  hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;

export const connectTo = async (hostname: string, port: number): Promise<Deno.TcpConn> => {
  try {
    return await Deno.connect({ hostname, port });
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const Kind = cause.constructor as ErrorConstructor;
    throw new Kind(`connect ${at({ hostname, port })}: ${cause.message}`, { cause });
  }
};

export const connectWithin = async (
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> => {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await Deno.connect({ hostname, port, signal });
  } catch (cause) {
    const address = at({ hostname, port });
    if (cause === signal.reason) {
      throw new Deno.errors.TimedOut(`connect ${address}: no answer in ${timeoutMs} ms`, { cause });
    }
    if (!(cause instanceof Error)) throw cause;
    const Kind = cause.constructor as ErrorConstructor;
    throw new Kind(`connect ${address}: ${cause.message}`, { cause });
  }
};

export const fiveTuple = ({ localAddr, remoteAddr }: Deno.TcpConn): FiveTuple => ({
  protocol: "tcp",
  localAddress: localAddr.hostname,
  localPort: localAddr.port,
  remoteAddress: remoteAddr.hostname,
  remotePort: remoteAddr.port,
});

export const serveClients = async (listener: Deno.TcpListener, handle: Handler): Promise<void> => {
  const serve = async (conn: Deno.TcpConn) => {
    // Disposing of a connection that is closed already is fine.
    using _ = conn;
    try {
      await handle(conn);
    } catch (error) {
      console.warn(error);
    }
  };
  for (;;) {
    try {
      serve(await listener.accept());
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) return;
      if (!(error instanceof Deno.errors.NotConnected)) throw error;
    }
  }
};

export const connectFirst = async (
  candidates: Candidate[],
  timeoutMs: number,
): Promise<Deno.TcpConn> => {
  const causes: unknown[] = [];
  for (const { hostname, port } of candidates) {
    try {
      return await connectWithin(hostname, port, timeoutMs);
    } catch (error) {
      causes.push(error);
    }
  }
  throw new AggregateError(causes, `nobody answered at ${candidates.map(at).join(", ")}`);
};

const keyOf = (t: FiveTuple) => `${t.protocol} ${t.remoteAddress} ${t.remotePort}`;

export class ConnectionTable {
  #byKey = new Map<string, Deno.TcpConn>();

  add = (conn: Deno.TcpConn): void => void this.#byKey.set(keyOf(fiveTuple(conn)), conn);
  find = (tuple: FiveTuple): Deno.TcpConn | undefined => this.#byKey.get(keyOf(tuple));
  delete = (conn: Deno.TcpConn): boolean => this.#byKey.delete(keyOf(fiveTuple(conn)));

  get size(): number {
    return this.#byKey.size;
  }
}
