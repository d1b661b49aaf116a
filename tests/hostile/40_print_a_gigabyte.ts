// Tries to print a gigabyte; must get 0 of 2 points.

const block = new Uint8Array(1 << 20).fill(120);
for (let i = 0; i < 1024; i++) for (let done = 0; done < block.length;) done += Deno.stderr.writeSync(block.subarray(done));
console.log("ESCAPED: a gigabyte");

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
