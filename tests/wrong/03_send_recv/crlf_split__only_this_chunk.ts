// Fails task 4: crlf-split — looks for the CR only in the chunk in which the LF is.

export const DEFAULT_MAX_BYTES = 1 << 20;

export class EndedEarly extends Deno.errors.UnexpectedEof {
  override name = "EndedEarly";

  constructor(readonly came: number, readonly wanted: number, options?: ErrorOptions) {
    super(`Stream is over after ${came} of ${wanted} bytes`, options);
  }
}

export class FrameTooLong extends RangeError {
  override name = "FrameTooLong";
}

export class NobodyAnswered extends Deno.errors.TimedOut {
  override name = "NobodyAnswered";
}

type Options = { signal?: AbortSignal };

const writers = new WeakMap<Deno.Conn, Promise<unknown>>();

export const writeAll = async (
  conn: Deno.Conn,
  data: Uint8Array,
  { signal }: Options = {},
): Promise<void> => {
  const write = async () => {
    let offset = 0;
    do {
      signal?.throwIfAborted();
      offset += await conn.write(data.subarray(offset));
    } while (offset < data.length);
  };
  const mine = Promise.allSettled([writers.get(conn)]).then(write);
  writers.set(conn, mine);
  await mine;
};

export const readExactly = async (
  conn: Deno.Conn,
  n: number,
  into: Uint8Array = new Uint8Array(n),
): Promise<Uint8Array> => {
  for (let left = n; left > 0;) {
    const count = await conn.read(into.subarray(n - left, n));
    if (count === null) throw new EndedEarly(n - left, n);
    left -= count;
  }
  return into;
};

export const encodeFrame = (payload: Uint8Array, prefix = new Uint8Array()): Uint8Array => {
  const body = [...prefix, ...payload];
  const digits = body.length.toString(16).padStart(8, "0");
  return new Uint8Array([...Uint8Array.fromHex(digits), ...body]);
};

export const readFrame = async (
  conn: Deno.Conn,
  maxBytes: number = DEFAULT_MAX_BYTES,
): Promise<Uint8Array | null> => {
  let header: Uint8Array;
  try {
    header = await readExactly(conn, 4);
  } catch (error) {
    if (error instanceof EndedEarly && error.came === 0) return null;
    throw error;
  }
  const length = parseInt(header.toHex(), 16);
  if (length > maxBytes) {
    throw new FrameTooLong(`limit: ${maxBytes} bytes, announced: ${length} bytes`);
  }
  return readExactly(conn, length);
};

export const readLines = async function* (
  conn: Deno.Conn,
  { bufferBytes = 100 }: { bufferBytes?: number } = {},
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf8", { ignoreBOM: true });
  let pending = new Uint8Array(0);
  while (true) {
    const chunk = new Uint8Array(bufferBytes);
    const count = await conn.read(chunk);
    if (count === null) break;
    let seen = pending.length;
    const both = new Uint8Array(seen + count);
    both.set(pending);
    both.set(chunk.subarray(0, count), seen);
    pending = both;
    bufferBytes = Math.min(bufferBytes * 2, 1 << 20);
    for (let from = seen, lf; (lf = pending.indexOf(0x0a, from)) !== -1; from = 0) {
      const end = lf > seen && pending[lf - 1] === 0x0d ? lf - 1 : lf;
      yield decoder.decode(pending.subarray(0, end));
      pending = pending.subarray(lf + 1);
      seen = 0;
    }
  }
  if (pending.length) yield decoder.decode(pending);
};

export const echo = async (conn: Deno.Conn, { signal }: Options = {}): Promise<number> => {
  using closing = new DisposableStack();
  closing.defer(() => conn.close());
  let echoed = 0;
  while (true) {
    const buffer = new Uint8Array(8192);
    const count = await conn.read(buffer);
    if (count === null) break;
    await writeAll(conn, buffer.subarray(0, count), { signal });
    echoed += count;
  }
  return echoed;
};

export const udpEcho = async (
  socket: Deno.DatagramConn,
  { onDatagram }: { onDatagram?: (bytes: Uint8Array, from: Deno.Addr) => void } = {},
): Promise<void> => {
  const room = new ArrayBuffer(65_507);
  try {
    for (;;) {
      const [bytes, from] = await socket.receive(new Uint8Array(room));
      onDatagram?.(bytes, from);
      await socket.send(bytes, from);
    }
  } catch (error) {
    const closed = [Deno.errors.BadResource, Deno.errors.Interrupted];
    if (!closed.some((kind) => error instanceof kind)) throw error;
  }
};

export interface Endpoint {
  hostname: string;
  port: number;
}

export interface RequestOptions extends Options {
  timeoutMs: number;
  attempts: number;
}

export const format = ({ hostname, port }: Endpoint): string =>
  `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;

const pending: WeakMap<Deno.DatagramConn, { receive: Promise<[Uint8Array, Deno.Addr]> }> =
  new WeakMap();

const listenFor = async (
  socket: Deno.DatagramConn,
  isAnswer: (bytes: Uint8Array, from: Endpoint) => boolean,
  over: AbortSignal,
): Promise<Uint8Array | undefined> => {
  const { promise: end, reject } = Promise.withResolvers<never>();
  const stop = () => reject(over.reason);
  over.addEventListener("abort", stop);
  try {
    while (!over.aborted) {
      const slot = pending.get(socket) ?? { receive: socket.receive() };
      pending.set(socket, slot);
      slot.receive.catch(() => pending.delete(socket));
      const [bytes, from] = await Promise.race([end, slot.receive]);
      if (pending.get(socket) === slot) pending.delete(socket);
      if (isAnswer(bytes, from as Deno.NetAddr)) return bytes;
      // Timers get their turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } catch (error) {
    if (error !== over.reason) throw error;
  } finally {
    over.removeEventListener("abort", stop);
  }
};

export const udpRequest = async (
  socket: Deno.DatagramConn,
  to: Endpoint,
  payload: Uint8Array,
  { timeoutMs, attempts, signal }: RequestOptions,
): Promise<Uint8Array> => {
  const id = payload.slice(0, 2).toHex();
  const causes: unknown[] = [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    signal?.throwIfAborted();
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeoutMs);
    try {
      await socket.send(payload, { transport: "udp", hostname: to.hostname, port: to.port });
      const answer = await listenFor(
        socket,
        (bytes, from) => format(from) === format(to) && bytes.subarray(0, 2).toHex() === id,
        controller.signal,
      );
      if (answer) return answer;
      causes.push(controller.signal.reason);
    } finally {
      clearTimeout(timer);
    }
  }
  throw new NobodyAnswered(`${format(to)} stayed silent for ${attempts} × ${timeoutMs} ms`, {
    cause: causes,
  });
};
