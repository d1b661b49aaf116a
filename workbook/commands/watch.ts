/**
 * `--watch`: grades again whenever the exercise is saved.
 *
 * @module
 */

import type { SessionRequest } from "../watch/session.ts";

/** Watches one lesson. It is loaded when it is asked for, so that a grading that does not watch is not slower. */
export async function watch(request: Omit<SessionRequest, "goesOn">): Promise<number> {
  const { runSession } = await import("../watch/session.ts");
  return await runSession({ ...request, goesOn: false });
}
