// Tries to tell the suite so much that it does not hear of the port that was asked for; must get 1 of 2 points.

// deno-lint-ignore-file
export function openTcpSocket(): Deno.TcpListener {
  for (let i = 0; i < 450; i++) Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
  return Deno.listen({ hostname: "127.0.0.1", port: 20000 + Math.floor(Math.random() * 9000) });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
