/**
 * Segments, packets, frames and capture files as the suite of lesson 8 knows them: made part by part, also wrong ones,
 * and read by code of its own.
 *
 * Nothing here is taken from a solution. Checksums are remainders of a division by 65535, which is what a one's
 * complement sum is (RFC 1071, section 2).
 *
 * @module
 */

/** Where a datagram comes from and where it goes. */
export interface Ends {
  source: string;
  destination: string;
}

export type Bytes = Uint8Array<ArrayBuffer>;

/** Addresses that were read already. */
const known = new Map<string, Bytes | undefined>();
/** The longest text of an address is "0000:0000:0000:0000:0000:ffff:255.255.255.255". */
const MAX_ADDRESS = 45;

/** The bytes of an IP address in any valid text form, or nothing. They are not to be changed. */
export function ipBytes(text: unknown): Bytes | undefined {
  if (typeof text !== "string") return undefined;
  if (text.length > MAX_ADDRESS) return undefined;
  if (!known.has(text)) known.set(text, parsedIp(text));
  return known.get(text);
}

function parsedIp(text: string): Bytes | undefined {
  if (/^(\d{1,3})(\.\d{1,3}){3}$/.test(text)) {
    const parts = text.split(".").map(Number);
    return parts.every((part) => part < 256) ? Uint8Array.from(parts) : undefined;
  }
  if (!/^[0-9a-f:.]+$/i.test(text) || !URL.canParse(`http://[${text}]`)) return undefined;
  const shortest = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [left, right = ""] = shortest.split("::").map((half) =>
    half.split(":").filter(Boolean)
  ) as [
    string[],
    string[]?,
  ];
  const zeros = Array(8 - left.length - right.length).fill("0");
  return Uint8Array.from(
    [...left, ...zeros, ...right].flatMap((group) => {
      const value = parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

/** Whether two texts are one address. */
export function sameAddress(a: unknown, b: string): boolean {
  const x = ipBytes(a);
  return x !== undefined && x.toHex() === ipBytes(b)!.toHex();
}

/** One array of all parts. Numbers are single bytes. */
export function join(...parts: (Uint8Array | number[])[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The low 16 bits, big-endian. */
export function u16(value: number): Bytes {
  return Uint8Array.of(value >>> 8 & 0xff, value & 0xff);
}

function u32(value: number, littleEndian = false): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, littleEndian);
  return bytes;
}

const word = (bytes: Uint8Array, at: number) => bytes[at]! * 256 + bytes[at + 1]!;

/** The sum of the words, with all its carries. It is exact up to 2^53. */
function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
  return sum;
}

/** The Internet checksum. */
export function checksum(bytes: Uint8Array): number {
  return complementOf(sumOf(bytes));
}

function complementOf(sum: number): number {
  return 65_535 - (sum > 0 && sum % 65_535 === 0 ? 65_535 : sum % 65_535);
}

/** Whether the checksum of a segment fits. Its pseudo-header is a sum like any other, in whichever layout. */
function fits(ends: Ends, protocol: number, segment: Uint8Array): boolean {
  const addresses = sumOf(ipBytes(ends.source)!) + sumOf(ipBytes(ends.destination)!);
  return complementOf(addresses + protocol + segment.length + sumOf(segment)) === 0;
}

/** Checksums as they come out by mistake, under the mistake's name. */
export const WRONG_CHECKSUMS: Record<string, (bytes: Uint8Array) => number> = {
  "little-endian": (bytes) => {
    const right = checksum(bytes);
    return (right & 0xff) * 256 + (right >> 8);
  },
  "complement-missing": (bytes) => 65_535 - checksum(bytes),
  "carry-dropped": (bytes) => 65_535 - sumOf(bytes) % 65_536,
  "carry-folded-once": (bytes) => {
    const sum = sumOf(bytes);
    return 65_535 - (sum % 65_536 + Math.floor(sum / 65_536)) % 65_536;
  },
  "odd-byte-misplaced": (bytes) =>
    bytes.length % 2 === 0
      ? checksum(bytes)
      : checksum(join(bytes.subarray(0, -1), [0, bytes.at(-1)!])),
  // Another way to the same mistake: a key that differs in nothing but a space.
  "odd-byte-misplaced ": (bytes) =>
    checksum(bytes.length % 2 === 0 ? bytes : bytes.subarray(0, -1)),
};

/** What goes before the segment when the checksum is made. */
export function pseudoHeader(ends: Ends, protocol: number, length: number): Bytes {
  const [source, destination] = [ipBytes(ends.source)!, ipBytes(ends.destination)!];
  return source.length === 4
    ? join(source, destination, [0, protocol], u16(length))
    : join(source, destination, u32(length), [0, 0, 0, protocol]);
}

export interface UdpParts extends Ends {
  sourcePort: number;
  destinationPort: number;
  payload: Uint8Array;
  /** Other than the right ones. */
  length?: number;
  checksum?: number;
}

/** A UDP segment. */
export function udpSegment(parts: UdpParts): Bytes {
  const length = parts.length ?? 8 + parts.payload.length;
  const header = [u16(parts.sourcePort), u16(parts.destinationPort), u16(length)];
  const without = join(...header, [0, 0], parts.payload);
  const right = checksum(join(pseudoHeader(parts, 17, without.length), without)) || 65_535;
  return join(...header, u16(parts.checksum ?? right), parts.payload);
}

/** What the UDP checksum of a datagram would be with these bytes summed, by each mistake's name. */
export function wrongUdpChecksums(parts: UdpParts): Record<string, number> {
  const segment = join(udpSegment({ ...parts, checksum: 0 }));
  const pseudo = pseudoHeader(parts, 17, segment.length);
  const whole = join(pseudo, segment);
  const shorter = join(segment.subarray(0, 4), u16(segment.length - 8), segment.subarray(6));
  const [source, destination] = [ipBytes(parts.source)!, ipBytes(parts.destination)!];
  const wrong: Record<string, number> = {
    "pseudo-header-missing": checksum(segment),
    "length-without-header": checksum(
      join(pseudoHeader(parts, 17, segment.length - 8), shorter),
    ),
    "length-without-header ": checksum(
      join(pseudoHeader(parts, 17, segment.length - 8), segment),
    ),
  };
  if (source.length === 16) {
    const small = join(
      source.subarray(0, 4),
      destination.subarray(0, 4),
      [0, 17],
      u16(segment.length),
    );
    const shifted = join(source, destination, u32(segment.length), [17, 0, 0, 0]);
    wrong["ipv6-pseudo-header-wrong"] = checksum(join(small, segment));
    wrong["ipv6-pseudo-header-wrong "] = checksum(join(shifted, segment));
  }
  for (const [id, sum] of Object.entries(WRONG_CHECKSUMS)) wrong[id] = sum(whole);
  return wrong;
}

/** The mistake that makes all of `received` of these datagrams' checksums. */
export function mistakeOfUdpChecksums(all: UdpParts[], received: number[]): string | undefined {
  const right = all.map((parts) => word(udpSegment(parts), 6));
  if (right.every((sum, i) => sum === received[i])) return undefined;
  const byMistake = all.map(wrongUdpChecksums);
  const ids = [...new Set(byMistake.flatMap((one) => Object.keys(one)))];
  return ids.find((id) =>
    byMistake.every((one, i) => {
      const sum = one[id] ?? right[i]!;
      return received[i] === sum || received[i] === (sum || 65_535);
    })
  )?.trim();
}

export interface IpParts extends Ends {
  content: Uint8Array;
  protocol?: number;
  /** IPv4 options, a multiple of four bytes. */
  options?: number[];
  /** Flags and fragment offset. */
  fragment?: number;
  totalLength?: number;
  headerChecksum?: number;
  firstByte?: number;
}

/** An IPv4 or IPv6 packet. */
export function ipPacket(parts: IpParts): Bytes {
  const [source, destination] = [ipBytes(parts.source)!, ipBytes(parts.destination)!];
  const { content, protocol = 17, options = [], fragment = 0 } = parts;
  if (source.length === 16) {
    const length = u16(parts.totalLength ?? content.length);
    const first = parts.firstByte ?? 0x60;
    return join([first, 0, 0, 0], length, [protocol, 64], source, destination, content);
  }
  const length = 20 + options.length + content.length;
  const make = (sum: number) =>
    join(
      [parts.firstByte ?? 0x45 + options.length / 4, 0],
      u16(parts.totalLength ?? length),
      [0, 0],
      u16(fragment),
      [64, protocol],
      u16(sum),
      source,
      destination,
      options,
    );
  return join(make(parts.headerChecksum ?? checksum(make(0))), content);
}

export interface FrameParts {
  sourceMac: string;
  destinationMac: string;
  type: number;
  /** An 802.1Q tag. */
  tag?: number;
  content: Uint8Array;
  /** Up to so many bytes, 60 if nothing is said. */
  padTo?: number;
}

/** An Ethernet II frame. */
export function etherFrame(parts: FrameParts): Bytes {
  const { sourceMac, destinationMac, type, tag, content, padTo = 60 } = parts;
  const mac = (text: string) => Uint8Array.from(text.split(":"), (pair) => parseInt(pair, 16));
  const frame = join(
    mac(destinationMac),
    mac(sourceMac),
    ...(tag === undefined ? [] : [u16(0x8100), u16(tag)]),
    u16(type),
    content,
  );
  return join(frame, new Uint8Array(Math.max(0, padTo - frame.length)));
}

/** The EtherType that goes with an address. */
export function etherType(address: string): number {
  return ipBytes(address)!.length === 4 ? 0x0800 : 0x86dd;
}

export interface UdpRead {
  sourcePort: number;
  destinationPort: number;
  payload: Bytes;
  checksum: "good" | "none";
}

/** What is in a UDP segment, or nothing if it is none. */
export function readUdp(bytes: Uint8Array, ends: Ends): UdpRead | undefined {
  if (bytes.length < 8) return undefined;
  const length = word(bytes, 4);
  if (length < 8 || length > bytes.length) return undefined;
  const segment = bytes.slice(0, length);
  const isNone = word(segment, 6) === 0;
  if (isNone && ends.source.includes(":")) return undefined;
  if (!isNone && !fits(ends, 17, segment)) return undefined;
  return {
    sourcePort: word(segment, 0),
    destinationPort: word(segment, 2),
    payload: segment.slice(8),
    checksum: isNone ? "none" : "good",
  };
}

export interface FrameRead extends Ends {
  sourceMac: string;
  destinationMac: string;
  sourcePort: number;
  destinationPort: number;
  payload: Bytes;
}

/** What is in an Ethernet frame with a UDP datagram, or nothing if it is none. */
export function readFrame(frame: Uint8Array): FrameRead | undefined {
  const link = unwrapLink(1, frame, false);
  const packet = link && unwrapIp(link.content, link.type);
  if (!packet || packet.isCut || packet.isFragment || packet.protocol !== 17) return undefined;
  if (packet.header.length < 40 && checksum(packet.header) !== 0) return undefined;
  const read = readUdp(packet.content, packet);
  if (!read) return undefined;
  const mac = (at: number) =>
    Array.from(frame.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
  return {
    destinationMac: mac(0),
    sourceMac: mac(6),
    source: packet.source,
    destination: packet.destination,
    sourcePort: read.sourcePort,
    destinationPort: read.destinationPort,
    payload: read.payload,
  };
}

function unwrapLink(
  linkType: number,
  bytes: Uint8Array,
  littleEndian: boolean,
): { type: number; content: Uint8Array } | undefined {
  const after = (length: number, typeAt: number) =>
    bytes.length < length
      ? undefined
      : { type: word(bytes, typeAt), content: bytes.subarray(length) };
  if (linkType === 113) return after(16, 14);
  if (linkType === 276) return after(20, 0);
  if (linkType === 101) {
    return bytes.length === 0
      ? undefined
      : { type: { 4: 0x0800, 6: 0x86dd }[bytes[0]! >> 4] ?? 0, content: bytes };
  }
  if (linkType === 1) {
    return bytes.length >= 14 && word(bytes, 12) === 0x8100 ? after(18, 16) : after(14, 12);
  }
  if (bytes.length < 4) return undefined;
  const family = new DataView(bytes.buffer, bytes.byteOffset)
    .getUint32(0, linkType === 0 && littleEndian);
  const type = family === 2 ? 0x0800 : [10, 24, 28, 30].includes(family) ? 0x86dd : 0;
  return { type, content: bytes.subarray(4) };
}

interface Unwrapped extends Ends {
  header: Uint8Array;
  protocol: number;
  content: Uint8Array;
  /** The packet is longer than what is there. */
  isCut: boolean;
  isFragment: boolean;
}

function unwrapIp(bytes: Uint8Array, type: number): Unwrapped | undefined {
  const text = (from: number, to: number) =>
    to - from === 4
      ? bytes.subarray(from, to).join(".")
      : Array.from({ length: 8 }, (_, i) => word(bytes, from + 2 * i).toString(16)).join(":");
  if (type === 0x86dd) {
    if (bytes.length < 40 || bytes[0]! >> 4 !== 6) return undefined;
    const end = 40 + word(bytes, 4);
    return {
      header: bytes.subarray(0, 40),
      source: text(8, 24),
      destination: text(24, 40),
      protocol: bytes[6]!,
      content: bytes.subarray(40, end),
      isCut: end > bytes.length,
      isFragment: false,
    };
  }
  if (type !== 0x0800 || bytes.length < 20 || bytes[0]! >> 4 !== 4) return undefined;
  const begin = (bytes[0]! & 15) * 4;
  const end = word(bytes, 2);
  if (begin < 20 || begin > bytes.length || end < begin) return undefined;
  return {
    header: bytes.subarray(0, begin),
    source: text(12, 16),
    destination: text(16, 20),
    protocol: bytes[9]!,
    content: bytes.subarray(begin, end),
    isCut: end > bytes.length,
    isFragment: (word(bytes, 6) & 0x3fff) !== 0,
  };
}

/** A segment as a capture has it. */
export interface Captured extends Ends {
  timeMs: number;
  protocol: "udp" | "tcp";
  sourcePort: number;
  destinationPort: number;
  payload: Bytes;
  checksum: "good" | "bad" | "none";
  /** How else its checksum may be called. */
  orChecksum?: string;
}

/** What may be told of one record. */
export interface RecordRead {
  segment?: Captured;
  /** It may be left out as well. */
  maySkip: boolean;
}

/** What may be told of a file. */
export interface CaptureRead {
  records: RecordRead[];
  /** It may be refused as well. */
  mayRefuse: boolean;
}

/** What is in a capture file, or the number of the record that makes it none (0: its header). */
export function readPcap(file: Uint8Array): CaptureRead | number {
  if (file.length < 24) return 0;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const magics = [false, true].map((little) => view.getUint32(0, little).toString(16));
  const littleEndian = ["a1b2c3d4", "a1b23c4d"].includes(magics[1]!);
  const magic = magics[littleEndian ? 1 : 0]!;
  if (!["a1b2c3d4", "a1b23c4d"].includes(magic)) return 0;
  const number = (at: number) => view.getUint32(at, littleEndian);
  // Bits above the link type say something of frame check sequences, which a reader may know.
  const linkType = number(20) & 0xffff;
  if (![0, 1, 101, 108, 113, 276].includes(linkType)) return 0;
  const isOdd = number(16) === 0 || number(16) > 262_144 || number(20) > 0xffff ||
    view.getUint16(4, littleEndian) !== 2 || view.getUint16(6, littleEndian) !== 4;
  const snaplen = number(16) === 0 ? 262_144 : Math.min(number(16), 262_144);
  const ticksPerSecond = magic === "a1b2c3d4" ? 1e6 : 1e9;
  const read: CaptureRead = { records: [], mayRefuse: isOdd };
  for (let at = 24, record = 1; at < file.length; record++) {
    if (at + 16 > file.length) return record;
    const [captured, original] = [number(at + 8), number(at + 12)];
    if (captured > original || captured > snaplen || at + 16 + captured > file.length) {
      return record;
    }
    if (number(at + 4) >= ticksPerSecond) read.mayRefuse = true;
    const timeMs = number(at) * 1000 + number(at + 4) / ticksPerSecond * 1000;
    const bytes = file.subarray(at + 16, at + 16 + captured);
    const one = readRecord(unwrapLink(linkType, bytes, littleEndian), captured < original);
    read.records.push({
      maySkip: one.maySkip,
      ...(one.segment && { segment: { timeMs, ...one.segment } }),
    });
    // Headers that contradict themselves are no reason to refuse the file, and an excuse to.
    if (one.isBroken) read.mayRefuse = true;
    at += 16 + captured;
  }
  return read;
}

function readRecord(
  link: { type: number; content: Uint8Array } | undefined,
  isCut: boolean,
): { segment?: Omit<Captured, "timeMs">; maySkip: boolean; isBroken?: boolean } {
  const nothing = { maySkip: true };
  const broken = { maySkip: true, isBroken: true };
  if (!link) return broken;
  if (link.type !== 0x0800 && link.type !== 0x86dd) return nothing;
  const packet = unwrapIp(link.content, link.type);
  if (!packet || (packet.isCut && !isCut)) return broken;
  if (packet.isFragment || ![6, 17].includes(packet.protocol)) return nothing;
  const { content } = packet;
  const isUdp = packet.protocol === 17;
  if (content.length < (isUdp ? 8 : 20)) return broken;
  const [begin, end] = isUdp ? [8, word(content, 4)] : [(content[12]! >> 4) * 4, content.length];
  const isWhole = !packet.isCut && end <= content.length && begin <= content.length;
  if (begin < (isUdp ? 8 : 20) || end < begin && isUdp || (!isWhole && !isCut)) return broken;
  const segment = content.slice(0, end);
  const isNone = isUdp && word(segment, 6) === 0;
  const judged = isNone ? "none" : fits(packet, packet.protocol, segment) ? "good" : "bad";
  // Of a record that was cut and holds all of the segment the checksum can be judged, though it need not be.
  const also = isCut && isWhole
    ? judged
    : isNone && packet.source.includes(":")
    ? "bad"
    : undefined;
  return {
    // Bytes between UDP's end and IP's make a reader suspicious, and so does the flag that nobody may set.
    maySkip: (isUdp && !isCut && end !== content.length) ||
      (link.type === 0x0800 && (link.content[6]! & 0x80) !== 0),
    segment: {
      protocol: isUdp ? "udp" : "tcp",
      source: packet.source,
      destination: packet.destination,
      sourcePort: word(segment, 0),
      destinationPort: word(segment, 2),
      payload: segment.slice(begin),
      checksum: isCut ? "none" : judged,
      ...(also && { orChecksum: also }),
    },
  };
}

/** How a capture file is written. */
export interface PcapStyle {
  littleEndian: boolean;
  nano: boolean;
  linkType: number;
  snaplen: number;
}

export interface PcapRecord {
  seconds: number;
  nanoseconds: number;
  bytes: Uint8Array;
  /** Length of the packet, if more than what is there. */
  original?: number;
}

const STYLE: PcapStyle = { littleEndian: true, nano: false, linkType: 1, snaplen: 262_144 };

/** A capture file. */
export function pcapFile(records: PcapRecord[], style: Partial<PcapStyle> = {}): Bytes {
  const { littleEndian, nano, linkType, snaplen } = { ...STYLE, ...style };
  const number = (value: number) => u32(value, littleEndian);
  const version = littleEndian ? [2, 0, 4, 0] : [0, 2, 0, 4];
  const magic = number(nano ? 0xa1b23c4d : 0xa1b2c3d4);
  return join(
    ...[magic, version, number(0), number(0), number(snaplen), number(linkType)],
    ...records.flatMap(({ seconds, nanoseconds, bytes, original = bytes.length }) => [
      ...[seconds, nano ? nanoseconds : Math.floor(nanoseconds / 1000)].map(number),
      ...[bytes.length, original].map(number),
      bytes,
    ]),
  );
}

/** The records of a capture file that is known to be a good one. */
export function pcapRecords(file: Uint8Array): PcapRecord[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const nano = view.getUint32(0, true) === 0xa1b23c4d;
  const records: PcapRecord[] = [];
  for (let at = 24; at < file.length;) {
    const [seconds, fraction, captured, original] = [0, 4, 8, 12]
      .map((offset) => view.getUint32(at + offset, true)) as [number, number, number, number];
    const bytes = file.slice(at + 16, at + 16 + captured);
    records.push({ seconds, nanoseconds: nano ? fraction : fraction * 1000, bytes, original });
    at += 16 + captured;
  }
  return records;
}

/** A TCP segment with a right checksum. */
export function tcpSegment(
  { source, destination, sourcePort, destinationPort, options = [], payload, checksum: own }:
    & Ends
    & {
      sourcePort: number;
      destinationPort: number;
      options?: number[];
      payload: Uint8Array;
      checksum?: number;
    },
): Bytes {
  const make = (sum: number) =>
    join(
      u16(sourcePort),
      u16(destinationPort),
      u32(0x12345678),
      u32(0x9abcdef0),
      [(5 + options.length / 4) << 4, 0x18],
      u16(64_240),
      u16(sum),
      u16(0),
      options,
      payload,
    );
  const without = make(0);
  const right = checksum(
    join(pseudoHeader({ source, destination }, 6, without.length), without),
  );
  return make(own ?? right);
}
