import { assertEquals, assertMatch } from "@std/assert";
import type { LessonInfo, MistakeInfo } from "./course.ts";
import { lessonResult } from "./grade.ts";
import type { FailureRecord, PlannedTest, TestRecord } from "./records.ts";
import { failureMessage, type Status, taskResult, worst } from "./result.ts";
import type { SuiteReport } from "./suite.ts";
import { LANGUAGES, same } from "./text.ts";

const MISTAKES = new Map<string, MistakeInfo>([
  ["short-read", {
    id: "short-read",
    name: same("Short read"),
    line: { en: "A read gives what is there.", ko: "read는 있는 만큼 줍니다." },
  }],
]);

const LESSON: LessonInfo = {
  slug: "03_send_recv",
  number: 3,
  title: { en: "Send and receive", ko: "보내기와 받기" },
  tasks: [
    { task: 1, title: { en: "First", ko: "첫째" }, points: 2 },
    { task: 2, title: { en: "Second", ko: "둘째" }, points: 3 },
  ],
};

/** A report of tests, each given as its task and how it ended; `undefined` is a test without a record. */
function report(
  tests: [task: number, status: Status | undefined][],
  trouble?: string,
): SuiteReport {
  const plan: PlannedTest[] = [];
  const records = new Map<number, TestRecord>();
  tests.forEach(([task, status], index) => {
    const name = { en: `test ${index}`, ko: `테스트 ${index}` };
    plan.push({ task, index, name, catches: [], deadlineMs: 2000, waitsMs: 0 });
    if (!status) return;
    const failure = status === "pass" ? undefined : { kind: "assert", notes: [] };
    const record = { record: "test", task, index, status, durationMs: 10, transcript: [] } as const;
    records.set(index, { ...record, transcript: [], ...(failure && { failure }) });
  });
  return {
    plan,
    tests: records,
    outputs: new Map(),
    durationMs: 40,
    ...(trouble && { trouble: same(trouble) }),
  };
}

const en = { mistakes: MISTAKES, lang: "en" } as const;
const first = LESSON.tasks[0]!;
const target = { path: "/home/me/lessons", label: "lessons" };
const lesson = (from: SuiteReport, tasks?: number[]) =>
  lessonResult(from, { lesson: LESSON, target, seed: 7, tasks, lang: "en" }, MISTAKES);

Deno.test("taskResult() passes a task, with all its points, when all its tests passed", () => {
  const result = taskResult(first, report([[1, "pass"], [2, "fail"], [1, "pass"]]), en);
  assertEquals([result.status, result.score, result.max_score], ["pass", 2, 2]);
  assertEquals(result.tests.map(({ name }) => name), ["task 1: test 0", "task 1: test 2"]);
  assertEquals(result.duration_ms, 20);
});

Deno.test("taskResult() fails a task, without any point, when one test of many failed", () => {
  const result = taskResult(first, report([[1, "pass"], [1, "pass"], [1, "fail"]]), en);
  assertEquals([result.status, result.score, result.max_score], ["fail", 0, 2]);
});

Deno.test("taskResult() is an error when a test broke, also if another one failed", () => {
  const result = taskResult(first, report([[1, "error"], [1, "fail"], [1, "pass"]]), en);
  assertEquals([result.status, result.score], ["error", 0]);
});

Deno.test("taskResult() is an error when a planned test left no record", () => {
  for (const others of [[], ["pass"], ["fail"], ["pass", "pass"]] as Status[][]) {
    const tests = others.map((status): [number, Status] => [1, status]);
    const result = taskResult(first, report([...tests, [1, undefined]]), en);
    assertEquals([result.status, result.score], ["error", 0]);
    const missing = result.tests.at(-1)!;
    assertEquals(missing.status, "error");
    assertMatch(missing.message!, /did not run/);
  }
});

Deno.test("taskResult() takes no record of a test that was not planned for one that was", () => {
  const broken = report([[1, "pass"], [1, undefined]]);
  broken.tests.set(99, { ...broken.tests.get(0)!, index: 99 });
  assertEquals(taskResult(first, broken, en).status, "error");
});

Deno.test("taskResult() is an error when no test was planned", () => {
  const result = taskResult(first, report([[2, "pass"]]), en);
  assertEquals([result.status, result.score, result.tests], ["error", 0, []]);
});

Deno.test("taskResult() has what the learner's code printed in that task", () => {
  const printed = report([[1, "pass"], [2, "pass"]]);
  printed.outputs.set(1, "one\n");
  assertEquals(taskResult(first, printed, en).output, "one\n");
  assertEquals(taskResult(LESSON.tasks[1]!, printed, en).output, "");
});

Deno.test("taskResult() tells the mistake with its line, in the language asked for", () => {
  const failing = report([[1, "fail"]]);
  const failure: FailureRecord = {
    kind: "assert",
    received: { en: "nothing", ko: "없음" },
    notes: [],
    mistake: "short-read",
  };
  const transcript = [{ step: 1, who: "you", event: "read", detail: "1 byte" } as const];
  failing.tests.set(0, { ...failing.tests.get(0)!, failure, transcript });
  for (const lang of LANGUAGES) {
    const [test] = taskResult(first, failing, { mistakes: MISTAKES, lang }).tests;
    assertEquals(test, {
      name: { en: "task 1: test 0", ko: "task 1: 테스트 0" }[lang],
      status: "fail",
      duration_ms: 10,
      message: failureMessage(failure, lang),
      kind: "assert",
      mistake: "short-read",
      mistake_line: MISTAKES.get("short-read")!.line[lang],
      transcript,
    });
  }
});

Deno.test("taskResult() tells a mistake that has no line by its id alone", () => {
  const failing = report([[1, "fail"]]);
  const failure = { kind: "assert", notes: [], mistake: "unheard-of" };
  failing.tests.set(0, { ...failing.tests.get(0)!, failure });
  const [test] = taskResult(first, failing, en).tests;
  assertEquals([test!.mistake, test!.mistake_line], ["unheard-of", undefined]);
});

Deno.test("lessonResult() sums points over the tasks that passed", () => {
  const all = lesson(report([[1, "pass"], [2, "pass"]]));
  assertEquals([all.status, all.score, all.max_score], ["pass", 5, 5]);
  const one = lesson(report([[1, "fail"], [2, "pass"]]));
  assertEquals([one.status, one.score, one.max_score], ["fail", 3, 5]);
});

Deno.test("lessonResult() counts only the tasks that were asked for", () => {
  const result = lesson(report([[2, "pass"]]), [2]);
  assertEquals([result.status, result.score, result.max_score], ["pass", 3, 3]);
  assertEquals(result.tasks.map(({ task }) => task), [2]);
});

Deno.test("lessonResult() is an error when a task has no test at all", () => {
  const result = lesson(report([[1, "pass"]]));
  assertEquals([result.status, result.score, result.max_score], ["error", 2, 5]);
});

Deno.test("lessonResult() is an error with trouble, whatever the tests say", () => {
  const result = lesson(report([[1, "pass"], [2, "pass"]], "It did not end."));
  assertEquals([result.status, result.message], ["error", "It did not end."]);
});

Deno.test("lessonResult() has no message without trouble", () => {
  assertEquals("message" in lesson(report([[1, "fail"], [2, "pass"]])), false);
});

Deno.test("lessonResult() names what was graded", () => {
  const { version, lesson: slug, title, target, seed, duration_ms } = lesson(report([[1, "pass"]]));
  assertEquals([version, slug, title], [1, "03_send_recv", "Send and receive"]);
  assertEquals([target, seed, duration_ms], ["lessons", 7, 40]);
});

Deno.test("worst() puts an error over a failure, and a failure over a pass", () => {
  assertEquals(worst(["pass", "pass"]), "pass");
  assertEquals(worst(["pass", "fail", "pass"]), "fail");
  assertEquals(worst(["fail", "error", "pass"]), "error");
});

Deno.test("worst() takes a whole without parts for an error", () => {
  assertEquals(worst([]), "error");
});

Deno.test("failureMessage() aligns what was expected with what came, over several lines", () => {
  const failure: FailureRecord = {
    kind: "assert",
    expected: same("one\ntwo"),
    received: same("three"),
    notes: [same("note")],
  };
  assertEquals(
    failureMessage(failure, "en"),
    "expected  one\n          two\nreceived  three\nnote",
  );
  assertEquals(failureMessage(failure, "ko"), "기대  one\n      two\n실제  three\nnote");
});

Deno.test("failureMessage() marks a column of what came", () => {
  const mark = { column: 2, text: same("here") };
  const failure: FailureRecord = { kind: "assert", received: same("abX"), mark, notes: [] };
  assertEquals(failureMessage(failure, "en"), "received  abX\n            ^ here");
  assertEquals(failureMessage(failure, "ko"), "실제  abX\n        ^ here");
});
