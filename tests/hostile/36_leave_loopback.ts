// Tries to reach the network; must get 2 of 2 points.

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
await attempt("tcp", async () => { await Deno.connect({ hostname: "192.0.2.1", port: 80 }); return "connected"; });
await attempt("fetch", async () => { return (await fetch("http://192.0.2.1/", { signal: AbortSignal.timeout(300) })).status; });
await attempt("dns", async () => { return await Deno.resolveDns("example.com", "A"); });
await attempt("udp", async () => { const s = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 }); s.close(); return "bound"; });
await attempt("npm", async () => { return Object.keys(await import("npm:left-pad")); });
await attempt("https", async () => { return Object.keys(await import("https://example.com/x.ts")); });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
