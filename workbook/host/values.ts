/**
 * Turns values of the learner's process into JSON and back.
 *
 * Runs beside the learner's code, which may have replaced any built-in: what is needed later is taken
 * from the globals here, at start, before the exercise is loaded. Sockets, functions and other objects
 * that JSON cannot carry stay in this process under a handle.
 *
 * @module
 */

import { bufferOf, bytesOf, isBytes, lengthOf } from "./bytes.ts";
import { append } from "./lists.ts";
import { untilSealed } from "./seal.ts";
import { patternBytes } from "../pattern.ts";
import type { HandleKind, WireAddr, WireArg, WireError, WireValue } from "../protocol.ts";

const MAX_DEPTH = 6;
const MAX_ITEMS = 2_000;
const MAX_TEXT = 4_000;
const MAX_NAME = 80;
const MAX_PLACE = 200;
/** Causes that are told of one error, of whatever depth, and how much of each message. */
const MAX_INNER_ERRORS = 50;
const MAX_INNER_TEXT = 1_000;

const errorClass = Error;
const bytesClass = Uint8Array;
const arrayIsArray = Array.isArray;
const entriesOf = Object.entries;
const prototypeOf = Object.getPrototypeOf;
const plainPrototype = Object.prototype;
const inspect = Deno.inspect;
const isFinite = Number.isFinite;
const isSame = Object.is;
const encodeBase64 = Function.prototype.call.bind(Uint8Array.prototype.toBase64) as (
  bytes: Uint8Array,
) => string;
const decodeBase64 = Uint8Array.fromBase64.bind(Uint8Array);

const held = new Map<string, unknown>();
const handleOf = new WeakMap<object, string>();
let nextHandle = 1;

/** What the socket side of the host knows of an object, if it is a socket. */
export interface SocketFacts {
  resource: number;
  kind: HandleKind;
  addr?: WireAddr;
  remoteAddr?: WireAddr;
  closed: boolean;
}

let factsOf: (value: object) => SocketFacts | undefined = () => undefined;
/** Causes told so far of the error that is being told. */
let innerErrors = 0;
let homeUrl = "";
/** The same as stack traces show it: with spaces and letters of any script as they are. */
let homeShown = "";

/** Tells this module how to recognise sockets. */
function setSocketFacts(facts: (value: object) => SocketFacts | undefined): void {
  factsOf = facts;
}

/** Tells this module which folder is the learner's, to find the learner's own lines in a stack. */
function setHome(url: string): void {
  homeUrl = url;
  homeShown = decodeURIComponent(url);
}

/** Keeps `value` under a handle; the same object keeps its handle. */
function hold(value: object): string {
  let handle = handleOf.get(value);
  if (handle === undefined) {
    handle = `h${nextHandle++}`;
    handleOf.set(value, handle);
  }
  held.set(handle, value);
  return handle;
}

/** What is kept under `handle`. */
function holding(handle: string): unknown {
  if (!held.has(handle)) throw new errorClass(`No such handle: "${handle}"`);
  return held.get(handle);
}

/** Bytes to base64. */
function toBase64(bytes: Uint8Array): string {
  return encodeBase64(bytes);
}

/** Base64 to bytes. */
export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return decodeBase64(base64);
}

/** Makes `value` fit for JSON. Never throws: what cannot be told is told as text. */
function encode(value: unknown, depth = 0): WireValue {
  try {
    return encodeUnsafe(value, depth);
  } catch (error) {
    const why = error instanceof errorClass ? safeText(() => error.message) : textOf(error);
    return { is: "cut", text: `(cannot be shown: ${why})` };
  }
}

function encodeUnsafe(value: unknown, depth: number): WireValue {
  switch (typeof value) {
    case "undefined":
      return { is: "undefined" };
    case "boolean":
      return { is: "json", value };
    case "string":
      return value.length > MAX_TEXT * 20
        ? { is: "cut", text: value.slice(0, MAX_TEXT) }
        : { is: "json", value };
    case "number":
      return isFinite(value) && !Object.is(value, -0)
        ? { is: "json", value }
        : { is: "number", text: Object.is(value, -0) ? "-0" : `${value}` };
    case "bigint":
      return { is: "bigint", text: `${value}` };
    case "symbol":
      return { is: "symbol", text: inspect(value) };
    case "function":
      return handleValue(value, "function");
  }
  if (value === null) return { is: "json", value: null };
  const object = value as object;
  const facts = factsOf(object);
  if (facts) return { ...handleValue(object, facts.kind), ...factFields(facts) };
  if (isBytes(object)) return { is: "bytes", base64: toBase64(bytesOf(object)!) };
  if (object instanceof errorClass) return { is: "error", error: encodeError(object) };
  if (depth >= MAX_DEPTH) return { is: "cut", text: cut(inspect(object)) };
  if (arrayIsArray(object)) {
    const items: WireValue[] = [];
    for (let i = 0; i < object.length && i < MAX_ITEMS; i++) {
      append(items, encode(object[i], depth + 1));
    }
    return { is: "array", items };
  }
  const prototype = prototypeOf(object);
  if (prototype === plainPrototype || prototype === null) {
    const entries: [string, WireValue | string | number][] = [];
    for (const [key, item] of entriesOf(object)) {
      if (entries.length >= MAX_ITEMS) break;
      append(entries, [key, encodeEntry(item, depth + 1)]);
    }
    return { is: "record", entries };
  }
  return handleValue(object, "object");
}

/** What a record holds: most of it is told as it is. */
function encodeEntry(value: unknown, depth: number): WireValue | string | number {
  const isPlain = typeof value === "string"
    ? value.length <= MAX_TEXT
    : typeof value === "number" && isFinite(value) && !isSame(value, -0);
  return isPlain ? value as string | number : encode(value, depth);
}

/**
 * The same for objects that a contract describes by their fields, alone or in a list: an instance of a class is told by
 * these, whether they are its own or come from getters. A getter's error is the caller's.
 */
function encodeFields(value: unknown, fields: string[]): WireValue {
  if (typeof value !== "object" || value === null) return encode(value);
  if (arrayIsArray(value)) {
    const items: WireValue[] = [];
    for (let i = 0; i < value.length && i < MAX_ITEMS; i++) {
      append(items, arrayIsArray(value[i]) ? encode(value[i], 1) : encodeFields(value[i], fields));
    }
    return { is: "array", items };
  }
  const prototype = prototypeOf(value);
  const isPlain = prototype === plainPrototype || prototype === null;
  if (isPlain || isBytes(value) || factsOf(value) || value instanceof errorClass) {
    return encode(value);
  }
  const entries: [string, WireValue | string | number][] = [];
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    if (field in value) {
      append(entries, [field, encodeEntry((value as Record<string, unknown>)[field], 1)]);
    }
  }
  return entries.length === 0 ? encode(value) : { is: "record", entries };
}

function factFields(facts: SocketFacts) {
  return {
    resource: facts.resource,
    closed: facts.closed,
    ...(facts.addr && { addr: facts.addr }),
    ...(facts.remoteAddr && { remoteAddr: facts.remoteAddr }),
  };
}

/** What stands for an object that stays here. */
function handleValue(object: object, kind: HandleKind): WireValue & { is: "handle" } {
  let className = kind === "function" ? "Function" : "Object";
  try {
    const name = (object as { constructor?: { name?: unknown } }).constructor?.name;
    if (typeof name === "string" && name) className = cut(name, MAX_NAME);
  } catch {
    // A getter of the learner's may throw; the class name is only for display.
  }
  return { is: "handle", handle: hold(object), kind, className };
}

/** Describes something that was thrown, whatever it is; an error of the class `brief` without its place. */
function encodeError(error: unknown, depth = 0, brief?: string): WireError {
  if (!(error instanceof errorClass)) {
    return {
      name: "",
      message: cut(textOf(error)),
      classes: [],
      thrown: encode(error, MAX_DEPTH - 1),
    };
  }
  const wire: WireError = {
    name: cut(safeText(() => error.name), MAX_NAME),
    message: cut(safeText(() => error.message), depth === 0 ? MAX_TEXT : MAX_INNER_TEXT),
    classes: classesOf(error),
  };
  innerErrors = depth === 0 ? 0 : innerErrors + 1;
  const isBrief = brief !== undefined && hasName(wire.classes, brief);
  const at = isBrief ? undefined : placeIn(safeText(() => error.stack ?? ""));
  if (at) wire.at = cut(at, MAX_PLACE);
  const status = safely(() => (error as { status?: unknown }).status);
  if (typeof status === "number" && isFinite(status)) wire.status = status;
  const code = safely(() => (error as { code?: unknown }).code);
  if (typeof code === "string") wire.code = cut(code, MAX_NAME);
  if (depth < 3) {
    const cause = safely(() => error.cause);
    if (cause !== undefined) wire.cause = encodeError(cause, depth + 1);
    const errors = safely(() => (error as AggregateError).errors);
    if (arrayIsArray(errors)) {
      wire.errors = [];
      for (let i = 0; i < errors.length && innerErrors < MAX_INNER_ERRORS; i++) {
        append(wire.errors, encodeError(errors[i], depth + 1));
      }
    }
  }
  return wire;
}

function classesOf(error: object): string[] {
  const names: string[] = [];
  for (
    let p = prototypeOf(error);
    p && p !== plainPrototype && names.length < 10;
    p = prototypeOf(p)
  ) {
    append(names, cut(safeText(() => p.constructor.name), MAX_NAME));
  }
  return names;
}

function hasName(names: string[], name: string): boolean {
  for (let i = 0; i < names.length; i++) if (names[i] === name) return true;
  return false;
}

/** The first place of a stack trace that lies in the learner's folder. */
export function placeIn(stack: string): string | undefined {
  if (!homeUrl) return undefined;
  const home = stack.includes(homeUrl) ? homeUrl : homeShown;
  const start = stack.indexOf(home);
  if (start < 0) return undefined;
  return /^[^\s:)]*:\d+:\d+/.exec(stack.slice(start + home.length))?.[0];
}

function safely<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

function safeText(get: () => unknown): string {
  const value = safely(get);
  return typeof value === "string" ? value : value === undefined ? "" : textOf(value);
}

function textOf(value: unknown): string {
  try {
    return typeof value === "string" ? value : inspect(value);
  } catch {
    return "(a value that cannot be shown)";
  }
}

/** The beginning of a text, for what nobody reads to its end. */
export function cut(text: string, most = MAX_TEXT): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** The value of an argument that the suite sent. */
function decode(arg: WireArg): unknown {
  switch (arg.is) {
    case "json":
      return arg.value;
    case "undefined":
      return undefined;
    case "number":
      return Number(arg.text);
    case "bytes":
      return arg.within ? viewWithin(fromBase64(arg.base64), arg.within) : fromBase64(arg.base64);
    case "pattern":
      return patternBytes(arg.seed, arg.length);
    case "array":
      return arg.items.map(decode);
    case "record":
      return Object.fromEntries(arg.entries.map(([key, item]) => [key, decode(item)]));
    case "handle":
      return holding(arg.handle);
  }
}

/** The same bytes as a view into a buffer that has others before and after them. */
function viewWithin(bytes: Uint8Array, around: number): Uint8Array {
  const length = lengthOf(bytes);
  const buffer = new bytesClass(length + 2 * around);
  for (let i = 0; i < length + 2 * around; i++) {
    buffer[i] = i < around || i >= around + length ? 0xee : bytes[i - around]!;
  }
  return new bytesClass(bufferOf(buffer), around, length);
}

/** What the rest of the host uses of this module. */
export const valueTools = untilSealed({
  setSocketFacts,
  setHome,
  hold,
  holding,
  toBase64,
  encode,
  encodeFields,
  handleValue,
  encodeError,
  decode,
});
