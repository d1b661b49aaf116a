/**
 * What a graded suite is written with: `task()` declares one test of one task.
 *
 * Each task gets a process of the learner's, shared by its tests as long as they pass; to start one takes longer than
 * most tests. A task whose tests have passed, and that has left nothing behind in its process (no socket, no call that
 * waits, no timer, no open file, no built-in of its own), leaves it to the next task; so does a test that met nothing
 * but a function that is not written yet. Any other process is killed. Each test has the task's deadline, and a test
 * that had to be stopped is the last one of its task, so that a task which hangs is told within its deadline. Every
 * test, also one that was stopped, is reported to the runner.
 *
 * The runner may ask for several tasks at a time, each in a process of its own, the last one in several: tests share
 * nothing but the machine, and tasks are told in their order.
 *
 * @module
 */

import { type FailureRecord, SUITE_ENV } from "../../workbook/records.ts";
import type { Text } from "../../workbook/text.ts";
import type { Child } from "./child.ts";
import { endWithRunner, file, Processes, TASKS_AT_A_TIME, untilSaved } from "./exercise.ts";
import { absent } from "./explain.ts";
import { TaskFailure } from "./failure.ts";
import { seed } from "./random.ts";
import { hasRunner, report } from "./report.ts";
import { Run, type RunnableTest, type TestContext } from "./run.ts";
import { Schedule } from "./schedule.ts";
import { after } from "./timers.ts";
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
/** What a process costs until it does what the last one did as fast. */
const PROCESS_MS = 50;
/** How long the machine may take to start a process: a fault of the machine's, not of the learner's. */
const START_MS = 20_000;

endWithRunner();

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
    // The suite ends itself when its runner has gone.
    sanitizeExit: false,
    fn: () => runAndReport(test),
  });
}

/** Tasks of which a test had to be stopped: they are over. */
const stopped = new Set<number>();
/** Loading never ended once: it will not end the next time, and need not be waited for. */
let loadHangs: TaskFailure | undefined;

/** How a test went. */
interface Outcome {
  durationMs: number;
  transcript: Transcript;
  /** What the learner's processes printed, and what the exercise printed as a program. */
  printed: string;
  printedAsProgram: string;
  /** What it threw, if it did not pass. */
  error?: unknown;
}

async function runAndReport(test: Declared): Promise<void> {
  await untilSaved();
  reportPlan();
  const outcome = await (TASKS_AT_A_TIME > 1 ? ahead(test) : run(test, 0));
  const { durationMs, transcript, error } = outcome;
  const failure = error === undefined ? undefined : failureOf(error);
  report({
    record: "test",
    task: test.task,
    index: test.index,
    status: failure ? error instanceof TaskFailure ? "fail" : "error" : "pass",
    durationMs,
    ...(failure && { failure }),
    transcript: failure ? transcript.steps() : [],
  });
  told.set(test, outcome);
  const { task } = test;
  if (declared.every((other) => told.has(other) || other.task !== task)) {
    report({ record: "output", task, output: printedIn(task) });
  }
  if (told.size === declared.length) await endSuite();
  if (error !== undefined) throw error;
}

/** What a task printed, test by test. A program that prints the same each time is told once. */
function printedIn(task: number): string {
  const outcomes = declared.filter((test) => test.task === task).map((test) => told.get(test)!);
  return outcomes.reduce((text, { printed, printedAsProgram }) => {
    const soFar = text + printed;
    return soFar.includes(printedAsProgram) ? soFar : soFar + printedAsProgram;
  }, "");
}

/** Runs a test as `runner`, by number. */
async function run(test: Declared, runner: number): Promise<Outcome> {
  const transcript = new Transcript();
  const begin = performance.now();
  const outcome: Outcome = { durationMs: 0, transcript, printed: "", printedAsProgram: "" };
  try {
    await runTest(test, runner, outcome);
  } catch (error) {
    outcome.error = error;
  }
  outcome.durationMs = Math.round(performance.now() - begin);
  done.add(test);
  for (const child of processes.of(runner)) outcome.printed += child.takeOutput();
  return outcome;
}

let outcomes: Map<Declared, PromiseWithResolvers<Outcome>> | undefined;

/** How a test went, when several tasks run at a time: the first that is asked for starts them all. */
function ahead(test: Declared): Promise<Outcome> {
  if (!outcomes) {
    outcomes = new Map(declared.map((test) => [test, Promise.withResolvers()]));
    const schedule = new Schedule(declared);
    // While a test waits, the processor has time for another one.
    const runners = TASKS_AT_A_TIME + (waitsLeftMs() > 0 ? 1 : 0);
    running = runners;
    for (let i = 0; i < runners; i++) runAll(i, schedule, outcomes);
  }
  return outcomes.get(test)!.promise;
}

/** How many runners have not stopped. */
let running = 0;

/** As `runner` runs one test after another. */
async function runAll(
  runner: number,
  schedule: Schedule<Declared>,
  outcomes: Map<Declared, PromiseWithResolvers<Outcome>>,
): Promise<void> {
  for (let test = schedule.next(runner); test; test = schedule.next(runner)) {
    const outcome = await run(test, runner);
    outcomes.get(test)!.resolve(outcome);
    // What a process takes to start is the others' time, unless they wait for longer.
    const needsOne = !processes.has(runner) ||
      (!before.get(runner)?.clean && !schedule.isAmidTask(runner));
    const passed = outcome.error === undefined;
    if (running > TASKS_AT_A_TIME && passed && needsOne && waitsLeftMs() < PROCESS_MS) break;
  }
  running--;
}

/** What the tests that have not ended wait for by their nature. */
function waitsLeftMs(): number {
  return remaining().reduce((sum, { waitsMs }) => sum + waitsMs, 0);
}

/** Tests that have ended, and those that have been reported. They may run in any order. */
const done = new Set<Declared>();
const told = new Map<Declared, Outcome>();
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

/** Ends everything. To a runner the verdict is told by then, and to clear up a whole engine takes its time. */
async function endSuite(): Promise<void> {
  await processes.end();
  report({ record: "end" });
  const failed = [...told.values()].some(({ error }) => error !== undefined);
  if (hasRunner) Deno.exit(failed ? 1 : 0);
}

/** By runner: the task whose tests had its process last, and whether they have left nothing behind there. */
const before = new Map<number, { task: number; clean: boolean }>();

async function runTest(test: Declared, runner: number, outcome: Outcome): Promise<void> {
  const { task } = test;
  if (!file.exists) throw absent(file);
  if (loadHangs) throw loadHangs;
  if (stopped.has(task)) throw notTried();
  const last = before.get(runner);
  if (last && last.task !== task) {
    await (last.clean ? processes.dropOthers(runner) : processes.drop(runner, { more: true }));
  }
  const now = last?.task === task ? last : { task, clean: true };
  before.set(runner, now);
  const loaded = processes.take(runner);
  await machineStarts(loaded.child);
  const takeOther = (index: number) => processes.takeOther(runner, index);
  const run = new Run(test, loaded, outcome.transcript, takeOther);
  try {
    await run.finish(test.deadlineMs);
    now.clean &&= run.leftNothing;
  } catch (error) {
    outcome.printedAsProgram = run.printed;
    if (run.hung) {
      stopped.add(task);
      if (run.loading) loadHangs = error as TaskFailure;
    }
    if (!run.leftNothing) {
      outcome.printed += await processes.drop(runner, { more: remaining().length > 1 });
      now.clean = true;
    }
    throw error;
  } finally {
    run.peers.release();
  }
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
  const late = () => reject(new Error(`A process did not start within ${START_MS / 1000} s`));
  const callOff = after(START_MS, late);
  child.ready.then(resolve);
  await promise.finally(callOff);
}
