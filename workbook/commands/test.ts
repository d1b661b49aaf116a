/**
 * `deno task test`: everything the project checks about itself.
 *
 * Ends with a line `N passed, N failed`, counted from what ran.
 *
 * @module
 */

import { lessonSlugs } from "../course.ts";
import { SUITE_ENV } from "../records.ts";
import { drawSeed, runSuite } from "../suite.ts";
import { runCheck, shuffled } from "./check.ts";
import { readOptions, wholeNumber } from "./options.ts";

/** How often each model solution is graded, its tests in another order each time. */
const REPEATS = 3;

/** The unit tests are ended after this time: they take a minute or two. */
const UNIT_TESTS_MS = 20 * 60_000;

const CORES = navigator.hardwareConcurrency;

/** Gradings at a time: more than cores, since a submission that hangs is waited for. */
const GRADERS = 2 * CORES;

/**
 * Which part of what learners are told may differ from the golden files. Which of two things a test sees first may
 * depend on how busy the machine is; a program that says things otherwise differs everywhere. `check` tolerates none.
 */
const TOLERATED_WORDINGS = 0.05;

/** What one stage counted. */
interface Count {
  passed: number;
  failed: number;
}

/** Runs all stages, whatever becomes of one. Exit status 0 if nothing failed, 1 if something did. */
export async function testCommand(args: string[], root: string): Promise<number> {
  const options = readOptions(args, { values: ["repeats"] });
  const repeats = options.values.has("repeats")
    ? wholeNumber(options.values.get("repeats"), "--repeats", 1)
    : REPEATS;
  const importMap = Deno.env.get(SUITE_ENV.importMap);
  const mapped = importMap ? [`--import-map=${importMap}`] : [];
  const deno = (...args: string[]) => runDeno(root, args);
  const stages: [string, () => Promise<Count>][] = [
    ["format", () => deno("fmt", "--check")],
    ["lint", () => deno("lint", "--quiet")],
    ["types", async () => deno("check", "--quiet", "--no-lock", ...mapped, ...await sources(root))],
    ["unit tests", () => unitTests(root, importMap)],
    ["lessons (a part of the wrong submissions; deno task check grades all)", async () => {
      const { passed, problems, wordings, compared } = await runCheck(root, {
        brief: true,
        workers: GRADERS,
      });
      for (const problem of problems) console.log(`  ✗ ${problem}`);
      for (const wording of wordings) console.log(`  - ${wording}`);
      const isMuch = wordings.length > compared * TOLERATED_WORDINGS;
      return { passed, failed: problems.length + (isMuch ? wordings.length : 0) };
    }],
    [`solutions, ${repeats} times in random order`, () => solutions(root, repeats, importMap)],
  ];
  const total: Count = { passed: 0, failed: 0 };
  for (const [name, run] of stages) {
    const begin = performance.now();
    console.log(`${name} …`);
    const { passed, failed } = await run();
    total.passed += passed;
    total.failed += failed;
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    console.log(
      `${failed === 0 ? "✓" : "✗"} ${name}: ${passed} passed, ${failed} failed, ${seconds} s`,
    );
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
}

/** Files whose types are checked: all but the submissions that are wrong on purpose. */
export async function sources(root: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
      const path = `${folder}/${name}`;
      if (["tests/wrong", "tests/misbehaving", "tests/golden"].includes(path)) continue;
      if (isDirectory) await visit(path);
      else if (/^tests\/hostile\/\d\d_/.test(path)) continue;
      else if (name.endsWith(".ts")) found.push(path);
    }
  };
  // The learner's own files in lessons/ are theirs: their types are looked at when they are graded.
  for (const folder of ["workbook", "tests", "solutions"]) await visit(folder);
  return found.sort();
}

async function runDeno(root: string, args: string[]): Promise<Count> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  if (code === 0) return { passed: 1, failed: 0 };
  console.log(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  return { passed: 0, failed: 1 };
}

async function unitTests(root: string, importMap: string | undefined): Promise<Count> {
  const mapped = importMap ? [`--import-map=${importMap}`] : [];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--no-check",
      "--no-lock",
      "--cached-only",
      "--allow-all",
      "--parallel",
      ...mapped,
      "workbook",
      "tests/interop",
      "tests/support",
    ],
    cwd: root,
    stdin: "null",
    signal: AbortSignal.timeout(UNIT_TESTS_MS),
    env: {
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      // One more than cores, since most of them wait for processes of theirs.
      DENO_JOBS: String(CORES + 1),
      // Tests that start the program need to know which library is in force.
      ...(importMap && { [SUITE_ENV.importMap]: importMap }),
    },
  }).output();
  const text = new TextDecoder().decode(stdout);
  const [, passed, failed] = /(\d+) passed[^|]*\| (\d+) failed/.exec(text) ?? [];
  if (code !== 0 || passed === undefined) {
    console.log(text + new TextDecoder().decode(stderr));
    return { passed: Number(passed ?? 0), failed: Math.max(1, Number(failed ?? 1)) };
  }
  return { passed: Number(passed), failed: Number(failed) };
}

/** Grades every model solution again and again, the lessons and their tests in random order. */
async function solutions(
  root: string,
  repeats: number,
  importMap: string | undefined,
): Promise<Count> {
  const target = { path: `${root}/solutions`, label: "solutions" };
  const slugs = await lessonSlugs(root);
  const queue = shuffled(Array.from({ length: repeats }, () => slugs).flat());
  const count: Count = { passed: 0, failed: 0 };
  const grade = async (slug: string) => {
    const seed = drawSeed();
    const report = await runSuite({ root, slug, target, seed, shuffle: seed, importMap });
    const bad = [...report.tests.values()].filter((test) => test.status !== "pass");
    if (bad.length === 0 && !report.trouble) {
      count.passed++;
      return;
    }
    count.failed++;
    console.log(`  ✗ ${slug}, seed ${seed}: ${report.trouble?.en ?? ""}`);
    for (const { index, failure } of bad) {
      const name = report.plan.find((test) => test.index === index)?.name.en;
      console.log(`    ${name}: ${failure?.received?.en ?? failure?.notes[0]?.en}`);
    }
  };
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await grade(next);
  };
  await Promise.all(Array.from({ length: CORES }, work));
  return count;
}
