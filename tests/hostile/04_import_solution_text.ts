// Tries to read the model solution as text; must get 0 of 2 points.

import text from "ROOT_URL/solutions/01_create_bind/exercise.ts" with { type: "text" };
console.log(`ESCAPED: ${text.length}`);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
