/**
 * What the grading of one submission is: the results of several lessons as one JSON document.
 *
 * Every format is made from it, and the class's gradebook too, so totals can never disagree.
 *
 * @module
 */

import type { LessonInfo } from "../course.ts";
import { type LessonResult, type Status, worst } from "../result.ts";
import type { Lang, Text } from "../text.ts";

/** How strangers' code is kept in, the strongest first. What a level has, the ones above it have too. */
export const SANDBOX_LEVELS = ["namespaces", "limits", "permissions"] as const;

/**
 * How the code was kept in.
 *
 * - `permissions`: Deno's own, with a bounded JavaScript heap and deadlines: what every system has.
 * - `limits`: besides, the kernel's limits of memory, processor time, open files, processes and file sizes.
 * - `namespaces`: besides, a network, processes and files of its own: nothing else of the machine can be reached.
 */
export type SandboxLevel = typeof SANDBOX_LEVELS[number];

/** The result of one submission. */
export interface SubmissionResult {
  version: 1;
  /** What the submission was graded with, as a hash: the same for the same suites, texts and workbook. */
  course: string;
  seed: number;
  /** The submission's name: its folder's. */
  submission: string;
  status: Status;
  score: number;
  max_score: number;
  duration_ms: number;
  sandbox: SandboxLevel;
  /** What lay in the folder and was not looked at, as paths in it; a folder ends in a slash. */
  ignored: string[];
  /** With status `error`: what went wrong, in one sentence. */
  message?: string;
  lessons: LessonResult[];
}

/** What a result is made of beside its lessons. */
export type ResultHead = Pick<
  SubmissionResult,
  "course" | "seed" | "submission" | "sandbox" | "ignored"
>;

/** Puts the results of lessons together. */
export function submissionResult(
  head: ResultHead,
  lessons: LessonResult[],
  durationMs: number,
): SubmissionResult {
  const sum = (key: "score" | "max_score") => lessons.reduce((sum, lesson) => sum + lesson[key], 0);
  return {
    version: 1,
    course: head.course,
    seed: head.seed,
    submission: head.submission,
    status: worst(lessons.map(({ status }) => status)),
    score: sum("score"),
    max_score: sum("max_score"),
    duration_ms: durationMs,
    sandbox: head.sandbox,
    ignored: head.ignored,
    lessons,
  };
}

const NOT_GRADED: Text = {
  en: "The grading has not ended.",
  ko: "채점이 끝나지 않았습니다.",
};

/** The result before anything is graded: no points, and status `error`, since no verdict has been made. */
export function zeroResult(
  head: ResultHead,
  { lessons, lang, message = NOT_GRADED }: {
    lessons: LessonInfo[];
    lang: Lang;
    message?: Text;
  },
): SubmissionResult {
  const results = lessons.map((info): LessonResult => ({
    version: 1,
    lesson: info.slug,
    title: info.title[lang],
    target: head.submission,
    seed: head.seed,
    status: "error",
    score: 0,
    max_score: info.tasks.reduce((sum, { points }) => sum + points, 0),
    duration_ms: 0,
    message: message[lang],
    tasks: info.tasks.map(({ task, title, points }) => ({
      task,
      title: title[lang],
      status: "error",
      score: 0,
      max_score: points,
      duration_ms: 0,
      output: "",
      tests: [],
    })),
  }));
  return { ...submissionResult(head, results, 0), status: "error", message: message[lang] };
}
