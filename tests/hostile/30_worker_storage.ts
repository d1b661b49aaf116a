// Tries to leave something in the localStorage of a worker, for the next task; must get 2 of 2 points.

// deno-lint-ignore-file
try {
  const { Worker } = await import("node:worker_threads");
  const code = `const { parentPort } = require("node:worker_threads");
    const found = localStorage.getItem("hostile"); localStorage.setItem("hostile", "1"); parentPort.postMessage(found)`;
  const worker = new Worker(code, { eval: true });
  const found = await new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  if (found) console.log("ESCAPED: what another process left");
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
