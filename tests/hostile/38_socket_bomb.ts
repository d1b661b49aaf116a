// Tries to open sockets without end; must get 0 to 2 of 2 points.

const kept: unknown[] = [];
try {
  for (;;) kept.push(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
} catch {
  // There are no more.
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
