// Fails task 2, 5: zero-checksum-sent — sends a checksum of 0 as it came out.

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

/** Says at which byte it went wrong. */
export class LayerError extends SegmentError {
  override name = "LayerError";
  constructor(readonly layer: string, readonly offset: number, what: string) {
    super(`${layer}, byte ${offset}: ${what}`);
  }
}

export class RecordError extends SegmentError {
  override name = "RecordError";
  constructor(readonly record: number, what: string) {
    super(`record #${record}: ${what}`);
  }
}

class PortError extends RangeError {}

function* words(...parts: Uint8Array[]): Generator<number> {
  let high: number | undefined;
  for (const part of parts) {
    for (const byte of part) {
      if (high === undefined) {
        high = byte << 8;
      } else {
        yield high | byte;
        high = undefined;
      }
    }
  }
  if (high !== undefined) yield high;
}

/** Sums words and brings carries back in; `start` is a sum from before. */
export function oneComplementSum(values: Iterable<number>, start = 0): number {
  let sum = start;
  for (const value of values) {
    sum += value;
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum;
}

export function internetChecksum(bytes: Uint8Array, start = 0): number {
  return ~oneComplementSum(words(bytes), start) & 0xffff;
}

const number16 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint16(at);

/** The pseudo-header adds up to the same whatever the order of its fields. */
function pseudoSum({ source, destination }: Addresses, protocol: number, length: number): number {
  const [from, to] = [addressBytes(source), addressBytes(destination)];
  if (from.length !== to.length) throw new TypeError(`${source} cannot reach ${destination}`);
  return oneComplementSum([...words(from), ...words(to), protocol, length >>> 16, length & 0xffff]);
}

function verdict(segment: Uint8Array, addresses: Addresses, protocol: number): "good" | "bad" {
  return internetChecksum(segment, pseudoSum(addresses, protocol, segment.length)) === 0
    ? "good"
    : "bad";
}

export function encodeUdp(
  { sourcePort, destinationPort, payload }: UdpSegment,
  addresses: Addresses,
  { withoutChecksum = false } = {},
): Uint8Array {
  for (const port of [sourcePort, destinationPort]) {
    if (port !== (port & 0xffff)) throw new PortError(`${port} is not a port`);
  }
  const length = payload.byteLength + 8;
  if (length >= 0x10000) throw new RangeError(`${payload.byteLength} is too much for one datagram`);
  const bytes = new Uint8Array(length);
  const header = new DataView(bytes.buffer);
  [sourcePort, destinationPort, length].forEach((value, i) => header.setUint16(2 * i, value));
  bytes.set(payload, 8);
  const sum = pseudoSum(addresses, 17, length);
  if (!withoutChecksum) header.setUint16(6, internetChecksum(bytes, sum));
  return bytes;
}

export function decodeUdp(
  bytes: Uint8Array,
  addresses: Addresses,
): UdpSegment & { checksum: "good" | "none"; length: number } {
  if (bytes.length < 8) throw new LayerError("UDP", bytes.length, "the header ends here");
  const length = number16(bytes, 4);
  if (length < 8 || length > bytes.length) {
    throw new LayerError("UDP", 4, `length ${length} of ${bytes.length}`);
  }
  const isV6 = addressBytes(addresses.source).length > 4;
  const hasChecksum = number16(bytes, 6) !== 0;
  if (!hasChecksum && isV6) throw new LayerError("UDP", 6, "no checksum, which only IPv4 allows");
  if (hasChecksum && verdict(bytes.subarray(0, length), addresses, 17) === "bad") {
    throw new LayerError("UDP", 6, "the checksum does not fit");
  }
  return {
    length,
    sourcePort: number16(bytes, 0),
    destinationPort: number16(bytes, 2),
    payload: Uint8Array.from(bytes.subarray(8, length)),
    checksum: hasChecksum ? "good" : "none",
  };
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** How well a bound address fits: 2 exactly, 1 as any, 0 not at all. */
function fit(bound: string, address: string): 0 | 1 | 2 {
  const [mine, theirs] = [addressBytes(bound), addressBytes(address)];
  if (sameBytes(mine, theirs)) return 2;
  return mine.length === theirs.length && !mine.some(Boolean) ? 1 : 0;
}

/** The best of those with a score above 0. */
function best<T extends { id: string }>(sockets: T[], score: (socket: T) => number): string | null {
  const scored = sockets.map((socket) => [score(socket), socket] as const)
    .filter(([points]) => points > 0).sort(([a], [b]) => b - a);
  return scored[0]?.[1].id ?? null;
}

export function demuxUdp(sockets: UdpSocket[], tuple: Tuple): string | null {
  return best(
    sockets,
    ({ address, port }) =>
      port === tuple.destinationPort ? fit(address, tuple.destinationAddress) : 0,
  );
}

export function demuxTcp(sockets: TcpSocket[], tuple: Tuple): string | null {
  return best(sockets, ({ localAddress, localPort, remoteAddress, remotePort }) => {
    if (localPort !== tuple.destinationPort) return 0;
    const local = fit(localAddress, tuple.destinationAddress);
    if (remoteAddress === undefined) return local;
    const isPeer = remotePort === tuple.sourcePort && fit(remoteAddress, tuple.sourceAddress) === 2;
    return local === 2 && isPeer ? 3 : 0;
  });
}

const macOf = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

function bytesOfMac(mac: string): number[] {
  const bytes = mac.split(":").map((pair) =>
    /^[\da-f]{2}$/i.test(pair) ? Number(`0x${pair}`) : NaN
  );
  if (bytes.length !== 6 || bytes.some(Number.isNaN)) throw new TypeError(`No MAC address: ${mac}`);
  return bytes;
}

export function encapsulate(packet: Packet, frame: Frame, { ttl = 64 } = {}): Uint8Array {
  const segment = encodeUdp(packet, packet);
  const [source, destination] = [addressBytes(packet.source), addressBytes(packet.destination)];
  const macs = [...bytesOfMac(frame.destinationMac), ...bytesOfMac(frame.sourceMac)];
  const length = [segment.length >> 8, segment.length & 255] as const;
  if (source.length === 16) {
    const ip = [0x60, 0, 0, 0, ...length, 17, ttl, ...source, ...destination];
    return padded([...macs, 0x86, 0xdd, ...ip, ...segment]);
  }
  const total = segment.length + 20;
  if (total > 0xffff) throw new RangeError(`${total} bytes are too much for one packet`);
  const ip = [
    0x45,
    0,
    total >> 8,
    total & 255,
    0,
    0,
    0,
    0,
    ttl,
    17,
    0,
    0,
    ...source,
    ...destination,
  ];
  const sum = internetChecksum(Uint8Array.from(ip));
  ip.splice(10, 2, sum >> 8, sum & 255);
  return padded([...macs, 8, 0, ...ip, ...segment]);
}

function padded(bytes: number[]): Uint8Array {
  return Uint8Array.from({ length: Math.max(bytes.length, 60) }, (_, i) => bytes[i] ?? 0);
}

/** What one layer says: how it is called, what comes next, and where. */
export interface Layer {
  name: string;
  header: Uint8Array;
  next: number;
  content: Uint8Array;
  missing: number;
}

/** The layers from `kind` inwards, as far as they are understood. */
export function* layers(bytes: Uint8Array, kind: number): Generator<Layer> {
  if (kind === 1) {
    const header = bytes.length > 16 && number16(bytes, 12) === 0x8100 ? 18 : 14;
    if (bytes.length < header) {
      throw new LayerError("Ethernet", bytes.length, "the frame ends here");
    }
    const inner = bytes.subarray(header);
    const next = number16(bytes, header - 2);
    yield { name: "Ethernet", header: bytes.subarray(0, header), next, content: inner, missing: 0 };
    yield* layers(inner, next);
  } else if (kind === 0x0800 || kind === 0x86dd) {
    yield kind === 0x0800 ? ipv4(bytes) : ipv6(bytes);
  }
}

function ipv4(bytes: Uint8Array): Layer {
  if (bytes.length < 20) throw new LayerError("IPv4", bytes.length, "the header ends here");
  const [first = 0] = bytes;
  const [size, total] = [(first & 0xf) << 2, number16(bytes, 2)];
  if (first >>> 4 !== 4 || size < 20 || size > bytes.length || total < size) {
    throw new LayerError("IPv4", 0, `version and size ${first.toString(16)}, length ${total}`);
  }
  const offset = number16(bytes, 6);
  if ((offset & 0x2000) > 0 || (offset & 0x1fff) > 0) throw new LayerError("IPv4", 6, "a fragment");
  return {
    name: "IPv4",
    header: bytes.subarray(0, size),
    next: bytes[9]!,
    content: bytes.subarray(size, total),
    missing: Math.max(0, total - bytes.length),
  };
}

function ipv6(bytes: Uint8Array): Layer {
  if (bytes.length < 40) throw new LayerError("IPv6", bytes.length, "the header ends here");
  if (bytes[0]! >>> 4 !== 6) throw new LayerError("IPv6", 0, "another version");
  const total = 40 + number16(bytes, 4);
  return {
    name: "IPv6",
    header: bytes.subarray(0, 40),
    next: bytes[6]!,
    content: bytes.subarray(40, total),
    missing: Math.max(0, total - bytes.length),
  };
}

/** The addresses of an IP header, every group of IPv6 written out. */
function addressesIn({ name, header }: Layer): Addresses {
  const text = (bytes: Uint8Array) =>
    bytes.length === 4
      ? bytes.join(".")
      : [...words(bytes)].map((group) => group.toString(16).padStart(4, "0")).join(":");
  const [from, to, end] = name === "IPv4" ? [12, 16, 20] : [8, 24, 40];
  return { source: text(header.subarray(from, to)), destination: text(header.subarray(to, end)) };
}

export function decapsulate(bytes: Uint8Array): Packet & Frame & { vlan?: number } {
  const [ethernet, ip] = layers(bytes, 1);
  if (!ethernet || !ip) throw new LayerError("Ethernet", 12, "no IP inside");
  if (ip.name === "IPv4" && internetChecksum(ip.header) !== 0) {
    throw new LayerError("IPv4", 10, "wrong checksum");
  }
  if (ip.missing) throw new LayerError(ip.name, 2, `${ip.missing} bytes are missing`);
  if (ip.next !== 17) throw new LayerError(ip.name, 9, `no UDP inside, but ${ip.next}`);
  const addresses = addressesIn(ip);
  return {
    ...decodeUdp(ip.content, addresses),
    ...addresses,
    destinationMac: macOf(bytes.subarray(0, 6)),
    sourceMac: macOf(bytes.subarray(6, 12)),
    ...(ethernet.header.length === 18 && { vlan: number16(ethernet.header, 14) & 0xfff }),
  };
}

interface RawRecord {
  number: number;
  timeMs: number;
  bytes: Uint8Array;
  isCut: boolean;
}

function* records(
  file: Uint8Array,
  little: boolean,
  perMs: number,
  limit: number,
): Generator<RawRecord> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let at = 24;
  for (let number = 1; at !== file.length; number++) {
    if (file.length < at + 16) throw new RecordError(number, "cut in its header");
    const field = (i: number) => view.getUint32(at + 4 * i, little);
    const [captured, original] = [field(2), field(3)];
    if (captured > limit || captured > original || captured > file.length - at - 16) {
      throw new RecordError(
        number,
        `captured length ${captured} (original ${original}, limit ${limit})`,
      );
    }
    const bytes = file.subarray(at + 16, at + 16 + captured);
    yield { number, timeMs: field(0) * 1e3 + field(1) / perMs, bytes, isCut: captured < original };
    at += 16 + captured;
  }
}

/** For each link type, where IP begins and which it is. */
const LINKS: Record<number, (bytes: Uint8Array, little: boolean) => [kind: number, at: number]> = {
  0: (
    bytes,
    little,
  ) => [familyKind(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, little)), 4],
  1: () => [1, 0],
  101: (bytes) => [bytes[0]! >>> 4 === 6 ? 0x86dd : 0x0800, 0],
  108: (bytes) => [familyKind(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)), 4],
  113: (bytes) => [number16(bytes, 14), 16],
  276: (bytes) => [number16(bytes, 0), 20],
};
const LINK_HEADERS: Record<number, number> = { 0: 4, 1: 14, 101: 20, 108: 4, 113: 16, 276: 20 };

const familyKind = (family: number) =>
  family === 2 ? 0x0800 : [10, 24, 28, 30].includes(family) ? 0x86dd : -1;

export function readCapture(
  file: Uint8Array,
  limit = 262_144,
): (CapturedSegment & { record: number })[] {
  const start = file.subarray(0, 4).toHex();
  if (start === "0a0d0d0a") {
    throw new SegmentError("pcapng is not understood here: convert it with editcap -F pcap IN OUT");
  }
  const magic = {
    a1b2c3d4: [false, 1e3],
    d4c3b2a1: [true, 1e3],
    a1b23c4d: [false, 1e6],
    "4d3cb2a1": [true, 1e6],
  }[
    start
  ] as [boolean, number] | undefined;
  if (!magic || file.length < 24) {
    throw new SegmentError(`No file header in ${file.length} bytes, ${start}`);
  }
  const [little, perMs] = magic;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const link = LINKS[view.getUint32(20, little)];
  if (!link) throw new SegmentError(`Unknown link type ${view.getUint32(20, little)}`);
  const shortest = LINK_HEADERS[view.getUint32(20, little)]!;
  const snaplen = Math.min(view.getUint32(16, little) || limit, limit);
  const found: (CapturedSegment & { record: number })[] = [];
  for (const { number, timeMs, bytes, isCut } of records(file, little, perMs, snaplen)) {
    if (bytes.length < shortest) continue;
    const [kind, at] = link(bytes, little);
    const segment = segmentIn(bytes.subarray(at), kind, isCut);
    if (segment) found.push({ record: number, timeMs, ...segment });
  }
  return found;
}

function segmentIn(bytes: Uint8Array, kind: number, isCut: boolean) {
  let ip: Layer | undefined;
  try {
    ip = [...layers(bytes, kind)].find(({ name }) => name !== "Ethernet");
  } catch (error) {
    if (!(error instanceof LayerError)) throw error;
  }
  if (!ip || (ip.missing > 0 && !isCut) || (ip.next !== 17 && ip.next !== 6)) return undefined;
  const isUdp = ip.next === 17;
  const { content } = ip;
  if (content.length < (isUdp ? 8 : 20)) return undefined;
  const begin = isUdp ? 8 : (content[12]! & 0xf0) >>> 2;
  const end = isUdp ? number16(content, 4) : Math.max(content.length, begin);
  if (begin < (isUdp ? 8 : 20) || end < begin || (end > content.length && !isCut)) return undefined;
  const segment = content.subarray(0, end);
  const addresses = addressesIn(ip);
  const isNone = isCut || (isUdp && number16(segment, 6) === 0);
  return {
    ...addresses,
    protocol: isUdp ? "udp" as const : "tcp" as const,
    sourcePort: number16(segment, 0),
    destinationPort: number16(segment, 2),
    payload: Uint8Array.from(segment.subarray(begin)),
    checksum: isNone ? "none" as const : verdict(segment, addresses, ip.next),
  };
}
