// Tries to answer with proxies that were revoked, and with classes that lie; must get 0 of 2 points.

// deno-lint-ignore-file
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
export const openTcpSocket = () => proxy;
export const openUdpSocket = () => Object.create(Object.getPrototypeOf(Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 })), { addr: { value: { transport: "udp", hostname: "127.0.0.1", port: 53 } } });
