/**
 * What learners are told, kept as files: one per submission and language, compared word for word.
 *
 * Ports differ per run, so numbers of four or five digits are replaced by names in the order of their appearance.
 * The numbered steps are those of one run: what two processes do at the same time has no order that would be the
 * same in the next, so they are kept to be read, and left out of the comparison. Where it also decides what is told
 * (which of two tests sees a write that was cut short, say), the file keeps each text that may come, one below the other.
 *
 * @module
 */

import type { LessonResult } from "../result.ts";
import { type Lang, LANGUAGES } from "../text.ts";
import { viewTask } from "../view.ts";
import { names, type Submission } from "./submissions.ts";

const SCREEN = { columns: 100, colours: false, isTerminal: false };

/** The file that keeps what a submission is told. */
export function goldenPath(root: string, slug: string, name: string, lang: Lang): string {
  return `${root}/tests/golden/${slug}/${name}.${lang}.txt`;
}

/** What the terminal shows of the failing tasks, the same in every run. */
export function goldenText(
  result: LessonResult,
  { lang, lesson, folder }: { lang: Lang; lesson: number; folder: string },
): string {
  const failing = result.tasks.filter((task) => task.status !== "pass");
  const view = { screen: SCREEN, lang, lesson, told: new Set<string>() };
  const shown = failing.map((task) => viewTask(task, view));
  const text = shown.join("\n").trimEnd().replaceAll(folder, "FOLDER");
  return `${maskPorts(text)}\n`;
}

/** Numbers of four and five digits that may be ports, as PORT1, PORT2, … in the order of their appearance. */
export function maskPorts(text: string): string {
  const seen = new Map<string, string>();
  return text.replace(/(?<![\w.-])\d{4,5}(?![\w-]|\.\d)/g, (number) => {
    if (FIXED.has(number)) return number;
    const name = seen.get(number) ?? `PORT${seen.size + 1}`;
    seen.set(number, name);
    return name;
  });
}

/** Numbers that are the same in every run and worth reading. */
const FIXED = new Set(["8080", "65535", "65536", "70000", "60000", "5000", "1000", "9000", "3000"]);

/** Stands between texts of which any may come. */
const OR = "\n======== or ========\n\n";
/** More would say that nothing is certain. */
const MOST_TEXTS = 6;

/** What `check` does with a text that is not kept: reports it, keeps it instead, or keeps it too. */
export type GoldenUpdate = "no" | "instead" | "too";

/** Says how the golden files of a submission differ from what it is told now; keeps what it is told if asked to. */
export async function goldenProblems(
  root: string,
  slug: string,
  { submission, texts, update }: {
    submission: Submission;
    texts: Record<Lang, string>;
    update: GoldenUpdate;
  },
): Promise<string[]> {
  const problems: string[] = [];
  for (const lang of LANGUAGES) {
    const path = goldenPath(root, slug, submission.name, lang);
    const now = withoutSteps(texts[lang]);
    const kept = (await Deno.readTextFile(path).catch(() => undefined))?.split(OR);
    if (kept?.some((text) => withoutSteps(text) === now)) continue;
    if (update === "no" || (update === "too" && kept && kept.length >= MOST_TEXTS)) {
      const at = kept ? `differs\n${firstDifference(withoutSteps(kept[0]!), now)}` : "is missing";
      problems.push(`tests/golden/${slug}/${submission.name}.${lang}.txt ${at}`);
      continue;
    }
    const keep = update === "too" ? [...kept ?? [], texts[lang]] : [texts[lang]];
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, keep.join(OR));
  }
  return problems;
}

const STEP = /^ {4}(?:[ \d]{3,}|PORT\d+) {2}(you|peer|나|상대) /;
/** Which further tests see a mistake may depend on the moment; the first one, and what it says, does not. */
const FURTHER = /^ {4}(also fails|함께 실패): /;

/** A golden text without the steps on the wire, its ports named anew. */
export function withoutSteps(text: string): string {
  let isStep = false;
  const lines = text.split("\n").filter((line) => {
    // A step that is longer than a line goes on far to the right.
    isStep = STEP.test(line) || line === "      …" || (isStep && /^ {12,}\S/.test(line));
    return !isStep && !FURTHER.test(line);
  });
  // How often a loop printed before it was stopped is no matter either.
  const plain = lines.join("\n").replace(/(?<=… \()\d+/g, "N");
  // Nor which of the bytes that are drawn by chance came first. A line may be cut within an escape.
  const told = plain.replace(
    /"(?:[^"\\]|\\[^])*"…?/g,
    (quoted) => quoted.split("\\x").length > 3 ? '"BYTES"' : quoted,
  );
  // Nor how many they were.
  const unsized = told.replace(/"BYTES" \(\w+ ?(?:bytes|바이트)\)/g, '"BYTES"');
  // Nor the time of day.
  const timeless = unsized.replace(/\w{3}, \d\d \w{3} \w+ \d\d:\d\d:\d\d/g, "DATE");
  // Nor how many of millions of bytes were on their way: that depends on the kernel's buffers.
  const rest = timeless.replace(/\d{7,}(?= ?(?:bytes|바이트))/g, "SIZE");
  const seen = new Map<string, string>();
  return rest.replace(/PORT\d+/g, (name) => {
    const anew = seen.get(name) ?? `PORT${seen.size + 1}`;
    seen.set(name, anew);
    return anew;
  });
}

function firstDifference(kept: string, now: string): string {
  const [a, b] = [kept.split("\n"), now.split("\n")];
  const at = a.findIndex((line, i) => line !== b[i]);
  const line = at < 0 ? a.length : at;
  return `    line ${line + 1}, kept: ${a[line] ?? "(end)"}\n    line ${line + 1}, now:  ${
    b[line] ?? "(end)"
  }`;
}

/** Golden files that no submission has; removed with `update`. */
export async function strayGoldens(
  root: string,
  slug: string,
  submissions: Submission[],
  update: boolean,
): Promise<string[]> {
  const wanted = new Set(
    submissions.flatMap(({ name }) => LANGUAGES.map((lang) => goldenPath(root, slug, name, lang))),
  );
  const problems: string[] = [];
  for (const folder of ["", "wrong/", "misbehaving/", "right/"]) {
    for (const file of await names(`${root}/tests/golden/${slug}/${folder}`)) {
      const path = `${root}/tests/golden/${slug}/${folder}${file}`;
      if (wanted.has(path)) continue;
      if (update) await Deno.remove(path);
      else problems.push(`tests/golden/${slug}/${folder}${file} is of no submission`);
    }
  }
  return problems;
}
