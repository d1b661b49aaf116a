// Tries to fill the heap; must get 0 of 2 points.

const kept: unknown[] = [];
for (let i = 0;; i++) kept.push({ i, text: `${i}`.repeat(1000) });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
