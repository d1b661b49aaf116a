/**
 * Timers of the suites.
 *
 * Deno 2.9 has `setTimeout()` from its part for Node, and whoever touches it first waits until that is loaded: 12 ms in
 * `deno test`, in each run. A signal's timeout does without. It keeps the process alive as long as somebody listens.
 *
 * @module
 */

/** Calls `ring` in `ms` milliseconds. Returns how to call that off. */
export function after(ms: number, ring: () => void): () => void {
  const signal = AbortSignal.timeout(ms);
  const listener = () => ring();
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** Calls `tick` every `ms` milliseconds. Returns how to end that, which `tick` may do, too. */
export function every(ms: number, tick: () => void): () => void {
  let isOver = false;
  const next = () =>
    after(ms, () => {
      tick();
      if (!isOver) stop = next();
    });
  let stop = next();
  return () => {
    isOver = true;
    stop();
  };
}

/** Settles in `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void after(ms, resolve));
}

/** Settles when all that is ready now has gone on: a turn of the event loop, without waiting. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
