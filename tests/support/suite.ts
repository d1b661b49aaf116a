/**
 * What a graded suite is written with: `task()` declares one test of one task.
 *
 * Each task gets a process of the learner's, shared by its tests as long as they pass; the next task's
 * process starts while this one's runs. All tests of a task share its deadline, and a test that had to be
 * stopped is the last one of its task. Every test, also one that was stopped, is reported to the runner.
 *
 * @module
 */

import type { ChildState } from "../../workbook/protocol.ts";
import { RECORD_MARK } from "../../workbook/protocol.ts";
import {
  type FailureRecord,
  SUITE_ENV,
  type SuiteRecord,
  type TestRecord,
} from "../../workbook/records.ts";
import type { Text } from "../../workbook/text.ts";
import { Child, ChildEndedError, OrderError } from "./child.ts";
import {
  absent,
  endedEarly,
  type ExerciseFile,
  notLoaded,
  replaced,
  threw,
  unhandled,
  waitingFor,
} from "./explain.ts";
import { TaskFailure } from "./failure.ts";
import { Learner } from "./learner.ts";
import { Peers } from "./peer.ts";
import { Random, seed } from "./random.ts";
import { showAddr, Transcript } from "./transcript.ts";

/** What a test works with. */
export interface TestContext {
  learner: Learner;
  peers: Peers;
  random: Random;
  /**
   * Does one step of the story. If it does not end in time, or fails without saying more, this is what is shown
   * as expected, and the mistake that it looks like.
   */
  step<T>(expected: Text, run: () => Promise<T>, mistake?: string): Promise<T>;
}

/** What is known of a test beforehand. */
export interface TaskOptions {
  /** The mistakes that this test tells by name. */
  catches?: string[];
  /** Time for all tests of the task, in milliseconds; the longest of its tests counts. */
  deadlineMs?: number;
  /** The mistake that a socket left open shows. */
  leak?: string;
}

interface Declared {
  task: number;
  index: number;
  name: Text;
  run: (context: TestContext) => Promise<void>;
  catches: string[];
  deadlineMs: number;
  leak: string | undefined;
}

/** A task's time unless it says otherwise, in milliseconds. */
const DEADLINE_MS = 2_000;
/** How long before the deadline a silent process is asked whether it still lives. */
const PING_BEFORE_MS = 700;
/** How long a socket may stay open after everything that should close it, in milliseconds. */
const LEAK_PATIENCE_MS = 500;
/** How long the machine may take to start a process: a fault of the machine's, not of the learner's. */
const START_MS = 20_000;

const declared: Declared[] = [];
const selected = Deno.env.get(SUITE_ENV.tasks)?.split(",").map(Number);
const word = Deno.env.get(SUITE_ENV.word);

/** Declares a test of task `task`. */
export function task(
  task: number,
  name: Text,
  run: (context: TestContext) => Promise<void>,
  { catches = [], deadlineMs = DEADLINE_MS, leak }: TaskOptions = {},
): void {
  if (selected && !selected.includes(task)) return;
  const test: Declared = { task, index: declared.length, name, run, catches, deadlineMs, leak };
  declared.push(test);
  Deno.test({
    name: `task ${task}: ${name.en}`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => runAndReport(test),
  });
}

function report(record: SuiteRecord): void {
  if (word === undefined) return;
  const line = new TextEncoder().encode(`\n${RECORD_MARK}${word} ${JSON.stringify(record)}\n`);
  for (let done = 0; done < line.length;) done += Deno.stdout.writeSync(line.subarray(done));
}

// --- the exercise and its processes ---

const exerciseDir = Deno.env.get(SUITE_ENV.exercise) ?? lessonDirOf(Deno.mainModule);
const exercisePath = `${exerciseDir}/exercise.ts`;
const file = readExercise();

function lessonDirOf(suite: string): string {
  const slug = /([^/]+)_test\.ts$/.exec(suite)?.[1] ?? "";
  return decodeURIComponent(new URL(`../../lessons/${slug}`, import.meta.url).pathname);
}

function readExercise(): ExerciseFile & { exists: boolean } {
  const label = Deno.env.get(SUITE_ENV.label) ??
    exercisePath.split("/").slice(-3).join("/");
  try {
    return { label, source: Deno.readTextFileSync(exercisePath), exists: true };
  } catch {
    return { label, source: "", exists: false };
  }
}

/** A process of the learner's with its exercise being loaded. */
interface Loaded {
  child: Child;
  /** The exports, or the failure that loading met. */
  exports: Promise<{ name: string; type: string }[]>;
}

let spare: Loaded | undefined = startChild();
let current: { loaded: Loaded; task: number; usedMs: number } | undefined;
/** Loading never ended once: it will not end the next time, and need not be waited for. */
let loadHangs: TaskFailure | undefined;

function startChild(): Loaded {
  const child = new Child(exerciseDir);
  report({ record: "child", pid: child.pid });
  child.ended.then(() => report({ record: "reaped", pid: child.pid }));
  const url = new URL(`file://${encodeURI(exercisePath)}`).href;
  const exports = child.ready.then(() => child.order({ op: "load", url })).then((answer) => {
    if (!answer.ok) throw notLoaded(answer.error, file);
    return "exports" in answer ? answer.exports : [];
  });
  exports.catch(() => {});
  return { child, exports };
}

/** The process for `test`: the one of its task, or the spare one. */
function childFor(test: Declared): Loaded {
  if (current?.task === test.task && !current.loaded.child.end) return current.loaded;
  const usedMs = current?.task === test.task ? current.usedMs : 0;
  const loaded = spare ?? startChild();
  current = { loaded, task: test.task, usedMs };
  spare = isLastTask(test) ? undefined : startChild();
  return loaded;
}

function isLastTask(test: Declared): boolean {
  return test.task === declared.at(-1)!.task;
}

async function dropChild(): Promise<void> {
  await current?.loaded.child.kill();
}

// --- one test ---

let planReported = false;
/** Tasks that are over because one of their tests had to be stopped. */
const stopped = new Set<number>();
const outputs = new Map<number, string>();

async function runAndReport(test: Declared): Promise<void> {
  if (!planReported) {
    planReported = true;
    const tests = declared.map(({ task, index, name, catches, deadlineMs }) => ({
      task,
      index,
      name,
      catches,
      deadlineMs,
    }));
    report({ record: "plan", seed, tests });
  }
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
  const next = declared[test.index + 1];
  if (next?.task !== test.task) await endTask(test.task);
  if (!next) report({ record: "end" });
  if (error !== undefined) throw error;
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

async function endTask(task: number): Promise<void> {
  if (current?.task === task) {
    await dropChild();
    keepOutput(task, current.loaded.child);
    current = undefined;
  }
  if (task === declared.at(-1)!.task) await spare?.child.kill();
  report({ record: "output", task, output: outputs.get(task) ?? "" });
}

function keepOutput(task: number, child: Child): void {
  const output = child.output;
  if (output) outputs.set(task, `${outputs.get(task) ?? ""}${output}`);
}

async function runTest(test: Declared, transcript: Transcript): Promise<void> {
  if (!file.exists) throw absent(file);
  if (loadHangs) throw loadHangs;
  if (stopped.has(test.task)) {
    throw new TaskFailure({
      kind: "not-run",
      received: {
        en: "not tried: an earlier test of this task had to be stopped",
        ko: "시도하지 않음: 이 과제의 앞선 테스트를 강제로 멈췄습니다",
      },
    });
  }
  const loaded = childFor(test);
  await machineStarts(loaded.child);
  const begin = performance.now();
  const run = new Run(test, loaded, transcript);
  try {
    await run.finish(begin, Math.max(300, test.deadlineMs - current!.usedMs));
  } catch (error) {
    if (run.hung) {
      stopped.add(test.task);
      if (run.loading) loadHangs = error as TaskFailure;
    }
    await dropChild();
    keepOutput(test.task, loaded.child);
    throw error;
  } finally {
    current!.usedMs += performance.now() - begin;
    run.peers.release();
  }
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

/** One test on its way. */
class Run {
  readonly peers: Peers;
  readonly #test: Declared;
  readonly #loaded: Loaded;
  readonly #transcript: Transcript;
  readonly #steps: { expected: Text; mistake: string | undefined }[] = [];
  #learner: Learner | undefined;
  loading = true;
  hung = false;

  constructor(test: Declared, loaded: Loaded, transcript: Transcript) {
    this.#test = test;
    this.#loaded = loaded;
    this.#transcript = transcript;
    this.peers = new Peers(transcript);
  }

  /** Runs the test until it passes, fails, or its time is over. */
  async finish(begin: number, timeMs: number): Promise<void> {
    const story = this.#story(begin);
    const { promise: timeUp, resolve: ring } = Promise.withResolvers<"time is up">();
    let answered = false;
    const ping = setTimeout(() => {
      this.#loaded.child.order({ op: "state" }).then(() => answered = true, () => {});
    }, Math.max(0, timeMs - PING_BEFORE_MS));
    const timer = setTimeout(() => ring("time is up"), timeMs);
    try {
      if (await Promise.race([story, timeUp]) === undefined) return;
    } catch (error) {
      throw await this.#better(error);
    } finally {
      clearTimeout(ping);
      clearTimeout(timer);
    }
    story.catch(() => {});
    this.hung = true;
    throw this.#hang(timeMs, answered ? await this.#soon({ op: "state" }) : undefined);
  }

  async #story(begin: number): Promise<void> {
    const exports = await this.#loaded.exports;
    this.loading = false;
    const { promise: failed, reject: failLater } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const learner = new Learner(this.#loaded.child, exports, {
      transcript: this.#transcript,
      task: this.#test.task,
      file,
      failLater,
    });
    this.#learner = learner;
    const context: TestContext = {
      learner,
      peers: this.peers,
      random: new Random(seed + this.#test.index * 7919),
      step: (expected, run, mistake) => this.#step(expected, run, mistake),
    };
    await Promise.race([this.#test.run(context), failed]);
    await this.#expectNothingLeft(learner, begin);
  }

  async #step<T>(expected: Text, run: () => Promise<T>, mistake?: string): Promise<T> {
    const step = { expected, mistake };
    this.#steps.push(step);
    const result = await run();
    // Steps nest and may run side by side; a step that failed stays, since it says what was expected.
    this.#steps.splice(this.#steps.indexOf(step), 1);
    return result;
  }

  /** Ends what the test holds, and fails if the learner's code keeps a socket or lost an error. */
  async #expectNothingLeft(learner: Learner, begin: number): Promise<void> {
    this.peers.release();
    let state = await learner.tidy();
    if (learner.unhandled.length > 0) {
      throw new TaskFailure({ kind: "unhandled", received: unhandled(learner.unhandled[0]!) });
    }
    const patience = Math.max(LEAK_PATIENCE_MS, (performance.now() - begin) / 2);
    const until = performance.now() + patience;
    const leaked = () => state.open.filter((socket) => socket.origin === "made");
    while (leaked().length > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      state = await learner.rest();
    }
    if (leaked().length === 0) return;
    throw new TaskFailure({
      kind: "leak",
      expected: {
        en: "every socket that is not returned is closed",
        ko: "반환하지 않은 소켓은 모두 닫힘",
      },
      received: leakText(leaked()),
      ...(this.#test.leak && { mistake: this.#test.leak }),
    });
  }

  /** The failure that says most: a process that has ended or lost an error explains what the test saw. */
  async #better(error: unknown): Promise<unknown> {
    const { child } = this.#loaded;
    if (error instanceof TaskFailure && error.facts.kind === "missing") return error;
    const expected = this.#steps.at(-1)?.expected ?? this.#test.name;
    if (!child.end) await this.#soon({ op: "rest", timersWithinMs: 50 });
    if (child.end) {
      const { flooded, printedBytes, output } = child;
      return endedEarly(
        child.end,
        { flooded, printedBytes, output },
        this.loading ? LOADS : expected,
      );
    }
    const asFailure = this.#asFailure(error);
    if (!(asFailure instanceof TaskFailure)) return asFailure;
    const step = this.#steps.at(-1);
    if (step && asFailure.facts.kind !== "leak") {
      asFailure.facts.expected ??= step.expected;
      if (step.mistake) asFailure.facts.mistake ??= step.mistake;
    }
    for (const lost of this.#learner?.unhandled ?? []) {
      if (asFailure.facts.kind !== "unhandled") asFailure.facts.notes.push(unhandled(lost));
      break;
    }
    this.#noteReplaced(asFailure);
    return asFailure;
  }

  #noteReplaced(failure: TaskFailure): void {
    const names = this.#learner?.replaced ?? [];
    if (names.length > 0) failure.facts.notes.push(replaced(names));
  }

  /** Errors of the suite's own sockets tell what the learner's end did; anything else is the suite's fault. */
  #asFailure(error: unknown): unknown {
    if (error instanceof TaskFailure) return error;
    if (error instanceof OrderError) {
      return threw(this.#test.name.en, error.wire, { file, task: this.#test.task });
    }
    if (error instanceof Deno.errors.ConnectionRefused) {
      return new TaskFailure({
        kind: "socket",
        received: {
          en: "nobody listens there: the connection was refused",
          ko: "그곳에서 듣고 있는 프로세스가 없습니다: 연결이 거부되었습니다",
        },
      });
    }
    if (
      error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.NotConnected
    ) {
      return new TaskFailure({
        kind: "socket",
        received: {
          en: `the connection was closed by the learner's end: ${error.name}`,
          ko: `학습자 쪽에서 연결을 끊었습니다: ${error.name}`,
        },
      });
    }
    return error;
  }

  #hang(timeMs: number, state: ChildState | undefined): TaskFailure {
    const step = this.#steps.at(-1);
    const seconds = Math.round(timeMs / 100) / 10;
    const total = this.#test.deadlineMs / 1000;
    const waits = waitingFor(state);
    const failure = new TaskFailure({
      kind: "hang",
      expected: this.loading ? LOADS : step?.expected ?? this.#test.name,
      received: waits[0]!,
      notes: [
        ...waits.slice(1),
        {
          en: `Stopped after ${total} s${seconds < total ? " for the whole task" : ""}.`,
          ko: `${total}초${seconds < total ? "(과제 전체)" : ""} 뒤에 멈췄습니다.`,
        },
      ],
      mistake: step?.mistake,
    });
    for (const lost of this.#learner?.unhandled ?? []) failure.facts.notes.push(unhandled(lost));
    this.#noteReplaced(failure);
    return failure;
  }

  /** The answer to an order, or nothing if none comes within the time of a ping. */
  async #soon(
    body: { op: "state" } | { op: "rest"; timersWithinMs: number },
  ): Promise<ChildState | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), PING_BEFORE_MS);
    const answer = this.#loaded.child.order(body).then(
      (answer) => "state" in answer ? answer.state : undefined,
      async (error) => {
        if (error instanceof ChildEndedError) await this.#loaded.child.ended;
        return undefined;
      },
    );
    return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }
}

const LOADS: Text = { en: `${file.label} can be loaded`, ko: `${file.label} 를 불러올 수 있음` };

function leakText(open: ChildState["open"]): Text {
  const shown = open.slice(0, 3).map((socket) => `${socket.kind} ${showAddr(socket.addr)}`);
  const list = `${shown.join(", ")}${open.length > 3 ? ", …" : ""}`;
  return open.length === 1
    ? { en: `one socket is still open: ${list}`, ko: `소켓 하나가 아직 열려 있습니다: ${list}` }
    : {
      en: `${open.length} sockets are still open: ${list}`,
      ko: `소켓 ${open.length}개가 아직 열려 있습니다: ${list}`,
    };
}
