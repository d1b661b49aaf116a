// Tries to start processes without end; must get 2 of 2 points.

// deno-lint-ignore-file
let started = 0;
for (let i = 0; i < 1_000; i++) {
  try {
    new Deno.Command("sh", { args: ["-c", "sleep 60 & sleep 60"] }).spawn();
    started++;
  } catch {
    // Refused, as it has to be.
  }
}
if (started > 0) console.log(`ESCAPED: ${started} processes`);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
