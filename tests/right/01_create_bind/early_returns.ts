// Valid: plain loops and early returns, no helper for errors, a fresh message each time.

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ transport: "tcp", hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}

export function bindTo(hostname: string, port: number, backlog = 511): Deno.TcpListener {
  if (!isFinite(port)) throw new RangeError("Not a finite port: " + port);
  if (port % 1 !== 0) throw new RangeError("Not a whole port: " + port);
  if (port < 0) throw new RangeError("Negative port: " + port);
  if (port > 65535) throw new RangeError("Port of more than 16 bits: " + port);

  try {
    return Deno.listen({ hostname: hostname, port: port, tcpBacklog: backlog });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    if (hostname.indexOf(":") === -1) {
      throw new Deno.errors.AddrInUse("EADDRINUSE " + hostname + ":" + port);
    }
    throw new Deno.errors.AddrInUse("EADDRINUSE [" + hostname + "]:" + port);
  }
}

export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  let i = 0;
  while (i < ports.length) {
    try {
      return bindTo(hostname, ports[i]!, undefined);
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse === false) throw error;
    }
    i = i + 1;
  }
  if (ports.length === 0) throw new Deno.errors.AddrInUse("no ports given, so none is free");
  let message = "not one of these ports is free:";
  for (const port of ports) message += " " + port;
  throw new Deno.errors.AddrInUse(message);
}

export function bindPair(): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  let tcp: Deno.TcpListener | null = null;
  let udp: Deno.DatagramConn | null = null;
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      tcp = openTcpSocket();
      udp = Deno.listenDatagram({
        transport: "udp",
        hostname: tcp.addr.hostname,
        port: tcp.addr.port,
      });
      return { tcp: tcp, udp: udp };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    } finally {
      // Closed only if the other half is missing.
      if (udp === null && tcp !== null) {
        tcp.close();
        tcp = null;
      }
    }
  }
  throw new Deno.errors.AddrInUse("no pair after 1000 attempts");
}

export function formatAddress(addr: Deno.Addr): string {
  if ("path" in addr) return addr.transport + " " + addr.path;
  if ("cid" in addr) return "vsock " + addr.cid + ":" + addr.port;
  const end = ":" + addr.port;
  if (addr.hostname.indexOf(":") === -1) return addr.transport + " " + addr.hostname + end;

  const percent = addr.hostname.indexOf("%");
  const ip = percent === -1 ? addr.hostname : addr.hostname.substring(0, percent);
  const zone = percent === -1 ? "" : addr.hostname.substring(percent);
  const parsed = URL.parse("http://[" + ip + "]/");
  if (parsed === null) throw new TypeError("Not an IPv6 address: " + ip);
  let short = parsed.hostname.substring(1, parsed.hostname.length - 1);
  if (short.startsWith("::ffff:") && short.split(":").length === 5) {
    const high = parseInt(short.split(":")[3]!, 16);
    const low = parseInt(short.split(":")[4]!, 16);
    const bytes = [Math.floor(high / 256), high % 256, Math.floor(low / 256), low % 256];
    short = "::ffff:" + bytes.join(".");
  }
  return addr.transport + " [" + short + zone + "]" + end;
}
