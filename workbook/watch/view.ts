/**
 * What somebody sees who learns alone: where they are, the one task to look at now, and what can be done next.
 *
 * Made from the state of a session alone, for a screen of any width.
 *
 * @module
 */

import { unicodeWidth } from "../std/in_force.ts";
import type { LessonInfo, MistakeInfo } from "../course.ts";
import { showMarkdown } from "../markdown.ts";
import type { LessonState } from "../progress.ts";
import type { LessonResult, Status, TaskResult } from "../result.ts";
import { type Colour, fit, leftAndRight, paint, type Screen, wrap } from "../terminal.ts";
import type { Lang, Text } from "../text.ts";
import { viewTask } from "../view.ts";

/** How a view is written. */
export interface Setting {
  screen: Screen;
  lang: Lang;
}

/** A lesson with its texts in one language. */
export interface LessonText {
  lesson: LessonInfo;
  /** The exercise file as it is called. */
  label: string;
  /** What stands between the title and the first code. */
  opening: string;
  /** What is said about each task. */
  tasks: Map<number, string>;
}

const MARKS: Record<Status | "none", [string, Colour]> = {
  pass: ["✓", "good"],
  fail: ["✗", "bad"],
  error: ["!", "warn"],
  none: ["·", "dim"],
};

/** Which lesson, which file. */
export function viewTitle({ lesson, label }: LessonText, { screen, lang }: Setting): string[] {
  const { number, title } = lesson;
  const name = lang === "ko" ? `${number}강: ${title.ko}` : `Lesson ${number}: ${title.en}`;
  return [
    ...wrap(name, screen.columns).map((line) => paint(screen, "strong", line)),
    ...wrap(label, screen.columns).map((line) => paint(screen, "dim", line)),
  ];
}

/** A task on one line. */
export function viewTaskLine(
  { task, title, points }: LessonInfo["tasks"][number],
  result: TaskResult | undefined,
  { screen, lang }: Setting,
): string {
  const [mark, colour] = MARKS[result?.status ?? "none"];
  const name = `${lang === "ko" ? "Task" : "task"} ${task}: ${title[lang]}`;
  const { left, right } = leftAndRight(
    name,
    `${result?.score ?? 0}/${points}`,
    screen.columns - unicodeWidth(mark) - 1,
  );
  const dim = result ? left : paint(screen, "dim", left);
  return `${paint(screen, colour, mark)} ${dim}${paint(screen, "dim", right)}`;
}

/** Nothing is written yet: what the lesson is about, and the first thing to do. */
export function viewBeginning(
  text: LessonText,
  task: number | undefined,
  setting: Setting,
): string[] {
  const { lesson, opening } = text;
  const { screen, lang } = setting;
  const readme = `lessons/${lesson.slug}/${lang === "ko" ? "README.ko.md" : "README.md"}`;
  const steps: Text[] = [
    {
      en: `1. Read ${readme}: the calls, what they do, and an example to run.`,
      ko:
        `1. ${readme} 파일을 읽으세요. 어떤 호출이 무엇을 하는지, 실행해 볼 예제와 함께 나옵니다.`,
    },
    {
      en: `2. Write into ${text.label}, from its first TODO on.`,
      ko: `2. ${text.label} 파일의 첫 TODO부터 채우세요.`,
    },
    {
      en: "3. Save. Each save is graded at once, and this screen says what happened.",
      ko: "3. 저장하세요. 저장할 때마다 바로 채점되고, 무슨 일이 있었는지 여기에 나옵니다.",
    },
  ];
  return [
    ...viewTitle(text, setting),
    "",
    ...showMarkdown(opening.replace(/:$/, " …"), screen).split("\n"),
    "",
    ...steps.flatMap((step) => wrap(step[lang], screen.columns, 3)),
    "",
    ...lesson.tasks.flatMap((info) =>
      info.task === task
        ? viewTaskText(text, info.task, setting)
        : [viewTaskLine(info, undefined, setting)]
    ),
  ];
}

/** What the lesson says about one task. */
export function viewTaskText(text: LessonText, task: number, setting: Setting): string[] {
  const { screen, lang } = setting;
  const info = text.lesson.tasks.find((info) => info.task === task);
  if (!info) return [];
  const head = `Task ${task}: ${info.title[lang]}`;
  const inner = { ...screen, columns: Math.max(10, screen.columns - 2) };
  return [
    ...wrap(head, screen.columns, 2).map((line) => paint(screen, "accent", line)),
    ...showMarkdown(text.tasks.get(task) ?? "", inner).split("\n").map((line) =>
      `  ${line}`.trimEnd()
    ),
    "",
  ];
}

/** The tasks, one of them in full: the one that is asked for, else the first that fails. */
export function viewVerdict(
  text: LessonText,
  { results, focus, told }: {
    results: Map<number, TaskResult>;
    focus?: number | undefined;
    /** The tasks that are graded, if not all. */
    told?: number[] | undefined;
  },
  setting: Setting,
): string[] {
  const { lesson } = text;
  const shown = focus ?? taskToShow(lesson, results);
  const lines = [...viewTitle(text, setting), ""];
  for (const info of lesson.tasks) {
    if (told && !told.includes(info.task)) continue;
    const result = results.get(info.task);
    if (info.task !== shown || !result || result.status === "pass") {
      lines.push(viewTaskLine(info, result, setting));
      continue;
    }
    const { screen, lang } = setting;
    lines.push(...viewTask(result, { screen, lang, lesson: lesson.number }).split("\n"));
    if (result.tests.find((test) => test.status === result.status)?.kind === "missing") {
      lines.push(...viewTaskText(text, info.task, setting));
    }
  }
  return lines;
}

/** The first task that has not passed, of those that were graded. */
export function taskToShow(
  lesson: LessonInfo,
  results: Map<number, TaskResult>,
): number | undefined {
  return lesson.tasks.find(({ task }) => {
    const status = results.get(task)?.status;
    return status !== undefined && status !== "pass";
  })?.task;
}

/** Whether each of these tasks failed for want of being written. */
export function isUnwritten(
  tasks: LessonInfo["tasks"],
  results: Map<number, TaskResult>,
): boolean {
  return tasks.every(({ task }) =>
    results.get(task)?.tests.find(({ status }) => status === "fail")?.kind === "missing"
  );
}

/** A lesson is done: what was learned, and where it goes on. */
export function viewDone(
  text: LessonText,
  { results, state, mistakes, compare, nextLesson }: {
    results: Map<number, TaskResult>;
    state: LessonState;
    mistakes: Map<string, MistakeInfo>;
    /** What to do to compare, and to go on. */
    compare: Text;
    nextLesson: Text;
  },
  setting: Setting,
): string[] {
  const { lesson } = text;
  const { screen, lang } = setting;
  const done = lang === "ko"
    ? `${lesson.number}강을 마쳤습니다. ${state.maxScore}점 중 ${state.score}점입니다.`
    : `Lesson ${lesson.number} is done: ${state.score} of ${state.maxScore} points.`;
  const can = lang === "ko" ? "이제 할 수 있는 것:" : "What you can do now:";
  const met = [...state.tasks.values()].flatMap((task) => task.met ?? []);
  const lines = [
    ...viewTitle(text, setting),
    "",
    ...wrap(done, screen.columns).map((line) => paint(screen, "good", line)),
    "",
    ...wrap(can, screen.columns).map((line) => paint(screen, "strong", line)),
    ...lesson.tasks.map((info) => viewTaskLine(info, results.get(info.task), setting)),
  ];
  const known = [...new Set(met)].flatMap((id) => mistakes.get(id) ?? []);
  if (known.length > 0) {
    const head = lang === "ko" ? "오는 길에 만난 실수:" : "What you met on the way:";
    lines.push("", ...wrap(head, screen.columns).map((line) => paint(screen, "strong", line)));
    for (const { id, line } of known) {
      lines.push(...wrap(`${id}: ${line[lang]}`, screen.columns, 2));
    }
  }
  const where = lang === "ko"
    ? `내 코드와 모범 답안을 나란히 보기: ${compare.ko}`
    : `Your file beside the model solution: ${compare.en}`;
  return [
    ...lines,
    "",
    ...wrap(where, screen.columns),
    ...wrap(nextLesson[lang], screen.columns),
  ];
}

/** How the grading went, in one line. */
export function viewScore(result: LessonResult, { screen, lang }: Setting): string {
  const passed = result.tasks.filter((task) => task.status === "pass").length;
  const seconds = (result.duration_ms / 1000).toFixed(2);
  const { score, max_score, tasks } = result;
  const colour: Colour = ({ pass: "good", fail: "bad", error: "warn" } as const)[result.status];
  const text = lang === "ko"
    ? `Task ${tasks.length}개 중 ${passed}개 통과, ${max_score}점 중 ${score}점`
    : `${passed} of ${tasks.length} tasks passed, ${score} of ${max_score} points`;
  const small = lang === "ko" ? `  (${seconds}초)` : `  (${seconds} s)`;
  return unicodeWidth(text + small) <= screen.columns
    ? paint(screen, colour, text) + paint(screen, "dim", small)
    : paint(screen, colour, fit(text, screen.columns));
}

/** The keys that mean something now, on as many lines as they need. */
export function viewKeys(keys: [string, Text][], { screen, lang }: Setting): string[] {
  const lines: string[] = [];
  let line = "";
  let width = 0;
  for (const [key, name] of keys) {
    const text = fit(name[lang], screen.columns - unicodeWidth(key) - 1);
    const step = unicodeWidth(key) + 1 + unicodeWidth(text);
    if (width > 0 && width + 3 + step > screen.columns) {
      lines.push(line);
      line = "";
      width = 0;
    }
    line += `${width > 0 ? "   " : ""}${paint(screen, "strong", key)} ${text}`;
    width += step + (width > 0 ? 3 : 0);
  }
  return line ? [...lines, line] : lines;
}
