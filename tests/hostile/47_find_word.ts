// Tries to find the word that marks the host's lines in a snapshot of the heap; must get 2 of 2 points.
// Without the protection it succeeds.

// deno-lint-ignore-file
try {
  const v8 = await import("node:v8");
  let text = "";
  for await (const part of v8.getHeapSnapshot()) text += part;
  const words = text.match(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g) ?? [];
  if (words.length > 0) console.log(`ESCAPED: ${words.length} words`);
} catch {
  // Refused, as it has to be.
}

export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

export function openUdpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
