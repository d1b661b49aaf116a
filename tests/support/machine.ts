/**
 * What the machine offers to tests: free ports, IPv6, a second loopback address.
 *
 * @module
 */

import { listensAt } from "./kernel.ts";
import type { Endpoint } from "./learner.ts";
import type { Peers } from "./peer.ts";
import type { Random } from "./random.ts";
import { pause } from "./timers.ts";

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

/** Suites that run side by side lock their ports here; nobody's exercise may bind this address. */
const LOCK_ADDRESS = "127.77.66.55";
const hasLock = canBind(LOCK_ADDRESS);

/**
 * A port that is free for TCP and stays so until the test ends, as far as this machine's suites go.
 *
 * It lies outside the range from which the OS gives ports, and two suites never choose the same.
 */
export function reservePort(
  { random, peers }: { random: Random; peers: Peers },
  hostname = "127.0.0.1",
): number {
  for (;;) {
    const port = random.integer(20_000, 32_000);
    if (hasLock) {
      try {
        peers.track(Deno.listen({ hostname: LOCK_ADDRESS, port }));
      } catch {
        continue;
      }
    }
    if (isFree({ hostname, port })) return port;
  }
}

/**
 * An address at which nobody listens, and nobody will while the test runs: a connect is refused.
 *
 * Not a port that was given back, nor one from the range of ephemeral ports: a client that connects to such a port
 * may be given the same one for its own end, and is then connected with itself.
 */
export function refusing(
  context: { random: Random; peers: Peers },
  hostname = "127.0.0.1",
): Endpoint {
  return { hostname, port: reservePort(context, hostname) };
}

/** So many different ports of that kind, the lowest first. */
export function reservePorts(
  context: { random: Random; peers: Peers },
  count: number,
): number[] {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(reservePort(context));
  return [...ports].sort((a, b) => a - b);
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

/** How often it is looked whether a port is still taken, and how long between two looks, in milliseconds. */
const LOOKS = 20;
const PAUSE_MS = 10;

/**
 * Whether another process can listen at the address where process `owner`, by its number, did.
 *
 * The OS gives a free port to whoever asks for any: that a stranger has it by now shows that it was given back.
 */
export async function isGivenBack(endpoint: Endpoint, owner: number): Promise<boolean> {
  for (let look = 0; look < LOOKS; look++) {
    if (isFree(endpoint) || listensAt(owner, endpoint.port) === false) return true;
    await pause(PAUSE_MS);
  }
  return false;
}
