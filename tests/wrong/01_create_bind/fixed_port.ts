// Fails task 1, 2: fixed-port — asks for port 8080 whatever happens to run there.

const HOST = "127.0.0.1";
const PORT = 8080;
const { AddrInUse } = Deno.errors;

export const openTcpSocket = (): Deno.TcpListener => Deno.listen({ hostname: HOST, port: PORT });

export const openUdpSocket = (): Deno.DatagramConn =>
  Deno.listenDatagram({ transport: "udp", hostname: HOST, port: PORT });

export const bindTo = (hostname: string, port: number, backlog?: number): Deno.TcpListener => {
  if (!(Number.isInteger(port) && port >= 0 && port <= 0xffff)) {
    throw new RangeError(`Bad port: ${port}`);
  }
  try {
    return Deno.listen({ hostname, port, tcpBacklog: backlog });
  } catch (e) {
    if (!(e instanceof AddrInUse)) throw e;
    throw new AddrInUse(`Already in use: ${bracket(hostname)}:${port}`);
  }
};

const bracket = (host: string) => host.includes(":") ? `[${host}]` : host;

export const bindFirstFree = (hostname: string, ports: number[]): Deno.TcpListener => {
  for (const port of ports) {
    try {
      return bindTo(hostname, port);
    } catch (e) {
      if (!(e instanceof AddrInUse)) throw e;
    }
  }
  throw new AddrInUse(`None of these is free on ${hostname}: ${ports.join(", ")}`);
};

export const bindPair = (): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } => {
  for (let i = 0; i < 50; i++) {
    const tcp = Deno.listen({ hostname: HOST, port: 0 });
    try {
      const udp = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: tcp.addr.port });
      return { tcp, udp };
    } catch (e) {
      tcp.close();
      if (!(e instanceof AddrInUse)) throw e;
    }
  }
  throw new AddrInUse("No port is free for both TCP and UDP");
};

export const formatAddress = (addr: Deno.Addr): string => {
  if ("path" in addr) return `${addr.transport} ${addr.path}`;
  if (!("hostname" in addr)) return `${addr.transport} ${addr.cid}:${addr.port}`;
  const host = addr.hostname.includes(":") ? `[${shortest(addr.hostname)}]` : addr.hostname;
  return `${addr.transport} ${host}:${addr.port}`;
};

const shortest = (ip: string): string => {
  const [digits, ...zone] = ip.split("%");
  const short = new URL(`http://[${digits}]/`).hostname.slice(1, -1);
  const mapped = short.match(/^::ffff:(\w+):(\w+)$/);
  const bytes = mapped?.slice(1).map((g) => parseInt(g, 16)).flatMap((g) => [g >> 8, g & 255]);
  return [bytes ? `::ffff:${bytes.join(".")}` : short, ...zone].join("%");
};
