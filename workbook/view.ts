/**
 * A grading as a person reads it, made from the result model alone.
 *
 * @module
 */

import { unicodeWidth } from "./std/in_force.ts";
import type { LessonResult, TaskResult, TestResult } from "./result.ts";
import { type Colour, harmless, padEnd, paint, type Screen, wrap } from "./terminal.ts";
import type { Lang, Text } from "./text.ts";

const MARKS: Record<TestResult["status"], [string, Colour]> = {
  pass: ["✓", "good"],
  fail: ["✗", "bad"],
  error: ["!", "warn"],
};

const WORDS = {
  task: { en: "task", ko: "Task" },
  likely: { en: "Likely:", ko: "의심:" },
  next: { en: "Next:", ko: "다음:" },
  printed: { en: "Your code printed:", ko: "코드의 출력:" },
  you: { en: "you", ko: "나" },
  peer: { en: "peer", ko: "상대" },
  asAbove: { en: "for the same reason", ko: "같은 이유로 실패" },
  also: { en: "also fails:", ko: "함께 실패:" },
  seed: { en: "seed", ko: "시드" },
} satisfies Record<string, Text>;

const SHOWN_OUTPUT_LINES = 10;
const INDENT = "    ";

/** How the view is written. */
export interface ViewOptions {
  screen: Screen;
  lang: Lang;
  /** The number of the lesson, for the commands it names. */
  lesson: number;
  /** What has been told already: a failure of the file as a whole is told once, not once per task. */
  told?: Set<string>;
}

/** The first line: which lesson, which file. */
export function viewHead(
  { title, file }: { title: string; file: string },
  { screen, lang, lesson }: ViewOptions,
): string {
  const name = lang === "ko" ? `${lesson}강: ${title}` : `Lesson ${lesson}: ${title}`;
  return [
    "",
    ...wrap(name, screen.columns).map((line) => paint(screen, "strong", line)),
    ...wrap(file, screen.columns).map((line) => paint(screen, "dim", line)),
    "",
  ].join("\n");
}

/** What is said while a task is graded. */
export function viewProgress(task: number, lang: Lang): string {
  return lang === "ko" ? `… Task ${task} 채점 중` : `… grading task ${task}`;
}

/** One task: a line if it passed, the first failing test in full if it did not. */
export function viewTask(task: TaskResult, options: ViewOptions): string {
  const { screen, lang } = options;
  const [mark, colour] = MARKS[task.status];
  const points = `${task.score}/${task.max_score}`;
  const shown = task.tests.find((test) => test.status === task.status) ?? task.tests[0];
  const label = `${WORDS.task[lang]} ${task.task}: `;
  const text = task.status === "pass" || !shown ||
      [...WHOLE_FILE, "missing"].includes(shown.kind ?? "")
    ? task.title
    : withoutTask(shown.name);
  const room = screen.columns - unicodeWidth(points) - 1;
  const [first = "", ...rest] = wrap(`${mark} ${label}${text}`, room, 2);
  const lines = [
    `${padEnd(first, room)} ${paint(screen, "dim", points)}`.replace(
      mark,
      paint(screen, colour, mark),
    ),
    ...rest,
  ];
  if (isToldAlready(shown, options)) {
    return [...lines, ...indented(WORDS.asAbove[lang], screen), ""].join("\n");
  }
  if (task.status !== "pass" && shown) lines.push(...viewFailure(task, shown, options));
  if (task.output.trim() && task.status !== "pass") lines.push(...viewOutput(task, options));
  if (task.status !== "pass") lines.push(...viewNext(task, shown, options), "");
  return lines.join("\n");
}

const WHOLE_FILE = ["load", "syntax", "import", "absent"];

function isToldAlready(test: TestResult | undefined, { told }: ViewOptions): boolean {
  if (!told || !test?.message || !WHOLE_FILE.includes(test.kind ?? "")) return false;
  if (told.has(test.message)) return true;
  told.add(test.message);
  return false;
}

function indented(text: string, screen: Screen, hang = 0, colour?: Colour): string[] {
  const room = Math.max(10, screen.columns - INDENT.length);
  return wrap(text, room, hang).map((line) =>
    INDENT + (colour ? paint(screen, colour, line) : line)
  );
}

function viewFailure(task: TaskResult, test: TestResult, { screen, lang }: ViewOptions): string[] {
  const lines: string[] = [];
  for (const line of harmless(test.message ?? "").split("\n")) {
    const hang = /^(\S+ {2,})/.exec(line)?.[1];
    lines.push(...indented(line, screen, hang ? unicodeWidth(hang) : 2));
  }
  if (test.kind !== "missing") lines.push(...viewTranscript(test, screen, lang));
  const others = task.tests.filter((other) => other !== test && other.status === test.status);
  if (test.mistake) {
    const line = test.mistake_line ? ` ${test.mistake_line}` : "";
    const width = unicodeWidth(WORDS.likely[lang]) + 1;
    lines.push(
      ...indented(`${WORDS.likely[lang]} ${test.mistake}.${line}`, screen, width, "accent"),
    );
  }
  if (![...WHOLE_FILE, "missing"].includes(test.kind ?? "")) {
    for (const other of others.slice(0, 4)) {
      if (other.kind === "not-run") continue;
      const name = withoutTask(other.name);
      lines.push(...indented(`${WORDS.also[lang]} ${name}`, screen, 2, "dim"));
    }
  }
  return lines;
}

/** The name of a test without the number of its task, which stands before it already. */
function withoutTask(name: string): string {
  return name.replace(/^task \d+: /, "");
}

function viewTranscript(test: TestResult, screen: Screen, lang: Lang): string[] {
  const steps = test.transcript ?? [];
  const whoWidth = Math.max(unicodeWidth(WORDS.you[lang]), unicodeWidth(WORDS.peer[lang])) + 2;
  const eventWidth = Math.max(...steps.map((step) => step.event.length), 0) + 2;
  const lines: string[] = [];
  let last = 0;
  for (const { step, who, event, detail } of steps) {
    if (step !== last + 1) lines.push(`${INDENT}  …`);
    last = step;
    const head = `${`${step}`.padStart(3)}  ${padEnd(WORDS[who][lang], whoWidth)}${
      event.padEnd(eventWidth)
    }`;
    lines.push(
      ...indented(`${head}${harmless(detail)}`.trimEnd(), screen, unicodeWidth(head), "dim"),
    );
  }
  return lines;
}

function viewOutput(task: TaskResult, { screen, lang }: ViewOptions): string[] {
  const printed = harmless(task.output).replaceAll("\t", "    ").replace(/\n+$/, "").split("\n");
  const left = printed.length - SHOWN_OUTPUT_LINES;
  const more = lang === "ko" ? `… (${left}줄 더)` : `… (${left} more lines)`;
  const shown = left > 0 ? [...printed.slice(0, SHOWN_OUTPUT_LINES), more] : printed;
  const room = Math.max(10, screen.columns - INDENT.length - 2);
  return [
    INDENT + WORDS.printed[lang],
    ...shown.flatMap((line) => wrap(line, room)).map((line) =>
      `${INDENT}${paint(screen, "dim", "│")} ${line}`
    ),
  ];
}

function viewNext(task: TaskResult, test: TestResult | undefined, options: ViewOptions): string[] {
  const { screen, lang, lesson } = options;
  // No command knows such a task. What is wrong with the whole file is told all the same.
  if (task.own && !WHOLE_FILE.includes(test?.kind ?? "")) return [];
  const width = unicodeWidth(WORDS.next[lang]) + 1;
  return indented(`${WORDS.next[lang]} ${nextStep(task, test, lang, lesson)}`, screen, width);
}

function nextStep(
  task: TaskResult,
  test: TestResult | undefined,
  lang: Lang,
  lesson: number,
): string {
  const again = `deno task lesson${lesson} --task ${task.task}`;
  if (task.status === "error") {
    return lang === "ko" ? `${again} 로 다시 채점하세요` : `grade it again: ${again}`;
  }
  const hint = `deno task hint ${lesson} ${task.task}`;
  switch (test?.kind) {
    case "syntax":
      return lang === "ko"
        ? "표시된 줄을 고치고 저장한 뒤 다시 채점하세요"
        : "mend the marked line, save, and grade again";
    case "load":
    case "import":
    case "absent":
      return lang === "ko"
        ? `고쳐서 저장한 뒤 다시 채점하세요: deno task lesson${lesson}`
        : `mend that, save, and grade again: deno task lesson${lesson}`;
    case "missing":
      return lang === "ko"
        ? `강의 글에서 Task ${task.task} 부분을 읽고 작성하세요. 막히면 ${hint}`
        : `read Task ${task.task} of the lesson and write it; if you are stuck, ${hint}`;
    default:
      return hint;
  }
}

/** The last lines: the score, and what to do now. */
export function viewSummary(result: LessonResult, { screen, lang, lesson }: ViewOptions): string {
  const passed = result.tasks.filter((task) => task.status === "pass").length;
  const counts = lang === "ko"
    ? `Task ${result.tasks.length}개 중 ${passed}개 통과, ${result.max_score}점 중 ${result.score}점`
    : `${passed} of ${result.tasks.length} tasks passed, ${result.score} of ${result.max_score} points`;
  const seconds = (result.duration_ms / 1000).toFixed(2);
  const small = lang === "ko"
    ? `  (${seconds}초, ${WORDS.seed.ko} ${result.seed})`
    : `  (${seconds} s, ${WORDS.seed.en} ${result.seed})`;
  const colour = { pass: "good", fail: "bad", error: "warn" }[result.status] as Colour;
  const line = unicodeWidth(counts + small) <= screen.columns
    ? [paint(screen, colour, counts) + paint(screen, "dim", small)]
    : [
      ...wrap(counts, screen.columns).map((l) => paint(screen, colour, l)),
      paint(screen, "dim", small.trim()),
    ];
  // A task that failed has an empty line after it already.
  const lines = [...(result.tasks.at(-1)?.status === "pass" ? [""] : []), ...line];
  if (result.message) lines.push(...wrap(harmless(result.message), screen.columns));
  if (result.status === "pass" && result.target === "lessons" && result.tasks.length > 1) {
    lines.push(...wrap(doneText(lang, lesson, result.lesson), screen.columns));
  }
  return lines.join("\n");
}

function doneText(lang: Lang, lesson: number, slug: string): string {
  return lang === "ko"
    ? `${lesson}강을 마쳤습니다. 모범 답안은 solutions/${slug}/exercise.ts 에 있습니다. 다음: deno task lesson${
      lesson + 1
    }`
    : `Lesson ${lesson} is done. The model solution is solutions/${slug}/exercise.ts. Next: deno task lesson${
      lesson + 1
    }`;
}
