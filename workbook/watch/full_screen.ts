/**
 * A terminal that is drawn on as a whole, and given back as it was found, however the program ends.
 *
 * It has a screen of its own (XTerm's alternate screen), which is drawn anew from the program's state for each
 * change: there is nothing to go wrong when it is resized, suspended, or covered by what another program prints.
 *
 * @module
 */

import type { Screen } from "../terminal.ts";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/** Terminals that know it show what comes between as one picture; others do not mind. */
const BEGIN_FRAME = "\x1b[?2026h\x1b[H";
const END_FRAME = "\x1b[J\x1b[?2026l";

/** Rows and columns of a terminal that does not tell. */
const FALLBACK = { rows: 24, columns: 80 };
/** Texts are not wrapped to less than this, but cut. */
const LEAST_COLUMNS = 20;

/** Whether keys can be read and the screen be drawn on. */
export function isInteractive(): boolean {
  return Deno.stdin.isTerminal() && Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb";
}

/** What is on the screen: a body that scrolls, and lines that stay below it. */
export interface Frame {
  body: string[];
  footer: string[];
}

/** The terminal while it is ours. */
export class FullScreen {
  #ours = false;
  #last: string | undefined;

  /** Takes the terminal. */
  enter(): void {
    if (this.#ours) return;
    // Ctrl-C and Ctrl-Z come as bytes: `deno task`, which would get their signals too, does not stop for the latter.
    Deno.stdin.setRaw(true);
    this.#ours = true;
    this.#last = undefined;
    write(ENTER);
  }

  /** Gives the terminal back. */
  leave(): void {
    if (!this.#ours) return;
    this.#ours = false;
    write(LEAVE);
    try {
      Deno.stdin.setRaw(false);
    } catch {
      // The terminal has gone.
    }
  }

  /** Gives the terminal back, stops the whole command, and takes it again when the shell lets it go on. */
  suspend(): void {
    if (!hasShell()) return;
    this.leave();
    try {
      // All processes of the command: what has no chance to refuse does stop.
      Deno.kill(0, "SIGSTOP");
    } catch {
      // Not here, then.
    }
    this.enter();
  }

  /** After something else may have changed the terminal: the next drawing is a whole one. */
  retake(): void {
    if (!this.#ours) return;
    this.#ours = false;
    this.enter();
  }

  /** The size now, and whether there are colours. */
  get screen(): Screen & { rows: number } {
    const { rows, columns } = size();
    return {
      rows,
      columns: Math.max(LEAST_COLUMNS, columns),
      colours: !Deno.env.get("NO_COLOR"),
      isTerminal: true,
    };
  }

  /** Shows the body from line `from` on. Returns how far the body can be scrolled. */
  draw({ body, footer }: Frame, from: number): void {
    if (!this.#ours) return;
    const { rows } = this.screen;
    // Erased before it is written: after a full line the cursor is still on its last column.
    const lines = layOut({ body, footer }, rows, from).map((line) => `\x1b[K${line}`);
    const picture = `${BEGIN_FRAME}${lines.join("\r\n")}${END_FRAME}`;
    if (picture === this.#last) return;
    this.#last = picture;
    write(picture);
  }

  /** The next drawing is made though nothing has changed. */
  forget(): void {
    this.#last = undefined;
  }
}

/** The lines on a screen of so many rows. */
export function layOut({ body, footer }: Frame, rows: number, from: number): string[] {
  const below = footer.slice(0, Math.max(1, Math.floor(rows / 2)));
  const room = Math.max(0, rows - below.length);
  const shown = body.slice(from, from + room);
  while (shown.length < room) shown.push("");
  return [...shown, ...below];
}

/** How far a body can be scrolled on a screen of so many rows. */
export function furthest({ body, footer }: Frame, rows: number): number {
  const below = Math.min(footer.length, Math.max(1, Math.floor(rows / 2)));
  return Math.max(0, body.length - Math.max(1, rows - below));
}

function size(): { rows: number; columns: number } {
  try {
    const { rows, columns } = Deno.consoleSize();
    return { rows: rows || FALLBACK.rows, columns: columns || FALLBACK.columns };
  } catch {
    return FALLBACK;
  }
}

/** Whether somebody could let a stopped command go on: it is a job of a shell, not the session itself. */
function hasShell(): boolean {
  if (Deno.build.os === "windows") return false;
  if (Deno.build.os !== "linux") return true;
  try {
    // proc(5): after the name in brackets come state, parent, process group, session.
    const [, , group, session] = Deno.readTextFileSync("/proc/self/stat").split(") ").at(-1)!
      .split(" ");
    return group !== session;
  } catch {
    return true;
  }
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
  } catch {
    // The terminal has gone: the end of its input says so, too.
  }
}
