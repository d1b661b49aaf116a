import { existsSync } from "node:fs";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FORMATS } from "../grading/formats/formats.ts";
import type { SubmissionResult } from "../grading/model.ts";
import { bestSandbox, holds } from "../grading/sandbox.ts";
import { SUITE_ENV } from "../records.ts";
import { pathOf } from "../std/paths.ts";

const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");
const importMap = Deno.env.get(SUITE_ENV.importMap);

function command(args: string[], env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-lock",
      "--cached-only",
      "--allow-all",
      ...(importMap ? [`--import-map=${importMap}`] : []),
      `${root}/workbook/cli.ts`,
      "grade",
      ...args,
    ],
    cwd: root,
    env: {
      NO_COLOR: "1",
      LC_ALL: "C",
      ...(importMap && { [SUITE_ENV.importMap]: importMap }),
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(args: string[], env?: Record<string, string>) {
  const { code, stdout, stderr } = await command(args, env).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A temporary folder, removed at the end. */
function temporary() {
  const path = Deno.makeTempDirSync({ prefix: "workbook_grade_test_" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("grade writes the result of several lessons in place of a zero result", async () => {
  using folder = temporary();
  const out = `${folder.path}/result.json`;
  const { code, stdout, stderr } = await run(
    [
      "solutions",
      "--lesson",
      "1",
      "--lesson",
      "2",
      "--format",
      "json",
      "--out",
      out,
      "--seed",
      "9",
    ],
  );
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "28/28");
  const result = JSON.parse(await Deno.readTextFile(out)) as SubmissionResult;
  assertEquals([result.status, result.score, result.max_score, result.seed], ["pass", 28, 28, 9]);
  assertEquals(result.sandbox, await bestSandbox());
  assertEquals(Array.from(Deno.readDirSync(folder.path)).length, 1);
});

Deno.test("grade tells in its exit status that a task failed", async () => {
  const { code, stdout } = await run(["lessons", "--lesson", "1", "--format", "json"]);
  assertEquals([code, JSON.parse(stdout).status], [1, "fail"]);
  const exercism = await run(["lessons", "--lesson", "1", "--format", "exercism"]);
  assertEquals([exercism.code, JSON.parse(exercism.stdout).status], [0, "fail"]);
});

for (const signal of ["SIGKILL", "SIGTERM", "SIGINT"] as const) {
  Deno.test(`grade leaves a zero result when ${signal} ends it`, async () => {
    using folder = temporary();
    const out = `${folder.path}/result.json`;
    await Deno.mkdir(`${folder.path}/ada/01_create_bind`, { recursive: true });
    await Deno.writeTextFile(`${folder.path}/ada/01_create_bind/exercise.ts`, "for (;;);\n");
    const args = [`${folder.path}/ada`, "--lesson", "1", "--format", "json", "--out", out];
    const process = command(args).spawn();
    const ended = process.output();
    while (await Promise.race([Deno.stat(out).catch(() => "not yet"), ended]) === "not yet") {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    process.kill(signal);
    const { code } = await ended;
    assert(code !== 0);
    if (signal !== "SIGKILL") assertEquals(code, signal === "SIGTERM" ? 143 : 130);
    const result = JSON.parse(await Deno.readTextFile(out)) as SubmissionResult;
    assertEquals([result.status, result.score, result.max_score], ["error", 0, 12]);
  });
}

Deno.test("grade replaces an older result before it begins", async () => {
  using folder = temporary();
  const out = `${folder.path}/result.json`;
  await Deno.writeTextFile(out, '{"score": 100}');
  const { code } = await run(
    ["solutions", "--lesson", "1", "--format", "gradescope", "--out", out, "--suite", folder.path],
  );
  // There is no suite in that folder: said before anything is written.
  assertEquals(code, 2);
  assertEquals(await Deno.readTextFile(out), '{"score": 100}');
  // Without a sandbox nothing is graded, and the result says so.
  const env = { PATH: folder.path };
  const refused = await run(
    ["solutions", "--lesson", "1", "--format", "gradescope", "--out", out, "--require-sandbox"],
    env,
  );
  assertEquals([refused.code, refused.stdout], [2, ""]);
  assertEquals(refused.stderr.trim().split("\n").length, 1);
  assertStringIncludes(refused.stderr, "--require-sandbox");
  const { score, tests } = JSON.parse(await Deno.readTextFile(out));
  assertEquals([score, tests.length], [0, 6]);
});

Deno.test("grade says which sandbox is in force where namespaces cannot be made", async () => {
  using folder = temporary();
  const { code, stdout } = await run(
    ["solutions", "--lesson", "1", "--format", "json", "--require-sandbox=limits"],
    { PATH: folder.path },
  );
  assertEquals([code, JSON.parse(stdout).sandbox], [0, "limits"]);
});

const bubblewrap = ["/usr/bin/bwrap", "/bin/bwrap"].find((path) => existsSync(path));

Deno.test({
  name: "grade makes namespaces by bubblewrap where unshare cannot",
  ignore: bubblewrap === undefined || !await holds("bwrap"),
  async fn() {
    using folder = temporary();
    await Deno.symlink(bubblewrap!, `${folder.path}/bwrap`);
    const { code, stdout } = await run(
      // A lesson with a program, and one with captures to read.
      ["solutions", "--lesson", "4", "--lesson", "8", "--format", "json", "--require-sandbox"],
      { PATH: folder.path },
    );
    const { sandbox, status } = JSON.parse(stdout);
    assertEquals([code, status, sandbox], [0, "pass", "namespaces"]);
  },
});

Deno.test("grade adds the tasks of a teacher's own suite, with their points", async () => {
  using folder = temporary();
  await Deno.writeTextFile(
    `${folder.path}/01_create_bind_test.ts`,
    `import { task } from "workbook/suite";
     import { expectEqual } from "workbook/expect.ts";
     import { ADDRESS } from "./address.ts";
     task(1, { en: "formatAddress() takes any port", ko: "x" }, async ({ learner }) => {
       expectEqual(await learner.call("formatAddress", [ADDRESS]), "tcp 10.0.0.1:65535");
     });
     task(2, { en: "formatAddress() lies", ko: "x" }, async ({ learner }) => {
       expectEqual(await learner.call("formatAddress", [ADDRESS]), "no");
     });`,
  );
  await Deno.writeTextFile(
    `${folder.path}/address.ts`,
    `export const ADDRESS = { transport: "tcp", hostname: "10.0.0.1", port: 65535 };`,
  );
  const args = ["solutions", "--lesson", "1", "--format", "json", "--suite", folder.path];
  const without = await run(args);
  assertEquals([without.code, without.stdout], [2, ""]);
  assertStringIncludes(without.stderr, "01_create_bind.md");
  await Deno.writeTextFile(
    `${folder.path}/01_create_bind.md`,
    "## Task 1: Any port (3 points)\n\n## Task 2: A lie (5 points)\n",
  );
  const { code, stdout } = await run(args);
  const result = JSON.parse(stdout) as SubmissionResult;
  const { score, max_score, lessons } = result;
  assertEquals([code, score, max_score], [1, 15, 20]);
  const own = lessons[0]!.tasks.slice(6);
  assertEquals(own.map(({ task, title, score }) => [task, title, score]), [
    [7, "Any port", 3],
    [8, "A lie", 0],
  ]);
  assertEquals(own[0]!.tests[0]!.name, "task 7: formatAddress() takes any port");
  // The course has no hints for them.
  const [, told = ""] = FORMATS.text!(result, "en").split("task 8");
  assertStringIncludes(told, "received");
  assert(!/deno task (hint|lesson)/.test(told), told);
});

Deno.test("grade says what is wrong with its arguments, one sentence and one next step", async () => {
  const cases: [string[], string][] = [
    [[], "Name the folder"],
    [["none"], 'no folder "none"'],
    [["solutions", "more"], '"more"'],
    [["solutions", "--format", "pdf"], 'no format "pdf"'],
    [["solutions", "--lesson", "99"], "no lesson 99"],
    [["solutions", "--require-sandbox=jail"], 'no sandbox level "jail"'],
    [["solutions", "--suite", "none"], "no folder"],
    [["solutions", "--out", "/none/x"], 'Cannot write "/none/x"'],
    [["solutions", "--seed", "x"], "--seed"],
  ];
  for (const [args, sentence] of cases) {
    const { code, stdout, stderr } = await run(args);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertStringIncludes(stderr, sentence);
    assert(stderr.trim().split("\n").length <= 2, stderr);
  }
});
