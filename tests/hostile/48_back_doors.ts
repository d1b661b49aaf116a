// Tries to find node:v8 by other ways; must get 2 of 2 points.
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
await attempt("builtin", async () => { return any.process.getBuiltinModule("v8").getHeapSnapshot; });
await attempt("process", async () => { return (await import("node:process") as any).default.getBuiltinModule("v8").getHeapSnapshot; });
await attempt("bare", async () => { return (await import("v8" as string)).getHeapSnapshot; });
await attempt("computed", async () => { return (await import(["node", "v8"].join(":"))).getHeapSnapshot; });
await attempt("blob", async () => { return (await import(URL.createObjectURL(new Blob(["export * from 'node:v8'"], { type: "text/javascript" })))).getHeapSnapshot; });
await attempt("require", async () => { return any.require("v8").getHeapSnapshot; });
await attempt("vm", async () => { return (await import("node:vm")).runInThisContext("1"); });
await attempt("inspector", async () => { const i: any = await import("node:inspector"); new i.Session().connect(); return "connected"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
