/**
 * What the formats share: one list of tasks, and text that breaks none of them.
 *
 * @module
 */

import type { LessonResult, TaskResult, TestResult } from "../../result.ts";
import { harmless } from "../../terminal.ts";
import type { Lang, Text } from "../../text.ts";
import { viewTask } from "../../view.ts";
import type { SubmissionResult } from "../model.ts";

/** Writes a result in one format. */
export type Format = (result: SubmissionResult, lang: Lang) => string;

/** One task of a submission. */
export interface Item {
  /** Its place among all tasks of the submission, from 1 up. */
  index: number;
  /** E.g. `3.2`: lesson 3, task 2. */
  number: string;
  /** E.g. `3.2 Frames`. */
  name: string;
  lesson: LessonResult;
  task: TaskResult;
  /** Its tests. One that could not be run at all has one that says so. */
  tests: TestResult[];
  /** What its author is told, without colours. Empty if it passed. */
  text: string;
}

const SCREEN = { columns: 80, colours: false, isTerminal: false };
const NO_VERDICT: Text = {
  en: "There is no verdict on this task, which is no fault of the exercise.",
  ko: "이 과제는 판정하지 못했습니다. 과제의 잘못이 아닙니다.",
};

/** The tasks of all lessons, in order. */
export function itemsOf(result: SubmissionResult, lang: Lang): Item[] {
  let index = 0;
  return result.lessons.flatMap((lesson) =>
    lesson.tasks.map((task): Item => {
      const number = `${lessonNumber(lesson)}.${task.task}`;
      const tests = task.tests.length > 0 ? task.tests : [{
        name: `task ${task.task}: ${task.title}`,
        status: task.status,
        duration_ms: task.duration_ms,
        message: lesson.message ?? NO_VERDICT[lang],
      }];
      return {
        index: ++index,
        number,
        name: clean(`${number} ${task.title}`),
        lesson,
        task,
        tests,
        text: task.status === "pass" ? "" : toldOf(task, lesson, lang),
      };
    })
  );
}

/** The number of a lesson's folder. */
export function lessonNumber({ lesson }: LessonResult): number {
  return Number(lesson.slice(0, 2));
}

function toldOf(task: TaskResult, lesson: LessonResult, lang: Lang): string {
  const view = { screen: SCREEN, lang, lesson: lessonNumber(lesson) };
  const lines = viewTask(task, view).trimEnd().split("\n").map((line) => line.replace(/^ {4}/, ""));
  return clean([...(lesson.message ? [lesson.message] : []), ...lines].join("\n"));
}

/** Text of strangers that no format stumbles over: whole characters, and controls made visible. */
export function clean(text: string): string {
  return harmless(text.toWellFormed()).replace(NONCHARACTERS, "\ufffd");
}

// What XML 1.0 forbids beside controls and halves of surrogate pairs, and their like in other planes.
const NONCHARACTERS = /[\ufdd0-\ufdef]|\p{Noncharacter_Code_Point}/gu;

/** The same on one line. */
export function cleanLine(text: string): string {
  return clean(text).replaceAll(/\s*\n\s*/g, " ⏎ ").replaceAll("\t", " ");
}

/** Text for HTML, in content and in attributes of either quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const NAMED: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Text for XML, in content and in attributes of either quotes: many readers know the five names and no numbers. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => NAMED[sign]!);
}

/** Every text of a result made harmless for programs that read JSON less strictly than it allows. */
export function wellFormed<T>(value: T): T {
  if (typeof value === "string") return value.toWellFormed() as T;
  if (Array.isArray(value)) return value.map(wellFormed) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, wellFormed(item)]),
  ) as T;
}

/** The first line of a summary: the points, and how the code was kept in. */
export function summary(result: SubmissionResult, lang: Lang): string {
  const { score, max_score, sandbox, seed } = result;
  const line = lang === "ko"
    ? `${max_score}점 중 ${score}점 (샌드박스: ${sandbox}, 시드 ${seed})`
    : `${score} of ${max_score} points (sandbox: ${sandbox}, seed ${seed})`;
  return [line, ...notes(result, lang)].join("\n");
}

/** What else is to be known of a result, a line each. */
export function notes(result: SubmissionResult, lang: Lang): string[] {
  const ignored = result.ignored.map(cleanLine).join(", ");
  return [
    ...(result.message ? [clean(result.message)] : []),
    ...(ignored ? [lang === "ko" ? `채점에 쓰지 않은 것: ${ignored}` : `Ignored: ${ignored}`] : []),
  ];
}
