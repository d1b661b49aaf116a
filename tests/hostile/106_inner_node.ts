// Tries to reach the suite and other processes by what Node keeps for itself; must get 2 of 2 points.

// deno-lint-ignore-file
const any = globalThis as any;
const tell = (what: string) => console.log(`ESCAPED: ${what}`);
const attempt = (what: string, run: () => unknown) => {
  try {
    const got = run();
    if (got !== undefined && got !== false && got !== 0) tell(`${what}: ${String(got).slice(0, 80)}`);
  } catch {
    // Refused, as it has to be.
  }
};

// The suite finds the state of this process behind its name (proc(5), stat).
for (const name of ["a) R 1 (", "a) Z 0 0 0 0 0 4 (", "\n) T 1 1"]) any.process.title = name;
for (const name of ["v8", "inspector", "contextify", "worker", "spawn_sync", "process_wrap", "fs"]) {
  for (const by of ["binding", "_linkedBinding", "internalBinding"]) {
    attempt(`${by} ${name}`, () => Object.keys(any.process[by]?.(name) ?? {}).filter((key) => key !== "isEnabled").join() || undefined);
  }
}
attempt("execve", () => any.process.execve?.("/bin/sh", ["sh", "-c", "echo ran"], {}) ?? undefined);
attempt("dlopen", () => any.process.dlopen({}, "libc.so.6"));
attempt("loadEnvFile", () => any.process.loadEnvFile("/proc/1/environ") ?? "read");
attempt("_debugProcess", () => any.process._debugProcess(1) ?? "signalled");
attempt("_kill", () => any.process._kill?.(1, 9));
attempt("setuid", () => any.process.setuid(1) ?? "set");
attempt("chdir", () => any.process.chdir("/") ?? "changed");
attempt("report", () => any.process.report?.getReport?.()?.environmentVariables?.WORKBOOK_WORD);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
