/**
 * Grades one submission: a folder laid out like `lessons/` that nobody has read.
 *
 * @module
 */

import { type LessonInfo, lessonSlugs, readLesson } from "../course.ts";
import { grade } from "../grade.ts";
import type { LessonResult } from "../result.ts";
import type { Lang } from "../text.ts";
import { takeIn } from "./intake.ts";
import {
  type ResultHead,
  type SandboxLevel,
  type SubmissionResult,
  submissionResult,
} from "./model.ts";
import { Place } from "./place.ts";
import { gradeOwn, readOwnSuites } from "./suites.ts";
import { courseVersion } from "./version.ts";

export type { SandboxLevel, SubmissionResult } from "./model.ts";
export { SANDBOX_LEVELS, zeroResult } from "./model.ts";
export { readOwnSuites, withOwnTasks } from "./suites.ts";

/** What is to be graded, and how. */
export interface SubmissionRequest {
  /** The workbook's folder, an absolute path. */
  root: string;
  /** The submission: an absolute path. */
  dir: string;
  /** What it is called in the result; its folder's name where none is given. */
  name?: string;
  /** Only these lessons; all of the course where none are given. */
  lessons?: LessonInfo[];
  seed: number;
  lang: Lang;
  /** A folder with a teacher's own suites, an absolute path. */
  suites?: string | undefined;
  /** The import map in force, or none where deno.json's imports serve. */
  importMap?: string | undefined;
  /** How the code is kept in; see {@linkcode bestSandbox}. */
  sandbox: SandboxLevel;
  /** How many tasks run at a time; one unless it is given. */
  tasksAtATime?: number;
  /** The version of the course, where the caller knows it already. */
  course?: string | undefined;
  /** Ends the grading; the lessons that are left then get status `error`. */
  signal?: AbortSignal | undefined;
  /** Called with each lesson's result as soon as there is one. */
  onLesson?: (result: LessonResult) => void;
}

/** All lessons of the course, in order. */
export async function courseLessons(root: string): Promise<LessonInfo[]> {
  return await Promise.all((await lessonSlugs(root)).map((slug) => readLesson(root, slug)));
}

/**
 * Grades a submission, lesson by lesson.
 *
 * Never rejects because of what the submission holds or does; rejects with a `CommandError` if there is no such folder.
 */
export async function gradeSubmission(request: SubmissionRequest): Promise<SubmissionResult> {
  const { root, dir, seed, lang, suites, importMap, sandbox, signal, onLesson } = request;
  const begin = performance.now();
  const lessons = request.lessons ?? await courseLessons(root);
  const { exercises, refused, ignored } = await takeIn(dir, lessons, await lessonSlugs(root));
  const head: ResultHead = {
    course: request.course ?? await courseVersion(root, suites),
    seed,
    submission: request.name ?? nameOf(dir),
    sandbox,
    ignored,
  };
  const own = suites === undefined ? undefined : await readOwnSuites(suites, lessons);
  const results: LessonResult[] = [];
  const place = await Place.create({ root, level: sandbox, importMap, suites });
  try {
    for (const lesson of lessons) {
      const folder = `${place.target}/${lesson.slug}`;
      await Deno.mkdir(folder);
      const exercise = exercises.get(lesson.slug);
      if (exercise) await Deno.writeFile(`${folder}/exercise.ts`, exercise);
      const setting = {
        root,
        lesson,
        target: { path: place.target, label: head.submission },
        seed,
        lang,
        importMap,
        place,
        signal,
        tasksAtATime: request.tasksAtATime,
      };
      const result = await gradeOwn(await grade(setting), { ...setting, suites: own });
      const why = refused.get(lesson.slug);
      if (why) result.message ??= why[lang];
      results.push(result);
      onLesson?.(result);
    }
  } finally {
    await place.remove();
  }
  return submissionResult(head, results, Math.round(performance.now() - begin));
}

function nameOf(dir: string): string {
  return dir.split(/[\\/]/).filter((part) => part !== "").at(-1) ?? dir;
}
