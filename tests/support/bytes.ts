/**
 * Bytes as a person reads them.
 *
 * @module
 */

import { fail } from "./failure.ts";

const SHOWN = 32;
const NAMED: Record<number, string> = { 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\" };

/** The bytes of a text in UTF-8. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** All parts in one piece. */
export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** `"he\x00llo"`: printable ASCII as it is, everything else escaped. */
export function escapeBytes(data: Uint8Array): string {
  return `"${Array.from(data, escapeByte).join("")}"`;
}

function escapeByte(byte: number): string {
  if (NAMED[byte]) return NAMED[byte];
  if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** Fails unless both hold the same bytes; shows both around the first difference, and marks it. */
export function expectBytes(received: Uint8Array, expected: Uint8Array, mistake?: string): void {
  if (!(received instanceof Uint8Array)) {
    // What comes from the exercise may be anything, whatever its type says.
    fail({ expected: escapeBytes(expected), received: notBytes(received), mistake });
  }
  const at = firstDifference(received, expected);
  if (at < 0) return;
  const from = at < SHOWN ? 0 : at - 8;
  const [shownExpected] = window(expected, from, at);
  const [shownReceived, column] = window(received, from, at);
  const what = at >= received.length
    ? { en: `the end, after ${countBytes(at)}`, ko: `${at}바이트 뒤에서 끝남` }
    : at >= expected.length
    ? { en: `byte ${at} is one too many`, ko: `${at}번째 바이트부터 남음` }
    : { en: `byte ${at} differs`, ko: `${at}번째 바이트가 다름` };
  fail({ expected: shownExpected, received: shownReceived, mark: { column, text: what }, mistake });
}

function notBytes(value: unknown) {
  const is = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return { en: `no Uint8Array (${is})`, ko: `Uint8Array 가 아님 (${is})` };
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = sameWords(a, b, length); i < length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : length;
}

/** How many bytes are the same in both as far as whole words go: quick over megabytes. */
function sameWords(a: Uint8Array, b: Uint8Array, length: number): number {
  if (a.byteOffset % 4 || b.byteOffset % 4) return 0;
  const count = length >> 2;
  const [x, y] = [a, b].map(({ buffer, byteOffset }) => new Uint32Array(buffer, byteOffset, count));
  let i = 0;
  while (i < count && x![i] === y![i]) i++;
  return i * 4;
}

/** The escaped bytes from `from` on, and the column at which byte `at` stands. */
function window(data: Uint8Array, from: number, at: number): [string, number] {
  const lead = from > 0 ? "…" : "";
  const tail = data.length > from + SHOWN ? "…" : "";
  const shown = escapeBytes(data.subarray(from, from + SHOWN));
  const before = Array.from(data.subarray(from, Math.min(at, data.length)), escapeByte).join("");
  return [`${lead}${shown}${tail} (${countBytes(data.length)})`, lead.length + 1 + before.length];
}

/** `1 byte`, `5 bytes`. */
export function countBytes(count: number): string {
  return count === 1 ? "1 byte" : `${count} bytes`;
}
