// Tries to evade the host's care of bytes by a class of its own; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

const whole = new Uint8Array(16);
class Evil extends Uint8Array {
  override subarray(): any {
    if (new Error().stack?.includes("/workbook/host")) tell("asked for a part");
    return whole;
  }
}
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
const other = await listener.accept();
await conn.write(new Evil(16));
await other.read(new Evil(16));
for (const one of [listener, conn, other]) one.close();

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
