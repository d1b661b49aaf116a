/**
 * JUnit XML: one suite per lesson, one case per test. The points stand in each suite's properties.
 *
 * @module
 */

import type { LessonResult } from "../../result.ts";
import { clean, cleanLine, escapeXml, type Format, type Item, itemsOf } from "./common.ts";
import { failureText } from "./failure_text.ts";

/** One XML document. */
export const junit: Format = (result, lang) => {
  const items = itemsOf(result, lang);
  const suites = result.lessons.map((lesson) => {
    const own = items.filter((item) => item.lesson === lesson);
    const cases = own.flatMap((item) => casesOf(item, (test) => failureText(test, lang)));
    const counts = countsOf(own);
    const text = [
      `  <testsuite${
        attributes({ name: lesson.lesson, ...counts, skipped: 0, time: seconds(lesson) })
      }>`,
      "    <properties>",
      property("title", lesson.title),
      property("score", lesson.score),
      property("max_score", lesson.max_score),
      property("status", lesson.status),
      property("seed", lesson.seed),
      property("sandbox", result.sandbox),
      "    </properties>",
      ...cases,
      ...(lesson.message
        ? [`    <system-err>${escapeXml(clean(lesson.message))}</system-err>`]
        : []),
      "  </testsuite>",
    ];
    return text.join("\n");
  });
  const head = attributes({
    name: result.submission,
    ...countsOf(items),
    time: seconds(result),
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${head}>`,
    ...suites,
    "</testsuites>",
    "",
  ].join("\n");
};

function casesOf({ task, tests, lesson, number }: Item, tell: (test: Item["tests"][0]) => string) {
  const speaker = Math.max(0, tests.findIndex(({ status }) => status !== "pass"));
  return tests.map((test, i) => {
    const classname = `${lesson.lesson}.task${task.task}`;
    const name = `${number} ${test.name.replace(/^task \d+: /, "")}`;
    const inner: string[] = [];
    const told = tell(test);
    const tag = { pass: "", fail: "failure", error: "error" }[test.status];
    if (tag) {
      const message = told.split("\n")[0] ?? "";
      const type = test.mistake ?? test.kind ?? test.status;
      inner.push(`      <${tag}${attributes({ message, type })}>${escapeXml(told)}</${tag}>`);
    }
    const output = clean(task.output);
    if (i === speaker && output) {
      inner.push(`      <system-out>${escapeXml(output)}</system-out>`);
    }
    const head = `    <testcase${attributes({ name, classname, time: seconds(test) })}`;
    return inner.length > 0 ? [`${head}>`, ...inner, "    </testcase>"].join("\n") : `${head}/>`;
  });
}

function countsOf(items: Item[]): { tests: number; failures: number; errors: number } {
  const tests = items.flatMap((item) => item.tests);
  return {
    tests: tests.length,
    failures: tests.filter(({ status }) => status === "fail").length,
    errors: tests.filter(({ status }) => status === "error").length,
  };
}

function attributes(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeXml(cleanLine(`${value}`))}"`).join("");
}

function property(name: string, value: LessonResult[keyof LessonResult] & (string | number)) {
  return `      <property${attributes({ name, value })}/>`;
}

function seconds({ duration_ms }: { duration_ms: number }): string {
  return (duration_ms / 1000).toFixed(3);
}
