// Fails task 2, 5: zero-checksum-sent — does not know that 0 has a meaning of its own.

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

const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd, vlan: 0x8100 } as const;
const PROTOCOL = { tcp: 6, udp: 17 } as const;

/** Reads big-endian numbers one after the other; whoever asks for more than is there gets a SegmentError. */
class Reader {
  readonly #view: DataView;
  position = 0;

  constructor(readonly bytes: Uint8Array, readonly name: string, readonly littleEndian = false) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.position;
  }

  #take(size: number): number {
    if (size > this.left) {
      throw new SegmentError(
        `${this.name}: ${size} bytes wanted at ${this.position}, ${this.left} left`,
      );
    }
    const at = this.position;
    this.position += size;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), this.littleEndian);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), this.littleEndian);
  }

  take(size: number): Uint8Array {
    const at = this.#take(size);
    return this.bytes.subarray(at, at + size);
  }

  skip(size: number): void {
    this.#take(size);
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }
}

class Writer {
  #bytes: number[] = [];

  u8(...values: number[]): this {
    this.#bytes.push(...values);
    return this;
  }

  u16(value: number): this {
    return this.u8((value >> 8) & 0xff, value & 0xff);
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  all(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  done(): Uint8Array {
    return new Uint8Array(this.#bytes);
  }
}

export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const [i, byte] of bytes.entries()) sum += i % 2 === 0 ? byte * 256 : byte;
  // Sums of bytes are exact up to 2^53; folding can wait.
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return 0xffff - sum;
}

function checksummed(segment: Uint8Array, addresses: Addresses, protocol: number): number {
  const [source, destination] = [
    addressBytes(addresses.source),
    addressBytes(addresses.destination),
  ];
  if (source.length !== destination.length) {
    throw new TypeError("One address is IPv4, the other IPv6");
  }
  const pseudo = new Writer().all(source).all(destination);
  if (source.length === 4) pseudo.u8(0, protocol).u16(segment.length);
  else pseudo.u32(segment.length).u8(0, 0, 0, protocol);
  return internetChecksum(pseudo.all(segment).done());
}

export function encodeUdp(segment: UdpSegment, addresses: Addresses): Uint8Array {
  const { sourcePort, destinationPort, payload } = segment;
  if (
    ![sourcePort, destinationPort].every((port) =>
      Number.isInteger(port) && port >= 0 && port < 65536
    )
  ) {
    throw new RangeError(`Not a port: ${sourcePort} or ${destinationPort}`);
  }
  if (payload.length + 8 > 0xffff) {
    throw new RangeError(`Payload of ${payload.length} bytes is too long`);
  }
  const write = (checksum: number) =>
    new Writer().u16(sourcePort).u16(destinationPort).u16(payload.length + 8).u16(checksum).all(
      payload,
    ).done();
  const checksum = checksummed(write(0), addresses, PROTOCOL.udp);
  return write(checksum);
}

export function decodeUdp(
  bytes: Uint8Array,
  addresses: Addresses,
): UdpSegment & { checksum: "good" | "none" } {
  const reader = new Reader(bytes, "UDP");
  const [sourcePort, destinationPort, length, field] = [
    reader.u16(),
    reader.u16(),
    reader.u16(),
    reader.u16(),
  ];
  if (length < 8) throw new SegmentError(`UDP: length ${length}`);
  const payload = new Uint8Array(reader.take(length - 8));
  if (field === 0) {
    if (addressBytes(addresses.source).length === 16) {
      throw new SegmentError("UDP: no checksum over IPv6");
    }
    return { sourcePort, destinationPort, payload, checksum: "none" };
  }
  if (checksummed(bytes.subarray(0, length), addresses, PROTOCOL.udp) !== 0) {
    throw new SegmentError("UDP: wrong checksum");
  }
  return { sourcePort, destinationPort, payload, checksum: "good" };
}

const key = (address: string) => addressBytes(address).join();
const anyOf = (address: string) => new Uint8Array(addressBytes(address).length).join();

export function demuxUdp(sockets: UdpSocket[], tuple: Tuple): string | null {
  const bound = new Map<string, string>();
  for (const { id, address, port } of sockets) bound.set(`${key(address)} ${port}`, id);
  const { destinationAddress, destinationPort } = tuple;
  return bound.get(`${key(destinationAddress)} ${destinationPort}`) ??
    bound.get(`${anyOf(destinationAddress)} ${destinationPort}`) ?? null;
}

export function demuxTcp(sockets: TcpSocket[], tuple: Tuple): string | null {
  const table = new Map<string, string>();
  for (const { id, localAddress, localPort, remoteAddress, remotePort } of sockets) {
    const remote = remoteAddress === undefined ? "*" : `${key(remoteAddress)} ${remotePort}`;
    table.set(`${key(localAddress)} ${localPort} ${remote}`, id);
  }
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = tuple;
  return table.get(
    `${key(destinationAddress)} ${destinationPort} ${key(sourceAddress)} ${sourcePort}`,
  ) ??
    table.get(`${key(destinationAddress)} ${destinationPort} *`) ??
    table.get(`${anyOf(destinationAddress)} ${destinationPort} *`) ?? null;
}

const macText = (bytes: Uint8Array) => bytes.toHex().match(/../g)!.join(":");

function macBytes(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new TypeError(`Not a MAC: ${text}`);
  return Uint8Array.fromHex(text.replaceAll(":", ""));
}

export function encapsulate(packet: Packet, frame: Frame): Uint8Array {
  const segment = encodeUdp(packet, packet);
  const [source, destination] = [addressBytes(packet.source), addressBytes(packet.destination)];
  const ethernet = new Writer().all(macBytes(frame.destinationMac)).all(macBytes(frame.sourceMac));
  if (source.length === 16) {
    ethernet.u16(ETHERTYPE.ipv6).u32(0x60000000).u16(segment.length).u8(PROTOCOL.udp, 64)
      .all(source).all(destination);
  } else {
    if (segment.length + 20 > 0xffff) throw new RangeError("Too long for one IPv4 packet");
    const header = (checksum: number) =>
      new Writer().u8(0x45, 0).u16(segment.length + 20).u16(0).u16(0x4000).u8(64, PROTOCOL.udp)
        .u16(checksum).all(source).all(destination).done();
    ethernet.u16(ETHERTYPE.ipv4).all(header(internetChecksum(header(0))));
  }
  const bytes = ethernet.all(segment).done();
  const padded = new Uint8Array(Math.max(60, bytes.length));
  padded.set(bytes);
  return padded;
}

interface Opened extends Addresses {
  headerIsGood: boolean;
  protocol: number;
  /** As far as it is there. */
  content: Uint8Array;
  missing: number;
}

function openIpv4(reader: Reader): Opened {
  const start = reader.position;
  const first = reader.u8();
  if (first >> 4 !== 4) throw new SegmentError(`IPv4: version ${first >> 4}`);
  const size = (first & 15) * 4;
  reader.skip(1);
  const total = reader.u16();
  if (size < 20 || total < size) throw new SegmentError(`IPv4: header ${size}, packet ${total}`);
  reader.skip(2);
  const fragment = reader.u16();
  if (fragment & 0x3fff) throw new SegmentError("IPv4: a fragment");
  reader.skip(1);
  const protocol = reader.u8();
  reader.skip(2);
  const [source, destination] = [addressText(reader.take(4)), addressText(reader.take(4))];
  reader.skip(size - 20);
  const headerIsGood = internetChecksum(reader.bytes.subarray(start, start + size)) === 0;
  const missing = Math.max(0, total - size - reader.left);
  return {
    headerIsGood,
    protocol,
    source,
    destination,
    content: reader.take(total - size - missing),
    missing,
  };
}

function openIpv6(reader: Reader): Opened {
  const first = reader.u32();
  if (first >>> 28 !== 6) throw new SegmentError(`IPv6: version ${first >>> 28}`);
  const length = reader.u16();
  const protocol = reader.u8();
  reader.skip(1);
  const [source, destination] = [addressText(reader.take(16)), addressText(reader.take(16))];
  const missing = Math.max(0, length - reader.left);
  return {
    headerIsGood: true,
    protocol,
    source,
    destination,
    content: reader.take(length - missing),
    missing,
  };
}

function openByType(type: number, reader: Reader): Opened | undefined {
  if (type === ETHERTYPE.ipv4) return openIpv4(reader);
  if (type === ETHERTYPE.ipv6) return openIpv6(reader);
  return undefined;
}

function etherTypeOf(reader: Reader): number {
  const type = reader.u16();
  if (type !== ETHERTYPE.vlan) return type;
  reader.skip(2);
  return reader.u16();
}

export function decapsulate(bytes: Uint8Array): Packet & Frame {
  const reader = new Reader(bytes, "Ethernet");
  const [destinationMac, sourceMac] = [macText(reader.take(6)), macText(reader.take(6))];
  const type = etherTypeOf(reader);
  const packet = openByType(type, reader);
  if (!packet) throw new SegmentError(`Ethernet: type ${type}`);
  if (!packet.headerIsGood) throw new SegmentError("IPv4: wrong header checksum");
  if (packet.missing > 0) throw new SegmentError(`IP: ${packet.missing} bytes are missing`);
  if (packet.protocol !== PROTOCOL.udp) throw new SegmentError(`IP: protocol ${packet.protocol}`);
  const { source, destination } = packet;
  return { sourceMac, destinationMac, source, destination, ...decodeUdp(packet.content, packet) };
}

const MAGICS = new Map([[0xa1b2c3d4, 1e3], [0xa1b23c4d, 1e6]]);

export function readCapture(file: Uint8Array): CapturedSegment[] {
  const magic = new Reader(file, "File header").u32();
  if (magic === 0x0a0d0d0a) {
    throw new SegmentError("This is pcapng. Convert it with: editcap -F pcap in.pcapng out.pcap");
  }
  const little = !MAGICS.has(magic);
  const reader = new Reader(file, "File header", little);
  const perMs = MAGICS.get(reader.u32());
  if (perMs === undefined) {
    throw new SegmentError(`No capture: it begins with ${magic.toString(16)}`);
  }
  reader.skip(12);
  const snaplen = reader.u32() || 262_144;
  const linkType = reader.u32();
  if (![0, 1, 101, 108, 113, 276].includes(linkType)) {
    throw new SegmentError(`Link type ${linkType}`);
  }
  const found: CapturedSegment[] = [];
  for (let number = 1; reader.left > 0; number++) {
    try {
      const [seconds, fraction, captured, original] = [
        reader.u32(),
        reader.u32(),
        reader.u32(),
        reader.u32(),
      ];
      if (captured > original || captured > Math.min(snaplen, 262_144)) {
        throw new SegmentError(`${captured} bytes of ${original}, limit ${snaplen}`);
      }
      const segment = segmentIn(reader.take(captured), linkType, little, captured < original);
      if (segment) found.push({ ...segment, timeMs: seconds * 1e3 + fraction / perMs });
    } catch (error) {
      throw new SegmentError(`Record ${number}: ${(error as Error).message}`, { cause: error });
    }
  }
  return found;
}

function segmentIn(
  bytes: Uint8Array,
  linkType: number,
  little: boolean,
  isCut: boolean,
): Omit<CapturedSegment, "timeMs"> | undefined {
  const reader = new Reader(bytes, "Record", false);
  try {
    const packet = openByType(linkTypeOf(reader, linkType, little), reader);
    if (!packet || (packet.missing > 0 && !isCut)) return undefined;
    return packet.protocol === PROTOCOL.udp
      ? udpIn(packet, isCut)
      : packet.protocol === PROTOCOL.tcp
      ? tcpIn(packet, isCut)
      : undefined;
  } catch (error) {
    if (error instanceof SegmentError) return undefined;
    throw error;
  }
}

function linkTypeOf(reader: Reader, linkType: number, little: boolean): number {
  if (linkType === 1) {
    reader.skip(12);
    return etherTypeOf(reader);
  }
  if (linkType === 113) {
    reader.skip(14);
    return reader.u16();
  }
  if (linkType === 276) {
    const type = reader.u16();
    reader.skip(18);
    return type;
  }
  if (linkType === 101) return reader.bytes[0]! >> 4 === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6;
  const family = new Reader(reader.take(4), "Family", little && linkType === 0).u32();
  if (family === 2) return ETHERTYPE.ipv4;
  return [10, 24, 28, 30].includes(family) ? ETHERTYPE.ipv6 : 0;
}

function udpIn(packet: Opened, isCut: boolean): Omit<CapturedSegment, "timeMs"> | undefined {
  const reader = new Reader(packet.content, "UDP");
  const [sourcePort, destinationPort, length, field] = [
    reader.u16(),
    reader.u16(),
    reader.u16(),
    reader.u16(),
  ];
  if (length < 8 || (length > packet.content.length && !isCut)) return undefined;
  const checksum = isCut || field === 0
    ? "none"
    : checksummed(packet.content.subarray(0, length), packet, PROTOCOL.udp) === 0
    ? "good"
    : "bad";
  const payload = packet.content.slice(8, length);
  const { source, destination } = packet;
  return { protocol: "udp", source, sourcePort, destination, destinationPort, payload, checksum };
}

function tcpIn(packet: Opened, isCut: boolean): Omit<CapturedSegment, "timeMs"> | undefined {
  const reader = new Reader(packet.content, "TCP");
  const [sourcePort, destinationPort] = [reader.u16(), reader.u16()];
  reader.skip(8);
  const offset = (reader.u8() >> 4) * 4;
  reader.skip(7);
  if (offset < 20 || (offset > packet.content.length && !isCut)) return undefined;
  const checksum = isCut
    ? "none"
    : checksummed(packet.content, packet, PROTOCOL.tcp) === 0
    ? "good"
    : "bad";
  const payload = packet.content.slice(offset);
  const { source, destination } = packet;
  return { protocol: "tcp", source, sourcePort, destination, destinationPort, payload, checksum };
}
