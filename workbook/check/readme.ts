/**
 * Keeps the front page true: its table of lessons is generated, its screens are those of the golden files.
 *
 * @module
 */

import { inLang, type LessonInfo, readText } from "../course.ts";
import { type Lang, LANGUAGES } from "../text.ts";
import { goldenPath, maskPorts, withoutSteps } from "./golden.ts";

const BEGIN = "<!-- lessons: written by deno task check --update -->";
const END = "<!-- end of lessons -->";
const TABLE = new RegExp(`${BEGIN}[^]*?${END}`);
/** A screen of the front page: which submission of which lesson it shows. */
const SCREEN = /^```text golden: (\S+)\/((?:wrong|misbehaving)\/\S+)\n([^]*?)^```$/gm;

/** Says how the front pages differ from the lessons; writes their tables with `update`. */
export async function readmeProblems(
  root: string,
  lessons: LessonInfo[],
  update: boolean,
): Promise<string[]> {
  const problems: string[] = [];
  for (const lang of LANGUAGES) {
    const name = inLang("README.md", lang);
    const text = await readText(`${root}/${name}`);
    if (!text) {
      problems.push(`${name} is missing`);
      continue;
    }
    const now = text.replace(TABLE, () => lessonTable(lessons, lang));
    if (now !== text && update) await Deno.writeTextFile(`${root}/${name}`, now);
    else if (now !== text) problems.push(`${name}: its table of lessons is out of date`);
    if (!TABLE.test(text)) problems.push(`${name} has no place for the table of lessons`);
    for (const [, slug, submission, screen] of text.matchAll(SCREEN)) {
      const golden = await readText(goldenPath(root, slug!, submission!, lang));
      if (!withoutSteps(golden).includes(withoutSteps(maskPorts(screen!.trimEnd())))) {
        problems.push(`${name}: the screen of ${slug}/${submission} is not what is shown today`);
      }
    }
  }
  return problems;
}

/** The lessons as a Markdown table. */
export function lessonTable(lessons: LessonInfo[], lang: Lang): string {
  const head = lang === "ko"
    ? ["강", "내용", "Task", "점수", "명령"]
    : ["", "lesson", "tasks", "points", "command"];
  const rows = lessons.map(({ number, slug, title, tasks }) => [
    `${number}`,
    `[${title[lang]}](lessons/${slug}/${inLang("README.md", lang)})`,
    `${tasks.length}`,
    `${tasks.reduce((sum, task) => sum + task.points, 0)}`,
    `\`deno task lesson${number}\``,
  ]);
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [
    BEGIN,
    "<!-- deno-fmt-ignore-start -->",
    line(head),
    line(head.map(() => "---")),
    ...rows.map(line),
    "<!-- deno-fmt-ignore-end -->",
    END,
  ].join("\n");
}
