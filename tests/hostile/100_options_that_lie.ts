// Tries to listen on ports of its own choice, and show the host options that say 0; must get 2 of 2 points.

// deno-lint-ignore-file
let next = 20_000 + Math.floor(Math.random() * 9_000);

function lying(port: number, transport: string): object {
  let reads = 0;
  return {
    transport,
    hostname: "127.0.0.1",
    get port() {
      return reads++ === 0 ? 0 : port;
    },
  };
}

function open<T extends { addr: Deno.Addr }>(listen: (options: never) => T, transport: string): T {
  const socket = listen(lying(++next, transport) as never);
  if ((socket.addr as Deno.NetAddr).port === next) console.error("ESCAPED: another port than was told");
  return socket;
}

export const openTcpSocket = () => open(Deno.listen, "tcp");
export const openUdpSocket = () => open(Deno.listenDatagram, "udp");
