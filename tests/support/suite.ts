/**
 * What a graded suite is written with: `task()` declares one test of one task.
 *
 * Each task gets a process of the learner's, shared by its tests as long as they pass; the next task's
 * process starts while this one's runs. Each test has the task's deadline, and a test that had to be stopped is
 * the last one of its task, so that a task which hangs is told within its deadline. Every test, also one that was stopped, is reported to the runner.
 *
 * @module
 */

import { type FailureRecord, SUITE_ENV, type TestRecord } from "../../workbook/records.ts";
import type { Text } from "../../workbook/text.ts";
import type { Child } from "./child.ts";
import { file, type Loaded, Processes, untilSaved } from "./exercise.ts";
import { absent } from "./explain.ts";
import { TaskFailure } from "./failure.ts";
import { seed } from "./random.ts";
import { report } from "./report.ts";
import { Run, type RunnableTest, type TestContext } from "./run.ts";
import { Transcript } from "./transcript.ts";

export type { TestContext } from "./run.ts";

/** What is known of a test beforehand. */
export interface TaskOptions {
  /** The mistakes that this test tells by name. */
  catches?: string[];
  /** The task's deadline, in milliseconds, as its process gets them. */
  deadlineMs?: number;
  /** The mistake that a socket left open shows, or `false` if that is not for this test to judge. */
  leak?: string | false;
  /** The mistake that an error nobody handled shows. */
  unhandled?: string;
  /** How long the test has to wait by its nature, in milliseconds: time that no grader could save. */
  waitsMs?: number;
}

interface Declared extends RunnableTest {
  catches: string[];
  waitsMs: number;
}

/** A task's time unless it says otherwise, in milliseconds. */
const DEADLINE_MS = 2_000;
/** How long the machine may take to start a process: a fault of the machine's, not of the learner's. */
const START_MS = 20_000;

const declared: Declared[] = [];
const processes = new Processes();
const selected = Deno.env.get(SUITE_ENV.tasks)?.split(",").map(Number);

/** Declares a test of task `task`. */
export function task(
  task: number,
  name: Text,
  run: (context: TestContext) => Promise<void>,
  { catches = [], deadlineMs = DEADLINE_MS, leak, unhandled, waitsMs = 0 }: TaskOptions = {},
): void {
  if (selected && !selected.includes(task)) return;
  processes.begin();
  const test: Declared = {
    task,
    index: declared.length,
    place: declared.filter((test) => test.task === task).length,
    name,
    run,
    catches,
    deadlineMs,
    leak,
    unhandled,
    waitsMs,
  };
  declared.push(test);
  Deno.test({
    name: `task ${task}: ${name.en}`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => runAndReport(test),
  });
}

/** What the tests of a task share. */
interface TaskState {
  /** One of its tests had to be stopped: it is over. */
  stopped: boolean;
  output: string;
}

const states = new Map<number, TaskState>();
/** Loading never ended once: it will not end the next time, and need not be waited for. */
let loadHangs: TaskFailure | undefined;

function stateOf(task: number): TaskState {
  const state = states.get(task) ?? { stopped: false, output: "" };
  states.set(task, state);
  return state;
}

async function runAndReport(test: Declared): Promise<void> {
  await untilSaved();
  reportPlan();
  const transcript = new Transcript();
  const begin = performance.now();
  let status: TestRecord["status"] = "pass";
  let error: unknown;
  try {
    await runTest(test, transcript);
  } catch (caught) {
    error = caught;
    status = caught instanceof TaskFailure ? "fail" : "error";
  }
  const failure = error === undefined ? undefined : failureOf(error);
  report({
    record: "test",
    task: test.task,
    index: test.index,
    status,
    durationMs: Math.round(performance.now() - begin),
    ...(failure && { failure }),
    transcript: failure ? transcript.steps() : [],
  });
  done.add(test);
  if (!remaining().some(({ task }) => task === test.task)) endTask(test.task);
  if (remaining().length === 0) await endSuite();
  if (error !== undefined) throw error;
}

/** Tests that have ended. They may run in any order. */
const done = new Set<Declared>();
let planReported = false;

function remaining(): Declared[] {
  return declared.filter((test) => !done.has(test));
}

function reportPlan(): void {
  if (planReported) return;
  planReported = true;
  // A peer's call that no test waits for any longer may still fail: what it means is told by what the test saw. Left
  // alone it would end the suite, and with it the verdicts of every task to come.
  addEventListener("unhandledrejection", (event) => event.preventDefault());
  const tests = declared.map(({ task, index, name, catches, deadlineMs, waitsMs }) => ({
    task,
    index,
    name,
    catches,
    deadlineMs,
    waitsMs,
  }));
  report({ record: "plan", seed, tests });
}

function failureOf(error: unknown): FailureRecord {
  if (error instanceof TaskFailure) return error.facts;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    kind: "suite",
    notes: [{
      en: `The suite itself failed, which is no fault of the exercise: ${text}`,
      ko: `채점 프로그램 자체의 오류이며 과제의 잘못이 아닙니다: ${text}`,
    }],
  };
}

/** What is still to be told of tasks that have ended, in their order. */
let told: Promise<void> = Promise.resolve();

/** Ends a task. Its process is gone, and its output told, while the next task is at work already. */
function endTask(task: number): void {
  const children = processes.currentTask === task ? processes.release() : [];
  const gone = Promise.all(children.map((child) => child.kill()));
  told = told.then(async () => {
    await gone;
    for (const child of children) stateOf(task).output += child.output;
    report({ record: "output", task, output: stateOf(task).output });
  });
}

async function endSuite(): Promise<void> {
  await processes.end();
  await told;
  report({ record: "end" });
}

async function dropChild(task: number): Promise<void> {
  const children = processes.release();
  await Promise.all(children.map((child) => child.kill()));
  for (const child of children) stateOf(task).output += child.output;
}

async function runTest(test: Declared, transcript: Transcript): Promise<void> {
  if (!file.exists) throw absent(file);
  if (loadHangs) throw loadHangs;
  const state = stateOf(test.task);
  if (state.stopped) throw notTried();
  const isLast = !remaining().some(({ task }) => task !== test.task);
  const loaded = await takeProcess(test.task, isLast);
  await machineStarts(loaded.child);
  const run = new Run(test, loaded, transcript, (index) => processes.takeOther(index));
  try {
    await run.finish(test.deadlineMs);
  } catch (error) {
    if (!state.output.includes(run.printed)) state.output += run.printed;
    if (run.hung) {
      state.stopped = true;
      if (run.loading) loadHangs = error as TaskFailure;
    }
    await dropChild(test.task);
    throw error;
  } finally {
    run.peers.release();
  }
}

/** The task's process. That of another task, which may have tests to come when they are in disorder, is ended. */
async function takeProcess(task: number, isLast: boolean): Promise<Loaded> {
  const other = processes.currentTask;
  if (other !== undefined && other !== task) await dropChild(other);
  return processes.take(task, { isLast });
}

function notTried(): TaskFailure {
  return new TaskFailure({
    kind: "not-run",
    received: {
      en: "not tried: an earlier test of this task had to be stopped",
      ko: "시도하지 않음: 이 과제의 앞선 테스트를 강제로 멈췄습니다",
    },
  });
}

async function machineStarts(child: Child): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => reject(new Error(`A process did not start within ${START_MS / 1000} s`)),
    START_MS,
  );
  child.ready.then(resolve);
  await promise.finally(() => clearTimeout(timer));
}
