// Fails task 2, 5: ipv6-pseudo-header-wrong — takes every address with dots in it for IPv4.

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

/** Header and payload of a UDP segment are at most 65,535 bytes, since the length field has 16 bits. */
const MAX_UDP_PAYLOAD = 65_535 - 8;
/** A frame is at least this long without its check sequence; shorter ones are padded (IEEE 802.3). */
const MIN_FRAME = 60;
const MAX_SNAPLEN = 262_144;
const TCP = 6;
const UDP = 17;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const VLAN = 0x8100;

// --- task 1 ---

export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    // The byte that an odd end lacks is the *low* one of the last word.
    sum += bytes[i]! << 8 | (bytes[i + 1] ?? 0);
    // End-around carry at each step: -0x10000 + 1. The sum never outgrows its 16 bits, however many words come.
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

// --- tasks 2 and 3 ---

/** What IP knows and the checksum covers, so that a segment that went astray is noticed. */
function pseudoHeader(addresses: Addresses, protocol: number, length: number): Uint8Array {
  const source = addressBytes(addresses.source);
  const destination = addressBytes(addresses.destination);
  if (source.length !== destination.length) {
    throw new TypeError(
      `Addresses of two families: "${addresses.source}" and "${addresses.destination}"`,
    );
  }
  // IPv6 has room for longer segments, and so the fields stand in another order.
  return addresses.source.includes(".")
    ? concat([source.subarray(0, 4), destination.subarray(0, 4), [0, protocol], word(length)])
    : concat([source, destination, word(length >>> 16), word(length), [0, 0, 0, protocol]]);
}

/** 0 for a segment whose checksum fits; the checksum to send, if its own field is still 0. */
function checksumOf(segment: Uint8Array, addresses: Addresses, protocol: number): number {
  return internetChecksum(
    concat([pseudoHeader(addresses, protocol, segment.length), segment]),
  );
}

export function encodeUdp(segment: UdpSegment, addresses: Addresses): Uint8Array {
  const { sourcePort, destinationPort, payload } = segment;
  for (const port of [sourcePort, destinationPort]) {
    // Sixteen bits take any number and keep what fits: 70000 would go out as 4464.
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new RangeError(`Cannot encode segment: port is ${port}`);
    }
  }
  if (payload.length > MAX_UDP_PAYLOAD) {
    throw new RangeError(
      `Cannot encode segment: payload is ${payload.length} bytes, limit is ${MAX_UDP_PAYLOAD}`,
    );
  }
  const ports = [word(sourcePort), word(destinationPort)];
  const bytes = concat([...ports, word(8 + payload.length), word(0), payload]);
  // 0 means "no checksum". In one's complement 0xFFFF is the same number, so nothing is lost.
  bytes.set(word(checksumOf(bytes, addresses, UDP) || 0xffff), 6);
  return bytes;
}

export function decodeUdp(
  bytes: Uint8Array,
  addresses: Addresses,
): UdpSegment & { checksum: "good" | "none" } {
  const { sourcePort, destinationPort, content } = splitUdp(bytes);
  const length = word16(bytes, 4);
  if (length > bytes.length) {
    throw new SegmentError(`Length field says ${length} bytes, there are ${bytes.length}`);
  }
  const checksum = judgeUdp(bytes.subarray(0, length), addresses);
  if (checksum === "bad") throw new SegmentError("UDP checksum does not fit");
  if (checksum === "none" && addressBytes(addresses.source).length === 16) {
    throw new SegmentError("No UDP checksum, which IPv6 does not allow");
  }
  // slice() copies; subarray() would be a window on a buffer that somebody may use again.
  return { sourcePort, destinationPort, payload: content.slice(), checksum };
}

/** The ports, and of the content what is there. */
function splitUdp(
  bytes: Uint8Array,
): { sourcePort: number; destinationPort: number; content: Uint8Array } {
  if (bytes.length < 8) {
    throw new SegmentError(`A UDP header is 8 bytes, there are ${bytes.length}`);
  }
  const length = word16(bytes, 4);
  if (length < 8) throw new SegmentError(`Length field says ${length}, the header alone is 8`);
  return {
    sourcePort: word16(bytes, 0),
    destinationPort: word16(bytes, 2),
    // After the announced length comes what Ethernet needed to be long enough.
    content: bytes.subarray(8, length),
  };
}

function judgeUdp(segment: Uint8Array, addresses: Addresses): "good" | "bad" | "none" {
  if (word16(segment, 6) === 0) return "none";
  return checksumOf(segment, addresses, UDP) === 0 ? "good" : "bad";
}

// --- task 4 ---

export function demuxUdp(sockets: UdpSocket[], tuple: Tuple): string | null {
  // Where it comes from is not even looked at: that is why one UDP socket serves every client.
  const onPort = sockets.filter(({ port }) => port === tuple.destinationPort);
  const found = onPort.find(({ address }) => sameAddress(address, tuple.destinationAddress)) ??
    onPort.find(({ address }) => isAnyFor(address, tuple.destinationAddress));
  return found?.id ?? null;
}

export function demuxTcp(sockets: TcpSocket[], tuple: Tuple): string | null {
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = tuple;
  const onPort = sockets.filter(({ localPort }) => localPort === destinationPort);
  const connected = onPort.find((socket) =>
    socket.remoteAddress !== undefined && socket.remotePort === sourcePort &&
    sameAddress(socket.remoteAddress, sourceAddress) &&
    sameAddress(socket.localAddress, destinationAddress)
  );
  // The listener is asked only when no connection has the segment: it takes SYNs, not other people's data.
  const listening = onPort.filter(({ remoteAddress }) => remoteAddress === undefined);
  const found = connected ??
    listening.find(({ localAddress }) => sameAddress(localAddress, destinationAddress)) ??
    listening.find(({ localAddress }) => isAnyFor(localAddress, destinationAddress));
  return found?.id ?? null;
}

/** One address has many spellings, and only one sequence of bytes. */
function sameAddress(a: string, b: string): boolean {
  return addressText(addressBytes(a)) === addressText(addressBytes(b));
}

function isAnyFor(bound: string, address: string): boolean {
  const bytes = addressBytes(bound);
  return bytes.every((byte) => byte === 0) && bytes.length === addressBytes(address).length;
}

// --- task 5 ---

export function encapsulate(packet: Packet, frame: Frame): Uint8Array {
  const segment = encodeUdp(packet, packet);
  const source = addressBytes(packet.source);
  const destination = addressBytes(packet.destination);
  const isV4 = source.length === 4;
  const header = isV4
    ? ipv4Header(source, destination, segment.length)
    : concat([[0x60, 0, 0, 0], word(segment.length), [UDP, 64], source, destination]);
  const macs = [macBytes(frame.destinationMac), macBytes(frame.sourceMac)];
  const bytes = concat([...macs, word(isV4 ? IPV4 : IPV6), header, segment]);
  return bytes.length < MIN_FRAME
    ? concat([bytes, new Uint8Array(MIN_FRAME - bytes.length)])
    : bytes;
}

function ipv4Header(source: Uint8Array, destination: Uint8Array, length: number): Uint8Array {
  if (20 + length > 65_535) {
    throw new RangeError(`Cannot encapsulate: the IPv4 packet would have ${20 + length} bytes`);
  }
  const header = concat([
    [0x45, 0], // version 4, five 32-bit words of header; type of service
    word(20 + length),
    [0, 0, 0, 0], // identification; flags and fragment offset
    [64, UDP, 0, 0], // TTL, protocol, checksum
    source,
    destination,
  ]);
  header.set(word(internetChecksum(header)), 10);
  return header;
}

export function decapsulate(bytes: Uint8Array): Packet & Frame {
  const { type, content } = openEthernet(bytes);
  if (type !== IPV4 && type !== IPV6) throw new SegmentError(`EtherType ${hex(type)} is not IP`);
  const { source, destination, protocol, segment, header, isWhole } = openIp(content, type);
  if (type === IPV4 && internetChecksum(header) !== 0) {
    throw new SegmentError("IPv4 header checksum does not fit");
  }
  if (!isWhole) throw new SegmentError("IP length field says more than there is");
  if (protocol !== UDP) throw new SegmentError(`Protocol ${protocol} is not UDP`);
  const { sourcePort, destinationPort, payload } = decodeUdp(segment, { source, destination });
  return {
    destinationMac: macText(bytes.subarray(0, 6)),
    sourceMac: macText(bytes.subarray(6, 12)),
    source,
    destination,
    sourcePort,
    destinationPort,
    payload,
  };
}

/** What is in an Ethernet frame, and of which type. */
function openEthernet(bytes: Uint8Array): { type: number; content: Uint8Array } {
  let at = 12;
  if (bytes.length >= 14 && word16(bytes, at) === VLAN) at += 4;
  if (bytes.length < at + 2) {
    throw new SegmentError(`Frame ends in its header: ${bytes.length} bytes`);
  }
  return { type: word16(bytes, at), content: bytes.subarray(at + 2) };
}

interface IpPacket extends Addresses {
  header: Uint8Array;
  protocol: number;
  /** What the packet carries, as far as it is there. */
  segment: Uint8Array;
  isWhole: boolean;
}

/** What is in an IP packet. Lengths are checked against each other; the header checksum is not. */
function openIp(bytes: Uint8Array, type: number): IpPacket {
  const version = type === IPV4 ? 4 : 6;
  const atLeast = type === IPV4 ? 20 : 40;
  if (bytes.length < atLeast) {
    throw new SegmentError(
      `An IPv${version} header is ${atLeast} bytes, there are ${bytes.length}`,
    );
  }
  if (bytes[0]! >> 4 !== version) throw new SegmentError(`IP version ${bytes[0]! >> 4}`);
  // The header says its own length, in words of 4 bytes: with options it is more than 20.
  const headerLength = type === IPV4 ? 4 * (bytes[0]! & 0x0f) : 40;
  const totalLength = type === IPV4 ? word16(bytes, 2) : 40 + word16(bytes, 4);
  if (headerLength < atLeast || headerLength > bytes.length || totalLength < headerLength) {
    throw new SegmentError(`IP header of ${headerLength} bytes, packet of ${totalLength}`);
  }
  // More fragments, or not the first: a part of a segment, whose ports may be anything.
  if (type === IPV4 && (word16(bytes, 6) & 0x3fff) !== 0) throw new SegmentError("A fragment");
  const addresses = type === IPV4 ? [12, 16, 20] as const : [8, 24, 40] as const;
  return {
    header: bytes.subarray(0, headerLength),
    source: addressText(bytes.subarray(addresses[0], addresses[1])),
    destination: addressText(bytes.subarray(addresses[1], addresses[2])),
    protocol: bytes[type === IPV4 ? 9 : 6]!,
    // To the packet's end, not the frame's: behind it is padding.
    segment: bytes.subarray(headerLength, totalLength),
    isWhole: totalLength <= bytes.length,
  };
}

// --- task 6 ---

export function readCapture(file: Uint8Array): CapturedSegment[] {
  const { littleEndian, ticksPerMs, snaplen, linkType } = readFileHeader(file);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const segments: CapturedSegment[] = [];
  for (let at = 24, record = 1; at < file.length; record++) {
    const trouble = (what: string) => new SegmentError(`Record ${record}: ${what}`);
    if (file.length - at < 16) throw trouble("the file ends within its header");
    const [seconds, fraction, captured, original] = [0, 4, 8, 12]
      .map((offset) => view.getUint32(at + offset, littleEndian)) as [
        number,
        number,
        number,
        number,
      ];
    if (captured > original) throw trouble(`${captured} bytes captured of ${original}`);
    if (captured > snaplen) throw trouble(`${captured} bytes captured, limit is ${snaplen}`);
    if (captured > file.length - at - 16) throw trouble("the file ends within its bytes");
    const bytes = file.subarray(at + 16, at + 16 + captured);
    const segment = readRecord(bytes, { linkType, littleEndian, isCut: captured < original });
    if (segment) segments.push({ timeMs: seconds * 1000 + fraction / ticksPerMs, ...segment });
    at += 16 + captured;
  }
  return segments;
}

function readFileHeader(file: Uint8Array) {
  if (file.length < 24) {
    throw new SegmentError(`A file header is 24 bytes, there are ${file.length}`);
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // Each number is written as the machine that captured it writes its own; the magic tells which.
  const littleEndian = [0xa1b2c3d4, 0xa1b23c4d].includes(view.getUint32(0, true));
  const magic = view.getUint32(0, littleEndian);
  if (magic === 0x0a0d0d0a) {
    throw new SegmentError(
      "This is a pcapng file, not pcap; convert it: tcpdump -r in.pcapng -w out.pcap",
    );
  }
  if (magic !== 0xa1b2c3d4 && magic !== 0xa1b23c4d) {
    throw new SegmentError(`No pcap file: it begins with ${hex(magic)}`);
  }
  const snaplen = view.getUint32(16, littleEndian);
  const linkType = view.getUint32(20, littleEndian);
  if (![0, 1, 101, 108, 113, 276].includes(linkType)) {
    throw new SegmentError(`Link type ${linkType} is not known here`);
  }
  return {
    littleEndian,
    ticksPerMs: magic === 0xa1b23c4d ? 1_000_000 : 1_000,
    snaplen: snaplen === 0 ? MAX_SNAPLEN : Math.min(snaplen, MAX_SNAPLEN),
    linkType,
  };
}

interface RecordFacts {
  linkType: number;
  littleEndian: boolean;
  isCut: boolean;
}

/** The segment in a record, or nothing if it holds none. */
function readRecord(
  bytes: Uint8Array,
  facts: RecordFacts,
): Omit<CapturedSegment, "timeMs"> | undefined {
  try {
    const { type, content } = openLink(bytes, facts);
    if (type !== IPV4 && type !== IPV6) return undefined;
    const packet = openIp(content, type);
    if (!packet.isWhole && !facts.isCut) return undefined;
    if (packet.protocol === UDP) return readUdp(packet, facts);
    if (packet.protocol === TCP) return readTcp(packet, facts);
    return undefined;
  } catch (error) {
    // One packet that makes no sense is no reason to keep the others from the reader.
    if (error instanceof SegmentError) return undefined;
    throw error;
  }
}

/** What the link layer carries. Link types: https://www.tcpdump.org/linktypes.html */
function openLink(bytes: Uint8Array, { linkType, littleEndian }: RecordFacts) {
  if (linkType === 1) return openEthernet(bytes);
  if (linkType === 101) return { type: bytes[0]! >> 4 === 6 ? IPV6 : IPV4, content: bytes };
  const headerLength = { 0: 4, 108: 4, 113: 16 }[linkType] ?? 20;
  if (bytes.length < headerLength) throw new SegmentError("The record ends in its link header");
  const content = bytes.subarray(headerLength);
  if (linkType === 113) return { type: word16(bytes, 14), content };
  if (linkType === 276) return { type: word16(bytes, 0), content };
  const family = new DataView(bytes.buffer, bytes.byteOffset)
    .getUint32(0, linkType === 0 && littleEndian);
  // IPv6 has another number on each system: Linux, NetBSD, FreeBSD, macOS.
  return { type: family === 2 ? IPV4 : [10, 24, 28, 30].includes(family) ? IPV6 : 0, content };
}

function readUdp({ source, destination, segment }: IpPacket, { isCut }: RecordFacts) {
  const { sourcePort, destinationPort, content } = splitUdp(segment);
  const length = word16(segment, 4);
  if (length > segment.length && !isCut) return undefined;
  return {
    protocol: "udp" as const,
    source,
    sourcePort,
    destination,
    destinationPort,
    payload: content.slice(),
    // Of a segment that is not all there, nobody can say whether its checksum fits.
    checksum: isCut
      ? "none" as const
      : judgeUdp(segment.subarray(0, length), { source, destination }),
  };
}

function readTcp({ source, destination, segment }: IpPacket, { isCut }: RecordFacts) {
  if (segment.length < 20) return undefined;
  // Where data begins is in the header, too, in words of 4 bytes: a SYN is mostly options.
  const dataOffset = 4 * (segment[12]! >> 4);
  if (dataOffset < 20 || (dataOffset > segment.length && !isCut)) return undefined;
  // A sender that leaves checksums to its network card is captured before the card adds them: "bad" is news, not an error.
  const fits = !isCut && checksumOf(segment, { source, destination }, TCP) === 0;
  return {
    protocol: "tcp" as const,
    source,
    sourcePort: word16(segment, 0),
    destination,
    destinationPort: word16(segment, 2),
    payload: segment.slice(dataOffset),
    checksum: isCut ? "none" as const : fits ? "good" as const : "bad" as const,
  };
}

// --- bytes ---

/** The 16-bit big-endian number at `at`. The caller has made sure that it is there. */
function word16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

/** The low 16 bits as two bytes, big-endian. */
function word(value: number): number[] {
  return [value >> 8 & 0xff, value & 0xff];
}

function concat(parts: ArrayLike<number>[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function macBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) {
    throw new TypeError(`Not a MAC address: "${mac}"`);
  }
  return Uint8Array.from(mac.split(":"), (pair) => parseInt(pair, 16));
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, "0")}`;
}
