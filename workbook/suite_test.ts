/**
 * Suites of the tests' own, in a folder that holds nothing but what a suite needs.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { lessonResult } from "./grade.ts";
import { SUITE_ENV } from "./records.ts";
import type { LessonResult } from "./result.ts";
import {
  prepareSuite,
  runSuite,
  startSuite,
  type SuiteReport,
  type SuiteRequest,
} from "./suite.ts";
import { same } from "./text.ts";

const HERE = decodeURIComponent(new URL("..", import.meta.url).pathname);
const SLUG = "07_small";
/** The import map in force, if the standard library does not come from JSR. */
const importMap = Deno.env.get(SUITE_ENV.importMap) ??
  (import.meta.resolve("@std/assert").startsWith("jsr:")
    ? undefined
    : `${HERE}workbook/std/import_map.json`);
/** What a suite that hangs is given; a busy machine starts one in less. */
const SHORT = { startMs: 3_000, slackMs: 500 };

async function copyFiles(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (isFile && !name.endsWith("_test.ts")) {
      await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
    }
  }
}

/** A workbook's folder with one suite and one exercise. */
class Root implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async with(suite: string, exercise = "export const two = () => 2;\n"): Promise<Root> {
    const root = new Root(await Deno.makeTempDir({ prefix: "workbook suite 채점 " }));
    await Deno.copyFile(`${HERE}deno.json`, `${root.path}/deno.json`);
    await copyFiles(`${HERE}workbook`, `${root.path}/workbook`);
    await copyFiles(`${HERE}workbook/host`, `${root.path}/workbook/host`);
    await copyFiles(`${HERE}workbook/std`, `${root.path}/workbook/std`);
    await copyFiles(`${HERE}workbook/grading`, `${root.path}/workbook/grading`);
    await copyFiles(`${HERE}tests/support`, `${root.path}/tests/support`);
    await Deno.writeTextFile(`${root.path}/tests/${SLUG}_test.ts`, suite);
    await Deno.mkdir(`${root.path}/answers/${SLUG}`, { recursive: true });
    await Deno.writeTextFile(`${root.path}/answers/${SLUG}/exercise.ts`, exercise);
    return root;
  }

  run(
    request: Partial<SuiteRequest> = {},
    onTaskEnd?: (task: number, report: SuiteReport) => void,
  ): Promise<SuiteReport> {
    const target = { path: `${this.path}/answers`, label: "answers" };
    const base = { root: this.path, slug: SLUG, target, seed: 7, importMap };
    return runSuite({ ...base, ...request }, onTaskEnd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** The lesson's result, of two tasks with a point each. */
function resultOf(report: SuiteReport): LessonResult {
  const tasks = [1, 2].map((task) => ({ task, title: same(`${task}`), points: 1 }));
  const lesson = { slug: SLUG, number: 7, title: same("Small"), tasks };
  const target = { path: "", label: "answers" };
  return lessonResult(report, { lesson, target, seed: 7, lang: "en" }, new Map());
}

/** Whatever the suite did, it is the suite's fault: no task of it that is not proven passes. */
function assertError(report: SuiteReport): void {
  const { status, message } = resultOf(report);
  assertEquals(status, "error", JSON.stringify(report));
  assert(report.trouble && message, "The report tells no trouble");
}

const TASKS = `
import { fail } from "./support/failure.ts";
import { same } from "../workbook/text.ts";
import { task } from "./support/suite.ts";
`;
const RECORDS = `
import { report } from "./support/report.ts";
const planned = (task: number, index: number) =>
  ({ task, index, name: { en: "t", ko: "t" }, catches: [], deadlineMs: 100, waitsMs: 0 });
const passed = (task: number, index: number) =>
  report({ record: "test", task, index, status: "pass", durationMs: 1, transcript: [] });
const plan = () => report({ record: "plan", seed: 7, tests: [planned(1, 0), planned(2, 1)] });
`;
const calls = (task: number) => `
task(${task}, same("two() of task ${task}"), async ({ learner }) => {
  if (await learner.call("two") !== 2) fail({ received: "not 2" });
});
`;

/** A process that says so when it runs, and hangs, but not before its suite has told of it: as the learner's do. */
class Hanging implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #conns: Deno.Conn[] = [];

  /** Statements that start the process, tell the runner of it, and wait until it runs. */
  get code(): string {
    const { port } = this.#listener.addr;
    const program = `if (await Deno.stdin.read(new Uint8Array(1)) === null) Deno.exit();` +
      `const conn = await Deno.connect({ hostname: "127.0.0.1", port: ${port} });` +
      `console.log("runs"); for (;;);`;
    return `{
      const process = new Deno.Command(Deno.execPath(), {
        args: ["eval", ${JSON.stringify(program)}],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      report({ record: "child", pid: process.pid });
      await process.stdin.getWriter().write(new Uint8Array(1));
      await process.stdout.getReader().read();
    }`;
  }

  /** Nothing is waited for any longer once `run` has ended. */
  until<T>(run: Promise<T>): Promise<T> {
    return run.finally(() => this.#listener.close());
  }

  /** Settles when a process runs. */
  async started(): Promise<void> {
    this.#conns.push(await this.#listener.accept());
  }

  /** Settles when all that started have ended. Fails if they live on. */
  async ended(): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error("It lives on")), 30_000);
    const ended = this.#conns.map((conn) => conn.read(new Uint8Array(1)).catch(() => null));
    await Promise.race([Promise.all(ended), late]).finally(() => clearTimeout(timer));
  }

  [Symbol.dispose](): void {
    for (const conn of this.#conns) conn.close();
  }
}

Deno.test("runSuite() reports the tests of a suite that passes, task by task", async () => {
  await using root = await Root.with(
    TASKS + calls(1) + calls(1) + calls(2),
    'export const two = () => (console.log("called"), 2);\n',
  );
  const ended: [number, number][] = [];
  const report = await root.run({}, (task, { tests }) => ended.push([task, tests.size]));
  assertEquals(report.trouble, undefined);
  assertEquals(report.plan.map(({ task, index }) => [task, index]), [[1, 0], [1, 1], [2, 2]]);
  assertEquals([...report.tests.values()].map(({ status }) => status), ["pass", "pass", "pass"]);
  assertEquals([...report.outputs], [[1, "called\ncalled\n"], [2, "called\n"]]);
  assertEquals(ended.map(([task]) => task), [1, 2]);
  assertEquals([resultOf(report).status, resultOf(report).score], ["pass", 2]);
});

Deno.test("runSuite() has no trouble with a suite whose tests fail", async () => {
  await using root = await Root.with(
    TASKS + calls(1) + calls(2),
    "let n = 0;\nexport const two = () => { throw new Error(`call ${++n}`); };\n",
  );
  const report = await root.run();
  assertEquals(report.trouble, undefined);
  assertEquals([resultOf(report).status, resultOf(report).score], ["fail", 0]);
});

Deno.test("a suite that calls a function with many inputs gets every outcome, and names the one that never ends", async () => {
  await using root = await Root.with(
    `${TASKS}
    task(1, same("outcomes"), async ({ learner }) => {
      const outcomes = await learner.callEach("half", [[4], [3], ["x"]]);
      const told = outcomes.map(({ value, error }) => error?.name ?? value);
      if (told.join() !== "2,RangeError,ReferenceError" || !outcomes[2]!.isSlip) fail({ received: told.join() });
    });
    task(1, same("not written"), async ({ learner }) => void await learner.callEach("later", [[1]]));
    task(2, same("hangs"), async ({ learner }) => void await learner.callEach("half", [[2], [7], [4]]), {
      deadlineMs: 300,
    });`,
    `export function half(n: number): number {
      if (n === 7) for (;;);
      if (typeof n !== "number") return missing;
      if (n % 2) throw new RangeError("odd");
      return n / 2;
    }
    export function later() {
      throw new Error("Not implemented: later()");
    }`,
  );
  const report = await root.run();
  assertEquals(report.trouble, undefined);
  const told = [...report.tests.values()].map(({ status, failure }) => [status, failure?.kind]);
  assertEquals(told, [["pass", undefined], ["fail", "missing"], ["fail", "hang"]]);
  const { failure } = report.tests.get(2)!;
  assertEquals(failure!.expected!.en, "half(7) (input 2 of 3) ends");
});

Deno.test("tests share a process until one fails, or its task leaves something; a function that is not written costs none", async () => {
  const me =
    "const me = Math.random();\nexport const who = () => { console.error(`I am ${me}`); };\n";
  await using root = await Root.with(
    `${TASKS}
    const who = (n: number) => task(n, same("who"), async ({ learner }) => void await learner.call("who"));
    who(1);
    who(1);
    task(2, same("later"), async ({ learner }) => void await learner.call("later"));
    who(2);
    task(3, same("later, with a socket"), async ({ learner }) => void await learner.call("laterOpen"));
    who(3);
    task(4, same("fails"), () => fail({ received: "" }));
    who(4);
    task(5, same("leaves a timer"), async ({ learner }) => void await learner.call("lazy"));
    who(5);
    who(6);`,
    `${me}export const later = () => { throw new Error("Not implemented: later()"); };
    export const laterOpen = () => {
      Deno.listen({ hostname: "127.0.0.1", port: 0 });
      throw new Error("Not implemented: laterOpen()");
    };
    export const lazy = () => void setTimeout(() => {}, 60_000);`,
  );
  const report = await root.run();
  assertEquals(report.trouble, undefined);
  const [one = "", ...others] = [...report.outputs.values()].flatMap((text) =>
    text.trim().split("\n")
  );
  assertMatch(one, /^I am 0\.\d+$/);
  const names = new Map([one, ...others].map((line) => [line, 0]));
  assertEquals([one, ...others].map((line) => [...names.keys()].indexOf(line)), [
    0,
    0,
    0,
    1,
    2,
    2,
    3,
  ]);
});

Deno.test("a task that has killed a further process of its own leaves the first one to the next task", async () => {
  await using root = await Root.with(
    `${TASKS}
    task(1, same("kills"), async ({ learner, another }) => {
      await learner.call("who");
      await (await another()).kill();
    });
    task(2, same("comes next"), async ({ learner }) => void await learner.call("who"));`,
    "const me = Math.random();\nexport const who = () => { console.error(`I am ${me}`); };\n",
  );
  const { outputs } = await root.run();
  assertMatch(outputs.get(1)!, /^I am 0\.\d+\n$/);
  assertEquals(outputs.get(2), outputs.get(1));
});

Deno.test("runSuite() runs the tasks that are asked for, and no others", async () => {
  await using root = await Root.with(TASKS + calls(1) + calls(2));
  const report = await root.run({ tasks: [2] });
  assertEquals(report.trouble, undefined);
  assertEquals(report.plan.map(({ task }) => task), [2]);
});

Deno.test("runSuite() runs two tasks at a time if asked to, and tells them in their order", async () => {
  await using root = await Root.with(
    `${TASKS}
    const met = Promise.withResolvers<void>();
    task(1, same("waits for task 2"), async ({ learner }) => {
      await met.promise;
      await learner.call("two");
    });
    task(1, same("waits, too"), async ({ learner }) => void await learner.call("two"));
    task(2, same("comes"), async ({ learner }) => {
      await learner.call("two");
      met.resolve();
    });
    task(3, same("fails"), async ({ learner }) => {
      await learner.call("two");
      fail({ received: "3" });
    });
    task(4, same("hangs"), async ({ learner }) => void await learner.call("hang"), { deadlineMs: 300 });
    task(4, same("is not tried"), async ({ learner }) => void await learner.call("two"));`,
    `export const two = () => (console.log("called"), 2);
    export const hang = () => new Promise(() => setTimeout(() => {}, 60_000));`,
  );
  const inOrder: number[] = [];
  const report = await root.run({ tasksAtATime: 2 }, (task) => inOrder.push(task));
  assertEquals(report.trouble, undefined);
  assertEquals(inOrder, [1, 2, 3, 4]);
  assertEquals(
    [...report.tests.values()].map(({ index, failure }) => [index, failure?.kind]),
    [[0, undefined], [1, undefined], [2, undefined], [3, "assert"], [4, "hang"], [5, "not-run"]],
  );
  assertEquals([...report.outputs.values()], ["called\ncalled\n", "called\n", "called\n", ""]);

  const alone = await root.run({ tasks: [1] });
  assertEquals(alone.tests.get(0)?.failure?.kind, "hang");
});

Deno.test("a runner beyond those asked for comes where tests wait, and starts no second process", async () => {
  const me =
    "const me = Math.random();\nexport const who = () => { console.error(`I am ${me}`); };\n";
  await using root = await Root.with(
    `${TASKS}
    const three = Promise.withResolvers<void>();
    let here = 0;
    const who = (n: number, waitsMs: number) => task(n, same("who"), async ({ learner }) => {
      await learner.call("who");
      if (n === 2) return;
      if (++here === 3) three.resolve();
      await three.promise;
      if (n === 4) await learner.call("lazy");
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }, { waitsMs });
    who(1, 1);
    who(2, 0);
    who(3, 0);
    who(4, 0);`,
    `${me}export const lazy = () => void setTimeout(() => {}, 60_000);`,
  );
  const report = await root.run({ tasksAtATime: 2 });
  assertEquals(resultOf(report).status, "pass", JSON.stringify(report));
  assertEquals(new Set([...report.outputs.values()].map((text) => text.trim())).size, 3);
});

Deno.test({
  name: "processes of the learner's start before the suite's own file is loaded",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using root = await Root.with(`${TASKS}
      const children = () => [...Deno.readDirSync("/proc")].filter(({ name }) => {
        try {
          const status = Deno.readTextFileSync(\`/proc/\${name}/status\`);
          return /^\\d+$/.test(name) && status.includes(\`\\nPPid:\\t\${Deno.pid}\\n\`);
        } catch {
          return false;
        }
      }).length;
      const early = children();
      task(1, same("two"), async ({ learner }) => {
        await learner.call("two");
        if (early !== 1 || children() !== 1) fail({ received: \`\${early}, \${children()}\` });
      });`);
    const report = await root.run();
    assertEquals(report.tests.get(0)?.status, "pass", JSON.stringify(report));
  },
});

Deno.test("runSuite() goes on when a promise that no test waits for is rejected", async () => {
  await using root = await Root.with(`${TASKS}
task(1, same("forgets"), async () => {
  Promise.reject(new Error("nobody waits for this"));
  await new Promise((resolve) => setTimeout(resolve, 10));
});
${calls(2)}`);
  const report = await root.run();
  assertEquals(report.trouble, undefined);
  assertEquals([resultOf(report).status, resultOf(report).score], ["pass", 2]);
});

Deno.test("runSuite() tells the trouble of a suite that throws at its top level", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)} throw new Error("not today");`);
  const report = await root.run();
  assertError(report);
  assertStringIncludes(report.trouble!.en, "not today");
  assertMatch(report.trouble!.ko, /0개/);
});

Deno.test("runSuite() tells the trouble of a suite that does not parse", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)} let = ;`);
  assertError(await root.run());
});

Deno.test("runSuite() tells the trouble of a suite that is missing", async () => {
  await using root = await Root.with("");
  await Deno.remove(`${root.path}/tests/${SLUG}_test.ts`);
  assertError(await root.run());
});

Deno.test("runSuite() tells the trouble of a suite without tests", async () => {
  await using root = await Root.with("export {};\n");
  assertError(await root.run());
});

Deno.test("runSuite() tells the trouble of a suite that exits with 0 at its top level", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)}${calls(2)} Deno.exit(0);`);
  assertError(await root.run());
});

Deno.test("runSuite() passes no suite that exits with 0 inside a test", async () => {
  await using root = await Root.with(`${RECORDS}
    Deno.test("exits", () => {
      plan(); passed(1, 0); passed(2, 1); report({ record: "end" });
      Deno.exit(0);
    });`);
  assertError(await root.run());
});

Deno.test("runSuite() passes no task whose test exits with 0", async () => {
  await using root = await Root.with(`${TASKS}
    task(1, same("exits"), () => Deno.exit(0));`);
  const { status, score } = resultOf(await root.run({ tasks: [1] }));
  assert(status !== "pass");
  assertEquals(score, 0);
});

Deno.test("runSuite() tells the trouble of a suite that is gone before all its tests ran", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)}
    task(2, same("dies"), () => Deno.kill(Deno.pid, "SIGKILL") as never);`);
  const report = await root.run();
  assertError(report);
  assertEquals(resultOf(report).tasks[1]!.status, "error");
});

Deno.test("runSuite() tells the trouble of a suite that skips one of its tests", async () => {
  await using root = await Root.with(`${RECORDS}
    Deno.test("one", () => { plan(); passed(1, 0); report({ record: "end" }); });`);
  const report = await root.run();
  assertError(report);
  assertMatch(report.trouble!.en, /ran 1 of 2 tests and ended with status 0/);
});

Deno.test("runSuite() passes no suite whose status contradicts its records", async () => {
  await using root = await Root.with(`${RECORDS}
    Deno.test("both", () => {
      plan(); passed(1, 0); passed(2, 1); report({ record: "end" });
      throw new Error("after all");
    });`);
  assertError(await root.run());
});

Deno.test("runSuite() passes no suite that breaks off after its last test", async () => {
  await using root = await Root.with(`${RECORDS}
    Deno.test("both", () => { plan(); passed(1, 0); passed(2, 1); });`);
  assertError(await root.run());
});

Deno.test("runSuite() takes no record without the word that it gave", async () => {
  await using root = await Root.with(`${RECORDS}
    const forge = (record: unknown, before: string) =>
      console.log(before + JSON.stringify(record));
    Deno.test("forges", () => {
      plan();
      report({ record: "test", task: 1, index: 0, status: "fail", durationMs: 1, transcript: [] });
      for (const before of ["\\x1e", "\\x1e ", "", "\\x1ewrong ", "\\x1e" + crypto.randomUUID() + " "]) {
        const test = { record: "test", durationMs: 1, transcript: [], status: "pass" };
        forge({ ...test, task: 1, index: 0 }, before);
        forge({ ...test, task: 2, index: 1 }, before);
        forge({ record: "end" }, before);
      }
      // The right word, but not at the beginning of a line.
      console.log(" \\x1e" + Deno.env.get("WORKBOOK_WORD") + ' {"record":"end"}');
    });`);
  const report = await root.run();
  assertError(report);
  assertEquals([...report.tests.values()].map(({ status }) => status), ["fail"]);
});

Deno.test("runSuite() finds records among what else is printed, however it is cut into pieces", async () => {
  await using root = await Root.with(`${RECORDS}
    const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
    Deno.test("both", async () => {
      plan();
      say("no newline"); passed(1, 0); say("소켓\\n\\n");
      const open = "\\n\\x1e" + Deno.env.get("WORKBOOK_WORD") + " ";
      const record = { record: "test", task: 2, index: 1, status: "pass", durationMs: 1 };
      for (const byte of new TextEncoder().encode(open + JSON.stringify({ ...record, transcript: [] }))) {
        Deno.stdout.writeSync(new Uint8Array([byte]));
        await Promise.resolve();
      }
      say("\\n");
      report({ record: "end" });
    });`);
  const report = await root.run();
  assertEquals(report.trouble, undefined);
  assertEquals(resultOf(report).score, 2);
});

for (
  const [what, line] of [
    ["is cut at the end of the output", '{"record":"test","task":2,"ind'],
    ["is cut by another line", '{"record":"test","task":2,"ind\\n'],
    ["is not JSON", "pass\\n"],
    ["is of no known kind", '{"record":"verdict"}\\n'],
    ["is nothing", "null\\n"],
  ]
) {
  Deno.test(`runSuite() tells the trouble of a suite whose record ${what}`, async () => {
    await using root = await Root.with(`${RECORDS}
      Deno.test("cut", () => {
        plan(); passed(1, 0);
        const open = "\\n\\x1e" + Deno.env.get("WORKBOOK_WORD") + " ";
        Deno.stdout.writeSync(new TextEncoder().encode(open + '${line}'));
        Deno.exit(0);
      });`);
    assertError(await root.run());
  });
}

Deno.test("runSuite() stops a suite that hangs at its top level, and what it started", async () => {
  using hanging = new Hanging();
  await using root = await Root.with(`${RECORDS}${hanging.code} await new Promise((resolve) => {
    setInterval(resolve, 1e9);
  });`);
  const [report] = await Promise.all([
    hanging.until(root.run({ limits: SHORT })),
    hanging.started(),
  ]);
  assertError(report);
  assertMatch(report.trouble!.en, /did not end in time/);
  await hanging.ended();
});

Deno.test("runSuite() stops a suite that hangs in a test beyond its deadline", async () => {
  using hanging = new Hanging();
  await using root = await Root.with(`${RECORDS}
    Deno.test("hangs", async () => { ${hanging.code} plan(); passed(1, 0); for (;;); });`);
  const limits = { startMs: 30_000, slackMs: 300 };
  const [report] = await Promise.all([hanging.until(root.run({ limits })), hanging.started()]);
  assertError(report);
  assertMatch(report.trouble!.en, /did not end in time/);
  assertEquals(report.tests.size, 1);
  await hanging.ended();
});

Deno.test("runSuite() ends at once when it is told to, and everything it started with it", async () => {
  using hanging = new Hanging();
  await using root = await Root.with(`${RECORDS}
    Deno.test("hangs", async () => { plan(); ${hanging.code} for (;;); });`);
  const stop = new AbortController();
  const running = hanging.until(root.run({ signal: stop.signal }));
  await hanging.started();
  stop.abort();
  const report = await running;
  assertError(report);
  assertMatch(report.trouble!.en, /interrupted/);
  await hanging.ended();
});

Deno.test("runSuite() does not go on when it was told to end before it began", async () => {
  await using root = await Root.with(`${RECORDS} plan(); for (;;);`);
  const report = await root.run({ signal: AbortSignal.abort(), limits: SHORT });
  assertError(report);
  assertMatch(report.trouble!.en, /interrupted/);
});

Deno.test("runSuite() ends what a suite started and left behind", async () => {
  using hanging = new Hanging();
  await using root = await Root.with(`${RECORDS}
    Deno.test("leaves", async () => {
      plan(); passed(1, 0); passed(2, 1);
      ${hanging.code}
      Deno.kill(Deno.pid, "SIGKILL");
    });`);
  const [report] = await Promise.all([hanging.until(root.run()), hanging.started()]);
  assertError(report);
  await hanging.ended();
});

/** A suite with a site, whose one test tells where it is. */
const SITE = `
${TASKS}
import { Site } from "./support/site.ts";
const site = new Site();
site.write("a/b.txt", "inside");
site.write("../secret.txt", "outside");
task(1, same("read() of the site"), async ({ learner }) => {
  const text = await learner.call("read", [site.path("a/b.txt")]);
  const other = await learner.call("read", [site.relativeRoot + "/../secret.txt"]);
  if (text !== "inside" || other !== "outside") fail({ received: "other texts" });
  const refused = await learner.call("write", [site.path("a/b.txt")]);
  await END;
  fail({ received: site.root + " " + refused });
}, { deadlineMs: 300 });
`;
const READS = `
export const read = (path: string) => Deno.readTextFile(path);
export const write = (path: string) => Deno.writeTextFile(path, "").catch(({ name }) => name);
`;

Deno.test("a site can be read by the exercise, and is gone when its suite has ended", async () => {
  await using root = await Root.with(SITE.replace("await END;", ""), READS);
  const report = await root.run();
  assertEquals(report.trouble, undefined);
  const [folder = "", error] = report.tests.get(0)!.failure!.received!.en.split(" ");
  assertMatch(folder, /workbook_site_/);
  assertEquals(error, "NotCapable");
  assert(!await exists(folder));
});

Deno.test("a site is gone also when its suite has to be killed", async () => {
  const hangs = `Deno.writeTextFileSync(new URL("where", import.meta.url), site.root); for (;;);`;
  await using root = await Root.with(SITE.replace("await END;", hangs), READS);
  const report = await root.run({ limits: SHORT });
  assertError(report);
  const folder = await Deno.readTextFile(`${root.path}/tests/where`);
  assertMatch(folder, /workbook_site_/);
  assert(!await exists(folder));
});

Deno.test("a slip in the exercise is not told as the mistake that the step would look like", async () => {
  const suite = `${TASKS}
task(1, same("one"), async ({ learner, step }) => {
  await step(same("it ends"), () => learner.call("slips"), "some-mistake");
});
task(2, same("two"), async ({ learner, step }) => {
  await step(same("it ends"), () => learner.call("throws"), "some-mistake");
});
`;
  await using root = await Root.with(
    suite,
    `export const slips = () => bufer;
export const throws = () => { throw new TypeError("on purpose"); };
`,
  );
  const { tests } = await root.run();
  const failures = [...tests.values()].map(({ failure }) => [failure?.kind, failure?.mistake]);
  assertEquals(failures, [["slip", undefined], ["threw", "some-mistake"]]);
});

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("prepareSuite() grades the exercise as it is when it is run, not when it was prepared", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)}${calls(2)}`, "not even code (");
  const target = { path: `${root.path}/answers`, label: "answers" };
  const request = { root: root.path, slug: SLUG, target, seed: 7, importMap, ownGroup: true };
  const prepared = prepareSuite(request);
  await Deno.writeTextFile(
    `${root.path}/answers/${SLUG}/exercise.ts`,
    "export const two = () => 2;\n",
  );
  const report = await root.run({ prepared, ownGroup: true });
  assertEquals([report.trouble, resultOf(report).score], [undefined, 2]);
  assert(prepared.hasEnded);
});

Deno.test("prepareSuite() can be discarded, or ended while it runs, and leaves nothing", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)}${calls(2)}`, "for (;;);\n");
  const target = { path: `${root.path}/answers`, label: "answers" };
  const request = { root: root.path, slug: SLUG, target, seed: 7, importMap, ownGroup: true };
  const unused = prepareSuite(request);
  await unused.discard();
  assert(unused.hasEnded);
  const used = prepareSuite(request);
  const report = await root.run({
    prepared: used,
    ownGroup: true,
    signal: AbortSignal.timeout(300),
  });
  assertMatch(report.trouble!.en, /interrupted/);
  await expectNothingRuns(root);
});

/** Fails if a process of that workbook's runs. */
async function expectNothingRuns({ path }: Root): Promise<void> {
  if (Deno.build.os !== "linux") return;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    assert(!line.includes(path), line);
  }
}

Deno.test("startSuite() loses nothing of what the suite tells before it is run", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)}${calls(2)}`);
  const target = { path: `${root.path}/answers`, label: "answers" };
  const prepared = startSuite({ root: root.path, slug: SLUG, target, seed: 7, importMap });
  while (!prepared.hasEnded) await new Promise((resolve) => setTimeout(resolve, 5));
  const told: number[] = [];
  const report = await root.run({ prepared }, (task) => told.push(task));
  assertEquals([report.trouble, told], [undefined, [1, 2]]);
});

Deno.test("startSuite() can be left alone, and leaves nothing", async () => {
  await using root = await Root.with(`${TASKS}${calls(1)}`, "for (;;);\n");
  const target = { path: `${root.path}/answers`, label: "answers" };
  const request = { root: root.path, slug: SLUG, target, seed: 7, importMap };
  {
    await using prepared = startSuite(request);
    assert(!prepared.hasEnded);
  }
  await expectNothingRuns(root);
});
