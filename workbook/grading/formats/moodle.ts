/**
 * Moodle CodeRunner: what a template grader prints.
 *
 * Every cell is HTML that was made here, so that nothing of the submission's is markup.
 *
 * @module
 */

import { clean, escapeHtml, type Format, itemsOf, summary } from "./common.ts";

/** One JSON document: `fraction` of the mark, and a table of the tasks. */
export const moodle: Format = (result, lang) => {
  const titles = lang === "ko"
    ? ["과제", "점수", "배점", "설명"]
    : ["Task", "Points", "Out of", "What happened"];
  const rows = itemsOf(result, lang).map(({ task, name, text }) => [
    task.status === "pass" ? 1 : 0,
    html(name),
    `${task.score}`,
    `${task.max_score}`,
    text ? pre(text) : "",
    0,
  ]);
  const document = {
    fraction: result.max_score > 0 ? result.score / result.max_score : 0,
    testresults: [["iscorrect", ...titles, "ishidden"], ...rows],
    // Says that the cells are HTML already: with %s CodeRunner would escape them again.
    columnformats: titles.map(() => "%h"),
    prologuehtml: `<p>${html(summary(result, lang)).replaceAll("\n", "<br>")}</p>`,
    epiloguehtml: "",
  };
  return `${JSON.stringify(document)}\n`;
};

function html(text: string): string {
  return escapeHtml(clean(text));
}

function pre(text: string): string {
  return `<pre>${html(text)}</pre>`;
}
