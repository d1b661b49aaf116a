/**
 * Finds out how well strangers' code can be kept in on this machine.
 *
 * @module
 */

import type { SandboxLevel } from "./model.ts";

/** The strongest level that this machine offers. */
export function bestSandbox(): Promise<SandboxLevel> {
  return Promise.resolve(Deno.build.os === "linux" ? "limits" : "permissions");
}
