/**
 * `deno task new NN slug [--tasks T]`: a small lesson that works, to be written over.
 *
 * Makes new files only; a lesson has no entry in any list. Where deno.json has no task `lessonN` yet, it gets one.
 *
 * @module
 */

import { lessonSlugs, readText } from "../course.ts";
import { CommandError } from "../errors.ts";
import { scaffold } from "./new_lesson.ts";
import { readOptions, wholeNumber } from "./options.ts";

/** Words of small letters and digits, with single underscores between them. */
const NAME = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/;

const MOST_TASKS = 20;

/** Scaffolds a lesson. Exit status 0; nothing half-made is left behind. */
export async function newCommand(args: string[], root: string): Promise<number> {
  const { rest, lang, values } = readOptions(args, { values: ["tasks"] });
  const [number = "", name = "", ...more] = rest;
  if (
    !/^\d{1,2}$/.test(number) || Number(number) === 0 || !NAME.test(name) || more.length > 0
  ) {
    throw new CommandError(
      {
        en: "A new lesson takes a number from 1 to 99 and a name in small letters.",
        ko: "새 강에는 1–99의 번호와 영어 소문자 이름이 필요합니다.",
      },
      { en: "For example: deno task new 09 multicast", ko: "예: deno task new 09 multicast" },
    );
  }
  const slug = `${number.padStart(2, "0")}_${name}`;
  await refuseInUse(root, slug);
  const tasks = values.has("tasks") ? wholeNumber(values.get("tasks"), "--tasks", 1) : 1;
  if (tasks > MOST_TASKS) {
    throw new CommandError({
      en: `A lesson has at most ${MOST_TASKS} tasks, not ${tasks}.`,
      ko: `한 강의 Task는 ${MOST_TASKS}개까지입니다: ${tasks}`,
    });
  }
  const files = scaffold(slug, tasks);
  const hasTask = await writeLesson(root, slug, files);
  for (const path of Object.keys(files)) console.log(path);
  if (hasTask) console.log(`deno.json: lesson${Number(number)}`);
  console.log(
    lang === "ko"
      ? `\n다음: deno task check ${Number(number)} --update (골든 파일을 만들고 검사합니다)`
      : `\nNext: deno task check ${
        Number(number)
      } --update (makes the golden files and checks the lesson)`,
  );
  return 0;
}

/** Refuses a number or a name that a lesson has already. */
async function refuseInUse(root: string, slug: string): Promise<void> {
  const slugs = await lessonSlugs(root);
  const taken = slugs.find((other) => other.slice(0, 2) === slug.slice(0, 2));
  if (taken) {
    const number = Number(slug.slice(0, 2));
    throw new CommandError(
      {
        en: `Lesson ${number} exists: ${taken}.`,
        ko: `${number}강이 이미 있습니다: ${taken}`,
      },
      { en: "Choose another number.", ko: "다른 번호를 고르세요." },
    );
  }
  const namesake = slugs.find((other) => other.slice(3) === slug.slice(3));
  if (namesake) {
    throw new CommandError(
      { en: `The name is taken: ${namesake}.`, ko: `같은 이름의 강이 있습니다: ${namesake}` },
      { en: "Choose another name.", ko: "다른 이름을 고르세요." },
    );
  }
}

/**
 * Writes the lesson beside the workbook's folders, then moves its parts to their places: either all of it is there,
 * or nothing is. Returns whether deno.json got a task for it.
 */
async function writeLesson(
  root: string,
  slug: string,
  files: Record<string, string>,
): Promise<boolean> {
  // Each file of the lesson is one of these, or lies in one that is a folder.
  const parts = [...new Set(Object.keys(files).map((path) => partOf(path, slug)))];
  const undo: (() => Promise<void>)[] = [];
  let stage: string | undefined;
  try {
    for (const part of parts) await mustNotExist(root, part);
    stage = await Deno.makeTempDir({ dir: root, prefix: ".new_" });
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(folderOf(`${stage}/${path}`), { recursive: true });
      await Deno.writeTextFile(`${stage}/${path}`, text, { createNew: true });
    }
    const settings = await withTask(root, Number(slug.slice(0, 2)));
    if (settings !== undefined) await Deno.writeTextFile(`${stage}/deno.json`, settings);
    for (const part of parts) {
      await makeFolder(folderOf(`${root}/${part}`), undo);
      await Deno.rename(`${stage}/${part}`, `${root}/${part}`);
      undo.push(() => Deno.remove(`${root}/${part}`, { recursive: true }));
    }
    // Last, since it is the only file that was there before.
    if (settings !== undefined) await Deno.rename(`${stage}/deno.json`, `${root}/deno.json`);
    return settings !== undefined;
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => {});
    if (error instanceof CommandError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new CommandError({
      en: `The lesson could not be written, and nothing of it is left: ${text}`,
      ko: `강을 만들지 못했고 남은 파일은 없습니다: ${text}`,
    });
  } finally {
    if (stage) await Deno.remove(stage, { recursive: true }).catch(() => {});
  }
}

/** The part of a lesson that is moved as a whole: the folder that is named after it, or a single file. */
function partOf(path: string, slug: string): string {
  const at = path.indexOf(`/${slug}/`);
  return at < 0 ? path : path.slice(0, at + slug.length + 1);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

async function mustNotExist(root: string, part: string): Promise<void> {
  if (!(await Deno.lstat(`${root}/${part}`).catch(() => undefined))) return;
  throw new CommandError(
    { en: `There is a ${part} already.`, ko: `${part} 항목이 이미 있습니다.` },
    {
      en: "Remove it, or choose another name.",
      ko: "그것을 지우거나 다른 이름을 고르세요.",
    },
  );
}

/** Makes a folder and those above it, each with a step that takes it away again. */
async function makeFolder(path: string, undo: (() => Promise<void>)[]): Promise<void> {
  if (await Deno.stat(path).catch(() => undefined)) return;
  await makeFolder(folderOf(path), undo);
  await Deno.mkdir(path);
  undo.push(() => Deno.remove(path));
}

/** The text of deno.json with the lesson's task after the last of its kind; undefined if it has one already. */
async function withTask(root: string, number: number): Promise<string | undefined> {
  const text = await readText(`${root}/deno.json`);
  if (text.includes(`"lesson${number}"`)) return undefined;
  const last = [...text.matchAll(/^ *"lesson\d+": .*,\r?\n/gm)].at(-1);
  if (!last) {
    throw new CommandError(
      {
        en: "deno.json has no task of a lesson after which this one's could stand.",
        ko: "deno.json에 새 강의 Task를 이어 넣을 lessonN 항목이 없습니다.",
      },
      {
        en:
          `Add it by hand: "lesson${number}": "deno run --cached-only -A workbook/main.ts lesson ${number}"`,
        ko:
          `직접 넣어 주세요: "lesson${number}": "deno run --cached-only -A workbook/main.ts lesson ${number}"`,
      },
    );
  }
  const at = last.index + last[0].length;
  const line = last[0].replaceAll(
    /lesson\d+|(?<=lesson )\d+/g,
    (match) => match.startsWith("lesson") ? `lesson${number}` : `${number}`,
  );
  return text.slice(0, at) + line + text.slice(at);
}
