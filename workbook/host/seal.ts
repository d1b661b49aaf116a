/**
 * Keeps the exercise from the host's own tools.
 *
 * A module that is loaded already can be imported by its address from anywhere in the process, whatever may be read.
 * So the host's modules export nothing that does something, only a way to ask for it, which is closed before the
 * exercise is loaded.
 *
 * @module
 */

let isSealed = false;

/** Closes the way to every module's tools, for ever. */
export function seal(): void {
  isSealed = true;
}

/** A way to ask for `tools` as long as the way is open. */
export function untilSealed<T extends object>(tools: T): () => T {
  return () => {
    if (isSealed) throw new Error("The host's tools are not for the exercise");
    return tools;
  };
}
