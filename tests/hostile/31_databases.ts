// Tries to leave something in a database; must get 2 of 2 points.

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
await attempt("kv", async () => { const kv = await (Deno as any).openKv(); const found = (await kv.get(["a"])).value; await kv.set(["a"], 1); kv.close(); return found ? "found" : undefined; });
await attempt("sqlite", async () => { const { DatabaseSync } = await import("node:sqlite"); new DatabaseSync("/tmp/hostile.db").exec("CREATE TABLE a(b)"); return "made"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
