// Valid: as in Node: callbacks made into promises, jobs in a queue, Buffer, an EventEmitter for datagrams.

import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";

interface Job {
  data: Uint8Array;
  callback: (error: Error | null) => void;
}

const jobs = new WeakMap<Deno.Conn, Job[]>();

function work(conn: Deno.Conn, queue: Job[]): void {
  const job = queue[0];
  if (!job) return;
  let offset = 0;
  const finish = (error: Error | null) => {
    queue.shift();
    job.callback(error);
    work(conn, queue);
  };
  const step = () => {
    if (offset >= job.data.length) return finish(null);
    conn.write(job.data.subarray(offset)).then((n) => {
      offset += n;
      step();
    }, finish);
  };
  step();
}

export function writeAll(conn: Deno.Conn, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!jobs.has(conn)) jobs.set(conn, []);
    const queue = jobs.get(conn)!;
    queue.push({ data, callback: (error) => error ? reject(error) : resolve() });
    if (queue.length === 1) work(conn, queue);
  });
}

export function readExactly(conn: Deno.Conn, n: number): Promise<Uint8Array> {
  if (!Number.isInteger(n) || n < 0) {
    return Promise.reject(new RangeError(`Cannot read ${n} bytes`));
  }
  return new Promise((resolve, reject) => {
    const out = Buffer.alloc(n);
    let got = 0;
    const more = () => {
      if (got === n) return resolve(out);
      conn.read(out.subarray(got)).then((count) => {
        if (count === null) {
          return reject(new Deno.errors.UnexpectedEof(`got only ${got} of ${n} bytes`));
        }
        got += count;
        more();
      }).catch(reject);
    };
    more();
  });
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}

export async function readFrame(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array | null> {
  const first = Buffer.allocUnsafe(1);
  const count = await conn.read(first);
  if (count === null) return null;
  let rest: Uint8Array;
  try {
    rest = await readExactly(conn, 3);
  } catch (error) {
    if (error instanceof Deno.errors.UnexpectedEof) {
      throw new Deno.errors.UnexpectedEof("stream ended in the header", { cause: error });
    }
    throw error;
  }
  const length = Buffer.concat([first, rest]).readUInt32BE(0);
  if (length > maxBytes) {
    throw new RangeError(
      `ERR_FRAME_TOO_LARGE: ${length} bytes announced; the limit is ${maxBytes} bytes`,
    );
  }
  return readExactly(conn, length);
}

export async function* readLines(conn: Deno.Conn): AsyncGenerator<string> {
  let pending = Buffer.alloc(0);
  const chunk = Buffer.alloc(65536);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  while (true) {
    const count = await conn.read(chunk);
    if (count === null) break;
    pending = Buffer.concat([pending, chunk.subarray(0, count)]);
    let index;
    while ((index = pending.indexOf(0x0a)) >= 0) {
      const end = index > 0 && pending[index - 1] === 0x0d ? index - 1 : index;
      const line = decoder.decode(pending.subarray(0, end));
      pending = pending.subarray(index + 1);
      yield line;
    }
  }
  if (pending.length > 0) yield decoder.decode(pending);
}

export function echo(conn: Deno.Conn): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    let total = 0;
    const buffer = Buffer.alloc(65536);
    const done = (error?: unknown) => {
      conn.close();
      if (error !== undefined) reject(error);
      else resolve(total);
    };
    const onData = (count: number | null) => {
      if (count === null) return done();
      total += count;
      writeAll(conn, buffer.subarray(0, count)).then(read, done);
    };
    const read = () => {
      conn.read(buffer).then(onData, done);
    };
    read();
  });
}

export function udpEcho(socket: Deno.DatagramConn): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        resolve();
      } else reject(error);
    };
    const loop = (): unknown =>
      socket.receive(Buffer.alloc(65507)).then(([data, from]) => socket.send(data, from)).then(
        loop,
        onError,
      );
    loop();
  });
}

const emitters = new WeakMap<Deno.DatagramConn, EventEmitter & { active?: boolean }>();

function emitterOf(socket: Deno.DatagramConn) {
  let emitter = emitters.get(socket);
  if (!emitter) {
    emitter = new EventEmitter();
    emitter.setMaxListeners(0);
    emitters.set(socket, emitter);
  }
  return emitter;
}

function arm(socket: Deno.DatagramConn) {
  const emitter = emitterOf(socket);
  if (emitter.active) return;
  emitter.active = true;
  socket.receive().then(([data, from]) => {
    emitter.active = false;
    emitter.emit("message", data, from);
    if (emitter.listenerCount("message") > 0) arm(socket);
  }, (error) => {
    emitter.active = false;
    emitter.emit("closed", error);
  });
}

export function udpRequest(
  socket: Deno.DatagramConn,
  to: { hostname: string; port: number },
  payload: Uint8Array,
  { timeoutMs, attempts }: { timeoutMs: number; attempts: number },
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const emitter = emitterOf(socket);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let sent = 0;
    const settle = (action: () => void) => {
      clearTimeout(timer);
      emitter.off("message", onMessage);
      emitter.off("closed", onClosed);
      action();
    };
    const onMessage = (data: Uint8Array, from: Deno.NetAddr) => {
      if (from.hostname !== to.hostname || from.port !== to.port) return;
      if (data.length < 2 || data[0] !== payload[0] || data[1] !== payload[1]) return;
      settle(() => resolve(data));
    };
    const onClosed = (error: Error) => settle(() => reject(error));
    const attempt = () => {
      if (sent === attempts) {
        const host = to.hostname.includes(":") ? `[${to.hostname}]` : to.hostname;
        return settle(() => reject(new Deno.errors.TimedOut(`ETIMEDOUT ${host}:${to.port}`)));
      }
      sent++;
      timer = setTimeout(attempt, timeoutMs);
      socket.send(payload, { transport: "udp", ...to }).catch(onClosed);
    };
    emitter.on("message", onMessage);
    emitter.on("closed", onClosed);
    arm(socket);
    attempt();
  });
}
