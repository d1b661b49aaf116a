/**
 * Values on their way to and from the learner's process, on the suite's side.
 *
 * @module
 */

import type {
  HandleKind,
  WireAddr,
  WireArg,
  WireError,
  WireValue,
} from "../../workbook/protocol.ts";
import { patternBytes } from "../../workbook/pattern.ts";

/** Something that stays in the learner's process and is known here by its handle. */
export class Remote {
  constructor(
    readonly handle: string,
    readonly kind: HandleKind,
    /** The name of its class, e.g. `TcpConn`. */
    readonly className: string,
    /** Its own address, for a socket. */
    readonly addr?: WireAddr,
    readonly remoteAddr?: WireAddr,
    /** Whether the learner's process had closed it when it was handed over. */
    readonly closed = false,
    readonly resource?: number,
  ) {}
}

/** A value that JSON and this module cannot carry; `text` is how the learner's process shows it. */
export class Unshown {
  constructor(readonly text: string) {}
}

/** An error that came as a value. */
export class RemoteError {
  constructor(readonly wire: WireError) {}
}

/** Bytes that stay in the learner's process, and their SHA-256 in base64. */
export class Digest {
  constructor(readonly handle: string, readonly length: number, readonly sha256: string) {}
}

/** An argument that is a view into a longer buffer, with `around` other bytes before and after. */
export class View {
  constructor(readonly bytes: Uint8Array, readonly around = 5) {}
}

/** An argument of many bytes, which the learner's process makes by itself; zeros if the seed is 0. */
export class Pattern {
  constructor(readonly seed: number, readonly length: number) {}

  /** The same bytes here. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return patternBytes(this.seed, this.length);
  }
}

/** Bytes to base64. */
export function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/** Base64 to bytes. */
export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(base64);
}

/** An argument as the host takes it. */
export function encodeArg(value: unknown): WireArg {
  if (value === undefined) return { is: "undefined" };
  if (value instanceof Remote) return { is: "handle", handle: value.handle };
  if (value instanceof Uint8Array) return { is: "bytes", base64: toBase64(value) };
  if (value instanceof View) {
    return { is: "bytes", base64: toBase64(value.bytes), within: value.around };
  }
  if (value instanceof Pattern) {
    return { is: "pattern", seed: value.seed, length: value.length };
  }
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { is: "number", text: Object.is(value, -0) ? "-0" : `${value}` };
  }
  if (Array.isArray(value)) return { is: "array", items: value.map(encodeArg) };
  if (typeof value === "object" && value !== null) {
    return { is: "record", entries: Object.entries(value).map(([k, v]) => [k, encodeArg(v)]) };
  }
  return { is: "json", value };
}

/** A value that the host sent. */
export function decodeValue(wire: WireValue): unknown {
  switch (wire.is) {
    case "json":
      return wire.value;
    case "undefined":
      return undefined;
    case "number":
      return Number(wire.text);
    case "bigint":
      return BigInt(wire.text);
    case "symbol":
    case "cut":
      return new Unshown(wire.text);
    case "bytes":
      return fromBase64(wire.base64);
    case "digest":
      return new Digest(wire.handle, wire.length, wire.sha256);
    case "array":
      return wire.items.map(decodeValue);
    case "record":
      return Object.fromEntries(
        wire.entries.map((
          [key, item],
        ) => [key, typeof item === "object" ? decodeValue(item) : item]),
      );
    case "error":
      return new RemoteError(wire.error);
    case "handle":
      return new Remote(
        wire.handle,
        wire.kind,
        wire.className,
        wire.addr,
        wire.remoteAddr,
        wire.closed,
        wire.resource,
      );
  }
}
