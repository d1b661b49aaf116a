// Fails task 4: skips-any-error — an empty catch skips a port whatever was wrong with it.

const loopback = { hostname: "127.0.0.1", port: 0 } as const;

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 16;
}

function isInUse(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse;
}

/** 1: TCP on loopback. */
export function openTcpSocket() {
  return Deno.listen(loopback);
}

/** 2: UDP on loopback. */
export function openUdpSocket() {
  return Deno.listenDatagram({ ...loopback, transport: "udp" });
}

/** 3: a given address. */
export function bindTo(hostname: string, port: number, backlog?: number) {
  if (!isPort(port)) throw new RangeError(`not a port: ${port}`);
  try {
    return backlog === undefined
      ? Deno.listen({ hostname, port })
      : Deno.listen({ hostname, port, tcpBacklog: backlog });
  } catch (error) {
    throw isInUse(error)
      ? new Deno.errors.AddrInUse(`${hostAndPort(hostname, port)} is in use`)
      : error;
  }
}

function hostAndPort(hostname: string, port: number) {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** 4: the first free one. */
export function bindFirstFree(hostname: string, ports: number[]) {
  const failed = [];
  for (const port of ports) {
    try {
      return bindTo(hostname, port);
    } catch {
      failed.push(hostAndPort(hostname, port));
    }
  }
  throw new Deno.errors.AddrInUse(`all in use: ${failed.join(" ")}`);
}

/** 5: both protocols on one port. */
export function bindPair(attempts = 40): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  const udp = Deno.listenDatagram({ ...loopback, transport: "udp" });
  try {
    const { port } = udp.addr as Deno.NetAddr;
    return { tcp: Deno.listen({ hostname: loopback.hostname, port }), udp };
  } catch (error) {
    udp.close();
    if (isInUse(error) && attempts > 1) return bindPair(attempts - 1);
    throw error;
  }
}

/** 6: an address as text. */
export function formatAddress(addr: Deno.Addr): string {
  const { transport } = addr;
  switch (transport) {
    case "unix":
    case "unixpacket":
      return `${transport} ${addr.path}`;
    case "vsock":
      return `${transport} ${addr.cid}:${addr.port}`;
    default:
      return `${transport} ${
        addr.hostname.includes(":") ? `[${canonical(addr.hostname)}]` : addr.hostname
      }:${addr.port}`;
  }
}

function canonical(ip: string): string {
  const at = ip.indexOf("%");
  if (at >= 0) return canonical(ip.slice(0, at)) + ip.slice(at);
  const text = new URL(`ws://[${ip}]`).hostname.replace(/[[\]]/g, "");
  if (!/^::ffff:[^:]+:[^:]+$/.test(text)) return text;
  const [high, low] = text.split(":").slice(-2).map((part) => Number("0x" + part));
  return `::ffff:${high! >>> 8}.${high! % 256}.${low! >>> 8}.${low! % 256}`;
}
