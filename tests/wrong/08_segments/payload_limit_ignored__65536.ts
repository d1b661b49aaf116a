// Fails task 2, 5: payload-limit-ignored — allows 65,535 bytes of payload, and forgets the eight in front.

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

export function internetChecksum(bytes: Uint8Array): number {
  let high = 0;
  let low = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    high += bytes[i]!;
    if (i + 1 < bytes.length) low += bytes[i + 1]!;
  }
  let sum = high * 256 + low;
  for (;;) {
    const carry = Math.floor(sum / 65536);
    if (carry === 0) break;
    sum = sum - carry * 65536 + carry;
  }
  return 65535 - sum;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}

function get16(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

/** The checksum of a segment with its pseudo-header in front. */
function transportChecksum(
  segment: Uint8Array,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
): number {
  const size = source.length;
  const front = size === 4 ? 12 : 40;
  const all = new Uint8Array(front + segment.length);
  all.set(source, 0);
  all.set(destination, size);
  if (size === 4) {
    all[9] = protocol;
    put16(all, 10, segment.length);
  } else {
    all[33] = segment.length >> 16;
    put16(all, 34, segment.length & 0xffff);
    all[39] = protocol;
  }
  all.set(segment, front);
  return internetChecksum(all);
}

function isPort(port: number): boolean {
  return Math.floor(port) === port && port >= 0 && port <= 65535;
}

export function encodeUdp(segment: UdpSegment, addresses: Addresses): Uint8Array {
  if (!isPort(segment.sourcePort)) throw new RangeError(`Source port ${segment.sourcePort}`);
  if (!isPort(segment.destinationPort)) {
    throw new RangeError(`Destination port ${segment.destinationPort}`);
  }
  const source = addressBytes(addresses.source);
  const destination = addressBytes(addresses.destination);
  if (source.length !== destination.length) throw new TypeError("Two families");
  const length = 8 + segment.payload.length;
  if (segment.payload.length > 65535) {
    throw new RangeError(`${segment.payload.length} bytes do not fit`);
  }
  const bytes = new Uint8Array(length);
  put16(bytes, 0, segment.sourcePort);
  put16(bytes, 2, segment.destinationPort);
  put16(bytes, 4, length);
  bytes.set(segment.payload, 8);
  let checksum = transportChecksum(bytes, source, destination, 17);
  if (checksum === 0) checksum = 65535;
  put16(bytes, 6, checksum);
  return bytes;
}

export function decodeUdp(
  bytes: Uint8Array,
  addresses: Addresses,
): UdpSegment & { checksum: "good" | "none" } {
  if (bytes.length < 8) throw new SegmentError(`Only ${bytes.length} bytes`);
  const length = get16(bytes, 4);
  if (length < 8) throw new SegmentError(`The length at byte 4 is ${length}`);
  if (length > bytes.length) {
    throw new SegmentError(`The length at byte 4 is ${length}, not ${bytes.length}`);
  }
  const source = addressBytes(addresses.source);
  const destination = addressBytes(addresses.destination);
  const segment = bytes.slice(0, length);
  const result = {
    sourcePort: get16(segment, 0),
    destinationPort: get16(segment, 2),
    payload: segment.slice(8),
  };
  const field = get16(segment, 6);
  if (field === 0) {
    if (source.length === 16) throw new SegmentError("The checksum at byte 6 is missing");
    return { ...result, checksum: "none" };
  }
  put16(segment, 6, 0);
  let expected = transportChecksum(segment, source, destination, 17);
  if (expected === 0) expected = 65535;
  if (field !== expected) {
    throw new SegmentError(`The checksum at byte 6 is ${field}, not ${expected}`);
  }
  return { ...result, checksum: "good" };
}

function isSame(a: string, b: string): boolean {
  const x = addressBytes(a);
  const y = addressBytes(b);
  if (x.length !== y.length) return false;
  for (let i = 0; i < x.length; i++) {
    if (x[i] !== y[i]) return false;
  }
  return true;
}

function isAny(address: string, like: string): boolean {
  const x = addressBytes(address);
  if (x.length !== addressBytes(like).length) return false;
  for (const byte of x) {
    if (byte !== 0) return false;
  }
  return true;
}

export function demuxUdp(sockets: UdpSocket[], tuple: Tuple): string | null {
  let any: string | null = null;
  for (const socket of sockets) {
    if (socket.port !== tuple.destinationPort) continue;
    if (isSame(socket.address, tuple.destinationAddress)) return socket.id;
    if (isAny(socket.address, tuple.destinationAddress)) any = socket.id;
  }
  return any;
}

export function demuxTcp(sockets: TcpSocket[], tuple: Tuple): string | null {
  let exact: string | null = null;
  let any: string | null = null;
  for (const socket of sockets) {
    if (socket.localPort !== tuple.destinationPort) continue;
    const isHere = isSame(socket.localAddress, tuple.destinationAddress);
    if (socket.remoteAddress !== undefined) {
      if (!isHere || socket.remotePort !== tuple.sourcePort) continue;
      if (isSame(socket.remoteAddress, tuple.sourceAddress)) return socket.id;
    } else if (isHere) {
      exact = socket.id;
    } else if (isAny(socket.localAddress, tuple.destinationAddress)) {
      any = socket.id;
    }
  }
  return exact !== null ? exact : any;
}

function writeMac(bytes: Uint8Array, at: number, mac: string): void {
  const pairs = mac.split(":");
  if (pairs.length !== 6) throw new RangeError(`MAC address ${mac}`);
  for (let i = 0; i < 6; i++) {
    if (!/^[0-9a-fA-F][0-9a-fA-F]$/.test(pairs[i]!)) throw new RangeError(`MAC address ${mac}`);
    bytes[at + i] = parseInt(pairs[i]!, 16);
  }
}

function readMac(bytes: Uint8Array, at: number): string {
  let text = "";
  for (let i = 0; i < 6; i++) {
    if (i > 0) text += ":";
    text += (bytes[at + i]! + 256).toString(16).slice(1).toUpperCase();
  }
  return text;
}

export function encapsulate(packet: Packet, frame: Frame): Uint8Array {
  const segment = encodeUdp(packet, packet);
  const source = addressBytes(packet.source);
  const destination = addressBytes(packet.destination);
  const header = source.length === 4 ? 20 : 40;
  const length = 14 + header + segment.length;
  const bytes = new Uint8Array(length < 60 ? 60 : length);
  writeMac(bytes, 0, frame.destinationMac);
  writeMac(bytes, 6, frame.sourceMac);
  if (header === 20) {
    if (header + segment.length > 65535) throw new RangeError(`${segment.length} bytes do not fit`);
    put16(bytes, 12, 0x0800);
    bytes[14] = 0x45;
    put16(bytes, 16, header + segment.length);
    bytes[22] = 64;
    bytes[23] = 17;
    bytes.set(source, 26);
    bytes.set(destination, 30);
    put16(bytes, 24, internetChecksum(bytes.slice(14, 34)));
  } else {
    put16(bytes, 12, 0x86dd);
    bytes[14] = 0x60;
    put16(bytes, 18, segment.length);
    bytes[20] = 17;
    bytes[21] = 64;
    bytes.set(source, 22);
    bytes.set(destination, 38);
  }
  bytes.set(segment, 14 + header);
  return bytes;
}

export function decapsulate(bytes: Uint8Array): Packet & Frame {
  if (bytes.length < 14) throw new SegmentError(`A frame of ${bytes.length} bytes`);
  let at = 14;
  let type = get16(bytes, 12);
  if (type === 0x8100) {
    if (bytes.length < 18) throw new SegmentError(`A tagged frame of ${bytes.length} bytes`);
    type = get16(bytes, 16);
    at = 18;
  }
  const rest = bytes.slice(at);
  let segment: Uint8Array;
  let source: string;
  let destination: string;
  if (type === 0x0800) {
    if (rest.length < 20) throw new SegmentError(`IPv4 packet of ${rest.length} bytes`);
    if (rest[0]! >> 4 !== 4) throw new SegmentError("Not version 4");
    const size = (rest[0]! & 15) * 4;
    const total = get16(rest, 2);
    if (size < 20 || size > total || total > rest.length) {
      throw new SegmentError(`Lengths ${size}, ${total}`);
    }
    if (internetChecksum(rest.slice(0, size)) !== 0) {
      throw new SegmentError("Wrong header checksum");
    }
    if ((get16(rest, 6) & 0x2000) !== 0 || (get16(rest, 6) & 0x1fff) !== 0) {
      throw new SegmentError("Fragment");
    }
    if (rest[9] !== 17) throw new SegmentError(`Protocol ${rest[9]}`);
    source = addressText(rest.slice(12, 16));
    destination = addressText(rest.slice(16, 20));
    segment = rest.slice(size, total);
  } else if (type === 0x86dd) {
    if (rest.length < 40) throw new SegmentError(`IPv6 packet of ${rest.length} bytes`);
    if (rest[0]! >> 4 !== 6) throw new SegmentError("Not version 6");
    const length = get16(rest, 4);
    if (40 + length > rest.length) throw new SegmentError(`Length ${length}`);
    if (rest[6] !== 17) throw new SegmentError(`Next header ${rest[6]}`);
    source = addressText(rest.slice(8, 24));
    destination = addressText(rest.slice(24, 40));
    segment = rest.slice(40, 40 + length);
  } else {
    throw new SegmentError(`EtherType ${type}`);
  }
  const udp = decodeUdp(segment, { source, destination });
  return {
    destinationMac: readMac(bytes, 0),
    sourceMac: readMac(bytes, 6),
    source,
    destination,
    sourcePort: udp.sourcePort,
    destinationPort: udp.destinationPort,
    payload: udp.payload,
  };
}

export function readCapture(file: Uint8Array): CapturedSegment[] {
  if (file.length < 4) throw new SegmentError(`A file of ${file.length} bytes`);
  const magic = file.slice(0, 4).toHex();
  if (magic === "0a0d0d0a") {
    throw new SegmentError(
      "A pcapng file: use tcpdump -r FILE -w NEWFILE to make a pcap file of it",
    );
  }
  const little = magic === "d4c3b2a1" || magic === "4d3cb2a1";
  const nano = magic === "a1b23c4d" || magic === "4d3cb2a1";
  if (!little && !nano && magic !== "a1b2c3d4") {
    throw new SegmentError(`A file that begins with ${magic}`);
  }
  if (file.length < 24) throw new SegmentError(`A file of ${file.length} bytes`);

  const get32 = (at: number): number => {
    let value = 0;
    for (let i = 0; i < 4; i++) value = value * 256 + file[little ? at + 3 - i : at + i]!;
    return value;
  };
  let snaplen = get32(16);
  if (snaplen === 0 || snaplen > 262144) snaplen = 262144;
  const link = get32(20);
  if (link !== 0 && link !== 1 && link !== 101 && link !== 108 && link !== 113 && link !== 276) {
    throw new SegmentError(`Link type ${link}`);
  }

  const segments: CapturedSegment[] = [];
  let record = 0;
  let at = 24;
  while (at < file.length) {
    record++;
    if (at + 16 > file.length) throw new SegmentError(`Record ${record} ends in its header`);
    const captured = get32(at + 8);
    const original = get32(at + 12);
    if (captured > snaplen) throw new SegmentError(`Record ${record} is longer than ${snaplen}`);
    if (captured > original) throw new SegmentError(`Record ${record} is longer than its packet`);
    if (at + 16 + captured > file.length) throw new SegmentError(`Record ${record} is cut`);
    const timeMs = get32(at) * 1000 + get32(at + 4) / (nano ? 1000000 : 1000);
    const packet = ipPacketIn(file.slice(at + 16, at + 16 + captured), link, little);
    at += 16 + captured;
    if (packet === null) continue;
    const segment = segmentOf(packet, captured < original);
    if (segment !== null) segments.push({ timeMs, ...segment });
  }
  return segments;
}

/** The packet without what the link layer puts in front, or null if it is none of IP. */
function ipPacketIn(bytes: Uint8Array, link: number, little: boolean): Uint8Array | null {
  if (link === 101) return bytes;
  let header = 4;
  let type = 0;
  if (link === 1) {
    header = 14;
    if (bytes.length < 14) return null;
    type = get16(bytes, 12);
    if (type === 0x8100) {
      header = 18;
      if (bytes.length < 18) return null;
      type = get16(bytes, 16);
    }
  } else if (link === 113) {
    header = 16;
    if (bytes.length < 16) return null;
    type = get16(bytes, 14);
  } else if (link === 276) {
    header = 20;
    if (bytes.length < 20) return null;
    type = get16(bytes, 0);
  } else {
    if (bytes.length < 4) return null;
    const family = link === 0 && little ? bytes[0] : bytes[3];
    if (family === 2) type = 0x0800;
    if (family === 10 || family === 24 || family === 28 || family === 30) type = 0x86dd;
  }
  const packet = bytes.slice(header);
  if (packet.length === 0) return null;
  const version = packet[0]! >> 4;
  if (type === 0x0800 && version === 4) return packet;
  if (type === 0x86dd && version === 6) return packet;
  return null;
}

function segmentOf(packet: Uint8Array, cut: boolean): Omit<CapturedSegment, "timeMs"> | null {
  const version = packet.length > 0 ? packet[0]! >> 4 : 0;
  let begin = 40;
  let end = 0;
  let addresses = [8, 24, 40];
  let protocol = 0;
  if (version === 4 && packet.length >= 20) {
    begin = (packet[0]! & 15) * 4;
    end = get16(packet, 2);
    addresses = [12, 16, 20];
    protocol = packet[9]!;
    if (begin < 20 || (get16(packet, 6) & 0x3fff) !== 0) return null;
  } else if (version === 6 && packet.length >= 40) {
    end = 40 + get16(packet, 4);
    protocol = packet[6]!;
  } else {
    return null;
  }
  if (end < begin || begin > packet.length) return null;
  if (end > packet.length && !cut) return null;
  let segment = packet.slice(begin, end);
  let payloadAt = 8;
  if (protocol === 17) {
    if (segment.length < 8) return null;
    const length = get16(segment, 4);
    if (length < 8 || (length > segment.length && !cut)) return null;
    segment = segment.slice(0, length);
  } else if (protocol === 6) {
    if (segment.length < 20) return null;
    payloadAt = (segment[12]! >> 4) * 4;
    if (payloadAt < 20 || (payloadAt > segment.length && !cut)) return null;
  } else {
    return null;
  }
  const source = packet.slice(addresses[0], addresses[1]);
  const destination = packet.slice(addresses[1], addresses[2]);
  let checksum: "good" | "bad" | "none" = "none";
  if (!cut && (protocol === 6 || get16(segment, 6) !== 0)) {
    checksum = transportChecksum(segment, source, destination, protocol) === 0 ? "good" : "bad";
  }
  return {
    protocol: protocol === 6 ? "tcp" : "udp",
    source: addressText(source),
    sourcePort: get16(segment, 0),
    destination: addressText(destination),
    destinationPort: get16(segment, 2),
    payload: segment.slice(payloadAt),
    checksum,
  };
}
