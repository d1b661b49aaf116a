// Tries to find node:v8 by names that the import map does not have; must get 2 of 2 points.

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

for (const name of ["node:v8?x", "node:v8#x", "NODE:v8", "node:/v8", "node:./v8", "node:v%38", "node: v8", "node:v8/", "npm:v8", "npm:node:v8", "node:node:v8", "data:text/javascript,export * from 'node:v8%3Fx'", "ext:deno_node/v8.ts", "ext:core/ops", "ext:core/mod.js", "internal:core", "node:internal/bootstrap/realm", "node:_v8", "node:sys"]) {
  await attempt(name, async () => typeof (await import(name)).getHeapSnapshot === "function");
}
for (const name of ["ext:core/ops", "ext:core/mod.js", "ext:runtime/98_global_scope_shared.js", "ext:deno_node/internal_binding/mod.ts", "ext:deno_fs/30_fs.js", "checkin:core"]) {
  await attempt(name, async () => Object.keys(await import(name)).length);
}
await attempt("prototype", () => typeof Object.getPrototypeOf(any.process).getBuiltinModule === "function");
await attempt("mainModule", () => typeof any.process.mainModule?.require === "function");
await attempt("dlopen", () => { any.process.dlopen({}, "/lib/x86_64-linux-gnu/libc.so.6"); return "loaded"; });
await attempt("report", () => JSON.stringify(any.process.report.getReport()).length);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
