/**
 * Writes a ZIP file whose bytes depend on its files alone: the same files make the same archive.
 *
 * @module
 */

import { crc32, deflateRawSync } from "node:zlib";

/** A file of an archive. */
export interface ZipFile {
  name: string;
  bytes: Uint8Array;
  /** Permission bits (chmod(2)); 0o644 where none are given. */
  mode?: number;
  /** A link's target stands in its bytes. Only tests write such files. */
  isLink?: boolean;
}

/** The first day that the format knows: 1 January 1980. */
const DATE = 0x0021;
const UTF8 = 1 << 11;
const MADE_BY_UNIX = (3 << 8) | 20;

/** The archive's bytes. APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. */
export function writeZip(files: ZipFile[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes, mode = 0o644, isLink = false } of files) {
    const rawName = new TextEncoder().encode(name);
    const packed = deflateRawSync(bytes, { level: 9 });
    const isSmaller = packed.length < bytes.length;
    const data = isSmaller ? packed : bytes;
    const common = new DataView(new ArrayBuffer(26));
    common.setUint16(0, 20, true);
    common.setUint16(2, UTF8, true);
    common.setUint16(4, isSmaller ? 8 : 0, true);
    common.setUint16(8, DATE, true);
    common.setUint32(10, crc32(bytes), true);
    common.setUint32(14, data.length, true);
    common.setUint32(18, bytes.length, true);
    common.setUint16(22, rawName.length, true);
    const fields = new Uint8Array(common.buffer);
    const local = [u32(0x04034b50), fields, rawName, data];
    const type = name.endsWith("/") ? 0o040000 : isLink ? 0o120000 : 0o100000;
    directory.push(
      u32(0x02014b50),
      u16(MADE_BY_UNIX),
      fields,
      // No comment, first disk, no text marks.
      new Uint8Array(6),
      u32((((type | mode) << 16) | (name.endsWith("/") ? 0x10 : 0)) >>> 0),
      u32(offset),
      rawName,
    );
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  }
  const directoryBytes = directory.reduce((sum, part) => sum + part.length, 0);
  const end = [
    u32(0x06054b50),
    u32(0),
    u16(files.length),
    u16(files.length),
    u32(directoryBytes),
    u32(offset),
    u16(0),
  ];
  return joined([...parts, ...directory, ...end]);
}

function u16(value: number): Uint8Array {
  return new Uint8Array([value & 0xff, value >> 8]);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
