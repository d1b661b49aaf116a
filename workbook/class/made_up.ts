/**
 * A class that does not exist, for tests: many students, and gradings without a grader.
 *
 * @module
 */

import type { LessonInfo, MistakeInfo } from "../course.ts";
import type { SubmissionRequest, SubmissionResult } from "../grading/submission.ts";
import { submissionResult } from "../grading/model.ts";
import type { LessonResult, Status, TaskResult } from "../result.ts";
import { worst } from "../result.ts";

/** Names that somebody may have, or choose. */
export const HARD_NAMES = [
  "<script>document.title='owned'</script>",
  "\"><img src=x onerror=document.title='owned'>",
  '=HYPERLINK("http:evil","click")',
  "+1+1",
  "@SUM(A1)",
  "-2+3",
  "' OR 1=1; --",
  "김민준",
  "Zoë Ångström",
  "\u202egnp.exe",
  "line\nbreak",
  "\x1b[2Jescape",
  'a,b;c"d',
  "CON",
  "Ada",
  "ada",
  "x".repeat(200),
];

/** Numbers from 0 to 1 that are the same for the same text. */
function numbersOf(text: string): () => number {
  let state = 2166136261;
  for (const char of text) state = Math.imul(state ^ char.codePointAt(0)!, 16777619);
  return () => {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9 | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** A grading that nobody made: the same for the same name. `strange` is what its code says everywhere. */
export function madeUpResult(
  { name = "", lessons, seed, course = "", sandbox }:
    & Pick<
      SubmissionRequest,
      "name" | "seed" | "course" | "sandbox"
    >
    & { lessons: LessonInfo[] },
  { mistakes, strange = "" }: { mistakes: Map<string, MistakeInfo[]>; strange?: string },
): SubmissionResult {
  const draw = numbersOf(name);
  const skill = Math.min(1, draw() * 0.6 + 0.45);
  const results = lessons.map(({ slug, title, tasks }): LessonResult => {
    const graded = tasks.map((info, i): TaskResult => {
      const chance = draw();
      const status: Status = chance < skill - i * 0.04 ? "pass" : "fail";
      const known = mistakes.get(slug) ?? [];
      const mistake = known[Math.floor(draw() ** 2 * known.length)];
      const test = {
        name: `task ${info.task}: made up`,
        status,
        duration_ms: 3,
        ...(status === "fail" && { message: `expected ${strange}`, kind: "wrong" }),
        ...(status === "fail" && mistake && draw() < 0.7 &&
          { mistake: mistake.id, mistake_line: mistake.line.en }),
      };
      return {
        task: info.task,
        title: title.en && info.title.en,
        status,
        score: status === "pass" ? info.points : 0,
        max_score: info.points,
        duration_ms: 3,
        output: strange,
        tests: [test],
      };
    });
    const sum = (key: "score" | "max_score") => graded.reduce((all, task) => all + task[key], 0);
    return {
      version: 1,
      lesson: slug,
      title: title.en,
      target: name,
      seed,
      status: worst(graded.map(({ status }) => status)),
      score: sum("score"),
      max_score: sum("max_score"),
      duration_ms: Math.round(300 + draw() * 900),
      tasks: graded,
    };
  });
  const ms = results.reduce((sum, { duration_ms }) => sum + duration_ms, 0);
  return submissionResult({ course, seed, submission: name, sandbox, ignored: [] }, results, ms);
}
