// Tries to write beside the exercise, to the temporary folder and to devices; must get 2 of 2 points.

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
await attempt("left.txt", async () => { Deno.writeTextFileSync("left.txt", "x"); return "written"; });
await attempt("exercise.ts", async () => { Deno.writeTextFileSync("exercise.ts", "x"); return "written"; });
await attempt("/tmp/left.txt", async () => { Deno.writeTextFileSync("/tmp/left.txt", "x"); return "written"; });
await attempt("/dev/shm/left", async () => { Deno.writeTextFileSync("/dev/shm/left", "x"); return "written"; });
await attempt("/dev/full", async () => { Deno.writeTextFileSync("/dev/full", "x"); return "written"; });
await attempt("OUTSIDE_FILE", async () => { Deno.writeTextFileSync("OUTSIDE_FILE", "x"); return "written"; });
await attempt("temp", async () => { return Deno.makeTempDirSync(); });
await attempt("mkdir", async () => { Deno.mkdirSync("left"); return "made"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
