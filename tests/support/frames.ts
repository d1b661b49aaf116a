/**
 * The wire format of lesson 5, as scripted peers speak it.
 *
 * A frame is a 32-bit big-endian length and that many bytes: one line of JSON, then the body.
 *
 * @module
 */

import { concat } from "./bytes.ts";
import { toBase64 } from "./wire.ts";

/** The line that says what a frame is. */
export type Header = { type: string } & Record<string, unknown>;

/** One frame. */
export interface Frame {
  header: Header;
  /** Of a long frame only so much as its parser keeps. */
  body: Uint8Array<ArrayBuffer>;
  /** How many bytes the whole body has. */
  bodyBytes: number;
}

export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const CHUNK_BYTES = 65_536;
export const MAX_DIALS_PER_LIST = 64;
const LF = 10;

/** The bytes of a frame. */
export function encodeFrame(header: Header, body = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  return prefixed(new TextEncoder().encode(`${JSON.stringify(header)}\n`), body);
}

/** A length, and then `parts`, whatever they are. */
export function prefixed(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return concat(lengthPrefix(length), ...parts);
}

/** The four bytes that announce `length` bytes. */
export function lengthPrefix(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
}

/** Bytes in, frames out. Throws at the first that is none. */
export class FrameParser {
  readonly #prefix = new Uint8Array(4);
  readonly #mostKept: number;
  #payload: Uint8Array<ArrayBuffer> | undefined;
  /** Bytes of the prefix or of the payload that are to come, and those that have come. */
  #length = 4;
  #came = 0;

  /** Of longer frames only the first `mostKept` bytes are kept. */
  constructor(mostKept = MAX_FRAME_BYTES) {
    this.#mostKept = mostKept;
  }

  /** Takes what a read gave, and gives the frames that are whole now. */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (at < bytes.length) {
      const target = this.#payload ?? this.#prefix;
      const count = Math.min(bytes.length - at, this.#length - this.#came);
      const room = target.length - this.#came;
      if (room > 0) target.set(bytes.subarray(at, at + Math.min(count, room)), this.#came);
      this.#came += count;
      at += count;
      if (this.#came < this.#length) break;
      this.#came = 0;
      if (this.#payload) {
        frames.push(decode(this.#payload, this.#length));
        this.#payload = undefined;
        this.#length = 4;
      } else {
        const length = new DataView(this.#prefix.buffer).getUint32(0);
        if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes`);
        if (length === 0) throw new RangeError("a frame without a header");
        this.#length = length;
        this.#payload = new Uint8Array(Math.min(length, this.#mostKept));
      }
    }
    return frames;
  }
}

/** The frame of `length` bytes of which `payload` was kept. */
function decode(payload: Uint8Array<ArrayBuffer>, length: number): Frame {
  const end = payload.indexOf(LF);
  if (end < 0) throw new TypeError("a frame without a line feed");
  const line = new TextDecoder().decode(payload.subarray(0, end));
  let header: unknown;
  try {
    header = JSON.parse(line);
  } catch {
    throw new TypeError(`a header that is no JSON: ${JSON.stringify(line.slice(0, 40))}`);
  }
  if (typeof (header as Header | null)?.type !== "string") {
    throw new TypeError(`a header without type: ${line.slice(0, 40)}`);
  }
  return { header: header as Header, body: payload.subarray(end + 1), bodyBytes: length - end - 1 };
}

/** Content as the format shares it. */
export interface SharedContent {
  bytes: Uint8Array<ArrayBuffer>;
  hash: string;
  /** The SHA-256 of all bytes, in base64. */
  sha256: string;
  /** The SHA-256 of every chunk, in order. */
  manifest: Uint8Array<ArrayBuffer>;
  chunks: Uint8Array<ArrayBuffer>[];
}

/** The hash, the manifest and the chunks of `bytes`. */
export async function sharedContent(bytes: Uint8Array<ArrayBuffer>): Promise<SharedContent> {
  const chunks = Array.from(
    { length: Math.ceil(bytes.length / CHUNK_BYTES) },
    (_, i) => bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  );
  const manifest = concat(...await Promise.all(chunks.map(sha256)));
  const [hash, whole] = await Promise.all([sha256(manifest), sha256(bytes)]);
  return { bytes, chunks, manifest, hash: hexOf(hash), sha256: toBase64(whole) };
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Lower-case hexadecimal digits. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
