// Tries to take the host's maps and lists by methods that it calls; must get 2 of 2 points.
// Without the protection it succeeds.

// deno-lint-ignore-file
const taken = new Set<unknown>();
for (const owner of [WeakMap.prototype, Map.prototype, Set.prototype] as any[]) {
  for (const name of ["get", "set", "add", "delete"]) {
    const real = owner[name];
    if (!real) continue;
    try {
      owner[name] = function (this: unknown, ...args: unknown[]) {
        if (this !== taken && new Error().stack?.includes("/workbook/host")) Deno.stderr.writeSync(new TextEncoder().encode("ESCAPED: an object of the host\n"));
        return real.apply(this, args);
      };
    } catch {
      // Refused, as it has to be.
    }
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
