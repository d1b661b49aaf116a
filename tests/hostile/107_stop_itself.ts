// Tries to stop itself by a signal that nobody can refuse, and be waited for; must get 0 of 2 points.

// deno-lint-ignore-file
function stop(): never {
  const { process } = globalThis as any;
  process.kill(process.pid, "SIGSTOP");
  throw new Error("It went on");
}

export const openTcpSocket = stop;
export const openUdpSocket = stop;
