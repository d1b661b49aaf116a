// Tries to leave timers behind whose delays are no numbers; must get 2 of 2 points.

// deno-lint-ignore-file
setTimeout(() => {}, Infinity);
setTimeout(() => {}, NaN);
setTimeout(() => {}, "soon" as any);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
