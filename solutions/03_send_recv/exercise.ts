/**
 * Lesson 3, solved: bytes go and come.
 *
 * Why it has this shape: a stream keeps the order of its bytes and nothing else, so whoever wants
 * more than bytes, that is messages, lines, numbers, has to count or look for a mark. Everything here
 * that reads is therefore a loop which ends when *it* has enough, not when one read() returns. A
 * datagram keeps its boundaries and promises nothing: it may be lost, come late, or be somebody else's.
 *
 * @module
 */

/** One read takes at most this much; memory stays flat however long the stream is. */
const READ_BYTES = 64 * 1024;

/** The largest payload of a UDP datagram over IPv4: 65,535 less 20 of IP and 8 of UDP header. */
const MAX_DATAGRAM_BYTES = 65_507;

/** The last write of each connection: the next one begins when it has ended. */
const lastWrites = new WeakMap<Deno.Conn, Promise<void>>();

/**
 * Sends every byte of `data`, in order, however few of them `write()` takes at a time.
 *
 * - Several calls at the same time on one connection do not mix their bytes: the second begins when
 *   the first is done, also when the first failed.
 * - `data` is not changed, and the connection stays open.
 * - Rejects with the connection's error if there is one.
 */
export function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  // While one write waits for room in the send buffer, another caller could slip its bytes between
  // the halves of ours. So callers stand in a queue, one for each connection.
  const before = lastWrites.get(conn) ?? Promise.resolve();
  const write = before.then(() => writeInTurn(conn, data));
  // Whoever is next waits for the end of this write; its error is for our caller alone.
  lastWrites.set(conn, write.catch(() => {}));
  return write;
}

async function writeInTurn(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  let sent = 0;
  while (sent < data.length) {
    // The classic mistake avoided: write() tells how many bytes it took, and it may be fewer than given.
    sent += await conn.write(data.subarray(sent));
  }
}

/**
 * Reads exactly `n` bytes. What comes after them stays in the stream, for whoever reads next.
 *
 * The array belongs to the caller: no later call changes it. With `n` = 0 it is empty, at once.
 *
 * Rejects with `Deno.errors.UnexpectedEof` if the stream ends first; the message says how many bytes
 * came and how many were wanted, as in `3 of 5 bytes`. The connection stays open.
 */
export async function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(n);
  const came = await fill(conn, bytes);
  if (came < n) {
    throw new Deno.errors.UnexpectedEof(`The stream ended early: ${came} of ${n} bytes came`);
  }
  return bytes;
}

/** Fills `bytes` from the stream, and tells how many came: fewer only if the stream ended. */
async function fill(conn: Deno.Conn, bytes: Uint8Array): Promise<number> {
  let came = 0;
  while (came < bytes.length) {
    // The classic mistake avoided: one read() gives what has arrived, not what was asked for. And as
    // there is room for the missing bytes only, none beyond them can be taken by accident.
    const count = await conn.read(bytes.subarray(came));
    if (count === null) break;
    came += count;
  }
  return came;
}

/**
 * Makes a frame: the length of `payload` as 32 bits, most significant byte first ("network byte
 * order", RFC 791, appendix B), then the payload itself. The length counts the payload only.
 *
 * `payload` may be a part of a larger buffer.
 */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + payload.length);
  // A DataView is big-endian unless told otherwise. The array is ours and whole, so is its buffer.
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, 4);
  return frame;
}

/**
 * Reads the next frame and gives its payload, in an array that belongs to the caller.
 *
 * - An empty frame is a frame: an empty array.
 * - `null` only if the stream ends between two frames, or before the first.
 * - `Deno.errors.UnexpectedEof` if it ends inside a frame, be it in the length or in the payload.
 * - `RangeError` if the announced length, an unsigned number, is greater than `maxBytes`, before memory
 *   is taken for it; the message has the announced length and the limit. Exactly `maxBytes` is fine.
 */
export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const header = new Uint8Array(4);
  const came = await fill(conn, header);
  // Nothing at all is the end; one byte of a length is a promise that was broken.
  if (came === 0) return null;
  if (came < header.length) {
    throw new Deno.errors.UnexpectedEof(
      `The stream ended inside a length: ${came} of 4 bytes came`,
    );
  }
  // Unsigned: with `<<` a length of 2 GiB or more would be negative, and within every limit.
  const length = new DataView(header.buffer).getUint32(0);
  // The classic mistake avoided: these four bytes are a stranger's. First the limit, then the memory.
  if (length > maxBytes) {
    throw new RangeError(
      `Cannot read frame: limit is ${maxBytes} bytes, announced length is ${length}`,
    );
  }
  return await readExactly(conn, length);
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
 */
export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const buffer = new Uint8Array(READ_BYTES);
  // The start of a line whose LF has not come yet, in the pieces in which it came.
  let pieces: Uint8Array[] = [];
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    let start = 0;
    // Only the n bytes of this read: behind them the buffer still holds those of earlier reads.
    const chunk = buffer.subarray(0, n);
    for (let end; (end = chunk.indexOf(LF, start)) >= 0; start = end + 1) {
      const line = join([...pieces, chunk.subarray(start, end)]);
      pieces = [];
      yield decodeLine(line.at(-1) === CR ? line.subarray(0, -1) : line);
    }
    // A copy, since the next read writes over the buffer.
    if (start < n) pieces.push(chunk.slice(start));
  }
  if (pieces.length > 0) yield decodeLine(join(pieces));
}

const LF = 0x0a;
const CR = 0x0d;

/** Decodes a whole line, for which no decoder has to remember anything. */
function decodeLine(line: Uint8Array): string {
  // The classic mistake avoided: a character may be cut by the end of a read, but never by a LF, since
  // the byte 0x0a is in UTF-8 nothing but a LF (RFC 3629, section 1). Cut at LFs first, then decode.
  // "ignoreBOM" means: treat it as any other character, that is, keep it.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(line);
}

function join(pieces: Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(pieces.reduce((bytes, piece) => bytes + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * Sends every byte back until the peer half-closes, then closes the connection.
 *
 * Resolves with the number of bytes. It answers as it reads, not at the end, and its memory stays flat:
 * it does not read on while what it read is not yet written. Any bytes come back, not only text.
 *
 * On an error, such as a reset, it closes the connection too, and rejects.
 */
export async function echo(conn: Deno.Conn): Promise<number> {
  // `using` closes it on every way out, the one by an error included.
  using _closing = conn;
  const buffer = new Uint8Array(READ_BYTES);
  let total = 0;
  // A read that gives less than the buffer has room for is no sign of the end: null is.
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    // Waiting here is what keeps memory flat: a peer that does not read is not read from either, and
    // TCP's flow control hands that on to it (RFC 9293, section 3.8.6).
    await writeAll(conn, buffer.subarray(0, n));
    total += n;
  }
  return total;
}

/**
 * Sends every datagram back to whoever sent it, empty ones too, up to 65,507 bytes.
 *
 * Resolves when the socket is closed.
 */
export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  // The classic mistake avoided: what does not fit into the buffer is cut off, and nobody is told.
  const buffer = new Uint8Array(MAX_DATAGRAM_BYTES);
  try {
    while (true) {
      const [datagram, from] = await socket.receive(buffer);
      // Awaited, since the next receive() writes over the buffer.
      await socket.send(datagram, from);
    }
  } catch (error) {
    if (!isClosed(error)) throw error;
  }
}

/** The socket was closed: under a receive() that waited, or before the call. */
function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}

/** The receive() of each socket that was begun and whose datagram nobody has taken yet. */
const receives = new WeakMap<Deno.DatagramConn, Promise<[Uint8Array, Deno.Addr]>>();

/**
 * Sends a request and waits for its answer; `payload` has at least two bytes, its number.
 *
 * - Waits `timeoutMs` milliseconds, then sends again, `attempts` times in all, and then rejects with
 *   `Deno.errors.TimedOut`, with the address in its message: `127.0.0.1:8080` or `[::1]:8080`.
 * - An answer comes from exactly `to`, address and port, and begins with the same two bytes as the
 *   request, as in DNS (RFC 1035, section 4.1.1). What is not the answer does not lengthen the wait.
 * - No timer is left behind, and never a second `receive()`: one cannot be cancelled, and two at once
 *   complete in reverse order. The one that was begun serves the next attempt, and the next call.
 * - The socket stays open. If it is closed during the wait, rejects.
 */
export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    // That it was sent says nothing: not that it arrives, and not that anybody is there.
    await socket.send(payload, { transport: "udp", ...to });
    const answer = await answerWithin(socket, to, payload, timeoutMs);
    if (answer) return answer;
  }
  const address = to.hostname.includes(":") ? `[${to.hostname}]` : to.hostname;
  throw new Deno.errors.TimedOut(
    `No answer from ${address}:${to.port}: ${attempts} attempts of ${timeoutMs} ms`,
  );
}

/** The answer to one attempt, or `null` when its time is over. */
async function answerWithin(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  request: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array | null> {
  // One timer for the attempt, whatever else arrives meanwhile.
  const timeout = Promise.withResolvers<null>();
  const timer = setTimeout(timeout.resolve, timeoutMs, null);
  try {
    while (true) {
      const receiving = receiveOf(socket);
      const received = await Promise.race([receiving, timeout.promise]);
      if (received === null) return null;
      // Taken; unless another request on this socket was faster and has begun the next one already.
      if (receives.get(socket) === receiving) receives.delete(socket);
      const [datagram, from] = received;
      // The classic mistake avoided: a UDP socket takes from anyone, and from the right one late.
      if (isFrom(from, to) && hasNumberOf(datagram, request)) return datagram;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The `receive()` that is under way, or a new one. */
function receiveOf(socket: Deno.DatagramConn): Promise<[Uint8Array, Deno.Addr]> {
  let receiving = receives.get(socket);
  if (!receiving) {
    receiving = socket.receive(new Uint8Array(MAX_DATAGRAM_BYTES));
    receives.set(socket, receiving);
    // If the socket is closed while nobody waits, that is no error of anybody.
    receiving.catch(() => receives.delete(socket));
  }
  return receiving;
}

function isFrom(from: Deno.Addr, { hostname, port }: { hostname: string; port: number }): boolean {
  return from.transport === "udp" && from.hostname === hostname && from.port === port;
}

function hasNumberOf(datagram: Uint8Array, request: Uint8Array): boolean {
  return datagram.length >= 2 && datagram[0] === request[0] && datagram[1] === request[1];
}
