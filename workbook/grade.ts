/**
 * Grades one lesson of one folder: runs its suite and makes the result.
 *
 * @module
 */

import { type LessonInfo, type MistakeInfo, readMistakes } from "./course.ts";
import { type LessonResult, type TaskResult, taskResult, worst } from "./result.ts";
import { runSuite, startSuite, type SuiteReport, type SuiteRequest } from "./suite.ts";
import type { Lang } from "./text.ts";

/** What is to be graded, and in which language it is told. */
export interface GradeRequest extends Omit<SuiteRequest, "slug"> {
  lesson: LessonInfo;
  lang: Lang;
  /** Called for each task as soon as it is graded. */
  onTask?: (task: TaskResult) => void;
}

/**
 * Grades `request.lesson`. Never rejects because of what the learner's code or the suite does. Nothing is left of a
 * suite that was prepared, whatever comes of it.
 */
export async function grade(request: GradeRequest): Promise<LessonResult> {
  const { root, lesson, lang, onTask } = request;
  const { slug } = lesson;
  // What is slow begins first.
  await using prepared = request.prepared ?? startSuite({ ...request, slug });
  const mistakes = await readMistakes(root, slug);
  const report = await runSuite({ ...request, slug, prepared }, (task, soFar) => {
    const info = lesson.tasks.find((info) => info.task === task);
    if (info) onTask?.(taskResult(info, soFar, { mistakes, lang }));
  });
  const result = lessonResult(report, request, mistakes);
  // Tasks that the suite did not get to are told at the end.
  for (const task of result.tasks) if (!report.outputs.has(task.task)) onTask?.(task);
  return result;
}

/** The result of a lesson, from what its suite reported. */
export function lessonResult(
  report: SuiteReport,
  { lesson, target, seed, tasks, lang }: Pick<
    GradeRequest,
    "lesson" | "target" | "seed" | "tasks" | "lang"
  >,
  mistakes: Map<string, MistakeInfo>,
): LessonResult {
  const results = lesson.tasks
    .filter(({ task }) => !tasks || tasks.includes(task))
    .map((info) => taskResult(info, report, { mistakes, lang }));
  const sum = (key: "score" | "max_score") => results.reduce((sum, result) => sum + result[key], 0);
  return {
    version: 1,
    lesson: lesson.slug,
    title: lesson.title[lang],
    target: target.label,
    seed,
    status: report.trouble ? "error" : worst(results.map((result) => result.status)),
    score: sum("score"),
    max_score: sum("max_score"),
    duration_ms: report.durationMs,
    ...(report.trouble && { message: report.trouble[lang] }),
    tasks: results,
  };
}
