/**
 * `deno task list [N]`: lessons and tasks with their points, and how they stand.
 *
 * @module
 */

import { unicodeWidth } from "../std/in_force.ts";
import { findLesson, type LessonInfo, lessonSlugs, readLesson } from "../course.ts";
import {
  isPassed,
  type LessonState,
  lessonToDo,
  ProgressStore,
  type TaskState,
} from "../progress.ts";
import {
  type Colour,
  leftAndRight,
  paint,
  type Screen,
  standardScreen,
  wrap,
} from "../terminal.ts";
import type { Lang } from "../text.ts";
import { readOptions, tooMany, wholeNumber } from "./options.ts";

/** Lists all lessons, or one. Exit status 0. */
export async function listCommand(args: string[], root: string): Promise<number> {
  const { lang, rest } = readOptions(args, {});
  if (rest.length > 1) throw tooMany(rest[1]!);
  const lesson = rest[0] === undefined
    ? undefined
    : await findLesson(root, wholeNumber(rest[0], "list", 1));
  const store = new ProgressStore(root, (text) => console.error(text[lang]));
  const lines = await listLines({ root, store, lang, screen: standardScreen(), only: lesson });
  console.log(lines.join("\n"));
  return 0;
}

const MARKS: Record<TaskState, [string, Colour]> = {
  passed: ["✓", "good"],
  again: ["!", "warn"],
  failed: ["✗", "bad"],
  untried: ["·", "dim"],
};

/** The list as it is shown. */
export async function listLines(
  { root, store, lang, screen, only }: {
    root: string;
    store: ProgressStore;
    lang: Lang;
    screen: Screen;
    only?: LessonInfo | undefined;
  },
): Promise<string[]> {
  const all = await Promise.all(
    (await lessonSlugs(root)).map((slug) => readLesson(root, slug)),
  );
  const states = await store.states(all);
  const { last } = await store.read();
  const here = lessonToDo(all, states, last?.lesson)?.slug;
  const lines: string[] = [];
  for (const [i, lesson] of all.entries()) {
    if (only && only.slug !== lesson.slug) continue;
    const state = states[i]!;
    const right = points(state.score, state.maxScore, lang);
    const mark: [string, Colour] = state.done
      ? MARKS.passed
      : lesson.slug === here
      ? ["▸", "accent"]
      : MARKS.untried;
    lines.push(row({ mark, name: `${lesson.number}  ${lesson.title[lang]}`, right, screen }, true));
    for (const { task, title, points } of lesson.tasks) {
      const { state: how } = state.tasks.get(task)!;
      const name = `${lang === "ko" ? "Task" : "task"} ${task}: ${title[lang]}`;
      const score = `${isPassed(how) ? points : 0}/${points}`;
      lines.push(row({ mark: MARKS[how], name, right: score, screen, indent: 4 }));
    }
    lines.push("");
  }
  if (only) lines.push(...legend(states, lang, screen));
  else lines.push(...total(states, lang, screen), ...legend(states, lang, screen));
  if (here !== undefined && !only) {
    const next = lang === "ko" ? "이어서 하기: deno task start" : "To go on: deno task start";
    lines.push(...wrap(next, screen.columns));
  }
  while (lines.at(-1) === "") lines.pop();
  return lines;
}

function row(
  { mark: [mark, colour], name, right, screen, indent = 0 }: {
    mark: [string, Colour];
    name: string;
    right: string;
    screen: Screen;
    indent?: number;
  },
  strong = false,
): string {
  // Where there is little room, what is indented needs it more.
  const lead = " ".repeat(screen.columns < 40 ? Math.min(indent, 2) : indent);
  const head = `${lead}${mark} `;
  const sides = leftAndRight(name, right, screen.columns - unicodeWidth(head));
  return `${lead}${paint(screen, colour, mark)} ${
    strong ? paint(screen, "strong", sides.left) : sides.left
  }${paint(screen, "dim", sides.right)}`;
}

function points(score: number, max: number, lang: Lang): string {
  return lang === "ko" ? `${score}/${max}점` : `${score}/${max}`;
}

function total(states: LessonState[], lang: Lang, screen: Screen): string[] {
  const done = states.filter((state) => state.done).length;
  const sum = (key: "score" | "maxScore") => states.reduce((sum, state) => sum + state[key], 0);
  const text = lang === "ko"
    ? `${states.length}강 가운데 ${done}강을 마쳤고, ${sum("maxScore")}점 중 ${
      sum("score")
    }점입니다.`
    : `${done} of ${states.length} lessons done, ${sum("score")} of ${sum("maxScore")} points.`;
  return wrap(text, screen.columns);
}

function legend(states: LessonState[], lang: Lang, screen: Screen): string[] {
  const again = states.some(({ tasks }) =>
    [...tasks.values()].some(({ state }) => state === "again")
  );
  const text = lang === "ko"
    ? "!  전에 통과했지만 지난 채점에서는 실패했습니다."
    : "!  passed before, and failed in the last grading.";
  return again ? wrap(text, screen.columns, 3).map((line) => paint(screen, "dim", line)) : [];
}
