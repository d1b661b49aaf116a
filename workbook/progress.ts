/**
 * What a learner has done, kept in `.workbook/progress.json`.
 *
 * Lessons and tasks stand there under names that do not change when the course is numbered anew: the lesson's slug
 * without its number, the function that a task is about. What this version of the course does not know stays as it is.
 *
 * Several commands may run at once: each change is made to what the file says at that moment, under a lock that ends
 * with its process, and the file is replaced whole. A file that is damaged, or not ours, is set aside, and that is
 * said.
 *
 * @module
 */

import type { LessonInfo } from "./course.ts";
import type { LessonResult } from "./result.ts";
import { stubOf } from "./stub.ts";
import type { Text } from "./text.ts";

/** What is known of one task. Times are in ISO 8601. */
export interface TaskProgress {
  /** The task's English title when it was last seen: a second name, should its first one change. */
  title?: string;
  /** When it first passed. */
  passedAt?: string;
  /** How its last grading ended. */
  last?: { status: "pass" | "fail"; at: string };
  /** The mistake that the last grading saw. */
  mistake?: string;
  /** All mistakes that were met on the way. */
  met?: string[];
  /** The mistake that a hint has explained. */
  told?: string;
  /** How many hints were shown. */
  hints?: number;
}

/** What is known of one lesson. */
export interface LessonProgress {
  tasks: Record<string, TaskProgress>;
  /** When the model solution was asked for before the lesson was done. */
  solutionAskedAt?: string;
}

/** The file. */
export interface Progress {
  kind: typeof KIND;
  version: number;
  /** Where the learner left off. */
  last?: { lesson: string; at: string };
  lessons: Record<string, LessonProgress>;
}

/** How a task stands. `again` passed once and fails now. */
export type TaskState = "passed" | "again" | "failed" | "untried";

/** How a lesson stands. */
export interface LessonState {
  /** By number of the task. */
  tasks: Map<number, TaskProgress & { state: TaskState }>;
  /** Every task has passed once. */
  done: boolean;
  started: boolean;
  score: number;
  maxScore: number;
}

const KIND = "socket-workbook progress";
const VERSION = 1;
/** How long another command may take to write, in milliseconds; then the file is written without the lock. */
const LOCK_PATIENCE_MS = 2_000;

/** The name of a lesson that stays when lessons are numbered anew: `send_recv` of `03_send_recv`. */
export function lessonKey(slug: string): string {
  return slug.replace(/^\d+_/, "");
}

/** The progress of a workbook. */
export class ProgressStore {
  readonly #folder: string;
  readonly #file: string;
  readonly #root: string;
  readonly #say: (text: Text) => void;

  /** `say` takes what the learner has to know: a file that was set aside, progress that cannot be kept. */
  constructor(root: string, say: (text: Text) => void) {
    this.#root = root;
    this.#folder = `${root}/.workbook`;
    this.#file = `${this.#folder}/progress.json`;
    this.#say = say;
  }

  /** What is known. Nothing, if the file is damaged, which is then set aside. */
  async read(): Promise<Progress> {
    const found = await this.#load();
    if (found.progress) return found.progress;
    if (found.trouble) {
      await this.#locked(async () => {
        // Another command may have set it aside meanwhile.
        const again = await this.#load();
        if (again.trouble) await this.#setAside(again.trouble);
      });
      return (await this.#load()).progress ?? fresh();
    }
    return fresh();
  }

  /** Makes a change to what the file says now. Returns whether it is kept. */
  async update(change: (progress: Progress) => void): Promise<boolean> {
    const draft = `${this.#file}.${Deno.pid}.${crypto.randomUUID().slice(0, 8)}`;
    try {
      await Deno.mkdir(this.#folder, { recursive: true });
      return await this.#locked(async () => {
        const found = await this.#load();
        if (found.trouble && !await this.#setAside(found.trouble)) return false;
        const progress = found.progress ?? fresh();
        change(progress);
        await Deno.writeTextFile(draft, `${JSON.stringify(progress, null, 2)}\n`);
        await Deno.rename(draft, this.#file);
        return true;
      });
    } catch {
      await Deno.remove(draft).catch(() => {});
      this.#say({
        en: "Progress cannot be kept: .workbook/progress.json cannot be written.",
        ko: "진행 상황을 저장할 수 없습니다: .workbook/progress.json 파일에 쓸 수 없습니다.",
      });
      return false;
    }
  }

  /** Notes how a grading of the learner's own file ended. */
  async record(lesson: LessonInfo, result: LessonResult): Promise<boolean> {
    const names = await this.#names(lesson);
    return await this.update((progress) => {
      const at = new Date().toISOString();
      progress.last = { lesson: lessonKey(lesson.slug), at };
      const own = lessonOf(progress, lesson, names);
      for (const { task, status, tests } of result.tasks) {
        const known = own.get(task);
        // An error is no fault of the learner's, and tells nothing about the task.
        if (!known || status === "error") continue;
        const failed = tests.find((test) => test.status === "fail");
        // What is not written yet has not been tried.
        if (failed?.kind === "missing" && !known.last && !known.passedAt) continue;
        known.last = { status, at };
        if (status === "pass") {
          known.passedAt ??= at;
          delete known.mistake;
          continue;
        }
        const mistake = failed?.mistake;
        if (mistake) {
          known.mistake = mistake;
          known.met = [...new Set([...listOf(known.met), mistake])];
        } else delete known.mistake;
      }
    });
  }

  /** Changes what is known of one task. */
  async updateTask(
    lesson: LessonInfo,
    task: number,
    change: (known: TaskProgress) => void,
  ): Promise<boolean> {
    const names = await this.#names(lesson);
    return await this.update((progress) => {
      const known = lessonOf(progress, lesson, names).get(task);
      if (known) change(known);
    });
  }

  /** Changes what is known of one lesson. */
  async updateLesson(
    lesson: LessonInfo,
    change: (known: LessonProgress) => void,
  ): Promise<boolean> {
    return await this.update((progress) => {
      change(progress.lessons[lessonKey(lesson.slug)] ??= { tasks: {} });
    });
  }

  /** How lessons stand. */
  async states(lessons: LessonInfo[]): Promise<LessonState[]> {
    const progress = await this.read();
    return await Promise.all(
      lessons.map(async (lesson) => stateOf(progress, lesson, await this.#names(lesson))),
    );
  }

  /** How a lesson stands. */
  async state(lesson: LessonInfo): Promise<LessonState> {
    return (await this.states([lesson]))[0]!;
  }

  async #names(lesson: LessonInfo): Promise<Map<number, string>> {
    return taskNames(await stubOf(this.#root, lesson.slug) ?? "", lesson);
  }

  async #load(): Promise<{ progress?: Progress; trouble?: Trouble }> {
    let text: string;
    try {
      text = await Deno.readTextFile(this.#file);
    } catch (error) {
      // What cannot be read is no file, or cannot be written either, which is said then.
      return error instanceof Deno.errors.InvalidData ? { trouble: "damaged" } : {};
    }
    const parsed = parseProgress(text);
    return typeof parsed === "string" ? { trouble: parsed } : { progress: parsed };
  }

  async #setAside(trouble: Trouble): Promise<boolean> {
    const now = new Date().toISOString().replaceAll(/[:.]/g, "-");
    const name = `progress.json.${trouble}-${now}`;
    const moved = await Deno.rename(this.#file, `${this.#folder}/${name}`)
      .then(() => true, () => false);
    const was: Text = {
      damaged: { en: "was damaged", ko: "파일이 손상되어" },
      foreign: { en: "was not written by this workbook", ko: "이 워크북의 파일이 아니어서" },
      newer: { en: "is of a newer workbook", ko: "더 새로운 워크북의 파일이어서" },
    }[trouble];
    this.#say(
      moved
        ? {
          en: `.workbook/progress.json ${was.en}: it is now ${name}, and progress begins anew.`,
          ko: `.workbook/progress.json ${was.ko} ${name}(으)로 옮기고 진행 상황을 새로 적습니다.`,
        }
        : {
          en: `.workbook/progress.json ${was.en}, and cannot be set aside: nothing is kept.`,
          ko:
            `.workbook/progress.json ${was.ko} 옮기려 했으나 옮기지 못했습니다. 진행 상황이 저장되지 않습니다.`,
        },
    );
    return moved;
  }

  /** Runs `run` while no other command does. The lock is the system's: it ends with the process that holds it. */
  async #locked<T>(run: () => Promise<T>): Promise<T> {
    let lock: Deno.FsFile | undefined;
    try {
      lock = await Deno.open(`${this.#folder}/progress.lock`, { create: true, write: true });
      const end = performance.now() + LOCK_PATIENCE_MS;
      // A process that is suspended with the lock in its hand must not stop all others.
      while (!await lock.tryLock(true) && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } catch {
      // A file system without locks, or a folder that cannot be written.
    }
    try {
      return await run();
    } finally {
      lock?.close();
    }
  }
}

/** Why a file is no progress of ours. */
type Trouble = "damaged" | "foreign" | "newer";

/** What a file says, or why that cannot be used. Entries that are not what they should be are left out. */
export function parseProgress(text: string): Progress | Trouble {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "damaged";
  }
  if (!isObject(value)) return "damaged";
  if (value.kind !== KIND) return "foreign";
  if (typeof value.version !== "number" || !isObject(value.lessons)) return "damaged";
  if (value.version > VERSION) return "newer";
  const lessons: Record<string, unknown> = value.lessons;
  for (const [key, lesson] of Object.entries(lessons)) {
    if (!isObject(lesson) || !isObject(lesson.tasks)) {
      delete lessons[key];
      continue;
    }
    const tasks: Record<string, unknown> = lesson.tasks;
    for (const [name, task] of Object.entries(tasks)) if (!isObject(task)) delete tasks[name];
  }
  if (!isObject(value.last) || typeof value.last.lesson !== "string") delete value.last;
  return value as unknown as Progress;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function fresh(): Progress {
  return { kind: KIND, version: VERSION, lessons: {} };
}

const OWNER = /^export (?:default )?(?:async )?(?:function\*?|class|const|let) ?\*? ?(\w+)/;

/**
 * The names of a lesson's tasks: each is called after the function in which the stub has its first `TODO(task N)`.
 * Further tasks of the same function are counted.
 */
export function taskNames(
  stub: string,
  { tasks }: Pick<LessonInfo, "tasks">,
): Map<number, string> {
  const owners = new Map<number, string>();
  let owner = "";
  for (const line of stub.split("\n")) {
    owner = OWNER.exec(line)?.[1] ?? owner;
    const task = Number(/TODO\(task (\d+)\)/.exec(line)?.[1] ?? 0);
    if (task && owner && !owners.has(task)) owners.set(task, owner);
  }
  const names = new Map<number, string>();
  const counts = new Map<string, number>();
  for (const { task } of tasks) {
    const name = owners.get(task);
    const count = name ? (counts.get(name) ?? 0) + 1 : 0;
    if (name) counts.set(name, count);
    names.set(task, !name ? `task ${task}` : count === 1 ? name : `${name}.${count}`);
  }
  return names;
}

/** What is known of a lesson's tasks, in the document itself, under the names they have now. */
function lessonOf(
  progress: Progress,
  lesson: LessonInfo,
  names: Map<number, string>,
): Map<number, TaskProgress> {
  const known = progress.lessons[lessonKey(lesson.slug)] ??= { tasks: {} };
  const current = lesson.tasks.map(({ task, title }) => ({
    task,
    name: names.get(task)!,
    title: title.en,
  }));
  known.tasks = align(known.tasks, current);
  return new Map(current.map(({ task, name }) => [task, known.tasks[name]!]));
}

/** Gives each task of today its record: that of its name and title, else of its title, else of its name. */
export function align(
  tasks: Record<string, TaskProgress>,
  current: { name: string; title: string }[],
): Record<string, TaskProgress> {
  const left = new Map(Object.entries(tasks));
  const found = new Map<string, TaskProgress>();
  const take = (fits: (key: string, record: TaskProgress, now: typeof current[0]) => boolean) => {
    for (const now of current) {
      if (found.has(now.name)) continue;
      const match = [...left].find(([key, record]) => fits(key, record, now));
      if (!match) continue;
      left.delete(match[0]);
      found.set(now.name, match[1]);
    }
  };
  take((key, record, now) => key === now.name && (record.title ?? now.title) === now.title);
  take((_key, record, now) => record.title === now.title);
  take((key, _record, now) => key === now.name);
  const aligned: Record<string, TaskProgress> = {};
  for (const { name, title } of current) aligned[name] = { ...found.get(name), title };
  // What is of another version of the course is kept beside.
  for (const [key, record] of left) {
    let free = key;
    while (free in aligned) free += "~";
    aligned[free] = record;
  }
  return aligned;
}

/** How a lesson stands. */
export function stateOf(
  progress: Progress,
  lesson: LessonInfo,
  names: Map<number, string>,
): LessonState {
  // A copy: looking changes nothing.
  const own = lessonOf(structuredClone(progress), lesson, names);
  const tasks = new Map(
    [...own].map(([task, known]) => [task, { ...known, state: taskState(known) }] as const),
  );
  const passed = lesson.tasks.filter(({ task }) => isPassed(tasks.get(task)!.state));
  return {
    tasks,
    done: passed.length === lesson.tasks.length,
    started: [...tasks.values()].some(({ state }) => state !== "untried"),
    score: passed.reduce((sum, { points }) => sum + points, 0),
    maxScore: lesson.tasks.reduce((sum, { points }) => sum + points, 0),
  };
}

function taskState({ passedAt, last }: TaskProgress): TaskState {
  if (typeof passedAt === "string") return last?.status === "fail" ? "again" : "passed";
  return last ? "failed" : "untried";
}

/** Whether a task has passed at some time. */
export function isPassed(state: TaskState): boolean {
  return state === "passed" || state === "again";
}

/** The lesson to go on with: where the learner left off if that is not done, else the first that is not. */
export function lessonToDo(
  lessons: LessonInfo[],
  states: LessonState[],
  last: string | undefined,
): LessonInfo | undefined {
  const open = lessons.filter((_, i) => !states[i]!.done);
  return open.find(({ slug }) => lessonKey(slug) === last) ?? open[0];
}
