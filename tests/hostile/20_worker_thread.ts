// Tries to go on in a worker thread of Node's, beside what is watched; must get 2 of 2 points.

// deno-lint-ignore-file
try {
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(
    "const { parentPort } = require('node:worker_threads'); parentPort.postMessage(typeof localStorage)",
    { eval: true },
  );
  const said = await new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  console.log(`ESCAPED: a worker that has localStorage: ${said}`);
  await worker.terminate();
} catch {
  // Refused, as it has to be.
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
