/**
 * A reader of ZIP files that nobody has checked: it lists, and it inflates one file at a time, up to a size.
 *
 * It never writes a file, so no name in an archive can lead anywhere. It is strict: an archive whose parts contradict
 * each other is refused, because two programs would read two different things from it. The layout is that of
 * APPNOTE.TXT, sections 4.3 and 4.4; archives in several parts, of 4 GiB and more (ZIP64), and encrypted files are not
 * read.
 *
 * @module
 */

import { crc32, inflateRawSync } from "node:zlib";
import type { Text } from "../text.ts";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 65_535;
/** More files than any class hands in. */
const MAX_ENTRIES = 60_000;
const MAX_DIRECTORY_BYTES = 32 * 1024 * 1024;

const FLAG_ENCRYPTED = 1 << 0;
const FLAG_UTF8 = 1 << 11;
const STORED = 0;
const DEFLATED = 8;
/** In the upper half of the external attributes, where the archive was made on a Unix system (stat(2)). */
const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

/** Thrown where an archive, or a file in it, is not read. */
export class ZipError extends Error {
  override name = "ZipError";

  constructor(readonly sentence: Text) {
    super(sentence.en);
  }
}

/** Bytes that can be read from any place. */
export interface Source {
  size: number;
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** One file of an archive. */
export interface ZipEntry {
  /** Its parts are separated by slashes; a folder's ends in one. */
  name: string;
  kind: "file" | "folder" | "link" | "other";
  /** Bytes when inflated, as the archive says. */
  size: number;
  encrypted: boolean;
  method: number;
  packedSize: number;
  crc: number;
  offset: number;
}

/** Bytes in memory as a source. */
export function memorySource(bytes: Uint8Array<ArrayBuffer>): Source {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
  };
}

/** A file as a source. It is opened for each reading, so that none has to be closed. */
export async function fileSource(path: string): Promise<Source> {
  const { size } = await Deno.stat(path);
  return {
    size,
    async read(offset, length) {
      using file = await Deno.open(path);
      await file.seek(offset, Deno.SeekMode.Start);
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const count = await file.read(bytes.subarray(done));
        if (count === null) break;
        done += count;
      }
      return bytes.slice(0, done);
    },
  };
}

/** An archive. */
export class Zip {
  private constructor(readonly entries: ZipEntry[], readonly source: Source) {}

  /** Reads the list of files. Throws a {@linkcode ZipError} if it is no archive, or none that is read here. */
  static async open(source: Source): Promise<Zip> {
    const { size } = source;
    const tailBytes = Math.min(size, END_BYTES + MAX_COMMENT_BYTES);
    const tail = await source.read(size - tailBytes, tailBytes);
    const view = viewOf(tail);
    let at = tail.length - END_BYTES;
    // The end record is the last thing but for a comment, whose length it states.
    while (at >= 0 && !isEnd(view, at)) at--;
    if (at < 0) throw notRead("it is no ZIP file, or was cut", "ZIP 파일이 아니거나 잘렸습니다");
    const count = view.getUint16(at + 10, true);
    const directoryBytes = view.getUint32(at + 12, true);
    const directoryAt = view.getUint32(at + 16, true);
    if (count === 0xffff || directoryBytes === 0xffffffff || directoryAt === 0xffffffff) {
      throw notRead(
        "it is a ZIP64 archive, of 4 GiB or more",
        "4 GiB 이상인 ZIP64 압축 파일입니다",
      );
    }
    if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 8, true) !== count) {
      throw notRead("it is one part of several", "여러 조각 가운데 하나입니다");
    }
    if (count > MAX_ENTRIES || directoryBytes > MAX_DIRECTORY_BYTES) {
      throw notRead(
        `limit is ${MAX_ENTRIES} files, it has ${count}`,
        `파일은 ${MAX_ENTRIES}개까지인데 ${count}개입니다`,
      );
    }
    if (directoryAt + directoryBytes !== size - tail.length + at) {
      throw notRead("its list of files is not where it says", "파일 목록의 위치가 맞지 않습니다");
    }
    const directory = await source.read(directoryAt, directoryBytes);
    return new Zip(readDirectory(directory, { count, end: directoryAt }), source);
  }

  /** Inflates a file. Throws a {@linkcode ZipError} if it has more than `maxBytes`, or is not what the archive says. */
  async read(entry: ZipEntry, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const { name, size, packedSize, method, offset, crc } = entry;
    const fail = (en: string, ko: string) =>
      notRead(`"${name}" in it ${en}`, `그 안의 "${name}" ${ko}`);
    if (entry.encrypted) throw fail("is encrypted", "파일이 암호화되어 있습니다");
    if (size > maxBytes) throw fail(`has ${size} bytes`, `파일이 ${size}바이트입니다`);
    if (method !== STORED && method !== DEFLATED) {
      throw fail(`is packed by method ${method}`, `파일의 압축 방식(${method})을 읽을 수 없습니다`);
    }
    const broken = () => fail("is damaged", "파일이 손상되었습니다");
    const header = await this.source.read(offset, LOCAL_BYTES);
    const view = viewOf(header);
    if (header.length < LOCAL_BYTES || view.getUint32(0, true) !== LOCAL_HEADER) throw broken();
    const begin = offset + LOCAL_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
    if (view.getUint16(8, true) !== method || begin + packedSize > this.source.size) throw broken();
    if (method === STORED && packedSize !== size) throw broken();
    // What deflate makes smallest shrinks to about a thousandth: more bytes than these are never needed.
    if (packedSize > maxBytes + 65_536) throw broken();
    const packed = await this.source.read(begin, packedSize);
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = method === STORED
        ? packed
        : new Uint8Array(inflateRawSync(packed, { maxOutputLength: Math.max(1, size) }));
    } catch {
      throw broken();
    }
    if (bytes.length !== size || crc32(bytes) !== crc) throw broken();
    return bytes;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isEnd(view: DataView, at: number): boolean {
  return view.getUint32(at, true) === END_OF_DIRECTORY &&
    at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength;
}

function readDirectory(
  bytes: Uint8Array,
  { count, end }: { count: number; end: number },
): ZipEntry[] {
  const view = viewOf(bytes);
  const entries: ZipEntry[] = [];
  const damaged = () => notRead("its list of files is damaged", "파일 목록이 손상되었습니다");
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_BYTES > bytes.length || view.getUint32(at, true) !== DIRECTORY_ENTRY) {
      throw damaged();
    }
    const flags = view.getUint16(at + 8, true);
    const nameBytes = view.getUint16(at + 28, true);
    const next = at + ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) +
      view.getUint16(at + 32, true);
    if (next > bytes.length) throw damaged();
    const rawName = bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    const madeBy = view.getUint16(at + 4, true) >> 8;
    const name = readName(rawName, (flags & FLAG_UTF8) !== 0).replaceAll("\\", "/");
    const offset = view.getUint32(at + 42, true);
    if (offset >= end) throw damaged();
    entries.push({
      name,
      kind: kindOf(name, madeBy, view.getUint32(at + 38, true)),
      encrypted: (flags & FLAG_ENCRYPTED) !== 0,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packedSize: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset,
    });
    at = next;
  }
  return entries;
}

/** Systems whose files have a Unix mode: Unix itself, and macOS. */
const UNIX = [3, 19];

function kindOf(name: string, madeBy: number, attributes: number): ZipEntry["kind"] {
  if (name.endsWith("/")) return "folder";
  const type = UNIX.includes(madeBy) ? (attributes >>> 16) & S_IFMT : 0;
  if (type === 0 || type === S_IFREG) return "file";
  if (type === S_IFDIR) return "folder";
  return type === S_IFLNK ? "link" : "other";
}

/** Names are UTF-8 where the archive says so, and often where it does not; Windows in Korea writes them in EUC-KR. */
function readName(bytes: Uint8Array, isUtf8: boolean): string {
  if (isUtf8) return new TextDecoder().decode(bytes);
  for (const encoding of ["utf-8", "euc-kr"]) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes);
    } catch {
      // The next one.
    }
  }
  return new TextDecoder("latin1").decode(bytes);
}

function notRead(en: string, ko: string): ZipError {
  return new ZipError({
    en: `The archive was not read: ${en}.`,
    ko: `압축 파일을 읽지 않았습니다: ${ko}.`,
  });
}
