// Tries to change the suite's orders by a class of its own above all lists; must get 2 of 2 points.

// deno-lint-ignore-file
const toBytes = TextEncoder.prototype.encode.bind(new TextEncoder());
const print = Deno.stderr.writeSync.bind(Deno.stderr);

for (const Class of [Array, Map, Set, Promise, RegExp]) {
  const { prototype } = Class;
  Object.setPrototypeOf(
    prototype,
    new Proxy(Object.prototype, {
      set(_target, key, value, receiver) {
        const text = typeof value === "string" ? value : "";
        if (/"op"|^\w+\.\w+$/.test(text)) print(toBytes(`ESCAPED: ${Class.name} ${text.slice(0, 80)}\n`));
        return Reflect.defineProperty(receiver, key, { value, writable: true, enumerable: true, configurable: true });
      },
    }),
  );
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
