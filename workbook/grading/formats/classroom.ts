/**
 * GitHub Classroom: a step's output `result`.
 *
 * The reporter shows passed/total × `max_score`, while Classroom receives the sum of the scores. For both to agree
 * with tasks of different points, every point is a test of its own, worth 1; a task's points pass or fail together.
 *
 * @module
 */

import { type Format, itemsOf, notes } from "./common.ts";

/** The document before it is encoded. */
export interface ClassroomResult {
  version: 1;
  status: "pass" | "fail" | "error";
  max_score: number;
  tests: {
    name: string;
    status: "pass" | "fail" | "error";
    score: number;
    message: string;
    test_code: string;
    filename: string;
    line_no: number;
    duration: number;
  }[];
}

/** Base64 of the document's JSON, on one line. */
export const classroom: Format = (result, lang) => {
  const extra = notes(result, lang).join("\n");
  const tests = itemsOf(result, lang).flatMap(({ task, name, text, lesson }) =>
    Array.from({ length: task.max_score }, (_, i) => ({
      name: task.max_score === 1 ? name : `${name} [${i + 1}/${task.max_score}]`,
      status: task.status,
      score: task.status === "pass" ? 1 : 0,
      // Told once.
      message: i === 0 ? text : "",
      test_code: `deno task lesson${Number(lesson.lesson.slice(0, 2))} --task ${task.task}`,
      filename: `${lesson.lesson}/exercise.ts`,
      line_no: 0,
      duration: i === 0 ? task.duration_ms : 0,
    }))
  );
  if (extra && tests[0]) tests[0].message = [tests[0].message, extra].filter(Boolean).join("\n");
  const { status, max_score } = result;
  const document: ClassroomResult = { version: 1, status, max_score, tests };
  return `${new TextEncoder().encode(JSON.stringify(document)).toBase64()}\n`;
};
