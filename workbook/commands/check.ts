/**
 * `deno task check`: what maintainers run. Every lesson has all its parts, every submission is graded as its first
 * line announces, and what learners are told is what the golden files keep.
 *
 * @module
 */

import { goldenProblems, type GoldenUpdate, strayGoldens } from "../check/golden.ts";
import { type Graded, gradeSubmission, verdictLine, verdictProblems } from "../check/gradings.ts";
import { partProblems, planProblems, strayProblems, stubProblems } from "../check/parts.ts";
import { readmeProblems } from "../check/readme.ts";
import { type Submission, submissionsOf } from "../check/submissions.ts";
import { type LessonInfo, lessonSlugs, readLesson, readMistakes } from "../course.ts";
import { SUITE_ENV } from "../records.ts";
import { ProgressLine, standardScreen } from "../terminal.ts";
import { LANGUAGES } from "../text.ts";
import { readOptions, wholeNumber } from "./options.ts";

/** Golden files are made with this seed. */
const GOLDEN_SEED = 20261121;
const WORKERS = 2;

/**
 * Checks all lessons, or those whose numbers are given.
 *
 * `--update` writes the golden files; `--or` adds what is told now to what they keep. `--repeat R` grades every submission R times with different seeds and reports
 * each verdict that differs; `--busy B` keeps B processes busy meanwhile; `--only TEXT` takes submissions by name.
 */
export async function checkCommand(args: string[], root: string): Promise<number> {
  const options = readOptions(args, {
    flags: ["update", "or"],
    values: ["repeat", "busy", "only", "workers"],
  });
  const number = (name: string, fallback: number) =>
    options.values.has(name) ? wholeNumber(options.values.get(name), `--${name}`, 0) : fallback;
  const busy = Array.from({ length: number("busy", 0) }, startBusyProcess);
  try {
    const { gradings, submissions, ...found } = await runCheck(root, {
      lessons: options.rest.map((text) => wholeNumber(text, "check", 1)),
      update: options.flags.has("or") ? "too" : options.flags.has("update") ? "instead" : "no",
      repeat: number("repeat", 0),
      workers: Math.max(1, number("workers", WORKERS)),
      only: options.values.get("only") ?? "",
    });
    const problems = [...found.problems, ...found.wordings];
    for (const problem of problems) console.log(`✗ ${problem}`);
    console.log(
      `${gradings} gradings of ${submissions} submissions, ${problems.length} problems`,
    );
    return problems.length === 0 ? 0 : 1;
  } finally {
    for (const process of busy) process.kill("SIGKILL");
    await Promise.all(busy.map((process) => process.status));
  }
}

/** What a check found. */
export interface CheckReport {
  gradings: number;
  submissions: number;
  /** Gradings without a problem. */
  passed: number;
  problems: string[];
  /** Where learners are told something else than the golden files keep. */
  wordings: string[];
  /** How many golden files were looked at. */
  compared: number;
}

/** Checks lessons. */
export async function runCheck(
  root: string,
  { lessons = [], ...options }: Partial<CheckOptions> & { lessons?: number[] } = {},
): Promise<CheckReport> {
  const slugs = await lessonSlugs(root);
  const chosen = slugs.filter((slug) =>
    lessons.length === 0 || lessons.includes(Number(slug.slice(0, 2)))
  );
  const check = new Check(root, {
    update: "no",
    repeat: 0,
    workers: WORKERS,
    only: "",
    brief: false,
    ...options,
  });
  check.problems.push(...await strayProblems(root, slugs));
  const all = await Promise.all(slugs.map((slug) => readLesson(root, slug)));
  check.problems.push(...await readmeProblems(root, all, (options.update ?? "no") !== "no"));
  const plans: LessonPlan[] = [];
  for (const slug of chosen) plans.push(await check.lesson(await readLesson(root, slug)));
  await check.run(plans.flatMap(({ gradings }) => gradings));
  for (const { finish } of plans) await finish();
  const { gradings, submissions, passed, problems, wordings, compared } = check;
  return { gradings, submissions, passed, problems, wordings, compared };
}

/** A process that keeps one core busy, for at most an hour. */
function startBusyProcess(): Deno.ChildProcess {
  const code = "const end = Date.now() + 3_600_000; while (Date.now() < end);";
  return new Deno.Command(Deno.execPath(), { args: ["eval", code], stdin: "null" }).spawn();
}

interface CheckOptions {
  update: GoldenUpdate;
  repeat: number;
  workers: number;
  only: string;
  /** Grades a part of the wrong submissions, drawn anew each time, and a part of their tasks. */
  brief: boolean;
}

/** What there is to do for a lesson: its gradings, in any order, and what is said when all have been made. */
interface LessonPlan {
  gradings: (() => Promise<void>)[];
  finish: () => Promise<void>;
}

class Check {
  readonly problems: string[] = [];
  readonly wordings: string[] = [];
  compared = 0;
  gradings = 0;
  passed = 0;
  submissions = 0;
  readonly #root: string;
  readonly #options: CheckOptions;
  readonly #importMap = Deno.env.get(SUITE_ENV.importMap);
  readonly #progress = new ProgressLine(standardScreen());

  constructor(root: string, options: CheckOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Makes all gradings, as many at a time as there are workers. */
  async run(gradings: (() => Promise<void>)[]): Promise<void> {
    const left = [...gradings];
    const work = async () => {
      for (let next = left.shift(); next; next = left.shift()) {
        await next();
        this.#progress.show(`${gradings.length - left.length}/${gradings.length}`);
      }
    };
    await Promise.all(Array.from({ length: this.#options.workers }, work));
    this.#progress.clear();
  }

  /** Checks the parts of a lesson, and plans the gradings of its submissions. */
  async lesson(lesson: LessonInfo): Promise<LessonPlan> {
    const { slug, tasks } = lesson;
    const root = this.#root;
    const all = await submissionsOf(root, slug, tasks.map(({ task }) => task));
    this.problems.push(...await partProblems(root, lesson, all));
    this.problems.push(...await stubProblems(root, lesson, this.#options.update !== "no"));
    const mistakes = await readMistakes(root, slug);
    const sound = all.filter(({ name, trouble }) => !trouble && name.includes(this.#options.only));
    const submissions = this.#options.brief ? someOf(sound) : sound;
    this.submissions += submissions.length;
    const { brief, repeat, update } = this.#options;
    const setting = { root, lesson, mistakes, importMap: this.#importMap, brief };
    const verdicts = new Map<string, Map<string, number>>();
    const grade = async (submission: Submission, seed: number) => {
      const graded = await gradeSubmission(submission, { ...setting, seed });
      this.gradings++;
      const problems = verdictProblems(graded);
      if (problems.length === 0) this.passed++;
      if (repeat > 0) {
        note(verdicts, submission.name, verdictLine(graded));
        if (problems.length > 0) this.#tell(problems, seed);
        return;
      }
      this.problems.push(...problems);
      if (hasGolden(submission)) {
        this.compared += LANGUAGES.length;
        this.wordings.push(...await goldenProblems(root, slug, { ...graded, update }));
      }
      if (submission.kind === "solution") this.#checkPlan(lesson, graded, all, mistakes);
    };
    const finish = async () => {
      for (const [name, lines] of verdicts) {
        if (lines.size < 2) continue;
        const list = [...lines].map(([line, count]) => `\n    ${count} × ${line}`).join("");
        this.problems.push(`${slug} ${name}: verdicts differ${list}`);
      }
      if (repeat === 0 && !this.#options.only) {
        const golden = all.filter(hasGolden);
        this.problems.push(...await strayGoldens(root, slug, golden, update !== "no"));
      }
    };
    const rounds = repeat === 0 ? [GOLDEN_SEED] : Array.from({ length: repeat }, (_, i) => i + 1);
    const gradings = rounds.flatMap((seed) =>
      submissions.map((submission) => () => grade(submission, seed))
    );
    return { gradings, finish };
  }

  #tell(problems: string[], seed: number): void {
    const fresh = problems.map((problem) => `${problem} (seed ${seed})`);
    this.problems.push(...fresh);
  }

  #checkPlan(
    lesson: LessonInfo,
    { report }: Graded,
    submissions: Submission[],
    mistakes: Map<string, unknown>,
  ): void {
    const own = [...new Set(submissions.flatMap(({ mistake }) => mistake ?? []))];
    this.problems.push(...planProblems(lesson, report.plan, { own, known: [...mistakes.keys()] }));
  }
}

/** What a brief check grades: a wrong submission of every second mistake, a third of those that misbehave, all others. */
function someOf(submissions: Submission[]): Submission[] {
  const isByChance = ({ kind }: Submission) => kind === "wrong" || kind === "misbehaving";
  const wrong = submissions.filter(({ kind }) => kind === "wrong");
  const misbehaving = submissions.filter(({ kind }) => kind === "misbehaving");
  const byMistake = [...Map.groupBy(shuffled(wrong), ({ mistake }) => mistake).values()];
  const taken = [
    ...part(shuffled(byMistake), 2).map(([first]) => first!),
    ...part(shuffled(misbehaving), 3),
  ];
  return submissions.filter((submission) => !isByChance(submission) || taken.includes(submission));
}

/** One of `n` of a list. */
function part<T>(list: T[], n: number): T[] {
  return list.slice(0, Math.ceil(list.length / n));
}

/** A list in an order by chance. */
export function shuffled<T>(list: T[]): T[] {
  return list.map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

function hasGolden({ kind }: Submission): boolean {
  return kind === "wrong" || kind === "misbehaving" || kind === "stub";
}

function note(verdicts: Map<string, Map<string, number>>, name: string, line: string): void {
  const lines = verdicts.get(name) ?? new Map<string, number>();
  lines.set(line, (lines.get(line) ?? 0) + 1);
  verdicts.set(name, lines);
}
