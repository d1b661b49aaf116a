// Tries to ask for permissions; must get 2 of 2 points.

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
await attempt("read", async () => { return (await Deno.permissions.request({ name: "read" } as any)).state === "granted" && "granted"; });
await attempt("write", async () => { return (await Deno.permissions.request({ name: "write" } as any)).state === "granted" && "granted"; });
await attempt("run", async () => { return (await Deno.permissions.request({ name: "run" } as any)).state === "granted" && "granted"; });
await attempt("env", async () => { return (await Deno.permissions.request({ name: "env" } as any)).state === "granted" && "granted"; });
await attempt("sys", async () => { return (await Deno.permissions.request({ name: "sys" } as any)).state === "granted" && "granted"; });
await attempt("ffi", async () => { return (await Deno.permissions.request({ name: "ffi" } as any)).state === "granted" && "granted"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
