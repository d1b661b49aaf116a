/**
 * The learner's process: loads one exercise file and does what the suite orders.
 *
 * Started by `tests/support/learner.ts` as `deno run … host.ts`, with the loopback network and its own
 * folder and nothing else. Takes {@linkcode Order}s as JSON lines on standard input and answers on standard
 * output (see `protocol.ts`). Everything it says is data; no verdict is made here.
 *
 * @module
 */

import { type Order, STRANGERS, type WireOutcome, type WireValue } from "./protocol.ts";
import { bufferOf, bytesOf, isBytes, lengthOf } from "./host/bytes.ts";
import { append, privateBytes } from "./host/lists.ts";
import { closeBackDoors, pinBuiltIns } from "./host/pins.ts";
import { seal } from "./host/seal.ts";
import { socketTools } from "./host/sockets.ts";
import { cut, valueTools } from "./host/values.ts";
import { voiceTools } from "./host/voice.ts";

const {
  decode,
  encode,
  encodeError,
  encodeFields,
  handleValue,
  hold,
  holding,
  setHome,
  toBase64,
} = valueTools();
const {
  acceptQuietly,
  adopt,
  canBind,
  closeQuietly,
  elapse,
  emit,
  forbidShortcuts,
  meetClasses,
  original,
  rememberBuiltIns,
  replacedBuiltIns,
  rest,
  setFaults,
  setLimits,
  startObserving,
  stateNow,
} = socketTools();
const { markEnd, say, setWord, tell } = voiceTools();

const input = Deno.stdin;
const readInput = input.read.bind(input);
const stringify = JSON.stringify;
const parse = JSON.parse;
const decoder = new TextDecoder();
const toText = decoder.decode.bind(decoder);
const exit = Deno.exit;
const memoryUsage = Deno.memoryUsage;
const collectGarbage = (globalThis as { gc?: () => void }).gc;
(globalThis as { gc?: undefined }).gc = undefined;
const bytesClass = Uint8Array;
/** What is written over bytes that are spoilt. */
const SPOILT = 0x99;
/** Longer outcomes are told each time, and not kept. */
const MAX_SEEN_CHARS = 4_000;
const promiseClass = Promise;
const digest = crypto.subtle.digest.bind(crypto.subtle);
/** Exports that are told, and how much of each name. */
const MAX_EXPORTS = 500;
const MAX_EXPORT_CHARS = 80;

/** Orders a callback of the suite's has to wait for, by function handle and number of the call. */
const settlers = new Map<
  string,
  (how: { throws?: string; error?: string; value?: unknown }) => void
>();
/** What every call of a callback does at once. */
const scripts = new Map<string, () => unknown>();
const errorClasses = Deno.errors as unknown as Record<string, ErrorConstructor>;
let exercise: Record<string, unknown> = {};
let replacedReported = 0;

function reportReplaced(): void {
  const names = replacedBuiltIns();
  if (names.length > replacedReported) {
    replacedReported = names.length;
    emit({ event: "replaced", names });
  }
}

async function load(
  url: string,
  rawOnly: boolean,
): Promise<{ name: string; type: string }[]> {
  setHome(url.slice(0, url.lastIndexOf("/") + 1));
  if (rawOnly) forbidShortcuts();
  rememberBuiltIns();
  // Through a module of our own, so that an export called `then` is an export like any other: the import
  // of a module that has one would call it. The data URL also makes the specifier a computed one, which
  // bounds the exercise's own imports to the folder that may be read.
  const wrapper = `import * as exercise from ${stringify(url)}; export { exercise };`;
  const loaded = await import(`data:application/javascript,${encodeURIComponent(wrapper)}`);
  exercise = loaded.exercise;
  const exports = Object.keys(exercise).slice(0, MAX_EXPORTS);
  return exports.map((name) => ({
    name: cut(name, MAX_EXPORT_CHARS),
    type: typeof exercise[name],
  }));
}

/** Runs a function of the learner's and tells how it ended. */
async function answerCall(
  id: number,
  run: () => unknown,
  { hold: held = false, digest: digested = false } = {},
): Promise<void> {
  let bytes: Uint8Array | undefined;
  const outcome = await outcomeOf(run, (result) => {
    if (digested && isBytes(result)) bytes = result;
    if (bytes) return encode(undefined);
    const keep = held && typeof result === "object" && result !== null;
    return keep ? handleValue(result as object, "object") : encode(result);
  });
  if (bytes && outcome.ok) outcome.value = await digestOf(bytes);
  reportReplaced();
  say({ id, ...outcome });
}

/** Bytes as they are told where megabytes of them would have to be. */
async function digestOf(result: Uint8Array): Promise<WireValue> {
  // What is kept is what was told of, whatever becomes of the exercise's own bytes.
  const bytes = copyOf(bytesOf(result)!);
  const sha256 = toBase64(new bytesClass(await digest("SHA-256", bytes)));
  return { is: "digest", handle: hold(bytes), length: lengthOf(bytes), sha256 };
}

async function outcomeOf(
  run: () => unknown,
  told: (result: unknown) => WireValue,
  brief?: string,
): Promise<WireOutcome & { async: boolean }> {
  let isAsync = false;
  try {
    let result = run();
    if (isThenable(result)) {
      isAsync = true;
      result = await result;
    }
    return { ok: true, value: told(result), async: isAsync };
  } catch (error) {
    return { ok: false, error: encodeError(error, 0, brief), async: isAsync };
  }
}

/** Calls a function of the learner's again and again. Each outcome is told at once: the call that never ends is the next. */
async function callEach(
  { id, name, calls, spoil, watch, fields, brief }: Order & { op: "callEach" },
): Promise<void> {
  const run = exercise[name] as (...args: unknown[]) => unknown;
  const encoded = (result: unknown) => fields ? encodeFields(result, fields) : encode(result);
  let last: { result: unknown; told: string } | undefined;
  /** Outcomes as text, with the call that had them first. */
  const seen = new Map<string, number>();
  for (let call = 0; call < calls.length; call++) {
    const args = calls[call]!.map(decode);
    const given = spoil ? bytesAmong(args).map((bytes) => ({ bytes, before: copyOf(bytes) })) : [];
    const before = watch ? stringify(encode(args)) : "";
    let returned: unknown;
    let changed = false;
    const outcome = await outcomeOf(() => run(...args), (result) => {
      returned = result;
      changed = before !== "" && stringify(encode(args)) !== before;
      for (const { bytes, before } of given) {
        changed = changed || !sameBytes(bytes, before);
        fillBytes(new bytesClass(bufferOf(bytes)));
      }
      return encoded(result);
    }, brief);
    // What the caller still has: its arguments after an error, too, and what it was given the last time.
    if (!outcome.ok) changed = before !== "" && stringify(encode(args)) !== before;
    const overwrote = last !== undefined && textOf(encoded, last.result) !== last.told;
    last = watch && outcome.ok ? { result: returned, told: stringify(outcome.value) } : undefined;
    // Not among the events that are cut at a number: each is the answer to an order.
    const told = {
      ...outcome,
      ...(changed && { changed }),
      ...(overwrote && { overwrote }),
    };
    const event = { at: 0, event: "outcome", order: id, call } as const;
    const text = brief === undefined ? "" : stringify(told);
    const same = text === "" ? undefined : seen.get(text);
    if (text !== "" && same === undefined && text.length <= MAX_SEEN_CHARS) seen.set(text, call);
    tell(same === undefined ? { ...event, outcome: told } : { ...event, same });
  }
  reportReplaced();
  say({ id, ok: true, value: encode(undefined) });
}

/** A result as it is told, as text. A getter of the exercise's may throw. */
function textOf(tell: (result: unknown) => WireValue, result: unknown): string {
  try {
    return stringify(tell(result));
  } catch {
    return "";
  }
}

/** The byte arrays in a list of arguments, at any depth. */
function bytesAmong(value: unknown): Uint8Array[] {
  if (isBytes(value)) return [bytesOf(value)!];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(bytesAmong);
}

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new bytesClass(bytes);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const length = lengthOf(b);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return lengthOf(a) === length;
}

function fillBytes(bytes: Uint8Array): void {
  const length = lengthOf(bytes);
  for (let i = 0; i < length; i++) bytes[i] = SPOILT;
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** Bytes of the heap and of buffers beside it that are still referred to. */
function memoryInUse(): number {
  // Buffers are given back after the collection that found them.
  for (let i = 0; i < 2; i++) collectGarbage?.();
  const { heapUsed, external } = memoryUsage();
  return heapUsed + external;
}

/** A function for the learner's code to call: the suite sees each call and ends it. */
function makeCallback(): (...args: unknown[]) => unknown {
  let calls = 0;
  const callback = (...args: unknown[]): unknown => {
    const handle = hold(callback);
    const call = ++calls;
    emit({ event: "callback", handle, call, args: args.map((arg) => encode(arg)) });
    const script = scripts.get(handle);
    if (script) return script();
    return new promiseClass((resolve, reject) => {
      settlers.set(`${handle} ${call}`, ({ throws, error, value }) => {
        if (throws === undefined) resolve(value);
        else reject(new (errorClasses[error ?? ""] ?? Error)(throws));
      });
    });
  };
  return callback;
}

/** An async iterable of the suite's: each call of its iterator is a call of `callback`. */
function makeFeed(callback: (...args: unknown[]) => unknown): AsyncIterable<unknown> {
  const iterator = {
    next: () => callback("next") as Promise<IteratorResult<unknown>>,
    return: () => callback("return") as Promise<IteratorResult<unknown>>,
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

/** Begins to iterate `object`, or its property of that name. */
function iteratorOf(object: unknown, name: string | undefined): object {
  const target = name === undefined ? object : (object as Record<string, unknown>)[name];
  const iterable = target as Partial<AsyncIterable<unknown> & Iterable<unknown>> | undefined;
  const begin: ((this: unknown) => object) | undefined = iterable?.[Symbol.asyncIterator] ??
    iterable?.[Symbol.iterator];
  if (!begin) throw new TypeError(`${name ?? "The result"} is not async iterable`);
  return begin.call(iterable);
}

/** What an iterator still yields. */
async function collected(iterator: AsyncIterator<unknown>, most: number): Promise<unknown[]> {
  const values: unknown[] = [];
  while (values.length < most) {
    const { value, done } = await iterator.next();
    if (done) break;
    append(values, value);
  }
  return values;
}

async function obey(order: Order): Promise<void> {
  const { id } = order;
  const done = (value: unknown) => say({ id, ok: true, value: encode(value) });
  switch (order.op) {
    case "load": {
      const exports = await load(order.url, order.rawOnly === true);
      reportReplaced();
      return say({ id, ok: true, exports });
    }
    case "call": {
      const run = exercise[order.name] as (...args: unknown[]) => unknown;
      return await answerCall(id, () => run(...order.args.map(decode)), order);
    }
    case "callEach":
      return await callEach(order);
    case "construct": {
      const Class = exercise[order.name] as new (...args: unknown[]) => unknown;
      return await answerCall(id, () => new Class(...order.args.map(decode)));
    }
    case "method": {
      const object = holding(order.handle) as Record<string, (...args: unknown[]) => unknown>;
      const run = () => object[order.name]!(...order.args.map(decode));
      const { bind } = order;
      const thenBind = async () => {
        await run();
        return canBind(bind!);
      };
      return await answerCall(id, bind ? thenBind : run, order);
    }
    case "get":
      return await answerCall(
        id,
        () => (holding(order.handle) as Record<string, unknown>)[order.name],
      );
    case "value":
      return done(holding(order.handle));
    case "hold":
      return say({ id, ok: true, value: handleValue(decode(order.value) as object, "object") });
    case "iterate":
      return await answerCall(id, () => iteratorOf(holding(order.handle), order.name), {
        hold: true,
      });
    case "collect": {
      const iterator = holding(order.handle) as AsyncIterator<unknown>;
      return await answerCall(id, () => collected(iterator, order.most));
    }
    case "dial": {
      const { hostname, port, cuts } = order;
      const conn = await original.connect({ hostname, port });
      adopt(conn, "conn", cuts);
      return done(conn);
    }
    case "datagram": {
      const { hostname } = order;
      const socket = original.listenDatagram({ hostname, port: 0, transport: "udp" });
      adopt(socket, "datagram");
      return done(socket);
    }
    case "listen": {
      const { hostname, port } = order;
      const listener = original.listen({ hostname, port });
      adopt(listener, "listener");
      return done(listener);
    }
    case "accept": {
      const conn = await acceptQuietly(holding(order.handle) as Deno.TcpListener);
      adopt(conn, "conn");
      return done(conn);
    }
    case "callback":
      return done(makeCallback());
    case "feed": {
      const callback = makeCallback();
      const items = [handleValue(callback, "function"), handleValue(makeFeed(callback), "object")];
      return say({ id, ok: true, value: { is: "array", items } });
    }
    case "script": {
      const { handle, throwsSync, returns } = order;
      const value = returns && decode(returns);
      scripts.set(handle, () => {
        if (throwsSync !== undefined) throw new Error(throwsSync);
        return value;
      });
      return done(undefined);
    }
    case "settle": {
      const key = `${order.handle} ${order.call}`;
      const { throws, error, value } = order;
      settlers.get(key)?.({
        ...(throws !== undefined && { throws }),
        ...(error !== undefined && { error }),
        ...(value && { value: decode(value) }),
      });
      settlers.delete(key);
      return done(undefined);
    }
    case "close":
      closeQuietly(holding(order.handle));
      return done(undefined);
    case "limits":
      setLimits(order.limits);
      return done(undefined);
    case "faults":
      setFaults(order.faults);
      return done(undefined);
    case "memory":
      return done(memoryInUse());
    case "state":
      return say({ id, ok: true, state: stateNow() });
    case "tidy":
      setLimits({});
      setFaults([]);
      for (const handle of order.handles) closeQuietly(holding(handle));
      await rest(order.timersWithinMs);
      reportReplaced();
      return say({ id, ok: true, state: stateNow(), marked: markEnd() });
    case "elapse":
      await elapse(order.ms);
      return say({ id, ok: true, state: stateNow() });
    case "rest":
      await rest(order.timersWithinMs, order);
      reportReplaced();
      return say({ id, ok: true, state: stateNow() });
  }
}

/** Keeps the learner's code from what the host needs: its tools, its orders, and what ends the process. */
function guardProcess(): void {
  pinTools();
  // They outlive the process, and a worker would run beside what is watched.
  for (const name of ["localStorage", "caches", "Worker"]) Reflect.deleteProperty(globalThis, name);
  const closed = { read: () => Promise.resolve(null), readSync: () => null, close() {} };
  Object.defineProperty(Deno, "stdin", { value: closed, configurable: true });
  Deno.exit = (code?: number): never => {
    emit({ event: "exit", code: code ?? Deno.exitCode });
    return exit(code);
  };
  for (const name of ["log", "info", "debug"] as const) console[name] = console.error;
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    emit({ event: "unhandled", error: encodeError(event.reason) });
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    emit({ event: "unhandled", error: encodeError(event.error) });
  });
}

/** Makes fast what would let the exercise read or change the host's lines while they are written. */
function pinTools(): void {
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
  for (const name of ["length", "buffer", "byteLength", "byteOffset"]) {
    const getter = Object.getOwnPropertyDescriptor(typedArray, name)!;
    Object.defineProperty(typedArray, name, { ...getter, configurable: false });
  }
  for (const prototype of [Object.prototype, Array.prototype]) {
    // Assigning toJSON to an object of one's own still works; giving one to all objects does not.
    Object.defineProperty(prototype, "toJSON", {
      configurable: false,
      get: () => undefined,
      set(this: object, value: unknown) {
        if (this === prototype) return;
        const own = { value, writable: true, enumerable: true, configurable: true };
        Object.defineProperty(this, "toJSON", own);
      },
    });
  }
}

const CHUNK_BYTES = 65536;
const chunkBuffer = new ArrayBuffer(CHUNK_BYTES);
const chunk = privateBytes(chunkBuffer, CHUNK_BYTES);
/** What has come since the end of the last line. Only what is new is searched: a line may have megabytes. */
let begun = "";
let fresh = "";

/** Lines of standard input, until it ends. */
async function nextLine(): Promise<string | null> {
  for (;;) {
    const end = fresh.indexOf("\n");
    if (end >= 0) {
      const line = begun + fresh.slice(0, end);
      begun = "";
      fresh = fresh.slice(end + 1);
      return line;
    }
    begun += fresh;
    const size = await readInput(chunk);
    if (size === null) return null;
    fresh = toText(privateBytes(chunkBuffer, size), { stream: true });
  }
}

startObserving(tell);
seal();
guardProcess();
if (Deno.args.includes(STRANGERS)) {
  closeBackDoors();
  pinBuiltIns();
  await meetClasses();
}
setWord(await nextLine() ?? exit(0));
say({ ready: true });
for (let line = await nextLine(); line !== null; line = await nextLine()) {
  const order = parse(line) as Order;
  obey(order).catch((error) => say({ id: order.id, ok: false, error: encodeError(error) }));
}
// The suite is gone: so is the reason to live, whatever the exercise still does.
exit(0);
