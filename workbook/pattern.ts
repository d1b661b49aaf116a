/**
 * Long sequences of bytes that both sides of the process boundary make by themselves, so that megabytes need not
 * cross it.
 *
 * @module
 */

/** A prime, so that a piece lost or repeated does not line up with the sequence again. */
const BLOCK_BYTES = 65_521;

/**
 * `length` bytes drawn from `seed` (xorshift, Marsaglia 2003), the same wherever they are made. Seed 0 gives zeros, which
 * the system does not even make before somebody writes there.
 */
export function patternBytes(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  if (seed === 0) return bytes;
  let x = (seed | 0) || 1;
  const end = Math.min(length, BLOCK_BYTES);
  for (let i = 0; i < end; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  for (let done = BLOCK_BYTES; done < length; done *= 2) bytes.copyWithin(done, 0, done);
  return bytes;
}
