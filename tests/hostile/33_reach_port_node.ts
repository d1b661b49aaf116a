// Tries to connect to another process's port by node:net; must get 2 of 2 points.
// Without the protection it succeeds.

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
await attempt("net", async () => { const net = await import("node:net"); return await new Promise((resolve, reject) => { const s = net.connect(OUTSIDE_PORT, "127.0.0.1", () => { s.destroy(); resolve("connected"); }); s.on("error", reject); }); });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
