/**
 * `deno task new NN slug`: a small lesson that works, to be written over.
 *
 * Makes new files only; a lesson has no entry in any list. Where deno.json has no task `lessonN` yet, it gets one.
 *
 * @module
 */

import { lessonSlugs, readText } from "../course.ts";
import { CommandError } from "../errors.ts";
import { scaffold } from "./new_lesson.ts";
import { readOptions } from "./options.ts";

/** Scaffolds a lesson. Exit status 0; nothing half-made is left behind. */
export async function newCommand(args: string[], root: string): Promise<number> {
  const { rest, lang } = readOptions(args, {});
  const [number = "", name = "", ...more] = rest;
  if (
    !/^\d{1,2}$/.test(number) || Number(number) === 0 || !/^[a-z][a-z0-9_]*$/.test(name) ||
    more.length > 0
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
  const taken = (await lessonSlugs(root)).find((other) => other.slice(0, 2) === slug.slice(0, 2));
  if (taken) {
    throw new CommandError(
      {
        en: `Lesson ${Number(number)} exists: ${taken}.`,
        ko: `${Number(number)}강이 이미 있습니다: ${taken}`,
      },
      { en: "Choose another number.", ko: "다른 번호를 고르세요." },
    );
  }
  const files = scaffold(slug);
  await writeAll(root, files);
  const hasTask = await addTask(root, Number(number));
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

/** Writes files that must not exist yet; if one cannot be written, those before it are removed again. */
async function writeAll(root: string, files: Record<string, string>): Promise<void> {
  const written: string[] = [];
  const made: string[] = [];
  try {
    for (const [path, text] of Object.entries(files)) {
      const full = `${root}/${path}`;
      const folder = full.slice(0, full.lastIndexOf("/"));
      if (!(await Deno.stat(folder).catch(() => undefined))) made.push(folder);
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(full, text, { createNew: true });
      written.push(full);
    }
  } catch (error) {
    for (const path of written) await Deno.remove(path).catch(() => {});
    for (const folder of made.reverse()) await Deno.remove(folder).catch(() => {});
    const text = error instanceof Error ? error.message : String(error);
    throw new CommandError({
      en: `The lesson could not be written, and nothing of it is left: ${text}`,
      ko: `강을 만들지 못했고 남은 파일은 없습니다: ${text}`,
    });
  }
}

/** Adds the lesson's task to deno.json, after the last of its kind. Returns whether that was needed. */
async function addTask(root: string, number: number): Promise<boolean> {
  const path = `${root}/deno.json`;
  const text = await readText(path);
  if (text.includes(`"lesson${number}"`)) return false;
  const last = [...text.matchAll(/^ *"lesson\d+": .*,\n/gm)].at(-1);
  if (!last) return false;
  const at = last.index + last[0].length;
  const line = last[0].replaceAll(
    /lesson\d+|(?<=lesson )\d+/g,
    (match) => match.startsWith("lesson") ? `lesson${number}` : `${number}`,
  );
  await Deno.writeTextFile(path, text.slice(0, at) + line + text.slice(at));
  return true;
}
