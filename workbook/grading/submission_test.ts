import { existsSync } from "node:fs";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { readLesson } from "../course.ts";
import { CommandError } from "../errors.ts";
import { SUITE_ENV } from "../records.ts";
import { pathOf } from "../std/paths.ts";
import { FORMATS } from "./formats/formats.ts";
import { LessonFolder, MAX_EXERCISE_BYTES, takeIn } from "./intake.ts";
import { Place } from "./place.ts";
import {
  bestSandbox,
  holds,
  inNamespaces,
  type NamespaceMaker,
  plainEnvironment,
} from "./sandbox.ts";
import { gradeSubmission } from "./submission.ts";
import { courseVersion } from "./version.ts";

const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");
const importMap = Deno.env.get(SUITE_ENV.importMap);
const lesson = await readLesson(root, "01_create_bind");
const SOLUTION = await Deno.readTextFile(`${root}/solutions/01_create_bind/exercise.ts`);
const level = await bestSandbox();
/** The programs that could make namespaces, and whether they do here. */
const makers: [NamespaceMaker, boolean][] = await Promise.all(
  (["unshare", "bwrap"] as const).map(async (by) =>
    [by, await holds(by)] as [NamespaceMaker, boolean]
  ),
);
for (const [by, does] of makers) {
  if (!does) {
    console.log(`${by} makes no namespaces here: what holds in them is not tested with it`);
  }
}

/** A submission's folder, with `exercise` as the file of lesson 1. */
class Folder {
  readonly path = Deno.makeTempDirSync({ prefix: "workbook_submission_" });
  readonly exercise = `${this.path}/01_create_bind/exercise.ts`;

  constructor(exercise?: string) {
    if (exercise === undefined) return;
    Deno.mkdirSync(`${this.path}/01_create_bind`);
    Deno.writeTextFileSync(this.exercise, exercise);
  }

  grade(more: Partial<Parameters<typeof gradeSubmission>[0]> = {}) {
    return gradeSubmission({
      root,
      dir: this.path,
      name: "ada",
      lessons: [lesson],
      seed: 5,
      lang: "en",
      importMap,
      sandbox: level,
      ...more,
    });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

for (const sandbox of ["permissions", "limits", "namespaces"] as const) {
  const ignore = (sandbox === "namespaces" && level !== "namespaces") ||
    (sandbox === "limits" && Deno.build.os !== "linux");
  Deno.test({
    name: `gradeSubmission() gives a solved lesson its points, kept in by ${sandbox}`,
    ignore,
    async fn() {
      using folder = new Folder(SOLUTION);
      const result = await folder.grade({ sandbox });
      assertEquals([result.status, result.score, result.max_score], ["pass", 12, 12]);
      assertEquals([result.version, result.submission, result.seed], [1, "ada", 5]);
      assertEquals([result.sandbox, result.ignored], [sandbox, []]);
      assertEquals(result.lessons.map(({ lesson }) => lesson), ["01_create_bind"]);
    },
  });
}

Deno.test("gradeSubmission() gives no points for a lesson that is not there", async () => {
  using folder = new Folder();
  const result = await folder.grade();
  assertEquals([result.status, result.score, result.max_score], ["fail", 0, 12]);
});

Deno.test("gradeSubmission() tells the lessons that an interruption left", async () => {
  using folder = new Folder(SOLUTION);
  const result = await folder.grade({ signal: AbortSignal.abort() });
  assertEquals([result.status, result.score], ["error", 0]);
});

Deno.test("gradeSubmission() rejects a folder that is not there", async () => {
  using folder = new Folder();
  await assertRejects(() => folder.grade({ dir: `${folder.path}/none` }), CommandError);
});

Deno.test("takeIn() follows no symbolic link to a file", async () => {
  using folder = new Folder("");
  Deno.removeSync(folder.exercise);
  Deno.symlinkSync(`${root}/solutions/01_create_bind/exercise.ts`, folder.exercise);
  const { exercises, refused, ignored } = await takeIn(folder.path, [lesson]);
  assertEquals([exercises.size, ignored], [0, ["01_create_bind/exercise.ts"]]);
  assertStringIncludes(refused.get("01_create_bind")!.en, "symbolic link");
  const result = await folder.grade();
  assertEquals(result.score, 0);
  assertStringIncludes(result.lessons[0]!.message!, "symbolic link");
});

Deno.test("takeIn() follows no symbolic link to a folder", async () => {
  using folder = new Folder();
  Deno.symlinkSync(`${root}/solutions/01_create_bind`, `${folder.path}/01_create_bind`);
  const { exercises, refused } = await takeIn(folder.path, [lesson]);
  assertEquals([exercises.size, refused.size], [0, 1]);
});

Deno.test({
  name: "a lesson's folder stays the one that was opened, and a link in its place is none",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using folder = new Folder("mine");
    const [path, link] = [`${folder.path}/01_create_bind`, `${folder.path}/link`];
    Deno.symlinkSync(`${root}/solutions/01_create_bind`, link);
    await using opened = await LessonFolder.open(path);
    Deno.renameSync(path, `${folder.path}/before`);
    Deno.renameSync(link, path);
    assertEquals(Deno.readTextFileSync(`${opened.path}/exercise.ts`), "mine");
    await assertRejects(() => LessonFolder.open(path));
  },
});

/** What takes from the user root what makes it read every file. */
const PLAINLY = ["--bounding-set=-all", "--inh-caps=-all", "--"];
const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;
const noWayToBePlain = Deno.build.os === "windows" ||
  isRoot && !["/usr/bin/setpriv", "/bin/setpriv"].some((path) => existsSync(path));

Deno.test({
  name: "grade says in every format why it could not read an exercise or its folder",
  ignore: noWayToBePlain,
  async fn() {
    for (const what of ["", "/exercise.ts"]) {
      using folder = new Folder(SOLUTION);
      const path = `${folder.path}/01_create_bind${what}`;
      Deno.chmodSync(path, 0);
      const args = ["run", "--no-check", "--allow-all"];
      if (importMap) args.push(`--import-map=${importMap}`);
      args.push(
        `${root}/workbook/cli.ts`,
        "grade",
        folder.path,
        "--lesson",
        "1",
        "--format",
        "json",
      );
      const command = isRoot ? ["setpriv", ...PLAINLY, Deno.execPath()] : [Deno.execPath()];
      const { code, stdout } = await new Deno.Command(command[0]!, {
        args: [...command.slice(1), ...args],
      }).output();
      Deno.chmodSync(path, 0o700);
      assertEquals(code, 1);
      const result = JSON.parse(new TextDecoder().decode(stdout));
      for (const [format, write] of Object.entries(FORMATS)) {
        const text = write(result, "en");
        const read = format === "classroom"
          ? new TextDecoder().decode(Uint8Array.fromBase64(text.trim()))
          : text;
        assertStringIncludes(read, "cannot be read (EACCES)", format);
      }
    }
  },
});

Deno.test("takeIn() takes no pipe, no device, no folder and no giant for an exercise", async (t) => {
  const shapes: Record<string, (path: string) => void> = {
    folder: (path) => Deno.mkdirSync(path),
    giant: (path) => Deno.writeFileSync(path, new Uint8Array(MAX_EXERCISE_BYTES + 1)),
    "a file of a terabyte": (path) => {
      Deno.writeTextFileSync(path, "");
      Deno.truncateSync(path, 2 ** 40);
    },
  };
  if (Deno.build.os === "linux") {
    shapes.pipe = (path) => {
      new Deno.Command("mkfifo", { args: [path] }).outputSync();
    };
  }
  for (const [name, make] of Object.entries(shapes)) {
    await t.step(name, async () => {
      using folder = new Folder("");
      Deno.removeSync(folder.exercise);
      make(folder.exercise);
      const { exercises, refused } = await takeIn(folder.path, [lesson]);
      assertEquals([exercises.size, refused.size], [0, 1]);
    });
  }
});

Deno.test("takeIn() lists everything else, however it is called and however much there is", async () => {
  using folder = new Folder(SOLUTION);
  const names = [
    "a\nb",
    "\x1b[31mred",
    "<b>",
    "-rf",
    "x".repeat(250),
    "01_create_bind_",
    "한글",
    "'\"",
  ];
  for (const name of names) Deno.writeTextFileSync(`${folder.path}/${name}`, "");
  Deno.mkdirSync(`${folder.path}/tests`);
  Deno.mkdirSync(`${folder.path}/01_create_bind/deep`);
  Deno.writeTextFileSync(`${folder.path}/01_create_bind/helper.ts`, "");
  const { exercises, ignored } = await takeIn(folder.path, [lesson]);
  assertEquals(exercises.size, 1);
  for (
    const name of ["a\nb", "<b>", "tests/", "01_create_bind/deep/", "01_create_bind/helper.ts"]
  ) {
    assert(ignored.includes(name), name);
  }
  for (let i = 0; i < 300; i++) Deno.writeTextFileSync(`${folder.path}/file${i}`, "");
  const many = await takeIn(folder.path, [lesson]);
  assert(many.ignored.length <= 101);
  assertStringIncludes(many.ignored.at(-1)!, "more");
});

Deno.test("a submission's name and files may hold anything", async () => {
  using folder = new Folder(`\ufeff${SOLUTION.replaceAll("\n", "\r\n")}`);
  const result = await folder.grade({ name: 'a, "b"\n<c> \x1b[31m 한' });
  assertEquals([result.status, result.score], ["pass", 12]);
});

for (const sandbox of ["permissions", "limits", "namespaces"] as const) {
  Deno.test({
    name:
      `an exercise that is run as a program imports no solution and no suite, kept in by ${sandbox}`,
    ignore: (sandbox === "namespaces" && level !== "namespaces") ||
      (sandbox === "limits" && Deno.build.os !== "linux"),
    async fn() {
      const slug = "04_teardown";
      const lessons = [await readLesson(root, slug)];
      // Where there is a place without the solutions, the suite is still there.
      const file = sandbox === "namespaces"
        ? `tests/${slug}_test.ts`
        : `solutions/${slug}/exercise.ts`;
      using folder = new Folder();
      Deno.mkdirSync(`${folder.path}/${slug}`);
      Deno.writeTextFileSync(
        `${folder.path}/${slug}/exercise.ts`,
        `export const main = () => {};
         if (import.meta.main) await (await import("file://${root}/${file}")).main();`,
      );
      const result = await folder.grade({ lessons, sandbox });
      const task = result.lessons[0]!.tasks.at(-1)!;
      assertEquals(task.score, 0);
      assertStringIncludes(task.tests[0]!.message!, "files outside their own folder");
    },
  });
}

Deno.test("what a submission leaves in the Cache API and localStorage is gone for the next", async () => {
  const leaving = `${SOLUTION}
    try { (globalThis as any).localStorage.setItem("left", "1"); console.log("LEFT"); } catch {}
  `;
  using folder = new Folder(leaving);
  const printed = (await folder.grade()).lessons[0]!.tasks.map(({ output }) => output).join("");
  assert(!printed.includes("LEFT"));
});

Deno.test("grading leaves no file behind", async () => {
  const ours = () =>
    Array.from(Deno.readDirSync("/tmp"), ({ name }) => name)
      .filter((name) => name.startsWith("workbook_grade_"));
  using folder = new Folder(SOLUTION);
  const place = await Place.create({ root, level, importMap });
  const path = place.target.replace(/\/lessons$/, "");
  assert(ours().includes(path.split("/").at(-1)!));
  await place.remove();
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  await folder.grade();
});

Deno.test("courseVersion() is the same twice, and another with a teacher's suites", async () => {
  using folder = new Folder();
  const version = await courseVersion(root);
  assertEquals(await courseVersion(root), version);
  assertEquals(await courseVersion(root, folder.path), version);
  Deno.writeTextFileSync(`${folder.path}/01_create_bind_test.ts`, "");
  assert(await courseVersion(root, folder.path) !== version);
});

Deno.test("courseVersion() changes with everything that may change a verdict, and with nothing else", async () => {
  using copy = new Folder();
  const files = [
    "deno.json",
    "tests/08_segments_test.ts",
    "tests/support/segments.ts",
    "tests/captures/08_segments/udp4.pcap",
    "tests/captures/08_segments/udp4.tshark.json",
    "workbook/host.ts",
    "workbook/host/voice.ts",
    "workbook/grading/inside.ts",
    "workbook/std/assert.ts",
    "workbook/std/import_map.json",
    "lessons/08_segments/README.md",
  ];
  const others = [
    "README.md",
    "tests/support/child_test.ts",
    "tests/captures/08_segments/README.md",
    "workbook/host_test.ts",
    "workbook/host/sockets_test.ts",
    "workbook/class/page.ts",
    "lessons/08_segments/exercise.ts",
    "lessons/08_segments/hints.md",
  ];
  for (const name of [...files, ...others]) {
    const path = `${copy.path}/${name}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.copyFileSync(`${root}/${name}`, path);
  }
  const version = await courseVersion(copy.path);
  for (const name of [...files, ...others]) {
    const path = `${copy.path}/${name}`;
    const before = Deno.readFileSync(path);
    Deno.writeFileSync(path, new Uint8Array([...before, 32]));
    assertEquals(await courseVersion(copy.path) === version, others.includes(name), name);
    Deno.writeFileSync(path, before);
  }
  // The same course, as Git has it on Windows.
  const readme = `${copy.path}/lessons/08_segments/README.md`;
  Deno.writeTextFileSync(readme, Deno.readTextFileSync(readme).replaceAll("\n", "\r\n"));
  assertEquals(await courseVersion(copy.path), version);
  using suites = new Folder();
  Deno.mkdirSync(`${suites.path}/data`);
  const withSuites = await courseVersion(copy.path, suites.path);
  Deno.writeFileSync(`${suites.path}/data/frames.bin`, new Uint8Array([1]));
  assert(await courseVersion(copy.path, suites.path) !== withSuites);
});

/** The processes that `pid` has started, and theirs, by the system's own numbers. */
function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = Deno.readTextFileSync(`/proc/${name}/status`);
      parents.set(Number(name), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]));
    } catch {
      // It has ended.
    }
  }
  const found = [pid];
  for (const one of found) for (const [child, of] of parents) if (of === one) found.push(child);
  return found.slice(1);
}

for (const sandbox of ["limits", "namespaces"] as const) {
  Deno.test({
    name: `whoever kills a grader outright ends the code that it grades, kept in by ${sandbox}`,
    ignore: Deno.build.os !== "linux" || sandbox === "namespaces" && level !== "namespaces",
    async fn() {
      // It hangs once in each of six tasks.
      using folder = new Folder(
        SOLUTION.replaceAll(/^(export function \w+.*\{)$/gm, "$1 for (;;);"),
      );
      const script = `
        import { gradeSubmission } from "${root}/workbook/grading/submission.ts";
        import { readLesson } from "${root}/workbook/course.ts";
        const lessons = [await readLesson("${root}", "01_create_bind")];
        await gradeSubmission({ root: "${root}", dir: "${folder.path}", name: "ada", lessons, seed: 5, lang: "en",
          importMap: ${JSON.stringify(importMap)}, sandbox: "${sandbox}" });`;
      const path = `${folder.path}/grade.ts`;
      Deno.writeTextFileSync(path, script);
      const args = ["run", "--no-check", "--no-lock", "--allow-all"];
      args.push(importMap ? `--import-map=${importMap}` : `--config=${root}/deno.json`, path);
      const grader = new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" })
        .spawn();
      let family: number[] = [];
      const works = (pid: number) => {
        try {
          return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("workbook/host.ts");
        } catch {
          return false;
        }
      };
      // Its first processes only make the cache.
      const isSuite = (pid: number) => {
        try {
          return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("01_create_bind_test.ts");
        } catch {
          return false;
        }
      };
      for (let i = 0; i < 1_000 && !(family.some(works) && family.some(isSuite)); i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        family = descendants(grader.pid);
      }
      grader.kill("SIGKILL");
      await grader.status;
      const left = () => family.filter((pid) => isSuite(pid) || works(pid));
      for (let i = 0; i < 250 && left().length > 0; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert(family.length >= 2, `${family}`);
      assertEquals(left(), []);
    },
  });
}

/** Runs a script with all of Deno's permissions in namespaces, and gives what it prints. */
async function within(script: string, by: NamespaceMaker): Promise<string> {
  const base = await Deno.makeTempDir({ prefix: "workbook_within_" });
  try {
    await Deno.mkdir(`${base}/root`);
    await Deno.writeTextFile(`${base}/script.ts`, script);
    const { command, args, env } = inNamespaces(
      ["run", "--no-check", "--no-config", "--allow-all", "--unstable-net", `${base}/script.ts`],
      { base: `${base}/root`, readable: [root, `${base}/script.ts`, Deno.execPath()], tmp: "/tmp" },
      by,
    );
    const { stdout, stderr } = await new Deno.Command(command, {
      args,
      env: { ...plainEnvironment(), ...env, NO_COLOR: "1" },
      clearEnv: true,
      cwd: "/",
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

for (const [by, does] of makers) {
  Deno.test({
    ignore: !does,
    name:
      `in namespaces of ${by}, code with every permission of Deno's sees none of the machine's files`,
    async fn() {
      const secret = await Deno.makeTempFile({ prefix: "workbook_secret_" });
      const printed = await within(
        `
      for (const path of ["/home", "/root/.ssh", "/etc/shadow", "/var", "/run", "/sys", ${
          JSON.stringify(secret)
        }]) {
        try { Deno.statSync(path); console.log("seen", path); } catch {}
      }
      for (const path of ["/x", "/usr/x", ${JSON.stringify(`${root}/x`)}, "/etc/hosts"]) {
        try { Deno.writeTextFileSync(path, ""); console.log("written", path); } catch {}
      }
      console.log("done");`,
        by,
      );
      await Deno.remove(secret);
      // The folder of the project may lie in one of those, and is seen there by itself.
      const seen = printed.trim().split("\n").filter((line) =>
        !(line === "seen /home" && root.startsWith("/home/")) &&
        !(line === "seen /var" && root.startsWith("/var/"))
      );
      assertEquals(seen, ["done"]);
    },
  });

  Deno.test({
    ignore: !does,
    name:
      `in namespaces of ${by}, code with every permission of Deno's reaches no process and no port`,
    async fn() {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const printed = await within(
        `
      try { await Deno.connect({ hostname: "127.0.0.1", port: ${port} }); console.log("connected"); } catch {}
      try { Deno.kill(${Deno.pid}, "SIGCONT"); console.log("signalled"); } catch {}
      console.log(Array.from(Deno.readDirSync("/proc"), (e) => e.name).filter((n) => /^\\d+$/.test(n)).length);
      console.log(Deno.networkInterfaces().map((i) => i.name).filter((n) => n !== "lo").length);`,
        by,
      );
      assertEquals(printed, "1\n0\n");
    },
  });

  Deno.test({
    ignore: !does,
    name: `a suite's end ends every process in namespaces of ${by}, also those that left its group`,
    async fn() {
      const mark = `workbook${crypto.randomUUID()}`;
      const base = await Deno.makeTempDir({ prefix: "workbook_within_" });
      const script = `${base}/script.ts`;
      await Deno.mkdir(`${base}/root`);
      await Deno.writeTextFile(
        script,
        `new Deno.Command("setsid", { args: ["sh", "-c", "trap '' TERM HUP; echo started; sleep 60; : ${mark}"] }).spawn();
       setInterval(() => {}, 1000);`,
      );
      const { command, args, env } = inNamespaces(
        ["run", "--no-check", "--no-config", "--allow-all", script],
        { base: `${base}/root`, readable: [root, script, Deno.execPath()], tmp: "/tmp" },
        by,
      );
      const process = new Deno.Command(command, {
        args,
        env: { ...plainEnvironment(), ...env },
        clearEnv: true,
        cwd: "/",
        stdout: "piped",
      }).spawn();
      const reader = process.stdout.getReader();
      await reader.read();
      const running = () =>
        Array.from(Deno.readDirSync("/proc"), ({ name }) => name).filter((name) => {
          try {
            return Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(mark);
          } catch {
            return false;
          }
        });
      assertEquals(running().length > 0, true);
      process.kill("SIGKILL");
      await process.status;
      // The pipe's end comes when the last of them has gone.
      while (!(await reader.read()).done);
      assertEquals(running(), []);
      await Deno.remove(base, { recursive: true });
    },
  });
}
