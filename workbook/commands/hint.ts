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

/** Shows a hint and remembers it. Without a task number it is the first task's. Exit status 0. */
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
  const task = rest[1] === undefined ? 1 : wholeNumber(rest[1], "hint", 1);
  const file = `${root}/lessons/${lesson.slug}/${inLang("hints.md", lang)}`;
  const hints = readHints(await readText(file)).get(task);
  if (!hints || hints.length === 0) {
    const known = lesson.tasks.map((info) => info.task).join(", ");
    throw new CommandError(
      {
        en: `Lesson ${lesson.number} has no task ${task}.`,
        ko: `${lesson.number}강에는 Task ${task} 항목이 없습니다.`,
      },
      { en: `Tasks: ${known}`, ko: `Task: ${known}` },
    );
  }
  const memory = new HintMemory(root);
  const key = `${lesson.slug}/${task}`;
  const seen = flags.has("again") ? 0 : await memory.shown(key, lang);
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

/** Markdown as plain text of the screen's width; code is indented and not wrapped. */
export function showMarkdown(text: string, screen: Screen): string {
  const lines: string[] = [];
  let isCode = false;
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) lines.push(...wrap(paragraph.join(" "), screen.columns));
    paragraph = [];
  };
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      flush();
      isCode = !isCode;
    } else if (isCode) lines.push(`    ${line}`.trimEnd());
    else if (line.trim() === "") {
      flush();
      lines.push("");
    } else paragraph.push(line.trim());
  }
  flush();
  return lines.join("\n");
}

/** How many hints of each task were shown, in `.workbook/hints.json`. */
class HintMemory {
  readonly #folder: string;
  readonly #file: string;

  constructor(root: string) {
    this.#folder = `${root}/.workbook`;
    this.#file = `${this.#folder}/hints.json`;
  }

  async shown(key: string, lang: Lang): Promise<number> {
    return (await this.#read(lang))[key] ?? 0;
  }

  /** Writes a file of its own and renames it, so that two commands at once leave one whole file. */
  async remember(key: string, count: number): Promise<void> {
    try {
      const all = { ...await this.#read(), [key]: count };
      await Deno.mkdir(this.#folder, { recursive: true });
      const part = `${this.#file}.${Deno.pid}`;
      await Deno.writeTextFile(part, JSON.stringify(all, null, 2));
      await Deno.rename(part, this.#file);
    } catch {
      // A folder that cannot be written: the first hint comes again next time.
    }
  }

  async #read(lang?: Lang): Promise<Record<string, number>> {
    const text = await readText(this.#file).catch(() => "");
    if (!text) return {};
    try {
      const all: unknown = JSON.parse(text);
      if (typeof all === "object" && all !== null && !Array.isArray(all)) {
        return Object.fromEntries(
          Object.entries(all).filter(([, count]) => Number.isInteger(count) && count >= 0),
        );
      }
    } catch {
      // Set aside below.
    }
    await Deno.rename(this.#file, `${this.#file}.damaged`).catch(() => {});
    if (lang) {
      console.error(
        lang === "ko"
          ? ".workbook/hints.json 이 손상되어 hints.json.damaged 로 옮겼습니다. 힌트는 처음부터 다시 나옵니다."
          : ".workbook/hints.json was damaged and is now hints.json.damaged; hints begin anew.",
      );
    }
    return {};
  }
}
