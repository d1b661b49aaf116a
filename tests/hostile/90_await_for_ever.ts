// Tries to block the thread without using the processor; must get 0 of 2 points.

// deno-lint-ignore-file
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
