/**
 * Lesson 3: bytes go and come.
 *
 * `send()` and `recv()` of the C lecture are `write()` and `read()` of a connection, `sendto()` and
 * `recvfrom()` are `send()` and `receive()` of a datagram socket. A stream keeps the order of its bytes
 * but no boundaries; a datagram keeps its boundaries and promises nothing.
 *
 * Fill in the eight functions below. Grade them with `deno task lesson3`, one task alone with
 * `deno task lesson3 --task 1`. The lesson is in README.md (README.ko.md) beside this file.
 *
 * @module
 */

/**
 * Sends every byte of `data`, in order, however few of them `write()` takes at a time.
 *
 * - Several calls at the same time on one connection do not mix their bytes: the second begins when
 *   the first is done, also when the first failed.
 * - `data` is not changed, and the connection stays open.
 * - Rejects with the connection's error if there is one.
 */
export function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  // TODO(task 1): write() tells how many bytes it took. And who else may be writing meanwhile?
  throw new Error(`Not implemented: writeAll() of ${data.length} bytes, ${name(conn)}`);
}

/**
 * Reads exactly `n` bytes. What comes after them stays in the stream, for whoever reads next.
 *
 * The array belongs to the caller: no later call changes it. With `n` = 0 it is empty, at once.
 *
 * Rejects with `Deno.errors.UnexpectedEof` if the stream ends first; the message says how many bytes
 * came and how many were wanted, as in `3 of 5 bytes`. The connection stays open.
 */
export function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  // TODO(task 2): read() gives what has arrived, not what you asked for; null is the end.
  throw new Error(`Not implemented: readExactly() of ${n} bytes, ${name(conn)}`);
}

/**
 * Makes a frame: the length of `payload` as 32 bits, most significant byte first ("network byte
 * order", RFC 791, appendix B), then the payload itself. The length counts the payload only.
 *
 * `payload` may be a part of a larger buffer.
 */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  // TODO(task 3): four bytes more than the payload; a DataView writes the length.
  throw new Error(`Not implemented: encodeFrame() of ${payload.length} bytes`);
}

/**
 * Reads the next frame and gives its payload, in an array that belongs to the caller.
 *
 * - An empty frame is a frame: an empty array.
 * - `null` only if the stream ends between two frames, or before the first.
 * - `Deno.errors.UnexpectedEof` if it ends inside a frame, be it in the length or in the payload.
 * - `RangeError` if the announced length, an unsigned number, is greater than `maxBytes`, before memory
 *   is taken for it; the message has the announced length and the limit. Exactly `maxBytes` is fine.
 * - The connection stays open, whatever happens.
 */
export function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  // TODO(task 3): the length is a stranger's number: what do you check before you believe it?
  throw new Error(`Not implemented: readFrame() of at most ${maxBytes} bytes, ${name(conn)}`);
}

/**
 * Reads lines of UTF-8 text, without the LF or CRLF that ends them.
 *
 * - A line is yielded as soon as its LF is there, and what came after it is kept for the next line.
 * - CR and LF, and the bytes of one character, may come in different reads.
 * - A CR that is not right before a LF belongs to the line. Empty lines are lines.
 * - A last line without newline is yielded; after a final newline there is nothing.
 * - A caller that stops in the middle finds the connection open.
 * - Invalid UTF-8 becomes U+FFFD. A byte order mark is kept.
 * - The connection stays open for the caller; at the end of the stream you may close it.
 */
export function readLines(conn: Deno.Conn): AsyncGenerator<string> {
  // TODO(task 4): make it an `async function*`. Which comes first, cutting at LFs or decoding?
  throw new Error(`Not implemented: readLines(), ${name(conn)}`);
}

/**
 * Sends every byte back until the peer half-closes, then closes the connection.
 *
 * Resolves with the number of bytes. It answers as it reads, not at the end, and its memory stays flat:
 * it does not read on while what it read is not yet written. Any bytes come back, not only text.
 *
 * On an error, such as a reset, it closes the connection too, and rejects.
 */
export function echo(conn: Deno.Conn): Promise<number> {
  // TODO(task 5): read, write what was read, and again; you have a function that writes it all.
  throw new Error(`Not implemented: echo(), ${name(conn)}`);
}

/**
 * Sends every datagram back to whoever sent it, empty ones too, up to 65,507 bytes.
 *
 * Resolves when the socket is closed.
 */
export function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  // TODO(task 6): receive() gives a datagram and its sender; what does a closed socket throw?
  throw new Error(`Not implemented: udpEcho() over ${socket.addr.transport}`);
}

/**
 * Sends a request and waits for its answer; `payload` has at least two bytes, its number.
 *
 * - Waits `timeoutMs` milliseconds, then sends again, `attempts` times in all, and then rejects with
 *   `Deno.errors.TimedOut`, with the address in its message: `127.0.0.1:8080` or `[::1]:8080`.
 * - An answer comes from exactly `to`, an IP address and a port, and begins with the same two bytes as
 *   the request, as in DNS (RFC 1035, section 4.1.1). Whatever else comes does not lengthen the wait.
 * - No timer is left behind, and never a second `receive()`: one cannot be cancelled, and two at once
 *   complete in reverse order. The one that was begun serves the next attempt, and the next call.
 * - The socket stays open. If it is closed during the wait, rejects.
 */
export function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  // TODO(task 6): a receive() that got no answer in time is still waiting; where do you keep it?
  const what = `${payload.length} bytes to ${to.hostname}:${to.port}`;
  const wait = `${attempts} attempts of ${timeoutMs} ms over ${socket.addr.transport}`;
  throw new Error(`Not implemented: udpRequest() of ${what}, ${wait}`);
}

/** Names the connection in the messages above, and goes when they are gone. */
function name(conn: Deno.Conn): string {
  return `${conn.remoteAddr.transport} connection`;
}
