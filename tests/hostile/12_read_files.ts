// Tries to read the grader's files; must get 2 of 2 points.

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
await attempt("solution", async () => { return Deno.readTextFileSync("ROOT_PATH/solutions/01_create_bind/exercise.ts"); });
await attempt("secret", async () => { return Deno.readTextFileSync("OUTSIDE_FILE"); });
await attempt("node", async () => { return (await import("node:fs")).readFileSync("OUTSIDE_FILE", "utf8"); });
await attempt("parent", async () => { return [...Deno.readDirSync("..")].length; });
await attempt("passwd", async () => { return Deno.readTextFileSync("/etc/passwd"); });
await attempt("home", async () => { return [...Deno.readDirSync("/root")].length; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
