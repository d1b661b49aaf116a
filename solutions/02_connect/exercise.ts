/**
 * Lesson 2, solved: a connection is made and accepted.
 *
 * Why it has this shape: a connection has two ends, and the other one belongs to somebody else. It
 * may refuse, stay silent, leave before it is accepted, or never say a word. So everything here that
 * waits can be ended, every error says whom it was about, and the accept loop waits for nothing but
 * the next client. Whoever opens a connection and does not hand it on closes it.
 *
 * @module
 */

/** The five parts that identify a connection, seen from one of its two ends. */
export interface FiveTuple {
  protocol: "tcp";
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/**
 * Connects to `hostname` and `port` over TCP, IPv4 or IPv6. The caller closes the connection.
 *
 * Rejects with an error of the class that Deno gave (`Deno.errors.ConnectionRefused`, …), with the
 * address in its message, `127.0.0.1:8080` or `[::1]:8080`, and the original error as its `cause`.
 */
export function connectTo(hostname: string, port: number): Promise<Deno.TcpConn> {
  return dial(hostname, port);
}

/**
 * The same, but gives up after `timeoutMs` milliseconds.
 *
 * Rejects with `Deno.errors.TimedOut` then, whose message names the address and the milliseconds.
 * Any other failure, such as a refusal, surfaces at once as in `connectTo()`.
 * Afterwards nothing goes on in the background: no attempt to connect, and no timer of yours.
 */
export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  // The classic mistake avoided: Promise.race() with a timer stops the waiting, not the attempt, and
  // its connection comes later, with nobody there to close it. The signal ends the attempt itself,
  // and its own timer keeps no program alive.
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await dial(hostname, port, signal);
  } catch (error) {
    if (error !== signal.reason) throw error;
    // How the waiting was ended is nobody's business; that it took too long is.
    const address = formatEndpoint(hostname, port);
    throw new Deno.errors.TimedOut(`No answer from ${address} within ${timeoutMs} ms`, {
      cause: error,
    });
  }
}

/** Connects; an error of the kernel is told with the address, an abort by `signal` comes as it is. */
async function dial(hostname: string, port: number, signal?: AbortSignal): Promise<Deno.TcpConn> {
  try {
    // No local port is asked for: the OS picks an ephemeral one, as it does for every client.
    return await Deno.connect({ hostname, port, signal });
  } catch (error) {
    if (error === signal?.reason || !(error instanceof Error)) throw error;
    // The same class again, whichever it is: the caller asks `instanceof`, a person reads the message.
    const SameClass = error.constructor as ErrorConstructor;
    const address = formatEndpoint(hostname, port);
    throw new SameClass(`Cannot connect to ${address}: ${error.message}`, { cause: error });
  }
}

/** `127.0.0.1:8080` or `[::1]:8080`. */
function formatEndpoint(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * Tells the five parts of a connection, as this end sees them. Returns at once.
 *
 * The other end sees the same, mirrored: its local is this end's remote.
 */
export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  // getsockname(2) and getpeername(2) of the C lecture. The local port of a client is not one that
  // it asked for, and the remote port of a server's connection is not the one that it listens on.
  const { localAddr, remoteAddr } = conn;
  return {
    protocol: "tcp",
    localAddress: localAddr.hostname,
    localPort: localAddr.port,
    remoteAddress: remoteAddr.hostname,
    remotePort: remoteAddr.port,
  };
}

/**
 * Accepts clients for as long as `listener` is open, and calls `handle` for each of them at once.
 *
 * - Clients are independent: one whose handler waits, throws (at once or later) or never ends holds
 *   up nobody, and neither does a client that is gone before it was accepted (`accept()` throws
 *   `Deno.errors.NotConnected` then).
 * - Every connection is closed when its handler has ended, however it ended; a handler may have
 *   closed it already.
 * - Resolves when the listener is closed, without waiting for handlers that still run: they keep
 *   their connection until they end.
 */
export async function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  // Not `for await`: it would end at the first error of accept(), and cannot be told which to skip.
  while (true) {
    let conn: Deno.TcpConn;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (isGoneClient(error)) continue;
      // The listener was closed: that is how a server is told to stop, and no failure.
      if (error instanceof Deno.errors.BadResource) return;
      throw error;
    }
    // The classic mistake avoided: with `await` here the next client would wait for this one to end.
    // Nothing can be lost by not waiting: serveOne() never rejects.
    serveOne(conn, handle);
  }
}

/** The client was in the queue and reset before we came to accept it. Its loss, not the server's. */
function isGoneClient(error: unknown): boolean {
  // Linux lets accept() succeed and its address be unknown; other systems call it aborted (accept(2)).
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionAborted;
}

/** Serves one client to the end. Whatever happens ends here. */
async function serveOne(
  conn: Deno.TcpConn,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  try {
    // In an async function a handler that throws at once looks like one that rejects later.
    await handle(conn);
  } catch (error) {
    console.error(`Client of port ${conn.remoteAddr.port} failed: ${error}`);
  } finally {
    closeOnce(conn);
  }
}

/** Closes a connection that somebody else may have closed before. */
function closeOnce(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // BadResource: it is closed, and that is what was wanted.
  }
}

/**
 * Tries `candidates` in their order, one after another, each for at most `timeoutMs` milliseconds.
 *
 * Resolves with the connection to the first that answers; none after it is tried, and nothing is
 * left of those before it. If all fail, or there are none, rejects with an `AggregateError` whose
 * `errors` are the causes, one for each candidate, in order.
 */
export async function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  const errors: unknown[] = [];
  for (const { hostname, port } of candidates) {
    try {
      return await connectWithin(hostname, port, timeoutMs);
    } catch (error) {
      // The classic mistake avoided: the last error alone would blame IPv4 for what IPv6 did first.
      errors.push(error);
    }
  }
  const tried = candidates.map(({ hostname, port }) => formatEndpoint(hostname, port));
  throw new AggregateError(errors, `No candidate answered: tried ${tried.join(", ") || "none"}`);
}

/**
 * Finds a connection by its five-tuple, as a TCP host does for every segment that arrives.
 *
 * Two connections are the same only if all five parts are: many clients share one host, and all
 * clients of a server share its port.
 */
export class ConnectionTable {
  readonly #connections = new Map<string, Deno.TcpConn>();

  /** Puts a connection into the table. The same one twice counts once. */
  add(conn: Deno.TcpConn): void {
    this.#connections.set(keyOf(fiveTuple(conn)), conn);
  }

  /** The connection with exactly these five parts, or `undefined`. */
  find(tuple: FiveTuple): Deno.TcpConn | undefined {
    return this.#connections.get(keyOf(tuple));
  }

  /** Takes a connection out, also one that is closed. Tells whether it was in the table. */
  delete(conn: Deno.TcpConn): boolean {
    // A closed connection still knows its addresses. But its ports may be in use again, by a new
    // connection with the same five parts, and that one has to stay.
    const key = keyOf(fiveTuple(conn));
    return this.#connections.get(key) === conn && this.#connections.delete(key);
  }

  /** How many connections are in the table. */
  get size(): number {
    return this.#connections.size;
  }
}

/** All five parts, as text: a Map compares objects by identity, and texts by what is in them. */
function keyOf({ protocol, localAddress, localPort, remoteAddress, remotePort }: FiveTuple) {
  // The classic mistake avoided: the remote address alone makes one client of a whole classroom.
  return `${protocol} ${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
