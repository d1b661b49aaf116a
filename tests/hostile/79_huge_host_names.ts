// Tries to fill the suite's memory with the names that are told of each call; must get 0 to 2 of 2 points.

// deno-lint-ignore-file
const name = "x".repeat(1_000_000);
for (let i = 0; i < 20; i++) {
  try {
    Deno.listen({ hostname: name, port: 0 });
  } catch {
    // Refused, as it has to be.
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
