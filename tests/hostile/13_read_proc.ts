// Tries to read its own process and devices in /proc and /dev; must get 2 of 2 points.

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
await attempt("/proc/self/environ", async () => { return (await Deno.open("/proc/self/environ")).close() ?? "opened"; });
await attempt("/proc/self/fd", async () => { return (await Deno.open("/proc/self/fd")).close() ?? "opened"; });
await attempt("/proc/self/mem", async () => { return (await Deno.open("/proc/self/mem")).close() ?? "opened"; });
await attempt("/proc/self/maps", async () => { return (await Deno.open("/proc/self/maps")).close() ?? "opened"; });
await attempt("/proc/1/environ", async () => { return (await Deno.open("/proc/1/environ")).close() ?? "opened"; });
await attempt("/proc/net/tcp", async () => { return (await Deno.open("/proc/net/tcp")).close() ?? "opened"; });
await attempt("/dev/stdin", async () => { return (await Deno.open("/dev/stdin")).close() ?? "opened"; });
await attempt("/dev/fd/1", async () => { return (await Deno.open("/dev/fd/1")).close() ?? "opened"; });
await attempt("/dev/mem", async () => { return (await Deno.open("/dev/mem")).close() ?? "opened"; });
await attempt("/dev/tty", async () => { return (await Deno.open("/dev/tty")).close() ?? "opened"; });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
