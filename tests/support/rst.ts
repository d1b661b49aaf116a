/**
 * Ends a connection by RST, as a program does that crashed with bytes unread.
 *
 * `Deno.Conn.close()` always shuts down writing first, which the other side sees as a normal end. Linux resets a
 * connection whose socket is dissolved by connect(2) to no address (AF_UNSPEC; tcp(7), connect(2)). So the socket is
 * looked for among the descriptors of this process and told so by the C library itself.
 *
 * @module
 */

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
} as const;

/** The room that an address takes, IPv6 included, and where its port is: in network byte order, after the family. */
const ADDRESS_BYTES = 28;
const PORT_AT = 2;
/** More descriptors than a suite has open. */
const MOST_DESCRIPTORS = 4_096;

let library: Deno.DynamicLibrary<typeof SYMBOLS> | null | undefined;

/** Whether {@linkcode resetNow} works here: on Linux with the GNU C library. */
export function canReset(): boolean {
  if (library === undefined) {
    try {
      library = Deno.build.os === "linux" ? Deno.dlopen("libc.so.6", SYMBOLS) : null;
    } catch {
      library = null;
    }
  }
  return library !== null;
}

/** Ends `conn` by RST, unless the other side has reset it before. It has still to be closed. */
export function resetNow(conn: Deno.TcpConn): void {
  if (!canReset()) throw new Error("This system has no way to reset a connection");
  const { getsockname, getpeername, connect } = library!.symbols;
  const ports = [conn.localAddr.port, conn.remoteAddr.port];
  const address = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(address.buffer);
  const length = new Uint32Array(1);
  const isBetween = (descriptor: number) =>
    [getsockname, getpeername].every((nameOf, i) => {
      length[0] = ADDRESS_BYTES;
      return nameOf(descriptor, address, length) === 0 && view.getUint16(PORT_AT) === ports[i];
    });
  for (let descriptor = 0; descriptor < MOST_DESCRIPTORS; descriptor++) {
    // No family, no address: all is zero.
    if (isBetween(descriptor)) return void connect(descriptor, address.fill(0), ADDRESS_BYTES);
  }
}
