/**
 * Text on a terminal: columns, colours, wrapping. Right with characters of double width.
 *
 * @module
 */

import { unicodeWidth } from "./std/in_force.ts";

/** Where text goes. */
export interface Screen {
  /** Columns of the terminal, or the width to which text is wrapped elsewhere. */
  columns: number;
  colours: boolean;
  isTerminal: boolean;
}

const PIPE_COLUMNS = 100;
const MIN_COLUMNS = 20;

/** The screen that standard output is. */
export function standardScreen(): Screen {
  const isTerminal = Deno.stdout.isTerminal();
  const colours = isTerminal && !Deno.env.get("NO_COLOR") && Deno.env.get("TERM") !== "dumb";
  return { isTerminal, colours, columns: Math.max(MIN_COLUMNS, columnsOf(isTerminal)) };
}

function columnsOf(isTerminal: boolean): number {
  if (isTerminal) {
    try {
      return Deno.consoleSize().columns || PIPE_COLUMNS;
    } catch {
      // A terminal that does not tell its size.
    }
  }
  return Number(Deno.env.get("COLUMNS")) || PIPE_COLUMNS;
}

/** The colours in use, by meaning. */
export type Colour = "good" | "bad" | "warn" | "dim" | "strong" | "accent";

const CODES: Record<Colour, string> = {
  good: "32",
  bad: "31",
  warn: "33",
  dim: "2",
  strong: "1",
  accent: "36",
};

/** `text` in a colour, if the screen has any. */
export function paint(screen: Screen, colour: Colour, text: string): string {
  return screen.colours && text ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}

/** Fills `text` with spaces up to `width` columns. */
export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - unicodeWidth(text)));
}

/** `text` on one line of at most `columns` columns; what is left out is marked. */
export function fit(text: string, columns: number): string {
  if (unicodeWidth(text) <= columns) return text;
  let line = "";
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const step = unicodeWidth(segment);
    if (width + step > columns - 1) break;
    line += segment;
    width += step;
  }
  return columns > 0 ? `${line.trimEnd()}…` : "";
}

/** `left` at the beginning of a line and `right` at its end, within `columns` columns; `left` gives way. */
export function leftAndRight(
  left: string,
  right: string,
  columns: number,
): { left: string; right: string } {
  const room = columns - unicodeWidth(right) - 1;
  return room < 8
    ? { left: fit(left, columns), right: "" }
    : { left: padEnd(fit(left, room), room + 1), right };
}

/** Text of strangers with nothing in it that a terminal obeys: control characters become visible. */
export function harmless(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(OBEYED, visible);
}

/** Controls except tab and newline, line separators, and marks that turn the direction of writing. */
const OBEYED = /(?![\t\n])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

function visible(character: string): string {
  const hex = character.charCodeAt(0).toString(16);
  return hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex.padStart(4, "0")}`;
}

/**
 * Breaks `text` into lines of at most `columns` columns: at spaces, or inside a word that is longer than a line.
 * Lines after the first begin with `indent` spaces.
 */
export function wrap(text: string, columns: number, indent = 0): string[] {
  const lines: string[] = [];
  const lead = " ".repeat(Math.min(indent, Math.floor(columns / 2)));
  let line = "";
  let width = 0;
  const newLine = () => {
    lines.push(line.trimEnd());
    line = lead;
    width = lead.length;
  };
  for (const word of text.split(/(?<= )/)) {
    if (width + unicodeWidth(word.trimEnd()) > columns && width > lead.length) newLine();
    if (width + unicodeWidth(word.trimEnd()) <= columns) {
      line += word;
      width += unicodeWidth(word);
      continue;
    }
    for (const { segment } of new Intl.Segmenter().segment(word)) {
      const step = unicodeWidth(segment);
      if (width + step > columns) newLine();
      line += segment;
      width += step;
    }
  }
  if (line.trim() || lines.length === 0) lines.push(line.trimEnd());
  return lines;
}

/** One line that says what is going on, on a terminal only: the next output takes its place. */
export class ProgressLine {
  readonly #screen: Screen;
  #shown = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(text: string): void {
    if (!this.#screen.isTerminal) return;
    this.clear();
    const [line = ""] = wrap(text, this.#screen.columns - 1);
    write(paint(this.#screen, "dim", line));
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) write("\r\x1b[K");
    this.#shown = false;
  }
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}
