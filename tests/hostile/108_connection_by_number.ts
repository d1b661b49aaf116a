// Tries to read connections and orders past the host, by handles of Node's for their numbers; must get 2 of 2 points.

// deno-lint-ignore-file
const any = globalThis as any;
const classes = new Set<any>();

for (const name of ["net", "node:net", "node:_tls_wrap", "node:_http_server", "node:tls", "node:http", "node:dgram"]) {
  try {
    const module = (await import(name)).default;
    const server = module.createServer?.(() => {});
    server?.listen?.(0, "127.0.0.1");
    if (server?._handle) classes.add(server._handle.constructor);
    server?.close?.();
    const socket = module.createSocket?.("udp4");
    socket?.bind?.(0, "127.0.0.1");
    for (const symbol of Object.getOwnPropertySymbols(socket ?? {})) if (socket[symbol]?.handle) classes.add(socket[symbol].handle.constructor);
    socket?.close?.();
  } catch {
    // There is no such module.
  }
}
for (const name of ["tcp_wrap", "pipe_wrap", "udp_wrap"]) {
  for (const Class of Object.values(any.process.binding?.(name) ?? {})) if (typeof Class === "function") classes.add(Class);
}
let opened = 0;
for (const Class of classes) {
  for (const method of ["open", "openFromRid"]) {
    for (let number = 0; number < 40; number++) {
      try {
        if (new Class(0)[method](number) === 0) opened++;
      } catch {
        // Refused, as it has to be.
      }
    }
  }
}
if (opened > 0) console.error(`ESCAPED: ${opened} handles opened`);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
