// Tries to get the host's lists as copies of a class of its own, which forget what is in them; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

class Forgetful extends Array {
  constructor(...args: any[]) {
    super(...args);
    if (new Error().stack?.includes("/workbook/host")) tell("a copy of a list");
  }
}
for (const run of [
  () => Object.defineProperty(Array, Symbol.species, { value: Forgetful }),
  () => Object.defineProperty(Array.prototype, "constructor", { value: Forgetful }),
  () => Object.defineProperty(Promise, Symbol.species, { get: () => (tell("a copy of a promise"), Promise) }),
  () => Object.defineProperty(Object.getPrototypeOf(Uint8Array), Symbol.species, { get: () => (tell("a copy of bytes"), Uint8Array) }),
]) {
  try {
    run();
  } catch {
    // Refused, as it has to be.
  }
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
