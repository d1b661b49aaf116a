// Tries to be asked for the class of the host's promises, and answer in their place; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

try {
  const real = Promise;
  Object.defineProperty(Promise.prototype, "constructor", {
    get(this: Promise<unknown>) {
      if (new Error().stack?.includes("/workbook/host")) tell("a promise of the host's");
      return real;
    },
  });
} catch {
  // Refused, as it has to be.
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
