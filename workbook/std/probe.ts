/**
 * Loads the standard library by its names and ends with status 0 if all of it came.
 *
 * Started by `choose.ts` in a process of its own, since a registry that accepts and never answers would
 * otherwise hold the command for ever. It also ends by itself: after the milliseconds given as its argument,
 * or when its standard input ends because the command that started it is gone.
 *
 * @module
 */

import { PACKAGES, SUBPATHS } from "./names.ts";

setTimeout(() => Deno.exit(1), Number(Deno.args[0]));
Deno.stdin.read(new Uint8Array(1)).finally(() => Deno.exit(1));

try {
  // Computed names: literal ones would be fetched before the first line here runs.
  await Promise.all([...PACKAGES, ...SUBPATHS].map((name) => import(name)));
} catch {
  Deno.exit(1);
}
Deno.exit(0);
