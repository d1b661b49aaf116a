// Tries to write to descriptors that it did not open; must get 0 to 2 of 2 points.

// deno-lint-ignore-file
const fs = await import("node:fs");
for (let fd = 3; fd < 64; fd++) {
  try {
    fs.writeSync(fd, "forged");
    console.log(`ESCAPED: descriptor ${fd}`);
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
