// Tries to leave the loopback interface by QUIC, multicast and name servers; must get 0 to 2 of 2 points.

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

await attempt("quic", () => { const e = new (Deno as any).QuicEndpoint({ hostname: "0.0.0.0", port: 0 }); return `bound ${e.addr?.hostname}`; });
await attempt("quic default", () => { const e = new (Deno as any).QuicEndpoint(); const h = e.addr?.hostname; e.close?.(); return h !== "127.0.0.1" && h !== "::1" && h !== undefined && h; });
await attempt("multicast", async () => { const d: any = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }); try { await d.send(new Uint8Array(1), { transport: "udp", hostname: "224.0.0.251", port: 5353 }); return "sent"; } finally { d.close(); } });
await attempt("broadcast", async () => { const d: any = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }); try { d.setBroadcast?.(true); await d.send(new Uint8Array(1), { transport: "udp", hostname: "255.255.255.255", port: 5353 }); return "sent"; } finally { d.close(); } });
await attempt("dns", async () => (await Deno.resolveDns("localhost", "A")).join());
await attempt("dns 2", async () => (await Deno.resolveDns("example.com", "A", { nameServer: { ipAddr: "1.1.1.1" } })).join());
await attempt("node dns", async () => { const dns: any = await import("node:dns/promises"); return (await dns.resolve4("example.com")).join(); });
await attempt("node dns lookup", async () => { const dns: any = await import("node:dns/promises"); return (await dns.lookup("example.com")).address; });

await attempt("webtransport", async () => { const w = new any.WebTransport("https://1.1.1.1/"); await w.ready; return "connected"; });
await attempt("interfaces", () => Deno.networkInterfaces().length);


export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
