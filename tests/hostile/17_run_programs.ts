// Tries to run programs; must get 2 of 2 points.

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
await attempt("command", async () => { return new Deno.Command("sh", { args: ["-c", "id"] }).outputSync().code; });
await attempt("child", async () => { return (await import("node:child_process")).execSync("id"); });
await attempt("self", async () => { return new Deno.Command(Deno.execPath(), { args: ["eval", "1"] }).outputSync().code; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
