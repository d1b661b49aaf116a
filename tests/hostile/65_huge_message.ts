// Tries to throw a message of a hundred megabytes; must get 0 of 2 points.

const message = "x".repeat(100_000_000);
export function openTcpSocket(): never {
  throw new Error(message);
}

export function openUdpSocket(): never {
  throw new Error(message);
}
