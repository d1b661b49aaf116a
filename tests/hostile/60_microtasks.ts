// Tries to never end in microtasks; must get 0 of 2 points.

const spin = (): unknown => Promise.resolve().then(spin);
await spin();
await new Promise(() => {});

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
