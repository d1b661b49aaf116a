/**
 * The exercise that is graded, and its processes: one for each runner of tests, which a failed test takes with it.
 *
 * @module
 */

import { SUITE_ENV } from "../../workbook/records.ts";
import { Child, sendSignal, spawnChild } from "./child.ts";
import { type ExerciseFile, notLoaded } from "./explain.ts";
import { filesOf } from "./kernel.ts";
import { report } from "./report.ts";

/** A process of the learner's with its exercise being loaded. */
export interface Loaded {
  child: Child;
  /** The exports, or the failure that loading met. */
  exports: Promise<{ name: string; type: string }[]>;
  /** How many sockets it held when its last test had ended, if nothing was left of that. */
  sockets?: number;
}

/** The folder of the exercise, and its file. */
export const dir = Deno.env.get(SUITE_ENV.exercise) ?? lessonDirOf(Deno.mainModule);
export const path = `${dir}/exercise.ts`;

/**
 * How many tasks run at a time, but for one more where tests wait. In disorder, or started by hand, it is one test after
 * the other.
 */
export const TASKS_AT_A_TIME = Number(Deno.env.get(SUITE_ENV.tasksAtATime) ?? 1);

/** How many processes a suite that waits starts beside one for each runner: for tests after those that fail. */
const READY_MORE = 3;
const ready: Child[] = [];
/** Those that were started early, and that nobody has taken yet. */
const early: Deno.ChildProcess[] = [];

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
export async function endWithRunner(): Promise<void> {
  if (!Deno.env.has(SUITE_ENV.held)) return;
  await untilSaved();
  const some = new Uint8Array(64);
  while (await Deno.stdin.read(some) !== null);
  Deno.exit(1);
}

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

/**
 * Where the learner's processes may read besides their own folder. It is made by a suite that has something to be
 * read: what a process may read is settled when it starts, and that may be before.
 */
const readable = `${temporaryFolder()}/workbook_site_${crypto.randomUUID()}`;
let isReadableMade = false;
/** Whether the exercises of this suite have to do without the runtime's own servers and clients. */
let rawOnly = false;

function temporaryFolder(): string {
  const names = Deno.build.os === "windows" ? ["TMP", "TEMP", "USERPROFILE"] : ["TMPDIR"];
  const folder = names.map((name) => Deno.env.get(name)).find((value) => value) ?? "/tmp";
  try {
    return Deno.realPathSync(folder);
  } catch {
    // Only a suite that has something to be read there needs it.
    return folder;
  }
}

/** Makes the folder in which the learner's processes may read, for this user alone. Whoever asked for it removes it. */
export function makeReadableFolder(): string {
  Deno.mkdirSync(readable, { mode: 0o700 });
  isReadableMade = true;
  return readable;
}

/** Whether process `pid` holds files open where an exercise may read, as far as the system tells. */
export function hasOpenFiles(pid: number): boolean {
  return isReadableMade && filesOf(pid, readable).length > 0;
}

/**
 * Takes Deno's servers and `fetch()` from the learner's processes: a call of them is told, and throws. To be said
 * before the first test is declared.
 */
export function rawSocketsOnly(): void {
  rawOnly = true;
}

function spawn(): Deno.ChildProcess {
  const process = spawnChild(dir, [readable]);
  report({ record: "child", pid: process.pid });
  return process;
}

function startChild(): Child {
  const process = early.shift() ?? spawn();
  const child = new Child(process);
  child.ended.then(() => report({ record: "reaped", pid: child.pid }));
  return child;
}

/**
 * Starts the first processes before the suite's own file is there to say what they do. Not for a suite that waits: its
 * tests begin long after it.
 */
export function startEarly(): void {
  for (let i = 0; i < TASKS_AT_A_TIME && file.exists && !waits; i++) early.push(spawn());
}

addEventListener("unload", () => {
  for (const process of early) sendSignal(process, "SIGKILL");
});

function start(): Loaded {
  const child = ready.shift() ?? startChild();
  const url = new URL(`file://${path.split("/").map(encodeURIComponent).join("/")}`).href;
  const exports = child.ready.then(() => child.order({ op: "load", url, rawOnly }))
    .then((answer) => {
      if (!answer.ok) throw notLoaded(answer.error, file);
      return "exports" in answer ? answer.exports : [];
    });
  exports.catch(() => {});
  return { child, exports };
}

/** The processes of a suite's runners. */
export class Processes {
  readonly #spares: Loaded[] = [];
  /** By runner: its process, and further ones that the tests of its task asked for. */
  readonly #own = new Map<number, Loaded>();
  readonly #others = new Map<number, Loaded[]>();
  #begun = false;

  /** Starts a process for each runner, if there is an exercise; more, which wait, if it is still to be saved. */
  begin(): void {
    if (this.#begun || !(file.exists || waits)) return;
    this.#begun = true;
    for (let i = 0; i < TASKS_AT_A_TIME + READY_MORE && waits; i++) ready.push(startChild());
    for (let i = 0; i < TASKS_AT_A_TIME && !waits; i++) this.#spares.push(start());
  }

  /** Whether `runner` has a process that lives. */
  has(runner: number): boolean {
    return this.#living(runner) !== undefined;
  }

  #living(runner: number): Loaded | undefined {
    const own = this.#own.get(runner);
    return own?.child.end ? undefined : own;
  }

  /** The process of `runner`, a fresh one if the last is gone. */
  take(runner: number): Loaded {
    const own = this.#living(runner);
    if (own) return own;
    const loaded = this.#spares.shift() ?? start();
    this.#own.set(runner, loaded);
    return loaded;
  }

  /** Further process number `index` of `runner`, a fresh one if the last has ended. */
  takeOther(runner: number, index: number): Loaded {
    const others = this.#others.get(runner) ?? [];
    this.#others.set(runner, others);
    const other = others[index];
    if (other && !other.child.end) return other;
    return others[index] = start();
  }

  /** The processes of `runner`, its own one first. */
  of(runner: number): Child[] {
    const own = this.#own.get(runner);
    return [...(own ? [own] : []), ...this.#others.get(runner) ?? []].map(({ child }) => child);
  }

  /** Ends the processes of `runner`, and gives what they have printed. Where `more` tests follow, the next one is started. */
  async drop(runner: number, { more }: { more: boolean }): Promise<string> {
    if (more) this.#spares.push(start());
    const children = this.of(runner);
    this.#own.delete(runner);
    this.#others.delete(runner);
    return await killed(children);
  }

  /** Ends the further processes of `runner`. */
  async dropOthers(runner: number): Promise<void> {
    const others = this.#others.get(runner) ?? [];
    this.#others.delete(runner);
    await killed(others.map(({ child }) => child));
  }

  /** Ends all processes. */
  async end(): Promise<void> {
    const loaded = [...this.#spares, ...this.#own.values(), ...[...this.#others.values()].flat()];
    await killed([...loaded.map(({ child }) => child), ...ready.splice(0)]);
  }
}

async function killed(children: Child[]): Promise<string> {
  await Promise.all(children.map((child) => child.kill()));
  return children.map((child) => child.output).join("");
}
