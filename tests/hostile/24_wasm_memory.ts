// Tries to take all memory through WebAssembly; must get 0 to 2 of 2 points.

const kept: WebAssembly.Memory[] = [];
try {
  for (let i = 0; i < 64; i++) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
    memory.grow(8_000);
    new Uint8Array(memory.buffer).fill(1);
    kept.push(memory);
  }
  console.log("ESCAPED: 32 GiB");
} catch {
  kept.length = 0;
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
