// Tries to make symbolic and hard links to the grader's files; must get 2 of 2 points.

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
await attempt("symlink", async () => { Deno.symlinkSync("OUTSIDE_FILE", "link"); return "made"; });
await attempt("link", async () => { Deno.linkSync("OUTSIDE_FILE", "hard"); return "made"; });
await attempt("node", async () => { (await import("node:fs")).symlinkSync("/etc", "etc"); return "made"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
