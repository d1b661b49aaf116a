/**
 * Writes all that is made from the gradings of a class.
 *
 * @module
 */

import { type MistakeInfo, readMistakes } from "../course.ts";
import { wellFormed } from "../grading/formats/common.ts";
import { text } from "../grading/formats/text.ts";
import {
  type ClassInfo,
  type ClassStudent,
  type Graded,
  type ResultsFolder,
  studentsOf,
  toJson,
  writeWhole,
} from "./files.ts";
import { csvOf, type Row, verdictOf, writeSqlite } from "./gradebook.ts";
import { pageOf } from "./page.ts";
import { findAlike, type Printed } from "./similar.ts";

const DERIVED = { isDerived: true };

/** Writes what belongs to one student. */
export async function writeStudent(
  folder: ResultsFolder,
  { key }: ClassStudent,
  { result }: Graded,
  { lang }: ClassInfo,
): Promise<void> {
  await writeWhole(folder.result(key), toJson(verdictOf(result)), DERIVED);
  await writeWhole(folder.report(key), text(wellFormed(result), lang), DERIVED);
}

/** Writes everything, from what is graded. Returns how many students that are. */
export async function writeClass(
  root: string,
  folder: ResultsFolder,
  info: ClassInfo,
): Promise<number> {
  const rows: Row[] = [];
  const printed: Printed[] = [];
  for (const student of studentsOf(info)) {
    const graded = await folder.readGraded(student);
    if (!graded) continue;
    await writeStudent(folder, student, graded, info);
    // Without what was printed: a class of them may be large.
    const result = verdictOf(graded.result);
    result.duration_ms = graded.result.duration_ms;
    rows.push({ student, result });
    printed.push({ name: student.name, lessons: graded.prints });
  }
  await removeOthers(`${folder.dir}/results`, rows, ".json");
  await removeOthers(`${folder.dir}/reports`, rows, ".txt");
  const alike = findAlike(printed);
  await writeWhole(`${folder.dir}/gradebook.csv`, csvOf(info, rows), DERIVED);
  const draft = `${folder.dir}/run/gradebook.draft`;
  for (const ending of ["", "-journal"]) await Deno.remove(draft + ending).catch(() => {});
  writeSqlite(draft, info, rows);
  await Deno.rename(draft, `${folder.dir}/gradebook.sqlite`);
  await writeWhole(`${folder.dir}/alike.json`, toJson(alike), DERIVED);
  const mistakes = new Map<string, Map<string, MistakeInfo>>();
  for (const slug of info.lessons) mistakes.set(slug, await readMistakes(root, slug));
  const page = await pageOf({ info, rows, alike, mistakes });
  await writeWhole(`${folder.dir}/index.html`, page, DERIVED);
  return rows.length;
}

/** Removes files of students who are no more in the class, or whose result is no more theirs. */
async function removeOthers(dir: string, rows: Row[], ending: string): Promise<void> {
  const own = new Set(rows.map(({ student }) => `${student.key}${ending}`));
  for await (const { name, isFile } of Deno.readDir(dir)) {
    if (isFile && !own.has(name)) await Deno.remove(`${dir}/${name}`);
  }
}
