// Tries to catch what the host keeps of each socket by setters for all objects; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

for (const name of ["addr", "remoteAddr", "at", "status", "code", "cause", "errors", "readable"]) {
  try {
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      set(value) {
        Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
        if ("resource" in this) tell(`the host's entry by ${name}`);
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
