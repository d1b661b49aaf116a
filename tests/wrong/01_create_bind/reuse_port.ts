// Fails task 3: reuse-port — sets SO_REUSEPORT, so that a second listener moves in on the same port.

type Pair = { tcp: Deno.TcpListener; udp: Deno.DatagramConn };

// Task 1
export function openTcpSocket(): Deno.TcpListener {
  const listener = Deno.listen({ transport: "tcp", hostname: "127.0.0.1", port: 0 });
  return listener;
}

// Task 2
export function openUdpSocket(): Deno.DatagramConn {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  return socket;
}

// Task 3
export function bindTo(hostname: string, port: number, backlog?: number): Deno.TcpListener {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError("port has to be a whole number between 0 and 65535, not " + port);
  }
  const options: Deno.TcpListenOptions & { port: number } = {
    hostname: hostname,
    port: port,
    reusePort: true, // no more "address already in use" after a restart
  };
  if (backlog !== undefined) {
    options.tcpBacklog = backlog;
  }
  try {
    return Deno.listen(options);
  } catch (err) {
    if (err instanceof Deno.errors.AddrInUse) {
      const host = hostname.includes(":") ? "[" + hostname + "]" : hostname;
      throw new Deno.errors.AddrInUse("address already in use: " + host + ":" + port);
    }
    throw err;
  }
}

// Task 4
export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  const tried: number[] = [];
  for (let i = 0; i < ports.length; i++) {
    try {
      return bindTo(hostname, ports[i]!);
    } catch (err) {
      if (err instanceof Deno.errors.AddrInUse) {
        tried.push(ports[i]!);
      } else {
        throw err;
      }
    }
  }
  throw new Deno.errors.AddrInUse("no free port, tried: " + tried.join(", "));
}

// Task 5
export function bindPair(): Pair {
  let tries = 0;
  while (true) {
    tries++;
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    let udp: Deno.DatagramConn;
    try {
      udp = Deno.listenDatagram({
        transport: "udp",
        hostname: "127.0.0.1",
        port: tcp.addr.port,
      });
    } catch (err) {
      tcp.close();
      if (err instanceof Deno.errors.AddrInUse && tries < 100) continue;
      throw err;
    }
    return { tcp: tcp, udp: udp };
  }
}

// Task 6
export function formatAddress(addr: Deno.Addr): string {
  if ("path" in addr) {
    return addr.transport + " " + addr.path;
  }
  if ("cid" in addr) {
    return "vsock " + addr.cid + ":" + addr.port;
  }
  let host = addr.hostname;
  if (host.includes(":")) {
    host = "[" + compress(host) + "]";
  }
  return addr.transport + " " + host + ":" + addr.port;
}

// Turns an IPv6 address into its eight numbers.
function parseGroups(address: string): number[] {
  let text = address;
  const dots = text.match(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/);
  if (dots) {
    const [a, b, c, d] = dots.slice(1).map(Number) as [number, number, number, number];
    text = text.slice(0, dots.index) + (a * 256 + b).toString(16) + ":" +
      (c * 256 + d).toString(16);
  }
  const [left, right] = text.split("::");
  const read = (part?: string) => part ? part.split(":").map((g) => parseInt(g, 16)) : [];
  const before = read(left);
  if (right === undefined) return before;
  const after = read(right);
  return [...before, ...new Array(8 - before.length - after.length).fill(0), ...after];
}

function compress(address: string): string {
  const percent = address.indexOf("%");
  const zone = percent < 0 ? "" : address.slice(percent);
  const groups = parseGroups(percent < 0 ? address : address.slice(0, percent));
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) {
    const [hi, lo] = [groups[6]!, groups[7]!];
    return "::ffff:" + [hi >> 8, hi & 255, lo >> 8, lo & 255].join(".") + zone;
  }
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) {
      bestStart = i;
      bestLength = j - i;
    }
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestStart < 0) return hex.join(":") + zone;
  return hex.slice(0, bestStart).join(":") + "::" +
    hex.slice(bestStart + bestLength).join(":") + zone;
}
