/**
 * Gradescope's `results.json`: one test per task, so that the points of each can be seen.
 *
 * @module
 */

import { clean, type Format, itemsOf, summary } from "./common.ts";

/** The document that Gradescope reads from `/autograder/results/results.json`. */
export const gradescope: Format = (result, lang) => {
  const { seed, course, sandbox, status } = result;
  const tests = itemsOf(result, lang).map(({ task, number, name, text, lesson }) => ({
    score: task.score,
    max_score: task.max_score,
    status: task.status === "pass" ? "passed" : "failed",
    name,
    name_format: "text",
    number,
    output: text,
    output_format: "text",
    tags: [lesson.lesson],
    visibility: "visible",
    extra_data: {
      status: task.status,
      mistakes: [...new Set(task.tests.flatMap(({ mistake }) => mistake ?? []))],
    },
  }));
  const document = {
    score: result.score,
    execution_time: result.duration_ms / 1000,
    output: clean(summary(result, lang)),
    output_format: "text",
    test_output_format: "text",
    test_name_format: "text",
    visibility: "visible",
    // What the grader prints is for the teacher.
    stdout_visibility: "hidden",
    extra_data: { seed, course, sandbox, status, max_score: result.max_score },
    tests,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
};
