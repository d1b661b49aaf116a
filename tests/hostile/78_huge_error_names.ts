// Tries to fill the suite's memory with the names of errors that nobody handles; must get 0 of 2 points.

// deno-lint-ignore-file
const name = "x".repeat(1_000_000);
class Large extends Error {}
Object.defineProperty(Large, "name", { value: name });
for (let i = 0; i < 20; i++) Promise.reject(Object.assign(new Large(name), { name, code: name }));

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
