// Tries to read the suite's orders by Node's standard input; must get 0 to 2 of 2 points.

// deno-lint-ignore-file
const p = (globalThis as any).process;
p.stdin?.on("data", (data: any) => console.log(`ESCAPED: ${String(data).slice(0, 80)}`));
p.stdin?.resume();

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
