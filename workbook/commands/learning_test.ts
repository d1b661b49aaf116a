/**
 * The commands of somebody who learns alone, on a course of the tests' own.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { unicodeWidth } from "@std/cli/unicode-width";
import { readLesson } from "../course.ts";
import { CommandError } from "../errors.ts";
import { ProgressStore } from "../progress.ts";
import type { LessonResult, Status } from "../result.ts";
import type { Lang } from "../text.ts";
import { listCommand, listLines } from "./list.ts";
import { resetCommand } from "./reset.ts";
import { solutionCommand, solutionLines } from "./solution.ts";

const STUB = `export function one(): void {
  // TODO(task 1): this
  throw new Error("Not implemented");
}
`;
const OWN = STUB.replace("// TODO(task 1): this", "if (1 + 1 === 3) return;");

/** Two lessons of one task each. */
class Course implements AsyncDisposable {
  private constructor(readonly root: string) {}

  static async create(): Promise<Course> {
    const course = new Course(await Deno.makeTempDir({ prefix: "workbook_learning_" }));
    for (const slug of ["01_sockets", "02_streams"]) {
      const [number, name] = [Number(slug.slice(0, 2)), slug.slice(3)];
      await course.write(
        `lessons/${slug}/README.md`,
        `# Lesson ${number}: About ${name}\n\n## Task 1: Write one (2 points)\n`,
      );
      await course.write(
        `lessons/${slug}/README.ko.md`,
        `# ${number}강: 소켓과 스트림과 그 밖의 여러 가지\n\n## Task 1: 하나를 작성하기 (2점)\n`,
      );
      await course.write(`lessons/${slug}/exercise.ts`, OWN);
      await course.write(`tests/stubs/${slug}.ts`, STUB);
      await course.write(`solutions/${slug}/exercise.ts`, `export function one(): void {}\n`);
    }
    return course;
  }

  async write(path: string, text: string): Promise<void> {
    await Deno.mkdir(`${this.root}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${this.root}/${path}`, text);
  }

  read(path: string): Promise<string> {
    return Deno.readTextFile(`${this.root}/${path}`);
  }

  get store(): ProgressStore {
    return new ProgressStore(this.root, (text) => console.error(text.en));
  }

  async graded(slug: string, status: Status): Promise<void> {
    const tests = [{ name: "", status, duration_ms: 1 }];
    const task = { task: 1, title: "", status, score: 0, max_score: 2, duration_ms: 1, output: "" };
    const result = { tasks: [{ ...task, tests }] } as unknown as LessonResult;
    await this.store.record(await readLesson(this.root, slug), result);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

/** What a command prints, and its status. */
async function said(run: () => Promise<number>): Promise<{ code: number; out: string }> {
  const { log } = console;
  const lines: string[] = [];
  console.log = (text: string) => void lines.push(text);
  try {
    return { code: await run(), out: lines.join("\n") };
  } finally {
    console.log = log;
  }
}

Deno.test("reset keeps the learner's file in a dated backup, and brings it back", async () => {
  await using course = await Course.create();
  const { root } = course;
  const file = "lessons/01_sockets/exercise.ts";
  await course.graded("01_sockets", "pass");
  const { code, out } = await said(() => resetCommand(["1", "--lang", "en"], root));
  assertEquals([code, await course.read(file)], [0, STUB]);
  const backup = /\.workbook\/backups\/sockets\/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.ts/
    .exec(out.replaceAll("\n", " "))![0];
  assertEquals(await course.read(backup), OWN);
  assert(!(await course.store.state(await readLesson(root, "01_sockets"))).done);

  assertStringIncludes(
    (await said(() => resetCommand(["1", "--lang", "en"], root))).out,
    "is the stub already",
  );
  await said(() => resetCommand(["1", "--restore"], root));
  assertEquals(await course.read(file), OWN);
  // Nothing else was worth a backup.
  assertEquals([...Deno.readDirSync(`${root}/.workbook/backups/sockets`)].length, 1);
});

Deno.test("reset overwrites nothing without a backup, in whatever order things are asked for", async () => {
  await using course = await Course.create();
  const { root } = course;
  const file = "lessons/01_sockets/exercise.ts";
  await said(() => resetCommand(["1"], root));
  await course.write(file, "second\n");
  // Within the same second: a backup of the same date is not overwritten.
  await said(() => resetCommand(["1"], root));
  await course.write(file, "third\n");
  await said(() => resetCommand(["1", "--restore"], root));
  assertEquals(await course.read(file), "second\n");
  const folder = `${root}/.workbook/backups/sockets`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  const kept = await Promise.all(names.map((name) => Deno.readTextFile(`${folder}/${name}`)));
  assertEquals(kept.sort(), [OWN, "second\n", "third\n"].sort());
  const first = names.find((_, i) =>
    kept.length && Deno.readTextFileSync(`${folder}/${names[i]}`) === OWN
  )!;
  await said(() => resetCommand(["1", "--from", first.replace(/\.ts$/, "")], root));
  assertEquals(await course.read(file), OWN);
  const { out } = await said(() => resetCommand(["1", "--backups"], root));
  for (const name of names) assertStringIncludes(out, name.replace(/\.ts$/, ""));
});

Deno.test("reset leaves the file alone if no backup can be written, and makes one that is gone", async () => {
  await using course = await Course.create();
  const { root } = course;
  await course.write(".workbook/backups", "a file where the folder should be");
  const error = await assertRejects(() => resetCommand(["1"], root), CommandError);
  assertStringIncludes(error.message, "stays as it is");
  assertEquals(await course.read("lessons/01_sockets/exercise.ts"), OWN);
  await Deno.remove(`${root}/lessons/02_streams/exercise.ts`);
  await said(() => resetCommand(["2"], root));
  assertEquals(await course.read("lessons/02_streams/exercise.ts"), STUB);
  await assertRejects(
    () => resetCommand(["2", "--from", "2020-01-01_00-00-00"], root),
    CommandError,
  );
  await assertRejects(() => resetCommand(["2", "3"], root), CommandError);
});

Deno.test("solution is shown when the lesson is done, or when asked twice", async () => {
  await using course = await Course.create();
  const { root } = course;
  const ask = (...args: string[]) => said(() => solutionCommand([...args, "--lang", "en"], root));
  const first = await ask("1");
  assertEquals(first.code, 1);
  assertStringIncludes(first.out.replaceAll("\n", " "), "ask once more: deno task solution 1");
  const second = await ask("1");
  assertEquals(second.code, 0);
  assertStringIncludes(second.out, "- export function one(): void {");
  assertStringIncludes(second.out, "+ export function one(): void {}");
  await course.graded("02_streams", "pass");
  assertEquals((await ask("2")).code, 0);
  await course.write("lessons/02_streams/exercise.ts", "export function one(): void {}\n");
  assertMatch((await ask("2")).out, /is the model solution, line by line/);
});

Deno.test("list shows how lessons and tasks stand", async () => {
  await using course = await Course.create();
  const { root } = course;
  await course.graded("01_sockets", "pass");
  const { code, out } = await said(() => listCommand(["--lang", "en"], root));
  assertEquals(code, 0);
  const lines = out.split("\n");
  assertMatch(lines[0]!, /^✓ 1 {2}About sockets +2\/2$/);
  assertMatch(lines[1]!, /^ {4}✓ task 1: Write one +2\/2$/);
  assertMatch(lines[3]!, /^▸ 2 {2}About streams +0\/2$/);
  assertStringIncludes(out, "1 of 2 lessons done, 2 of 4 points.");
  await course.graded("01_sockets", "fail");
  const again = await said(() => listCommand(["1", "--lang", "en"], root));
  assertMatch(again.out, /! task 1: Write one/);
  assertStringIncludes(again.out, "passed before, and failed in the last grading");
  assert(!again.out.includes("streams"));
});

for (const lang of ["en", "ko"] as Lang[]) {
  for (const columns of [20, 40, 80, 149, 150, 200]) {
    Deno.test(`list and solution fit into ${columns} columns, in ${lang}`, async () => {
      await using course = await Course.create();
      const { root, store } = course;
      const long = `const value = "${"긴 글 ".repeat(30)}";\n`;
      await course.write("lessons/01_sockets/exercise.ts", `${OWN}${long}`);
      const screen = { columns, colours: false, isTerminal: true };
      const lesson = await readLesson(root, "01_sockets");
      const lines = [
        ...await listLines({ root, store, lang, screen }),
        ...await solutionLines({ root, lesson, lang, screen }),
        ...await solutionLines({ root, lesson, lang, screen, all: true }),
      ];
      for (const line of lines) assert(unicodeWidth(line) <= columns, `${columns}: ${line}`);
      if (lang === "ko") {
        assert(!lines.some((line) => /lesson |yours/.test(line)), lines.join("\n"));
      }
    });
  }
}
