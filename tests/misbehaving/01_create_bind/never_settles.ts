// Fails task 2: a promise that nobody settles.

const LOOPBACK = "127.0.0.1";

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: LOOPBACK, port: 0 });
}

// deno-lint-ignore no-explicit-any
export function openUdpSocket(): any {
  return new Promise(() => {});
}

export function bindTo(hostname: string, port: number, backlog?: number): Deno.TcpListener {
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`Not a port: ${port}`);
  try {
    return Deno.listen({ hostname, port, tcpBacklog: backlog });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new Deno.errors.AddrInUse(`In use: ${endpoint(hostname, port)}`);
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
  throw new Deno.errors.AddrInUse(`None free: ${ports.join(", ")}`);
}

export function bindPair(): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  for (let i = 0; i < 50; i++) {
    const tcp = openTcpSocket();
    try {
      const { port } = tcp.addr;
      return { tcp, udp: Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port }) };
    } catch (error) {
      tcp.close();
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Deno.errors.AddrInUse("No port is free for both");
}

function endpoint(hostname: string, port: number): string {
  if (!hostname.includes(":")) return `${hostname}:${port}`;
  const [digits, zone] = hostname.split("%");
  let short = new URL(`http://[${digits}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:(\w+):(\w+)$/.exec(short);
  if (mapped) {
    const [a, b] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)];
    short = `::ffff:${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
  }
  return `[${short}${zone ? `%${zone}` : ""}]:${port}`;
}

export function formatAddress(addr: Deno.Addr): string {
  if ("path" in addr) return `${addr.transport} ${addr.path}`;
  if ("cid" in addr) return `${addr.transport} ${addr.cid}:${addr.port}`;
  return `${addr.transport} ${endpoint(addr.hostname, addr.port)}`;
}
