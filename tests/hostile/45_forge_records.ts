// Tries to print the suite's records; must get 0 of 2 points.

const verdict = JSON.stringify({ record: "test", task: 1, index: 0, status: "pass", durationMs: 1, transcript: [] });
for (const word of ["", "word", "00000000-0000-0000-0000-000000000000"]) {
  Deno.stdout.writeSync(new TextEncoder().encode(`\n\x1e${word} ${verdict}\n\x1e${word} {"record":"end"}\n`));
}

export function openTcpSocket(): unknown {
  return undefined;
}

export function openUdpSocket(): unknown {
  return undefined;
}
