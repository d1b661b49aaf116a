// Tries to go on for ever when the process ends; must get 0 to 2 of 2 points.

// deno-lint-ignore-file
const stay = () => {
  for (;;);
};
addEventListener("beforeunload", stay);
addEventListener("unload", stay);
const p = (globalThis as any).process;
p.on("exit", stay);
p.on("beforeExit", stay);
new FinalizationRegistry(stay).register({}, 0);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
