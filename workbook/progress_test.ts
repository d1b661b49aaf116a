import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { LessonInfo } from "./course.ts";
import {
  align,
  lessonKey,
  lessonToDo,
  parseProgress,
  ProgressStore,
  stateOf,
  taskNames,
} from "./progress.ts";
import type { LessonResult, TaskResult } from "./result.ts";
import { isUntouched } from "./stub.ts";
import { same, type Text } from "./text.ts";

const STUB = `/** One. */
export function one(): void {
  // TODO(task 1): this
  throw new Error("Not implemented");
}
export async function* two(): AsyncGenerator<string> {
  // TODO(task 2): that
  // TODO(task 3): and that
  throw new Error("Not implemented");
}
`;

function lesson(slug = "01_sockets", titles = ["First", "Second", "Third"]): LessonInfo {
  return {
    slug,
    number: Number(slug.slice(0, 2)),
    title: same("Sockets"),
    tasks: titles.map((title, i) => ({ task: i + 1, points: i + 1, title: same(title) })),
  };
}

/** How a grading of these tasks ended: passed, failed for that mistake, or not written. */
function result(...tasks: (true | string | undefined)[]): LessonResult {
  return {
    version: 1,
    lesson: "01_sockets",
    title: "",
    target: "lessons",
    seed: 1,
    status: "fail",
    score: 0,
    max_score: 0,
    duration_ms: 1,
    tasks: tasks.map((how, i): TaskResult => ({
      task: i + 1,
      title: "",
      status: how === true ? "pass" : "fail",
      score: 0,
      max_score: 0,
      duration_ms: 1,
      output: "",
      tests: [{
        name: "",
        duration_ms: 1,
        status: how === true ? "pass" : "fail",
        ...(how === undefined ? { kind: "missing" } : how !== true && { mistake: how }),
      }],
    })),
  };
}

class Folder implements AsyncDisposable {
  readonly said: Text[] = [];
  private constructor(readonly root: string) {}

  static async create(): Promise<Folder> {
    const root = await Deno.makeTempDir({ prefix: "workbook_progress_" });
    await Deno.mkdir(`${root}/tests/stubs`, { recursive: true });
    await Deno.writeTextFile(`${root}/tests/stubs/01_sockets.ts`, STUB);
    return new Folder(root);
  }

  get store(): ProgressStore {
    return new ProgressStore(this.root, (text) => this.said.push(text));
  }

  get file(): string {
    return `${this.root}/.workbook/progress.json`;
  }

  names(): string[] {
    return [...Deno.readDirSync(`${this.root}/.workbook`)].map(({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

Deno.test("taskNames() calls tasks after the function of their first TODO, and counts those of one function", () => {
  assertEquals([...taskNames(STUB, lesson()).values()], ["one", "two", "two.2"]);
  assertEquals([...taskNames("", lesson()).values()], ["task 1", "task 2", "task 3"]);
});

Deno.test("lessonKey() is the slug without its number", () => {
  assertEquals(lessonKey("03_send_recv"), "send_recv");
});

Deno.test("isUntouched() wants every part with a TODO to throw still", () => {
  assert(isUntouched(STUB, [1, 2, 3]));
  assert(!isUntouched(STUB.replace(`  throw new Error("Not implemented");\n`, ""), [1, 2, 3]));
  assert(!isUntouched(STUB, [1, 2, 3, 4]));
});

Deno.test("align() finds records whose task has another number, title or function", () => {
  const known = {
    one: { title: "First", hints: 1 },
    two: { title: "Second", hints: 2 },
    "two.2": { title: "Third", hints: 3 },
    gone: { title: "Gone", hints: 4 },
  };
  // A task was put between the two that share a function; another is called otherwise now.
  const aligned = align(known, [
    { name: "two", title: "New" },
    { name: "two.2", title: "Second" },
    { name: "two.3", title: "Third" },
    { name: "one", title: "The first" },
  ]);
  assertEquals(aligned["two"], { title: "New" });
  assertEquals(aligned["two.2"]!.hints, 2);
  assertEquals(aligned["two.3"]!.hints, 3);
  assertEquals(aligned["one"], { title: "The first", hints: 1 });
  assertEquals(aligned["gone"]!.hints, 4);
});

Deno.test("record() keeps what passed, the last mistake, and all that were met", async () => {
  await using folder = await Folder.create();
  const { store } = folder;
  await store.record(lesson(), result(true, "short-write", undefined));
  let { tasks, done, score, maxScore } = await store.state(lesson());
  assertEquals([...tasks.values()].map(({ state }) => state), ["passed", "failed", "untried"]);
  assertEquals([tasks.get(2)!.mistake, done, score, maxScore], ["short-write", false, 1, 6]);
  await store.record(lesson(), result("fixed-port", "byte-order", true));
  await store.record(lesson(), result("fixed-port", true, true));
  ({ tasks, done, score } = await store.state(lesson()));
  assertEquals([...tasks.values()].map(({ state }) => state), ["again", "passed", "passed"]);
  assertEquals(tasks.get(2)!.met, ["short-write", "byte-order"]);
  assertEquals([tasks.get(2)!.mistake, done, score], [undefined, true, 6]);
  assertEquals(folder.said, []);
});

Deno.test("progress survives a lesson that is numbered anew, and keeps what it does not know", async () => {
  await using folder = await Folder.create();
  await folder.store.record(lesson(), result(true, true, true));
  const file = JSON.parse(await Deno.readTextFile(folder.file));
  file.future = [1];
  file.lessons.other = { tasks: { a: { passedAt: "2026" } }, note: "x" };
  await Deno.writeTextFile(folder.file, JSON.stringify(file));
  await Deno.rename(
    `${folder.root}/tests/stubs/01_sockets.ts`,
    `${folder.root}/tests/stubs/04_sockets.ts`,
  );
  const moved = lesson("04_sockets");
  assert((await folder.store.state(moved)).done);
  await folder.store.record(moved, result("short-write", true, true));
  const now = JSON.parse(await Deno.readTextFile(folder.file));
  assertEquals([now.future, now.lessons.other], [[1], file.lessons.other]);
  assertEquals(Object.keys(now.lessons), ["sockets", "other"]);
});

for (
  const [text, word] of [
    ["{ damaged", "damaged"],
    ["[]", "damaged"],
    ["", "damaged"],
    [`{"kind":"socket-workbook progress","version":1}`, "damaged"],
    [`{"name":"something else"}`, "foreign"],
    [`{"kind":"socket-workbook progress","version":99,"lessons":{}}`, "newer"],
  ] as const
) {
  Deno.test(`a file that is ${word} is set aside whole, and that is said: ${text}`, async () => {
    await using folder = await Folder.create();
    await Deno.mkdir(`${folder.root}/.workbook`);
    await Deno.writeTextFile(folder.file, text);
    await folder.store.record(lesson(), result(true));
    assertEquals(folder.said.length, 1);
    const aside = folder.names().find((name) => name.startsWith(`progress.json.${word}-`))!;
    assertStringIncludes(folder.said[0]!.en, aside);
    assertStringIncludes(folder.said[0]!.ko, aside);
    assertEquals(await Deno.readTextFile(`${folder.root}/.workbook/${aside}`), text);
    assertEquals((await folder.store.state(lesson())).tasks.get(1)!.state, "passed");
    assertEquals(folder.said.length, 1);
  });
}

Deno.test("reading sets a damaged file aside as well, and a bad entry is only left out", async () => {
  await using folder = await Folder.create();
  await Deno.mkdir(`${folder.root}/.workbook`);
  await Deno.writeTextFile(folder.file, "]");
  assertEquals((await folder.store.read()).lessons, {});
  assertEquals([folder.said.length, folder.names().includes("progress.json")], [1, false]);
  const kept = parseProgress(
    `{"kind":"socket-workbook progress","version":1,"last":3,"lessons":{"a":1,"b":{"tasks":{"t":2,"u":{}}}}}`,
  );
  assert(typeof kept !== "string");
  assertEquals(kept.lessons, { b: { tasks: { u: {} } } });
});

Deno.test("progress that cannot be kept is said, and nothing else happens", async () => {
  await using folder = await Folder.create();
  await Deno.writeTextFile(`${folder.root}/.workbook`, "a file where the folder should be");
  assertEquals(await folder.store.record(lesson(), result(true)), false);
  assertMatch(folder.said[0]!.en, /cannot be kept/);
  assertEquals((await folder.store.state(lesson())).done, false);
});

Deno.test("commands at once lose nothing", async () => {
  await using folder = await Folder.create();
  const importMap = Deno.env.get("WORKBOOK_SUITE_IMPORT_MAP");
  const program = `
    import { ProgressStore } from ${JSON.stringify(import.meta.resolve("./progress.ts"))};
    const [root, name] = Deno.args;
    const store = new ProgressStore(root, (text) => { console.error(text.en); Deno.exit(1); });
    for (let i = 0; i < 20; i++) {
      await store.update((p) => { (p.lessons[name + i] = { tasks: {} }); });
    }`;
  const runs = ["a", "b", "c", "d"].map((name) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--no-lock", "--cached-only", "-A"],
        ...(importMap ? [`--import-map=${importMap}`] : []),
        `data:application/typescript,${encodeURIComponent(program)}`,
        folder.root,
        name,
      ],
    }).output()
  );
  for (const { code, stderr } of await Promise.all(runs)) {
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  }
  const { lessons } = await folder.store.read();
  assertEquals(Object.keys(lessons).length, 80);
  assertEquals(folder.names(), ["progress.json", "progress.lock"]);
});

Deno.test("lessonToDo() is where the learner left off, else the first that is not done", () => {
  const lessons = [lesson("01_a"), lesson("02_b"), lesson("03_c")];
  const state = (done: boolean) => ({
    ...stateOf({ kind: "socket-workbook progress", version: 1, lessons: {} }, lesson(), new Map()),
    done,
  });
  const to = (done: boolean[], last?: string) => lessonToDo(lessons, done.map(state), last)?.slug;
  assertEquals(to([false, false, false]), "01_a");
  assertEquals(to([true, false, false]), "02_b");
  assertEquals(to([false, false, false], "c"), "03_c");
  assertEquals(to([false, false, true], "c"), "01_a");
  assertEquals(to([true, true, true], "c"), undefined);
  assertEquals(to([false, true, true], "gone"), "01_a");
});
