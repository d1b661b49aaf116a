// Valid: node's Buffer, errors of classes of their own under SegmentError, IPv6 extension headers understood.

import { Buffer } from "node:buffer";

/** Input that is no valid segment, packet, frame or capture. The message says what is wrong, and where. */
export class SegmentError extends Error {
  override name = "SegmentError";
}

/** A UDP datagram's own part: what RFC 768 puts before the payload, without length and checksum. */
export interface UdpSegment {
  sourcePort: number;
  destinationPort: number;
  payload: Uint8Array;
}

/** Both IPv4 ("192.0.2.1") or both IPv6, in any valid text form ("::1"). */
export interface Addresses {
  source: string;
  destination: string;
}

/** A UDP socket: its own address, or "0.0.0.0" or "::" for any address of that family. */
export interface UdpSocket {
  id: string;
  address: string;
  port: number;
}

/** A TCP socket. One with a remote end is a connection, one without is listening. */
export interface TcpSocket {
  id: string;
  localAddress: string;
  localPort: number;
  remoteAddress?: string;
  remotePort?: number;
}

/** Where a segment comes from and where it goes. */
export interface Tuple {
  sourceAddress: string;
  sourcePort: number;
  destinationAddress: string;
  destinationPort: number;
}

/** A UDP datagram with the addresses that IP carries for it. */
export interface Packet extends UdpSegment, Addresses {}

/** The addresses of an Ethernet frame, e.g. "02:00:00:00:00:01". */
export interface Frame {
  sourceMac: string;
  destinationMac: string;
}

/** A UDP or TCP segment out of a capture. */
export interface CapturedSegment {
  /** When it was captured, in milliseconds since the epoch, with a fraction. */
  timeMs: number;
  protocol: "udp" | "tcp";
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  payload: Uint8Array;
  /** Of the segment. `none`: UDP without a checksum, or a record that was cut. */
  checksum: "good" | "bad" | "none";
}

/**
 * The 4 or 16 bytes of an address. Given: no task of this lesson.
 *
 * Throws a `TypeError` if the text is no IP address.
 */
export function addressBytes(address: string): Uint8Array {
  const isBytes = (parts: string[]) => parts.every((part) => /^\d{1,3}$/.test(part) && +part < 256);
  const dotted = address.slice(address.lastIndexOf(":") + 1).split(".");
  if (dotted.length === 4 && isBytes(dotted)) {
    if (!address.includes(":")) return Uint8Array.from(dotted, Number);
    const [a, b, c, d] = dotted.map(Number) as [number, number, number, number];
    const groups = `${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}`;
    return addressBytes(address.slice(0, address.lastIndexOf(":") + 1) + groups);
  }
  const [left = "", right, ...more] = address.split("::");
  const groupsOf = (text: string) => text === "" ? [] : text.split(":");
  const before = groupsOf(left);
  const after = groupsOf(right ?? "");
  const missing = 8 - before.length - after.length;
  const groups = [...before, ...Array(Math.max(missing, 0)).fill("0"), ...after];
  const isWhole = right === undefined ? missing === 0 : missing > 0 && more.length === 0;
  if (!isWhole || !groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) {
    throw new TypeError(`Not an IP address: "${address}"`);
  }
  return Uint8Array.from(
    groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16)]),
  );
}

/** The address of 4 or 16 bytes as text, IPv6 in its shortest form (RFC 5952). Given, too. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!);
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname
    .slice(1, -1);
}

class CutShort extends SegmentError {
  override name = "CutShort";
  constructor(
    public readonly what: string,
    public readonly need: number,
    public readonly have: number,
  ) {
    super(`${what}: needs ${need} bytes, has ${have}`, { cause: { need, have } });
  }
}
class Malformed extends SegmentError {}

/** Reads from the front. */
class Reader {
  #at = 0;
  constructor(private readonly buffer: Buffer, private readonly what: string) {}
  static of(bytes: Uint8Array, what: string) {
    return new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), what);
  }
  get left() {
    return this.buffer.length - this.#at;
  }
  get position() {
    return this.#at;
  }
  take(count: number): Buffer {
    if (count > this.left) throw new CutShort(this.what, this.#at + count, this.buffer.length);
    const part = this.buffer.subarray(this.#at, this.#at + count);
    this.#at += count;
    return part;
  }
  u8() {
    return this.take(1).readUInt8();
  }
  u16() {
    return this.take(2).readUInt16BE();
  }
  u32(little = false) {
    const b = this.take(4);
    return little ? b.readUInt32LE() : b.readUInt32BE();
  }
  rest() {
    return this.take(this.left);
  }
}

export function internetChecksum(bytes: Uint8Array): number {
  const even = Buffer.alloc(bytes.length + bytes.length % 2);
  even.set(bytes);
  let sum = 0;
  for (let at = 0; at < even.length; at += 2) {
    sum += even.readUInt16BE(at);
    if (sum >= 0x10000) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}

function pseudoHeader(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
) {
  if (source.length !== destination.length) throw new TypeError("Addresses of two families");
  const tail = Buffer.alloc(source.length === 4 ? 4 : 8);
  if (source.length === 4) {
    tail.writeUInt8(protocol, 1);
    tail.writeUInt16BE(length, 2);
  } else {
    tail.writeUInt32BE(length, 0);
    tail.writeUInt8(protocol, 7);
  }
  return Buffer.concat([source, destination, tail]);
}

export function encodeUdp(segment: UdpSegment, addresses: Addresses): Uint8Array {
  const buffer = Buffer.alloc(8 + segment.payload.length);
  buffer.set(segment.payload, 8);
  // writeUInt16BE() throws a RangeError for what does not fit, but rounds fractions.
  for (const port of [segment.sourcePort, segment.destinationPort]) {
    if (!Number.isSafeInteger(port)) throw new RangeError(`Not a port: ${port}`);
  }
  buffer.writeUInt16BE(segment.sourcePort, 0);
  buffer.writeUInt16BE(segment.destinationPort, 2);
  buffer.writeUInt16BE(buffer.length, 4);
  const front = pseudoHeader(
    addressBytes(addresses.source),
    addressBytes(addresses.destination),
    17,
    buffer.length,
  );
  buffer.writeUInt16BE(internetChecksum(Buffer.concat([front, buffer])) || 0xffff, 6);
  return buffer;
}

export function decodeUdp(bytes: Uint8Array, addresses: Addresses) {
  const reader = Reader.of(bytes, "UDP");
  const sourcePort = reader.u16(),
    destinationPort = reader.u16(),
    length = reader.u16(),
    sum = reader.u16();
  if (length < 8) throw new Malformed(`UDP: a length of ${length}`);
  const payload = Buffer.from(reader.take(length - 8));
  const source = addressBytes(addresses.source), destination = addressBytes(addresses.destination);
  if (sum === 0 && source.length === 16) throw new Malformed("UDP: no checksum over IPv6");
  if (sum !== 0) {
    const front = pseudoHeader(source, destination, 17, length);
    if (internetChecksum(Buffer.concat([front, bytes.subarray(0, length)])) !== 0) {
      throw new Malformed(`UDP: checksum 0x${sum.toString(16)} is wrong`);
    }
  }
  return {
    sourcePort,
    destinationPort,
    payload,
    checksum: sum === 0 ? "none" as const : "good" as const,
  };
}

const same = (a: string, b: string) => Buffer.compare(addressBytes(a), addressBytes(b)) === 0;
const isAny = (a: string, family: string) =>
  addressBytes(a).every((b) => b === 0) && addressBytes(a).length === addressBytes(family).length;

export function demuxUdp(sockets: UdpSocket[], tuple: Tuple): string | null {
  let any: string | null = null;
  for (const { id, address, port } of sockets) {
    if (port !== tuple.destinationPort) continue;
    if (same(address, tuple.destinationAddress)) return id;
    if (isAny(address, tuple.destinationAddress)) any ??= id;
  }
  return any;
}

export function demuxTcp(sockets: TcpSocket[], tuple: Tuple): string | null {
  let exact: string | null = null, any: string | null = null;
  for (const socket of sockets) {
    if (socket.localPort !== tuple.destinationPort) continue;
    if (socket.remoteAddress === undefined) {
      if (same(socket.localAddress, tuple.destinationAddress)) exact ??= socket.id;
      else if (isAny(socket.localAddress, tuple.destinationAddress)) any ??= socket.id;
    } else if (
      same(socket.localAddress, tuple.destinationAddress) &&
      same(socket.remoteAddress, tuple.sourceAddress) && socket.remotePort === tuple.sourcePort
    ) return socket.id;
  }
  return exact ?? any;
}

function macToBuffer(text: string): Buffer {
  const hex = text.replaceAll(":", "");
  if (!/^..(:..){5}$/.test(text) || !/^[\da-fA-F]{12}$/.test(hex)) {
    throw new RangeError(`Not a MAC address: ${text}`);
  }
  return Buffer.from(hex, "hex");
}

export function encapsulate(packet: Packet, frame: Frame): Uint8Array {
  const segment = encodeUdp(packet, packet);
  const source = addressBytes(packet.source), destination = addressBytes(packet.destination);
  let header: Buffer, type: number;
  if (source.length === 4) {
    type = 0x0800;
    header = Buffer.alloc(20);
    header[0] = 0x45;
    header.writeUInt16BE(20 + segment.length, 2); // throws by itself
    header.writeUInt16BE(0x4000, 6);
    header[8] = 64;
    header[9] = 17;
    header.set(source, 12);
    header.set(destination, 16);
    header.writeUInt16BE(internetChecksum(header), 10);
  } else {
    type = 0x86dd;
    header = Buffer.alloc(40);
    header[0] = 0x60;
    header.writeUInt16BE(segment.length, 4);
    header[6] = 17;
    header[7] = 64;
    header.set(source, 8);
    header.set(destination, 24);
  }
  const parts = [
    macToBuffer(frame.destinationMac),
    macToBuffer(frame.sourceMac),
    Buffer.of(type >> 8, type & 255),
    header,
    segment,
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat(parts, Math.max(60, length));
}

interface Ip {
  source: Buffer;
  destination: Buffer;
  protocol: number;
  data: Buffer;
  wanted: number;
  fragment: boolean;
  sumOk: boolean;
}

function readIp(bytes: Buffer, version: 4 | 6): Ip {
  const reader = Reader.of(bytes, `IPv${version}`);
  const fixed = reader.take(version === 4 ? 20 : 40);
  if (fixed[0]! >> 4 !== version) {
    throw new Malformed(`IP version ${fixed[0]! >> 4}, not ${version}`);
  }
  if (version === 4) {
    const words = fixed[0]! & 15;
    if (words < 5) throw new Malformed(`IHL ${words}`);
    reader.take(words * 4 - 20);
    const total = fixed.readUInt16BE(2);
    if (total < words * 4) throw new Malformed("total length too small");
    return {
      source: fixed.subarray(12, 16),
      destination: fixed.subarray(16, 20),
      protocol: fixed[9]!,
      data: reader.rest().subarray(0, total - words * 4),
      wanted: total,
      fragment: (fixed.readUInt16BE(6) & 0x3fff) !== 0,
      sumOk: internetChecksum(bytes.subarray(0, words * 4)) === 0,
    };
  }
  let next = fixed[6]!;
  let fragment = false;
  const wanted = 40 + fixed.readUInt16BE(4);
  const inner = Reader.of(reader.rest().subarray(0, wanted - 40), "IPv6 extension");
  while ([0, 43, 60, 44].includes(next)) {
    const head = inner.take(8);
    if (next === 44) fragment ||= (head.readUInt16BE(2) & 0xfff9) !== 0;
    else inner.take(head[1]! * 8);
    next = head[0]!;
  }
  return {
    source: fixed.subarray(8, 24),
    destination: fixed.subarray(24, 40),
    protocol: next,
    data: inner.rest(),
    wanted,
    fragment,
    sumOk: true,
  };
}

const macText = (bytes: Buffer) => bytes.toString("hex").match(/../g)!.join(":");

export function decapsulate(bytes: Uint8Array): Packet & Frame {
  const reader = Reader.of(bytes, "Ethernet");
  const destinationMac = macText(reader.take(6)), sourceMac = macText(reader.take(6));
  let type = reader.u16();
  if (type === 0x8100) {
    reader.u16();
    type = reader.u16();
  }
  const version = type === 0x0800 ? 4 : type === 0x86dd ? 6 : undefined;
  if (!version) throw new Malformed(`EtherType 0x${type.toString(16)}`);
  const rest = reader.rest();
  const ip = readIp(rest, version);
  if (ip.wanted > rest.length) throw new CutShort("IP packet", ip.wanted, rest.length);
  if (!ip.sumOk) throw new Malformed("IPv4 header checksum");
  if (ip.fragment) throw new Malformed("fragment");
  if (ip.protocol !== 17) throw new Malformed(`protocol ${ip.protocol}`);
  const source = addressText(ip.source), destination = addressText(ip.destination);
  const { sourcePort, destinationPort, payload } = decodeUdp(ip.data, { source, destination });
  return { sourcePort, destinationPort, payload, source, destination, sourceMac, destinationMac };
}

export function readCapture(file: Uint8Array): CapturedSegment[] {
  const reader = Reader.of(file, "File header");
  const magic = reader.take(4).toString("hex");
  if (magic === "0a0d0d0a") {
    throw new Malformed("This is a pcapng file. Open it in Wireshark and save it as pcap");
  }
  const kind = {
    a1b2c3d4: [false, 1e3],
    d4c3b2a1: [true, 1e3],
    a1b23c4d: [false, 1e6],
    "4d3cb2a1": [true, 1e6],
  }[magic] as [boolean, number] | undefined;
  if (!kind) throw new Malformed(`Magic ${magic}`);
  const [little, fractions] = kind;
  reader.take(12);
  const said = reader.u32(little), link = reader.u32(little);
  const max = said === 0 || said > 262144 ? 262144 : said;
  if (![0, 1, 101, 108, 113, 276].includes(link)) throw new Malformed(`Link type ${link}`);
  const segments: CapturedSegment[] = [];
  for (let number = 1; reader.left > 0; number++) {
    try {
      const seconds = reader.u32(little),
        fraction = reader.u32(little),
        captured = reader.u32(little),
        original = reader.u32(little);
      if (captured > original) throw new Malformed(`${captured} captured of ${original}`);
      if (captured > max) throw new Malformed(`${captured} captured, snaplen ${max}`);
      const frame = reader.take(captured);
      try {
        const segment = readFrame(frame, link, original, little);
        if (segment) segments.push({ timeMs: seconds * 1000 + fraction / fractions, ...segment });
      } catch (error) {
        if (!(error instanceof SegmentError)) throw error;
      }
    } catch (error) {
      throw new Malformed(`Record #${number}: ${(error as Error).message}`, { cause: error });
    }
  }
  return segments;
}

function readFrame(
  frame: Buffer,
  link: number,
  original: number,
  little: boolean,
): Omit<CapturedSegment, "timeMs"> | undefined {
  const reader = Reader.of(frame, "link");
  let version: number | undefined;
  const types: Record<number, number> = { 0x0800: 4, 0x86dd: 6 };
  switch (link) {
    case 1: {
      reader.take(12);
      let type = reader.u16();
      if (type === 0x8100) [, type] = [reader.u16(), reader.u16()];
      version = types[type!];
      break;
    }
    case 0:
    case 108: {
      const family = reader.u32(link === 0 && little);
      version = family === 2 ? 4 : [10, 24, 28, 30].includes(family) ? 6 : undefined;
      break;
    }
    case 113:
      version = types[reader.take(16).readUInt16BE(14)];
      break;
    case 276:
      version = types[reader.take(20).readUInt16BE(0)];
      break;
    case 101:
      if (reader.left > 0) version = frame[0]! >> 4;
  }
  if (version !== 4 && version !== 6) return;
  const before = reader.position;
  const ip = readIp(reader.rest(), version);
  if (ip.fragment || before + ip.wanted > original) return;
  const cut = frame.length < original;
  const s = Reader.of(ip.data, "segment");
  const sourcePort = s.u16(), destinationPort = s.u16();
  const result = (protocol: "udp" | "tcp", payload: Buffer, segment: Buffer, none: boolean) => ({
    protocol,
    sourcePort,
    destinationPort,
    source: addressText(ip.source),
    destination: addressText(ip.destination),
    payload: Buffer.from(payload),
    checksum: none || cut ? "none" as const : internetChecksum(
        Buffer.concat([
          pseudoHeader(ip.source, ip.destination, protocol === "udp" ? 17 : 6, segment.length),
          segment,
        ]),
      ) === 0
      ? "good" as const
      : "bad" as const,
  });
  // What the IP packet has room for, after all IP headers.
  const headers = frame.length - before -
    (ip.data.length +
      Math.max(0, frame.length - before - Math.min(ip.wanted, frame.length - before)));
  const room = ip.wanted - headers;
  if (ip.protocol === 17) {
    const length = s.u16(), sum = s.u16();
    if (length < 8 || length > room) return;
    const segment = ip.data.subarray(0, length);
    return result("udp", segment.subarray(8), segment, sum === 0);
  }
  if (ip.protocol === 6) {
    s.take(16);
    const offset = (ip.data[12]! >> 4) * 4;
    if (offset < 20 || offset > room) return;
    return result("tcp", ip.data.subarray(offset), ip.data, false);
  }
}
