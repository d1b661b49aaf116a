// Tries to read the host's word by a class of its own above all bytes; must get 2 of 2 points.

// deno-lint-ignore-file
const above = Object.getPrototypeOf(Uint8Array.prototype);
const toText = TextDecoder.prototype.decode.bind(new TextDecoder());
const toBytes = TextEncoder.prototype.encode.bind(new TextEncoder());
const print = Deno.stderr.writeSync.bind(Deno.stderr);
let busy = false;

Object.setPrototypeOf(
  Uint8Array.prototype,
  new Proxy(above, {
    get(target, key, receiver) {
      const value = Reflect.get(target, key, receiver);
      if (busy) return value;
      busy = true;
      try {
        const text = toText(receiver);
        if (/[0-9a-f]{8}-[0-9a-f]{4}|"op"/.test(text)) print(toBytes(`ESCAPED: ${text.slice(0, 80).trim()}\n`));
      } catch {
        // Of the class itself, not of bytes.
      } finally {
        busy = false;
      }
      return value;
    },
  }),
);

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
