/**
 * `deno task solution N`: the learner's file beside the model solution, once the lesson is done or on asking twice.
 *
 * @module
 */

import { unicodeWidth } from "../std/in_force.ts";
import { findLesson, type LessonInfo, readText } from "../course.ts";
import { CommandError } from "../errors.ts";
import { type DiffLine, diffLines, withGaps } from "../line_diff.ts";
import { ProgressStore } from "../progress.ts";
import { fit, harmless, padEnd, paint, type Screen, standardScreen, wrap } from "../terminal.ts";
import type { Lang, Text } from "../text.ts";
import { readOptions, tooMany, wholeNumber } from "./options.ts";

/** From so many columns on, the two files stand side by side. */
const SIDE_BY_SIDE = 150;

/** Shows what differs. Exit status 0, or 1 if the lesson is not done and this is the first time of asking. */
export async function solutionCommand(args: string[], root: string): Promise<number> {
  const { lang, rest, flags } = readOptions(args, { flags: ["all"] });
  if (rest.length > 1) throw tooMany(rest[1]!);
  const lesson = await findLesson(root, wholeNumber(rest[0], "solution", 1));
  const store = new ProgressStore(root, (text) => console.error(text[lang]));
  const screen = standardScreen();
  if (!await maySee(lesson, store)) {
    const again = `deno task solution ${lesson.number}`;
    console.log(wrap(notYet(lesson, again)[lang], screen.columns).join("\n"));
    return 1;
  }
  const lines = await solutionLines({ root, lesson, lang, screen, all: flags.has("all") });
  console.log(lines.join("\n"));
  return 0;
}

/** Whether the model solution may be shown; if not yet, the asking counts. */
export async function maySee(lesson: LessonInfo, store: ProgressStore): Promise<boolean> {
  if ((await store.state(lesson)).done) return true;
  let asked = false;
  await store.updateLesson(lesson, (known) => {
    asked = known.solutionAskedAt !== undefined;
    known.solutionAskedAt ??= new Date().toISOString();
  });
  return asked;
}

/** What is said at the first asking. `again` is how to ask once more. */
export function notYet({ number }: LessonInfo, again: string): Text {
  return {
    en: `Lesson ${number} is not done yet, and its solution is best seen afterwards. ` +
      `A hint says less: deno task hint ${number}. To see it all the same, ask once more: ${again}`,
    ko: `${number}강을 아직 마치지 않았습니다. 모범 답안은 마친 뒤에 보는 것이 가장 좋습니다. ` +
      `힌트부터 볼 수 있습니다: deno task hint ${number}. 그래도 보려면 한 번 더 요청하세요: ${again}`,
  };
}

/** The learner's file and the model solution, and how they differ. */
export async function solutionLines(
  { root, lesson, lang, screen, all = false }: {
    root: string;
    lesson: LessonInfo;
    lang: Lang;
    screen: Screen;
    /** Also what both have. */
    all?: boolean;
  },
): Promise<string[]> {
  const names = [`lessons/${lesson.slug}/exercise.ts`, `solutions/${lesson.slug}/exercise.ts`];
  const own = await readText(`${root}/${names[0]}`).catch(() => "");
  const model = await readText(`${root}/${names[1]}`).catch(() => "");
  if (!model) {
    throw new CommandError({
      en: `Lesson ${lesson.number} has no model solution.`,
      ko: `${lesson.number}강에는 모범 답안이 없습니다.`,
    });
  }
  const whole = diffLines(clean(own), clean(model));
  if (whole.every(({ kind }) => kind === "both")) {
    const same = lang === "ko"
      ? `${names[0]} 파일이 모범 답안과 똑같습니다.`
      : `${names[0]} is the model solution, line by line.`;
    return wrap(same, screen.columns);
  }
  const lines = all ? whole : withGaps(whole);
  const shown = screen.columns >= SIDE_BY_SIDE
    ? sideBySide(lines, names, { screen, lang })
    : oneColumn(lines, names, { screen, lang });
  const end = lang === "ko"
    ? `모범 답안은 하나의 예일 뿐입니다. 전체: ${names[1]}`
    : `The model is one way among others. The whole of it: ${names[1]}`;
  return [...shown, "", ...wrap(end, screen.columns).map((line) => paint(screen, "dim", line))];
}

function clean(text: string): string {
  return harmless(text).replaceAll("\t", "  ");
}

interface Setting {
  screen: Screen;
  lang: Lang;
}

const OWN: Text = { en: "yours", ko: "내 코드" };
const MODEL: Text = { en: "the model", ko: "모범 답안" };

function gapText(count: number, lang: Lang): string {
  if (lang === "ko") return `… (같은 줄 ${count}개)`;
  return count === 1 ? "… (one line the same)" : `… (${count} lines the same)`;
}

/** One file after the other, difference by difference: `-` is the learner's, `+` the model's. */
function oneColumn(lines: DiffLine[], names: string[], { screen, lang }: Setting): string[] {
  const heads = [
    ...wrap(`- ${OWN[lang]}: ${names[0]}`, screen.columns, 2).map((l) => paint(screen, "bad", l)),
    ...wrap(`+ ${MODEL[lang]}: ${names[1]}`, screen.columns, 2)
      .map((l) => paint(screen, "good", l)),
    "",
  ];
  return heads.concat(lines.flatMap((line) => {
    if (line.kind === "gap") return paint(screen, "dim", gapText(line.count, lang));
    const colour = line.kind === "left" ? "bad" : line.kind === "right" ? "good" : undefined;
    const sign = line.kind === "left" ? "-" : line.kind === "right" ? "+" : " ";
    const indent = /^ */.exec(line.text)![0].length;
    return wrapCode(line.text, screen.columns - 2, indent + 4).map((part, i) => {
      const text = `${i === 0 ? sign : " "} ${part}`.trimEnd();
      return colour ? paint(screen, colour, text) : text;
    });
  }));
}

/** Breaks a line of code, keeping its indentation. */
function wrapCode(text: string, columns: number, hang: number): string[] {
  if (unicodeWidth(text) <= columns) return [text];
  return wrap(text, columns, hang);
}

/** Both files beside each other, lines that differ facing each other. */
function sideBySide(lines: DiffLine[], names: string[], { screen, lang }: Setting): string[] {
  const width = Math.floor((screen.columns - 3) / 2);
  const rows: string[] = [];
  const push = (left: string, right: string, differs: boolean) => {
    const a = padEnd(fit(left, width), width);
    const b = fit(right, width);
    const bar = paint(screen, differs ? "accent" : "dim", "│");
    rows.push(
      `${differs ? paint(screen, "bad", a) : a} ${bar} ${differs ? paint(screen, "good", b) : b}`
        .trimEnd(),
    );
  };
  push(`${OWN[lang]}: ${names[0]}`, `${MODEL[lang]}: ${names[1]}`, true);
  push("", "", false);
  let [left, right]: [string[], string[]] = [[], []];
  const flush = () => {
    const parts = (text: string) => wrapCode(text, width, /^ */.exec(text)![0].length + 4);
    const [a, b] = [left.flatMap(parts), right.flatMap(parts)];
    for (let i = 0; i < Math.max(a.length, b.length); i++) push(a[i] ?? "", b[i] ?? "", true);
    [left, right] = [[], []];
  };
  for (const line of lines) {
    if (line.kind === "left") left.push(line.text);
    else if (line.kind === "right") right.push(line.text);
    else {
      flush();
      if (line.kind === "gap") rows.push(paint(screen, "dim", gapText(line.count, lang)));
      else {
        const parts = wrapCode(line.text, width, /^ */.exec(line.text)![0].length + 4);
        for (const part of parts) push(part, part, false);
      }
    }
  }
  flush();
  return rows;
}
