// Fails task 1, 2, 3, 4, 5, 6: every object has a toJSON() that says nothing.

Object.defineProperty(Object.prototype, "toJSON", { value: () => null });

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}

export function bindTo(hostname: string, port: number, backlog?: number): Deno.TcpListener {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Not a port: ${port}`);
  }
  try {
    return Deno.listen({ hostname, port, tcpBacklog: backlog });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new Deno.errors.AddrInUse(`In use: ${endpoint(hostname, port)}`, { cause: error });
  }
}

export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  for (const port of ports) {
    try {
      return bindTo(hostname, port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Deno.errors.AddrInUse(`None is free: ${ports.join(", ")}`);
}

export function bindPair(): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  for (let attempt = 0; attempt < 50; attempt++) {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const { hostname, port } = tcp.addr;
      return { tcp, udp: Deno.listenDatagram({ transport: "udp", hostname, port }) };
    } catch (error) {
      tcp.close();
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Deno.errors.AddrInUse("No port is free for both");
}

export function formatAddress(addr: Deno.Addr): string {
  if ("hostname" in addr) return `${addr.transport} ${endpoint(addr.hostname, addr.port)}`;
  return `${addr.transport} ${(addr as Deno.UnixAddr).path}`;
}

function endpoint(hostname: string, port: number): string {
  if (!hostname.includes(":")) return `${hostname}:${port}`;
  const [digits, zone] = hostname.split("%");
  const [, high, low] = /^::ffff:(\w+):(\w+)$/.exec(shortest(digits!)) ?? [];
  const text = high ? `::ffff:${bytes(high)}.${bytes(low!)}` : shortest(digits!);
  return zone ? `[${text}%${zone}]:${port}` : `[${text}]:${port}`;
}

function shortest(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function bytes(group: string): string {
  const value = parseInt(group, 16);
  return `${value >> 8}.${value & 255}`;
}
