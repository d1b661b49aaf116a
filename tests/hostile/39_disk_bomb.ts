// Tries to fill the disk through every place where something may be written; must get 2 of 2 points.

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
await attempt("files", async () => { for (let i = 0; i < 1000; i++) Deno.writeFileSync(`bomb${i}`, new Uint8Array(1 << 20)); return "written"; });
await attempt("temp", async () => { Deno.writeFileSync(Deno.makeTempFileSync(), new Uint8Array(1 << 28)); return "written"; });
await attempt("cache", async () => { const c = await any.caches.open("bomb"); await c.put("http://a/", new Response(new Uint8Array(1 << 28))); return "written"; });
await attempt("storage", async () => { any.localStorage.setItem("a", "x".repeat(5_000_000)); return "written"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
