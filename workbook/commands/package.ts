/**
 * `deno task package gradescope`: packs the grader for a platform.
 *
 * @module
 */

import { writeWhole } from "../class/files.ts";
import { gradescopeFiles } from "../class/package.ts";
import { writeZip } from "../class/zip_writer.ts";
import { CommandError } from "../errors.ts";
import { courseLessons } from "../grading/submission.ts";
import { chosenLessons } from "./grade.ts";
import { readOptions, tooMany, userPath } from "./options.ts";

/** Writes the package. Exit status 0 if it could be written. */
export async function packageCommand(args: string[], root: string): Promise<number> {
  const { values, lists, lang, rest } = readOptions(args, { values: ["out"], lists: ["lesson"] });
  const [platform, more] = rest;
  if (platform !== "gradescope") {
    throw new CommandError(
      platform === undefined ? { en: "Name the platform.", ko: "플랫폼을 지정하세요." } : {
        en: `There is no package for "${platform}".`,
        ko: `"${platform}" 용 꾸러미는 없습니다.`,
      },
      {
        en: "For example: deno task package gradescope --lesson 1",
        ko: "예: deno task package gradescope --lesson 1",
      },
    );
  }
  if (more !== undefined) throw tooMany(more);
  const lessons = chosenLessons(await courseLessons(root), lists.get("lesson")!);
  const isAll = lists.get("lesson")!.length === 0;
  const files = await gradescopeFiles(root, isAll ? [] : lessons.map(({ number }) => number));
  const out = values.get("out") ?? "gradescope.zip";
  await writeWhole(userPath(out), writeZip(files));
  console.log(
    lang === "ko" ? `파일 ${files.length}개 → ${out}` : `${files.length} files → ${out}`,
  );
  return 0;
}
