// Tries to load itself without end, each time by another name; must get 0 to 2 of 2 points.

// deno-lint-ignore-file
const depth = Number(new URL(import.meta.url).searchParams.get("n") ?? 0);
for (let i = 0; i < 20; i++) void import(`${import.meta.url.split("?")[0]}?n=${depth + 1}.${i}${Math.random()}`.replace(/n=(\d+).*/, (_, n) => `n=${n}&r=${Math.random()}`)).catch(() => {});

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
