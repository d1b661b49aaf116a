// Tries to decide for the host what is a list of bytes and what is an error; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

for (const owner of [Uint8Array, Error, Function.prototype]) {
  try {
    Object.defineProperty(owner, Symbol.hasInstance, {
      value: (_value: unknown) => {
        if (new Error().stack?.includes("/workbook/host")) tell(`asked by the host: ${(owner as any).name}`);
        return false;
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
