// Tries to answer for a socket's address, by the class that it has from another socket; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const prototype = Object.getPrototypeOf(probe);
probe.close();
try {
  Object.defineProperty(prototype, "addr", { get: () => ({ transport: "tcp", hostname: "127.0.0.1", port: 1 }) });
  tell("the address of every listener");
} catch {
  // Refused, as it has to be.
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
