// Tries to listen on ports of its own choice, and name them in digits; must get 0 of 2 points.

// deno-lint-ignore-file
let next = 21_000 + Math.floor(Math.random() * 9_000);
const port = () => `${next++}` as never;

export const openTcpSocket = () => Deno.listen({ hostname: "127.0.0.1", port: port() });
export const openUdpSocket = () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: port() });
