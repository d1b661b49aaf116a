/**
 * Stands in for `@std/net` where JSR cannot be reached.
 *
 * @module
 */

/** What to prefer when looking for a port. */
export interface GetAvailablePortOptions {
  /** Taken if it is free. */
  preferredPort?: number;
}

/**
 * A TCP port that was free a moment ago.
 *
 * It is closed again before it is returned, so another process may take it first: to listen, ask for port 0
 * instead and read the port from the listener.
 */
export function getAvailablePort(options: GetAvailablePortOptions = {}): number {
  const wanted = options.preferredPort || 0;
  try {
    return portOf(wanted);
  } catch (error) {
    if (wanted === 0 || !(error instanceof Deno.errors.AddrInUse)) throw error;
    return portOf(0);
  }
}

function portOf(port: number): number {
  using listener = Deno.listen({ port });
  return listener.addr.port;
}
