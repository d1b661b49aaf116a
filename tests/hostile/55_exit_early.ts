// Tries to end with status 0 before anything is asked; must get 0 of 2 points.

Deno.exit(0);

export function openTcpSocket(): unknown {
  return undefined;
}

export function openUdpSocket(): unknown {
  return undefined;
}
