// Tries to read the suite's word and the grader's secrets in the environment; must get 2 of 2 points.

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
await attempt("all", async () => { return Object.keys(Deno.env.toObject()); });
await attempt("word", async () => { return Deno.env.get("WORKBOOK_WORD"); });
await attempt("node", async () => { return (await import("node:process")).default.env.WORKBOOK_WORD; });
await attempt("system", async () => { return Deno.hostname() + Deno.osRelease(); });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
