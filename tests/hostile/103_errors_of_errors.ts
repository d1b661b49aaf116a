// Tries to fill the suite's memory with errors that are made of errors; must get 0 of 2 points.

// deno-lint-ignore-file
function nested(depth: number): Error {
  const error = new AggregateError(depth === 0 ? [] : Array.from({ length: 20 }, () => nested(depth - 1)), "x".repeat(4_000));
  error.stack = "";
  return error;
}

const error = nested(3);
for (let i = 0; i < 300; i++) Promise.reject(error);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
