// Tries to find the host's word in memory that was given back; must get 2 of 2 points.

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

const { Buffer } = await import("node:buffer");
const kept: Uint8Array[] = [];
for (let i = 0; i < 300; i++) {
  for (const size of [64, 100, 4096, 65536, 1 << 20]) {
    const bytes = i % 2 ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
    if (i < 50) kept.push(bytes);
    if (bytes.includes(0x1e) && /[0-9a-f]{8}-[0-9a-f]{4}-4/.test(bytes.toString("latin1"))) console.log("ESCAPED: the word");
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
