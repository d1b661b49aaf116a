// Fails task 6: concurrent-receives — begins a new receive() for every attempt, while the one before still waits.

type Address = { hostname: string; port: number };
type Job = () => Promise<void>;

/** Jobs that wait for their turn on a connection; the first one is running. */
const jobs = new WeakMap<Deno.Conn, Job[]>();

export function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const job = () => pushAll(conn, data).then(resolve, reject);
    const waiting = jobs.get(conn);
    if (waiting) return void waiting.push(job);
    jobs.set(conn, [job]);
    work(conn);
  });
}

async function work(conn: Deno.Conn): Promise<void> {
  const waiting = jobs.get(conn)!;
  while (waiting.length > 0) {
    await waiting[0]!();
    waiting.shift();
  }
  jobs.delete(conn);
}

async function pushAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  if (data.byteLength === 0) return;
  const taken = await conn.write(data);
  return pushAll(conn, data.subarray(taken));
}

/** Chunks of at most `size` bytes, as they come. Each is a copy. */
async function* chunks(conn: Deno.Conn, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  while (true) {
    const n = await conn.read(buffer);
    if (n === null) return;
    yield buffer.slice(0, n);
  }
}

async function upTo(conn: Deno.Conn, wanted: number): Promise<Uint8Array> {
  const parts: number[] = [];
  while (parts.length < wanted) {
    const next = await chunks(conn, Math.min(wanted - parts.length, 10_000)).next();
    if (next.done) break;
    for (const byte of next.value) parts.push(byte);
  }
  return Uint8Array.from(parts);
}

export async function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  const bytes = await upTo(conn, n);
  if (bytes.length === n) return bytes;
  throw new Deno.errors.UnexpectedEof(`End of stream: ${bytes.length}/${n} bytes`);
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(new ArrayBuffer(payload.length + 4));
  let rest = payload.length;
  for (const i of [3, 2, 1, 0]) {
    frame[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  frame.set(payload, 4);
  return frame;
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const header = await upTo(conn, 4);
  if (!header.length) return null;
  if (header.length !== 4) throw new Deno.errors.UnexpectedEof(`Half a header: ${header}`);
  const size = header.reduce((sum, byte) => sum * 256 + byte, 0);
  if (size > maxBytes) throw new RangeError(`${size} > ${maxBytes} bytes`);
  return await readExactly(conn, size);
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const decode = (bytes: number[]) =>
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  const line: number[] = [];
  for await (const chunk of chunks(conn, 4096)) {
    for (const byte of chunk) {
      line.push(byte);
      if (byte !== 10) continue;
      const whole = line.splice(0);
      yield decode(whole.slice(0, whole.at(-2) === 13 ? -2 : -1));
    }
  }
  if (line.length) yield decode(line);
}

export async function echo(conn: Deno.Conn): Promise<number> {
  using _ = conn;
  let bytes = 0;
  for await (const chunk of chunks(conn, 50_000)) {
    await writeAll(conn, chunk);
    bytes += chunk.length;
  }
  return bytes;
}

export async function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  let datagram = await receive(socket);
  while (datagram) {
    await socket.send(...datagram).catch(unlessClosed);
    datagram = await receive(socket);
  }
}

function receive(socket: Deno.DatagramConn): Promise<[Uint8Array, Deno.Addr] | void> {
  return socket.receive().catch(unlessClosed);
}

function unlessClosed(error: unknown): void {
  if (error instanceof Deno.errors.Interrupted) return;
  if (error instanceof Deno.errors.BadResource) return;
  throw error;
}

export async function udpRequest(
  socket: Deno.DatagramConn,
  to: Address,
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  const started = performance.now();
  let sent = 0;
  while (true) {
    const now = performance.now() - started;
    if (now >= sent * timeoutMs) {
      if (sent === attempts) break;
      sent++;
      await socket.send(payload, { transport: "udp", ...to });
    }
    const datagram = await within(socket.receive(), started + sent * timeoutMs);
    if (!datagram) continue;
    if (answers(datagram, to, payload)) return datagram[0];
  }
  const host = to.hostname.includes(":") ? `[${to.hostname}]` : to.hostname;
  throw new Deno.errors.TimedOut(`${host}:${to.port}: no answer, ${sent} times`);
}

/** What the promise gives, or nothing when the clock shows `time`. */
async function within<T>(promise: Promise<T>, time: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), Math.max(0, time - performance.now()));
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

function answers([bytes, from]: [Uint8Array, Deno.Addr], to: Address, asked: Uint8Array): boolean {
  if (from.transport !== "udp") return false;
  return from.hostname === to.hostname && from.port === to.port &&
    bytes.length >= 2 && [0, 1].every((i) => bytes[i] === asked[i]);
}
