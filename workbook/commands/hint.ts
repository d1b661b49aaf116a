/**
 * `deno task hint N [K]`: the next stronger hint for one task, one at a time.
 *
 * @module
 */

import { findLesson, inLang, readHints, readText } from "../course.ts";
import { CommandError } from "../errors.ts";
import { paint, type Screen, standardScreen, wrap } from "../terminal.ts";
import type { Lang } from "../text.ts";
import { readOptions, wholeNumber } from "./options.ts";

/** Shows a hint and remembers it. Without a task number it is that of the first task that has any. Exit status 0. */
export async function hintCommand(args: string[], root: string): Promise<number> {
  const options = readOptions(args, { flags: ["all", "again"] });
  const { lang, flags, rest } = options;
  if (rest.length === 0 || rest.length > 2) {
    throw new CommandError(
      {
        en: "A hint is for one task of one lesson.",
        ko: "힌트는 한 강의 한 Task에 대한 것입니다.",
      },
      { en: "For example: deno task hint 1 3", ko: "예: deno task hint 1 3" },
    );
  }
  const lesson = await findLesson(root, wholeNumber(rest[0], "hint", 1));
  const name = inLang("hints.md", lang);
  const all = readHints(await readText(`${root}/lessons/${lesson.slug}/${name}`));
  const withHints = lesson.tasks.map((info) => info.task).filter((task) => all.get(task)?.length);
  if (withHints.length === 0) {
    throw new CommandError({
      en: `There are no hints in lessons/${lesson.slug}/${name}.`,
      ko: `lessons/${lesson.slug}/${name}에 힌트가 없습니다.`,
    });
  }
  const task = rest[1] === undefined ? withHints[0]! : wholeNumber(rest[1], "hint", 1);
  const hints = all.get(task) ?? [];
  if (!withHints.includes(task)) {
    const known = withHints.join(", ");
    const exists = lesson.tasks.some((info) => info.task === task);
    throw new CommandError(
      exists
        ? {
          en: `Task ${task} of lesson ${lesson.number} has no hints.`,
          ko: `${lesson.number}강 Task ${task}에는 힌트가 없습니다.`,
        }
        : {
          en: `Lesson ${lesson.number} has no task ${task}.`,
          ko: `${lesson.number}강에는 Task ${task} 항목이 없습니다.`,
        },
      { en: `Tasks: ${known}`, ko: `Task: ${known}` },
    );
  }
  const memory = new HintMemory(root, lang);
  const key = `${lesson.slug}/${task}`;
  const remembered = await memory.shown(key);
  const seen = flags.has("again") ? 0 : remembered;
  const from = flags.has("all") ? 0 : Math.min(seen, hints.length - 1);
  const to = flags.has("all") ? hints.length : from + 1;
  const screen = standardScreen();
  const title = lesson.tasks.find((info) => info.task === task)?.title[lang] ?? "";
  console.log(paint(screen, "strong", `Task ${task}: ${title}`));
  for (let i = from; i < to; i++) {
    const head = lang === "ko"
      ? `힌트 ${i + 1}/${hints.length}`
      : `Hint ${i + 1} of ${hints.length}`;
    console.log(`\n${paint(screen, "accent", head)}\n${showMarkdown(hints[i]!, screen)}`);
  }
  await memory.remember(key, Math.max(seen, to));
  console.log(
    `\n${
      paint(
        screen,
        "dim",
        afterwards({ to, seen, count: hints.length, lang, lesson: lesson.number, task }),
      )
    }`,
  );
  return 0;
}

function afterwards(
  { to, seen, count, lang, lesson, task }: {
    to: number;
    seen: number;
    count: number;
    lang: Lang;
    lesson: number;
    task: number;
  },
): string {
  if (to < count) {
    return lang === "ko"
      ? `다음 힌트: deno task hint ${lesson} ${task}`
      : `The next hint: deno task hint ${lesson} ${task}`;
  }
  if (seen >= count) {
    return lang === "ko"
      ? "이것이 마지막 힌트입니다. 처음부터 다시: --again"
      : "That is the last hint there is. From the first again: --again";
  }
  return lang === "ko" ? "이것이 마지막 힌트입니다." : "That was the last hint.";
}

/** Markdown as plain text of the screen's width; items of a list keep their lines, code is indented and not wrapped. */
export function showMarkdown(text: string, screen: Screen): string {
  const lines: string[] = [];
  let isCode = false;
  let paragraph: string[] = [];
  const flush = () => {
    const whole = paragraph.join(" ");
    const mark = LIST_MARK.exec(whole)?.[0].length ?? 0;
    if (whole) lines.push(...wrap(whole, screen.columns, mark));
    paragraph = [];
  };
  for (const line of text.split(/\r?\n/)) {
    if (/^ {0,3}(```|~~~)/.test(line)) {
      flush();
      isCode = !isCode;
    } else if (isCode) lines.push(`    ${line}`.trimEnd());
    else if (line.trim() === "") {
      flush();
      lines.push("");
    } else {
      if (LIST_MARK.test(line)) flush();
      paragraph.push(LIST_MARK.test(line) ? line.trimEnd() : line.trim());
    }
  }
  flush();
  return lines.join("\n");
}

const LIST_MARK = /^ *(?:[-*+]|\d+[.)]) +/;

/** How many hints of each task were shown, in `.workbook/hints.json`. */
class HintMemory {
  readonly #folder: string;
  readonly #file: string;
  readonly #lang: Lang;

  constructor(root: string, lang: Lang) {
    this.#folder = `${root}/.workbook`;
    this.#file = `${this.#folder}/hints.json`;
    this.#lang = lang;
  }

  /** How many hints of a task were shown. A damaged memory is set aside, and that is said. */
  async shown(key: string): Promise<number> {
    const text = await readText(this.#file).catch(() => "");
    const all = text ? parseMemory(text) : new Map<string, number>();
    if (!all) await this.#setAside();
    return all?.get(key) ?? 0;
  }

  /** Writes a file of its own and renames it, so that two commands at once leave one whole file. */
  async remember(key: string, count: number): Promise<void> {
    const part = `${this.#file}.${Deno.pid}`;
    try {
      const text = await readText(this.#file).catch(() => "");
      const all = (text && parseMemory(text)) || new Map<string, number>();
      await Deno.mkdir(this.#folder, { recursive: true });
      const entries = Object.fromEntries(all.set(key, count));
      await Deno.writeTextFile(part, `${JSON.stringify(entries, null, 2)}\n`);
      await Deno.rename(part, this.#file);
    } catch {
      // A folder that cannot be written: the first hint comes again next time.
      await Deno.remove(part).catch(() => {});
    }
  }

  async #setAside(): Promise<void> {
    const moved = await Deno.rename(this.#file, `${this.#file}.damaged`)
      .then(() => true, () => false);
    const said = moved
      ? {
        en: ".workbook/hints.json was damaged and is now hints.json.damaged; hints begin anew.",
        ko:
          ".workbook/hints.json 파일이 손상되어 hints.json.damaged로 옮겼습니다. 힌트는 처음부터 다시 나옵니다.",
      }
      : {
        en: ".workbook/hints.json is damaged and could not be set aside; hints begin anew.",
        ko:
          ".workbook/hints.json 파일이 손상되었는데 옮기지 못했습니다. 힌트는 처음부터 다시 나옵니다.",
      };
    console.error(said[this.#lang]);
  }
}

/** What a memory's file says; undefined if it is damaged. Entries that count nothing are left out. */
function parseMemory(text: string): Map<string, number> | undefined {
  try {
    const all: unknown = JSON.parse(text);
    if (typeof all !== "object" || all === null || Array.isArray(all)) return undefined;
    return new Map(
      Object.entries(all).filter(([, count]) => Number.isInteger(count) && count >= 0),
    );
  } catch {
    return undefined;
  }
}
