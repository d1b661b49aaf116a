/**
 * Lesson 8: what the transport layer puts around the bytes.
 *
 * No socket in this lesson: bytes go in and bytes come out. You do by hand what the kernel does between
 * `send()` and the wire, and back: checksum, header, packet, frame, and which socket it is for. All
 * numbers on the wire are big-endian (network byte order). What comes in from a wire or a file may be
 * anything: where it holds no valid segment, the answer is a `SegmentError` and nothing else. What is
 * given stays as it is; what is returned belongs to the caller, and no later call changes it.
 *
 * Fill in the functions below. Grade them with `deno task lesson8`, one task alone with
 * `deno task lesson8 --task 1`.
 *
 * @module
 */

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

/**
 * The Internet checksum (RFC 1071): the one's complement of the one's complement sum of all 16-bit words.
 *
 * Words are big-endian; an odd number of bytes is padded with a zero byte at the end. Works for any
 * length, also of a view into a longer buffer, and leaves `bytes` as they are.
 */
export function internetChecksum(bytes: Uint8Array): number {
  // TODO(task 1): add words; a carry out of the 16 bits comes back in at the bottom.
  throw new Error(`Not implemented: internetChecksum() of ${bytes.length} bytes`);
}

/**
 * A UDP segment: 8 bytes of header (RFC 768), then the payload.
 *
 * The length counts the header, too. The checksum covers a pseudo-header, header and payload; one that
 * comes out as 0 is sent as 0xFFFF. Pseudo-header: over IPv4 both addresses, zero, 17, length (12 bytes);
 * over IPv6 both addresses, length in 32 bits, three zero bytes, 17 (40 bytes, RFC 8200, section 8.1).
 *
 * Throws a `RangeError` or `TypeError` for a port that is not a whole number from 0 to 65535, a payload
 * over 65,527 bytes, and addresses that are none or of two families.
 */
export function encodeUdp(segment: UdpSegment, addresses: Addresses): Uint8Array {
  // TODO(task 2): what does the checksum cover that is not in the segment?
  throw new Error(
    `Not implemented: encodeUdp() of ${segment.payload.length} bytes to ${addresses.destination}`,
  );
}

/**
 * Reads a UDP segment that came with an IP packet from `source` to `destination`.
 *
 * Bytes after the announced length are not payload. The payload is a copy: what happens to `bytes` later
 * does not change it. `checksum` is "none" if the field is 0, which IPv4 allows and IPv6 does not.
 *
 * Throws a `SegmentError` for fewer than 8 bytes, a length under 8 or over what is there, a checksum that
 * does not fit, and no checksum over IPv6.
 */
export function decodeUdp(
  bytes: Uint8Array,
  addresses: Addresses,
): UdpSegment & { checksum: "good" | "none" } {
  // TODO(task 3): believe no number of the header before you have checked it.
  throw new Error(
    `Not implemented: decodeUdp() of ${bytes.length} bytes from ${addresses.source}`,
  );
}

/**
 * The id of the socket that a UDP segment goes to, or null if there is none (the kernel then answers
 * with ICMP port unreachable).
 *
 * Destination address and port decide, and nothing else. A socket bound to exactly that address goes
 * before one bound to any; "0.0.0.0" is any IPv4 address, "::" any IPv6 address. Addresses are compared
 * as addresses: "::1" is "0:0:0:0:0:0:0:1".
 */
export function demuxUdp(sockets: UdpSocket[], tuple: Tuple): string | null {
  // TODO(task 4): two clients, one socket.
  throw new Error(
    `Not implemented: demuxUdp() of ${sockets.length} sockets for port ${tuple.destinationPort}`,
  );
}

/**
 * The id of the socket that a TCP segment goes to, or null if there is none (the kernel then answers RST).
 *
 * First the connection with exactly these four (local is the destination, remote the source), else the
 * listening socket of the destination: exact address before any.
 */
export function demuxTcp(sockets: TcpSocket[], tuple: Tuple): string | null {
  // TODO(task 4): two clients, two sockets, one local port.
  throw new Error(
    `Not implemented: demuxTcp() of ${sockets.length} sockets for port ${tuple.destinationPort}`,
  );
}

/**
 * A datagram as it goes onto an Ethernet: UDP in IP in an Ethernet II frame.
 *
 * IPv4 (RFC 791): 20 bytes of header, TTL 64, protocol 17, header checksum, identification 0, flags 0 or
 * DF. IPv6 (RFC 8200): 40 bytes, hop limit 64, next header 17, traffic class and flow label 0. Ethernet:
 * destination MAC, source MAC, EtherType 0x0800 or 0x86DD, no frame check sequence; zeros at the end
 * where the frame has fewer than 60 bytes.
 *
 * Throws a `RangeError` or `TypeError` for what fits in no packet, as `encodeUdp()` does; so does a MAC
 * that is none.
 */
export function encapsulate(packet: Packet, frame: Frame): Uint8Array {
  // TODO(task 5): three headers, from the inside out.
  throw new Error(
    `Not implemented: encapsulate() of ${packet.payload.length} bytes to ${frame.destinationMac}`,
  );
}

/**
 * Takes a UDP datagram out of an Ethernet frame. One VLAN tag (EtherType 0x8100, 4 bytes) is skipped, and
 * so are IPv4 options. Padding is no payload; a frame may also have fewer than 60 bytes.
 *
 * Throws a `SegmentError` if any header is cut or of another protocol, if the IP version does not go with
 * the EtherType, a length contradicts what is there, the IPv4 header checksum is wrong, or the packet is
 * a fragment; and where `decodeUdp()` does. IPv6 extension headers need not be understood.
 */
export function decapsulate(bytes: Uint8Array): Packet & Frame {
  // TODO(task 5): each header says where it ends and what comes next.
  throw new Error(`Not implemented: decapsulate() of ${bytes.length} bytes`);
}

/**
 * The UDP and TCP segments in a capture file (pcap-savefile(5)), in the file's order.
 *
 * File header, 24 bytes: magic, version (2 × 2 bytes), 8 bytes to ignore, snaplen, link type. The magic
 * 0xA1B2C3D4 (microseconds) or 0xA1B23C4D (nanoseconds) tells the byte order of all numbers of the file's
 * and the records' headers. Record header, 16 bytes: seconds, fraction, captured length, original length,
 * all unsigned; then the captured bytes. Link types and where IP begins:
 *
 *     1    Ethernet, as in `decapsulate()`
 *     0    loopback: 4 bytes address family in the file's byte order, 2 is IPv4; 10, 24, 28, 30 are IPv6
 *     108  the same, always big-endian
 *     101  IP at once; its first 4 bits are the version
 *     113  Linux cooked: 16 bytes, the last 2 of them the EtherType
 *     276  Linux cooked v2: 20 bytes, the first 2 of them the EtherType
 *
 * Records without a UDP or TCP segment over IPv4 or IPv6 (ARP, ICMP, fragments, …) are left out, and so are
 * those whose headers contradict themselves. The segment's checksum is judged, not that of the IPv4
 * header. A record with fewer bytes than the packet had was cut: its payload is what is there, maybe
 * nothing, its checksum "none". Without the 8 or 20 bytes that every UDP or TCP header has, it is left out.
 *
 * Throws a `SegmentError` for another magic (for pcapng, 0x0A0D0D0A, one that says so and how to convert
 * it), another link type, and a file that ends within a header or record. Also for a record whose captured
 * length is over its original length or over the file's snaplen (at most 262,144, also where the field is
 * 0 or more than that). About a record, the message names its number, counted from 1.
 */
export function readCapture(file: Uint8Array): CapturedSegment[] {
  // TODO(task 6): what the magic tells, holds for every number after it. Which lengths do you check first?
  throw new Error(`Not implemented: readCapture() of ${file.length} bytes`);
}
