/**
 * The exercise that is graded, and its processes: one per task, the next one started while a task runs.
 *
 * @module
 */

import { SUITE_ENV } from "../../workbook/records.ts";
import { Child } from "./child.ts";
import { type ExerciseFile, notLoaded } from "./explain.ts";
import { report } from "./report.ts";

/** A process of the learner's with its exercise being loaded. */
export interface Loaded {
  child: Child;
  /** The exports, or the failure that loading met. */
  exports: Promise<{ name: string; type: string }[]>;
}

/** The folder of the exercise, and its file. */
export const dir = Deno.env.get(SUITE_ENV.exercise) ?? lessonDirOf(Deno.mainModule);
export const path = `${dir}/exercise.ts`;

/** How many processes are started ahead of time by a suite that waits: as many as most lessons have tasks. */
const READY = 6;
const ready: Child[] = [];

/** Started before the save that it is to grade, the suite waits for it with processes that are ready. */
const waits = Deno.env.get(SUITE_ENV.waits) !== undefined;
let saved: Promise<void> | undefined;

/** The exercise file, as it is when the grading begins. */
export let file: ExerciseFile & { exists: boolean } = readExercise();

/** Settles when there is something to grade: at once, unless the suite was started before the save. */
export function untilSaved(): Promise<void> {
  return saved ??= waits ? waitForSave() : Promise.resolve();
}

async function waitForSave(): Promise<void> {
  const word = await Deno.stdin.read(new Uint8Array(8));
  if (word === null) throw new Error("The runner has gone: nothing is to be graded");
  file = readExercise();
}

/** Ends the suite as soon as its runner has gone, however that came: nobody is left to hear a verdict. */
async function endWithRunner(): Promise<void> {
  await untilSaved();
  const some = new Uint8Array(64);
  while (await Deno.stdin.read(some) !== null);
  Deno.exit(1);
}

if (Deno.env.get(SUITE_ENV.held) !== undefined) endWithRunner();

/** For a suite that is run by hand: the learner's own folder of the lesson. */
function lessonDirOf(suite: string): string {
  const slug = /([^/]+)_test\.ts$/.exec(suite)?.[1] ?? "";
  return decodeURIComponent(new URL(`../../lessons/${slug}`, import.meta.url).pathname);
}

function readExercise(): ExerciseFile & { exists: boolean } {
  const label = Deno.env.get(SUITE_ENV.label) ?? path.split("/").slice(-3).join("/");
  try {
    // A pipe or a device in its place would be read for ever.
    if (!Deno.statSync(path).isFile) return { label, source: "", exists: false };
    return { label, source: Deno.readTextFileSync(path), exists: true };
  } catch {
    return { label, source: "", exists: false };
  }
}

/** What the exercises of this suite may do beyond the loopback network. */
const grants = { readable: [] as string[], rawOnly: false };

/** Lets the learner's processes read in `folder`. To be said before the first test is declared. */
export function permitReading(folder: string): void {
  grants.readable.push(folder);
}

/**
 * Takes Deno's servers and `fetch()` from the learner's processes: a call of them is told, and throws. To be said
 * before the first test is declared.
 */
export function rawSocketsOnly(): void {
  grants.rawOnly = true;
}

function startChild(): Child {
  const child = new Child(dir, grants.readable);
  report({ record: "child", pid: child.pid });
  child.ended.then(() => report({ record: "reaped", pid: child.pid }));
  return child;
}

function start(): Loaded {
  const child = ready.shift() ?? startChild();
  const url = new URL(`file://${path.split("/").map(encodeURIComponent).join("/")}`).href;
  const exports = child.ready.then(() => child.order({ op: "load", url, rawOnly: grants.rawOnly }))
    .then((answer) => {
      if (!answer.ok) throw notLoaded(answer.error, file);
      return "exports" in answer ? answer.exports : [];
    });
  exports.catch(() => {});
  return { child, exports };
}

/** The processes of a suite's tasks. */
export class Processes {
  #spare: Loaded | undefined;
  #begun = false;
  /** By task: its process, and further ones that its tests asked for. */
  #own = new Map<number, Loaded>();
  #others = new Map<number, Loaded[]>();

  /** Starts the first process, if there is an exercise; those that wait for one, if it is still to be saved. */
  begin(): void {
    if (this.#begun || !(file.exists || waits)) return;
    this.#begun = true;
    if (waits) { for (let i = 0; i < READY; i++) ready.push(startChild()); }
    else this.#spare = start();
  }

  /** The tasks whose processes are at work. */
  get tasks(): number[] {
    return [...this.#own.keys()];
  }

  /** The process of `task`, a fresh one if the last has ended. The spare for the next is started. */
  take(task: number, { isLast }: { isLast: boolean }): Loaded {
    const own = this.#own.get(task);
    if (own && !own.child.end) return own;
    const loaded = this.#spare ?? start();
    this.#own.set(task, loaded);
    this.#spare = isLast ? undefined : start();
    return loaded;
  }

  /** Further process number `index` of `task`, a fresh one if the last has ended. */
  takeOther(task: number, index: number): Loaded {
    const others = this.#others.get(task) ?? [];
    this.#others.set(task, others);
    const other = others[index];
    if (other && !other.child.end) return other;
    return others[index] = start();
  }

  /** Gives up the processes of `task`, for the caller to end. */
  release(task: number): Child[] {
    const own = this.#own.get(task);
    const all = [...(own ? [own] : []), ...this.#others.get(task) ?? []];
    this.#own.delete(task);
    this.#others.delete(task);
    return all.map(({ child }) => child);
  }

  /** Ends all processes. */
  async end(): Promise<void> {
    const left = [...this.tasks.flatMap((task) => this.release(task)), ...ready.splice(0)];
    await Promise.all([this.#spare?.child, ...left].map((child) => child?.kill()));
  }
}
