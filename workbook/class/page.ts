/**
 * The teacher's page on a class: one HTML file that needs nothing else, and shows nothing as anything but text.
 *
 * It has no scripts, and its policy allows none: what a submission is called, printed or threw cannot do anything.
 *
 * @module
 */

import type { MistakeInfo } from "../course.ts";
import { cleanLine, escapeHtml } from "../grading/formats/common.ts";
import { SANDBOX_LEVELS, type SandboxLevel } from "../grading/model.ts";
import { median } from "../statistics.ts";
import type { Lang, Text } from "../text.ts";
import { type ClassInfo, studentsOf } from "./files.ts";
import type { Row } from "./gradebook.ts";
import type { Alike } from "./similar.ts";

/** What the page is made from. */
export interface PageData {
  info: ClassInfo;
  rows: Row[];
  alike: { found: Alike[]; more: number };
  /** The named mistakes, by the lesson's folder name. */
  mistakes: Map<string, Map<string, MistakeInfo>>;
}

const SLOWEST = 10;
const MAX_MISTAKES = 60;
/** Columns of the distribution. */
const BINS = 20;
/** More names in one line would hide all others. */
const MAX_NAMES = 12;

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d4dae0; --paper: #fff;
  --tint: #f3f5f8; --bar: #3b7dd8; --bad: #c4432b; --warn: #9a6700; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaef; --soft: #9aa4af; --line: #333b45;
  --paper: #12161b; --tint: #1b2128; --bar: #6aa5f2; --bad: #f0806a; --warn: #e0b050; --good: #56c271; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, "Noto Sans KR", "Malgun Gothic", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.soft { color: var(--soft); font-size: .875rem; }
.facts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; padding: 0; list-style: none; }
.facts li { flex: 1 1 8rem; padding: .6rem .9rem; background: var(--tint); border-radius: .5rem; }
.facts b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
thead th { position: sticky; top: 0; background: var(--paper); }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.name { overflow-wrap: anywhere; min-width: 9rem; }
td.pass, td.fail, td.error { white-space: nowrap; }
.pass { color: var(--good); } .fail { color: var(--ink); } .error { color: var(--warn); font-weight: 600; }
code { font: .85em ui-monospace, monospace; color: var(--soft); overflow-wrap: anywhere; }
a { color: inherit; text-decoration-color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.bar { fill: var(--bar); } .badbar { fill: var(--bad); } .warnbar { fill: var(--warn); }
.axis { stroke: var(--line); } .track { fill: var(--tint); }
.histogram { min-width: 34rem; }
td.chart { width: 22%; min-width: 6rem; }
td.chart svg { height: .8rem; margin-top: .35rem; }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --tint: #f3f3f3; --bar: #3b7dd8;
  --bad: #c4432b; --warn: #9a6700; --good: #1a7f37; } html { font-size: 9pt; }
  body { max-width: none; padding: 0; font-size: 1rem; } h2 { break-after: avoid; margin-top: 2rem; }
  tr, svg, .facts { break-inside: avoid; } tbody tr:nth-child(-n + 2) { break-after: avoid; }
  th, td { padding: .2rem .5rem; } thead th { position: static; } a { text-decoration: none; }
  .wide { overflow: visible; } svg, .facts li { print-color-adjust: exact; } }
@page { margin: 14mm 14mm 16mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt system-ui, sans-serif; } }
`;

const WORDS = {
  title: { en: "A graded class", ko: "채점 결과" },
  submissions: { en: "submissions", ko: "제출물" },
  missing: { en: "not graded yet", ko: "아직 채점 안 됨" },
  mean: { en: "mean", ko: "평균" },
  median: { en: "median", ko: "중앙값" },
  full: { en: "with all points", ko: "만점" },
  noVerdict: { en: "without a verdict", ko: "판정 불가" },
  ofPoints: { en: "of", ko: "/" },
  distribution: { en: "Distribution of points", ko: "점수 분포" },
  points: { en: "points", ko: "점" },
  byLesson: { en: "Lessons", ko: "강별 결과" },
  lesson: { en: "lesson", ko: "강" },
  meanPoints: { en: "mean points", ko: "평균 점수" },
  all: { en: "all points", ko: "만점" },
  none: { en: "no points", ko: "0점" },
  tasks: { en: "Tasks, by how many failed them", ko: "과제(실패가 많은 순)" },
  task: { en: "task", ko: "과제" },
  failed: { en: "failed", ko: "실패" },
  noneFailed: { en: "Nobody failed a task.", ko: "실패한 과제가 없습니다." },
  mistakes: { en: "Named mistakes, by frequency", ko: "자주 하는 실수(많은 순)" },
  mistake: { en: "mistake", ko: "실수" },
  noMistakes: { en: "No named mistake was seen.", ko: "자주 하는 실수가 없습니다." },
  look: { en: "Gradings to look at", ko: "확인할 채점" },
  noErrors: {
    en: "Every submission has a verdict.",
    ko: "모든 제출물을 판정했습니다.",
  },
  lower: {
    en: "Graded in a weaker sandbox than others",
    ko: "다른 제출물보다 약한 샌드박스에서 채점됨",
  },
  refused: { en: "Files not taken", ko: "채점에 쓰지 못한 파일" },
  slowest: { en: "Slowest gradings", ko: "가장 오래 걸린 채점" },
  seconds: { en: "seconds", ko: "초" },
  alike: { en: "The same but for names and layout", ko: "이름과 모양만 다른 제출물" },
  alikeNote: {
    en:
      "A hint to look, not a verdict. Names, comments, layout and the given stub are left out of the comparison; what many of the class have is, too. There are good reasons to be alike: a short task, a pair that may work together, a book.",
    ko:
      "판정이 아니라 살펴보라는 표시입니다. 이름, 주석, 줄 나누기, 주어진 틀과 많은 학생에게 공통된 부분은 빼고 비교합니다. 짧은 과제, 함께 하도록 허락된 과제, 같은 책처럼 비슷할 만한 까닭도 있습니다.",
  },
  noneAlike: { en: "None are.", ko: "없습니다." },
  same: { en: "the same", ko: "같음" },
  everybody: { en: "Everybody", ko: "전체 학생" },
  student: { en: "student", ko: "학생" },
  status: { en: "status", ko: "상태" },
  sandbox: { en: "sandbox", ko: "샌드박스" },
  seed: { en: "seed", ko: "시드" },
  course: { en: "course version", ko: "과정 버전" },
  part: { en: "part", ko: "조각" },
  message: { en: "message", ko: "내용" },
} satisfies Record<string, Text>;

const STATUS: Record<string, Text> = {
  pass: { en: "pass", ko: "통과" },
  fail: { en: "fail", ko: "실패" },
  error: { en: "no verdict", ko: "판정 불가" },
};

/** The page. */
export async function pageOf(data: PageData): Promise<string> {
  const { info: { lang } } = data;
  const page = new Page(data);
  const sections = [
    page.head(),
    page.distribution(),
    page.lessons(),
    page.tasks(),
    page.mistakes(),
    page.toLookAt(),
    page.slowest(),
    page.alike(),
    page.everybody(),
  ];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE));
  const policy = `default-src 'none'; style-src 'sha256-${
    new Uint8Array(digest).toBase64()
  }'; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="${lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${WORDS.title[lang]}</title>
<style>${STYLE}</style>
</head>
<body>
${sections.join("\n")}
</body>
</html>
`;
}

/** Text of anybody's, as text. */
function safe(text: string): string {
  return escapeHtml(cleanLine(text));
}

class Page {
  readonly #info: ClassInfo;
  readonly #rows: Row[];
  readonly #data: PageData;
  readonly #lang: Lang;

  constructor(data: PageData) {
    this.#data = data;
    this.#info = data.info;
    this.#rows = data.rows;
    this.#lang = data.info.lang;
  }

  #word(name: keyof typeof WORDS): string {
    return WORDS[name][this.#lang];
  }

  /** A student's name as a link to the report. */
  #link({ student }: Row): string {
    const name = student.student === student.name
      ? safe(student.name)
      : `${safe(student.student)} <code>${safe(student.name)}</code>`;
    return `<a href="reports/${encodeURIComponent(student.key)}.txt" dir="auto">${name}</a>`;
  }

  #table(head: [text: string, isNumber?: boolean][], rows: string[]): string {
    const cells = head.map(([text, isNumber]) =>
      `<th scope="col"${isNumber ? ' class="num"' : ""}>${text}</th>`
    );
    return `<div class="wide"><table><thead><tr>${cells.join("")}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table></div>`;
  }

  head(): string {
    const { seed, course, shard, lessons } = this.#info;
    const scores = this.#judged().map(({ result }) => result.score);
    const max = this.#max();
    const full = this.#rows.filter(({ result }) => result.status === "pass").length;
    const errors = this.#rows.filter(({ result }) => result.status === "error").length;
    const missing = studentsOf(this.#info).length - this.#rows.length;
    const facts: [string, string][] = [
      [`${this.#rows.length}`, this.#word("submissions")],
      [shown(mean(scores)), `${this.#word("mean")} ${this.#word("ofPoints")} ${max}`],
      [shown(median(scores)), this.#word("median")],
      [`${full}`, this.#word("full")],
      [`${errors}`, this.#word("noVerdict")],
      ...(missing > 0 ? [[`${missing}`, this.#word("missing")] as [string, string]] : []),
    ];
    const details = [
      `${this.#word("byLesson")}: ${lessons.map((slug) => Number(slug.slice(0, 2))).join(", ")}`,
      `${this.#word("seed")}: ${seed}`,
      `${this.#word("sandbox")}: ${this.#levels().join(", ")}`,
      `${this.#word("course")}: ${safe(course.slice(0, 19))}`,
      ...(shard ? [`${this.#word("part")}: ${shard.index}/${shard.of}`] : []),
    ];
    const items = facts.map(([value, name]) => `<li><b>${value}</b> ${name}</li>`);
    return `<h1>${this.#word("title")}</h1>
<p class="soft">${details.join(" · ")}</p>
<ul class="facts">${items.join("")}</ul>`;
  }

  /** Those with a verdict: what could not be graded says nothing about points. */
  #judged(): Row[] {
    return this.#rows.filter(({ result }) => result.status !== "error");
  }

  #max(): number {
    return Math.max(0, ...this.#rows.map(({ result }) => result.max_score));
  }

  /** Levels that occur, the strongest first. */
  #levels(): SandboxLevel[] {
    const those = new Set(this.#rows.map(({ result }) => result.sandbox));
    return SANDBOX_LEVELS.filter((level) => those.has(level));
  }

  distribution(): string {
    const max = this.#max();
    // Whole points per column, and the highest score in a column with others.
    const step = Math.max(1, Math.ceil((max + 1) / BINS));
    const count = Math.floor(max / step) + 1;
    const bins = Array.from({ length: count }, () => 0);
    for (const { result } of this.#judged()) {
      bins[Math.min(count - 1, Math.floor(result.score / step))]!++;
    }
    const most = Math.max(1, ...bins);
    const [width, height, left, bottom] = [720, 190, 8, 24];
    const column = (width - 2 * left) / count;
    const parts = bins.map((n, i) => {
      const tall = Math.round((height - bottom - 20) * n / most);
      const x = left + i * column;
      const [from, to] = [i * step, Math.min(max, i * step + step - 1)];
      const range = from === to ? `${from}` : `${from}–${to}`;
      const middle = (x + column / 2).toFixed(1);
      return `<g><title>${range} ${this.#word("points")}: ${n}</title><rect class="bar" x="${
        (x + 2).toFixed(1)
      }" y="${height - bottom - tall}" width="${
        (column - 4).toFixed(1)
      }" height="${tall}" rx="2"/>${
        n > 0
          ? `<text x="${middle}" y="${height - bottom - tall - 5}" text-anchor="middle">${n}</text>`
          : ""
      }<text x="${middle}" y="${height - 8}" text-anchor="middle">${from}</text></g>`;
    });
    const line = height - bottom + 0.5;
    return `<h2>${this.#word("distribution")}</h2>
<div class="wide"><svg class="histogram" viewBox="0 0 ${width} ${height}" role="img" aria-label="${
      this.#word("distribution")
    }">
<line class="axis" x1="${left}" x2="${width - left}" y1="${line}" y2="${line}"/>
${parts.join("\n")}
</svg></div>`;
  }

  lessons(): string {
    const rows = this.#info.lessons.map((slug) => {
      const those = this.#rows.flatMap(({ result }) =>
        result.lessons.filter(({ lesson, status }) => lesson === slug && status !== "error")
      );
      const max = Math.max(0, ...those.map(({ max_score }) => max_score));
      const average = mean(those.map(({ score }) => score));
      const title = those[0]?.title ?? slug;
      return `<tr><td class="num">${Number(slug.slice(0, 2))}</td><td>${
        safe(title)
      }</td><td class="num">${shown(average)} / ${max}</td>${
        bar(max > 0 ? average / max : 0, "bar")
      }<td class="num">${
        those.filter(({ status }) => status === "pass").length
      }</td><td class="num">${those.filter(({ score }) => score === 0).length}</td></tr>`;
    });
    return `<h2>${this.#word("byLesson")}</h2>
${
      this.#table([
        ["", true],
        [this.#word("lesson")],
        [this.#word("meanPoints"), true],
        [""],
        [this.#word("all"), true],
        [this.#word("none"), true],
      ], rows)
    }`;
  }

  tasks(): string {
    const counts = new Map<string, { title: string; number: string; failed: number; of: number }>();
    for (const { result } of this.#rows) {
      for (const { lesson, tasks } of result.lessons) {
        for (const { task, title, status } of tasks) {
          const key = `${lesson} ${task}`;
          const number = `${Number(lesson.slice(0, 2))}.${task}`;
          const known = counts.get(key) ?? { title, number, failed: 0, of: 0 };
          // An error is nobody's failure.
          if (status !== "error") known.of++;
          if (status === "fail") known.failed++;
          counts.set(key, known);
        }
      }
    }
    const rows = [...counts.entries()]
      .filter(([, { failed }]) => failed > 0)
      .sort(([a, x], [b, y]) => y.failed - x.failed || (a < b ? -1 : 1))
      .map(([, { title, number, failed, of }]) =>
        `<tr><td class="num">${number}</td><td>${
          safe(title)
        }</td><td class="num">${failed} / ${of}</td>${bar(failed / of, "badbar")}</tr>`
      );
    const table = this.#table([["", true], [this.#word("task")], [this.#word("failed"), true], [
      "",
    ]], rows);
    return `<h2>${this.#word("tasks")}</h2>
${rows.length > 0 ? table : `<p>${this.#word("noneFailed")}</p>`}`;
  }

  mistakes(): string {
    const counts = new Map<string, { id: string; lesson: string; who: Set<string> }>();
    for (const { student, result } of this.#rows) {
      for (const { lesson, tasks } of result.lessons) {
        for (const { mistake } of tasks.flatMap(({ tests }) => tests)) {
          if (!mistake) continue;
          const key = `${lesson} ${mistake}`;
          const known = counts.get(key) ?? { id: mistake, lesson, who: new Set() };
          known.who.add(student.key);
          counts.set(key, known);
        }
      }
    }
    const rows = [...counts.entries()]
      .sort(([a, x], [b, y]) => y.who.size - x.who.size || (a < b ? -1 : 1))
      .slice(0, MAX_MISTAKES)
      .map(([, { id, lesson, who }]) => {
        const known = this.#data.mistakes.get(lesson)?.get(id);
        const [name, line] = [known?.name[this.#lang] ?? id, known?.line[this.#lang] ?? ""];
        return `<tr><td class="num">${Number(lesson.slice(0, 2))}</td><td>${safe(name)} <code>${
          safe(id)
        }</code><br><span class="soft">${safe(line)}</span></td><td class="num">${who.size}</td>${
          bar(who.size / this.#rows.length, "warnbar")
        }</tr>`;
      });
    const head: [string, boolean?][] = [
      [this.#word("lesson"), true],
      [this.#word("mistake")],
      [this.#word("submissions"), true],
      [""],
    ];
    return `<h2>${this.#word("mistakes")}</h2>
${rows.length > 0 ? this.#table(head, rows) : `<p>${this.#word("noMistakes")}</p>`}`;
  }

  toLookAt(): string {
    const errors = this.#rows.filter(({ result }) => result.status === "error").map((row) => {
      const { message, lessons } = row.result;
      const told = message ??
        lessons.filter(({ status }) => status === "error")
          .map(({ lesson, message = "" }) => `${lesson}: ${message}`).join(" ");
      return `<tr><td class="name">${this.#link(row)}</td><td>${safe(told)}</td></tr>`;
    });
    const refused = this.#rows.filter(({ result }) => result.status !== "error").flatMap((row) =>
      row.result.lessons.flatMap(({ message, lesson }) =>
        message
          ? [
            `<tr><td class="name">${this.#link(row)}</td><td>${
              safe(`${lesson}: ${message}`)
            }</td></tr>`,
          ]
          : []
      )
    );
    const [strongest] = this.#levels();
    const lower = this.#rows.filter(({ result }) => result.sandbox !== strongest).map((row) =>
      `<tr><td class="name">${this.#link(row)}</td><td>${row.result.sandbox}</td></tr>`
    );
    const who: [string] = [this.#word("student")];
    const parts = [
      errors.length > 0
        ? this.#table([who, [this.#word("noVerdict")]], errors)
        : `<p>${this.#word("noErrors")}</p>`,
      ...(refused.length > 0 ? [this.#table([who, [this.#word("refused")]], refused)] : []),
      ...(lower.length > 0 ? [this.#table([who, [this.#word("lower")]], lower)] : []),
    ];
    return `<h2>${this.#word("look")}</h2>\n${parts.join("\n")}`;
  }

  slowest(): string {
    const rows = this.#rows
      .toSorted((a, b) =>
        b.result.duration_ms - a.result.duration_ms || (a.student.key < b.student.key ? -1 : 1)
      )
      .slice(0, SLOWEST)
      .map((row) =>
        `<tr><td class="name">${this.#link(row)}</td><td class="num">${
          (row.result.duration_ms / 1000).toFixed(1)
        }</td></tr>`
      );
    return `<h2>${this.#word("slowest")}</h2>
${this.#table([[this.#word("student")], [this.#word("seconds"), true]], rows)}`;
  }

  alike(): string {
    const byName = new Map(this.#rows.map((row) => [row.student.name, row]));
    const { found, more } = this.#data.alike;
    const rows = found.map(({ lesson, names, share, isSame }) => {
      const links = names.slice(0, MAX_NAMES).map((name) => this.#link(byName.get(name)!));
      if (names.length > MAX_NAMES) links.push(`+ ${names.length - MAX_NAMES}`);
      return `<tr><td class="num">${Number(lesson.slice(0, 2))}</td><td class="name">${
        links.join(", ")
      }</td><td class="num">${
        isSame ? this.#word("same") : `${Math.round(share * 100)}%`
      }</td></tr>`;
    });
    if (more > 0) rows.push(`<tr><td></td><td>+ ${more}</td><td></td></tr>`);
    const head: [string, boolean?][] = [
      [this.#word("lesson"), true],
      [this.#word("student")],
      ["", true],
    ];
    return `<h2>${this.#word("alike")}</h2>
<p class="soft">${this.#word("alikeNote")}</p>
${rows.length > 0 ? this.#table(head, rows) : `<p>${this.#word("noneAlike")}</p>`}`;
  }

  everybody(): string {
    const { lessons } = this.#info;
    const rows = this.#rows.map((row) => {
      const { student, result } = row;
      const cells = lessons.map((slug) => {
        const lesson = result.lessons.find(({ lesson }) => lesson === slug);
        return `<td class="num ${lesson?.status ?? ""}">${lesson?.score ?? ""}</td>`;
      });
      return `<tr><td class="name">${this.#link(row)}</td><td>${
        safe(student.id)
      }</td><td class="num">${result.score}</td>${cells.join("")}<td class="${result.status}">${
        STATUS[result.status]![this.#lang]
      }</td></tr>`;
    });
    const head: [string, boolean?][] = [
      [this.#word("student")],
      [""],
      [this.#word("points"), true],
      ...lessons.map((slug): [string, boolean] => [`${Number(slug.slice(0, 2))}`, true]),
      [this.#word("status")],
    ];
    return `<h2>${this.#word("everybody")}</h2>
${this.#table(head, rows)}`;
  }
}

/** A cell with a bar of a share from 0 to 1. */
function bar(share: number, name: string): string {
  const width = Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10;
  return `<td class="chart"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">` +
    `<rect class="track" width="100" height="8"/><rect class="${name}" width="${width}" height="8"/></svg></td>`;
}

function mean(values: number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function shown(value: number): string {
  return `${Math.round(value * 10) / 10}`;
}
