import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { unicodeWidth } from "@std/cli/unicode-width";
import type { LessonInfo } from "../course.ts";
import type { LessonResult, Status, TaskResult } from "../result.ts";
import type { Lang } from "../text.ts";
import { furthest, layOut } from "./full_screen.ts";
import {
  isUnwritten,
  type LessonText,
  taskToShow,
  viewBeginning,
  viewDone,
  viewKeys,
  viewScore,
  viewTaskText,
  viewVerdict,
} from "./view.ts";

const lesson: LessonInfo = {
  slug: "01_sockets",
  number: 1,
  title: {
    en: "A socket is created, given an address, and used",
    ko: "소켓을 만들고 주소를 붙여서 쓰기",
  },
  tasks: [1, 2, 3].map((task) => ({
    task,
    points: task,
    title: { en: `The task with number ${task}`, ko: `번호가 ${task}인 과제의 제목` },
  })),
};
const text: LessonText = {
  lesson,
  label: "lessons/01_sockets/exercise.ts",
  opening: "A program wants to be reachable. 프로그램에 닿을 수 있어야 합니다:",
  tasks: new Map(
    lesson.tasks.map(({ task }) => [task, `- \`do${task}()\` does it. 그것을 합니다.`]),
  ),
};

function graded(task: number, status: Status, kind?: string): TaskResult {
  return {
    task,
    title: `The task with number ${task}`,
    status,
    score: status === "pass" ? task : 0,
    max_score: task,
    duration_ms: 1,
    output: "",
    tests: [{
      name: `task ${task}: it works 잘 됩니다`,
      status,
      duration_ms: 1,
      message:
        "expected  this\nreceived  that, and 아주 긴 한글 문장이 이어서 나오는 경우도 있습니다",
      ...(kind && { kind }),
    }],
  };
}

const results = new Map(
  [graded(1, "pass"), graded(2, "fail"), graded(3, "fail", "missing")].map((r) => [r.task, r]),
);
const setting = (columns: number, lang: Lang) => ({
  lang,
  screen: { columns, colours: false, isTerminal: true },
});
const result = {
  duration_ms: 1234,
  score: 1,
  max_score: 6,
  status: "fail",
  tasks: [...results.values()],
} as LessonResult;

Deno.test("viewVerdict() tells the first task that fails in full, the others in one line each", () => {
  const lines = viewVerdict(text, { results }, setting(80, "en"));
  const marks = lines.filter((line) => /^[✓✗·] /.test(line));
  assertEquals(marks.length, 3);
  assertMatch(marks[0]!, /^✓ task 1: The task with number 1 +1\/1$/);
  assertMatch(marks[1]!, /^✗ task 2: it works/);
  assertMatch(marks[2]!, /^✗ task 3: The task with number 3 +0\/3$/);
  assertEquals(lines.filter((line) => line.includes("received")).length, 1);
  assertStringIncludes(lines.join("\n"), "deno task hint 1 2");
});

Deno.test("viewVerdict() tells another task when asked, with its text if it is not written", () => {
  const lines = viewVerdict(text, { results, focus: 3 }, setting(80, "en")).join("\n");
  assertStringIncludes(lines, "`do3()` does it.");
  assertMatch(lines, /✗ task 2: The task with number 2 +0\/2/);
});

Deno.test("taskToShow() and isUnwritten() look at what was graded", () => {
  assertEquals(taskToShow(lesson, results), 2);
  assertEquals(taskToShow(lesson, new Map([[1, graded(1, "pass")]])), undefined);
  assert(!isUnwritten(lesson.tasks, results));
  assert(isUnwritten(lesson.tasks.slice(2), results));
});

for (const lang of ["en", "ko"] as Lang[]) {
  for (const columns of [20, 40, 80, 200]) {
    Deno.test(`every view fits into ${columns} columns, in ${lang}`, () => {
      const how = setting(columns, lang);
      const state = {
        tasks: new Map([[1, { state: "passed" as const, met: ["short-write", "gone"] }]]),
        done: true,
        started: true,
        score: 6,
        maxScore: 6,
      };
      const line = {
        en: "write() may take fewer bytes.",
        ko: "write()는 더 적게 받을 수 있습니다.",
      };
      const mistakes = new Map([["short-write", { id: "short-write", name: line, line }]]);
      const lines = [
        ...viewBeginning(text, 1, how),
        ...viewVerdict(text, { results }, how),
        ...viewVerdict(text, { results, focus: 3 }, how),
        ...viewTaskText(text, 2, how),
        ...viewDone(text, { results, state, mistakes, compare: line, nextLesson: line }, how),
        viewScore(result, how),
        ...viewKeys([["↓ space", line], ["h", line], ["n", line]], how),
      ];
      for (const line of lines) assert(unicodeWidth(line) <= columns, `${columns}: "${line}"`);
    });
  }
}

Deno.test("layOut() keeps the lines below, fills the rest, and cuts what a screen has no room for", () => {
  const frame = { body: ["1", "2", "3", "4"], footer: ["a", "b"] };
  assertEquals(layOut(frame, 8, 0), ["1", "2", "3", "4", "", "", "a", "b"]);
  assertEquals(layOut(frame, 5, 1), ["2", "3", "4", "a", "b"]);
  assertEquals(furthest(frame, 5), 1);
  for (const rows of [1, 2, 3]) assertEquals(layOut(frame, rows, 0).length, Math.max(1, rows));
});
