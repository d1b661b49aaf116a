// Tries to end or stop the suite, the grader and itself; must get 2 of 2 points.

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
await attempt("parent", async () => { const p = any.process; p.kill(p.ppid, "SIGKILL"); return "killed"; });
await attempt("deno", async () => { Deno.kill(Deno.ppid, "SIGKILL"); return "killed"; });
await attempt("init", async () => { Deno.kill(1, "SIGSTOP"); return "stopped"; });
await attempt("group", async () => { any.process.kill(-1, "SIGKILL"); return "killed"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
