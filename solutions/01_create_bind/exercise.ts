/**
 * Lesson 1, solved: a socket is created and given an address.
 *
 * Why it has this shape: the OS is the only one who knows which ports are free, and it answers in
 * one way alone, by letting bind() succeed or fail. So nothing here looks before it binds. Every
 * function asks for what it wants, keeps what it got, and treats "in use" as an answer and every
 * other error as an error. A socket that is not returned is closed on the spot: the garbage
 * collector may come late or never, and until then the port is taken.
 *
 * @module
 */

const LOOPBACK = "127.0.0.1";

/** How often bindPair() tries; a single collision is rare already, so many of them are no accident. */
const MAX_PAIR_ATTEMPTS = 64;

/** Opens a TCP socket that listens on 127.0.0.1, on a port that the OS chooses. */
export function openTcpSocket(): Deno.TcpListener {
  // The classic mistake avoided: without a hostname Deno binds 0.0.0.0, open to the whole network.
  return Deno.listen({ hostname: LOOPBACK, port: 0 });
}

/** Opens a UDP socket bound to 127.0.0.1, on a port that the OS chooses. */
export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port: 0 });
}

/**
 * Opens a TCP socket that listens on exactly this address, IPv4 or IPv6.
 *
 * Throws `RangeError` for what is no port, `Deno.errors.AddrInUse` naming an address that is taken,
 * and whatever else Deno throws.
 */
export function bindTo(hostname: string, port: number, backlog?: number): Deno.TcpListener {
  // A port is 16 bits of the TCP header (RFC 9293 §3.1). isInteger() is false for NaN and Infinity.
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot bind: port must be a whole number from 0 to 65535, got ${port}`);
  }
  try {
    return Deno.listen({ hostname, port, tcpBacklog: backlog });
  } catch (error) {
    // EADDRINUSE of the kernel does not say which address: whoever reads the log has to know.
    if (error instanceof Deno.errors.AddrInUse) {
      const address = formatEndpoint(hostname, port);
      throw new Deno.errors.AddrInUse(`Cannot bind ${address}: address in use`, { cause: error });
    }
    throw error;
  }
}

/**
 * Opens a TCP socket on the first port of `ports` that is free, trying them in their order.
 *
 * Throws `Deno.errors.AddrInUse` naming them all if none is free, and any other error at once.
 */
export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  for (const port of ports) {
    try {
      // Returned as it was bound. Closing a probe and binding again would leave a moment in
      // between in which another process can take the port.
      return bindTo(hostname, port);
    } catch (error) {
      // The classic mistake avoided: an empty catch would also skip "permission denied".
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Deno.errors.AddrInUse(
    `No free port on ${hostname}: tried ${ports.length > 0 ? ports.join(", ") : "none"}`,
  );
}

/** Opens a TCP and a UDP socket on 127.0.0.1, both on one same port that the OS chooses. */
export function bindPair(): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  for (let attempt = 1; attempt <= MAX_PAIR_ATTEMPTS; attempt++) {
    const tcp = openTcpSocket();
    try {
      // TCP and UDP count their ports separately, so the TCP listener is not in the way; some
      // other process's UDP socket may be.
      const { port } = tcp.addr;
      const udp = Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port });
      return { tcp, udp };
    } catch (error) {
      // The classic mistake avoided: the half that did succeed would stay bound for ever.
      tcp.close();
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Deno.errors.AddrInUse(
    `No port free for both TCP and UDP on ${LOOPBACK} in ${MAX_PAIR_ATTEMPTS} attempts`,
  );
}

/** Writes an address as text: `tcp 127.0.0.1:8080`, `udp [::1]:53`, `unix /run/x.sock`. */
export function formatAddress(addr: Deno.Addr): string {
  switch (addr.transport) {
    case "tcp":
    case "udp":
      return `${addr.transport} ${formatEndpoint(addr.hostname, addr.port)}`;
    case "unix":
    case "unixpacket":
      return `${addr.transport} ${addr.path}`;
    case "vsock":
      // Between a virtual machine and its host; the course never meets one.
      return `${addr.transport} ${addr.cid}:${addr.port}`;
  }
}

/** `127.0.0.1:8080` or `[::1]:8080`. */
function formatEndpoint(hostname: string, port: number): string {
  // Only IPv6 has colons of its own. Without brackets `::1:53` would be an address, not a port.
  return hostname.includes(":") ? `[${shortenIPv6(hostname)}]:${port}` : `${hostname}:${port}`;
}

/** The one text form of an IPv6 address that RFC 5952 recommends; a zone (RFC 4007 §11) is kept. */
function shortenIPv6(address: string): string {
  // Deno takes a host in brackets as well; they are no part of the address.
  const [digits, zone] = address.replace(/^\[|\]$/g, "").split("%", 2);
  // URL serializes IPv6 hosts by the rules of RFC 5952 §4, all but the IPv4-mapped ones of §5.
  const short = new URL(`http://[${digits}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  const shortest = mapped ? `::ffff:${dotted(mapped[1]!)}.${dotted(mapped[2]!)}` : short;
  return zone === undefined ? shortest : `${shortest}%${zone}`;
}

/** Two decimal bytes of one 16-bit group: `7f00` is `127.0`. */
function dotted(group: string): string {
  const value = parseInt(group, 16);
  return `${value >> 8}.${value & 0xff}`;
}
