/**
 * Lesson 4: the connection ends, the port is given back.
 *
 * `close()` and `shutdown()` of the C lecture are `close()` and `closeWrite()` of a connection,
 * `signal(SIGTERM, cleanExit)` is `Deno.addSignalListener()`.
 *
 * Fill in the six functions below. Grade them with `deno task lesson4`, one task alone with
 * `deno task lesson4 --task 1`. The lesson is in README.md (README.ko.md) beside this file.
 *
 * @module
 */

/**
 * Sends `request` to a server, half-closes, and returns all that the server sends until its end.
 *
 * The connection is closed on every path. A refusal, a reset or any other error of Deno surfaces as it
 * is: a part of the reply is never taken for the reply.
 */
export function requestReply(
  hostname: string,
  port: number,
  request: Uint8Array,
): Promise<Uint8Array> {
  // TODO(task 1): "I have sent everything" is one call, "I want no more of this" is another.
  throw new Error(
    `Not implemented: requestReply() of ${request.length} bytes to ${hostname}:${port}`,
  );
}

/**
 * Reads everything until the client half-closes, calls `makeReply` once with it, sends the whole
 * reply, and closes.
 *
 * Closes also when something fails; the error surfaces, that of `makeReply` too.
 */
export function answerAfterEnd(
  conn: Deno.Conn,
  makeReply: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  // TODO(task 2): the client has half-closed; your direction is still open. See that it stays so.
  throw new Error(
    `Not implemented: answerAfterEnd() with ${makeReply.name || "makeReply"}, ${name(conn)}`,
  );
}

/** A server that runs. */
export interface Server {
  /** Where it listens. */
  readonly addr: Deno.NetAddr;
  /** Ends it, letting requests in flight finish for at most `graceMs` milliseconds. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a server on 127.0.0.1, on a port that the OS chooses, and returns at once.
 *
 * A request is a line ended by LF (a CR before it is dropped), its reply what `handle` makes of it and
 * an LF. A connection carries any number of requests, answered in order; clients are served side by
 * side. One that has half-closed gets its replies, and is closed then. If `handle` fails, that client's
 * connection is closed, and nobody else is harmed.
 *
 * `stop(graceMs)` accepts nobody new, closes idle connections at once, lets a request in flight (it is
 * with `handle`, or its reply is being written) be answered and then closes its connection; what is
 * not done after `graceMs` is closed by force. It resolves when all is released and the port can be
 * bound again, and no timer is left then. Called twice it is once.
 */
export function startServer(handle: (line: string) => string | Promise<string>): Server {
  // TODO(task 3): at any moment, know which clients wait for you, and which you wait for.
  throw new Error(`Not implemented: startServer() with ${handle.name || "handle"}`);
}

/**
 * Carries bytes between two connections, both ways at the same time.
 *
 * The end of one direction is handed on as a half-close while the other goes on; at the end both are
 * closed. A reset of one closes both; it may reject with that error or resolve. Otherwise it resolves to
 * the bytes carried each way.
 */
export function relay(
  a: Deno.Conn,
  b: Deno.Conn,
): Promise<{ aToB: number; bToA: number }> {
  // TODO(task 4): two directions, two ends. Neither waits for the other.
  throw new Error(`Not implemented: relay() between ${name(a)} and ${name(b)}`);
}

/** How the sending ended. */
export interface SendResult {
  /** Bytes that the kernel took. */
  sent: number;
  reason: "finished" | "gone";
}

/**
 * Sends chunk after chunk, each whole, taking the next only when the one before is written.
 *
 * A peer that has left (`BrokenPipe`, `ConnectionReset`, `ConnectionAborted`, `NotConnected`) is a normal
 * ending: it resolves with "gone", takes no more chunks and ends their iterator. Any other error
 * surfaces. The connection is closed on every path.
 */
export function sendUntilGone(
  conn: Deno.Conn,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SendResult> {
  // TODO(task 5): which errors mean that the peer has left? And who else can throw in that loop?
  throw new Error(`Not implemented: sendUntilGone() of ${typeof chunks}, ${name(conn)}`);
}

/**
 * The program: a server that answers each line in upper case until it is told to end.
 *
 * Prints `Listening on 127.0.0.1:PORT`, one line, once `startServer()` listens. SIGINT or SIGTERM is
 * `stop(10_000)`: requests in flight are answered, and it ends with status 0; a second signal, either of
 * the two, ends it at once, with status 130.
 */
export function main(): Promise<void> {
  // TODO(task 6): Deno.addSignalListener() hears the signal; what happens next is up to you.
  throw new Error("Not implemented: main()");
}

/** Tells which connection a message is about. */
function name(conn: Deno.Conn): string {
  return conn.remoteAddr.transport;
}

// Run as a program, this file serves until it gets a signal.
if (import.meta.main) await main();
