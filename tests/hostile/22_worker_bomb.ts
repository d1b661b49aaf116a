// Tries to start workers without end; must get 2 of 2 points.

// deno-lint-ignore-file
try {
  const { Worker } = await import("node:worker_threads");
  for (let i = 0; i < 40; i++) new Worker("for (;;);", { eval: true });
  console.log("ESCAPED: forty threads");
} catch {
  // Refused, as it has to be.
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
