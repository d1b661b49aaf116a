// Tries to give every object a passing status; must get 0 of 2 points.

// deno-lint-ignore-file
Object.assign(Object.prototype as any, { status: "pass", ok: true, score: 100, passed: true, length: 1 });

export function openTcpSocket(): unknown {
  return undefined;
}

export function openUdpSocket(): unknown {
  return undefined;
}
