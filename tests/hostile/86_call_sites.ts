// Tries to take the host's functions from the frames of a stack; must get 2 of 2 points.

// deno-lint-ignore-file
const tell = (what: string) => Deno.stderr.writeSync(new TextEncoder().encode(`ESCAPED: ${what}\n`));

(Error as any).stackTraceLimit = 200;
(Error as any).prepareStackTrace = (_: unknown, sites: any[]) => {
  for (const site of sites) {
    const owner = site.getThis?.();
    const run = site.getFunction?.();
    if (run !== undefined || (owner !== undefined && owner !== null && owner !== globalThis)) tell(`${site.getFunctionName()}`);
  }
  return "";
};
const look = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    void (error as Error).stack;
  }
};
void new Error("x").stack;
look(() => Deno.listen({ get hostname(): string { void new Error("x").stack; return "127.0.0.1"; }, port: 70000 }));
(globalThis as any).openTcpSocket?.caller;

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
