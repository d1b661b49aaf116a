/**
 * Stands between the learner's code and Deno's socket calls: reports what is called, remembers what is
 * open or waiting, and applies the limits and faults that a suite asks for.
 *
 * The learner still gets Deno's own objects: methods are wrapped on their prototypes, so `using`,
 * `for await`, `instanceof`, `readable` and `writable` work as ever. The host itself uses the originals.
 *
 * @module
 */

import type {
  ChildState,
  Fault,
  HandleKind,
  Limits,
  OpenSocket,
  PendingCall,
  WireAddr,
  WireEvent,
} from "../protocol.ts";
import { makeReadable, makeWritable, type StreamEnds } from "./streams.ts";
import { bytesOf, lengthOf } from "./bytes.ts";
import { append } from "./lists.ts";
import { untilSealed } from "./seal.ts";
import { cut, valueTools } from "./values.ts";

const { encodeError, setSocketFacts, toBase64 } = valueTools();

/** Deno's calls as they were before the exercise was loaded. */
const original = {
  listen: Deno.listen,
  listenDatagram: Deno.listenDatagram,
  connect: Deno.connect,
};

type SocketKind = "listener" | "conn" | "datagram";

interface Entry extends OpenSocket {
  object: object;
  closed: boolean;
  /** Places in the stream, in bytes from its beginning, that no read crosses. */
  cuts: number[];
  /** Writes that had to ask for room and have not ended. */
  stalled: number;
  readable?: ReadableStream<Uint8Array>;
  writable?: WritableStream<Uint8Array>;
}

/** Events of each kind reported per test; what comes after is left out, so that a busy loop costs nothing. */
const MAX_EVENTS = 400;
/** Of the sockets that the exercise opens each is told; the next one is refused. */
const MAX_LISTENS = 4_000;
const HEAD_BYTES = 48;

const entries = new WeakMap<object, Entry>();
const open = new Map<number, Entry>();
const pending = new Set<PendingCall>();
/** A timer that is running. */
interface Timer {
  ms: number;
  /** When it is due, by the clock that {@linkcode elapse} puts forward, and nothing else. */
  due: number;
  fire: () => void;
}

const timers = new Map<unknown, Timer>();
/** What that clock shows: the machine's time has no part in it. */
let elapsed = 0;
/** Timers that are fired for one order: one that starts itself again and again may do so for long. */
const MAX_FIRED = 100;
const { timeOrigin } = performance;
const sinceOrigin = performance.now.bind(performance);
const now = () => timeOrigin + sinceOrigin();
const isFinite = Number.isFinite;
const least = Math.min;
let nextResource = 1;
/** How many there were, by kind. */
const events = new Map<string, number>();
let limits: Limits = {};
let faults: Fault[] = [];
let report: (event: WireEvent) => void = () => {};
const promiseClass = Promise;
const originalTimers = { setTimeout, clearTimeout, setImmediate };

/** Sends an event to the suite. */
function emit(event: Omit<WireEvent, "at">, at = now()): void {
  const count = (events.get(event.event) ?? 0) + 1;
  events.set(event.event, count);
  if (count <= (event.event === "listen" ? MAX_LISTENS : MAX_EVENTS)) report({ at, ...event });
}

/** Limits for every connection from now on. */
function setLimits(value: Limits): void {
  limits = value;
  wakeStalled();
}

/** Calls that go on when the limits have changed, or a connection was closed. */
let stalled: (() => void)[] = [];

function wakeStalled(): void {
  const all = stalled;
  stalled = [];
  for (let i = 0; i < all.length; i++) all[i]!();
}

function untilWoken(): Promise<void> {
  return new promiseClass((resolve) => stalled[stalled.length] = resolve);
}

/** Runs what stands behind the writes that have begun. */
async function unstalled(entry: Entry, run: () => Promise<void>): Promise<void> {
  while (entry.stalled > 0) await untilWoken();
  return await run();
}

/** The room that the limits leave for a connection. */
function roomOf(entry: Entry | undefined): { bytes: number; atOnce?: number } | undefined {
  const { room } = limits;
  for (let i = 0; room && i < room.length; i++) {
    if (room[i]!.port === entry?.remoteAddr?.port) return room[i];
  }
  return undefined;
}

/** Waits while a connection is to look full. As with the kernel, closing it ends the wait. */
async function untilRoom(entry: Entry): Promise<void> {
  while (!entry.closed && (roomOf(entry)?.bytes ?? 1) <= 0) await untilWoken();
  if (entry.closed) throw new Deno.errors.Interrupted("operation canceled");
}

/** Faults from now on; they replace the ones before. */
function setFaults(value: Fault[]): void {
  faults = value;
}

/** Registers a socket that the host made on the suite's behalf. */
function adopt(object: object, kind: SocketKind, cuts: number[] = []): void {
  observe(object, kind, "given").cuts = cuts;
}

/** Whether the address can be bound at this moment. */
function canBind(options: { hostname: string; port: number }): boolean {
  try {
    closeQuietly(original.listen(options));
    return true;
  } catch {
    return false;
  }
}

/** Ends a socket of any kind; one that is closed already is left alone. */
function closeQuietly(object: unknown): void {
  try {
    (object as { close(): void }).close();
  } catch {
    // Closed already, or never a socket: either way there is nothing left to release.
  }
}

/** What the child holds and waits for at this moment. */
function stateNow(): ChildState {
  return {
    pending: [...pending],
    open: [...open.values()].map(({ resource, kind, addr, remoteAddr, origin, bytesRead }) => ({
      resource,
      kind,
      origin,
      bytesRead,
      ...(addr && { addr }),
      ...(remoteAddr && { remoteAddr }),
    })),
    timersMs: [...timers.values()].map(({ ms }) => ms),
  };
}

/** Waits until the timers that are due within `ms` have fired, and for a few turns of the event loop. */
async function rest(ms: number, { looking = false }: { looking?: boolean } = {}): Promise<void> {
  await turns();
  const last = [...timers.values()].reduce(
    (last, { ms: delay }) => delay <= ms && delay > last ? delay : last,
    -1,
  );
  if (last >= 0) {
    await new promiseClass((resolve) => originalTimers.setTimeout(resolve, last + 1));
    await turns();
  }
  if (!looking) events.clear();
}

/** Puts the clock of the timers forward: those that are due by then fire, each at its time, an interval once. */
async function elapse(ms: number): Promise<void> {
  const end = elapsed + ms;
  for (let fired = 0; fired < MAX_FIRED; fired++) {
    let next: Timer | undefined;
    for (const timer of timers.values()) {
      if (timer.due <= end && timer.due < (next?.due ?? Infinity)) next = timer;
    }
    if (!next) break;
    elapsed = Math.max(elapsed, next.due);
    // Not from here: an error of the exercise's is nobody's, as with any timer.
    const { fire } = next;
    next.due = Infinity;
    await new promiseClass<void>((resolve) => {
      originalTimers.setImmediate(() => {
        resolve();
        fire();
      });
    });
    await turns();
  }
  elapsed = end;
  for (const timer of timers.values()) if (timer.due === Infinity) timer.due = end + timer.ms;
}

/** Lets what is ready happen. A timer of 0 ms would take two milliseconds for the same. */
async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new promiseClass<void>((resolve) => originalTimers.setImmediate(resolve));
  }
}

function plainAddr(addr: Deno.Addr | undefined): WireAddr | undefined {
  if (!addr) return undefined;
  const { transport } = addr;
  if ("path" in addr) return { transport, path: addr.path };
  if ("hostname" in addr) return { transport, hostname: addr.hostname, port: addr.port };
  return { transport };
}

function register(object: object, kind: HandleKind, origin: "made" | "given"): Entry {
  const known = entries.get(object);
  if (known) return known;
  const socket = object as { addr?: Deno.Addr; localAddr?: Deno.Addr; remoteAddr?: Deno.Addr };
  const entry: Entry = {
    resource: nextResource++,
    kind,
    origin,
    object,
    closed: false,
    cuts: [],
    stalled: 0,
    bytesRead: 0,
  };
  const addr = plainAddr(kind === "conn" ? socket.localAddr : socket.addr);
  if (addr) entry.addr = addr;
  const remoteAddr = kind === "conn" ? plainAddr(socket.remoteAddr) : undefined;
  if (remoteAddr) entry.remoteAddr = remoteAddr;
  entries.set(object, entry);
  open.set(entry.resource, entry);
  return entry;
}

function markClosed(entry: Entry): void {
  entry.closed = true;
  open.delete(entry.resource);
}

function where(entry: Entry | undefined) {
  if (!entry) return {};
  const { resource, addr, remoteAddr } = entry;
  return { resource, ...(addr && { addr }), ...(remoteAddr && { remoteAddr }) };
}

function headOf(bytes: Uint8Array, size: number): string {
  return toBase64(bytesOf(bytes, Math.min(size, HEAD_BYTES))!);
}

/** Throws when a fault is due for this call: one that asks for `port`, or is made on a connection. */
function meetFault(
  api: Fault["api"][number],
  { port, entry }: { port?: number | undefined; entry?: Entry | undefined } = {},
): void {
  for (const fault of faults) {
    if (!fault.api.includes(api) || fault.times <= 0) continue;
    if (fault.fixedPort && !port) continue;
    if (fault.peerPort && entry?.remoteAddr?.port !== fault.peerPort) continue;
    if (fault.skip) {
      fault.skip--;
      continue;
    }
    fault.times--;
    const error = kernelError(fault.error);
    emit({
      event: "fault",
      error: encodeError(error),
      ...(port !== undefined && { asked: { port } }),
    });
    throw error;
  }
}

/** What Linux says of each error, as Deno passes it on. */
const KERNEL_WORDS: Record<string, [code: string, message: string]> = {
  AddrInUse: ["EADDRINUSE", "Address already in use (os error 98)"],
  BrokenPipe: ["EPIPE", "Broken pipe (os error 32)"],
  ConnectionAborted: ["ECONNABORTED", "Software caused connection abort (os error 103)"],
  ConnectionReset: ["ECONNRESET", "Connection reset by peer (os error 104)"],
  NotConnected: ["ENOTCONN", "Transport endpoint is not connected (os error 107)"],
  PermissionDenied: ["EACCES", "Permission denied (os error 13)"],
};

/** An error of `Deno.errors` as it looks when it comes from the kernel. */
function kernelError(name: string): Error {
  const errorClass = (Deno.errors as unknown as Record<string, ErrorConstructor>)[name]!;
  const [code, message] = KERNEL_WORDS[name]!;
  return Object.assign(new errorClass(message), { code });
}

/** Runs an asynchronous socket call with its entry in the list of pending calls. */
async function waiting<T>(call: PendingCall, run: () => Promise<T>): Promise<T> {
  pending.add(call);
  try {
    return await run();
  } finally {
    pending.delete(call);
  }
}

// deno-lint-ignore no-explicit-any
type Method = (this: any, ...args: any[]) => unknown;
type Methods = Record<string | symbol, Method>;

/** The prototypes met so far, with their methods as they were. */
const seen: { [K in "listener" | "conn" | "datagram"]?: { prototype: object; methods: Methods } } =
  {};

/** The host's own accept: unlimited, unreported. */
function acceptQuietly(listener: Deno.TcpListener): Promise<Deno.TcpConn> {
  return seen.listener!.methods.accept!.call(listener) as Promise<Deno.TcpConn>;
}

/** Registers a socket. */
function observe(object: object, kind: SocketKind, origin: "made" | "given"): Entry {
  meet(object, kind);
  return register(object, kind, origin);
}

/**
 * At the first sight of a socket's class wraps the methods on the prototype.
 * Deno exports none of these classes, so an instance has to come by first.
 */
function meet(object: object, kind: SocketKind): void {
  if (!seen[kind]) {
    const direct = Object.getPrototypeOf(object);
    // TcpConn and UnixConn share the class above them, where read, write and close live.
    const prototype = kind === "conn" ? Object.getPrototypeOf(direct) : direct;
    const methods: Methods = {};
    for (const key of Reflect.ownKeys(prototype)) {
      const value = Object.getOwnPropertyDescriptor(prototype, key)!.value;
      if (typeof value === "function" && key !== "constructor") methods[key] = value;
    }
    seen[kind] = { prototype, methods };
    wrap[kind](prototype, methods);
    // A socket's address is what the kernel says.
    for (const name of ["addr", "localAddr", "remoteAddr"]) {
      if (name in prototype) Object.defineProperty(prototype, name, { configurable: false });
    }
  }
}

/** Meets the class of every kind of socket, before the exercise can. */
async function meetClasses(): Promise<void> {
  const hostname = "127.0.0.1";
  const { listen, listenDatagram, connect } = original;
  const datagram = listenDatagram({ hostname, port: 0, transport: "udp" });
  const listener = listen({ hostname, port: 0 });
  const conn = await connect({ hostname, port: listener.addr.port });
  const sockets = [[datagram, "datagram"], [listener, "listener"], [conn, "conn"]] as const;
  for (const [socket, kind] of sockets) {
    meet(socket, kind);
    seen[kind]!.methods.close!.call(socket);
  }
}

function wrapClose(prototype: Methods, methods: Methods): void {
  for (const name of ["close", Symbol.dispose] as const) {
    const close = methods[name];
    if (!close) continue;
    prototype[name] = function (this: object) {
      const entry = entries.get(this);
      if (entry && !entry.closed) emit({ event: "close", ...where(entry) });
      const result = close.call(this);
      if (entry) markClosed(entry);
      wakeStalled();
      return result;
    };
  }
}

const wrap = {
  listener(prototype: object, methods: Methods) {
    const target = prototype as Methods;
    wrapClose(target, methods);
    target.accept = function accept(this: object) {
      const entry = entries.get(this);
      return waiting({ api: "accept", byLearner: true, ...where(entry) }, async () => {
        try {
          meetFault("accept");
          const conn = await (methods.accept!.call(this) as Promise<Deno.Conn>);
          const made = observe(conn, "conn", "made");
          emit({ event: "accept", ...where(made) });
          while (limits.holdAccepted) await untilWoken();
          return conn;
        } catch (error) {
          emit({ event: "accept", ...where(entry), error: encodeError(error) });
          throw error;
        }
      });
    };
  },
  conn(prototype: object, methods: Methods) {
    const target = prototype as Methods;
    wrapClose(target, methods);
    const read = (conn: object, buffer: unknown) => {
      const entry = entries.get(conn);
      return waiting({ api: "read", byLearner: true, ...where(entry) }, async () => {
        try {
          meetFault("read", { entry });
          const part = limited(buffer, mostToRead(entry));
          const size = await (methods.read!.call(conn, part) as Promise<number | null>);
          if (entry) entry.bytesRead += size ?? 0;
          emit({
            event: "read",
            ...where(entry),
            size,
            ...(size && { head: headOf(part as Uint8Array, size) }),
          });
          return size;
        } catch (error) {
          emit({ event: "read", ...where(entry), error: encodeError(error) });
          throw error;
        }
      });
    };
    const write = (conn: object, data: unknown) => {
      const entry = entries.get(conn);
      return waiting({ api: "write", byLearner: true, ...where(entry) }, async () => {
        const asks = entry && roomOf(entry) ? entry : undefined;
        if (asks) asks.stalled++;
        try {
          meetFault("write", { entry });
          if (asks) await untilRoom(asks);
          const room = roomOf(entry);
          const { bytes = Infinity, atOnce = Infinity } = room ?? {};
          const part = limited(data, least(limits.writeBytes ?? Infinity, bytes, atOnce));
          if (room) room.bytes -= bytesOf(part)?.length ?? 0;
          const size = await (methods.write!.call(conn, part) as Promise<number>);
          emit({ event: "write", ...where(entry), size, head: headOf(part as Uint8Array, size) });
          return size;
        } catch (error) {
          emit({ event: "write", ...where(entry), error: encodeError(error) });
          throw error;
        } finally {
          if (asks) asks.stalled--;
          wakeStalled();
        }
      });
    };
    const ends = (conn: object): StreamEnds => ({
      read: (buffer) => read(conn, buffer),
      write: (data) => write(conn, data),
      close: () => closeQuietly({ close: () => target.close!.call(conn) }),
    });
    target.read = function (this: object, buffer: unknown) {
      return read(this, buffer);
    };
    target.write = function (this: object, data: unknown) {
      return write(this, data);
    };
    target.closeWrite = function closeWrite(this: object) {
      const entry = entries.get(this);
      emit({ event: "closeWrite", ...where(entry) });
      const run = () => methods.closeWrite!.call(this) as Promise<void>;
      return entry && entry.stalled > 0 ? unstalled(entry, run) : run();
    };
    const stream = <T extends object>(name: "readable" | "writable", get: (conn: object) => T) =>
      Object.defineProperty(prototype, name, {
        configurable: true,
        enumerable: true,
        get(this: object): T {
          emit({ event: "streams", ...where(entries.get(this)) });
          return get(this);
        },
      });
    stream("readable", (conn) => entryOf(conn).readable ??= makeReadable(ends(conn)));
    stream("writable", (conn) => entryOf(conn).writable ??= makeWritable(ends(conn)));
  },
  datagram(prototype: object, methods: Methods) {
    const target = prototype as Methods;
    wrapClose(target, methods);
    target.receive = function receive(this: object, ...args: unknown[]) {
      const entry = entries.get(this);
      return waiting({ api: "receive", byLearner: true, ...where(entry) }, async () => {
        const result = methods.receive!.call(this, ...args) as Promise<[Uint8Array, Deno.NetAddr]>;
        const [bytes, from] = await result.catch((error) => {
          emit({ event: "receive", ...where(entry), error: encodeError(error) });
          throw error;
        });
        emit({
          event: "receive",
          ...where(entry),
          remoteAddr: plainAddr(from)!,
          size: lengthOf(bytes),
          head: headOf(bytes, lengthOf(bytes)),
        });
        return [bytes, from];
      });
    };
    target.send = function send(this: object, ...args: unknown[]) {
      const entry = entries.get(this);
      const bytes = args[0] as Uint8Array;
      const to = plainAddr(args[1] as Deno.Addr);
      return waiting({ api: "send", byLearner: true, ...where(entry) }, async () => {
        const size = await (methods.send!.call(this, ...args) as Promise<number>);
        emit({
          event: "send",
          ...where(entry),
          ...(to && { remoteAddr: to }),
          size,
          head: headOf(bytes, size),
        });
        return size;
      });
    };
  },
};

/** What is known of a connection, which is one that came through here. */
function entryOf(conn: object): Entry {
  return entries.get(conn) ?? register(conn, "conn", "made");
}

/** How much the next read of a connection may take. */
function mostToRead(entry: Entry | undefined): number | undefined {
  const cut = entry?.cuts.find((at) => at > entry.bytesRead);
  if (cut === undefined) return limits.readBytes;
  return Math.min(cut - entry!.bytesRead, limits.readBytes ?? Infinity);
}

function limited(buffer: unknown, bytes = Infinity): unknown {
  return bytes === Infinity ? buffer : bytesOf(buffer, bytes) ?? buffer;
}

function askedFor(options: unknown): NonNullable<WireEvent["asked"]> {
  const { hostname, port: given, tcpBacklog } = (options ?? {}) as Record<string, unknown>;
  // Deno takes a port in digits, too.
  const port = typeof given === "string" ? Number(given) : given;
  return {
    ...(typeof hostname === "string" && { hostname: cut(hostname) }),
    ...(isFinite(port) && { port: port as number }),
    ...(typeof tcpBacklog === "number" && { backlog: tcpBacklog }),
  };
}

/** What the calls read of their options, also where it is inherited. */
const OPTION_NAMES = [
  "transport",
  "hostname",
  "port",
  "path",
  "tcpBacklog",
  "reusePort",
  "reuseAddress",
  "loopback",
  "signal",
];

/** The options, each of them read once: what is told of a call is then what it was given. */
function readOnce<T>(options: T): T {
  if (typeof options !== "object" || options === null) return options;
  const given = options as Record<string, unknown>;
  const read: Record<string, unknown> = {};
  for (const name in given) read[name] = given[name];
  for (const name of OPTION_NAMES) {
    if (!(name in read) && name in given) read[name] = given[name];
  }
  return read as T;
}

/** Makes a listener or datagram socket for the learner's code. */
function listening(
  api: "listen" | "listenDatagram",
  kind: "listener" | "datagram",
  run: (options: never) => object,
  given: unknown,
): object {
  const options = readOnce(given);
  const asked = askedFor(options);
  if ((events.get("listen") ?? 0) >= MAX_LISTENS) {
    throw new Error(`More than ${MAX_LISTENS} sockets in one test`);
  }
  try {
    meetFault(api, { port: asked.port });
    const socket = run(options as never);
    emit({ event: "listen", ...where(observe(socket, kind, "made")), asked });
    return socket;
  } catch (error) {
    emit({ event: "listen", asked, error: encodeError(error) });
    throw error;
  }
}

const wrapped = {
  listen: function listen(options: never): object {
    return listening("listen", "listener", original.listen, options);
  },
  listenDatagram: function listenDatagram(options: never): object {
    return listening("listenDatagram", "datagram", original.listenDatagram, options);
  },
  connect: function connect(given: Deno.ConnectOptions): Promise<Deno.Conn> {
    const options = readOnce(given);
    const { hostname = "127.0.0.1", port } = options ?? {};
    const remoteAddr: WireAddr = {
      transport: "tcp",
      ...(typeof hostname === "string" && { hostname: cut(hostname) }),
      ...(isFinite(port) && { port }),
    };
    const began = now();
    return waiting({ api: "connect", byLearner: true, remoteAddr }, async () => {
      try {
        meetFault("connect", { port });
        const conn = await original.connect(options);
        emit({ event: "connect", ...where(observe(conn, "conn", "made")) });
        return conn;
      } catch (error) {
        // Told where it began: that is its place in the story, whenever the refusal came.
        emit({ event: "connect", remoteAddr, error: encodeError(error) }, began);
        throw error;
      }
    });
  },
};

/** Puts the wrapped calls in place and hands every event to `send` from now on. */
function startObserving(send: (event: WireEvent) => void): void {
  report = send;
  Object.assign(Deno, wrapped);
  watchTimers();
  setSocketFacts((object) => {
    const entry = entries.get(object);
    if (!entry) return undefined;
    const { resource, kind, addr, remoteAddr, closed } = entry;
    return { resource, kind, closed, ...(addr && { addr }), ...(remoteAddr && { remoteAddr }) };
  });
}

/** What does the work of a server or client by itself: the global object's, and Deno's. */
const SHORTCUTS = [
  [globalThis, "fetch", "WebSocket", "EventSource"],
  [Deno, "serve", "serveHttp", "upgradeWebSocket", "createHttpClient"],
] as const;

/** Puts in the place of each shortcut a function that tells of the call, and throws. */
function forbidShortcuts(): void {
  for (const [owner, ...names] of SHORTCUTS) {
    for (const name of names) {
      if (!(name in owner)) continue;
      const shown = owner === Deno ? `Deno.${name}()` : `${name}()`;
      // Not an arrow function: `new WebSocket()` is a call, too.
      const value = function () {
        const error = new Error(`${shown} is out of bounds here: raw TCP only`);
        emit({ event: "forbidden", names: [shown], error: encodeError(error) });
        throw error;
      };
      Object.defineProperty(owner, name, { value, writable: true, configurable: true });
    }
  }
}

/** A delay as the timers take it: what is no number is none. */
function millis(delay: unknown): number {
  const ms = Number(delay);
  return isFinite(ms) ? ms : 0;
}

/** Remembers which timers are still running, since a timer left behind keeps a program alive. */
function watchTimers(): void {
  const { setTimeout: start, clearTimeout: stop } = originalTimers;
  const startInterval = setInterval;
  const stopInterval = clearInterval;
  const define = (name: string, value: unknown) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  define("setTimeout", function setTimeout(run: Method, delay = 0, ...args: unknown[]) {
    const ms = millis(delay);
    const fire = () => {
      if (!timers.delete(id)) return;
      stop(id);
      run.call(globalThis, ...args);
    };
    const id = start(fire, ms);
    timers.set(id, { ms, due: elapsed + ms, fire });
    return id;
  });
  define("setInterval", function setInterval(run: Method, delay = 0, ...args: unknown[]) {
    const ms = millis(delay);
    const fire = () => {
      if (timers.has(id)) run.call(globalThis, ...args);
    };
    const id = startInterval(fire, ms);
    timers.set(id, { ms, due: elapsed + ms, fire });
    return id;
  });
  const stopBoth = (id: never) => {
    timers.delete(id);
    stop(id);
    stopInterval(id);
  };
  define("clearTimeout", function clearTimeout(id: never) {
    stopBoth(id);
  });
  define("clearInterval", function clearInterval(id: never) {
    stopBoth(id);
  });
}

/** Built-ins that learners have been seen to replace, as they are right now. */
function watched(): [string, unknown][] {
  return [
    ["Deno.listen", Deno.listen],
    ["Deno.listenDatagram", Deno.listenDatagram],
    ["Deno.connect", Deno.connect],
    ["JSON.stringify", JSON.stringify],
    ["JSON.parse", JSON.parse],
    ["Promise.prototype.then", Promise.prototype.then],
    ["Promise.race", Promise.race],
    ["Promise.all", Promise.all],
    ["Object.is", Object.is],
    ["Object.defineProperty", Object.defineProperty],
    ["Array.prototype.push", Array.prototype.push],
    ["Array.prototype.map", Array.prototype.map],
    ["Array.isArray", Array.isArray],
    ["String.prototype.slice", String.prototype.slice],
    ["TextEncoder.prototype.encode", TextEncoder.prototype.encode],
    ["TextDecoder.prototype.decode", TextDecoder.prototype.decode],
    ["Uint8Array.prototype.subarray", Uint8Array.prototype.subarray],
    ["setTimeout", setTimeout],
    ["Date.now", Date.now],
  ];
}

let before: [string, unknown][] = [];

/** Remembers the built-ins as they are before the exercise is loaded. */
function rememberBuiltIns(): void {
  before = watched();
}

/** Names of built-ins that are not what they were. */
function replacedBuiltIns(): string[] {
  const names: string[] = [];
  const current = watched();
  for (let i = 0; i < before.length; i++) {
    if (before[i]![1] !== current[i]![1]) append(names, before[i]![0]);
  }
  return names;
}

/** What the rest of the host uses of this module. */
export const socketTools = untilSealed({
  original,
  emit,
  setLimits,
  setFaults,
  adopt,
  canBind,
  closeQuietly,
  elapse,
  stateNow,
  rest,
  acceptQuietly,
  meetClasses,
  startObserving,
  rememberBuiltIns,
  replacedBuiltIns,
  forbidShortcuts,
});
