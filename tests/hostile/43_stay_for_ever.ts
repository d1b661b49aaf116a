// Tries to keep the process alive with timers and listeners; must get 2 of 2 points.

setInterval(() => {}, 1000);
addEventListener("beforeunload", (event) => event.preventDefault());

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
