// Tries to hide that it leaves a rejection to nobody; must get 0 of 2 points.

// deno-lint-ignore-file
addEventListener("unhandledrejection", (event) => { event.preventDefault(); event.stopImmediatePropagation(); }, { capture: true });
Object.defineProperty(PromiseRejectionEvent.prototype, "reason", { get: () => undefined });
globalThis.onunhandledrejection = () => {};

export function openTcpSocket(): Deno.TcpListener {
  Promise.reject(new Error("nobody"));
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  Promise.reject(new Error("nobody"));
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
