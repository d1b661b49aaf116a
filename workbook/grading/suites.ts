/**
 * A teacher's own suites, which students don't have: `NN_slug_test.ts` in the form of the course's, and beside it
 * `NN_slug.md` with a heading `## Task N: … (P points)` for each of its tasks.
 *
 * They are graded as further tasks of that lesson, numbered after the lesson's own.
 *
 * @module
 */

import { type LessonInfo, readMistakes, readReadme, readText } from "../course.ts";
import { CommandError } from "../errors.ts";
import { lessonResult } from "../grade.ts";
import { type LessonResult, worst } from "../result.ts";
import { runSuite, type SuiteRequest } from "../suite.ts";
import type { Lang, Text } from "../text.ts";

const SUITE_FILE = /^(\d\d_[a-z0-9_]+)_test\.ts$/;

/** Suites of one folder. */
export interface OwnSuites {
  folder: string;
  /** Their tasks with the numbers that the suites give them, by the lesson's folder name. */
  lessons: Map<string, LessonInfo>;
}

/** Reads what `folder` offers for `lessons`. Throws a {@linkcode CommandError} if it cannot be graded with. */
export async function readOwnSuites(folder: string, lessons: LessonInfo[]): Promise<OwnSuites> {
  const found = new Map<string, LessonInfo>();
  let suites = 0;
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      const slug = isFile ? SUITE_FILE.exec(name)?.[1] : undefined;
      if (slug === undefined) continue;
      suites++;
      const lesson = lessons.find((lesson) => lesson.slug === slug);
      if (lesson) found.set(slug, await readOwn(folder, lesson));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
      throw error;
    }
    throw new CommandError({
      en: `There is no folder "${folder}".`,
      ko: `"${folder}" 폴더가 없습니다.`,
    });
  }
  if (suites === 0) {
    throw new CommandError(
      {
        en: `There is no suite in "${folder}".`,
        ko: `"${folder}" 폴더에 채점 프로그램이 없습니다.`,
      },
      {
        en: "A suite is called like its lesson, for example 03_send_recv_test.ts.",
        ko: "파일 이름은 강의 폴더를 따릅니다. 예: 03_send_recv_test.ts",
      },
    );
  }
  return { folder, lessons: found };
}

async function readOwn(folder: string, lesson: LessonInfo): Promise<LessonInfo> {
  const [en, ko] = await Promise.all(
    [".md", ".ko.md"].map(async (ending) =>
      readReadme(await readText(`${folder}/${lesson.slug}${ending}`))
    ),
  ) as [ReturnType<typeof readReadme>, ReturnType<typeof readReadme>];
  if (en.tasks.length === 0) {
    throw new CommandError(
      {
        en: `"${lesson.slug}_test.ts" has no points: ${lesson.slug}.md beside it must give them.`,
        ko:
          `"${lesson.slug}_test.ts" 의 배점이 없습니다. 같은 폴더의 ${lesson.slug}.md 에 적어야 합니다.`,
      },
      {
        en: 'A line for each task: "## Task 1: Title (2 points)"',
        ko: '과제마다 한 줄: "## Task 1: Title (2 points)"',
      },
    );
  }
  return {
    ...lesson,
    tasks: en.tasks.map(({ task, title, points }) => ({
      task,
      points,
      title: { en: title, ko: ko.tasks.find((other) => other.task === task)?.title ?? title },
    })),
  };
}

/** The lessons with the tasks of the suites. */
export function withOwnTasks(lessons: LessonInfo[], suites: OwnSuites | undefined): LessonInfo[] {
  return lessons.map((lesson) => {
    const own = suites?.lessons.get(lesson.slug);
    if (!own) return lesson;
    const offset = lastTask(lesson);
    const more = own.tasks.map((info) => ({ ...info, task: info.task + offset }));
    return { ...lesson, tasks: [...lesson.tasks, ...more] };
  });
}

function lastTask({ tasks }: LessonInfo): number {
  return Math.max(0, ...tasks.map(({ task }) => task));
}

/** Adds to `result` what the suite of its lesson says, if there is one. */
export async function gradeOwn(
  result: LessonResult,
  { lesson, suites, lang, ...request }: Omit<SuiteRequest, "slug" | "suiteFile"> & {
    lesson: LessonInfo;
    suites: OwnSuites | undefined;
    lang: Lang;
  },
): Promise<LessonResult> {
  const own = suites?.lessons.get(lesson.slug);
  if (!own) return result;
  const { slug } = lesson;
  const suiteFile = `${suites!.folder}/${slug}_test.ts`;
  const report = await runSuite({ ...request, slug, suiteFile });
  const stray = report.plan.find(({ task }) => !own.tasks.some((info) => info.task === task));
  if (stray) report.trouble ??= noPoints(slug, stray.task);
  const more = lessonResult(
    report,
    { lesson: own, target: request.target, seed: request.seed, tasks: undefined, lang },
    await readMistakes(request.root, slug),
  );
  const offset = lastTask(lesson);
  const tasks = more.tasks.map((task) => ({
    ...task,
    task: task.task + offset,
    own: true as const,
    tests: task.tests.map((test) => ({
      ...test,
      name: test.name.replace(/^task (\d+)/, (_, number) => `task ${Number(number) + offset}`),
    })),
  }));
  const messages = [result.message, more.message].filter((message) => message !== undefined);
  return {
    ...result,
    status: worst([result.status, more.status]),
    score: result.score + more.score,
    max_score: result.max_score + more.max_score,
    duration_ms: result.duration_ms + more.duration_ms,
    ...(messages.length > 0 && { message: messages.join(" ") }),
    tasks: [...result.tasks, ...tasks],
  };
}

function noPoints(slug: string, task: number): Text {
  return {
    en: `The suite ${slug}_test.ts has tests of task ${task}, and ${slug}.md gives it no points.`,
    ko: `${slug}_test.ts 에는 과제 ${task} 의 테스트가 있지만 ${slug}.md 에 배점이 없습니다.`,
  };
}
