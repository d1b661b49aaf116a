/**
 * A result for people, without colours.
 *
 * @module
 */

import { viewTask } from "../../view.ts";
import { clean, cleanLine, type Format, lessonNumber, notes } from "./common.ts";

const SCREEN = { columns: 100, colours: false, isTerminal: false };

/** What each task did, and the points. */
export const text: Format = (result, lang) => {
  const lines = result.lessons.flatMap((lesson) => {
    const number = lessonNumber(lesson);
    const view = { screen: SCREEN, lang, lesson: number, told: new Set<string>() };
    const title = lang === "ko"
      ? `${number}강: ${lesson.title}`
      : `Lesson ${number}: ${lesson.title}`;
    return [
      `${title}  ${lesson.score}/${lesson.max_score}`,
      ...(lesson.message ? [`    ${cleanLine(lesson.message)}`] : []),
      ...lesson.tasks.map((task) => indented(viewTask(task, view))),
      "",
    ];
  });
  const { score, max_score, sandbox, seed, status } = result;
  const words = lang === "ko"
    ? { submission: "제출물", score: "점수", status: "상태", sandbox: "샌드박스", seed: "시드" }
    : {
      submission: "Submission",
      score: "Score",
      status: "Status",
      sandbox: "Sandbox",
      seed: "Seed",
    };
  return [
    `${words.submission}: ${cleanLine(result.submission)}`,
    "",
    ...lines.map(clean),
    ...notes(result, lang),
    `${words.status}: ${status}`,
    `${words.sandbox}: ${sandbox}`,
    `${words.seed}: ${seed}`,
    `${words.score}: ${score}/${max_score}`,
    "",
  ].join("\n");
};

/** A task's lines, of which only the first begins at the margin: there nothing of the submission's can stand. */
function indented(text: string): string {
  return text.replace(/\n(?=[^\s])/g, "\n    ");
}
