/**
 * What a command says when the command or the machine is at fault.
 *
 * @module
 */

import type { Text } from "./text.ts";

/** Ends a command with status 2. Shown as one sentence and one next step, never as a stack trace. */
export class CommandError extends Error {
  override name = "CommandError";

  constructor(readonly sentence: Text, readonly next?: Text) {
    super(sentence.en);
  }
}
