// Tries to take a port that another process listens on; must get 2 of 2 points.

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
await attempt("udp", async () => { const s = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }); await s.send(new Uint8Array([1]), { transport: "udp", hostname: "127.0.0.1", port: OUTSIDE_PORT }); s.close(); });
await attempt("reuse", async () => { Deno.listen({ hostname: "127.0.0.1", port: OUTSIDE_PORT, reusePort: true } as any).close(); });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
