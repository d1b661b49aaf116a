// Tries to put its own tools in the place of those that the host calls by their global names; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

for (const name of ["Object", "Reflect", "Math", "Number", "Uint8Array", "Error", "performance", "Promise", "Array", "JSON", "Map"]) {
  const real = (globalThis as any)[name];
  try {
    Object.defineProperty(globalThis, name, {
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
