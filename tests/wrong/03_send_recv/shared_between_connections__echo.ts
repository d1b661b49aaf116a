// Fails task 5: shared-between-connections — reads for all connections into one buffer, also while a part of it is not yet written.

const READ_BYTES = 64 * 1024;

const MAX_DATAGRAM_BYTES = 65_507;

const lastWrites = new WeakMap<Deno.Conn, Promise<void>>();

export function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  const before = lastWrites.get(conn) ?? Promise.resolve();
  const write = before.then(() => writeInTurn(conn, data));
  lastWrites.set(conn, write.catch(() => {}));
  return write;
}

async function writeInTurn(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  let sent = 0;
  while (sent < data.length) {
    sent += await conn.write(data.subarray(sent));
  }
}

export async function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(n);
  const came = await fill(conn, bytes);
  if (came < n) {
    throw new Deno.errors.UnexpectedEof(`The stream ended early: ${came} of ${n} bytes came`);
  }
  return bytes;
}

async function fill(conn: Deno.Conn, bytes: Uint8Array): Promise<number> {
  let came = 0;
  while (came < bytes.length) {
    const count = await conn.read(bytes.subarray(came));
    if (count === null) break;
    came += count;
  }
  return came;
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, 4);
  return frame;
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const header = new Uint8Array(4);
  const came = await fill(conn, header);
  if (came === 0) return null;
  if (came < header.length) {
    throw new Deno.errors.UnexpectedEof(
      `The stream ended inside a length: ${came} of 4 bytes came`,
    );
  }
  const length = new DataView(header.buffer).getUint32(0);
  if (length > maxBytes) {
    throw new RangeError(
      `Cannot read frame: limit is ${maxBytes} bytes, announced length is ${length}`,
    );
  }
  return await readExactly(conn, length);
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const buffer = new Uint8Array(READ_BYTES);
  let pieces: Uint8Array[] = [];
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    let start = 0;
    const chunk = buffer.subarray(0, n);
    for (let end; (end = chunk.indexOf(LF, start)) >= 0; start = end + 1) {
      const line = join([...pieces, chunk.subarray(start, end)]);
      pieces = [];
      yield decodeLine(line.at(-1) === CR ? line.subarray(0, -1) : line);
    }
    if (start < n) pieces.push(chunk.slice(start));
  }
  if (pieces.length > 0) yield decodeLine(join(pieces));
}

const LF = 0x0a;
const CR = 0x0d;

function decodeLine(line: Uint8Array): string {
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

const buffer = new Uint8Array(READ_BYTES);
export async function echo(conn: Deno.Conn): Promise<number> {
  using _closing = conn;
  let total = 0;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    await writeAll(conn, buffer.subarray(0, n));
    total += n;
  }
  return total;
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  const buffer = new Uint8Array(MAX_DATAGRAM_BYTES);
  try {
    while (true) {
      const [datagram, from] = await socket.receive(buffer);
      await socket.send(datagram, from);
    }
  } catch (error) {
    if (!isClosed(error)) throw error;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}

const receives = new WeakMap<Deno.DatagramConn, Promise<[Uint8Array, Deno.Addr]>>();

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    await socket.send(payload, { transport: "udp", ...to });
    const answer = await answerWithin(socket, to, payload, timeoutMs);
    if (answer) return answer;
  }
  const address = to.hostname.includes(":") ? `[${to.hostname}]` : to.hostname;
  throw new Deno.errors.TimedOut(
    `No answer from ${address}:${to.port}: ${attempts} attempts of ${timeoutMs} ms`,
  );
}

async function answerWithin(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  request: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array | null> {
  const timeout = Promise.withResolvers<null>();
  const timer = setTimeout(timeout.resolve, timeoutMs, null);
  try {
    while (true) {
      const receiving = receiveOf(socket);
      const received = await Promise.race([receiving, timeout.promise]);
      if (received === null) return null;
      if (receives.get(socket) === receiving) receives.delete(socket);
      const [datagram, from] = received;
      if (isFrom(from, to) && hasNumberOf(datagram, request)) return datagram;
    }
  } finally {
    clearTimeout(timer);
  }
}

function receiveOf(socket: Deno.DatagramConn): Promise<[Uint8Array, Deno.Addr]> {
  let receiving = receives.get(socket);
  if (!receiving) {
    receiving = socket.receive(new Uint8Array(MAX_DATAGRAM_BYTES));
    receives.set(socket, receiving);
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
