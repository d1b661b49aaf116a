// Tries to take the sockets' own methods, past the host's, from a socket that Node made before the first of Deno's; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

const net: any = await import("node:net");
const raw = await new Promise<any>((resolve) => {
  const server = net.createServer((socket: any) => socket.destroy()).listen(0, "127.0.0.1", () => {
    const socket = net.connect(server.address().port, "127.0.0.1", () => {
      for (const key of [...Reflect.ownKeys(socket._handle), ...Reflect.ownKeys(Object.getPrototypeOf(socket._handle))]) {
        const part = socket._handle[key];
        if (typeof part?.read === "function" && "localAddr" in part) resolve(part);
      }
      socket.destroy();
      server.close();
      resolve(undefined);
    });
  });
});
for (let owner = raw; owner; owner = Object.getPrototypeOf(owner)) {
  const read = Object.getOwnPropertyDescriptor(owner, "read")?.value;
  if (read && !String(read).includes("return read(this, buffer)")) tell("a socket's own read()");
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
