// Tries to talk with another task's process through a BroadcastChannel; must get 2 of 2 points.

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
await attempt("channel", async () => { const c = new any.BroadcastChannel("hostile"); const heard = new Promise((r) => c.onmessage = () => r("heard")); c.postMessage(1); return await Promise.race([heard, new Promise((r) => setTimeout(() => r(undefined), 50))]).finally(() => c.close()); });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
