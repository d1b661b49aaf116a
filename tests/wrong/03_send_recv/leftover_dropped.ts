// Fails task 4: leftover-dropped — yields the first line of a chunk and throws away the rest of it.

/** A connection with what belongs to it. Bytes read too early wait in it for whoever reads next. */
class Wire {
  static #all = new WeakMap<Deno.Conn, Wire>();

  static of(conn: Deno.Conn): Wire {
    let wire = Wire.#all.get(conn);
    if (!wire) Wire.#all.set(conn, wire = new Wire(conn));
    return wire;
  }

  #ahead: Uint8Array = new Uint8Array(0);
  #turn: Promise<void> = Promise.resolve();

  constructor(readonly conn: Deno.Conn) {}

  /** What is there: of what was read before, or a read into `room`, but never more than its size. */
  async some(room: Uint8Array): Promise<number | null> {
    if (this.#ahead.length === 0) return await this.conn.read(room);
    const part = this.#ahead.subarray(0, room.length);
    room.set(part);
    this.#ahead = this.#ahead.subarray(part.length);
    return part.length;
  }

  unread(bytes: Uint8Array): void {
    this.#ahead = bytes;
  }

  /** All of `room`, or as much as there is. */
  async fill(room: Uint8Array): Promise<number> {
    let at = 0;
    for (let n; at < room.length && (n = await this.some(room.subarray(at))) !== null;) at += n;
    return at;
  }

  async exactly(n: number): Promise<Uint8Array> {
    const room = new Uint8Array(n);
    const came = await this.fill(room);
    if (came === n) return room;
    throw new Deno.errors.UnexpectedEof(`wanted ${n} bytes: ${came} of ${n} came`);
  }

  async send(bytes: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const turn = this.#turn;
    this.#turn = promise;
    await turn;
    try {
      for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
    } finally {
      resolve();
    }
  }
}

export function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  return Wire.of(conn).send(data);
}

export function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  return Wire.of(conn).exactly(n);
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(payload.byteLength + 4);
  const view = new DataView(frame.buffer);
  view.setUint16(0, payload.byteLength / 0x10000);
  view.setUint16(2, payload.byteLength % 0x10000);
  frame.set(payload, 4);
  return frame;
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const wire = Wire.of(conn);
  const first = new Uint8Array(1);
  if (await wire.fill(first) === 0) return null;
  const [a, b, c, d] = [first[0]!, ...await wire.exactly(3)] as [number, number, number, number];
  const length = (a << 24 | b << 16 | c << 8 | d) >>> 0;
  if (length > maxBytes) throw new RangeError(`${length} bytes announced, ${maxBytes} allowed`);
  return await wire.exactly(length);
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const wire = Wire.of(conn);
  const decoder = new TextDecoder(undefined, { ignoreBOM: true });
  let line = "";
  let started = false;
  while (true) {
    const room = new Uint8Array(2048);
    const n = await wire.some(room);
    if (n === null) break;
    const end = room.subarray(0, n).indexOf(10);
    const own = end < 0 ? n : end;
    line += decoder.decode(room.subarray(0, own), { stream: true });
    started ||= own > 0;
    if (end < 0) continue;
    line += decoder.decode();
    yield line.replace(/\r$/, "");
    line = "";
    started = false;
  }
  if (started) yield line + decoder.decode();
}

export async function echo(conn: Deno.Conn): Promise<number> {
  const wire = Wire.of(conn);
  const room = new Uint8Array(32 * 1024);
  try {
    for (let total = 0;;) {
      const n = await wire.some(room);
      if (n === null) return total;
      await wire.send(room.subarray(0, n));
      total += n;
    }
  } finally {
    conn.close();
  }
}

type Letter = { data: Uint8Array; from: Deno.NetAddr };

/** What arrives at a socket: one receive() at a time, kept until a datagram comes, whoever waits then. */
class Mailbox {
  static #all = new WeakMap<Deno.DatagramConn, Mailbox>();

  static of(socket: Deno.DatagramConn): Mailbox {
    let box = Mailbox.#all.get(socket);
    if (!box) Mailbox.#all.set(socket, box = new Mailbox(socket));
    return box;
  }

  #receiving: Promise<void> | undefined;
  #letters: Letter[] = [];

  constructor(readonly socket: Deno.DatagramConn) {}

  #receive(): Promise<void> {
    return this.#receiving ??= this.socket.receive()
      .then(([data, from]) => void this.#letters.push({ data, from: from as Deno.NetAddr }))
      .finally(() => this.#receiving = undefined);
  }

  /** The first letter that fits; those that do not are thrown away. */
  async pick(fits: (letter: Letter) => boolean, timeoutMs: number): Promise<Letter | undefined> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, timeoutMs);
    const start = performance.now();
    try {
      while (performance.now() - start < timeoutMs) {
        for (let letter; (letter = this.#letters.shift());) if (fits(letter)) return letter;
        const receiving = this.#receive();
        receiving.catch(() => {});
        await Promise.race([receiving, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  for await (const [data, from] of socket) await socket.send(data, from);
}

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  const box = Mailbox.of(socket);
  const [high, low] = payload;
  const fits = ({ data, from }: Letter) =>
    from.port === to.port && from.hostname === to.hostname &&
    data.length >= 2 && data[0] === high && data[1] === low;
  while (attempts-- > 0) {
    await socket.send(payload, { transport: "udp", hostname: to.hostname, port: to.port });
    const letter = await box.pick(fits, timeoutMs);
    if (letter) return letter.data;
  }
  const host = /:/.test(to.hostname) ? `[${to.hostname}]` : to.hostname;
  throw new Deno.errors.TimedOut(`${host}:${to.port} did not answer`);
}
