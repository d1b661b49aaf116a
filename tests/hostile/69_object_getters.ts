// Tries to take the host's limits and faults by getters for all objects; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

for (const name of ["readBytes", "writeBytes", "fixedPort", "skip", "times", "remoteAddr", "hold", "rawOnly", "spoil", "readable", "writable"]) {
  try {
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      get() {
        if (new Error().stack?.includes("/workbook/host")) tell(`${name} of an object of the host's`);
        return undefined;
      },
    });
  } catch {
    // Refused, as it has to be.
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
