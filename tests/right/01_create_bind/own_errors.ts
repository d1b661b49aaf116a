// Valid: errors of its own classes, extra exports, extra optional parameters, errors told apart by code.

/** A port that cannot be one. */
export class PortError extends RangeError {
  override name = "PortError";
}

/** An address that is taken. */
export class BusyError extends Deno.errors.AddrInUse {
  override name = "BusyError";
  readonly code = "EADDRINUSE";

  constructor(readonly addresses: string[], options?: ErrorOptions) {
    super(`busy: ${addresses.join(" and ")}`, options);
  }
}

export const LOOPBACK = "127.0.0.1";
export const ANY_PORT = 0;

const ADDRESS_IN_USE = "EADDRINUSE";

/** Whether bind() failed because somebody else has the address. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as { code?: string }).code === ADDRESS_IN_USE;
}

export function openTcpSocket(hostname = LOOPBACK): Deno.TcpListener {
  return bindTo(hostname, ANY_PORT);
}

export function openUdpSocket(hostname = LOOPBACK, port = ANY_PORT): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port });
}

export function bindTo(
  hostname: string,
  port: number,
  backlog?: number,
  { reusePort = false }: { reusePort?: boolean } = {},
): Deno.TcpListener {
  if (!Number.isSafeInteger(port) || port < 0 || port >= 65536) {
    throw new PortError(`${port} is not a port`, { cause: port });
  }
  const options: Deno.TcpListenOptions & { port: number } = { hostname, port, reusePort };
  if (backlog !== undefined) options.tcpBacklog = backlog;
  try {
    return Deno.listen(options);
  } catch (cause) {
    if (isBusy(cause)) throw new BusyError([endpoint(hostname, port)], { cause });
    throw cause;
  }
}

export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  const causes: BusyError[] = [];
  for (const port of ports) {
    try {
      return bindTo(hostname, port);
    } catch (error) {
      if (!(error instanceof BusyError)) throw error;
      causes.push(error);
    }
  }
  const addresses = causes.flatMap((error) => error.addresses);
  throw new BusyError(addresses, { cause: new AggregateError(causes) });
}

export function bindPair(hostname = LOOPBACK, attempts = 20) {
  const busy: string[] = [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const tcp = openTcpSocket(hostname);
    let udp: Deno.DatagramConn | undefined;
    try {
      udp = openUdpSocket(hostname, tcp.addr.port);
    } catch (error) {
      if (!isBusy(error)) throw error;
      busy.push(endpoint(hostname, tcp.addr.port));
    } finally {
      if (!udp) tcp.close();
    }
    if (udp) return { tcp, udp, port: tcp.addr.port, attempt };
  }
  throw new BusyError(busy);
}

export function formatAddress(addr: Deno.Addr): string {
  const rest = "path" in addr
    ? addr.path
    : "cid" in addr
    ? `${addr.cid}:${addr.port}`
    : endpoint(addr.hostname, addr.port);
  return `${addr.transport} ${rest}`;
}

/** `127.0.0.1:8080` or `[::1]:8080`. */
export function endpoint(hostname: string, port: number): string {
  if (!hostname.includes(":")) return `${hostname}:${port}`;
  const [ip, ...zone] = hostname.split("%");
  const { hostname: short } = new URL(`tcp://[${ip}]`);
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(short);
  const text = mapped
    ? "::ffff:" +
      mapped.slice(1).map((hex) => `${parseInt(hex, 16) >> 8}.${parseInt(hex, 16) & 255}`)
        .join(".")
    : short.slice(1, -1);
  return `[${[text, ...zone].join("%")}]:${port}`;
}
