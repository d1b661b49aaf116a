// Valid: recursion instead of loops, UDP bound before TCP, IPv6 shortened by hand.

const LOCAL = "127.0.0.1";

const inUse = (error: unknown): error is Deno.errors.AddrInUse =>
  error instanceof Deno.errors.AddrInUse;

export function openTcpSocket(): Deno.TcpListener {
  return bindTo(LOCAL, 0);
}

export function openUdpSocket(): Deno.DatagramConn {
  return bindUdp(0);
}

function bindUdp(port: number): Deno.DatagramConn {
  return Deno.listenDatagram({ hostname: LOCAL, port, transport: "udp" });
}

export function bindTo(hostname: string, port: number, backlog?: number): Deno.TcpListener {
  // A typed array keeps 16 bits of whatever it is given: what it changes was no port.
  if (Uint16Array.of(port)[0] !== port) throw new RangeError(`${port} does not fit into 16 bits`);
  try {
    return Deno.listen({ hostname, port, tcpBacklog: backlog });
  } catch (error) {
    throw inUse(error) ? busy(`${formatHost(hostname)}:${port}`, error) : error;
  }
}

function busy(what: string, cause: Error): Error {
  return new Deno.errors.AddrInUse(`${what} is in use`, { cause });
}

export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  return firstFree(hostname, ports, []);
}

function firstFree(hostname: string, [port, ...rest]: number[], tried: Error[]): Deno.TcpListener {
  if (port === undefined) {
    throw busy(tried.map((error) => error.message).join("; "), new AggregateError(tried));
  }
  try {
    return bindTo(hostname, port);
  } catch (error) {
    if (inUse(error)) return firstFree(hostname, rest, [...tried, error]);
    throw error;
  }
}

export function bindPair(triesLeft = 30): { udp: Deno.DatagramConn; tcp: Deno.TcpListener } {
  const udp = openUdpSocket();
  try {
    return { udp, tcp: bindTo(LOCAL, (udp.addr as Deno.NetAddr).port) };
  } catch (error) {
    udp.close();
    if (!inUse(error) || triesLeft === 0) throw error;
  }
  return bindPair(triesLeft - 1);
}

export function formatAddress(addr: Deno.Addr): string {
  switch (addr.transport) {
    case "tcp":
    case "udp":
      return `${addr.transport} ${formatHost(addr.hostname)}:${addr.port}`;
    case "vsock":
      return `vsock ${addr.cid}:${addr.port}`;
    default:
      return `${addr.transport} ${addr.path}`;
  }
}

function formatHost(host: string): string {
  if (!host.includes(":")) return host;
  const [, ip, zone] = /^([^%]*)(%.*)?$/.exec(host)!;
  return `[${shorten(words(ip!))}${zone ?? ""}]`;
}

/** The eight 16-bit words of an IPv6 address. */
function words(ip: string): number[] {
  const ends = ip.split("::").map((end) => end === "" ? [] : end.split(":").flatMap(word));
  if (ends.length === 1) return ends[0]!;
  const [head, tail] = ends as [number[], number[]];
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function word(text: string): number[] {
  if (!text.includes(".")) return [parseInt(text, 16)];
  const [a, b, c, d] = text.split(".").map(Number) as [number, number, number, number];
  return [a << 8 | b, c << 8 | d];
}

function shorten(ip: number[]): string {
  if (ip.slice(0, 6).join() === "0,0,0,0,0,65535") {
    return `::ffff:${ip.slice(6).flatMap((w) => [w >> 8, w & 255]).join(".")}`;
  }
  const hex = ip.map((w) => w.toString(16)).join(":");
  const runs = hex.match(/\b0(:0)+\b/g) ?? [];
  // sort() is stable: the leftmost of equal runs stays in front.
  const [longest] = runs.sort((a, b) => b.length - a.length);
  if (longest === undefined) return hex;
  const at = hex.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  return hex.slice(0, at).replace(/:$/, "") + "::" +
    hex.slice(at + longest.length).replace(/^:/, "");
}
