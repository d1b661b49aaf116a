/**
 * Classes that do not exist, graded without a grader: what a run keeps, refuses and writes.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import type { LessonInfo, MistakeInfo } from "../course.ts";
import { CommandError } from "../errors.ts";
import { SUITE_ENV } from "../records.ts";
import { pathOf } from "../std/paths.ts";
import { isKey, keyOf } from "./files.ts";
import { HARD_NAMES, madeUpResult } from "./made_up.ts";
import { mergeParts } from "./merge.ts";
import { readRoster } from "./roster.ts";
import { type ClassRequest, gradeClass } from "./run.ts";

const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");

const lessons: LessonInfo[] = ["01_create_bind", "02_connect"].map((slug, i) => ({
  slug,
  number: i + 1,
  title: { en: `Lesson <b>${slug}</b>`, ko: slug },
  tasks: [1, 2, 3].map((task) => ({
    task,
    title: { en: `Task ${task}`, ko: `과제 ${task}` },
    points: task,
  })),
}));
const mistakes = new Map<string, MistakeInfo[]>([["01_create_bind", [
  { id: "fixed-port", name: { en: "A", ko: "A" }, line: { en: "A", ko: "A" } },
]]]);

/** A folder with submissions of these names, and a place for results. */
class Folder implements AsyncDisposable {
  private constructor(readonly base: string) {}

  static async create(names: string[]): Promise<Folder> {
    const folder = new Folder(await Deno.makeTempDir({ prefix: "workbook_class_test_" }));
    for (const name of names) await folder.submit(name, `// ${JSON.stringify(name)}\n`);
    return folder;
  }

  get submissions(): string {
    return `${this.base}/submissions`;
  }

  async submit(name: string, text: string): Promise<void> {
    await Deno.mkdir(`${this.submissions}/${name}/01_create_bind`, { recursive: true });
    await Deno.writeTextFile(`${this.submissions}/${name}/01_create_bind/exercise.ts`, text);
  }

  /** Grades into the folder of that name; returns who was graded. */
  async grade(out: string, more: Partial<ClassRequest> = {}): Promise<string[]> {
    const graded: string[] = [];
    await gradeClass({
      root,
      roster: await readRoster(this.submissions),
      out: `${this.base}/${out}`,
      lessons,
      course: "sha256:made-up",
      sandbox: "limits",
      lang: "en",
      workers: 2,
      grade: (request) => {
        graded.push(request.name!);
        return Promise.resolve(madeUp(request));
      },
      ...more,
    });
    return graded.sort();
  }

  merge(parts: string[], out: string): Promise<number> {
    return mergeParts(root, parts.map((part) => `${this.base}/${part}`), `${this.base}/${out}`);
  }

  read(path: string): Promise<string> {
    return Deno.readTextFile(`${this.base}/${path}`);
  }

  async json<T>(path: string): Promise<T> {
    return JSON.parse(await this.read(path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.base, { recursive: true });
  }
}

function madeUp(request: Parameters<NonNullable<ClassRequest["grade"]>>[0]) {
  return madeUpResult({ ...request, lessons }, {
    mistakes,
    strange: "</style><script>document.title='owned'</script>\x1b[2J\ud800",
  });
}

/** All files below a folder, by path, but those of the run alone. */
async function bytesOf(dir: string, within = ""): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(`${dir}/${within}`)) {
    const path = within === "" ? name : `${within}/${name}`;
    if (["run/lock", "run/journal.jsonl"].includes(path)) continue;
    if (isDirectory) { for (const [key, value] of await bytesOf(dir, path)) files.set(key, value); }
    else files.set(path, (await Deno.readFile(`${dir}/${path}`)).toHex());
  }
  return files;
}

function paths(files: Map<string, string>): string[] {
  return [...files.keys()].sort();
}

Deno.test("gradeClass() grades everybody once, and nobody again", async () => {
  await using folder = await Folder.create(["ada", "bob", "cem"]);
  assertEquals(await folder.grade("out"), ["ada", "bob", "cem"]);
  const first = await bytesOf(`${folder.base}/out`);
  assertEquals(await folder.grade("out"), []);
  assertEquals(await bytesOf(`${folder.base}/out`), first);
  await folder.submit("bob", "// another one");
  await folder.submit("dan", "// late");
  assertEquals(await folder.grade("out"), ["bob", "dan"]);
  await Deno.remove(`${folder.submissions}/ada`, { recursive: true });
  assertEquals(await folder.grade("out"), []);
  assert(!paths(await bytesOf(`${folder.base}/out`)).includes("results/ada.json"));
});

Deno.test("gradeClass() makes a failed grading that student's error, and nobody else's", async () => {
  await using folder = await Folder.create(["ada", "bob", "cem"]);
  await Deno.writeTextFile(`${folder.submissions}/zip.zip`, "no archive");
  const grade: ClassRequest["grade"] = (request) => {
    if (request.name === "bob") throw new Error("the disk <is> full");
    return Promise.resolve(madeUp(request));
  };
  await folder.grade("out", { grade });
  type Result = { status: string; message?: string; max_score: number };
  const results = await Promise.all(
    ["ada", "bob", "zip"].map((key) => folder.json<Result>(`out/results/${key}.json`)),
  );
  assert(results[0]!.status !== "error");
  assertEquals(results[1]!.status, "error");
  assertStringIncludes(results[1]!.message!, "the disk <is> full");
  assertStringIncludes(results[2]!.message!, "no ZIP file");
  assertEquals(results.map(({ max_score }) => max_score), [12, 12, 12]);
  // Errors alone are graded again, if that is asked for.
  assertEquals(await folder.grade("out", { retryErrors: true }), ["bob"]);
});

Deno.test("gradeClass() goes on with the same, and refuses anything else", async () => {
  await using folder = await Folder.create(["ada", "bob"]);
  await folder.grade("out", { seed: 5 });
  const refused = async (more: Partial<ClassRequest>, text: string) => {
    const error = await assertRejects(() => folder.grade("out", more), CommandError, text);
    assert(!error.message.includes("\n"));
  };
  await refused({ seed: 6 }, "seed 5");
  await refused({ course: "sha256:other" }, "version of the course");
  await refused({ lessons: lessons.slice(0, 1) }, "other lessons");
  await refused({ lang: "ko" }, "--lang en");
  await refused({ shard: { index: 1, of: 2 } }, "no --shard");
  assertEquals(await folder.grade("out"), []);
});

Deno.test("gradeClass() writes to no folder that is somebody else's", async () => {
  await using folder = await Folder.create(["ada"]);
  await assertRejects(() => folder.grade("submissions"), CommandError, "other things");
  await Deno.mkdir(`${folder.base}/out`);
  await Deno.writeTextFile(`${folder.base}/out/class.json`, `{"kind":"another"}`);
  await assertRejects(() => folder.grade("out"), CommandError, "not of this workbook");
});

Deno.test("gradeClass() lets no second run at the same results", async () => {
  await using folder = await Folder.create(["ada"]);
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const first = folder.grade("out", {
    grade: async (request) => {
      begun.resolve();
      await go.promise;
      return madeUp(request);
    },
  });
  await begun.promise;
  await assertRejects(
    () => folder.grade("out", { lockPatienceMs: 100 }),
    CommandError,
    "Another run",
  );
  go.resolve();
  await first;
  assertEquals(await folder.grade("out"), []);
});

Deno.test("gradeClass() keeps nothing of a grading that was interrupted", async () => {
  await using folder = await Folder.create(["ada", "bob"]);
  const stop = new AbortController();
  await folder.grade("out", {
    workers: 1,
    signal: stop.signal,
    grade: (request) => {
      if (request.name === "bob") stop.abort();
      return Promise.resolve(madeUp(request));
    },
  });
  assertEquals(await folder.grade("out"), ["bob"]);
});

Deno.test("mergeParts() makes of all parts the same bytes as one run, the page too", async () => {
  const names = Array.from({ length: 23 }, (_, i) => `student-${i}`);
  await using folder = await Folder.create([...names, ...HARD_NAMES.filter(isFolderName)]);
  await folder.grade("whole");
  const parts = [1, 2, 3].map((index) => ({ index, of: 3 }));
  for (const shard of parts) await folder.grade(`part${shard.index}`, { shard });
  await folder.merge(["part2", "part3", "part1"], "merged");
  const [whole, merged] = await Promise.all(
    ["whole", "merged"].map((name) => bytesOf(`${folder.base}/${name}`)),
  );
  assertEquals(paths(merged!), paths(whole!));
  for (const [path, bytes] of whole!) assert(merged!.get(path) === bytes, path);
});

Deno.test("mergeParts() refuses gaps, doubles, strangers, and what is not done", async () => {
  await using folder = await Folder.create(["ada", "bob", "cem", "dan"]);
  for (const index of [1, 2]) await folder.grade(`part${index}`, { shard: { index, of: 2 } });
  await folder.grade("other_seed", { shard: { index: 2, of: 2 }, seed: 9 });
  await folder.grade("other_course", { shard: { index: 2, of: 2 }, course: "sha256:x", seed: 1 });
  await folder.grade("thirds", { shard: { index: 2, of: 3 } });
  const refused = (parts: string[], text: string) =>
    assertRejects(() => folder.merge(parts, "merged"), CommandError, text);
  await refused(["part1"], "part 2/2 is missing");
  await refused(["part1", "part2", "part2"], "there 2 times");
  await refused(["part1", "other_seed"], "different seeds");
  await refused(["part1", "other_course"], "different versions of the course");
  await refused(["part1", "thirds"], "different numbers of parts");
  await refused(["part1", "submissions"], "no results of a class");
  await Deno.remove(`${folder.base}/part2/run/graded/bob.json`);
  await refused(["part1", "part2"], `no result of "bob" yet`);
  await folder.grade("part2", { shard: { index: 2, of: 2 } });
  await folder.submit("eve", "// late");
  await folder.grade("part2", { shard: { index: 2, of: 2 } });
  await refused(["part1", "part2"], "different submissions");
  await assertRejects(() => Deno.stat(`${folder.base}/merged`), Deno.errors.NotFound);
});

Deno.test("the gradebook has everybody's points, and nothing that a spreadsheet computes", async () => {
  const hard = HARD_NAMES.filter(isFolderName);
  await using folder = await Folder.create(hard);
  await folder.grade("out");
  const text = await folder.read("out/gradebook.csv");
  assert(text.endsWith("\r\n"));
  const rows = readCsv(text.replace(/^\ufeff/, ""));
  assertEquals(rows.length, hard.length + 1);
  for (const cells of rows) {
    assertEquals(cells.length, 8);
    for (const cell of cells) assert(!/^[=+\-@\t\r]/.test(cell), cell);
  }
  const db = new DatabaseSync(`${folder.base}/out/gradebook.sqlite`, { readOnly: true });
  try {
    const all = db.prepare("SELECT submission, score FROM submissions ORDER BY submission").all();
    assertEquals(all.map(({ submission }) => submission).sort(), hard.toSorted());
    assertEquals(
      all.map(({ score }) => Number(score)).sort(),
      rows.slice(1).map((cells) => Number(cells[4])).sort(),
    );
    const sums = db.prepare(
      "SELECT submission, sum(score) AS score FROM tasks GROUP BY submission ORDER BY submission",
    ).all();
    assertEquals(sums, all);
    assertEquals(db.prepare("PRAGMA foreign_key_check").all(), []);
    assert(db.prepare("SELECT * FROM mistakes").all().length > 0);
  } finally {
    db.close();
  }
});

Deno.test("the page shows nobody's text as anything but text", async () => {
  await using folder = await Folder.create(HARD_NAMES.filter(isFolderName));
  await Deno.writeTextFile(`${folder.submissions}/<b>.zip`, "");
  for (const lang of ["en", "ko"] as const) {
    await folder.grade(lang, { lang, grade: hostileGrade });
    const page = await folder.read(`${lang}/index.html`);
    assertEquals(strayMarkup(page), []);
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x08\x0b-\x1f\x7f\u202e]/.test(page));
    assertStringIncludes(page, "default-src &#39;none&#39;".replaceAll("&#39;", "'"));
    // Every file that it leads to is there.
    const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, href]) => href!);
    assert(links.length > 0);
    for (const href of new Set(links)) {
      const path = decodeURIComponent(href);
      assert(/^reports\/[^/]+\.txt$/.test(path), path);
      await Deno.stat(`${folder.base}/${lang}/${path}`);
    }
  }
});

/** Tags and attributes that are none of the page's own, and what looks like the beginning of a tag. */
function strayMarkup(page: string): string[] {
  const body = page.replace(/<style>[^<]*<\/style>/, "").replace("<!DOCTYPE html>", "");
  const stray: string[] = [];
  const rest = body.replaceAll(TAG, (_, tag, list) => {
    if (!TAGS.has(tag)) stray.push(tag);
    for (const [, name] of list.matchAll(/([\w:-]+)="/g)) {
      if (!ATTRIBUTES.has(name) && !(tag === "meta" && name === "content")) stray.push(name);
    }
    return "";
  });
  return [...stray, ...rest.match(/<.{0,20}/g) ?? []];
}

const TAG = /<\/?([a-z]\w*)((?:\s+[\w:-]+="[^"<>]*")*)\s*\/?>/gi;
const TAGS = new Set(
  ("html head meta title body h1 h2 p ul li b br div table thead tbody tr th td a code span svg g line rect text")
    .split(" "),
);
const ATTRIBUTES = new Set(
  ("lang charset http-equiv name class scope dir href viewBox role aria-label aria-hidden preserveAspectRatio " +
    "x y x1 x2 y1 y2 width height rx text-anchor").split(" "),
);

const hostileGrade: ClassRequest["grade"] = (request) => {
  if (request.name === "Ada") throw new Error("<script>alert(1)</script>");
  return Promise.resolve(madeUp(request));
};

Deno.test("reports obey no terminal, and have whole characters", async () => {
  await using folder = await Folder.create(["ada", "bob", "cem", "dan"]);
  await folder.grade("out");
  for await (const { name } of Deno.readDir(`${folder.base}/out/reports`)) {
    const text = await folder.read(`out/reports/${name}`);
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x08\x0b-\x1f\x7f]/.test(text), name);
    assert(text.isWellFormed());
  }
});

Deno.test("keyOf() gives each name a file's name of its own", async () => {
  const names = [
    ...HARD_NAMES,
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "con",
    "ada ",
    "ADA",
    "\ud800",
    "\udfff",
  ];
  const keys = await Promise.all(names.map(keyOf));
  assertEquals(new Set(keys.map((key) => key.toLowerCase())).size, names.length);
  for (const key of keys) {
    assert(isKey(key), key);
    assert(new TextEncoder().encode(`${key}.json`).length < 255, key);
  }
  assertEquals(await keyOf("submission_123"), "submission_123");
});

Deno.test("a run that is killed at any moment loses no result and grades nobody twice", async () => {
  const names = Array.from({ length: 16 }, (_, i) => `student-${i}`);
  await using folder = await Folder.create(names);
  await folder.grade("calm", { course: "sha256:made-up" });
  const script = `${folder.base}/run.ts`;
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  await Deno.writeTextFile(
    script,
    `import { gradeClass } from ${url("run.ts")};
import { readRoster } from ${url("roster.ts")};
import { madeUpResult } from ${url("made_up.ts")};
const { root, lessons, mistakes, strange } = JSON.parse(Deno.args[2]);
await gradeClass({
  root, lessons, roster: await readRoster(Deno.args[0]), out: Deno.args[1], course: "sha256:made-up",
  sandbox: "limits", lang: "en", workers: 2,
  grade: async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 12));
    return madeUpResult({ ...request, lessons }, { mistakes: new Map(mistakes), strange });
  },
});
`,
  );
  const importMap = Deno.env.get(SUITE_ENV.importMap);
  const strange = "</style><script>document.title='owned'</script>\x1b[2J\ud800";
  const data = JSON.stringify({ root, lessons, mistakes: [...mistakes], strange });
  const start = () =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-check",
        "--no-lock",
        "--allow-all",
        ...(importMap ? [`--import-map=${importMap}`] : [`--config=${root}/deno.json`]),
        script,
        folder.submissions,
        `${folder.base}/killed`,
        data,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  let kills = 0;
  for (let run = 0; run < 30; run++) {
    const process = start();
    const kill = () => {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    };
    const timer = setTimeout(kill, 60 + Math.random() * 240);
    const { success } = await process.output();
    clearTimeout(timer);
    if (success) break;
    kills++;
  }
  // Whatever is left is done now.
  const { code, stderr } = await start().output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const [calm, killed] = await Promise.all(
    ["calm", "killed"].map((name) => bytesOf(`${folder.base}/${name}`)),
  );
  assertEquals(paths(killed!).filter((path) => !path.includes("/.draft.")), paths(calm!));
  for (const [path, bytes] of calm!) assert(killed!.get(path) === bytes, path);
  const journal = (await folder.read("killed/run/journal.jsonl")).split("\n")
    .flatMap((line) => line.startsWith("{") && line.endsWith("}") ? [JSON.parse(line)] : []);
  const done = new Set<string>();
  for (const { event, student } of journal) {
    if (event === "begin") assert(!done.has(student), `${student} was graded again`);
    if (event === "end") done.add(student);
  }
  assert(kills > 0);
});

function isFolderName(name: string): boolean {
  return !name.includes("/") && (Deno.build.os !== "windows" || /^[\w\p{L} ]+$/u.test(name));
}

/** A reader of CSV, of our own: RFC 4180. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (
    const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)
  ) {
    if (quoted === undefined && plain === "" && end === "") break;
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === "\r\n") rows.push([]);
  }
  return rows.filter((cells) => cells.length > 0);
}
