/**
 * The command from end to end, in a copy of the workbook, on folders of the tests' own.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SUITE_ENV } from "../records.ts";
import type { LessonResult } from "../result.ts";

const HERE = decodeURIComponent(new URL("../..", import.meta.url).pathname);
const SLUG = "01_create_bind";
/** Whether the standard library comes from JSR; else there is an import map, which the commands are given, too. */
const fromJsr = import.meta.resolve("@std/assert").startsWith("jsr:");
const importMap = Deno.env.get(SUITE_ENV.importMap) ??
  (fromJsr ? undefined : `${HERE}workbook/std/import_map.json`);

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else if (isFile) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A copy of the workbook with one lesson, in a folder whose name is awkward. */
class Workbook implements AsyncDisposable {
  private constructor(readonly base: string) {}

  static async create(): Promise<Workbook> {
    const base = await Deno.makeTempDir({ prefix: "workbook lesson 과제 " });
    const { root, temp } = new Workbook(base);
    await Promise.all([
      copy(`${HERE}workbook`, `${root}/workbook`),
      copy(`${HERE}tests/support`, `${root}/tests/support`),
      copy(`${HERE}lessons/${SLUG}`, `${root}/lessons/${SLUG}`),
      copy(`${HERE}solutions/${SLUG}`, `${root}/solutions/${SLUG}`),
      Deno.mkdir(temp),
    ]);
    await Deno.copyFile(`${HERE}deno.json`, `${root}/deno.json`);
    await Deno.copyFile(`${HERE}tests/${SLUG}_test.ts`, `${root}/tests/${SLUG}_test.ts`);
    return new Workbook(base);
  }

  get root(): string {
    return `${this.base}/the workbook`;
  }

  get temp(): string {
    return `${this.base}/temp`;
  }

  /**
   * A folder laid out like `lessons/` with that exercise. Returns its path.
   *
   * Its types are taken for known, which spares each grading the compiler, unless `checked` is set.
   */
  async target(name: string, exercise: string, { checked = false } = {}): Promise<string> {
    if (!checked) await this.#rememberTypes(exercise);
    await Deno.mkdir(`${this.base}/${name}/${SLUG}`, { recursive: true });
    await Deno.writeTextFile(`${this.base}/${name}/${SLUG}/exercise.ts`, exercise);
    return `${this.base}/${name}`;
  }

  async #rememberTypes(exercise: string): Promise<void> {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(exercise));
    const key = `${Deno.version.typescript} ${new Uint8Array(digest).toHex()}`;
    await Deno.mkdir(`${this.root}/.workbook`, { recursive: true });
    await Deno.writeTextFile(`${this.root}/.workbook/types.json`, JSON.stringify([key]));
  }

  command(args: string[], env: Record<string, string> = {}): Deno.Command {
    return new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-check",
        "--no-lock",
        "--cached-only",
        "-A",
        ...(importMap ? [`--import-map=${importMap}`] : []),
        `${this.root}/workbook/cli.ts`,
        "lesson",
        ...args,
      ],
      cwd: this.base,
      env: {
        INIT_CWD: this.base,
        LC_ALL: "C",
        TMPDIR: this.temp,
        DENO_NO_UPDATE_CHECK: "1",
        ...(importMap && { [SUITE_ENV.importMap]: importMap }),
        ...env,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  async run(args: string[], env?: Record<string, string>): Promise<Outcome> {
    const { code, stdout, stderr } = await this.command(args, env).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  async json(args: string[]): Promise<{ code: number; result: LessonResult; stderr: string }> {
    const { code, stdout, stderr } = await this.run([...args, "--json"]);
    return { code, stderr, result: JSON.parse(stdout) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.base, { recursive: true });
  }
}

/** Only task 6 is written, which needs no socket. */
const ADDRESSES = `export function formatAddress(addr: Deno.Addr): string {
  return "path" in addr ? "unix " + addr.path : addr.transport + " " + JSON.stringify(addr);
}
`;

/** The whole file is one line: nothing but what it is graded by is in it, and it has no type errors. */
const EMPTY = "export {};\n";

Deno.test("lesson ends with 0 for the model solution, and prints a line for each task", async () => {
  await using workbook = await Workbook.create();
  const { code, stdout, stderr } = await workbook.run(["1", "--solution", "--seed", "77"]);
  assertEquals(code, 0, stdout + stderr);
  assertEquals(stderr, "");
  const lines = stdout.split("\n").filter((line) => line.startsWith("✓ task "));
  assertEquals(lines.map((line) => line.slice(7, 8)), ["1", "2", "3", "4", "5", "6"]);
  assertMatch(stdout, /6 of 6 tasks passed, (\d+) of \1 points {2}\(\d+\.\d\d s, seed 77\)/);
  assertEquals([...Deno.readDirSync(workbook.temp)], []);
});

Deno.test({
  name: "lesson needs no folder for temporary files where no task needs one",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using workbook = await Workbook.create();
    const TMPDIR = `${workbook.temp}/none`;
    const { code, stdout, stderr } = await workbook.run(["1", "--solution"], { TMPDIR });
    assertEquals([code, stderr], [0, ""], stdout);
  },
});

Deno.test("lesson --json prints one document, whose totals are those of its tasks", async () => {
  await using workbook = await Workbook.create();
  const target = await workbook.target("answers", ADDRESSES);
  const { code, stdout, stderr } = await workbook.run([
    "1",
    "--json",
    "--target",
    target,
    "--seed=5",
    "--task",
    "6",
    "--task=1",
    "--task",
    "6",
  ]);
  assertEquals(stderr, "");
  assertEquals(
    stdout.trim().split("\n").length,
    JSON.stringify(JSON.parse(stdout), null, 2).split("\n").length,
  );
  const result: LessonResult = JSON.parse(stdout);
  assertEquals(code, 1);
  const { version, lesson, status, seed, score, max_score, duration_ms, tasks } = result;
  assertEquals([version, lesson, status, seed], [1, SLUG, "fail", 5]);
  assertEquals(result.target, target);
  assert(Number.isInteger(duration_ms));
  // The order is the lesson's, and a task that is asked for twice is graded once.
  assertEquals(tasks.map(({ task }) => task), [1, 6]);
  assertEquals(score, tasks.reduce((sum, task) => sum + task.score, 0));
  assertEquals(max_score, tasks.reduce((sum, task) => sum + task.max_score, 0));
  for (const { title, status, tests, output, duration_ms } of tasks) {
    assertEquals([typeof title, typeof output, typeof duration_ms], ["string", "string", "number"]);
    assertEquals(status, "fail");
    assert(tests.length > 0);
    for (const test of tests) {
      assertEquals([typeof test.name, typeof test.duration_ms], ["string", "number"]);
      assert(["pass", "fail"].includes(test.status));
      if (test.status !== "fail") continue;
      assertEquals(typeof test.message, "string");
      for (const { step, who } of test.transcript!) {
        assert(Number.isInteger(step) && ["you", "peer"].includes(who));
      }
    }
  }
  assert(tasks[1]!.tests.some((test) => test.mistake_line && test.mistake));
});

Deno.test("lesson --seed repeats a grading", async () => {
  await using workbook = await Workbook.create();
  const target = await workbook.target("answers", ADDRESSES);
  const args = ["1", "--target", target, "--task", "6"];
  const told = ({ result }: { result: LessonResult }) =>
    result.tasks[0]!.tests.map(({ name, status, message }) => ({ name, status, message }));
  const first = await workbook.json(args);
  const [again, other] = await Promise.all([
    workbook.json([...args, "--seed", `${first.result.seed}`]),
    workbook.json([...args, "--seed", "1"]),
  ]);
  assertEquals(told(again), told(first));
  assertEquals(again.result.seed, first.result.seed);
  assert(JSON.stringify(told(other)) !== JSON.stringify(told(first)));
});

Deno.test("lesson tells a file that is missing, or none, and does not pass it", async () => {
  await using workbook = await Workbook.create();
  const target = await workbook.target("missing", EMPTY);
  const grade = () => workbook.run(["1", "--target", target]);
  const exercise = `${target}/${SLUG}/exercise.ts`;
  const assertFails = ({ code, stdout, stderr }: Outcome) => {
    assertEquals([code, stderr], [1, ""], stdout);
    assertMatch(stdout, /\n0 of 6 tasks passed, 0 of \d+ points/);
  };
  await Deno.remove(exercise);
  const missing = await grade();
  assertFails(missing);
  assertStringIncludes(missing.stdout, "there is no such file");
  await Deno.mkdir(exercise);
  assertFails(await grade());
  await Deno.remove(`${target}/${SLUG}`, { recursive: true });
  assertFails(await grade());
});

Deno.test("lesson grades a file that is empty, or cannot be understood", async () => {
  await using workbook = await Workbook.create();
  for (const exercise of ["", EMPTY, "export function openTcpSocket( {\n", "\0\xff"]) {
    const target = await workbook.target("answers", exercise);
    const { code, stdout } = await workbook.run(["1", "--target", target, "--task", "1"]);
    assertEquals(code, 1, stdout);
    assertStringIncludes(stdout, "✗ task 1: ");
    assertStringIncludes(stdout, "0 of 1 tasks passed, 0 of ");
  }
});

Deno.test({
  name: "lesson does not pass a file that may not be read",
  // The superuser may read everything.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  fn: async () => {
    await using workbook = await Workbook.create();
    const target = await workbook.target("answers", ADDRESSES);
    await Deno.chmod(`${target}/${SLUG}/exercise.ts`, 0);
    const { code, stdout } = await workbook.run(["1", "--target", target, "--task", "6"]);
    assertEquals(code, 1, stdout);
  },
});

Deno.test("lesson says in a sentence on standard error what is wrong with the command, with status 2", async () => {
  await using workbook = await Workbook.create();
  const target = await workbook.target("answers", EMPTY);
  const cases: [string[], string][] = [
    [[], 'lesson takes a whole number from 1 up, not "".'],
    [["one"], 'lesson takes a whole number from 1 up, not "one".'],
    [["99"], "There is no lesson 99."],
    [["1", "2"], 'There is nothing to do with "2".'],
    [["1", "--tsk", "1"], "There is no option --tsk."],
    [["1", "--task", "7"], "Lesson 1 has no task 7."],
    // As `deno task lesson1 -- --task 7` gives it.
    [["1", "--", "--task", "7"], "Lesson 1 has no task 7."],
    [["1", "--task", "1", "--task", "0"], '--task takes a whole number from 1 up, not "0".'],
    [["1", "--seed", "1e3"], '--seed takes a whole number from 0 up, not "1e3".'],
    [["1", "--target", "nowhere"], 'There is no folder "nowhere".'],
    [
      ["1", "--target", `${target}/${SLUG}/exercise.ts`],
      `There is no folder "${target}/${SLUG}/exercise.ts".`,
    ],
    [["1", "--target", target, "--solution"], "Give either --solution or --target, not both."],
    [["1", "--lang", "fr"], 'There is no language "fr".'],
  ];
  // Two at a time: that is as many as the machine may have cores.
  while (cases.length > 0) {
    await Promise.all(
      cases.splice(0, 2).map(async ([args, sentence]) => {
        const { code, stdout, stderr } = await workbook.run(args);
        assertEquals([code, stdout, stderr.split("\n")[0]], [2, "", sentence]);
        assert(stderr.trimEnd().split("\n").length <= 2, stderr);
      }),
    );
  }
});

Deno.test("lesson shows a type error with file and line after the verdict, which it does not change", async () => {
  await using workbook = await Workbook.create();
  const solution = await Deno.readTextFile(`${workbook.root}/solutions/${SLUG}/exercise.ts`);
  const target = await workbook.target("answers", `const port: number = "80";\n${solution}`, {
    checked: true,
  });
  const args = ["1", "--target", target, "--task", "6"];
  const { code, stdout, stderr } = await workbook.run(args);
  assertEquals([code, stderr], [0, ""], stdout);
  const at = (text: string) => stdout.indexOf(text);
  assert(at("1 of 1 tasks passed") < at("Type errors (they do not change the verdict):"));
  assertStringIncludes(stdout.replaceAll(/\n */g, ""), `${target}/${SLUG}/exercise.ts:1:7`);
  assertStringIncludes(stdout, 'const port: number = "80";');
  const json = await workbook.json(args);
  assertEquals([json.code, json.result.status], [0, "pass"]);
  assertStringIncludes(json.stderr, "TS2322");
});

for (const name of ["내 답안 (1)", "100% of it", "C# [a]", "one, two"]) {
  Deno.test(`lesson grades a folder called "${name}", from the folder it was started in`, async () => {
    await using workbook = await Workbook.create();
    const solution = `${workbook.root}/solutions/${SLUG}/exercise.ts`;
    await workbook.target(name, await Deno.readTextFile(solution));
    const { code, result } = await workbook.json(["1", "--target", `./${name}/`, "--task", "6"]);
    assertEquals([code, result.status], [0, "pass"], JSON.stringify(result.tasks[0]?.tests[0]));
    assertEquals(result.target, `./${name}`);
  });
}

Deno.test("lesson speaks Korean when asked, and where the environment does", async () => {
  await using workbook = await Workbook.create();
  const target = await workbook.target("answers", EMPTY);
  const args = ["1", "--target", target, "--task", "1"];
  const [asked, set] = await Promise.all([
    workbook.run([...args, "--lang", "ko", "--seed", "1"]),
    workbook.run([...args, "--seed", "1"], { LC_ALL: "ko_KR.UTF-8" }),
  ]);
  for (const { code, stdout } of [asked, set]) {
    assertEquals(code, 1);
    assertStringIncludes(stdout, "\n1강: ");
    assertMatch(stdout, /다음: .*deno task hint 1 1/);
    assertStringIncludes(stdout, "0점");
  }
  const wrong = await workbook.run(["77", "--lang", "ko"]);
  assertEquals([wrong.code, wrong.stderr.split("\n")[0]], [2, "77강은 없습니다."]);
});

Deno.test("lesson writes no escape codes into a pipe, also not the learner's own", async () => {
  await using workbook = await Workbook.create();
  const target = await workbook.target(
    "answers",
    'export const openTcpSocket = () => { console.log("\\x1b[31mred"); throw "\\x1b[2J"; };\n',
  );
  const environments: Record<string, string>[] = [
    { NO_COLOR: "1", TERM: "xterm" },
    { NO_COLOR: "", TERM: "xterm", FORCE_COLOR: "1" },
  ];
  for (const env of environments) {
    const { stdout, stderr } = await workbook.run(["1", "--target", target, "--task", "1"], env);
    assertStringIncludes(stdout, "red");
    assert(!(stdout + stderr).includes("\x1b"), stdout);
  }
});

/** Command lines of the processes that mention `text`; none is known where there is no /proc. */
function processesWith(text: string): string[] {
  if (Deno.build.os !== "linux") return [];
  const found: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      if (line.includes(text)) found.push(line.replaceAll("\0", " "));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  for (const flags of [[], ["--json"]]) {
    const name = `lesson ${flags.join("")} ends soon at ${signal}, and nothing of it stays behind`;
    Deno.test(name.replaceAll("  ", " "), async () => {
      await using workbook = await Workbook.create();
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const target = await workbook.target(
        "answers",
        `await Deno.connect({ hostname: "127.0.0.1", port: ${listener.addr.port} });\nfor (;;);\n`,
      );
      await using process = workbook.command(["1", "--target", target, ...flags]).spawn();
      const output = Promise.all([process.stdout.text(), process.stderr.text()]);
      // The exercise runs, and neither hears nor answers any more. A second process of it is the spare.
      using first = await listener.accept();
      using second = await listener.accept();
      process.kill(signal);
      const { code } = await process.status;
      assertEquals(code, 130);
      for (const conn of [first, second]) await conn.read(new Uint8Array(1)).catch(() => null);
      assertEquals(processesWith(workbook.base), []);
      assertEquals([...Deno.readDirSync(workbook.temp)], []);
      const [stdout, stderr] = await output;
      assertEquals(stderr, "");
      if (flags.length > 0) assertEquals(stdout, "");
      else assert(!stdout.includes("tasks passed"), stdout);
    });
  }
}
