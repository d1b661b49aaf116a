/**
 * `deno task lessonN`: grades one lesson and says what to do next.
 *
 * @module
 */

import { findSlug, type LessonInfo, readLesson } from "../course.ts";
import { CommandError } from "../errors.ts";
import { grade, type GradeRequest } from "../grade.ts";
import { ProgressStore } from "../progress.ts";
import { SUITE_ENV } from "../records.ts";
import { drawSeed, startSuite, TASKS_FOR_ONE } from "../suite.ts";
import { ProgressLine, type Screen, standardScreen } from "../terminal.ts";
import { typeErrors, viewTypeErrors } from "../type_errors.ts";
import { viewHead, viewProgress, viewSummary, viewTask } from "../view.ts";
import { readOptions, userPath, wholeNumber } from "./options.ts";
import { watch } from "./watch.ts";

const STATUS = { pass: 0, fail: 1, error: 2 };
/** What a shell expects of a program that Ctrl-C ended: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

/** What is graded, and how it is told. */
interface Job extends GradeRequest {
  signal: AbortSignal;
  asJson: boolean;
  screen: Screen;
}

/** Grades a lesson. Exit status 0 if every graded task passed, 1 if not, 2 if the command or the machine is at fault. */
export async function lessonCommand(args: string[], root: string): Promise<number> {
  const options = readOptions(args, {
    flags: ["solution", "json", "watch"],
    values: ["target", "seed"],
    lists: ["task"],
  });
  const { values, flags } = options;
  const [number, ...more] = options.rest;
  if (more.length > 0) {
    throw new CommandError(
      {
        en: `There is nothing to do with "${more[0]}".`,
        ko: `알 수 없는 인자입니다: "${more[0]}"`,
      },
      { en: "Tasks are chosen with --task K.", ko: "과제는 --task K 로 고릅니다." },
    );
  }
  const slug = await findSlug(root, wholeNumber(number, "lesson", 1));
  const target = await findTarget(root, values.get("target"), flags.has("solution"));
  const given = options.lists.get("task")!.map((text) => wholeNumber(text, "--task", 1));
  const tasks = given.length > 0 ? given : undefined;
  const seed = values.has("seed") ? wholeNumber(values.get("seed"), "--seed", 0) : undefined;
  const [asJson, watches] = [flags.has("json"), flags.has("watch")];
  if (asJson && watches) {
    throw new CommandError({
      en: "Give either --watch or --json, not both.",
      ko: "--watch 와 --json 은 함께 쓸 수 없습니다.",
    });
  }
  const { lang } = options;
  const job = { root, target, tasks, seed, lang };
  if (watches) return await watch({ ...job, lesson: await lessonWith(root, slug, tasks) });
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  Deno.addSignalListener("SIGINT", onSignal);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", onSignal);
  const request = {
    ...job,
    slug,
    seed: seed ?? drawSeed(),
    importMap: Deno.env.get(SUITE_ENV.importMap),
    tasksAtATime: TASKS_FOR_ONE,
    signal: interrupt.signal,
  };
  // While it starts, the lesson is read.
  await using prepared = startSuite(request);
  const lesson = await lessonWith(root, slug, tasks);
  return await gradeOnce({ ...request, lesson, prepared, asJson, screen: standardScreen() });
}

async function gradeOnce(job: Job): Promise<number> {
  const { root, lesson, target, tasks, asJson, lang, screen, importMap, signal } = job;
  const view = { screen, lang, lesson: lesson.number, told: new Set<string>() };
  const exercise = `${target.path}/${lesson.slug}/exercise.ts`;
  const label = `${target.label}/${lesson.slug}/exercise.ts`;
  if (!asJson) console.log(viewHead({ title: lesson.title[lang], file: label }, view));
  const graded = lesson.tasks.map(({ task }) => task).filter((task) =>
    tasks?.includes(task) ?? true
  );
  const progress = new ProgressLine(screen);
  const showNext = () => {
    const next = graded.shift();
    if (next !== undefined && !asJson) progress.show(viewProgress(next, lang));
  };
  showNext();
  const result = await grade({
    ...job,
    onTask: (task) => {
      if (asJson || signal.aborted) return;
      progress.clear();
      console.log(viewTask(task, view));
      showNext();
    },
  });
  progress.clear();
  if (signal.aborted) return INTERRUPTED;
  console.log(asJson ? JSON.stringify(result, null, 2) : viewSummary(result, view));
  if (target.path === `${root}/lessons` && result.status !== "error") {
    const store = new ProgressStore(root, (text) => console.error(text[lang]));
    await store.record(lesson, result);
  }
  // The verdict does not wait for the compiler, which takes longer than the grading.
  const found = await typeErrors({ root, exercise, label, importMap, signal });
  const report = viewTypeErrors(found, view);
  if (report) (asJson ? console.error : console.log)(report);
  return signal.aborted ? INTERRUPTED : STATUS[result.status];
}

/** Reads the lesson, which has to have these tasks. */
async function lessonWith(
  root: string,
  slug: string,
  tasks: number[] = [],
): Promise<LessonInfo> {
  const lesson = await readLesson(root, slug);
  for (const task of tasks) {
    if (lesson.tasks.some((info) => info.task === task)) continue;
    const known = lesson.tasks.map((info) => info.task).join(", ");
    throw new CommandError(
      {
        en: `Lesson ${lesson.number} has no task ${task}.`,
        ko: `${lesson.number}강에는 과제 ${task}번이 없습니다.`,
      },
      { en: `Tasks: ${known}`, ko: `과제: ${known}` },
    );
  }
  return lesson;
}

/** The folder to grade: the learner's, the model's, or one that the user names. */
async function findTarget(
  root: string,
  given: string | undefined,
  solution: boolean,
): Promise<{ path: string; label: string }> {
  if (given !== undefined && solution) {
    throw new CommandError({
      en: "Give either --solution or --target, not both.",
      ko: "--solution 과 --target 은 함께 쓸 수 없습니다.",
    });
  }
  if (given === undefined) {
    const label = solution ? "solutions" : "lessons";
    return { path: `${root}/${label}`, label };
  }
  const path = userPath(given);
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info?.isDirectory) {
    throw new CommandError(
      { en: `There is no folder "${given}".`, ko: `"${given}" 폴더가 없습니다.` },
      {
        en: "--target takes a folder laid out like lessons/.",
        ko: "--target 에는 lessons/ 와 같은 구조의 폴더를 지정합니다.",
      },
    );
  }
  return { path, label: given.replace(/\/+$/, "") };
}
