// Tries to fill the memory with buffers; must get 0 to 2 of 2 points.

const kept: Uint8Array[] = [];
try {
  for (let i = 0; i < 16; i++) kept.push(new Uint8Array(1 << 30).fill(1));
  console.log("ESCAPED: 16 GiB");
} catch {
  kept.length = 0;
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
