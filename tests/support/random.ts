/**
 * Numbers that differ per run and can be had again: everything is drawn from the run's seed.
 *
 * @module
 */

import { patternBytes } from "../../workbook/pattern.ts";
import { SUITE_ENV } from "../../workbook/records.ts";

/** As many bytes take long to draw one by one. */
const MANY = 8_192;

/** A source of numbers with a seed (mulberry32: small, and good enough to make payloads). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  /** So many bytes of any value. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    if (count >= MANY) return patternBytes(this.integer(1, 0x7fff_ffff), count);
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.integer(0, 255);
    return bytes;
  }

  /** A word of lower-case letters. */
  word(length = 6): string {
    return Array.from({ length }, () => String.fromCharCode(this.integer(97, 122))).join("");
  }
}

/** The seed of this run: the runner's, or one of its own when the suite is run by hand. */
export const seed = Number(
  Deno.env.get(SUITE_ENV.seed) ?? crypto.getRandomValues(new Uint32Array(1))[0],
);
