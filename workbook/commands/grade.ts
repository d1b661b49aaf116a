/**
 * `deno task grade DIR`: grades one submission that nobody has read, for a platform or for people.
 *
 * @module
 */

import { gradeFound } from "../class/find.ts";
import type { LessonInfo } from "../course.ts";
import { CommandError } from "../errors.ts";
import { type Format, FORMATS } from "../grading/formats/formats.ts";
import { ResultFile } from "../grading/result_file.ts";
import { bestSandbox } from "../grading/sandbox.ts";
import {
  courseLessons,
  gradeSubmission,
  readOwnSuites,
  SANDBOX_LEVELS,
  type SandboxLevel,
  withOwnTasks,
  zeroResult,
} from "../grading/submission.ts";
import { SUITE_ENV } from "../records.ts";
import { drawSeed, TASKS_FOR_ONE } from "../suite.ts";
import { ProgressLine, standardScreen } from "../terminal.ts";
import { readOptions, userPath, wholeNumber } from "./options.ts";

const STATUS = { pass: 0, fail: 1, error: 2 };
/** What a shell expects of a program that a signal ended: 128 and the signal's number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Grades a submission. Exit status 0 if every task passed, 1 if not, 2 if the command or the machine is at fault.
 *
 * With `--find`, the exercises may lie deeper in the folder, or in an archive in it.
 * With `--format exercism` it is 0 whenever the result could be written, as that platform asks.
 */
export async function gradeCommand(args: string[], root: string): Promise<number> {
  const options = readOptions(args.map(withLevel), {
    flags: ["find"],
    values: ["format", "out", "suite", "seed", "require-sandbox", "name"],
    lists: ["lesson"],
  });
  const { values, lang } = options;
  const dir = readDir(options.rest);
  const format = readFormat(values.get("format"));
  const required = readLevel(values.get("require-sandbox"));
  const lessons = chosenLessons(await courseLessons(root), options.lists.get("lesson")!);
  const seed = values.has("seed") ? wholeNumber(values.get("seed"), "--seed", 0) : drawSeed();
  const suites = values.has("suite") ? userPath(values.get("suite")!) : undefined;
  const own = suites === undefined ? undefined : await readOwnSuites(suites, lessons);
  const submission = values.get("name") ?? dir.split("/").at(-1)!;
  const interrupt = new AbortController();
  let ended: number | undefined;
  for (const [name, status] of Object.entries(SIGNALS)) {
    if (Deno.build.os === "windows" && name !== "SIGINT") continue;
    Deno.addSignalListener(name as Deno.Signal, () => {
      ended = status;
      interrupt.abort();
    });
  }

  // Whatever happens from here on, there is a result.
  const head = { course: "", seed, submission, sandbox: "permissions" as const, ignored: [] };
  const out = values.has("out")
    ? await ResultFile.create(
      userPath(values.get("out")!),
      format(zeroResult(head, { lessons: withOwnTasks(lessons, own), lang }), lang),
    )
    : undefined;
  const sandbox = await bestSandbox();
  if (required && SANDBOX_LEVELS.indexOf(sandbox) > SANDBOX_LEVELS.indexOf(required)) {
    throw new CommandError({
      en:
        `This machine offers the sandbox "${sandbox}" only, and --require-sandbox asks for "${required}": nothing was graded.`,
      ko:
        `--require-sandbox 로 "${required}" 샌드박스를 요구했지만 이 컴퓨터에서는 "${sandbox}" 까지만 쓸 수 있어 채점하지 않았습니다.`,
    });
  }
  const progress = new ProgressLine(standardScreen());
  const waiting = lessons.map(({ number }) => number);
  const showNext = () => {
    const next = waiting.shift();
    if (next === undefined) return;
    progress.show(lang === "ko" ? `… ${next}강 채점 중` : `… grading lesson ${next}`);
  };
  showNext();
  const result = await (options.flags.has("find") ? gradeFound : gradeSubmission)({
    root,
    dir,
    name: submission,
    lessons,
    seed,
    lang,
    suites,
    sandbox,
    importMap: Deno.env.get(SUITE_ENV.importMap),
    tasksAtATime: TASKS_FOR_ONE,
    signal: interrupt.signal,
    onLesson: showNext,
  });
  progress.clear();
  if (ended !== undefined) return ended;
  const written = format(result, lang);
  if (!out) {
    print(written);
  } else {
    await out.replace(written);
    const points = `${result.score}/${result.max_score}`;
    console.log(`${points} → ${values.get("out")}`);
  }
  return format === FORMATS.exercism ? 0 : STATUS[result.status];
}

/** `--require-sandbox` alone asks for the strongest. */
export function withLevel(arg: string): string {
  return arg === "--require-sandbox" ? `${arg}=${SANDBOX_LEVELS[0]}` : arg;
}

function readDir(rest: string[]): string {
  const [dir, more] = rest;
  if (dir === undefined || more !== undefined) {
    throw new CommandError(
      dir === undefined
        ? { en: "Name the folder to grade.", ko: "채점할 폴더를 지정하세요." }
        : { en: `There is nothing to do with "${more}".`, ko: `알 수 없는 인자입니다: "${more}"` },
      {
        en: "For example: deno task grade submissions/ada --format json --out ada.json",
        ko: "예: deno task grade submissions/ada --format json --out ada.json",
      },
    );
  }
  const path = userPath(dir);
  try {
    if (Deno.statSync(path).isDirectory) return path;
  } catch {
    // Said below.
  }
  throw new CommandError(
    { en: `There is no folder "${dir}".`, ko: `"${dir}" 폴더가 없습니다.` },
    {
      en: "A submission is a folder laid out like lessons/.",
      ko: "제출물은 lessons/ 와 같은 구조의 폴더입니다.",
    },
  );
}

function readFormat(name = "text"): Format {
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  if (format) return format;
  const known = Object.keys(FORMATS).join(", ");
  throw new CommandError(
    { en: `There is no format "${name}".`, ko: `"${name}" 형식은 없습니다.` },
    { en: `Formats: ${known}`, ko: `형식: ${known}` },
  );
}

/** The level that is asked for, if it is one. */
export function readLevel(name: string | undefined): SandboxLevel | undefined {
  if (name === undefined) return undefined;
  const level = SANDBOX_LEVELS.find((level) => level === name);
  if (level) return level;
  const known = SANDBOX_LEVELS.join(", ");
  throw new CommandError(
    { en: `There is no sandbox level "${name}".`, ko: `"${name}" 샌드박스 수준은 없습니다.` },
    {
      en: `Levels, the strongest first: ${known}`,
      ko: `수준(강한 것부터): ${known}`,
    },
  );
}

/** The lessons of the numbers that are given; all where there are none. */
export function chosenLessons(all: LessonInfo[], given: string[]): LessonInfo[] {
  const numbers = given.map((text) => wholeNumber(text, "--lesson", 1));
  for (const number of numbers) {
    if (all.some((lesson) => lesson.number === number)) continue;
    const known = all.map((lesson) => lesson.number).join(", ");
    throw new CommandError(
      { en: `There is no lesson ${number}.`, ko: `${number}강은 없습니다.` },
      { en: `Lessons: ${known}`, ko: `있는 강: ${known}` },
    );
  }
  return numbers.length > 0 ? all.filter(({ number }) => numbers.includes(number)) : all;
}

function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}
