/**
 * `deno task hint [N [K]]`: the next stronger hint for one task, one at a time.
 *
 * The first is about the mistake that the last grading saw, if it saw one.
 *
 * @module
 */

import {
  findLesson,
  inLang,
  type LessonInfo,
  lessonSlugs,
  readHints,
  readLesson,
  readMistake,
  readText,
} from "../course.ts";
import { CommandError } from "../errors.ts";
import { showMarkdown } from "../markdown.ts";
import { type LessonState, lessonToDo, ProgressStore } from "../progress.ts";
import { paint, type Screen, standardScreen, wrap } from "../terminal.ts";
import type { Lang } from "../text.ts";
import { readOptions, wholeNumber } from "./options.ts";

/** Shows a hint and remembers it. Without a task number it is that of the first task that fails. Exit status 0. */
export async function hintCommand(args: string[], root: string): Promise<number> {
  const options = readOptions(args, { flags: ["all", "again"] });
  const { lang, flags, rest } = options;
  if (rest.length > 2) {
    throw new CommandError(
      {
        en: "A hint is for one task of one lesson.",
        ko: "힌트는 한 강의 한 Task에 대한 것입니다.",
      },
      { en: "For example: deno task hint 1 3", ko: "예: deno task hint 1 3" },
    );
  }
  const store = new ProgressStore(root, (text) => console.error(text[lang]));
  const lesson = rest[0] === undefined
    ? await lessonLeftOff(root, store)
    : await findLesson(root, wholeNumber(rest[0], "hint", 1));
  const asked = rest[1] === undefined ? undefined : wholeNumber(rest[1], "hint", 1);
  const hint = await takeHint({
    root,
    lesson,
    task: asked,
    lang,
    store,
    all: flags.has("all"),
    again: flags.has("again"),
  });
  console.log(viewHint(hint, standardScreen()).join("\n"));
  return 0;
}

/** The lesson to go on with; the first one if all are done. */
export async function lessonLeftOff(root: string, store: ProgressStore): Promise<LessonInfo> {
  const slugs = await lessonSlugs(root);
  const lessons = await Promise.all(slugs.map((slug) => readLesson(root, slug)));
  const { last } = await store.read();
  const lesson = lessonToDo(lessons, await store.states(lessons), last?.lesson) ?? lessons[0];
  if (lesson) return lesson;
  throw new CommandError({ en: "There are no lessons.", ko: "강이 없습니다." });
}

/** Which hint is asked for. */
export interface HintRequest {
  root: string;
  lesson: LessonInfo;
  /** Absent for the first task that fails. */
  task: number | undefined;
  lang: Lang;
  store: ProgressStore;
  all?: boolean;
  again?: boolean;
  /** What to do for the next hint; by default the command. */
  nextStep?: string;
}

/** A hint, or several: what is written there, and what comes afterwards. */
export interface Hint {
  title: string;
  parts: { head: string; text: string }[];
  afterwards: string;
}

/** The next hint, which counts as shown from now on. Throws a {@linkcode CommandError} if there is none. */
export async function takeHint(request: HintRequest): Promise<Hint> {
  const { root, lesson, lang, store, all = false, again = false } = request;
  const name = inLang("hints.md", lang);
  const known = readHints(await readText(`${root}/lessons/${lesson.slug}/${name}`));
  const withHints = lesson.tasks.map((info) => info.task).filter((task) => known.get(task)?.length);
  if (withHints.length === 0) {
    throw new CommandError({
      en: `There are no hints in lessons/${lesson.slug}/${name}.`,
      ko: `lessons/${lesson.slug}/${name}에 힌트가 없습니다.`,
    });
  }
  const state = await store.state(lesson);
  const task = request.task ?? taskInNeed(state, withHints);
  if (!withHints.includes(task)) throw noHints(lesson, task, withHints);
  const hints = known.get(task)!;
  const { mistake, told, hints: shown } = state.tasks.get(task)!;
  const about = mistake && (all || again || told !== mistake)
    ? await findMistake(root, lesson.slug, mistake, lang)
    : undefined;
  const seen = again ? 0 : countOf(shown);
  const parts: Hint["parts"] = [];
  if (about) {
    const head = lang === "ko"
      ? `지난 채점에서 본 실수: ${mistake} (${about.name})`
      : `Seen in your last grading: ${mistake} (${about.name})`;
    parts.push({ head, text: about.text });
  }
  // A mistake that was seen is a hint by itself.
  const [from, to] = all
    ? [0, hints.length]
    : about
    ? [seen, seen]
    : [Math.min(seen, hints.length - 1), Math.min(seen, hints.length - 1) + 1];
  for (let i = from; i < to; i++) {
    const head = lang === "ko"
      ? `힌트 ${i + 1}/${hints.length}`
      : `Hint ${i + 1} of ${hints.length}`;
    parts.push({ head, text: hints[i]! });
  }
  await store.updateTask(lesson, task, (progress) => {
    // Another command may have shown more meanwhile.
    progress.hints = again ? to : Math.max(countOf(progress.hints), to);
    if (about) progress.told = mistake!;
  });
  const title = lesson.tasks.find((info) => info.task === task)?.title[lang] ?? "";
  const next = request.nextStep ?? `deno task hint ${lesson.number} ${task}`;
  return {
    title: `Task ${task}: ${title}`,
    parts,
    afterwards: afterwards({ to, seen: about ? -1 : seen, count: hints.length, lang, next }),
  };
}

/** A number of hints, whatever a file says. */
function countOf(value: unknown): number {
  return Math.max(0, Math.floor(Number(value)) || 0);
}

/** The lines of a hint. */
export function viewHint({ title, parts, afterwards }: Hint, screen: Screen): string[] {
  const painted = (colour: "strong" | "accent" | "dim", text: string) =>
    wrap(text, screen.columns).map((line) => paint(screen, colour, line));
  return [
    ...painted("strong", title),
    ...parts.flatMap(({ head, text }) => [
      "",
      ...painted("accent", head),
      ...showMarkdown(text, screen).split("\n"),
    ]),
    "",
    ...painted("dim", afterwards),
  ];
}

/** The first task that fails, else the first that has not passed, else the first. */
function taskInNeed({ tasks }: LessonState, withHints: number[]): number {
  const first = (...states: string[]) =>
    withHints.find((task) => states.includes(tasks.get(task)!.state));
  return first("failed", "again") ?? first("untried") ?? withHints[0]!;
}

function noHints(lesson: LessonInfo, task: number, withHints: number[]): CommandError {
  const list = withHints.join(", ");
  const exists = lesson.tasks.some((info) => info.task === task);
  return new CommandError(
    exists
      ? {
        en: `Task ${task} of lesson ${lesson.number} has no hints.`,
        ko: `${lesson.number}강 Task ${task}에는 힌트가 없습니다.`,
      }
      : {
        en: `Lesson ${lesson.number} has no task ${task}.`,
        ko: `${lesson.number}강에는 Task ${task} 항목이 없습니다.`,
      },
    { en: `Tasks: ${list}`, ko: `Task: ${list}` },
  );
}

/** What the course says about a mistake: a lesson may see one that another lesson explains. */
async function findMistake(
  root: string,
  slug: string,
  id: string,
  lang: Lang,
): Promise<{ name: string; text: string } | undefined> {
  const others = (await lessonSlugs(root)).filter((other) => other !== slug);
  for (const lesson of [slug, ...others]) {
    const text = await readText(`${root}/lessons/${lesson}/${inLang("mistakes.md", lang)}`);
    const found = readMistake(text, id);
    if (found) return found;
  }
  return undefined;
}

function afterwards(
  { to, seen, count, lang, next }: {
    to: number;
    seen: number;
    count: number;
    lang: Lang;
    next: string;
  },
): string {
  if (to < count) return lang === "ko" ? `다음 힌트: ${next}` : `The next hint: ${next}`;
  if (seen >= count) {
    return lang === "ko"
      ? "이것이 마지막 힌트입니다. 처음부터 다시: --again"
      : "That is the last hint there is. From the first again: --again";
  }
  return lang === "ko" ? "이것이 마지막 힌트입니다." : "That was the last hint.";
}
