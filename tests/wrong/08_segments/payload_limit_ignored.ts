// Fails task 2, 5: payload-limit-ignored — writes a length of more than 16 bits into 16 bits.

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

type Maybe<T> = T | string;

const isFailure = <T>(value: Maybe<T>): value is string => typeof value === "string";

/** The value, or a SegmentError with the text. */
function orThrow<T extends object>(value: Maybe<T>): T {
  if (isFailure(value)) throw new SegmentError(value);
  return value;
}

const wordsOf = (bytes: ArrayLike<number>): bigint[] =>
  Array.from(
    { length: Math.ceil(bytes.length / 2) },
    (_, i) => BigInt(bytes[2 * i]! * 256 + (bytes[2 * i + 1] ?? 0)),
  );

/** A one's complement sum is a remainder of 65535, except that only zeros have the sum 0. */
const remainder = (sum: bigint): number => sum === 0n ? 0 : Number((sum - 1n) % 65535n) + 1;

export const internetChecksum = (bytes: Uint8Array): number =>
  65535 - remainder(wordsOf(bytes).reduce((sum, word) => sum + word, 0n));

const be16 = (value: number): number[] => [Math.floor(value / 256) % 256, value % 256];
const at16 = (bytes: Uint8Array, at: number): number =>
  parseInt(bytes.slice(at, at + 2).toHex(), 16);

const pseudo = ([from, to]: [Uint8Array, Uint8Array], protocol: number, length: number): number[] =>
  from.length === 4
    ? [...from, ...to, 0, protocol, ...be16(length)]
    : [...from, ...to, 0, Math.floor(length / 65536), ...be16(length % 65536), 0, 0, 0, protocol];

function pairOf({ source, destination }: Addresses): [Uint8Array, Uint8Array] {
  const pair: [Uint8Array, Uint8Array] = [addressBytes(source), addressBytes(destination)];
  if (pair[0].length !== pair[1].length) throw new RangeError("Addresses of different families");
  return pair;
}

const sumWith = (addresses: Addresses, protocol: number, segment: ArrayLike<number>): number =>
  internetChecksum(
    Uint8Array.from([
      ...pseudo(pairOf(addresses), protocol, segment.length),
      ...Array.from(segment),
    ]),
  );

const fits16 = (value: number): boolean => Number.isInteger(value) && 0 <= value && value <= 65535;

export function encodeUdp(segment: UdpSegment, addresses: Addresses): Uint8Array {
  const { sourcePort, destinationPort, payload } = segment;
  const ports = [sourcePort, destinationPort];
  if (!ports.every(fits16)) throw new RangeError(`Not a port: ${ports}`);
  const header = [...ports, 8 + payload.length];
  const front = header.flatMap(be16);
  const checksum = sumWith(addresses, 17, [...front, 0, 0, ...payload]);
  return Uint8Array.from([...front, ...be16(checksum > 0 ? checksum : 65535), ...payload]);
}

interface UdpView {
  ports: [number, number];
  announced: number;
  segment: Uint8Array;
}

/** The parts of a UDP segment; `whole` says that nothing may be missing. */
function viewUdp(bytes: Uint8Array, whole: boolean): Maybe<UdpView> {
  if (bytes.length < 8) return `UDP header of ${bytes.length} bytes`;
  const announced = at16(bytes, 4);
  if (announced < 8 || (whole && announced > bytes.length)) {
    return `UDP length ${announced} of ${bytes.length}`;
  }
  return { ports: [at16(bytes, 0), at16(bytes, 2)], announced, segment: bytes.slice(0, announced) };
}

const judge = (
  segment: Uint8Array,
  addresses: Addresses,
  protocol: number,
): "good" | "bad" | "none" =>
  protocol === 17 && at16(segment, 6) === 0
    ? "none"
    : sumWith(addresses, protocol, segment) === 0
    ? "good"
    : "bad";

export function decodeUdp(
  bytes: Uint8Array,
  addresses: Addresses,
): UdpSegment & { checksum: "good" | "none" } {
  const { ports: [sourcePort, destinationPort], segment } = orThrow(viewUdp(bytes, true));
  const checksum = judge(segment, addresses, 17);
  if (checksum === "bad") throw new SegmentError("UDP checksum is wrong");
  if (checksum === "none" && addressBytes(addresses.source).length === 16) {
    throw new SegmentError("UDP over IPv6 has no checksum");
  }
  return { sourcePort, destinationPort, payload: segment.slice(8), checksum };
}

const hexOf = (address: string): string => addressBytes(address).toHex();
const nobody = (address: string): string => hexOf(address).replaceAll(/./g, "0");

/** The first of several tables that knows one of the keys, in that order. */
const lookUp = (table: Record<string, string>, keys: string[]): string | null =>
  keys.map((key) => table[key]).find((id) => id !== undefined) ?? null;

export const demuxUdp = (sockets: UdpSocket[], tuple: Tuple): string | null =>
  lookUp(
    Object.fromEntries(sockets.map(({ id, address, port }) => [`${hexOf(address)}/${port}`, id])),
    [hexOf, nobody].map((key) => `${key(tuple.destinationAddress)}/${tuple.destinationPort}`),
  );

export const demuxTcp = (sockets: TcpSocket[], tuple: Tuple): string | null => {
  const remoteOf = (address?: string, port?: number) =>
    address === undefined ? "" : `${hexOf(address)}/${port}`;
  const table = Object.fromEntries(
    sockets.map(({ id, localAddress, localPort, remoteAddress, remotePort }) => [
      `${hexOf(localAddress)}/${localPort}/${remoteOf(remoteAddress, remotePort)}`,
      id,
    ]),
  );
  const [exact, any] = [hexOf, nobody].map((key) =>
    `${key(tuple.destinationAddress)}/${tuple.destinationPort}/`
  );
  return lookUp(table, [
    `${exact}${remoteOf(tuple.sourceAddress, tuple.sourcePort)}`,
    exact!,
    any!,
  ]);
};

function macNumbers(mac: string): number[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) {
    throw new RangeError(`"${mac}" is no MAC address`);
  }
  return mac.split(":").map((pair) => parseInt(pair, 16));
}

const zeros = (count: number): number[] => Array(Math.max(0, count)).fill(0);

export function encapsulate(packet: Packet, { sourceMac, destinationMac }: Frame): Uint8Array {
  const segment = encodeUdp(packet, packet);
  const pair = pairOf(packet);
  const addresses = pair.flatMap((bytes) => [...bytes]);
  const total = 20 + segment.length;
  const isV4 = pair[0].length === 4;
  if (isV4 && !fits16(total)) throw new RangeError(`A packet of ${total} bytes`);
  const v4 = (
    sum: number[],
  ) => [0x45, 0, ...be16(total), 0, 0, 0x40, 0, 64, 17, ...sum, ...addresses];
  const ip = isV4
    ? v4(be16(internetChecksum(Uint8Array.from(v4([0, 0])))))
    : [0x60, 0, 0, 0, ...be16(segment.length), 17, 64, ...addresses];
  const type = isV4 ? [0x08, 0x00] : [0x86, 0xdd];
  const frame = [
    ...macNumbers(destinationMac),
    ...macNumbers(sourceMac),
    ...type,
    ...ip,
    ...segment,
  ];
  return Uint8Array.from([...frame, ...zeros(60 - frame.length)]);
}

interface Inner {
  type: string;
  bytes: Uint8Array;
}

/** The EtherType as four digits, and what it announces. */
function innerOf(frame: Uint8Array): Maybe<Inner> {
  const at = frame.slice(12, 14).toHex() === "8100" ? 16 : 12;
  return frame.length < at + 2
    ? `Ethernet header of ${frame.length} bytes`
    : { type: frame.slice(at, at + 2).toHex(), bytes: frame.slice(at + 2) };
}

interface Ip extends Addresses {
  header: Uint8Array;
  protocol: number;
  content: Uint8Array;
  whole: boolean;
}

function ipOf({ type, bytes }: Inner): Maybe<Ip> {
  const version = { "0800": 4, "86dd": 6 }[type];
  if (version === undefined) return `EtherType ${type}`;
  const least = version === 4 ? 20 : 40;
  if (bytes.length < least) return `IPv${version} header of ${bytes.length} bytes`;
  if (bytes.toHex()[0] !== `${version}`) return `IP version ${bytes.toHex()[0]}`;
  const size = version === 4 ? parseInt(bytes.toHex()[1]!, 16) * 4 : 40;
  const total = version === 4 ? at16(bytes, 2) : 40 + at16(bytes, 4);
  if (size < least || size > bytes.length || total < size) {
    return `IPv${version} lengths ${size}, ${total}`;
  }
  if (version === 4 && at16(bytes, 6) % 0x4000 !== 0) return "IPv4 fragment";
  const [from, to] = version === 4 ? [12, 16] : [8, 24];
  return {
    header: bytes.slice(0, size),
    protocol: bytes[version === 4 ? 9 : 6]!,
    content: bytes.slice(size, total),
    whole: total <= bytes.length,
    source: addressText(bytes.slice(from, to)),
    destination: addressText(bytes.slice(to, 2 * to - from)),
  };
}

export function decapsulate(bytes: Uint8Array): Packet & Frame {
  const inner = orThrow(innerOf(bytes));
  const ip = orThrow(ipOf(inner));
  const complaint = inner.type === "0800" && internetChecksum(ip.header) !== 0
    ? "IPv4 header checksum is wrong"
    : !ip.whole
    ? "IP packet is cut"
    : ip.protocol !== 17
    ? `IP carries ${ip.protocol}`
    : undefined;
  if (complaint !== undefined) throw new SegmentError(complaint);
  const [destinationMac, sourceMac] = [0, 6].map((at) =>
    bytes.slice(at, at + 6).toHex().replaceAll(/..(?=.)/g, "$&:")
  ) as [string, string];
  const { source, destination } = ip;
  const { sourcePort, destinationPort, payload } = decodeUdp(ip.content, ip);
  return { sourceMac, destinationMac, source, destination, sourcePort, destinationPort, payload };
}

const MAGICS: Record<string, [littleEndian: boolean, perSecond: number]> = {
  a1b2c3d4: [false, 1e6],
  d4c3b2a1: [true, 1e6],
  a1b23c4d: [false, 1e9],
  "4d3cb2a1": [true, 1e9],
};

const FAMILIES: Record<number, string> = {
  2: "0800",
  10: "86dd",
  24: "86dd",
  28: "86dd",
  30: "86dd",
};

/** By link type: how long its header is, and what it says comes next. */
const LINKS: Record<
  number,
  [length: number, type: (header: Uint8Array, little: boolean) => string]
> = {
  0: [4, (header, little) => FAMILIES[at32(header, 0, little)] ?? ""],
  101: [0, (bytes) => ({ 4: "0800", 6: "86dd" })[(bytes[0] ?? 0) >> 4] ?? ""],
  108: [4, (header) => FAMILIES[at32(header, 0, false)] ?? ""],
  113: [16, (header) => header.slice(14, 16).toHex()],
  276: [20, (header) => header.slice(0, 2).toHex()],
};

const at32 = (bytes: Uint8Array, at: number, little: boolean): number =>
  parseInt((little ? bytes.slice(at, at + 4).reverse() : bytes.slice(at, at + 4)).toHex(), 16);

function packetIn(bytes: Uint8Array, link: number, little: boolean): Maybe<Inner> {
  if (link === 1) return innerOf(bytes);
  const [length, type] = LINKS[link]!;
  if (bytes.length < length) return `Link header of ${bytes.length} bytes`;
  return { type: type(bytes, little), bytes: bytes.slice(length) };
}

function segmentIn(bytes: Uint8Array, link: number, little: boolean, cut: boolean) {
  const inner = packetIn(bytes, link, little);
  const ip = isFailure(inner) ? inner : ipOf(inner);
  if (isFailure(ip) || (!ip.whole && !cut)) return [];
  const { source, destination, content, protocol } = ip;
  if (protocol === 17) {
    const view = viewUdp(content, !cut);
    if (isFailure(view)) return [];
    const { ports: [sourcePort, destinationPort], segment } = view;
    const checksum = cut ? "none" as const : judge(segment, ip, 17);
    const payload = segment.slice(8);
    return [{
      protocol: "udp" as const,
      source,
      sourcePort,
      destination,
      destinationPort,
      payload,
      checksum,
    }];
  }
  if (protocol !== 6 || content.length < 20) return [];
  const offset = 4 * Math.floor(content[12]! / 16);
  if (offset < 20 || (offset > content.length && !cut)) return [];
  const [sourcePort, destinationPort] = [at16(content, 0), at16(content, 2)];
  const checksum = cut ? "none" as const : judge(content, ip, 6);
  const payload = content.slice(offset);
  return [{
    protocol: "tcp" as const,
    source,
    sourcePort,
    destination,
    destinationPort,
    payload,
    checksum,
  }];
}

export function readCapture(file: Uint8Array): CapturedSegment[] {
  const start = file.slice(0, 4).toHex();
  if (start === "0a0d0d0a") {
    throw new SegmentError(
      "The file is a pcapng file; `tcpdump -r in.pcapng -w out.pcap` converts it",
    );
  }
  const magic = MAGICS[start];
  if (!magic || file.length < 24) {
    throw new SegmentError(`A header of ${file.length} bytes beginning with ${start}`);
  }
  const [little, perSecond] = magic;
  const [snaplen, link] = [at32(file, 16, little), at32(file, 20, little)];
  if (link !== 1 && !(link in LINKS)) throw new SegmentError(`Link type ${link} is unknown`);
  const most = snaplen > 0 && snaplen < 262144 ? snaplen : 262144;
  const step = (
    at: number,
    record: number,
    before: CapturedSegment[],
  ): [number, CapturedSegment[]] => {
    if (at + 16 > file.length) throw new SegmentError(`Record ${record}: no room for its header`);
    const [seconds, fraction, captured, original] = [0, 4, 8, 12].map((i) =>
      at32(file, at + i, little)
    ) as [
      number,
      number,
      number,
      number,
    ];
    const end = at + 16 + captured;
    if (captured > Math.min(original, most) || end > file.length) {
      throw new SegmentError(`Record ${record}: ${captured} bytes cannot be`);
    }
    const timeMs = 1000 * (seconds + fraction / perSecond);
    const found = segmentIn(file.slice(at + 16, end), link, little, captured < original);
    return [end, [...before, ...found.map((segment) => ({ timeMs, ...segment }))]];
  };
  let [at, segments] = [24, [] as CapturedSegment[]];
  for (let record = 1; at < file.length; record++) [at, segments] = step(at, record, segments);
  return segments;
}
