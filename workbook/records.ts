/**
 * What a graded suite tells the runner, as lines on its standard output.
 *
 * Only the suite writes them: the learner's process has pipes of its own. Each line is opened by
 * {@linkcode RECORD_MARK} and the word that the runner gave the suite, to tell them from what the test runner
 * prints around them. Sentences come in every language; the runner chooses.
 *
 * @module
 */

import type { Text } from "./text.ts";

/** Environment variables by which the runner tells a suite what to do. */
export const SUITE_ENV = {
  /** The folder with the exercise file, as an absolute path. */
  exercise: "WORKBOOK_EXERCISE_DIR",
  /** How that file is called when talking to the learner, e.g. `lessons/01_create_bind/exercise.ts`. */
  label: "WORKBOOK_EXERCISE_LABEL",
  /** The number from which payloads and ports are drawn. */
  seed: "WORKBOOK_SEED",
  /** Task numbers to grade, comma-separated; absent for all. */
  tasks: "WORKBOOK_TASKS",
  /** How many tasks run at a time, but for one more where tests wait; absent for one. */
  tasksAtATime: "WORKBOOK_TASKS_AT_A_TIME",
  /** The word that opens a record. */
  word: "WORKBOOK_WORD",
  /** Set if the suite waits for a line on its standard input before it looks at the exercise. */
  waits: "WORKBOOK_SUITE_WAITS",
  /** Set if the runner holds the other end of the suite's standard input: with the runner, the suite ends. */
  held: "WORKBOOK_SUITE_HELD",
  /** The import map for the learner's process, an absolute path; absent where deno.json's imports serve. */
  importMap: "WORKBOOK_SUITE_IMPORT_MAP",
} as const;

/** A process that gets no processor time has its deadlines stretched, but to no more than so many times. */
export const MOST_STRETCH = 6;

/** One line of what happened on the wire. */
export interface TranscriptStep {
  step: number;
  who: "you" | "peer";
  event: string;
  detail: string;
}

/** Why a test did not pass. */
export interface FailureRecord {
  /** What kind of thing is said, for those who count: `assert`, `missing`, `threw`, `slip`, `hang`, `ended`, … */
  kind: string;
  expected?: Text;
  received?: Text;
  /** Marks the first difference under `received`: a column of its text, and what stands there. */
  mark?: { column: number; text: Text };
  notes: Text[];
  mistake?: string;
}

/** A test as the suite declares it. */
export interface PlannedTest {
  task: number;
  index: number;
  name: Text;
  /** The mistakes that it tells by name. */
  catches: string[];
  deadlineMs: number;
  /** How long it has to wait by its nature. */
  waitsMs: number;
}

/** How a test ended. */
export interface TestRecord {
  record: "test";
  task: number;
  index: number;
  status: "pass" | "fail" | "error";
  durationMs: number;
  failure?: FailureRecord;
  transcript: TranscriptStep[];
}

/** A record of the suite. */
export type SuiteRecord =
  | {
    record: "plan";
    seed: number;
    tests: PlannedTest[];
  }
  | { record: "child"; pid: number }
  | { record: "reaped"; pid: number }
  /** A temporary folder of the suite's, to be removed when it has ended, however it ended. */
  | { record: "folder"; path: string }
  | { record: "output"; task: number; output: string }
  | TestRecord
  | { record: "end" };
