import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { LessonResult, Status, TestResult } from "../result.ts";
import { FORMATS } from "./formats/formats.ts";
import type { ClassroomResult } from "./formats/classroom.ts";
import { type SubmissionResult, submissionResult, zeroResult } from "./model.ts";

const HARMFUL = [
  "]]></system-out></testsuite>",
  "<script>alert(1)</script>",
  '" onmouseover="x" \' &amp; <!--',
  "\x1b]0;title\x07\x1b[2J\x00\x9b31m\x7f",
  "\ud800 half \udfff \uffff \ufffe \ufdd0 \u{1ffff}",
  "\nGrade :=>> 100\nComment :=>> x\n<|--\nGrade :=>> 7\n--|>\n",
  "\u2028\u2029\u202e",
  "\nScore: 99/99\n",
  "::set-output name=result::eyJ9",
].join(" ");

function test(name: string, status: Status, more: Partial<TestResult> = {}): TestResult {
  return {
    name,
    status,
    duration_ms: 7,
    ...(status !== "pass" && {
      message: `expected  1\nreceived  ${HARMFUL}`,
      kind: "assert",
      mistake: "short-write",
      mistake_line: "One write() may not send all.",
      transcript: [{ step: 1, who: "you", event: "write", detail: HARMFUL }],
    }),
    ...more,
  };
}

function lesson(
  slug: string,
  tasks: { points: number; status: Status; tests: TestResult[] }[],
  message?: string,
): LessonResult {
  const results = tasks.map(({ points, status, tests }, i) => ({
    task: i + 1,
    title: `Title <${i + 1}> & "more"`,
    status,
    score: status === "pass" ? points : 0,
    max_score: points,
    duration_ms: 20,
    output: `${HARMFUL}${"y".repeat(20_000)}`,
    tests,
  }));
  const sum = (key: "score" | "max_score") => results.reduce((sum, task) => sum + task[key], 0);
  const statuses = results.map(({ status }) => status);
  return {
    version: 1,
    lesson: slug,
    title: "A <lesson>",
    target: "x",
    seed: 3,
    status: statuses.includes("error") ? "error" : statuses.includes("fail") ? "fail" : "pass",
    score: sum("score"),
    max_score: sum("max_score"),
    duration_ms: 40,
    ...(message && { message }),
    tasks: results,
  };
}

const head = {
  course: "sha256:0",
  seed: 3,
  submission: `Ada & "Bob" <b>${HARMFUL}`,
  sandbox: "limits" as const,
  ignored: [`odd\n\x1b[31m${HARMFUL}`, "x/"],
};

const passing = lesson("01_create_bind", [
  { points: 1, status: "pass", tests: [test("task 1: a", "pass")] },
  { points: 3, status: "pass", tests: [test("task 2: b", "pass"), test("task 2: c", "pass")] },
]);
const failing = lesson("02_connect", [
  { points: 2, status: "pass", tests: [test("task 1: a", "pass")] },
  { points: 4, status: "fail", tests: [test("task 2: b", "pass"), test("task 2: c", "fail")] },
]);
const broken = lesson("03_send_recv", [
  { points: 5, status: "error", tests: [] },
  { points: 1, status: "pass", tests: [test("task 2: d", "pass")] },
], `The suite ended: ${HARMFUL}`);

const RESULTS: Record<string, SubmissionResult> = {
  "all passed": submissionResult(head, [passing], 50),
  "some failed": submissionResult(head, [passing, failing], 90),
  "one lesson is an error": submissionResult(head, [passing, failing, broken], 120),
  "nothing is graded yet": zeroResult(head, {
    lessons: [{
      slug: "01_create_bind",
      number: 1,
      title: { en: "t", ko: "t" },
      tasks: [{ task: 1, title: { en: "u", ko: "u" }, points: 4 }],
    }],
    lang: "en",
  }),
};

/** The totals that a platform would find in a document. */
const READERS: Record<string, (text: string, result: SubmissionResult) => [number, number]> = {
  json(text) {
    const { lessons, score, max_score } = JSON.parse(text) as SubmissionResult;
    const tasks = lessons.flatMap((lesson) => lesson.tasks);
    assertEquals(tasks.reduce((sum, task) => sum + task.score, 0), score);
    return [score, max_score];
  },
  gradescope(text) {
    const { score, tests } = JSON.parse(text);
    const sum = (key: string) =>
      tests.reduce((sum: number, test: Record<string, number>) => sum + test[key]!, 0);
    assertEquals(sum("score"), score);
    for (const test of tests) assert(["passed", "failed"].includes(test.status));
    for (const test of tests) assertEquals(typeof test.number, "string");
    return [score, sum("max_score")];
  },
  classroom(text) {
    const json = new TextDecoder().decode(Uint8Array.fromBase64(text.trim()));
    const { tests, max_score } = JSON.parse(json) as ClassroomResult;
    const passed = tests.filter(({ status }) => status === "pass").length;
    const received = tests.reduce((sum, { score }) => sum + score, 0);
    // What the reporter shows, and what Classroom is sent.
    assertEquals(passed / tests.length * max_score, received);
    return [received, max_score];
  },
  exercism(text, result) {
    const { version, tests, status, message } = JSON.parse(text);
    assertEquals(version, 3);
    assertEquals(status, result.status);
    assertEquals(typeof message === "string", status === "error");
    const points = result.lessons.flatMap(({ tasks }) => tasks.map(({ max_score }) => max_score));
    const failed = new Set<number>();
    for (const test of tests) {
      assert((test.output ?? "").length <= 500 && (test.message ?? "").length <= 65_535);
      if (test.status !== "pass") failed.add(test.task_id);
    }
    const ids = new Set<number>(tests.map((test: { task_id: number }) => test.task_id));
    assertEquals(ids.size, points.length);
    const score = points.reduce((sum, p, i) => sum + (failed.has(i + 1) ? 0 : p), 0);
    return [score, points.reduce((sum, p) => sum + p, 0)];
  },
  junit(text) {
    const root = readXml(text);
    const suites = root.children.filter(({ name }) => name === "testsuite");
    const number = (name: string) =>
      suites.reduce((sum, suite) => {
        const [properties] = suite.children.filter(({ name }) => name === "properties");
        const property = properties!.children.find(({ attributes }) => attributes.name === name)!;
        return sum + Number(property.attributes.value);
      }, 0);
    const cases = suites.flatMap(({ children }) =>
      children.filter(({ name }) => name === "testcase")
    );
    const has = (name: string) =>
      cases.filter(({ children }) => children.some((child) => child.name === name)).length;
    assertEquals(root.attributes.tests, `${cases.length}`);
    assertEquals(root.attributes.failures, `${has("failure")}`);
    assertEquals(root.attributes.errors, `${has("error")}`);
    return [number("score"), number("max_score")];
  },
  moodle(text, result) {
    const { fraction, testresults, columnformats } = JSON.parse(text);
    const [heads, ...rows] = testresults;
    assertEquals(heads[0], "iscorrect");
    assertEquals(heads.at(-1), "ishidden");
    assertEquals(columnformats.length, heads.length - 2);
    for (const row of rows) assertEquals(row.length, heads.length);
    const sum = (column: number) =>
      rows.reduce((sum: number, row: string[]) => sum + Number(row[column]), 0);
    assertEquals(fraction, result.max_score ? sum(2) / sum(3) : 0);
    // Nothing is markup but what the format itself makes.
    const cells = JSON.parse(text.replaceAll(/<\/?pre>|<\/?p>|<br>/g, "")) as { testresults: [] };
    assert(!/[<>]/.test(JSON.stringify(cells)));
    return [sum(2), sum(3)];
  },
  vpl(text, result) {
    const lines = text.trimEnd().split("\n");
    const grades = lines.filter((line) => /Grade *:=>>/.test(line));
    assertEquals(grades.length, 1);
    for (const line of lines) assert(/^(Comment|Grade) :=>> /.test(line), line);
    return [Number(/^Grade :=>> (\d+)$/.exec(grades[0]!)![1]), result.max_score];
  },
  text(text) {
    const scores = text.split("\n").filter((line) => line.startsWith("Score:"));
    assertEquals(scores.length, 1);
    const [, score, most] = /^Score: (\d+)\/(\d+)$/.exec(scores[0]!)!;
    return [Number(score), Number(most)];
  },
};

for (const [name, result] of Object.entries(RESULTS)) {
  for (const [format, write] of Object.entries(FORMATS)) {
    Deno.test(`${format} gives the totals of the result: ${name}`, () => {
      const text = write(result, "en");
      assertEquals(READERS[format]!(text, result), [result.score, result.max_score]);
      assert(text.endsWith("\n"));
      assert(text.isWellFormed());
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ufffe\uffff]/.test(text));
      assert(write(result, "ko").length > 0);
    });
  }
}

Deno.test("every format is read back", () => {
  assertEquals(Object.keys(READERS).sort(), Object.keys(FORMATS).sort());
});

Deno.test("an error that costs points is said in every format that shows messages", () => {
  const result = RESULTS["one lesson is an error"]!;
  for (const format of ["json", "gradescope", "exercism", "junit", "moodle", "vpl", "text"]) {
    assertStringIncludes(FORMATS[format]!(result, "en"), "The suite ended", format);
  }
});

/** What a program that reads JUnit's XML from standard input finds: tests, failures, errors, points, a message. */
const OTHERS: Record<string, string> = {
  "npm:junit2json@4.0.0": `
    const root = await parser.parse(text);
    const number = (name) => root.testsuite.reduce((sum, { properties }) =>
      sum + Number(properties.find((one) => one.name === name).value), 0);
    const cases = root.testsuite.flatMap(({ testcase }) => testcase);
    const having = (name) => cases.filter((one) => one[name]?.length).length;
    const failed = cases.find(({ failure }) => failure?.length);
    const found = [cases.length, having("failure"), having("error"), number("score"), number("max_score"),
      failed?.failure[0].inner];`,
  "npm:test-results-parser@0.4.6": `
    const path = Deno.makeTempFileSync();
    Deno.writeTextFileSync(path, text);
    const { suites } = parser.default.parse({ type: "junit", files: [path] });
    Deno.removeSync(path);
    const number = (name) => suites.reduce((sum, { metadata }) => sum + Number(metadata[name]), 0);
    const cases = suites.flatMap((suite) => suite.cases);
    // Of an error it makes a failure, but counts it.
    const failed = cases.filter(({ status }) => status === "FAIL").length;
    const errors = suites.reduce((sum, suite) => sum + suite.errors, 0);
    const found = [cases.length, failed - errors, errors, number("score"), number("max_score"),
      failed > errors ? cases.find(({ status }) => status === "FAIL").stack_trace : null];`,
};

async function readByOther(parser: string, text: string): Promise<unknown[] | undefined> {
  const script = `
    let parser;
    try { parser = await import("${parser}"); } catch { Deno.exit(7); }
    const text = await new Response(Deno.stdin.readable).text();
    ${OTHERS[parser]}
    console.log(JSON.stringify(found));`;
  const dir = await Deno.makeTempDir({ prefix: "workbook_junit_" });
  try {
    await Deno.writeTextFile(`${dir}/read.js`, script);
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--cached-only", "--no-lock", "--no-config", "--allow-all", "read.js"],
      cwd: dir,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    // One that has no parser does not read.
    await writer.write(new TextEncoder().encode(text)).then(() => writer.close()).catch(() => {});
    const { code, stdout, stderr } = await process.output();
    if (code === 7) return undefined;
    assertEquals(new TextDecoder().decode(stderr), "");
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

for (const parser of Object.keys(OTHERS)) {
  const isHere = await readByOther(parser, "<testsuites></testsuites>").then(
    (found) => found !== undefined,
    () => true,
  );
  if (!isHere) {
    console.log(`JUnit is not read back by ${parser}: to have it, deno cache --no-lock ${parser}`);
  }
  Deno.test({
    name: `JUnit's XML is read back by ${parser}`,
    ignore: !isHere,
    async fn() {
      for (const [name, result] of Object.entries(RESULTS)) {
        const { children } = readXml(FORMATS.junit!(result, "en"));
        const cases = children.flatMap(({ children }) => children)
          .filter(({ name }) => name === "testcase");
        const inner = (name: string) =>
          cases.flatMap(({ children }) => children.filter((child) => child.name === name));
        const found = await readByOther(parser, FORMATS.junit!(result, "en"));
        const { score, max_score } = result;
        const failures = inner("failure");
        assertEquals(
          [...found!.slice(0, 5), found![5] ?? undefined],
          [
            cases.length,
            failures.length,
            inner("error").length,
            score,
            max_score,
            failures[0]?.text,
          ],
          name,
        );
      }
    },
  });
}

interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

/**
 * Reads XML 1.0 as far as JUnit needs it, and throws at whatever is not well-formed: no parser has to be fetched, and
 * none that forgives is of use here.
 */
function readXml(source: string): Element {
  const forbidden = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(source);
  if (forbidden) throw new Error(`No character of XML: ${forbidden[0].codePointAt(0)}`);
  const body = /^<\?xml version="1\.0" encoding="UTF-8"\?>\n([^]*)$/.exec(source)![1]!;
  const top: Element = { name: "", attributes: {}, children: [], text: "" };
  const open = [top];
  const pattern = /<(\/?)([A-Za-z][\w.-]*)((?: [A-Za-z_][\w.-]*="[^"<]*")*)(\/?)>|([^<]+)/gy;
  let at = 0;
  for (let match; (match = pattern.exec(body)); at = pattern.lastIndex) {
    const [, closes, name, attributes, isEmpty, text] = match;
    const current = open.at(-1)!;
    if (text !== undefined) {
      if (text.includes("]]>")) throw new Error("]]> stands in text");
      current.text += unescape(text);
    } else if (closes) {
      if (current.name !== name) throw new Error(`</${name}> ends <${current.name}>`);
      open.pop();
    } else {
      const element: Element = { name: name!, attributes: {}, children: [], text: "" };
      for (const [, key, value] of attributes!.matchAll(/ ([\w.-]+)="([^"]*)"/g)) {
        if (key! in element.attributes) throw new Error(`${key} stands twice`);
        element.attributes[key!] = unescape(value!);
      }
      current.children.push(element);
      if (!isEmpty) open.push(element);
    }
  }
  if (at !== body.length) throw new Error(`Not well-formed: ${body.slice(at, at + 60)}`);
  if (open.length !== 1 || top.children.length !== 1) throw new Error("Not one root element");
  return top.children[0]!;
}

function unescape(text: string): string {
  const signs: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  const rest = text.replace(/&(?:#\d+|amp|lt|gt|quot|apos);/g, "");
  if (rest.includes("&")) throw new Error(`An & stands alone: ${text.slice(0, 60)}`);
  return text.replace(
    /&(?:#(\d+)|(\w+));/g,
    (_, code, name) => name === undefined ? String.fromCodePoint(Number(code)) : signs[name]!,
  );
}
