// Tries to read suites and secrets as text, bytes and JSON; must get 2 of 2 points.

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
await attempt("text", async () => { return (await import("ROOT_URL/tests/01_create_bind_test.ts", { with: { type: "text" } })).default; });
await attempt("bytes", async () => { return (await import("ROOT_URL/tests/01_create_bind_test.ts", { with: { type: "bytes" } })).default; });
await attempt("json", async () => { return (await import("ROOT_URL/deno.json", { with: { type: "json" } })).default; });
await attempt("text", async () => { return (await import("file://OUTSIDE_FILE", { with: { type: "text" } })).default; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
