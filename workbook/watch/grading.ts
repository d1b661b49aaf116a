/**
 * The gradings of one exercise, one at a time: a new one ends the one in progress.
 *
 * @module
 */

import type { LessonInfo } from "../course.ts";
import { grade } from "../grade.ts";
import type { LessonResult, TaskResult } from "../result.ts";
import { drawSeed, type PreparedSuite, prepareSuite, TASKS_FOR_ONE } from "../suite.ts";
import type { Lang } from "../text.ts";
import { type TypeErrors, typeErrors } from "../type_errors.ts";

/** What is graded. */
export interface Subject {
  root: string;
  lesson: LessonInfo;
  target: { path: string; label: string };
  tasks: number[] | undefined;
  seed: number | undefined;
  lang: Lang;
  importMap: string | undefined;
}

/** What is told of a grading, in this order. Nothing is told of one that was ended. */
export interface Listener {
  begun(): void;
  taskGraded(task: TaskResult): void;
  graded(result: LessonResult): void;
  /** The verdict does not wait for the compiler, which takes longer than the grading. */
  checked(found: TypeErrors): void;
  /** Something went wrong that is no verdict: the lesson's folder has gone. */
  failed(error: unknown): void;
}

/** Grades an exercise again and again. */
export class Grader {
  readonly #subject: Subject;
  readonly #listener: Listener;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** Counts what was asked for: only the last one is begun. */
  #asked = 0;
  #closed = false;
  /** The suite of the next grading, which waits already, and what it was made for. */
  #prepared: { suite: PreparedSuite; seed: number; madeFor: string } | undefined;

  constructor(subject: Subject, listener: Listener) {
    this.#subject = subject;
    this.#listener = listener;
  }

  /** Grades the exercise as it is now. */
  async start(): Promise<void> {
    if (this.#closed) return;
    const mine = ++this.#asked;
    this.#stop.abort();
    await this.#running;
    if (mine !== this.#asked || this.#closed) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#running = this.#grade(stop.signal).catch((error) => {
      if (!stop.signal.aborted) this.#listener.failed(error);
    });
  }

  /** Ends what goes on. Resolves when nothing of it is left. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    await this.#running;
    await this.#prepared?.suite.discard();
  }

  /** Starts the next suite ahead of time: the save that it grades then waits for the exercise's own work alone. */
  #prepare(): void {
    if (this.#prepared || this.#closed) return;
    const madeFor = this.#circumstances();
    if (!madeFor) return;
    try {
      const seed = this.#subject.seed ?? drawSeed();
      const request = {
        ...this.#subject,
        slug: this.#subject.lesson.slug,
        seed,
        tasksAtATime: TASKS_FOR_ONE,
        ownGroup: true,
      };
      this.#prepared = { suite: prepareSuite(request), seed, madeFor };
    } catch {
      // The machine has no room for it now: it is started when it is needed.
    }
  }

  /** The suite that waits, if nothing but the exercise's files has changed since it was started. */
  async #takePrepared(): Promise<{ suite: PreparedSuite; seed: number } | undefined> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (!prepared) return undefined;
    if (!prepared.suite.hasEnded && prepared.madeFor === this.#circumstances()) return prepared;
    await prepared.suite.discard();
    return undefined;
  }

  /** Which folder, which suite; empty if one is missing. */
  #circumstances(): string {
    const { root, lesson, target } = this.#subject;
    try {
      const folder = Deno.statSync(`${target.path}/${lesson.slug}`);
      const suite = Deno.statSync(`${root}/tests/${lesson.slug}_test.ts`);
      return `${folder.dev} ${folder.ino} ${suite.ino} ${suite.mtime?.getTime()}`;
    } catch {
      return "";
    }
  }

  async #grade(signal: AbortSignal): Promise<void> {
    const { root, lesson, target, tasks, lang, importMap } = this.#subject;
    this.#listener.begun();
    const taken = await this.#takePrepared();
    const seed = taken?.seed ?? this.#subject.seed ?? drawSeed();
    const result = await grade({
      root,
      lesson,
      target,
      seed,
      lang,
      importMap,
      tasks,
      tasksAtATime: TASKS_FOR_ONE,
      signal,
      ownGroup: true,
      prepared: taken?.suite,
      onTask: (task) => {
        if (!signal.aborted) this.#listener.taskGraded(task);
      },
    });
    if (signal.aborted) return;
    this.#listener.graded(result);
    const found = await typeErrors({
      root,
      exercise: `${target.path}/${lesson.slug}/exercise.ts`,
      label: `${target.label}/${lesson.slug}/exercise.ts`,
      importMap,
      signal,
    });
    if (signal.aborted) return;
    this.#listener.checked(found);
    this.#prepare();
  }
}
