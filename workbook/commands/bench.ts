/**
 * `deno task bench`: from the command to the verdict, measured from outside.
 *
 * For each lesson, its solved exercise is graded as a learner would (`deno task lessonN --solution`), in turn with a
 * bare `deno test` of as many empty tests. Times are whole processes, medians of several runs; what tasks wait for
 * by their nature is told apart. `deno task bench watch` measures from saving to the verdict.
 *
 * `deno task bench class` measures the grading of a whole class.
 *
 * `deno task bench web` measures something else: the learner's web server of lesson 6 beside `Deno.serve()`.
 *
 * @module
 */

import { type LessonInfo, lessonSlugs, readLesson } from "../course.ts";
import { SUITE_ENV } from "../records.ts";
import { median, spread } from "../statistics.ts";
import { runSuite } from "../suite.ts";
import { benchClass } from "./bench_class.ts";
import { benchWatch } from "./bench_watch.ts";
import { readOptions, wholeNumber } from "./options.ts";

const RUNS = 10;
const LIMIT_MS = 500;

interface Row {
  lesson: number;
  tests: number;
  waitsMs: number;
  lessonMs: number[];
  bareMs: number[];
}

/** Measures all lessons, or those whose numbers are given. Exit status 1 if one is over the limit. */
export async function benchCommand(args: string[], root: string): Promise<number> {
  if (args[0] === "class") return await benchClass(root, args.slice(1));
  if (args[0] === "web") return await benchWeb(root, args.slice(1));
  const options = readOptions(args, { values: ["runs"] });
  const runs = options.values.has("runs")
    ? wholeNumber(options.values.get("runs"), "--runs", 1)
    : RUNS;
  if (options.rest.length === 1 && options.rest[0] === "watch") return await benchWatch(root, runs);
  const wanted = options.rest.map((text) => wholeNumber(text, "bench", 1));
  const rows: Row[] = [];
  for (const slug of await lessonSlugs(root)) {
    const lesson = await readLesson(root, slug);
    if (wanted.length > 0 && !wanted.includes(lesson.number)) continue;
    rows.push(await measure(root, lesson, runs));
  }
  console.log(
    `Start to verdict of a solved lesson, and a bare deno test of as many empty tests, in turn.\n` +
      `Median of ${runs} runs each (lowest–highest), in ms; ${navigator.hardwareConcurrency} cores, ` +
      `Deno ${Deno.version.deno}.\n`,
  );
  const head = [
    "lesson",
    "tests",
    "verdict",
    "inherent waits",
    "without waits",
    "bare deno test",
    "ratio",
  ];
  const body = rows.map((row) => {
    const verdict = median(row.lessonMs);
    const own = verdict - row.waitsMs;
    return [
      `${row.lesson}`,
      `${row.tests}`,
      spread(row.lessonMs),
      `${row.waitsMs}`,
      `${Math.round(own)}`,
      spread(row.bareMs),
      (own / median(row.bareMs)).toFixed(1),
    ];
  });
  const widths = head.map((title, i) =>
    Math.max(title.length, ...body.map((row) => row[i]!.length))
  );
  for (const row of [head, ...body]) {
    console.log(row.map((cell, i) => cell.padStart(widths[i]!)).join("  "));
  }
  const slow = rows.filter((row) => median(row.lessonMs) - row.waitsMs > LIMIT_MS);
  const numbers = slow.map((row) => row.lesson).join(", ");
  console.log(
    slow.length === 0
      ? `\nEach is under ${LIMIT_MS} ms plus its waits.`
      : `\nOver ${LIMIT_MS} ms plus waits: lesson ${numbers}.`,
  );
  return slow.length === 0 ? 0 : 1;
}

/** Runs the measurement of lesson 6, with the standard library that is in force. */
async function benchWeb(root: string, args: string[]): Promise<number> {
  const importMap = Deno.env.get(SUITE_ENV.importMap);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-lock",
      "--allow-all",
      ...(importMap ? [`--import-map=${importMap}`] : []),
      `${root}/lessons/06_web_server/measure.ts`,
      ...args,
    ],
    cwd: root,
    stdin: "null",
  }).spawn();
  return (await child.status).code;
}

async function measure(root: string, lesson: LessonInfo, runs: number): Promise<Row> {
  const { plan } = await runSuite({
    root,
    slug: lesson.slug,
    target: { path: `${root}/solutions`, label: "solutions" },
    seed: 1,
    importMap: Deno.env.get(SUITE_ENV.importMap),
  });
  const row: Row = {
    lesson: lesson.number,
    tests: plan.length,
    waitsMs: plan.reduce((sum, test) => sum + test.waitsMs, 0),
    lessonMs: [],
    bareMs: [],
  };
  const folder = await Deno.makeTempDir({ prefix: "workbook_bench_" });
  try {
    const empty = `${folder}/empty_test.ts`;
    await Deno.writeTextFile(
      empty,
      plan.map((_, i) => `Deno.test("test ${i + 1}", () => {});\n`).join(""),
    );
    const graded = ["task", `lesson${lesson.number}`, "--solution"];
    const bare = ["test", "--no-check", "--no-config", empty];
    // One round to warm the caches, which learners have warm from their second save on.
    for (let run = -1; run < runs; run++) {
      const [a, b] = [await time(root, graded), await time(root, bare)];
      if (run < 0) continue;
      row.lessonMs.push(a);
      row.bareMs.push(b);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return row;
}

/** How long a command takes as a whole process, in milliseconds. Throws if it fails. */
async function time(root: string, args: string[]): Promise<number> {
  const begin = performance.now();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const ms = performance.now() - begin;
  if (code !== 0) {
    throw new Error(
      `deno ${args.join(" ")} failed: ${new TextDecoder().decode(stderr).slice(0, 500)}`,
    );
  }
  return ms;
}
