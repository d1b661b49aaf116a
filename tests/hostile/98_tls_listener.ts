// Tries to find the class of the sockets by a TLS connection before the host has seen one; must get 2 of 2 points.

// deno-lint-ignore-file
async function attempt(name: string, run: () => unknown) {
  try {
    const got = await run();
    if (got !== undefined && got !== false) console.log(`ESCAPED: ${name}: ${String(got).slice(0, 80)}`);
  } catch {
    // Refused, as it has to be.
  }
}
const any = globalThis as any;

await attempt("class", async () => {
  const server = new (await import("node:tls")).TLSSocket(undefined as any);
  return Object.hasOwn(server, "addr");
});
await attempt("listener", () => {
  const cert = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key: cert });
  return Object.getOwnPropertyNames(Object.getPrototypeOf(Object.getPrototypeOf(listener))).includes("addr");
});

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
