// Tries to catch what the host puts into its lists; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

for (const owner of [Array.prototype, Object.prototype]) {
  for (const index of [0, 1, 2]) {
    try {
      Object.defineProperty(owner, index, {
        configurable: true,
        set(value) {
          Object.defineProperty(this, index, { value, writable: true, enumerable: true, configurable: true });
          if (new Error().stack?.includes("/workbook/host")) tell("a piece of a list");
        },
      });
    } catch {
      // Refused, as it has to be.
    }
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
