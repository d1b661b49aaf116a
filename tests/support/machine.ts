/**
 * What the machine offers to tests: free ports, IPv6, a second loopback address.
 *
 * @module
 */

import type { Endpoint } from "./learner.ts";
import type { Random } from "./random.ts";

/** Whether `hostname` can be bound here. */
export function canBind(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** Whether the machine has IPv6 on its loopback interface. */
export const hasIpv6 = canBind("::1");

/** A second loopback address, where there is one (Linux has all of 127.0.0.0/8). */
export const secondLoopback = canBind("127.0.0.2") ? "127.0.0.2" : "127.0.0.1";

/**
 * A port that is free for TCP and UDP at the moment, outside the range from which the OS gives ports.
 *
 * Nobody else gets it unless they ask for this very number.
 */
export function freePort(random: Random, hostname = "127.0.0.1"): number {
  for (;;) {
    const port = random.integer(20_000, 32_000);
    if (isFree({ hostname, port })) return port;
  }
}

/** Whether nobody is bound to the address, for TCP. */
export function isFree({ hostname, port }: Endpoint): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
