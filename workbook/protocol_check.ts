/**
 * Whether a line from the learner's process has the shape of a reply. The code in that process may have changed
 * anything there, so what does not fit is not looked at any further.
 *
 * @module
 */

import type { Reply } from "./protocol.ts";

type Shape = Record<string, unknown>;

const MAX_DEPTH = 12;

/** Whether `value` can be read as a reply without a surprise. */
export function isReply(value: unknown): value is Reply {
  if (!isShape(value)) return false;
  if ("ready" in value) return value.ready === true;
  if ("event" in value) return isEvent(value.event);
  if (typeof value.id !== "number") return false;
  if (value.ok === false) return isError(value.error);
  if (value.ok !== true) return false;
  if ("state" in value) return isState(value.state);
  if ("exports" in value) return listOf(value.exports, isExport);
  return isValue(value.value);
}

function isShape(value: unknown): value is Shape {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown, is: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is);
}

function optional(value: unknown, is: (item: unknown) => boolean): boolean {
  return value === undefined || is(value);
}

const isText = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";

function isExport(value: unknown): boolean {
  return isShape(value) && isText(value.name) && isText(value.type);
}

function isAddr(value: unknown): boolean {
  return isShape(value) && isText(value.transport) && optional(value.hostname, isText) &&
    optional(value.port, isNumber) && optional(value.path, isText);
}

function isEvent(value: unknown): boolean {
  return isShape(value) && isText(value.event) && isNumber(value.at) &&
    optional(value.addr, isAddr) && optional(value.remoteAddr, isAddr) &&
    optional(value.error, (error) => isError(error)) && optional(value.head, isBase64) &&
    optional(value.asked, isShape) &&
    optional(value.args, (args) => listOf(args, (arg) => isValue(arg))) &&
    optional(value.names, (names) => listOf(names, isText)) &&
    optional(value.size, (size) => size === null || isNumber(size)) &&
    (value.event !== "outcome" ||
      (isNumber(value.order) && isNumber(value.call) &&
        (isNumber(value.same) || isOutcome(value.outcome)))) &&
    (value.event !== "unhandled" || value.error !== undefined) &&
    (value.event !== "callback" || (isText(value.handle) && isNumber(value.call)));
}

function isOutcome(value: unknown): boolean {
  return isShape(value) && (value.ok === true ? isValue(value.value) : isError(value.error));
}

function isState(value: unknown): boolean {
  return isShape(value) && listOf(value.timersMs, isNumber) &&
    listOf(
      value.pending,
      (call) => isShape(call) && isText(call.api) && optional(call.remoteAddr, isAddr),
    ) &&
    listOf(
      value.open,
      (socket) => isShape(socket) && isText(socket.kind) && optional(socket.addr, isAddr),
    );
}

function isError(value: unknown, depth = 0): boolean {
  if (depth > MAX_DEPTH || !isShape(value)) return false;
  const inner = (error: unknown) => isError(error, depth + 1);
  return isText(value.name) && isText(value.message) && listOf(value.classes, isText) &&
    optional(value.at, isText) && optional(value.status, isNumber) &&
    optional(value.code, isText) && optional(value.cause, inner) &&
    optional(value.errors, (errors) => listOf(errors, (error) => inner(error))) &&
    optional(value.thrown, (thrown) => isValue(thrown));
}

function isBase64(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value) &&
    value.length % 4 === 0;
}

function isValue(value: unknown, level = 0): boolean {
  if (level > MAX_DEPTH || !isShape(value)) return false;
  const inner = (item: unknown) => isValue(item, level + 1);
  switch (value.is) {
    case "json":
      return !isShape(value.value) && !Array.isArray(value.value);
    case "undefined":
      return true;
    case "number":
    case "symbol":
    case "cut":
      return isText(value.text);
    case "bigint":
      return typeof value.text === "string" && /^-?\d+$/.test(value.text);
    case "bytes":
      return isBase64(value.base64);
    case "digest":
      return isText(value.handle) && isNumber(value.length) && isBase64(value.sha256);
    case "array":
      return Array.isArray(value.items) && value.items.every((item) => inner(item));
    case "record":
      return listOf(
        value.entries,
        (entry) =>
          Array.isArray(entry) && isText(entry[0]) &&
          (isText(entry[1]) || isNumber(entry[1]) || inner(entry[1])),
      );
    case "error":
      return isError(value.error);
    case "handle":
      return isText(value.handle) && isText(value.className) && optional(value.addr, isAddr) &&
        ["listener", "conn", "datagram", "function", "object"].includes(value.kind as string) &&
        (!["listener", "conn", "datagram"].includes(value.kind as string) || isAddr(value.addr));
    default:
      return false;
  }
}
