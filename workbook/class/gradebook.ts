/**
 * The gradebook of a class, for spreadsheets and for SQL.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { clean, cleanLine, wellFormed } from "../grading/formats/common.ts";
import type { SubmissionResult } from "../grading/model.ts";
import type { ClassInfo, ClassStudent } from "./files.ts";

/** One student with the result. */
export interface Row {
  student: ClassStudent;
  result: SubmissionResult;
}

/**
 * The part of a result that is the same in every run: without times, and without what was seen on the wire and printed,
 * where ports and times stand.
 */
export function verdictOf(result: SubmissionResult): SubmissionResult {
  return wellFormed({
    ...result,
    duration_ms: 0,
    lessons: result.lessons.map((lesson) => ({
      ...lesson,
      duration_ms: 0,
      tasks: lesson.tasks.map((task) => ({
        ...task,
        duration_ms: 0,
        output: "",
        tests: task.tests.map(({ name, status, kind, mistake, mistake_line }) => ({
          name,
          status,
          duration_ms: 0,
          ...(kind && { kind }),
          ...(mistake && { mistake }),
          ...(mistake_line && { mistake_line }),
        })),
      })),
    })),
  });
}

/**
 * The gradebook as CSV (RFC 4180): a row for each student, a column for each lesson.
 *
 * A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, "CSV Injection"). Where there
 * are letters beyond ASCII the file begins with a byte order mark, without which Excel reads them wrong.
 */
export function csvOf({ lessons }: ClassInfo, rows: Row[]): string {
  const head = ["submission", "student", "id", "status", "score", "max_score", ...lessons];
  const body = rows.map(({ student, result }) => [
    textCell(student.name),
    textCell(student.student),
    textCell(student.id),
    result.status,
    `${result.score}`,
    `${result.max_score}`,
    ...lessons.map((slug) => {
      const lesson = result.lessons.find(({ lesson }) => lesson === slug);
      return lesson ? `${lesson.score}` : "";
    }),
  ]);
  const text = [head, ...body].map((cells) => `${cells.join(",")}\r\n`).join("");
  // deno-lint-ignore no-control-regex
  return /[^\x00-\x7f]/.test(text) ? `\ufeff${text}` : text;
}

/** What spreadsheets take for the beginning of a formula, also in full width, and behind spaces. */
const FORMULA = /^\s*[=+\-@|%＝＋－＠]/;

function textCell(text: string): string {
  const line = cleanLine(text);
  const safe = FORMULA.test(line) ? `'${line}` : line;
  return /[",\r\n';]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const SCHEMA = `
CREATE TABLE class (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE submissions (
  submission TEXT PRIMARY KEY, student TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL,
  score INTEGER NOT NULL, max_score INTEGER NOT NULL, sandbox TEXT NOT NULL, message TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE lessons (
  submission TEXT NOT NULL REFERENCES submissions, lesson TEXT NOT NULL, title TEXT NOT NULL,
  status TEXT NOT NULL, score INTEGER NOT NULL, max_score INTEGER NOT NULL, message TEXT,
  PRIMARY KEY (submission, lesson)
) STRICT, WITHOUT ROWID;
CREATE TABLE tasks (
  submission TEXT NOT NULL, lesson TEXT NOT NULL, task INTEGER NOT NULL, title TEXT NOT NULL,
  status TEXT NOT NULL, score INTEGER NOT NULL, max_score INTEGER NOT NULL,
  PRIMARY KEY (submission, lesson, task), FOREIGN KEY (submission, lesson) REFERENCES lessons
) STRICT, WITHOUT ROWID;
CREATE TABLE tests (
  submission TEXT NOT NULL, lesson TEXT NOT NULL, task INTEGER NOT NULL, test INTEGER NOT NULL,
  name TEXT NOT NULL, status TEXT NOT NULL, kind TEXT, mistake TEXT,
  PRIMARY KEY (submission, lesson, task, test),
  FOREIGN KEY (submission, lesson, task) REFERENCES tasks
) STRICT, WITHOUT ROWID;
CREATE VIEW mistakes AS
  SELECT lesson, mistake, count(DISTINCT submission) AS submissions
  FROM tests WHERE mistake IS NOT NULL GROUP BY lesson, mistake;
`;

/** Writes the gradebook as an SQLite database to a new file. The same rows make the same bytes. */
export function writeSqlite(path: string, info: ClassInfo, rows: Row[]): void {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA page_size = 4096; PRAGMA synchronous = FULL; BEGIN;");
    db.exec(SCHEMA);
    const insert = (table: string, columns: number) =>
      db.prepare(`INSERT INTO ${table} VALUES (${Array(columns).fill("?").join(", ")})`);
    const [setting, submission, lessonRow, taskRow, testRow] = [
      insert("class", 2),
      insert("submissions", 8),
      insert("lessons", 7),
      insert("tasks", 7),
      insert("tests", 8),
    ];
    for (const [name, value] of settingsOf(info)) setting.run(name, value);
    for (const { student, result } of rows) {
      const name = text(student.name);
      const { status, score, max_score, sandbox, message } = result;
      const person = [text(student.student), text(student.id)];
      submission.run(
        name,
        ...person,
        status,
        score,
        max_score,
        sandbox,
        message === undefined ? null : clean(message),
      );
      for (const lesson of result.lessons) {
        const slug = lesson.lesson;
        lessonRow.run(
          name,
          slug,
          lesson.title,
          lesson.status,
          lesson.score,
          lesson.max_score,
          lesson.message === undefined ? null : clean(lesson.message),
        );
        for (const task of lesson.tasks) {
          taskRow.run(name, slug, task.task, task.title, task.status, task.score, task.max_score);
          task.tests.forEach((test, i) => {
            const { name: title, status, kind = null, mistake = null } = test;
            testRow.run(name, slug, task.task, i + 1, title, status, kind, mistake);
          });
        }
      }
    }
    db.exec("COMMIT");
  } finally {
    db.close();
  }
}

function settingsOf({ course, seed, lang, lessons, shard }: ClassInfo): [string, string][] {
  return [
    ["course", course],
    ["lang", lang],
    ["lessons", lessons.join(" ")],
    ["seed", `${seed}`],
    ...(shard ? [["shard", `${shard.index}/${shard.of}`] as [string, string]] : []),
  ];
}

/** SQLite's texts end where a NUL stands, in some programs. */
function text(value: string): string {
  return value.toWellFormed().replaceAll("\0", "\ufffd");
}
