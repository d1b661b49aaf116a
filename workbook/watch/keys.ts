/**
 * Which key was pressed, from the bytes that a terminal sends.
 *
 * @module
 */

/** What a key asks for. */
export type Key =
  | "next"
  | "hint"
  | "list"
  | "again"
  | "quit"
  | "solution"
  | "text"
  | "back"
  | "interrupt"
  | "suspend"
  | "redraw"
  | "down"
  | "up"
  | "pageDown"
  | "pageUp"
  | "top"
  | "bottom";

/** Letters, also where the keyboard writes Hangul: there the same keys are jamo. */
const KEYS: Record<string, Key> = {
  n: "next",
  "ㅜ": "next",
  h: "hint",
  "ㅗ": "hint",
  "?": "hint",
  l: "list",
  "ㅣ": "list",
  r: "again",
  "ㄱ": "again",
  q: "quit",
  "ㅂ": "quit",
  s: "solution",
  "ㄴ": "solution",
  t: "text",
  "ㅅ": "text",
  "\x03": "interrupt",
  "\x1c": "interrupt",
  // The end of the input, typed.
  "\x04": "quit",
  "\x1a": "suspend",
  "\x0c": "redraw",
  "\x1b": "back",
  j: "down",
  "ㅓ": "down",
  k: "up",
  "ㅏ": "up",
  " ": "pageDown",
  b: "pageUp",
  "ㅠ": "pageUp",
  g: "top",
  G: "bottom",
};

/** What terminals send for keys that write nothing (ECMA-48, XTerm control sequences). */
const SEQUENCES: Record<string, Key> = {
  "\x1b[A": "up",
  "\x1bOA": "up",
  "\x1b[B": "down",
  "\x1bOB": "down",
  "\x1b[5~": "pageUp",
  "\x1b[6~": "pageDown",
  "\x1b[H": "top",
  "\x1bOH": "top",
  "\x1b[1~": "top",
  "\x1b[F": "bottom",
  "\x1bOF": "bottom",
  "\x1b[4~": "bottom",
};

// deno-lint-ignore no-control-regex -- that is what keys send.
const SEQUENCE = /^\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~])/;

/** The keys in `text`, in order; what means nothing here is left out. A sequence comes whole, or is taken for Escape. */
export function readKeys(text: string): Key[] {
  const keys: Key[] = [];
  let rest = text.normalize("NFC");
  while (rest) {
    const sequence = SEQUENCE.exec(rest)?.[0];
    const character = sequence ?? String.fromCodePoint(rest.codePointAt(0)!);
    const key = sequence ? SEQUENCES[sequence] : KEYS[character] ?? KEYS[character.toLowerCase()];
    if (key) keys.push(key);
    rest = rest.slice(character.length);
  }
  return keys;
}
