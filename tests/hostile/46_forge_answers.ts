// Tries to print the host's answers; must get 0 of 2 points.

for (let id = 1; id < 50; id++) {
  const value = { is: "handle", handle: "h1", kind: "listener", className: "TcpListener", addr: { transport: "tcp", hostname: "127.0.0.1", port: 80 } };
  Deno.stdout.writeSync(new TextEncoder().encode(`\n\x1e ${JSON.stringify({ id, ok: true, value })}\n`));
}

export function openTcpSocket(): unknown {
  return undefined;
}

export function openUdpSocket(): unknown {
  return undefined;
}
