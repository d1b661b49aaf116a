/**
 * Runs one graded suite in a process of its own and collects what it reports.
 *
 * The suite is the project's own code. It is bounded all the same, and whatever becomes of it, its processes and the
 * learner's are gone when {@linkcode runSuite} returns.
 *
 * @module
 */

import { RECORD_MARK } from "./protocol.ts";
import {
  MOST_STRETCH,
  type PlannedTest,
  SUITE_ENV,
  type SuiteRecord,
  type TestRecord,
} from "./records.ts";
import type { Text } from "./text.ts";

/** Which suite is run on what. */
export interface SuiteRequest {
  /** The workbook's folder, an absolute path. */
  root: string;
  /** The lesson's folder name. */
  slug: string;
  /** A folder laid out like `lessons/`: its absolute path, and how it is called when talking to people. */
  target: { path: string; label: string };
  seed: number;
  /** Only these tasks. */
  tasks?: number[] | undefined;
  /**
   * How many tasks run at a time, where nothing else needs the machine's cores; one unless it is given. Of a lesson with
   * tests that wait it is one more, if it is more than one.
   */
  tasksAtATime?: number | undefined;
  /** Runs the tests in an order drawn from this number, one after the other. */
  shuffle?: number | undefined;
  /** The import map in force, or none where deno.json's imports serve. */
  importMap?: string | undefined;
  /** The suite's file; that of the course where none is given. */
  suiteFile?: string | undefined;
  /** Where code is graded that nobody has read. */
  place?: SuitePlace | undefined;
  /** Ends the run. */
  signal?: AbortSignal | undefined;
  /**
   * Runs the suite in a process group of its own, which is ended as a whole, and which Ctrl-C does not reach. Only for
   * a caller that ends it whatever happens.
   */
  ownGroup?: boolean;
  /** A suite that was started for the same request, by {@linkcode startSuite} or {@linkcode prepareSuite}. */
  prepared?: PreparedSuite | undefined;
  /** Instead of {@linkcode START_MS} and {@linkcode SLACK_MS}. */
  limits?: { startMs: number; slackMs: number };
}

/** A place that keeps strangers' code in, as `grading/place.ts` makes them. */
export interface SuitePlace {
  /** The import map of the suites, where they need another than the one in force. */
  suiteMap?: string | undefined;
  /** The numbers of processes that a suite reports are those of a namespace, and of others' processes outside of it. */
  ownProcesses: boolean;
  launch(
    suite: { args: string[]; env: Record<string, string>; suite: string; slug: string },
  ): { command: string; args: string[]; env: Record<string, string> };
}

/** What a suite reported. */
export interface SuiteReport {
  plan: PlannedTest[];
  /** By index in the plan. */
  tests: Map<number, TestRecord>;
  /** What the learner's code printed, by task. */
  outputs: Map<number, string>;
  durationMs: number;
  /** What went wrong, if it is not the learner's. */
  trouble?: Text;
}

/** How many tasks run at a time where one person waits for one verdict. More would have more wait for the processor. */
export const TASKS_FOR_ONE = Math.min(2, navigator.hardwareConcurrency);

/** Time for a suite to start and to say what it will run, in milliseconds. */
const START_MS = 30_000;
/** What a suite may take beyond the deadlines of its tasks (processes to start, leaks to wait for), in milliseconds. */
const SLACK_MS = 25_000;
/** How much of what the suite prints beside its records is kept to explain a crash, in characters. */
const KEPT_CHARS = 4_000;

/**
 * Runs a suite. Never rejects because of what the learner's code or the suite does.
 *
 * `onTaskEnd` is called as soon as all tests of a task have been reported.
 */
export async function runSuite(
  request: SuiteRequest,
  onTaskEnd: (task: number, report: SuiteReport) => void = () => {},
): Promise<SuiteReport> {
  const begin = performance.now();
  const suite = request.prepared instanceof Suite ? request.prepared : new Suite(request);
  const trouble = await suite.run(request.signal, onTaskEnd);
  suite.report.durationMs = Math.round(performance.now() - begin);
  if (trouble) suite.report.trouble = trouble;
  return suite.report;
}

/** A suite that was started before it is run. */
export interface PreparedSuite extends AsyncDisposable {
  /** Set once it has ended, and can grade nothing any more. */
  readonly hasEnded: boolean;
  /** Ends it. Resolves when nothing of it is left. */
  discard(): Promise<void>;
}

/** Starts a suite, for a caller that has something else to do before it is run. It is to be run once, or discarded. */
export function startSuite(request: SuiteRequest): PreparedSuite {
  const suite = new Suite(request);
  suite.start({ waits: false });
  return suite;
}

/**
 * Starts a suite ahead of time, which waits with processes that are ready: nothing of the exercise is read before it is
 * run. It is to be run once, or discarded.
 */
export function prepareSuite(request: SuiteRequest): PreparedSuite {
  const suite = new Suite(request);
  suite.start({ waits: true });
  return suite;
}

/** A seed for a run that was not given one. */
export function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** One run of a suite. */
class Suite implements PreparedSuite {
  readonly report: SuiteReport = {
    plan: [],
    tests: new Map(),
    outputs: new Map(),
    durationMs: 0,
  };
  readonly #request: SuiteRequest;
  #onTaskEnd: (task: number, report: SuiteReport) => void = () => {};
  readonly #word = crypto.randomUUID();
  readonly #pids = new Set<number>();
  readonly #folders = new Set<string>();
  #process: Deno.ChildProcess | undefined;
  #printed = "";
  #waits = false;
  #ended = false;
  #late = false;
  #broken = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  #aborted = false;
  #done: Promise<Deno.CommandStatus> | undefined;
  hasEnded = false;

  constructor(request: SuiteRequest) {
    this.#request = request;
  }

  /** Starts its process. One that `waits` does nothing before it is run. */
  start({ waits }: { waits: boolean }): void {
    this.#waits = waits;
    const process = this.#command(waits).spawn();
    this.#process = process;
    this.#done = Promise.all([
      process.status,
      this.#readRecords(process.stdout),
      this.#keepErrors(process.stderr),
    ]).then(([status]) => {
      this.hasEnded = true;
      return status;
    });
    // Nobody may be waiting for it yet.
    this.#done.catch(() => {});
  }

  /** Runs the suite to its end. Returns what went wrong, if it is not the learner's. */
  async run(
    signal: AbortSignal | undefined,
    onTaskEnd: (task: number, report: SuiteReport) => void,
  ): Promise<Text | undefined> {
    const { limits } = this.#request;
    this.#onTaskEnd = onTaskEnd;
    for (const task of this.report.outputs.keys()) onTaskEnd(task, this.report);
    if (!this.#process) this.start({ waits: false });
    else if (this.#waits) await this.#letGo(this.#process);
    const stop = () => {
      this.#aborted = true;
      this.stop();
    };
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    // One that was started before may have said what it runs.
    if (this.report.plan.length === 0) this.#giveTime(limits?.startMs ?? START_MS);
    try {
      return this.#verdictOn(await this.#done!);
    } finally {
      signal?.removeEventListener("abort", stop);
      if (!this.#ended) this.stop();
      await this.#clear();
    }
  }

  async #letGo(process: Deno.ChildProcess): Promise<void> {
    try {
      const writer = process.stdin.getWriter();
      await writer.write(new TextEncoder().encode("go\n"));
      writer.releaseLock();
    } catch {
      // It has ended, which its status says.
    }
  }

  async discard(): Promise<void> {
    this.stop();
    await this.#done?.catch(() => {});
    await this.#clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) await this.discard();
  }

  /** Leaves nothing of one that has ended: its clock, its standard input, which is held until then, its folders. */
  async #clear(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#process?.stdin.abort().catch(() => {});
    for (const folder of this.#folders) await remove(folder);
  }

  /** Ends the suite and every process it started. */
  stop(): void {
    const group = this.#request.ownGroup && Deno.build.os !== "windows" && this.#process?.pid;
    if (group) kill(() => Deno.kill(-group, "SIGKILL"));
    for (const pid of [...this.#pids]) kill(() => Deno.kill(pid, "SIGKILL"));
    kill(() => this.#process?.kill("SIGKILL"));
  }

  #command(waits: boolean): Deno.Command {
    const { root, slug, target, seed, tasks, shuffle, importMap, place } = this.#request;
    const atATime = shuffle === undefined ? this.#request.tasksAtATime ?? 1 : 1;
    const suite = this.#request.suiteFile ?? `${root}/tests/${slug}_test.ts`;
    const suiteMap = place?.suiteMap ?? importMap;
    const args = [
      "test",
      "--no-check",
      "--no-lock",
      "--cached-only",
      "--allow-all",
      `--preload=${root}/tests/support/early.ts`,
      `--config=${root}/deno.json`,
      ...(suiteMap ? [`--import-map=${suiteMap}`] : []),
      ...(shuffle === undefined ? [] : [`--shuffle=${shuffle}`]),
      suite,
    ];
    const env = {
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      [SUITE_ENV.exercise]: `${target.path}/${slug}`,
      [SUITE_ENV.label]: `${target.label}/${slug}/exercise.ts`,
      [SUITE_ENV.seed]: `${seed}`,
      [SUITE_ENV.word]: this.#word,
      [SUITE_ENV.held]: "1",
      ...(waits && { [SUITE_ENV.waits]: "1" }),
      ...(tasks && { [SUITE_ENV.tasks]: tasks.join(",") }),
      ...(atATime > 1 && { [SUITE_ENV.tasksAtATime]: `${atATime}` }),
      ...(importMap && { [SUITE_ENV.importMap]: importMap }),
    };
    const launch = place?.launch({ args, env, suite, slug }) ??
      { command: Deno.execPath(), args, env };
    return new Deno.Command(launch.command, {
      args: launch.args,
      cwd: root,
      detached: this.#request.ownGroup ?? false,
      // If this process is killed outright, the suite finds its end, and ends.
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: launch.env,
      clearEnv: place !== undefined,
    });
  }

  #giveTime(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.stop();
    }, ms);
  }

  async #readRecords(stream: ReadableStream<Uint8Array>): Promise<void> {
    const mark = `${RECORD_MARK}${this.#word} `;
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith(mark)) this.#read(line.slice(mark.length));
        else if (line.trim()) this.#print(line);
      }
    }
  }

  /** A record that came in pieces is no record: the test that it tells of then has none. */
  #read(line: string): void {
    try {
      this.#take(JSON.parse(line));
    } catch {
      this.#broken = true;
      this.#print(`error: a record is broken: ${line}`);
    }
  }

  async #keepErrors(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#print(decoder.decode(chunk, { stream: true }));
  }

  #print(text: string): void {
    this.#printed = `${this.#printed}${text}\n`.slice(-KEPT_CHARS);
  }

  #take(record: SuiteRecord): void {
    switch (record.record) {
      case "plan": {
        this.report.plan.push(...record.tests);
        const deadlines = new Map<number, number>();
        for (const { task, deadlineMs } of record.tests) {
          deadlines.set(task, Math.max(deadlineMs, deadlines.get(task) ?? 0));
        }
        const total = [...deadlines.values()].reduce((sum, ms) => sum + ms, 0);
        return this.#giveTime(total * MOST_STRETCH + (this.#request.limits?.slackMs ?? SLACK_MS));
      }
      case "child":
        if (!this.#request.place?.ownProcesses) this.#pids.add(record.pid);
        return;
      case "reaped":
        this.#pids.delete(record.pid);
        return;
      case "folder":
        // A path of the suite's own namespace is somebody else's here, and is gone with it.
        if (!this.#request.place?.ownProcesses) this.#folders.add(record.path);
        return;
      case "test":
        this.report.tests.set(record.index, record);
        return;
      case "output":
        this.report.outputs.set(record.task, record.output);
        return this.#onTaskEnd(record.task, this.report);
      case "end":
        this.#ended = true;
    }
  }

  #verdictOn({ code }: Deno.CommandStatus): Text | undefined {
    if (this.#late) {
      return {
        en: "The suite did not end in time and was stopped.",
        ko: "채점 프로그램이 제때 끝나지 않아 멈췄습니다.",
      };
    }
    if (this.#aborted) {
      return { en: "The grading was interrupted.", ko: "채점이 중단되었습니다." };
    }
    const { tests, plan } = this.report;
    const failed = [...tests.values()].some((test) => test.status !== "pass");
    const asDeclared = this.#ended && !this.#broken && tests.size === plan.length;
    if (asDeclared && code === (failed ? 1 : 0)) return undefined;
    const detail = lastErrorLine(this.#printed);
    return {
      en:
        `The suite ran ${tests.size} of ${plan.length} tests and ended with status ${code}${detail}`,
      ko:
        `채점 프로그램이 테스트 ${plan.length}개 중 ${tests.size}개를 실행하고 종료 상태 ${code}번으로 끝났습니다${detail}`,
    };
  }
}

function lastErrorLine(printed: string): string {
  const lines = printed.split("\n").map((line) => line.trim());
  const line = lines.find((line) => /^error: (?!Test failed)/i.test(line)) ??
    lines.find((line) => /error/i.test(line));
  return line ? `: ${line}` : "";
}

/** Removes a folder of the suite's, unless it has done so itself. */
async function remove(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function kill(run: () => void): void {
  try {
    run();
  } catch {
    // It has ended already.
  }
}
