// Tries to import the host's modules, which are loaded already, and forge what they report; must get 2 of 2 points.

// deno-lint-ignore-file
try {
  const host: any = await import("ROOT_URL/workbook/host/sockets.ts");
  const tools = host.socketTools?.() ?? host;
  if (typeof tools.emit === "function") {
    console.log("ESCAPED: the host's own emit()");
    tools.emit({ event: "listen", asked: { hostname: "127.0.0.1", port: 0 } });
  }
} catch {
  // Refused, as it has to be.
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
