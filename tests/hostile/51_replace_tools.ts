// Tries to replace what the host writes and counts with; must get 0 to 2 of 2 points.

// deno-lint-ignore-file
const say = Deno.stderr.writeSync.bind(Deno.stderr);
const bytes = new TextEncoder().encode("ESCAPED: a line of the host\n");
for (const [owner, name] of [[JSON, "stringify"], [TextEncoder.prototype, "encode"], [Deno.stdout, "writeSync"], [String.prototype, "slice"]] as any[]) {
  try {
    const real = owner[name];
    owner[name] = function (this: unknown, ...args: unknown[]) {
      if (String(args[0]?.ready ?? args[0]).includes("\x1e")) say(bytes);
      return real.apply(this, args);
    };
  } catch {
    // Refused, as it has to be.
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
