/**
 * `deno task lessonN`: grades one lesson and says what to do next.
 *
 * @module
 */

import { findLesson } from "../course.ts";
import { CommandError } from "../errors.ts";
import { grade } from "../grade.ts";
import { SUITE_ENV } from "../records.ts";
import { standardScreen } from "../terminal.ts";
import { typeErrors, viewTypeErrors } from "../type_errors.ts";
import { viewHead, viewSummary, viewTask } from "../view.ts";
import { readOptions, userPath, wholeNumber } from "./options.ts";

const STATUS = { pass: 0, fail: 1, error: 2 };

/** Grades a lesson. Exit status 0 if every graded task passed, 1 if not, 2 if the command or the machine is at fault. */
export async function lessonCommand(args: string[], root: string): Promise<number> {
  const options = readOptions(args, {
    flags: ["solution", "json"],
    values: ["target", "seed"],
    lists: ["task"],
  });
  const { lang, values, flags } = options;
  const [number, ...more] = options.rest;
  if (more.length > 0) {
    throw new CommandError(
      {
        en: `There is nothing to do with "${more[0]}".`,
        ko: `"${more[0]}" 은(는) 쓸 수 없습니다.`,
      },
      { en: "Tasks are chosen with --task K.", ko: "과제는 --task K 로 고릅니다." },
    );
  }
  const lesson = await findLesson(root, wholeNumber(number, "lesson", 1));
  const tasks = options.lists.get("task")!.map((text) => wholeNumber(text, "--task", 1));
  for (const task of tasks) {
    if (lesson.tasks.some((info) => info.task === task)) continue;
    const known = lesson.tasks.map((info) => info.task).join(", ");
    throw new CommandError(
      {
        en: `Lesson ${lesson.number} has no task ${task}.`,
        ko: `${lesson.number}강에는 과제 ${task} 이(가) 없습니다.`,
      },
      { en: `Tasks: ${known}`, ko: `과제: ${known}` },
    );
  }
  const target = await findTarget(root, values.get("target"), flags.has("solution"));
  const seed = values.has("seed")
    ? wholeNumber(values.get("seed"), "--seed", 0)
    : crypto.getRandomValues(new Uint32Array(1))[0]!;
  const importMap = Deno.env.get(SUITE_ENV.importMap);
  const screen = standardScreen();
  const view = { screen, lang, lesson: lesson.number };
  const asJson = flags.has("json");
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  Deno.addSignalListener("SIGINT", onSignal);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", onSignal);

  const exercise = `${target.path}/${lesson.slug}/exercise.ts`;
  const label = `${target.label}/${lesson.slug}/exercise.ts`;
  if (!asJson) console.log(viewHead({ title: lesson.title[lang], file: label }, view));
  const result = await grade({
    root,
    lesson,
    target,
    seed,
    lang,
    importMap,
    tasks: tasks.length > 0 ? tasks : undefined,
    signal: interrupt.signal,
    onTask: (task) => asJson || console.log(viewTask(task, view)),
  });
  if (interrupt.signal.aborted) return 130;
  console.log(asJson ? JSON.stringify(result, null, 2) : viewSummary(result, view));
  // The verdict does not wait for the compiler, which takes longer than the grading.
  const found = await typeErrors({ root, exercise, label, importMap, signal: interrupt.signal });
  const report = viewTypeErrors(found, view);
  if (report) (asJson ? console.error : console.log)(report);
  return STATUS[result.status];
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
