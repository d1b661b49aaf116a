/**
 * Grades one lesson of one folder: runs its suite in a process of its own and makes the result.
 *
 * The suite is the project's own code. It is bounded all the same, and whatever becomes of it, its processes and the
 * learner's are gone when `grade()` returns.
 *
 * @module
 */

import { type LessonInfo, readMistakes } from "./course.ts";
import { RECORD_MARK } from "./protocol.ts";
import { SUITE_ENV, type SuiteRecord, type TestRecord } from "./records.ts";
import {
  type LessonResult,
  type PlannedTest,
  type Status,
  type TaskResult,
  taskResult,
  worst,
} from "./result.ts";
import type { Lang, Text } from "./text.ts";

/** What is to be graded. */
export interface GradeRequest {
  /** The workbook's folder, an absolute path. */
  root: string;
  lesson: LessonInfo;
  /** A folder laid out like `lessons/`: its absolute path, and how it is called when talking to people. */
  target: { path: string; label: string };
  /** Which suite to run; the lesson's own unless told otherwise. */
  suite?: string;
  seed: number;
  /** Only these tasks. */
  tasks?: number[] | undefined;
  lang: Lang;
  /** The import map in force, or none where deno.json's imports serve. */
  importMap?: string | undefined;
  /** Ends the grading. */
  signal?: AbortSignal | undefined;
  /** Called for each task as soon as it is graded. */
  onTask?: (task: TaskResult) => void;
}

/** Time for a suite to start and to say what it will run, in milliseconds. */
const START_MS = 30_000;
/** What a task's tests may take beyond their deadline (processes to start, leaks to wait for), in milliseconds. */
const SLACK_MS = 25_000;
/** How much of what the suite prints beside its records is kept to explain a crash, in characters. */
const KEPT_CHARS = 4_000;

/** Grades `request.lesson`. Never rejects because of what the learner's code or the suite does. */
export async function grade(request: GradeRequest): Promise<LessonResult> {
  const { root, lesson, target, seed, lang, tasks } = request;
  const begin = performance.now();
  const mistakes = await readMistakes(root, lesson.slug);
  const wanted = lesson.tasks.filter(({ task }) => !tasks || tasks.includes(task));
  const suite = new Suite(request);
  const finished = new Map<number, TaskResult>();
  const finish = (task: number) => {
    const info = wanted.find((info) => info.task === task);
    if (!info || finished.has(task)) return;
    const result = taskResult(info, {
      planned: suite.plan.filter((test) => test.task === task),
      records: suite.tests,
      output: suite.outputs.get(task) ?? "",
      mistakes,
      lang,
    });
    finished.set(task, result);
    request.onTask?.(result);
  };
  suite.onTaskEnd = finish;
  const trouble = await suite.run();
  for (const { task } of wanted) finish(task);
  const results = wanted.map(({ task }) => finished.get(task)!);
  const status: Status = trouble ? "error" : worst(results.map((result) => result.status));
  return {
    version: 1,
    lesson: lesson.slug,
    title: lesson.title[lang],
    target: target.label,
    seed,
    status,
    score: results.reduce((sum, result) => sum + result.score, 0),
    max_score: results.reduce((sum, result) => sum + result.max_score, 0),
    duration_ms: Math.round(performance.now() - begin),
    ...(trouble && { message: trouble[lang] }),
    tasks: results,
  };
}

/** One run of a suite. */
class Suite {
  readonly plan: PlannedTest[] = [];
  readonly tests = new Map<number, TestRecord>();
  readonly outputs = new Map<number, string>();
  onTaskEnd: (task: number) => void = () => {};
  readonly #request: GradeRequest;
  readonly #word = crypto.randomUUID();
  readonly #pids = new Set<number>();
  #process: Deno.ChildProcess | undefined;
  #printed = "";
  #ended = false;
  #late = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(request: GradeRequest) {
    this.#request = request;
  }

  /** Runs the suite to its end. Returns what went wrong, if it is not the learner's. */
  async run(): Promise<Text | undefined> {
    const { signal } = this.#request;
    const process = this.#command().spawn();
    this.#process = process;
    const stop = () => this.stop();
    signal?.addEventListener("abort", stop);
    this.#giveTime(START_MS);
    try {
      const [status] = await Promise.all([
        process.status,
        this.#readRecords(process.stdout),
        this.#keepErrors(process.stderr),
      ]);
      return this.#verdictOn(status);
    } finally {
      clearTimeout(this.#timer);
      signal?.removeEventListener("abort", stop);
      if (!this.#ended) this.stop();
    }
  }

  /** Ends the suite and every process it started. */
  stop(): void {
    for (const pid of [...this.#pids]) kill(() => Deno.kill(pid, "SIGKILL"));
    kill(() => this.#process?.kill("SIGKILL"));
  }

  #command(): Deno.Command {
    const { root, lesson, target, seed, tasks, importMap } = this.#request;
    const suite = this.#request.suite ?? `${root}/tests/${lesson.slug}_test.ts`;
    return new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--no-check",
        "--no-lock",
        "--cached-only",
        "--allow-all",
        `--config=${root}/deno.json`,
        ...(importMap ? [`--import-map=${importMap}`] : []),
        suite,
      ],
      cwd: root,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: {
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
        [SUITE_ENV.exercise]: `${target.path}/${lesson.slug}`,
        [SUITE_ENV.label]: `${target.label}/${lesson.slug}/exercise.ts`,
        [SUITE_ENV.seed]: `${seed}`,
        [SUITE_ENV.word]: this.#word,
        ...(tasks && { [SUITE_ENV.tasks]: tasks.join(",") }),
        ...(importMap && { [SUITE_ENV.importMap]: importMap }),
      },
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
        if (line.startsWith(mark)) this.#take(JSON.parse(line.slice(mark.length)));
        else if (line.trim()) this.#print(line);
      }
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
        this.plan.push(...record.tests);
        const deadlines = new Map<number, number>();
        for (const { task, deadlineMs } of record.tests) {
          deadlines.set(task, Math.max(deadlineMs, deadlines.get(task) ?? 0));
        }
        const total = [...deadlines.values()].reduce((sum, ms) => sum + ms, 0);
        return this.#giveTime(total + SLACK_MS);
      }
      case "child":
        this.#pids.add(record.pid);
        return;
      case "reaped":
        this.#pids.delete(record.pid);
        return;
      case "test":
        this.tests.set(record.index, record);
        return;
      case "output":
        this.outputs.set(record.task, record.output);
        return this.onTaskEnd(record.task);
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
    if (this.#request.signal?.aborted) {
      return { en: "The grading was interrupted.", ko: "채점이 중단되었습니다." };
    }
    const failed = [...this.tests.values()].some((test) => test.status !== "pass");
    const asDeclared = this.#ended && this.tests.size === this.plan.length;
    if (asDeclared && code === (failed ? 1 : 0)) return undefined;
    const detail = lastErrorLine(this.#printed);
    return {
      en:
        `The suite ran ${this.tests.size} of ${this.plan.length} tests and ended with status ${code}${detail}`,
      ko:
        `채점 프로그램이 테스트 ${this.plan.length}개 중 ${this.tests.size}개를 실행하고 상태 ${code}(으)로 끝났습니다${detail}`,
    };
  }
}

function lastErrorLine(printed: string): string {
  const line = printed.split("\n").find((line) => /error/i.test(line))?.trim();
  return line ? `: ${line}` : "";
}

function kill(run: () => void): void {
  try {
    run();
  } catch {
    // It has ended already.
  }
}
