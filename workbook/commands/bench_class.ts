/**
 * `deno task bench class`: how many full submissions are graded per minute, by one worker and by two.
 *
 * The submissions are mixed: of every three exercises one is the model solution, one a right one written otherwise,
 * one wrong. Told besides is how much of the grading is waiting that tasks need by their nature, which no machine
 * makes shorter.
 *
 * @module
 */

import { type LessonInfo } from "../course.ts";
import { courseLessons } from "../grading/submission.ts";
import { SUITE_ENV } from "../records.ts";
import { runSuite } from "../suite.ts";
import { pathOf } from "../std/paths.ts";
import { readOptions, wholeNumber } from "./options.ts";

const SUBMISSIONS = 100;
const LEAST_SPEED_UP = 1.7;

/** Measures. Exit status 1 if two workers are not fast enough, or a submission got no verdict. */
export async function benchClass(root: string, args: string[]): Promise<number> {
  const { values } = readOptions(args, { values: ["submissions"] });
  const count = values.has("submissions")
    ? wholeNumber(values.get("submissions"), "--submissions", 1)
    : SUBMISSIONS;
  const lessons = await courseLessons(root);
  const folder = await Deno.makeTempDir({ prefix: "workbook_bench_class_" });
  try {
    await writeSubmissions(root, `${folder}/submissions`, { lessons, count });
    const waitsMs = await inherentWaits(root, lessons);
    console.log(
      `${count} submissions of ${lessons.length} lessons, ${navigator.hardwareConcurrency} cores, ` +
        `Deno ${Deno.version.deno}\n`,
    );
    const runs: Run[] = [];
    for (const workers of [1, 2]) {
      const run = await measure(root, folder, workers);
      runs.push(run);
      const perMinute = (60_000 * count / run.wallMs).toFixed(1);
      const share = (100 * waitsMs * count / run.gradingMs).toFixed(0);
      console.log(
        `${workers} ${workers === 1 ? "worker " : "workers"}  ${
          (run.wallMs / 1000).toFixed(1)
        } s  ${perMinute} submissions per minute  ` +
          `inherent waits ${share} % of the grading  ${run.errors} without a verdict`,
      );
    }
    const [one, two] = runs as [Run, Run];
    const speedUp = one.wallMs / two.wallMs;
    const differ = two.scores !== one.scores;
    console.log(`\nSpeed-up from 1 to 2 workers: ${speedUp.toFixed(2)}`);
    if (differ) console.log("The two runs gave different points.");
    return speedUp >= LEAST_SPEED_UP && one.errors + two.errors === 0 && !differ ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Run {
  wallMs: number;
  /** Of all submissions together. */
  gradingMs: number;
  errors: number;
  scores: string;
}

async function measure(root: string, folder: string, workers: number): Promise<Run> {
  const importMap = Deno.env.get(SUITE_ENV.importMap);
  const out = `${folder}/results${workers}`;
  const begin = performance.now();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-lock",
      "--cached-only",
      "--allow-all",
      ...(importMap ? [`--import-map=${importMap}`] : []),
      pathOf(new URL("../cli.ts", import.meta.url)),
      "class",
      `${folder}/submissions`,
      `--out=${out}`,
      `--workers=${workers}`,
    ],
    cwd: root,
    stdin: "null",
    stdout: "null",
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const wallMs = performance.now() - begin;
  if (code !== 0) throw new Error(`The class was not graded: ${new TextDecoder().decode(stderr)}`);
  let gradingMs = 0;
  let errors = 0;
  const scores: string[] = [];
  for await (const { name } of Deno.readDir(`${out}/run/graded`)) {
    const { result } = JSON.parse(await Deno.readTextFile(`${out}/run/graded/${name}`));
    gradingMs += result.duration_ms;
    if (result.status === "error") errors++;
    scores.push(`${name} ${result.score}`);
  }
  return { wallMs, gradingMs, errors, scores: scores.sort().join("\n") };
}

/** What the tests of all lessons wait for by their nature, in milliseconds. */
async function inherentWaits(root: string, lessons: LessonInfo[]): Promise<number> {
  let waitsMs = 0;
  for (const { slug } of lessons) {
    const target = { path: `${root}/solutions`, label: "solutions" };
    const importMap = Deno.env.get(SUITE_ENV.importMap);
    const { plan } = await runSuite({ root, slug, target, seed: 1, importMap });
    waitsMs += plan.reduce((sum, test) => sum + test.waitsMs, 0);
  }
  return waitsMs;
}

async function writeSubmissions(
  root: string,
  to: string,
  { lessons, count }: { lessons: LessonInfo[]; count: number },
): Promise<void> {
  for (const [at, { slug }] of lessons.entries()) {
    const solution = `${root}/solutions/${slug}/exercise.ts`;
    const right = await filesIn(`${root}/tests/right/${slug}`);
    const wrong = await filesIn(`${root}/tests/wrong/${slug}`);
    for (let i = 0; i < count; i++) {
      const kinds = [[solution], right, wrong].map((pool) => pool.length > 0 ? pool : [solution]);
      const pool = kinds[(i + at) % kinds.length]!;
      const folder = `${to}/student${String(i + 1).padStart(4, "0")}/${slug}`;
      await Deno.mkdir(folder, { recursive: true });
      await Deno.copyFile(pool[Math.floor(i / 3) % pool.length]!, `${folder}/exercise.ts`);
    }
  }
}

async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".ts")) files.push(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files.sort();
}
