/**
 * The one result model: what a grading is, as one JSON document in one language.
 *
 * Every other format, the terminal's included, is made from it, so totals can never disagree.
 *
 * @module
 */

import { unicodeWidth } from "./std/in_force.ts";
import type { LessonInfo, MistakeInfo } from "./course.ts";
import type { FailureRecord, TestRecord, TranscriptStep } from "./records.ts";
import type { SuiteReport } from "./suite.ts";
import type { Lang, Text } from "./text.ts";

/** `fail` is the learner's; `error` is the workbook's or the machine's. */
export type Status = "pass" | "fail" | "error";

/** How one test ended. */
export interface TestResult {
  name: string;
  status: Status;
  duration_ms: number;
  /** What was expected and what came, in lines. */
  message?: string;
  /** The id of the likely mistake. */
  mistake?: string;
  /** That mistake in one line. */
  mistake_line?: string;
  /** What kind of failure it is: `missing`, `threw`, `slip`, `hang`, `ended`, `leak`, … */
  kind?: string;
  transcript?: TranscriptStep[];
}

/** How one task ended. It passes when all its tests pass. */
export interface TaskResult {
  task: number;
  /** Set for a task of a teacher's own suite, of which the course has no text and no hints. */
  own?: true;
  title: string;
  status: Status;
  score: number;
  max_score: number;
  duration_ms: number;
  /** What the learner's code printed, cut at a limit. */
  output: string;
  tests: TestResult[];
}

/** How a lesson ended. */
export interface LessonResult {
  version: 1;
  lesson: string;
  title: string;
  target: string;
  seed: number;
  status: Status;
  score: number;
  max_score: number;
  duration_ms: number;
  /** With status `error`: what went wrong, in one sentence. */
  message?: string;
  tasks: TaskResult[];
}

const LABELS = {
  expected: { en: "expected", ko: "기대" },
  received: { en: "received", ko: "실제" },
};

/** What a failure says, in lines of text. */
export function failureMessage(failure: FailureRecord, lang: Lang): string {
  const labels = [LABELS.expected[lang], LABELS.received[lang]];
  const width = Math.max(...labels.map(unicodeWidth)) + 2;
  const labelled = (label: string, text: string) =>
    `${label}${" ".repeat(width - unicodeWidth(label))}${
      text.replaceAll("\n", `\n${" ".repeat(width)}`)
    }`;
  const lines: string[] = [];
  if (failure.expected) lines.push(labelled(labels[0]!, failure.expected[lang]));
  if (failure.received) lines.push(labelled(labels[1]!, failure.received[lang]));
  if (failure.mark) {
    lines.push(`${" ".repeat(width + failure.mark.column)}^ ${failure.mark.text[lang]}`);
  }
  return [...lines, ...failure.notes.map((note) => note[lang])].join("\n");
}

const NOT_RUN: Text = {
  en: "This test did not run, which is no fault of the exercise.",
  ko: "이 테스트는 실행되지 않았습니다. 과제의 잘못이 아닙니다.",
};

/** The result of one task, from the tests that were planned and the records that came. */
export function taskResult(
  info: LessonInfo["tasks"][number],
  { plan, tests: records, outputs }: SuiteReport,
  { mistakes, lang }: { mistakes: Map<string, MistakeInfo>; lang: Lang },
): TaskResult {
  const planned = plan.filter((test) => test.task === info.task);
  const tests = planned.map(({ task, index, name: text }): TestResult => {
    const record = records.get(index);
    const name = `task ${task}: ${text[lang]}`;
    if (!record) {
      return { name, status: "error", duration_ms: 0, message: NOT_RUN[lang] };
    }
    return {
      name,
      status: record.status,
      duration_ms: record.durationMs,
      ...(record.failure && failureFields(record, record.failure, mistakes, lang)),
    };
  });
  const status = worst(tests.map((test) => test.status));
  return {
    task: info.task,
    title: info.title[lang],
    status,
    score: status === "pass" ? info.points : 0,
    max_score: info.points,
    duration_ms: tests.reduce((sum, test) => sum + test.duration_ms, 0),
    output: outputs.get(info.task) ?? "",
    tests,
  };
}

function failureFields(
  record: TestRecord,
  failure: FailureRecord,
  mistakes: Map<string, MistakeInfo>,
  lang: Lang,
): Partial<TestResult> {
  const line = failure.mistake && mistakes.get(failure.mistake)?.line[lang];
  return {
    message: failureMessage(failure, lang),
    kind: failure.kind,
    ...(failure.mistake && { mistake: failure.mistake }),
    ...(line && { mistake_line: line }),
    transcript: record.transcript,
  };
}

/** The status of a whole: `error` if any part is, else `fail` if any part is. A whole without parts is an `error`. */
export function worst(statuses: Status[]): Status {
  if (statuses.length === 0 || statuses.includes("error")) return "error";
  return statuses.includes("fail") ? "fail" : "pass";
}
