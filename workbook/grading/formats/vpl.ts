/**
 * Moodle VPL: lines on standard output. The grade is in points: the activity's highest grade is the `max_score`.
 *
 * VPL finds its marks anywhere in what a program prints; so every line has one of its own, and marks that come from
 * the submission are broken.
 *
 * @module
 */

import { clean, type Format, itemsOf, summary } from "./common.ts";

/** Comments, and the grade as the last line. */
export const vpl: Format = (result, lang) => {
  const lines = [
    ...comment(summary(result, lang)),
    ...itemsOf(result, lang).flatMap(({ task, name, text }) => [
      ...comment(`${name}: ${task.status} (${task.score}/${task.max_score})`),
      ...comment(text),
    ]),
  ];
  return `${lines.join("\n")}\nGrade :=>> ${result.score}\n`;
};

function comment(text: string): string[] {
  if (text === "") return [];
  const broken = clean(text)
    .replaceAll(":=>>", ": = > >")
    .replaceAll("<|--", "< | - -")
    .replaceAll("--|>", "- - | >");
  return broken.split("\n").map((line) => `Comment :=>> ${line}`);
}
