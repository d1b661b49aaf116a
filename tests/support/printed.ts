/**
 * What a process of the learner's prints: kept up to a limit, counted, and split where a test ended.
 *
 * @module
 */

import { concat } from "./bytes.ts";

/** Output of one test that is kept, in bytes. */
const KEPT_BYTES = 16 * 1024;

/** What was printed since it was last cleared. */
export class Printed {
  #parts: Uint8Array[] = [];
  #kept = 0;
  /** All of it, in bytes, also what is not kept. */
  bytes = 0;

  add(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    const room = KEPT_BYTES - this.#kept;
    if (room <= 0) return;
    const part = bytes.slice(0, room);
    this.#parts.push(part);
    this.#kept += part.length;
  }

  /** What is kept of it, as text. */
  get text(): string {
    const decoder = new TextDecoder();
    return this.#parts.map((part) => decoder.decode(part, { stream: true })).join("") +
      decoder.decode();
  }

  /** How many bytes are not kept. */
  get left(): number {
    return this.bytes - this.#kept;
  }

  clear(): void {
    this.#parts = [];
    this.#kept = 0;
    this.bytes = 0;
  }
}

/**
 * Reads a stream to its end: calls `keep` with its bytes, and `onMark` wherever it has `mark`, which is not passed on,
 * in whatever pieces it comes.
 */
export async function readMarked(
  stream: AsyncIterable<Uint8Array>,
  mark: Uint8Array,
  keep: (bytes: Uint8Array) => void,
  onMark: () => void,
): Promise<void> {
  /** What may be the beginning of a mark. */
  let begun: Uint8Array = new Uint8Array();
  for await (const chunk of stream) {
    let rest = begun.length > 0 ? concat(begun, chunk) : chunk;
    for (let at = placeOf(mark, rest); at + mark.length <= rest.length; at = placeOf(mark, rest)) {
      if (at > 0) keep(rest.subarray(0, at));
      onMark();
      rest = rest.subarray(at + mark.length);
    }
    const at = placeOf(mark, rest);
    if (at > 0) keep(rest.subarray(0, at));
    begun = rest.slice(at);
  }
  if (begun.length > 0) keep(begun);
}

/** Where `mark` begins in `bytes`, or what there is of it at their end; else their length. */
function placeOf(mark: Uint8Array, bytes: Uint8Array): number {
  for (let at = bytes.indexOf(mark[0]!); at >= 0; at = bytes.indexOf(mark[0]!, at + 1)) {
    const size = Math.min(mark.length, bytes.length - at);
    let same = 1;
    while (same < size && bytes[at + same] === mark[same]) same++;
    if (same === size) return at;
  }
  return bytes.length;
}
