// Tries to close the way to the suite; must get 0 of 2 points.

const fs = await import("node:fs");
fs.closeSync(1);
fs.closeSync(0);

export function openTcpSocket(): unknown {
  return undefined;
}

export function openUdpSocket(): unknown {
  return undefined;
}
