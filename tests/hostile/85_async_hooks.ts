// Tries to watch the host's promises and calls from the hooks of Node; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

const hooks: any = await import("node:async_hooks");
const seen = (kind: string) => (...args: any[]) => {
  if (args.some((arg) => arg instanceof Promise)) tell(`${kind} a promise of the host's`);
};
try {
  hooks.createHook({ init: seen("init"), before: seen("before"), after: seen("after"), promiseResolve: seen("resolve") }).enable();
} catch {
  // Refused, as it has to be.
}
const channel: any = await import("node:diagnostics_channel");
for (const name of ["module.import", "net.client.socket", "net.server.socket", "tracing:module.import:start", "child_process"]) channel.subscribe(name, (message: any) => tell(`${name}: ${message}`));

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
