// Valid: one class does the binding; the functions are its methods, handed out as constants.

type Pair = { tcp: Deno.TcpListener; udp: Deno.DatagramConn };

/** Opens sockets on one host and remembers how it went. */
class Binder {
  readonly busy: number[] = [];

  constructor(readonly hostname: string) {}

  tcp(port: number, backlog?: number): Deno.TcpListener {
    Binder.check(port);
    const options: Deno.TcpListenOptions & { port: number } = { hostname: this.hostname, port };
    if (typeof backlog === "number") options.tcpBacklog = backlog;
    try {
      return Deno.listen(options);
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) {
        this.busy.push(port);
        error.message = `${this.name(port)}: ${error.message}`;
      }
      throw error;
    }
  }

  udp(port: number): Deno.DatagramConn {
    return Deno.listenDatagram({ transport: "udp", hostname: this.hostname, port });
  }

  name(port: number): string {
    return new Address(this.hostname, port).toString();
  }

  static check(port: number): void {
    if (Object.is(Math.trunc(port), port) && port >= 0 && port <= 65535) return;
    throw new RangeError(`A port is a whole number from 0 to 65535, and ${port} is not`);
  }
}

/** A host and a port, as text. */
class Address {
  constructor(readonly host: string, readonly port: number) {}

  toString(): string {
    return `${this.host.includes(":") ? `[${this.#shortest()}]` : this.host}:${this.port}`;
  }

  #shortest(): string {
    const [ip = "", zone] = this.host.split("%");
    const short = new URL(`http://[${ip}]`).hostname.slice(1, -1);
    const last = /^::ffff:([^:]+):([^:]+)$/.exec(short)?.slice(1) ?? [];
    const bytes = last.flatMap((hex) => [parseInt(hex, 16) >> 8, parseInt(hex, 16) & 255]);
    const text = bytes.length === 4 ? `::ffff:${bytes.join(".")}` : short;
    return zone ? `${text}%${zone}` : text;
  }
}

const local = new Binder("127.0.0.1");

export const openTcpSocket = (): Deno.TcpListener => local.tcp(0);

export const openUdpSocket = (): Deno.DatagramConn => local.udp(0);

export const bindTo = (hostname: string, port: number, backlog?: number): Deno.TcpListener =>
  new Binder(hostname).tcp(port, backlog);

export const bindFirstFree = (hostname: string, ports: number[]): Deno.TcpListener => {
  const binder = new Binder(hostname);
  for (const port of ports) {
    const before = binder.busy.length;
    try {
      return binder.tcp(port);
    } catch (error) {
      if (binder.busy.length === before) throw error;
    }
  }
  throw new Deno.errors.AddrInUse(`Busy: ${binder.busy.map((p) => binder.name(p)).join(", ")}`);
};

export const bindPair = (): Pair => {
  for (let left = 25;; left--) {
    const tcp = local.tcp(0);
    try {
      return { tcp, udp: local.udp(tcp.addr.port) };
    } catch (error) {
      tcp.close();
      if (left === 0 || !(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
};

export const formatAddress = (addr: Deno.Addr): string => {
  if ("path" in addr) return [addr.transport, addr.path].join(" ");
  if ("hostname" in addr) return `${addr.transport} ${new Address(addr.hostname, addr.port)}`;
  throw new TypeError(`No text form for ${addr.transport}`);
};
