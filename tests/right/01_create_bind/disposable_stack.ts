// Valid: a DisposableStack owns what is half made and hands it over on success.

const HOST = "127.0.0.1";

export function openTcpSocket(): Deno.TcpListener {
  using stack = new DisposableStack();
  const listener = stack.use(Deno.listen({ hostname: HOST, port: 0 }));
  stack.move();
  return listener;
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
}

export function bindTo(
  hostname: string,
  port: number,
  tcpBacklog?: number,
): Deno.TcpListener {
  assertPort(port);
  const listen = () => Deno.listen({ hostname, port, ...(tcpBacklog != null && { tcpBacklog }) });
  return explainBusy(listen, () => {
    const { host } = new URL(`http://${hostname.includes(":") ? `[${hostname}]` : hostname}`);
    return `Address ${host}:${port} is taken by another socket`;
  });
}

function assertPort(port: unknown): asserts port is number {
  const valid = typeof port === "number" && port >>> 0 === port && port < 0x10000;
  if (!valid) throw new RangeError(`Port out of range: ${port}`);
}

/** Runs `open`; if the address is busy, throws the same class of error with a better message. */
function explainBusy<T>(open: () => T, message: () => string): T {
  try {
    return open();
  } catch (cause) {
    if (cause instanceof Error && cause.name === "AddrInUse") {
      throw Object.assign(new Deno.errors.AddrInUse(message(), { cause }), { code: "EADDRINUSE" });
    }
    throw cause;
  }
}

export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  for (const listener of attempts(hostname, ports)) return listener;
  throw new Deno.errors.AddrInUse(`Ports ${JSON.stringify(ports)} of ${hostname} are all in use`);
}

/** Yields a listener for each port that is free, when it is asked for the next one. */
function* attempts(hostname: string, ports: number[]): Generator<Deno.TcpListener> {
  for (const port of ports) {
    let listener: Deno.TcpListener;
    try {
      listener = bindTo(hostname, port);
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) continue;
      throw error;
    }
    yield listener;
  }
}

export function bindPair(): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  let lastError: unknown;
  for (const _ of Array(256)) {
    using stack = new DisposableStack();
    const tcp = stack.use(openTcpSocket());
    try {
      const udp = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: tcp.addr.port });
      stack.adopt(udp, (socket) => socket.close());
      stack.move();
      return { tcp, udp };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      lastError = error;
    }
  }
  throw lastError;
}

export function formatAddress(addr: Deno.Addr): string {
  if (addr.transport === "unix" || addr.transport === "unixpacket") {
    return `${addr.transport} ${(addr as Deno.UnixAddr).path}`;
  }
  const { transport, hostname, port } = addr as Deno.NetAddr;
  return `${transport} ${hostname.includes(":") ? `[${shortest(hostname)}]` : hostname}:${port}`;
}

function shortest(ip: string): string {
  const [address, zone] = ip.split("%");
  let text = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  text = text.replace(/^::ffff:([0-9a-f]+):([0-9a-f]+)$/, (_, high: string, low: string) => {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint16(0, parseInt(high, 16));
    view.setUint16(2, parseInt(low, 16));
    return `::ffff:${new Uint8Array(view.buffer).join(".")}`;
  });
  return zone === undefined ? text : `${text}%${zone}`;
}
