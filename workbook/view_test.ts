import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { unicodeWidth } from "@std/cli/unicode-width";
import {
  failureMessage,
  type LessonResult,
  type Status,
  type TaskResult,
  type TestResult,
} from "./result.ts";
import type { TranscriptStep } from "./records.ts";
import type { Screen } from "./terminal.ts";
import { type Lang, LANGUAGES } from "./text.ts";
import { viewHead, type ViewOptions, viewSummary, viewTask } from "./view.ts";

const COLUMNS = [40, 80, 200];
const ESCAPE = "\x1b";

function options(lang: Lang, columns = 80, colours = false): ViewOptions {
  const screen: Screen = { columns, colours, isTerminal: colours };
  return { screen, lang, lesson: 3 };
}

function task(status: Status, tests: Partial<TestResult>[], output = ""): TaskResult {
  return {
    task: 2,
    title: "Read exactly so many bytes",
    status,
    score: status === "pass" ? 2 : 0,
    max_score: 2,
    duration_ms: 5,
    output,
    tests: tests.map((test) => ({ name: "readExactly() works", status, duration_ms: 5, ...test })),
  };
}

function step(step: number, detail: string, who: TranscriptStep["who"] = "peer"): TranscriptStep {
  return { step, who, event: step % 2 ? "connect" : "send", detail };
}

const differing = (lang: Lang) =>
  failureMessage({
    kind: "assert",
    expected: { en: '"hello" (5 bytes)', ko: '"hello" (5바이트)' },
    received: { en: '"help" (4 bytes)', ko: '"help" (4바이트)' },
    mark: { column: 4, text: { en: "byte 3 differs", ko: "3번째 바이트가 다름" } },
    notes: [{ en: "The client sent 5 bytes.", ko: "클라이언트가 5바이트를 보냈습니다." }],
  }, lang);

/** A failure with everything that can be shown, some of it long. */
function full(lang: Lang): TaskResult {
  const word = "아주긴단어와".repeat(40);
  return task("fail", [
    {
      name: lang === "ko"
        ? `긴 이름을 가진 테스트 ${word}`
        : `a test with a long name ${"x".repeat(300)}`,
      message: `${differing(lang)}\n${word} ${"y".repeat(300)}`,
      mistake: "one-read-one-message",
      mistake_line: lang === "ko"
        ? "TCP는 스트림입니다. read() 한 번은 도착한 만큼을 돌려줄 뿐, 요청한 만큼을 돌려주지 않습니다."
        : "TCP is a stream: one read() returns what has arrived, not what you asked for.",
      kind: "assert",
      transcript: [
        step(1, "127.0.0.1:40122 → 127.0.0.1:38015"),
        step(8, `"${"가".repeat(200)}"`, "you"),
      ],
    },
    { name: `${word} also` },
    { name: "z".repeat(250) },
  ], `${"출력 ".repeat(90)}\n${"o".repeat(500)}\n`);
}

function lesson(tasks: TaskResult[], more: Partial<LessonResult> = {}): LessonResult {
  return {
    version: 1,
    lesson: "03_send_recv",
    title: "Send and receive",
    target: "lessons",
    seed: 12345,
    status: "pass",
    score: tasks.reduce((sum, task) => sum + task.score, 0),
    max_score: tasks.reduce((sum, task) => sum + task.max_score, 0),
    duration_ms: 412,
    tasks,
    ...more,
  };
}

const passing = task("pass", [{}]);
const broken = task("error", [{ message: "The suite itself failed: Error: no ports left" }]);

Deno.test("viewTask() shows a task that passed in one line, its points at the right edge", () => {
  for (const columns of COLUMNS) {
    const text = viewTask(passing, options("en", columns));
    assert(!text.includes("\n"));
    assertMatch(
      text,
      /^✓ task 2: Read exactly so many +2\/2$|^✓ task 2: Read exactly so many bytes +2\/2$/,
    );
    assertEquals(unicodeWidth(text), columns);
  }
});

Deno.test("viewTask() shows nothing that a passing task printed", () => {
  const text = viewTask(task("pass", [{}], "debugging"), options("en"));
  assert(!text.includes("debugging"));
});

Deno.test("viewTask() shows what was expected, what came, and marks the first difference", () => {
  const lines = viewTask(task("fail", [{ message: differing("en") }]), options("en")).split("\n");
  assertEquals(lines[1], '    expected  "hello" (5 bytes)');
  assertEquals(lines[2], '    received  "help" (4 bytes)');
  assertEquals(lines[3], "                  ^ byte 3 differs");
  assertEquals(lines[4], "    The client sent 5 bytes.");
});

Deno.test("viewTask() puts the mark under the difference in Korean, too", () => {
  const lines = viewTask(task("fail", [{ message: differing("ko") }]), options("ko")).split("\n");
  assertEquals(lines[1], '    기대  "hello" (5바이트)');
  assertEquals(lines[2], '    실제  "help" (4바이트)');
  const at = (line: string, part: string) => unicodeWidth(line.slice(0, line.indexOf(part)));
  assertEquals(at(lines[3]!, "^"), at(lines[2]!, 'p" '));
});

Deno.test("viewTask() wraps what came under itself, and the likely mistake under its text", () => {
  const message = `received  ${"word ".repeat(8)}`;
  const failing = task("fail", [{
    message,
    mistake: "short-read",
    mistake_line: "It is a stream.",
  }]);
  const lines = viewTask(failing, options("en", 40)).split("\n");
  assertEquals(lines.slice(lines.findIndex((line) => line.includes("received")), -2), [
    "    received  word word word word word",
    "              word word word",
    "    Likely: short-read. It is a stream.",
  ]);
  const korean = viewTask(
    task("fail", [{ message: "실제  가나다 라마바 사아자 차카타 파하" }]),
    options("ko", 40),
  );
  assertStringIncludes(korean, "    실제  가나다 라마바 사아자 차카타\n          파하\n");
});

Deno.test("viewTask() names the failing test, the likely mistake and the next command", () => {
  const failing = task("fail", [{
    name: "readExactly() survives a stream of single bytes",
    message: "received  nothing",
    mistake: "short-read",
    mistake_line: "A read gives what has arrived.",
  }]);
  assertEquals(viewTask(failing, options("en")).split("\n").map((line) => line.trimEnd()), [
    `✗ task 2: readExactly() survives a stream of single bytes${" ".repeat(20)}0/2`,
    "    received  nothing",
    "    Likely: short-read. A read gives what has arrived.",
    "    Next: deno task hint 3 2",
    "",
  ]);
  const korean = viewTask(failing, options("ko"));
  assertStringIncludes(korean, "\n    의심: short-read. A read gives what has arrived.\n");
  assertStringIncludes(korean, "\n    다음: deno task hint 3 2\n");
});

Deno.test("viewTask() shows the first test that failed, and the names of the others", () => {
  const mixed = task("fail", [
    { status: "pass", name: "passes" },
    { name: "fails first", message: "received  one" },
    { name: "fails second", message: "received  two" },
  ]);
  const text = viewTask(mixed, options("en"));
  assertStringIncludes(text, "✗ task 2: fails first ");
  assertStringIncludes(text, "received  one");
  assertStringIncludes(text, "also fails: fails second");
  assert(!text.includes("two"));
  assert(!text.includes("passes"));
});

Deno.test("viewTask() shows an error as one, and asks for another grading, not for a hint", () => {
  const text = viewTask(broken, options("en"));
  assertMatch(text, /^! task 2: /);
  assertStringIncludes(text, "no ports left");
  assertStringIncludes(text, "Next: grade it again: deno task lesson3 --task 2");
  assert(!text.includes("hint"));
});

Deno.test("viewTask() shows a task without any test as an error", () => {
  const text = viewTask(task("error", []), options("en"));
  assertMatch(text, /^! task 2: Read exactly so many bytes/);
});

Deno.test("viewTask() tells a task that is not written yet by its title", () => {
  const stub = task("fail", [{
    kind: "missing",
    name: "a test",
    message: "received  not written",
  }]);
  assertMatch(viewTask(stub, options("en")), /^✗ task 2: Read exactly so many bytes/);
});

Deno.test("viewTask() sends a file that does not parse back to its marked line", () => {
  const text = viewTask(task("fail", [{ kind: "syntax", message: "1 | let" }]), options("en"));
  assertStringIncludes(text, "Next: mend the marked line");
});

Deno.test("viewTask() numbers the steps of the transcript and shows where some are left out", () => {
  const transcript = [step(1, "to 127.0.0.1:1"), step(2, '"hello"'), step(9, "again", "you")];
  const text = viewTask(task("fail", [{ message: "m", transcript }]), options("en"));
  assertStringIncludes(
    text,
    [
      "      1  peer  connect  to 127.0.0.1:1",
      '      2  peer  send     "hello"',
      "      …",
      "      9  you   connect  again",
    ].join("\n"),
  );
});

Deno.test("viewTask() aligns the steps of the transcript in Korean", () => {
  const transcript = [step(1, "가나다"), step(2, "라마바", "you")];
  const text = viewTask(task("fail", [{ message: "m", transcript }]), options("ko"));
  assertStringIncludes(text, "      1  상대  connect  가나다\n      2  나    send     라마바\n");
});

Deno.test("viewTask() shows ten lines of what the code printed, and how many are left", () => {
  const printed = (count: number) =>
    viewTask(
      task("fail", [{ message: "m" }], Array.from({ length: count }, (_, i) => `l${i}\n`).join("")),
      options("en"),
    );
  const ten = printed(10);
  assertStringIncludes(ten, "    Your code printed:\n    │ l0\n");
  assertStringIncludes(ten, "    │ l9\n");
  assert(!ten.includes("more lines"));
  const more = printed(12);
  assertStringIncludes(more, "    │ l9\n    │ … (2 more lines)\n");
  assert(!more.includes("l10"));
});

Deno.test("viewTask() lets nothing through that a terminal obeys, wherever it stands", () => {
  const evil = "\x1b[31m\u202e\x07\r";
  const failing = task("fail", [{
    message: `received  ${evil}`,
    transcript: [step(1, evil)],
  }], `${evil}.\n`);
  const text = viewTask(failing, options("en"));
  assertEquals(text.match(/(?!\n)[\p{Cc}\u202e]/gu), null);
  assertEquals(text.split("\\x1b[31m\\u202e\\x07\\x0d").length, 4);
});

Deno.test("viewTask() and viewSummary() keep within the columns, in every language", () => {
  const long = "채점 프로그램이 제때 끝나지 않아 멈췄습니다. ".repeat(9) + "e".repeat(300);
  for (const lang of LANGUAGES) {
    for (const columns of COLUMNS) {
      for (const colours of [false, true]) {
        const view = options(lang, columns, colours);
        const tasks = [passing, full(lang), broken, task("error", [])];
        const texts = [
          viewHead(
            { title: `${long}`, file: `/home/학생/${"폴더".repeat(120)}/exercise.ts` },
            view,
          ),
          ...tasks.map((task) => viewTask(task, view)),
          viewSummary(lesson(tasks, { status: "error", message: long }), view),
          viewSummary(lesson([passing, passing]), view),
        ];
        // deno-lint-ignore no-control-regex -- the codes of the colours take no columns
        for (const line of texts.join("\n").replaceAll(/\x1b\[\d+m/g, "").split("\n")) {
          assert(unicodeWidth(line) <= columns, `${lang}, ${columns} columns: "${line}"`);
        }
      }
    }
  }
});

Deno.test("the view has escape codes on a screen with colours, and else none", () => {
  const tasks = [passing, full("en"), broken];
  const texts = (view: ViewOptions) => [
    viewHead({ title: "Title", file: "file.ts" }, view),
    ...tasks.map((task) => viewTask(task, view)),
    viewSummary(lesson(tasks), view),
  ];
  for (const lang of LANGUAGES) {
    for (const text of texts(options(lang, 80, false))) assert(!text.includes(ESCAPE), text);
    for (const text of texts(options(lang, 80, true))) assert(text.includes(ESCAPE), text);
  }
});

Deno.test("the view says the same with colours and without", () => {
  for (const lang of LANGUAGES) {
    for (const shown of [passing, full(lang), broken]) {
      // deno-lint-ignore no-control-regex -- the codes of the colours
      const coloured = viewTask(shown, options(lang, 80, true)).replaceAll(/\x1b\[\d+m/g, "");
      assertEquals(coloured, viewTask(shown, options(lang, 80, false)));
    }
  }
});

Deno.test("viewSummary() counts tasks and points, and tells time and seed", () => {
  const result = lesson([passing, task("fail", [{ message: "m" }])], { status: "fail" });
  const en = "1 of 2 tasks passed, 2 of 4 points  (0.41 s, seed 12345)";
  assertEquals(viewSummary(result, options("en")), en);
  const ko = " 2개 중 1개 통과, 4점 중 2점  (0.41초, 시드 12345)";
  assertStringIncludes(viewSummary(result, options("ko")), ko);
});

Deno.test("viewSummary() puts time and seed on a line of their own where there is no room", () => {
  const text = viewSummary(lesson([passing], { status: "fail" }), options("en", 40));
  assertEquals(text, "\n1 of 1 tasks passed, 2 of 2 points\n(0.41 s, seed 12345)");
});

Deno.test("viewSummary() says what went wrong with the grading", () => {
  const result = lesson([broken], { status: "error", message: "It was \x1b[1minterrupted." });
  const lines = viewSummary(result, options("en")).split("\n");
  assertEquals(lines[1], "It was \\x1b[1minterrupted.");
});

Deno.test("viewSummary() names the model and the next lesson when a learner's whole lesson passed", () => {
  const whole = viewSummary(lesson([passing, passing]), options("en"));
  assertStringIncludes(whole, "solutions/03_send_recv/exercise.ts");
  assertStringIncludes(whole, "deno task lesson4");
  const others = [
    lesson([passing, passing], { status: "fail" }),
    lesson([passing, passing], { target: "solutions" }),
    lesson([passing]),
  ];
  for (const other of others) assert(!viewSummary(other, options("en")).includes("lesson4"));
});
