/**
 * The course's texts on a terminal.
 *
 * @module
 */

import { unicodeWidth } from "./std/in_force.ts";
import { padEnd, type Screen, wrap } from "./terminal.ts";

/** A column of a table is not made narrower than this. */
const LEAST_CELL = 12;

/**
 * Markdown as plain text of the screen's width; items of a list keep their lines, and code is indented. On a
 * terminal, code goes on in the next line where the screen ends: a full screen would not show the rest of it.
 */
export function showMarkdown(text: string, screen: Screen): string {
  const lines: string[] = [];
  let isCode = false;
  let paragraph: string[] = [];
  let table: string[] = [];
  const flush = () => {
    const whole = plain(paragraph.join(" "));
    const mark = LIST_MARK.exec(whole)?.[0].length ?? 0;
    if (whole) lines.push(...wrap(whole, screen.columns, mark));
    lines.push(...showTable(table, screen.columns));
    paragraph = [];
    table = [];
  };
  for (const line of text.split(/\r?\n/)) {
    if (/^ {0,3}(```|~~~)/.test(line)) {
      flush();
      isCode = !isCode;
    } else if (isCode) lines.push(...showCode(`    ${line}`.trimEnd(), screen));
    else if (line.startsWith("|")) {
      if (paragraph.length > 0) flush();
      table.push(line);
    } else if (line.trim() === "") {
      flush();
      lines.push("");
    } else {
      if (LIST_MARK.test(line) || table.length > 0) flush();
      paragraph.push(LIST_MARK.test(line) ? line.trimEnd() : line.trim());
    }
  }
  flush();
  return lines.join("\n");
}

/** A line of code; what does not fit goes on below it, further in than the line begins. */
function showCode(line: string, screen: Screen): string[] {
  if (!screen.isTerminal || unicodeWidth(line) <= screen.columns) return [line];
  const lead = /^ */.exec(line)![0];
  const room = Math.max(1, screen.columns - lead.length);
  return wrap(line.slice(lead.length), room, 4).map((part) => lead + part);
}

/** A table within so many columns: cells are wrapped, or, where that leaves too little, become lines. */
function showTable(table: string[], columns: number): string[] {
  const rows = table.filter((line) => !/^\|[\s:|-]+$/.test(line)).map(cellsOf);
  const widths = rows.reduce<number[]>((widest, row) => {
    row.forEach((cell, at) => widest[at] = Math.max(widest[at] ?? 0, unicodeWidth(cell)));
    return widest;
  }, []);
  const room = columns - 2 * (widths.length - 1);
  const sum = () => widths.reduce((total, width) => total + width, 0);
  while (sum() > room) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= LEAST_CELL) {
      return rows.flatMap((row) => wrap(row.filter(Boolean).join(": "), columns, 2));
    }
    widths[widest]!--;
  }
  return rows.flatMap((row) => {
    const cells = widths.map((width, at) => wrap(row[at] ?? "", Math.max(1, width), 2));
    const height = Math.max(...cells.map((cell) => cell.length));
    return Array.from(
      { length: height },
      (_, n) => cells.map((cell, at) => padEnd(cell[n] ?? "", widths[at]!)).join("  ").trimEnd(),
    );
  });
}

/** The cells of a row, as plain text; `\|` is no end of one. */
function cellsOf(line: string): string[] {
  return line.replace(/^\||\|\s*$/g, "").split(/(?<!\\)\|/).map((cell) =>
    plain(cell.trim().replaceAll("\\|", "|"))
  );
}

/** Without the marks of emphasis and the addresses of links, but in code. */
function plain(text: string): string {
  return text.split(/(`[^`]*`)/).map((part) =>
    part.startsWith("`")
      ? part
      : part.replaceAll(/\*\*(.+?)\*\*/g, "$1").replaceAll(/\[([^\]]+)\]\([^)\s]+\)/g, "$1")
  ).join("");
}

const LIST_MARK = /^ *(?:[-*+]|\d+[.)]) +/;
