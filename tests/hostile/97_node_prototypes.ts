// Tries to change the classes of Node that the host's streams may use; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

const events: any = await import("node:events");
const real = events.EventEmitter.prototype.emit;
events.EventEmitter.prototype.emit = function (...args: unknown[]) {
  if (new Error().stack?.includes("/workbook/host")) tell("emit");
  return real.apply(this, args);
};
for (const target of [EventTarget.prototype, PromiseRejectionEvent.prototype, ErrorEvent.prototype, Event.prototype] as any[]) {
  for (const name of Object.getOwnPropertyNames(target)) {
    const d = Object.getOwnPropertyDescriptor(target, name)!;
    if (typeof d.value === "function" && name !== "constructor") target[name] = d.value;
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
