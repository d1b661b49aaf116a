// Tries to take the host's handles from its module of values; must get 2 of 2 points.

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
await attempt("values", async () => { const host: any = await import("ROOT_URL/workbook/host/values.ts"); return (host.valueTools?.() ?? host).holding; });
await attempt("voice", async () => { const host: any = await import("ROOT_URL/workbook/host/voice.ts"); return (host.voiceTools?.() ?? host).say; });
await attempt("again", async () => { return Object.keys(await import("ROOT_URL/workbook/host.ts?again")); });
await attempt("encoded", async () => { return Object.keys(await import("ROOT_URL/workbook/%68ost/sockets.ts")); });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
