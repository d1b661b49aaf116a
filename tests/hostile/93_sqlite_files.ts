// Tries to write and read files by SQLite; must get 2 of 2 points.

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

const { DatabaseSync }: any = await import("node:sqlite");
await attempt("attach", () => { new DatabaseSync(":memory:").exec("ATTACH '/tmp/left.db' AS l; CREATE TABLE l.t(x)"); return "attached"; });
await attempt("vacuum", () => { const d = new DatabaseSync(":memory:"); d.exec("CREATE TABLE t(x); VACUUM INTO '/tmp/left.db'"); return "written"; });
await attempt("vacuum here", () => { const d = new DatabaseSync(":memory:"); d.exec("CREATE TABLE t(x); VACUUM INTO 'left.db'"); return "written"; });
await attempt("directory", () => { const d = new DatabaseSync(":memory:"); d.exec("PRAGMA temp_store_directory='/tmp'; PRAGMA temp_store=1; CREATE TEMP TABLE t(x)"); return false; });
await attempt("extension", () => { const d = new DatabaseSync(":memory:", { allowExtension: true }); d.loadExtension("libc.so.6"); return "loaded"; });
await attempt("uri", () => { new DatabaseSync("file:/tmp/left.db?mode=rwc"); return "opened"; });
await attempt("temporary", () => { new DatabaseSync(""); return "opened"; });
await attempt("backup", async () => { const s: any = await import("node:sqlite"); await s.backup(new DatabaseSync(":memory:"), "/tmp/left.db"); return "written"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
