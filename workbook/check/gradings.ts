/**
 * Grades the submissions of a lesson and compares each verdict with what its first line announces.
 *
 * @module
 */

import type { LessonInfo, MistakeInfo } from "../course.ts";
import { lessonResult } from "../grade.ts";
import type { LessonResult } from "../result.ts";
import { runSuite, type SuiteReport } from "../suite.ts";
import type { Lang } from "../text.ts";
import { goldenText } from "./golden.ts";
import type { Submission } from "./submissions.ts";

/** One submission, graded. */
export interface Graded {
  submission: Submission;
  report: SuiteReport;
  result: LessonResult;
  /** What its author would be told, in each language. */
  texts: Record<Lang, string>;
}

/** What all gradings of a lesson share. */
export interface GradingSetting {
  root: string;
  lesson: LessonInfo;
  mistakes: Map<string, MistakeInfo>;
  importMap: string | undefined;
  seed: number;
  /** Grades no more of a wrong submission than the tasks it must fail, and one of the others. */
  brief?: boolean;
}

/** Grades one submission in a folder of its own. */
export async function gradeSubmission(
  submission: Submission,
  { root, lesson, mistakes, importMap, seed, brief = false }: GradingSetting,
): Promise<Graded> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_check_" });
  try {
    await Deno.mkdir(`${folder}/${lesson.slug}`);
    const exercise = `${folder}/${lesson.slug}/exercise.ts`;
    await Deno.writeTextFile(exercise, submission.source);
    const target = { path: folder, label: "lessons" };
    const tasks = brief && submission.kind === "wrong" ? someTasks(submission, lesson) : undefined;
    const report = await runSuite({ root, slug: lesson.slug, target, seed, tasks, importMap });
    const of = (lang: Lang) =>
      lessonResult(report, { lesson, target, seed, tasks, lang }, mistakes);
    const [en, ko] = [of("en"), of("ko")];
    return {
      submission,
      report,
      result: en,
      texts: {
        en: goldenText(en, { lang: "en", lesson: lesson.number, folder }),
        ko: goldenText(ko, { lang: "ko", lesson: lesson.number, folder }),
      },
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The tasks that a wrong submission must fail, and one of the others by chance. */
function someTasks({ fails }: Submission, { tasks }: LessonInfo): number[] {
  const others = tasks.map(({ task }) => task).filter((task) => !fails.includes(task));
  const other = others[Math.floor(Math.random() * others.length)];
  return [...fails, ...(other === undefined ? [] : [other])].sort((a, b) => a - b);
}

/** How the verdict differs from what the submission's first line announces, a sentence each. */
export function verdictProblems({ submission, result }: Graded): string[] {
  const problems: string[] = [];
  const { name, fails, mistake, kind } = submission;
  const say = (text: string) => problems.push(`${result.lesson} ${name}: ${text}`);
  if (result.status === "error") {
    const broken = result.tasks.flatMap((task) => task.tests).find((test) =>
      test.status === "error"
    );
    say(`status error: ${result.message ?? broken?.message}`);
  }
  for (const { task, status, tests } of result.tasks) {
    const wanted = fails.includes(task) ? "fail" : "pass";
    const failing = tests.filter((test) => test.status !== "pass");
    if (status !== wanted) {
      const why = failing[0] ? `: ${failing[0].name}: ${failing[0].message}` : "";
      say(`task ${task} must ${wanted}, and its status is ${status}${why}`);
    } else if (kind === "stub" && failing.some((test) => test.kind !== "missing")) {
      say(`task ${task} of the stub fails for another reason: ${failing[0]?.message}`);
    }
  }
  // One task tells it. Others fail because they call the same function, and may see another mistake in that.
  const told = result.tasks.flatMap(({ tests }) => tests.flatMap((test) => test.mistake ?? []));
  if (mistake && !told.includes(mistake)) {
    say(`a task must tell ${mistake}, and they tell ${told.join(", ") || "no mistake"}`);
  }
  return problems;
}

/** The verdict in one line: what may never differ between two runs. */
export function verdictLine({ result }: Graded): string {
  const tasks = result.tasks.map(({ task, status, tests }) => {
    const told = tests.flatMap((test) =>
      test.status === "pass" ? [] : test.mistake ?? test.kind ?? ""
    );
    return `${task} ${status}${told.length > 0 ? ` ${told.join("+")}` : ""}`;
  });
  return `${result.status}: ${tasks.join("; ")}`;
}
