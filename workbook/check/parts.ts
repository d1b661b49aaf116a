/**
 * Holds a lesson's three keys together: every folder, task and mistake has all its parts in both languages.
 *
 * @module
 */

import {
  inLang,
  type LessonInfo,
  readHints,
  readMistakeFile,
  readReadme,
  readText,
} from "../course.ts";
import { isUntouched, stubOf, stubPath } from "../stub.ts";
import type { PlannedTest } from "../records.ts";
import { LANGUAGES } from "../text.ts";
import { names, type Submission } from "./submissions.ts";

const LESSON_FILES = ["README.md", "hints.md", "mistakes.md"].flatMap((name) =>
  LANGUAGES.map((lang) => inLang(name, lang))
).concat("exercise.ts");
const LEAST_RIGHT = 3;
const LEAST_HINTS = 2;

/** Holds the copy of a lesson's stub, from which learners get theirs back, equal to the stub. */
export async function stubProblems(
  root: string,
  { slug, tasks }: LessonInfo,
  update: boolean,
): Promise<string[]> {
  const exercise = await readText(`${root}/lessons/${slug}/exercise.ts`);
  // What somebody has written into is no stub any more.
  if (!isUntouched(exercise, tasks.map(({ task }) => task))) return [];
  if (exercise === await stubOf(root, slug)) return [];
  if (!update) return [`${stubPath(slug)} is not lessons/${slug}/exercise.ts: --update writes it`];
  await Deno.mkdir(`${root}/tests/stubs`, { recursive: true });
  await Deno.writeTextFile(`${root}/${stubPath(slug)}`, exercise);
  return [];
}

/** What is missing, stray or at odds in one lesson, a sentence each. */
export async function partProblems(
  root: string,
  { slug, number, tasks }: LessonInfo,
  submissions: Submission[],
): Promise<string[]> {
  const problems: string[] = [];
  const folder = `lessons/${slug}`;
  const text = (name: string) => readText(`${root}/${folder}/${name}`);

  const present = await names(`${root}/${folder}`);
  for (const name of LESSON_FILES) {
    if (!present.includes(name)) problems.push(`${folder}/${name} is missing`);
  }
  const readmeText = await text("README.md");
  for (const name of present) {
    // Whatever else lies here is told of in the lesson's text.
    if (!LESSON_FILES.includes(name) && !readmeText.includes(name)) {
      problems.push(`${folder}/${name} is stray`);
    }
  }
  for (const path of [`solutions/${slug}/exercise.ts`, `tests/${slug}_test.ts`]) {
    if (!(await readText(`${root}/${path}`))) problems.push(`${path} is missing`);
  }

  const numbers = tasks.map(({ task }) => task);
  if (numbers.length === 0) problems.push(`${folder}/README.md has no "## Task N: … (P points)"`);
  if (numbers.some((task, i) => task !== i + 1)) {
    problems.push(`${folder}/README.md numbers its tasks ${numbers.join(", ")}`);
  }
  for (const lang of LANGUAGES) {
    const readme = inLang("README.md", lang);
    const here = readReadme(await text(readme));
    if (!here.title) problems.push(`${folder}/${readme} has no title`);
    const key = (list: { task: number; points: number }[]) =>
      list.map(({ task, points }) => `${task}:${points}`).join(" ");
    if (key(here.tasks) !== key(tasks)) {
      problems.push(`${folder}/${readme} has other tasks or points than README.md`);
    }
    const hintsFile = inLang("hints.md", lang);
    const hints = readHints(await text(hintsFile));
    for (const task of numbers) {
      if ((hints.get(task)?.length ?? 0) < LEAST_HINTS) {
        problems.push(
          `${folder}/${hintsFile} has fewer than ${LEAST_HINTS} hints for task ${task}`,
        );
      }
    }
    for (const task of hints.keys()) {
      if (!numbers.includes(task)) problems.push(`${folder}/${hintsFile}: task ${task} is stray`);
    }
  }
  const counts = await Promise.all(LANGUAGES.map(async (lang) => {
    const hints = readHints(await text(inLang("hints.md", lang)));
    return [...hints].map(([task, list]) => `${task}:${list.length}`).join(" ");
  }));
  if (new Set(counts).size > 1) {
    problems.push(`${folder}: hints differ in number between languages`);
  }

  const stub = submissions.find(({ kind }) => kind === "stub")!;
  for (const task of numbers) {
    if (!stub.source.includes(`TODO(task ${task})`)) {
      problems.push(`${folder}/exercise.ts has no TODO(task ${task})`);
    }
  }
  for (const { name, trouble } of submissions) {
    if (trouble) problems.push(`tests/${name} (${slug}): ${trouble}`);
  }
  const right = submissions.filter(({ kind }) => kind === "right").length;
  if (right < LEAST_RIGHT) {
    problems.push(`tests/right/${slug} has ${right} submissions, fewer than ${LEAST_RIGHT}`);
  }
  const settings = await readText(`${root}/deno.json`);
  if (!settings.includes(`"lesson${number}"`)) {
    problems.push(`deno.json has no task lesson${number}`);
  }
  return [...problems, ...await mistakeProblems(root, slug, submissions)];
}

async function mistakeProblems(
  root: string,
  slug: string,
  submissions: Submission[],
): Promise<string[]> {
  const problems: string[] = [];
  const ids = await Promise.all(LANGUAGES.map(async (lang) => {
    const file = inLang("mistakes.md", lang);
    const mistakes = readMistakeFile(await readText(`${root}/lessons/${slug}/${file}`));
    for (const [id, { line }] of mistakes) {
      if (!line) problems.push(`lessons/${slug}/${file}: ${id} has no line on it`);
    }
    return [...mistakes.keys()];
  })) as [string[], string[]];
  if (ids[0].join(" ") !== ids[1].join(" ")) {
    problems.push(`lessons/${slug}: mistakes.md and mistakes.ko.md name different mistakes`);
  }
  for (const id of ids[0]) {
    if (!submissions.some(({ mistake }) => mistake === id)) {
      problems.push(`lessons/${slug}/mistakes.md: no wrong submission shows ${id}`);
    }
  }
  for (const { name, mistake } of submissions) {
    if (mistake && !ids[0].includes(mistake)) {
      problems.push(`tests/${name} (${slug}): mistakes.md does not name ${mistake}`);
    }
  }
  return problems;
}

/** What is at odds between a suite and its lesson. `known` are the ids of all mistakes of the course. */
export function planProblems(
  { slug, tasks }: LessonInfo,
  plan: PlannedTest[],
  { own, known }: { own: string[]; known: string[] },
): string[] {
  const problems: string[] = [];
  for (const { task } of tasks) {
    if (!plan.some((test) => test.task === task)) {
      problems.push(`tests/${slug}_test.ts has no test of task ${task}`);
    }
  }
  for (const { task, name, catches } of plan) {
    if (!tasks.some((info) => info.task === task)) {
      problems.push(`tests/${slug}_test.ts: task ${task} is not in the README`);
    }
    for (const id of catches) {
      if (!known.includes(id)) {
        problems.push(
          `tests/${slug}_test.ts: "${name.en}" tells ${id}, which no mistakes.md names`,
        );
      }
    }
  }
  for (const id of own) {
    if (!plan.some(({ catches }) => catches.includes(id))) {
      problems.push(`tests/${slug}_test.ts: no test tells ${id}`);
    }
  }
  return problems;
}

/** Files and folders under `tests/` and `solutions/` that belong to no lesson. */
export async function strayProblems(root: string, slugs: string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const parent of ["solutions", "tests/wrong", "tests/right", "tests/misbehaving"]) {
    for await (const entry of readDirIfAny(`${root}/${parent}`)) {
      if (!slugs.includes(entry.name)) {
        problems.push(`${parent}/${entry.name} belongs to no lesson`);
      }
    }
  }
  for (const name of await names(`${root}/tests/stubs`)) {
    if (!slugs.includes(name.replace(/\.ts$/, ""))) {
      problems.push(`tests/stubs/${name} belongs to no lesson`);
    }
  }
  for (const name of await names(`${root}/tests`)) {
    const slug = /^(\d\d_.*)_test\.ts$/.exec(name)?.[1];
    if (slug && !slugs.includes(slug)) problems.push(`tests/${name} belongs to no lesson`);
  }
  return problems;
}

async function* readDirIfAny(path: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
