// Tries to read the suite's orders from standard input; must get 0 to 2 of 2 points.

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
await attempt("fs", async () => { const fs = await import("node:fs"); const b = new Uint8Array(4096); const n = fs.readSync(0, b); return n > 0 && "read"; });
await attempt("stdin", async () => { return await Deno.stdin.read(new Uint8Array(10)) ?? undefined; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
