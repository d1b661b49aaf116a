/**
 * The course's texts on a terminal.
 *
 * @module
 */

import { type Screen, wrap } from "./terminal.ts";

/** Markdown as plain text of the screen's width; items of a list keep their lines, code is indented and not wrapped. */
export function showMarkdown(text: string, screen: Screen): string {
  const lines: string[] = [];
  let isCode = false;
  let paragraph: string[] = [];
  const flush = () => {
    const whole = plain(paragraph.join(" "));
    const mark = LIST_MARK.exec(whole)?.[0].length ?? 0;
    if (whole) lines.push(...wrap(whole, screen.columns, mark));
    paragraph = [];
  };
  for (const line of text.split(/\r?\n/)) {
    if (/^ {0,3}(```|~~~)/.test(line)) {
      flush();
      isCode = !isCode;
    } else if (isCode) lines.push(`    ${line}`.trimEnd());
    // Columns of a table would not survive being wrapped.
    else if (line.startsWith("|")) {
      flush();
      lines.push(line);
    } else if (line.trim() === "") {
      flush();
      lines.push("");
    } else {
      if (LIST_MARK.test(line)) flush();
      paragraph.push(LIST_MARK.test(line) ? line.trimEnd() : line.trim());
    }
  }
  flush();
  return lines.join("\n");
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
