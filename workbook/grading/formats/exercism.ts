/**
 * Exercism's test runner interface, version 3: one entry per test, in the suites' order, with the id of its task.
 *
 * It has no points: a task counts if all tests of its id pass.
 *
 * @module
 */

import type { LessonResult } from "../../result.ts";
import { clean, cleanLine, type Format, itemsOf, notes } from "./common.ts";
import { failureText } from "./failure_text.ts";

/** The most characters that Exercism takes. */
const MAX_MESSAGE = 65_535;
const MAX_OUTPUT = 500;

/** The document that Exercism reads from `results.json`. */
export const exercism: Format = (result, lang) => {
  const told = new Set<LessonResult>();
  const tests = itemsOf(result, lang).flatMap(({ index, task, tests, number, lesson }) =>
    tests.map((test, i) => {
      // There is a message for the whole only where the whole is an error: what is said of a lesson is said here.
      const isFirst = test.status !== "pass" && !told.has(lesson) && told.add(lesson);
      const first = isFirst && lesson.message && lesson.message !== test.message
        ? `${clean(lesson.message)}\n`
        : "";
      const message = first + failureText(test, lang);
      // What a task printed is told once: by its first test that did not pass, or else by its first.
      const speaker = Math.max(0, tests.findIndex(({ status }) => status !== "pass"));
      const output = i === speaker ? clean(task.output) : "";
      return {
        name: cleanLine(`${number} ${test.name.replace(/^task \d+: /, "")}`),
        test_code: cleanLine(test.name),
        status: test.status,
        ...(message && { message: cut(message, MAX_MESSAGE) }),
        ...(output && { output: cut(output, MAX_OUTPUT) }),
        task_id: index,
      };
    })
  );
  const message = notes(result, lang).join("\n") || (lang === "ko" ? "채점 오류" : "grading error");
  const document = {
    version: 3,
    status: result.status,
    ...(result.status === "error" && {
      message: cut(lessonsMessage(result.lessons) || message, MAX_MESSAGE),
    }),
    tests,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
};

function lessonsMessage(lessons: { message?: string }[]): string {
  return clean(lessons.flatMap(({ message }) => message ?? []).join("\n"));
}

/** `text` in at most `most` UTF-16 units, the last one telling that there was more. */
function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}
