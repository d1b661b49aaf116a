/**
 * Lesson 1: a socket is created and given an address.
 *
 * `Deno.listen()` is `socket()`, `bind()` and `listen()` of the C lecture in one call;
 * `Deno.listenDatagram()` is `socket()` and `bind()`. Both return at once: nothing here is a promise.
 *
 * Fill in the six functions below. Grade them with `deno task lesson1`, one alone with
 * `deno task lesson1 --task 1`. The lesson is in README.md (README.ko.md) beside this file.
 *
 * @module
 */

/**
 * Opens a TCP socket that listens on IPv4 loopback (127.0.0.1), on a port that the OS chooses.
 *
 * The caller reads the port from `addr.port` of what it gets, and closes it.
 */
export function openTcpSocket(): Deno.TcpListener {
  // TODO(task 1): Deno.listen() with a hostname of your own; which port number means "any"?
  throw new Error("Not implemented: openTcpSocket()");
}

/**
 * Opens a UDP socket bound to IPv4 loopback (127.0.0.1), on a port that the OS chooses.
 *
 * A datagram socket has no listen() and no accept(): once bound, it can receive.
 */
export function openUdpSocket(): Deno.DatagramConn {
  // TODO(task 2): Deno.listenDatagram() wants to be told the transport, too.
  throw new Error("Not implemented: openUdpSocket()");
}

/**
 * Opens a TCP socket that listens on exactly this address, IPv4 or IPv6.
 *
 * `port` is a whole number from 0 to 65535; 0 lets the OS choose. `backlog` goes to listen(2):
 * how many finished connections may wait to be accepted. Without it, Deno's default holds.
 *
 * Throws
 * - `RangeError` for any other port (-1, 65536, 80.5, NaN), before a socket is made;
 * - `Deno.errors.AddrInUse` if the address is taken, with the address in its message:
 *   `127.0.0.1:8080`, or `[::1]:8080` for IPv6;
 * - what Deno throws, unchanged, if anything else goes wrong.
 */
export function bindTo(hostname: string, port: number, backlog?: number): Deno.TcpListener {
  // TODO(task 3): check the port first; catch AddrInUse, and only that, to say which address.
  throw new Error(`Not implemented: bindTo() on ${hostname}, port ${port}, backlog ${backlog}`);
}

/**
 * Opens a TCP socket on the first port of `ports` that is free, trying them in their order.
 *
 * Only a port in use is skipped; any other error ends the search and surfaces, an invalid port as
 * the `RangeError` of `bindTo()`. If none is free, or the list is empty, throws
 * `Deno.errors.AddrInUse` whose message names every port tried.
 * Nothing stays bound but the listener that is returned.
 */
export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  // TODO(task 4): a loop around bindTo(). What does "in use" look like to the code that called it?
  throw new Error(`Not implemented: bindFirstFree() on ${hostname}, ports ${ports}`);
}

/**
 * Opens a TCP socket and a UDP socket on 127.0.0.1, both on one same port that the OS chooses.
 *
 * The OS chooses the port for the first of them. If the other protocol's socket of that number is
 * taken, the half-made pair is closed and another port is tried. Any other error surfaces, and
 * nothing stays open then either.
 */
export function bindPair(): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  // TODO(task 5): bind one, ask for its number with the other; what is left open if that fails?
  throw new Error("Not implemented: bindPair()");
}

/**
 * Writes an address as text: `tcp 127.0.0.1:8080`, `udp [::1]:53`, `unix /run/x.sock`.
 *
 * IPv6 stands in brackets and in its shortest form (RFC 5952), an IPv4-mapped one as
 * `::ffff:127.0.0.1`; a zone such as `%eth0` is kept. A host name stays as it is. A socket in the
 * file system is written with its transport (`unix` or `unixpacket`) and its path.
 */
export function formatAddress(addr: Deno.Addr): string {
  // TODO(task 6): three kinds of address, told apart by `transport` and by the colons of IPv6.
  throw new Error(`Not implemented: formatAddress() of a ${addr.transport} address`);
}
