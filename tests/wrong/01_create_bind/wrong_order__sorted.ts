// Fails task 4: wrong-order — sorts the ports first, and the caller's preference is gone.

const LOCAL = "127.0.0.1";

// 1번: 루프백에서 듣는 TCP 소켓
export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: LOCAL, port: 0 });
}

// 2번: UDP 소켓
export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: LOCAL, port: 0 });
}

// 3번: 주어진 주소에 바인드
export function bindTo(hostname: string, port: number, backlog?: number): Deno.TcpListener {
  if (Number.isInteger(port) === false || port < 0 || 65535 < port) {
    throw new RangeError(`포트 번호가 잘못되었습니다: ${port}`);
  }
  try {
    return Deno.listen({ hostname, port, tcpBacklog: backlog });
  } catch (e) {
    if (e instanceof Deno.errors.AddrInUse) {
      const where = hostname.indexOf(":") >= 0 ? `[${hostname}]:${port}` : `${hostname}:${port}`;
      throw new Deno.errors.AddrInUse(`이미 사용 중인 주소입니다: ${where}`);
    } else {
      throw e;
    }
  }
}

// 4번: 비어 있는 첫 포트
export function bindFirstFree(hostname: string, ports: number[]): Deno.TcpListener {
  let found: Deno.TcpListener | undefined;
  for (const port of ports.toSorted((a, b) => a - b)) {
    try {
      found = bindTo(hostname, port);
      break;
    } catch (e) {
      if (e instanceof Deno.errors.AddrInUse) continue;
      throw e;
    }
  }
  if (found === undefined) {
    throw new Deno.errors.AddrInUse(`비어 있는 포트가 없습니다: ${ports.join(", ")}`);
  }
  return found;
}

// 5번: TCP와 UDP를 같은 포트에
export function bindPair(): { tcp: Deno.TcpListener; udp: Deno.DatagramConn } {
  for (let n = 1; n <= 30; n++) {
    const tcp = Deno.listen({ hostname: LOCAL, port: 0 });
    const port = tcp.addr.port;
    try {
      return { tcp, udp: Deno.listenDatagram({ transport: "udp", hostname: LOCAL, port }) };
    } catch (e) {
      tcp.close();
      if (e instanceof Deno.errors.AddrInUse) continue;
      throw e;
    }
  }
  throw new Deno.errors.AddrInUse("TCP와 UDP가 모두 비어 있는 포트를 찾지 못했습니다");
}

// 6번: 주소를 글자로
export function formatAddress(addr: Deno.Addr): string {
  if ("hostname" in addr) {
    let host = addr.hostname;
    if (host.indexOf(":") >= 0) host = `[${shorten(host)}]`;
    return `${addr.transport} ${host}:${addr.port}`;
  }
  if ("cid" in addr) return `vsock ${addr.cid}:${addr.port}`;
  return `${addr.transport} ${addr.path}`;
}

// RFC 5952: 가장 짧은 IPv6 표기
function shorten(address: string): string {
  const [ip, zone] = address.split("%");
  let result = new URL(`http://[${ip}]/`).hostname.slice(1, -1);
  const m = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(result);
  if (m) {
    const high = parseInt(m[1]!, 16);
    const low = parseInt(m[2]!, 16);
    result = `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  if (zone !== undefined) result += `%${zone}`;
  return result;
}
