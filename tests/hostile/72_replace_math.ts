// Tries to make the host count wrongly; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

for (const [owner, name] of [[Math, "min"], [Math, "max"], [performance, "timeOrigin"]] as any[]) {
  const real = owner[name];
  try {
    Object.defineProperty(owner, name, {
      configurable: true,
      get() {
        if (new Error().stack?.includes("/workbook/host")) tell(`asked for ${name}`);
        return real;
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
