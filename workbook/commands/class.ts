/**
 * `deno task class SUBMISSIONS --out RESULTS`: grades a class; `deno task class merge RESULTS… --out DIR` joins parts.
 *
 * @module
 */

import { LauncherWatch } from "../class/ancestors.ts";
import { gradeClass } from "../class/run.ts";
import { mergeParts } from "../class/merge.ts";
import { readRoster } from "../class/roster.ts";
import { CommandError } from "../errors.ts";
import { cleanLine } from "../grading/formats/common.ts";
import { bestSandbox } from "../grading/sandbox.ts";
import { courseLessons, SANDBOX_LEVELS, type SubmissionResult } from "../grading/submission.ts";
import { readOwnSuites } from "../grading/suites.ts";
import { courseVersion } from "../grading/version.ts";
import { SUITE_ENV } from "../records.ts";
import { fit, ProgressLine, standardScreen } from "../terminal.ts";
import type { Lang } from "../text.ts";
import { chosenLessons, readLevel, withLevel } from "./grade.ts";
import { type Options, readOptions, tooMany, userPath, wholeNumber } from "./options.ts";

/** Stray names that are told. */
const SHOWN_STRAYS = 5;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Grades a class, or joins its parts. Exit status 0 if all are graded, whatever their points, 2 if not. */
export async function classCommand(args: string[], root: string): Promise<number> {
  if (args[0] === "merge") return await merge(args.slice(1), root);
  const options = readOptions(args.map(withLevel), {
    flags: ["retry-errors"],
    values: ["out", "workers", "seed", "shard", "suite", "require-sandbox"],
    lists: ["lesson"],
  });
  const { values, lang, rest } = options;
  const [submissions, more] = rest;
  if (submissions === undefined) {
    throw new CommandError(
      { en: "Name the folder with the submissions.", ko: "제출물 폴더를 지정하세요." },
      EXAMPLE,
    );
  }
  if (more !== undefined) throw tooMany(more);
  const out = readOut(options);
  const shard = readShard(values.get("shard"));
  const required = readLevel(values.get("require-sandbox"));
  const workers = values.has("workers")
    ? wholeNumber(values.get("workers"), "--workers", 1)
    : navigator.hardwareConcurrency;
  const seed = values.has("seed") ? wholeNumber(values.get("seed"), "--seed", 0) : undefined;
  const lessons = chosenLessons(await courseLessons(root), options.lists.get("lesson")!);
  const suites = values.has("suite") ? userPath(values.get("suite")!) : undefined;
  const ownSuites = suites === undefined ? undefined : await readOwnSuites(suites, lessons);
  const roster = await readRoster(userPath(submissions));
  const sandbox = await bestSandbox();
  if (required && SANDBOX_LEVELS.indexOf(sandbox) > SANDBOX_LEVELS.indexOf(required)) {
    throw new CommandError({
      en:
        `This machine offers the sandbox "${sandbox}" only, and --require-sandbox asks for "${required}": nothing was graded.`,
      ko:
        `--require-sandbox 로 "${required}" 샌드박스를 요구했지만 이 컴퓨터에서는 "${sandbox}" 까지만 쓸 수 있어 채점하지 않았습니다.`,
    });
  }
  if (roster.strays.length > 0) console.error(strayLine(roster.strays, lang));

  const interrupt = new AbortController();
  let ended: number | undefined;
  for (const [name, status] of Object.entries(SIGNALS)) {
    if (Deno.build.os === "windows" && name !== "SIGINT") continue;
    Deno.addSignalListener(name as Deno.Signal, () => {
      ended = status;
      interrupt.abort();
    });
  }
  // Whoever kills `deno task` means this program, too.
  using _watch = new LauncherWatch(() => {
    ended = 137;
    interrupt.abort();
  });
  const progress = new ClassProgress(lang);
  const { graded, total } = await gradeClass({
    ownsProcess: true,
    root,
    roster,
    out,
    lessons,
    course: await courseVersion(root, suites),
    seed,
    shard,
    suites,
    ownSuites,
    importMap: Deno.env.get(SUITE_ENV.importMap),
    sandbox,
    lang,
    workers,
    retryErrors: options.flags.has("retry-errors"),
    signal: interrupt.signal,
    on: (event) => {
      if (event.event === "plan") progress.plan(event);
      else if (event.event === "lesson") progress.lesson();
      else progress.end(event.student.name, event.result);
    },
  });
  progress.clear();
  const done = lang === "ko"
    ? `${total}명 중 ${graded}명 채점 → ${values.get("out")}/index.html`
    : `${graded} of ${total} graded → ${values.get("out")}/index.html`;
  console.log(done);
  if (ended === undefined) return graded === total ? 0 : 2;
  console.error(
    lang === "ko"
      ? "중단되었습니다. 같은 명령을 다시 실행하면 이어서 채점합니다."
      : "Interrupted: the same command again goes on from here.",
  );
  return ended;
}

const EXAMPLE = {
  en: "For example: deno task class submissions --out results",
  ko: "예: deno task class submissions --out results",
};

async function merge(args: string[], root: string): Promise<number> {
  const options = readOptions(args, { values: ["out"] });
  const { rest, lang, values } = options;
  if (rest.length === 0) {
    throw new CommandError(
      { en: "Name the folders to join.", ko: "합칠 결과 폴더를 지정하세요." },
      {
        en: "For example: deno task class merge part1 part2 --out results",
        ko: "예: deno task class merge part1 part2 --out results",
      },
    );
  }
  const count = await mergeParts(root, rest.map((path) => userPath(path)), readOut(options));
  const [parts, out] = [rest.length, values.get("out")];
  console.log(
    lang === "ko"
      ? `조각 ${parts}개, ${count}명 → ${out}/index.html`
      : `${parts} parts, ${count} submissions → ${out}/index.html`,
  );
  return 0;
}

function readOut({ values }: Options): string {
  const out = values.get("out");
  if (out !== undefined) return userPath(out);
  throw new CommandError(
    { en: "Name the folder for the results with --out.", ko: "결과 폴더를 --out 으로 지정하세요." },
    EXAMPLE,
  );
}

function readShard(text: string | undefined): { index: number; of: number } | undefined {
  if (text === undefined) return undefined;
  const [, index, of] = (/^([1-9]\d{0,4})\/([1-9]\d{0,4})$/.exec(text) ?? []).map(Number);
  if (index !== undefined && of !== undefined && index <= of) return { index, of };
  throw new CommandError(
    {
      en: `--shard takes a part and their number, not "${text}".`,
      ko: `--shard 에는 조각 번호와 전체 조각 수가 필요합니다: "${text}"`,
    },
    { en: "For example: --shard 1/4", ko: "예: --shard 1/4" },
  );
}

function strayLine(strays: string[], lang: Lang): string {
  const shown = strays.slice(0, SHOWN_STRAYS).map((name) => `"${cleanLine(name)}"`).join(", ");
  const more = strays.length > SHOWN_STRAYS ? ", …" : "";
  return lang === "ko"
    ? `제출물이 아닌 파일: ${shown}${more}`
    : `Not taken for submissions: ${shown}${more}`;
}

/** Tells how far the grading is: on a terminal one line that changes, elsewhere a line for each student. */
class ClassProgress {
  readonly #screen = standardScreen();
  readonly #line = new ProgressLine(this.#screen);
  readonly #begin = performance.now();
  #total = 0;
  #left = 0;
  #lessons = 1;
  /** Lessons graded in this run. */
  #done = 0;
  /** How many of these belong to submissions that are done. */
  #settled = 0;

  constructor(readonly lang: Lang) {}

  plan({ total, left, lessons }: { total: number; left: number; lessons: number }): void {
    [this.#total, this.#left, this.#lessons] = [total, left, lessons];
    if (left < total) {
      const before = total - left;
      console.log(
        this.lang === "ko" ? `${before}명은 이미 채점되어 있습니다.` : `${before} graded before.`,
      );
    }
    this.#show();
  }

  lesson(): void {
    this.#done++;
    this.#show();
  }

  end(
    name: string,
    { score, max_score, status, duration_ms }: Pick<
      SubmissionResult,
      "score" | "max_score" | "status" | "duration_ms"
    >,
  ): void {
    this.#left--;
    // What could not be read has had no lessons.
    if (duration_ms > 0) this.#settled += this.#lessons;
    if (!this.#screen.isTerminal) {
      const count = `${this.#total - this.#left}/${this.#total}`;
      const error = status === "error" ? "  error" : "";
      const time = this.#left > 0 ? `  ${this.#timeLeft()}` : "";
      console.log(`${count}  ${fit(cleanLine(name), 40)}  ${score}/${max_score}${error}${time}`);
    }
    this.#show();
  }

  clear(): void {
    this.#line.clear();
  }

  #show(): void {
    if (this.#left <= 0) return this.#line.clear();
    const count = `${this.#total - this.#left}/${this.#total}`;
    this.#line.show(
      this.lang === "ko"
        ? `… ${count} 채점  ${this.#timeLeft()}`
        : `… ${count} graded  ${this.#timeLeft()}`,
    );
  }

  #timeLeft(): string {
    if (this.#done === 0) return "";
    const perLesson = (performance.now() - this.#begin) / this.#done;
    const left = this.#left * this.#lessons - (this.#done - this.#settled);
    const seconds = perLesson * left / 1000;
    const [amount, en, ko] = seconds < 90
      ? [Math.max(1, Math.round(seconds)), "s", "초"]
      : [Math.round(seconds / 60), "min", "분"];
    return this.lang === "ko" ? `약 ${amount}${ko} 남음` : `about ${amount} ${en} left`;
  }
}
