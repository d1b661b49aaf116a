/**
 * Lesson 2: a connection is made and accepted.
 *
 * `Deno.connect()` is `socket()` and `connect()` of the C lecture in one call; `accept()` keeps its
 * name and is a method of the listener. Both wait for the other side, so both give a promise.
 *
 * Fill in the five functions and the class below. Grade them with `deno task lesson2`, one alone with
 * `deno task lesson2 --task 1`. The lesson is in README.md (README.ko.md) beside this file.
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
  // TODO(task 1): Deno.connect(), and a better message for whatever it throws; the class stays.
  throw new Error(`Not implemented: connectTo() to ${hostname}, port ${port}`);
}

/**
 * The same, but gives up after `timeoutMs` milliseconds.
 *
 * Rejects with `Deno.errors.TimedOut` then, whose message names the address and the milliseconds.
 * Any other failure, such as a refusal, surfaces at once as in `connectTo()`.
 * Afterwards nothing goes on in the background: no attempt to connect, and no timer of yours.
 */
export function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  // TODO(task 2): stop waiting is not enough; Deno.connect() takes a signal that ends the attempt.
  throw new Error(`Not implemented: connectWithin() to ${hostname}:${port}, ${timeoutMs} ms`);
}

/**
 * Tells the five parts of a connection, as this end sees them. Returns at once.
 *
 * The other end sees the same, mirrored: its local is this end's remote.
 */
export function fiveTuple(conn: Deno.TcpConn): FiveTuple {
  // TODO(task 3): a connection knows both its addresses; which one is the local?
  throw new Error(`Not implemented: fiveTuple() of a connection of port ${conn.localAddr.port}`);
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
export function serveClients(
  listener: Deno.TcpListener,
  handle: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  // TODO(task 4): a loop around accept(); what must it not wait for, and what must not end it?
  throw new Error(`Not implemented: serveClients() on port ${listener.addr.port}, ${handle.name}`);
}

/**
 * Tries `candidates` in their order, one after another, each for at most `timeoutMs` milliseconds.
 *
 * Resolves with the connection to the first that answers; none after it is tried, and nothing is
 * left of those before it. If all fail, or there are none, rejects with an `AggregateError` whose
 * `errors` are the causes, one for each candidate, in order.
 */
export function connectFirst(
  candidates: { hostname: string; port: number }[],
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  // TODO(task 5): a loop around connectWithin(); where do the errors on the way go?
  throw new Error(`Not implemented: connectFirst() of ${candidates.length}, ${timeoutMs} ms each`);
}

/**
 * Finds a connection by its five-tuple, as a TCP host does for every segment that arrives.
 *
 * Two connections are the same only if all five parts are: many clients share one host, and all
 * clients of a server share its port.
 */
export class ConnectionTable {
  /** Puts a connection into the table. The same one twice counts once. */
  add(conn: Deno.TcpConn): void {
    // TODO(task 6): a Map is a good table; what has to be in its key?
    throw new Error(`Not implemented: ConnectionTable.add() of port ${conn.remoteAddr.port}`);
  }

  /** The connection with exactly these five parts, or `undefined`. */
  find(tuple: FiveTuple): Deno.TcpConn | undefined {
    throw new Error(`Not implemented: ConnectionTable.find() of port ${tuple.remotePort}`);
  }

  /** Takes a connection out, also one that is closed. Tells whether it was in the table. */
  delete(conn: Deno.TcpConn): boolean {
    throw new Error(`Not implemented: ConnectionTable.delete() of port ${conn.remoteAddr.port}`);
  }

  /** How many connections are in the table. */
  get size(): number {
    throw new Error("Not implemented: ConnectionTable.size");
  }
}
