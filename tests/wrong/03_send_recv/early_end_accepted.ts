// Fails task 2: early-end-accepted — at the end of the stream gives what there is, as if that was all.

const chains = new WeakMap<Deno.Conn, Promise<void>>();

export function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  const mine = (chains.get(conn) ?? Promise.resolve())
    .catch(() => {})
    .then(() => writeRest(conn, data));
  chains.set(conn, mine);
  return mine;
}

function writeRest(conn: Deno.Conn, rest: Uint8Array): Promise<void> {
  if (rest.length === 0) return Promise.resolve();
  return conn.write(rest).then((n) => writeRest(conn, rest.subarray(n)));
}

/** Fills the array as far as the stream goes, and says how far. */
function readInto(conn: Deno.Conn, array: Uint8Array, have = 0): Promise<number> {
  if (have === array.length) return Promise.resolve(have);
  return conn.read(array.subarray(have))
    .then((n) => n === null ? have : readInto(conn, array, have + n));
}

function readWhole(conn: Deno.Conn, array: Uint8Array): Promise<Uint8Array> {
  return readInto(conn, array).then((have) => {
    if (have === array.length) return array;
    throw new Deno.errors.UnexpectedEof(`${have} of ${array.length} bytes, then the end`);
  });
}

export function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  const array = new Uint8Array(n);
  return readInto(conn, array).then((have) => array.subarray(0, have));
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const header = Uint8Array.of(length >> 24, length >> 16, length >> 8, length);
  const frame = new Uint8Array(4 + length);
  [header, payload].reduce((at, part) => (frame.set(part, at), at + part.length), 0);
  return frame;
}

export function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const head = new Uint8Array(4);
  return readInto(conn, head).then((have) => {
    if (have === 0) return null;
    if (have < 4) throw new Deno.errors.UnexpectedEof(`${have} of 4 bytes of a length`);
    const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, false);
    if (length <= maxBytes) return readWhole(conn, new Uint8Array(length));
    throw new RangeError(`Frame has ${length} bytes, more than ${maxBytes}`);
  });
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const next = (): Promise<string | null> => {
    const buffer = new Uint8Array(512);
    return conn.read(buffer).then((n) =>
      n === null ? null : decoder.decode(buffer.subarray(0, n), { stream: true })
    );
  };
  let rest = "";
  for (let more = await next(); more !== null; more = await next()) {
    // Only what is new can have a newline.
    if (!more.includes("\n")) {
      rest += more;
      continue;
    }
    const lines = (rest + more).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

export function echo(conn: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(16_384);
  const step = (total: number): Promise<number> =>
    conn.read(buffer).then((n) =>
      n === null ? total : writeRest(conn, buffer.subarray(0, n)).then(() => step(total + n))
    );
  return step(0).finally(() => conn.close());
}

export function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  return socket.receive(new Uint8Array(65_536))
    .then(([data, from]) => socket.send(data, from))
    .then(() => udpEcho(socket), (error) => {
      if (["BadResource", "Interrupted"].includes(error.name)) return;
      throw error;
    });
}

type Received = [Uint8Array, Deno.Addr];
const begun = new WeakMap<Deno.DatagramConn, Promise<Received>>();

export function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  if (attempts <= 0) {
    const host = to.hostname.includes(":") ? `[${to.hostname}]` : to.hostname;
    return Promise.reject(new Deno.errors.TimedOut(`${host}:${to.port} is silent`));
  }
  return socket.send(payload, { ...to, transport: "udp" })
    .then(() => oneAnswer(socket, to, payload, timeoutMs))
    .then((answer) =>
      answer ?? udpRequest(socket, to, payload, { timeoutMs, attempts: attempts - 1 })
    );
}

function oneAnswer(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    const end = performance.now() + timeoutMs;
    let over = false;
    const finish = (answer: Uint8Array | null) => {
      over = true;
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = setTimeout(finish, timeoutMs, null);
    const listen = (): void => {
      const receive = begun.get(socket) ?? socket.receive();
      begun.set(socket, receive);
      receive.then(([data, from]) => {
        // Too late for this attempt: it stays where it is, for the next.
        if (over) return;
        begun.delete(socket);
        const sender = from as Deno.NetAddr;
        const isAnswer = sender.hostname === to.hostname && sender.port === to.port &&
          data.length > 1 && data[0] === payload[0] && data[1] === payload[1];
        if (isAnswer) finish(data);
        else if (performance.now() >= end) finish(null);
        else listen();
      }, (error) => {
        begun.delete(socket);
        clearTimeout(timer);
        reject(error);
      });
    };
    listen();
  });
}
