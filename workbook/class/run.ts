/**
 * Grades a class, student by student.
 *
 * Each result is written whole as soon as there is one, and a student who has one is not graded again: so a run can be
 * killed at any moment, and goes on where it was. Only one run works on a folder of results at a time: the lock is the
 * system's, and ends with its process.
 *
 * @module
 */

import type { LessonInfo } from "../course.ts";
import { CommandError } from "../errors.ts";
import {
  type SandboxLevel,
  type SubmissionRequest,
  type SubmissionResult,
  zeroResult,
} from "../grading/submission.ts";
import { type OwnSuites, withOwnTasks } from "../grading/suites.ts";
import { stubOf } from "../stub.ts";
import type { Lang, Text } from "../text.ts";
import { writeClass, writeStudent } from "./derive.ts";
import {
  type ClassInfo,
  classInfo,
  type ClassStudent,
  type Graded,
  keyOf,
  ResultsFolder,
  studentsOf,
  toJson,
  writeWhole,
} from "./files.ts";
import { gradeStaged } from "./find.ts";
import type { Roster, Student } from "./roster.ts";
import { sha256, type Staged, takeStudent } from "./stage.ts";
import { type KnownNames, knownNames, type Prints, printsOf } from "./tokens.ts";

/** How a class is to be graded. */
export interface ClassRequest {
  root: string;
  roster: Roster;
  out: string;
  lessons: LessonInfo[];
  course: string;
  /** Where none is given, it is drawn from the course and all submissions: every part of a class has the same. */
  seed?: number | undefined;
  shard?: { index: number; of: number } | undefined;
  suites?: string | undefined;
  ownSuites?: OwnSuites | undefined;
  importMap?: string | undefined;
  sandbox: SandboxLevel;
  lang: Lang;
  workers: number;
  /** Grades those again whose result is an `error`. */
  retryErrors?: boolean;
  signal?: AbortSignal | undefined;
  on?: (event: ClassEvent) => void;
  /** How long another run may take to end that was killed, in milliseconds; 5,000 where none is given. */
  lockPatienceMs?: number;
  /**
   * Nothing else goes on in this process, so that its environment may be changed while it grades: all temporary
   * folders are then made in one, which the next run removes if this one is killed.
   */
  ownsProcess?: boolean;
  /** Instead of grading, in tests. */
  grade?: (request: SubmissionRequest) => Promise<SubmissionResult>;
}

/** What is told while a class is graded. */
export type ClassEvent =
  | { event: "plan"; total: number; left: number; lessons: number }
  | { event: "lesson" }
  | { event: "end"; student: ClassStudent; result: SubmissionResult };

/** Reads who hands in what, for `class.json`. */
export async function listStudents(
  { students }: Roster,
  slugs: string[],
): Promise<ClassStudent[]> {
  const list: ClassStudent[] = [];
  for (const student of students) {
    const { name, id } = student;
    const { digest } = await takeStudent(student, slugs);
    list.push({ name, key: await keyOf(name), student: student.student, id, digest });
  }
  return list;
}

/** Grades all students who have no result yet. Returns what the class is, and how many have a result now. */
export async function gradeClass(
  request: ClassRequest,
): Promise<{ info: ClassInfo; graded: number; total: number }> {
  const folder = new ResultsFolder(request.out);
  const before = await folder.readClass();
  await refuseForeign(folder, before);
  await folder.create();
  using _lock = await Lock.take(folder, request.lockPatienceMs ?? LOCK_PATIENCE_MS);
  const info = await settle(request, before);
  await writeWhole(folder.classFile, toJson(info));
  const run = new Run(request, folder, info);
  try {
    await run.all();
  } finally {
    await run.tidy();
  }
  const graded = await writeClass(request.root, folder, info);
  return { info, graded, total: studentsOf(info).length };
}

/** A folder with anything else in it is not written to. */
async function refuseForeign(folder: ResultsFolder, info: ClassInfo | undefined): Promise<void> {
  if (info) return;
  const ours = new Set(["run", "results", "reports"]);
  try {
    for await (const { name } of Deno.readDir(folder.dir)) {
      if (ours.has(name) || name.startsWith(".draft.")) continue;
      throw new CommandError({
        en: `"${folder.dir}" holds other things than a class's results: "${name}".`,
        ko: `"${folder.dir}" 폴더에 채점 결과가 아닌 것이 있습니다: "${name}".`,
      });
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.NotADirectory)) throw error;
    throw new CommandError({
      en: `"${folder.dir}" is no folder.`,
      ko: `"${folder.dir}" 은(는) 폴더가 아닙니다.`,
    });
  }
}

/** What the class is graded with. Throws if a part of it has been graded with something else. */
async function settle(request: ClassRequest, before: ClassInfo | undefined): Promise<ClassInfo> {
  const { course, lessons, lang, shard, roster } = request;
  const slugs = lessons.map(({ slug }) => slug);
  const students = await listStudents(roster, slugs);
  const seed = request.seed ?? before?.seed ?? await drawnSeed(course, students);
  const info = classInfo({ course, seed, lang, lessons: slugs, shard, students });
  if (!before) return info;
  const differs: [boolean, Text][] = [
    [before.course !== course, {
      en: "another version of the course, or another --suite",
      ko: "다른 버전의 과정이나 다른 --suite",
    }],
    [before.seed !== seed, { en: `seed ${before.seed}`, ko: `시드 ${before.seed}` }],
    [before.lessons.join() !== slugs.join(), {
      en: `other lessons (${before.lessons.join(", ")})`,
      ko: `다른 강(${before.lessons.join(", ")})`,
    }],
    [before.lang !== lang, { en: `--lang ${before.lang}`, ko: `--lang ${before.lang}` }],
    [shardName(before.shard) !== shardName(shard), {
      en: before.shard ? `--shard ${shardName(before.shard)}` : "no --shard",
      ko: before.shard ? `--shard ${shardName(before.shard)}` : "--shard 없음",
    }],
  ];
  const [, what] = differs.find(([is]) => is) ?? [];
  if (!what) return info;
  throw new CommandError(
    {
      en: `These results were begun with ${what.en}: nothing was graded.`,
      ko: `이 결과는 다른 조건으로 시작되어 채점하지 않았습니다. 시작할 때의 조건: ${what.ko}`,
    },
    {
      en: "Go on with the same, or give --out another folder.",
      ko: "같은 조건으로 계속하거나 --out 에 다른 폴더를 지정하세요.",
    },
  );
}

function shardName(shard: ClassInfo["shard"]): string {
  return shard ? `${shard.index}/${shard.of}` : "";
}

/** A seed that nobody who hands in can know beforehand, and that is the same on every machine. */
async function drawnSeed(course: string, students: ClassStudent[]): Promise<number> {
  const text = [course, ...students.map(({ key, digest }) => `${key} ${digest}`)].join("\n");
  const hash = await sha256(new TextEncoder().encode(text));
  return Number.parseInt(hash.slice(0, 8), 16);
}

const LOCK_PATIENCE_MS = 5_000;
const LOCK_POLL_MS = 50;

/** Keeps other runs out of a folder of results. */
class Lock {
  private constructor(readonly file: Deno.FsFile) {}

  static async take({ lockFile }: ResultsFolder, patienceMs: number): Promise<Lock> {
    const file = await Deno.open(lockFile, { create: true, write: true });
    let isFree = true;
    try {
      const end = performance.now() + patienceMs;
      while (!(isFree = await file.tryLock(true)) && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
      }
    } catch {
      // A file system without locks.
    }
    if (isFree) return new Lock(file);
    file.close();
    throw new CommandError(
      {
        en: "Another run is grading into this folder of results.",
        ko: "다른 채점이 이 결과 폴더에서 진행되고 있습니다.",
      },
      {
        en: "Wait for its end, or give --out another folder.",
        ko: "끝나기를 기다리거나 --out 에 다른 폴더를 지정하세요.",
      },
    );
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/** One run over those who are left. */
class Run {
  readonly #request: ClassRequest;
  readonly #folder: ResultsFolder;
  readonly #info: ClassInfo;
  readonly #students: Map<string, Student>;
  readonly #names = new Map<string, { stub: string; names: KnownNames }>();
  /** What the variables were that this run changes. */
  readonly #environment = new Map<string, string | undefined>();
  #temporary = "";

  constructor(request: ClassRequest, folder: ResultsFolder, info: ClassInfo) {
    this.#request = request;
    this.#folder = folder;
    this.#info = info;
    this.#students = new Map(request.roster.students.map((student) => [student.name, student]));
  }

  async all(): Promise<void> {
    const { workers, signal, on, retryErrors } = this.#request;
    const all = studentsOf(this.#info);
    const left: ClassStudent[] = [];
    for (const student of all) {
      const graded = await this.#folder.readGraded(student);
      if (!graded || (retryErrors && graded.result.status === "error")) left.push(student);
    }
    on?.({
      event: "plan",
      total: all.length,
      left: left.length,
      lessons: this.#info.lessons.length,
    });
    await this.#ownTemporary();
    await this.#note({ event: "start", left: left.length });
    for (const slug of this.#info.lessons) await this.#readNames(slug);
    const work = async () => {
      for (let next = left.shift(); next && !signal?.aborted; next = left.shift()) {
        await this.#one(next);
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    await this.#note({ event: "stop", left: left.length });
  }

  /** Removes what is left of this run, and of one before that was killed. */
  async tidy(): Promise<void> {
    for (const [name, value] of this.#environment) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    if (this.#temporary) await removeAll(this.#temporary);
    await Deno.remove(this.#folder.temporaryFile).catch(() => {});
  }

  async #one(student: ClassStudent): Promise<void> {
    const { signal, on } = this.#request;
    await this.#note({ event: "begin", student: student.name });
    const staged = await takeStudent(this.#students.get(student.name)!, this.#info.lessons);
    const result = await this.#grade(student, staged);
    // What was interrupted is no result.
    if (signal?.aborted) return;
    const prints: Record<string, Prints> = {};
    for (const [slug, bytes] of staged.exercises) {
      const known = this.#names.get(slug);
      if (!known) continue;
      prints[slug] = printsOf(new TextDecoder().decode(bytes), known.stub, known.names);
    }
    const graded: Graded = { version: 1, digest: staged.digest, result, prints };
    await writeWhole(this.#folder.graded(student.key), toJson(graded));
    await this.#note({ event: "end", student: student.name, status: result.status });
    await writeStudent(this.#folder, student, graded, this.#info);
    on?.({ event: "end", student, result });
  }

  /** Grades one student. Whatever goes wrong is that student's result, and nobody else's. */
  async #grade({ name }: ClassStudent, staged: Staged): Promise<SubmissionResult> {
    const { root, lessons, suites, importMap, sandbox, signal, on, course } = this.#request;
    const { seed, lang } = this.#info;
    if (staged.problem) return this.#error(name, staged, staged.problem);
    try {
      const onLesson = () => on?.({ event: "lesson" });
      return await gradeStaged(staged, {
        root,
        name,
        lessons,
        seed,
        lang,
        suites,
        importMap,
        sandbox,
        course,
        signal,
        onLesson,
      }, this.#request.grade);
    } catch (error) {
      const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return this.#error(name, staged, {
        en: `The grading failed, which is no fault of the submission: ${what}`,
        ko: `채점에 실패했습니다. 제출물의 잘못이 아닙니다: ${what}`,
      });
    }
  }

  #error(submission: string, { ignored }: Staged, message: Text): SubmissionResult {
    const { lessons, ownSuites, course, sandbox } = this.#request;
    const { seed, lang } = this.#info;
    return zeroResult({ course, seed, submission, sandbox, ignored }, {
      lessons: withOwnTasks(lessons, ownSuites),
      lang,
      message,
    });
  }

  /** A folder for all that is temporary, whose name the next run finds if this one is killed. */
  async #ownTemporary(): Promise<void> {
    const { temporaryFile } = this.#folder;
    const before = await Deno.readTextFile(temporaryFile).catch(() => "");
    if (/[\\/]workbook_class_[0-9a-f-]{36}$/.test(before)) await removeAll(before);
    const probe = await Deno.makeTempFile({ prefix: "workbook_class_" });
    await Deno.remove(probe);
    const base = probe.slice(0, Math.max(probe.lastIndexOf("/"), probe.lastIndexOf("\\")));
    const own = `${base}/workbook_class_${crypto.randomUUID()}`;
    await writeWhole(temporaryFile, own);
    await Deno.mkdir(own, { mode: 0o700 });
    this.#temporary = own;
    if (!this.#request.ownsProcess) return;
    // All temporary folders of the gradings are made in it.
    for (const name of ["TMPDIR", "TMP", "TEMP"]) {
      this.#environment.set(name, Deno.env.get(name));
      Deno.env.set(name, own);
    }
  }

  async #readNames(slug: string): Promise<void> {
    const { root } = this.#request;
    const stub = await stubOf(root, slug) ?? "";
    const solution = await Deno.readTextFile(`${root}/solutions/${slug}/exercise.ts`)
      .catch(() => "");
    this.#names.set(slug, { stub, names: knownNames(stub, solution) });
  }

  /** Adds a line to the journal. */
  async #note(line: Record<string, string | number>): Promise<void> {
    const text = JSON.stringify({ at: new Date().toISOString(), ...line });
    await Deno.writeTextFile(this.#folder.journalFile, `${text}\n`, { append: true });
  }
}

async function removeAll(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch(() => {});
}
