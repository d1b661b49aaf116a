/**
 * What the course consists of, read from its folders. There is no central list.
 *
 * Three keys tie a lesson together: its folder name `NN_slug`, its task numbers (`## Task N: … (P points)` in the
 * README), and its mistake ids (`## id: …` in `mistakes.md`).
 *
 * @module
 */

import { CommandError } from "./errors.ts";
import { type Lang, LANGUAGES, type Text } from "./text.ts";

/** One task, as the lesson's README announces it. */
export interface TaskInfo {
  task: number;
  title: Text;
  points: number;
}

/** One named mistake: its name, and the line on it that a failing test shows. */
export interface MistakeInfo {
  id: string;
  name: Text;
  line: Text;
}

/** One lesson. */
export interface LessonInfo {
  /** E.g. `03_send_recv`: the name of its folder, everywhere. */
  slug: string;
  number: number;
  title: Text;
  tasks: TaskInfo[];
}

const LESSON_FOLDER = /^(\d\d)_[a-z0-9_]+$/;
const TASK_HEADING = /^## Task (\d+): (.+?) ?\((\d+) ?(?:points?|점)\)$/;
const MISTAKE_HEADING = /^## ([a-z0-9]+(?:-[a-z0-9]+)*): (.+)$/;

/** The name of a lesson's file in one language: `README.md`, `README.ko.md`. */
export function inLang(name: string, lang: Lang): string {
  return lang === "en" ? name : name.replace(/\.md$/, `.${lang}.md`);
}

/** Folder names of all lessons, in order. */
export async function lessonSlugs(root: string): Promise<string[]> {
  const slugs: string[] = [];
  for await (const entry of Deno.readDir(`${root}/lessons`)) {
    if (entry.isDirectory && LESSON_FOLDER.test(entry.name)) slugs.push(entry.name);
  }
  return slugs.sort();
}

/** The lesson of that number. Throws a {@linkcode CommandError} if there is none. */
export async function findLesson(root: string, number: number): Promise<LessonInfo> {
  return await readLesson(root, await findSlug(root, number));
}

/** The folder name of the lesson of that number. Throws a {@linkcode CommandError} if there is none. */
export async function findSlug(root: string, number: number): Promise<string> {
  const slugs = await lessonSlugs(root);
  const slug = slugs.find((slug) => Number(slug.slice(0, 2)) === number);
  if (!slug) {
    const numbers = slugs.map((slug) => Number(slug.slice(0, 2))).join(", ");
    throw new CommandError(
      { en: `There is no lesson ${number}.`, ko: `${number}강은 없습니다.` },
      { en: `Lessons: ${numbers}`, ko: `있는 강: ${numbers}` },
    );
  }
  return slug;
}

/** Reads what the lesson's README says about it. */
export async function readLesson(root: string, slug: string): Promise<LessonInfo> {
  const [en, ko] = await Promise.all(
    LANGUAGES.map((lang) =>
      readText(`${root}/lessons/${slug}/${inLang("README.md", lang)}`).then(readReadme)
    ),
  ) as [ReturnType<typeof readReadme>, ReturnType<typeof readReadme>];
  return {
    slug,
    number: Number(slug.slice(0, 2)),
    title: { en: en.title, ko: ko.title || en.title },
    tasks: en.tasks.map(({ task, title, points }) => ({
      task,
      points,
      title: { en: title, ko: ko.tasks.find((t) => t.task === task)?.title ?? title },
    })),
  };
}

/** The title, and the tasks with their points, of a lesson's README in one language. */
export function readReadme(
  text: string,
): { title: string; tasks: { task: number; title: string; points: number }[] } {
  const lines = text.split("\n");
  const title = lines.find((line) => line.startsWith("# "))?.slice(2) ?? "";
  const tasks = lines.flatMap((line) => {
    const match = TASK_HEADING.exec(line);
    return match ? [{ task: Number(match[1]), title: match[2]!, points: Number(match[3]) }] : [];
  });
  return { title: title.replace(/^(Lesson \d+: |\d+강: )/, ""), tasks };
}

/** The mistakes of `slug` first, then those of all other lessons: an id means the same everywhere. */
export async function readMistakes(
  root: string,
  slug: string,
): Promise<Map<string, MistakeInfo>> {
  const others = (await lessonSlugs(root)).filter((other) => other !== slug);
  const mistakes = new Map<string, MistakeInfo>();
  for (const lesson of [slug, ...others]) {
    const [en, ko] = await Promise.all(
      LANGUAGES.map((lang) =>
        readText(`${root}/lessons/${lesson}/${inLang("mistakes.md", lang)}`).then(
          readMistakeFile,
        )
      ),
    ) as [Map<string, { name: string; line: string }>, Map<string, { name: string; line: string }>];
    for (const [id, { name, line }] of en) {
      if (mistakes.has(id)) continue;
      const korean = ko.get(id) ?? { name, line };
      mistakes.set(id, {
        id,
        name: { en: name, ko: korean.name },
        line: { en: line, ko: korean.line },
      });
    }
  }
  return mistakes;
}

/** Ids, names and first paragraphs of a `mistakes.md`. */
export function readMistakeFile(text: string): Map<string, { name: string; line: string }> {
  const mistakes = new Map<string, { name: string; line: string }>();
  for (const section of text.split(/^(?=## )/m)) {
    const [heading = "", ...rest] = section.split("\n");
    const match = MISTAKE_HEADING.exec(heading);
    if (!match) continue;
    const paragraph = rest.join("\n").trim().split(/\n\s*\n/)[0] ?? "";
    mistakes.set(match[1]!, { name: match[2]!, line: paragraph.replaceAll("\n", " ") });
  }
  return mistakes;
}

/** The hints of each task of a `hints.md`, weakest first. */
export function readHints(text: string): Map<number, string[]> {
  const hints = new Map<number, string[]>();
  for (const section of text.split(/^(?=## )/m)) {
    const task = /^## Task (\d+)/.exec(section)?.[1];
    if (!task) continue;
    const parts = section.split(/^### Hint \d+.*$/m).slice(1).map((part) => part.trim());
    hints.set(Number(task), parts);
  }
  return hints;
}

/** What a `mistakes.md` says about one mistake: its name, and its text. */
export function readMistake(text: string, id: string): { name: string; text: string } | undefined {
  for (const section of text.split(/^(?=## )/m)) {
    const [heading = "", ...rest] = section.split("\n");
    const match = MISTAKE_HEADING.exec(heading);
    if (match?.[1] === id) return { name: match[2]!, text: rest.join("\n").trim() };
  }
  return undefined;
}

/** The opening of a lesson's README: what stands between its title and the first code or heading. */
export function readOpening(text: string): string {
  const lines = text.split("\n");
  const begin = lines.findIndex((line) => line.startsWith("# ")) + 1;
  const end = lines.findIndex((line, i) => i >= begin && /^(#|```|~~~|\|)/.test(line));
  return lines.slice(begin, end < 0 ? undefined : end).join("\n").trim();
}

/** What a lesson's README says about one task, without the heading. */
export function readTaskText(text: string, task: number): string {
  const section = text.split(/^(?=## )/m).find((part) =>
    Number(TASK_HEADING.exec(part.split("\n")[0]!)?.[1]) === task
  );
  return section?.split("\n").slice(1).join("\n").trim() ?? "";
}

/** The file's text; empty if it is missing, which `deno task check` finds. */
export async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
