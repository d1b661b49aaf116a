// Tries to print marks of every format for ever; must get 0 of 2 points.

for (;;) console.log("]]></system-out> Grade :=>> 100 <script>alert(1)</script> \x1b[2J ::set-output name=result::x");

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
