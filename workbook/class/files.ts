/**
 * The files of a graded class: where they lie, and how they are written.
 *
 * What is the same whenever and wherever a class is graded stands apart from what differs from run to run (times,
 * ports, what the code printed):
 *
 * - the same bytes: `class.json`, `gradebook.csv`, `gradebook.sqlite`, `alike.json`, `results/`
 * - of that run: `index.html`, `reports/`, `run/`
 *
 * @module
 */

import { CommandError } from "../errors.ts";
import { SANDBOX_LEVELS, type SubmissionResult } from "../grading/model.ts";
import { isLang, type Lang } from "../text.ts";
import { sha256 } from "./stage.ts";
import type { Prints } from "./tokens.ts";

/** One student in `class.json`. */
export interface ClassStudent {
  /** What the submission is called. */
  name: string;
  /** The name of its files. */
  key: string;
  /** Whose it is. */
  student: string;
  id: string;
  /** A hash of what was handed in. */
  digest: string;
}

/** `class.json`: what all gradings of a class have in common. */
export interface ClassInfo {
  kind: typeof KIND;
  version: 1;
  course: string;
  seed: number;
  lang: Lang;
  /** Folder names of the lessons. */
  lessons: string[];
  /** Which part of the class is graded here; absent if it is all of it. */
  shard?: { index: number; of: number };
  /** All students of the class, also where a part of it is graded. */
  students: ClassStudent[];
}

/** `run/graded/KEY.json`: the grading of one student as it was. */
export interface Graded {
  version: 1;
  digest: string;
  result: SubmissionResult;
  /** Fingerprints of the exercises. */
  prints: Record<string, Prints>;
}

const KIND = "socket-workbook class";

/** A new `class.json`. */
export function classInfo(fields: Omit<ClassInfo, "kind" | "version">): ClassInfo {
  const { shard, students, ...rest } = fields;
  return { kind: KIND, version: 1, ...rest, ...(shard && { shard }), students };
}

/** Paths in a folder of results. */
export class ResultsFolder {
  constructor(readonly dir: string) {}

  get classFile(): string {
    return `${this.dir}/class.json`;
  }
  get lockFile(): string {
    return `${this.dir}/run/lock`;
  }
  get journalFile(): string {
    return `${this.dir}/run/journal.jsonl`;
  }
  get temporaryFile(): string {
    return `${this.dir}/run/temporary`;
  }

  graded(key: string): string {
    return `${this.dir}/run/graded/${key}.json`;
  }
  result(key: string): string {
    return `${this.dir}/results/${key}.json`;
  }
  report(key: string): string {
    return `${this.dir}/reports/${key}.txt`;
  }

  async create(): Promise<void> {
    try {
      for (const name of ["results", "reports", "run/graded"]) {
        await Deno.mkdir(`${this.dir}/${name}`, { recursive: true });
      }
    } catch (error) {
      throw cannotWrite(this.dir, error);
    }
  }

  /** What `class.json` says; absent if there is none. Throws a {@linkcode CommandError} if it is not ours. */
  async readClass(): Promise<ClassInfo | undefined> {
    let text: string;
    try {
      text = await Deno.readTextFile(this.classFile);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
        return undefined;
      }
      throw error;
    }
    const info = parsed<ClassInfo>(text);
    const isOurs = info?.kind === KIND && info.version === 1 && isLang(info.lang) &&
      typeof info.course === "string" && typeof info.seed === "number" &&
      Array.isArray(info.lessons) && Array.isArray(info.students) &&
      info.students.every((one) =>
        one && typeof one === "object" && isKey(one.key) &&
        [one.name, one.student, one.id, one.digest].every((field) => typeof field === "string")
      ) &&
      (info.shard === undefined ||
        (Number.isInteger(info.shard?.index) && Number.isInteger(info.shard?.of)));
    if (isOurs) return info;
    throw new CommandError({
      en: `"${this.classFile}" is not of this workbook, or damaged.`,
      ko: `"${this.classFile}" 은(는) 이 워크북의 파일이 아니거나 손상되었습니다.`,
    });
  }

  /** The grading of a student, if there is one of this very submission. */
  async readGraded(student: ClassStudent): Promise<Graded | undefined> {
    let text: string;
    try {
      text = await Deno.readTextFile(this.graded(student.key));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    const graded = parsed<Graded>(text);
    const isWhole = graded?.version === 1 && Array.isArray(graded.result?.lessons) &&
      SANDBOX_LEVELS.includes(graded.result.sandbox) && typeof graded.prints === "object";
    return isWhole && graded.digest === student.digest && graded.result.submission === student.name
      ? graded
      : undefined;
  }
}

function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

/** The students that a part of the class consists of: every so-manieth, so that parts are equally large. */
export function studentsOf({ students, shard }: ClassInfo): ClassStudent[] {
  return shard ? students.filter((_, i) => i % shard.of === shard.index - 1) : students;
}

const PLAIN_KEY = /^[a-z0-9][a-z0-9_-]{0,79}$/;
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/;
const MAX_KEY_CHARS = 48;

/**
 * The name of a student's files: the submission's own where any file system can have it; else what can be kept of it,
 * and a hash of the whole, so that no two students share one.
 */
export async function keyOf(name: string): Promise<string> {
  if (PLAIN_KEY.test(name) && !RESERVED.test(name)) return name;
  const kept = Array.from(
    name.toWellFormed().normalize("NFC").replaceAll(/[^\p{L}\p{N}_-]+/gu, "_"),
  ).slice(0, MAX_KEY_CHARS).join("").replaceAll(/^_+|_+$/g, "");
  const hash = await sha256(new TextEncoder().encode(JSON.stringify(name)));
  return `${kept || "student"}~${hash.slice(0, 10)}`;
}

/** Whether a text can be the name of a student's files: it leads nowhere else. */
export function isKey(key: unknown): boolean {
  return typeof key === "string" && /^[\p{L}\p{M}\p{N}_-]+(~[0-9a-f]{10})?$/u.test(key);
}

/**
 * Writes a file so that it is whole or not there, whenever the program is killed; and, unless it can be made again,
 * also when the machine loses its power.
 */
export async function writeWhole(
  path: string,
  content: string | Uint8Array,
  { isDerived = false } = {},
): Promise<void> {
  const at = path.lastIndexOf("/") + 1;
  // The same name again after a kill: no rest of a file stays for ever.
  const draft = `${path.slice(0, at)}.draft.${await shortHash(path.slice(at))}`;
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  try {
    {
      using file = await Deno.open(draft, { write: true, create: true, truncate: true });
      for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
      if (!isDerived) await file.sync();
    }
    await Deno.rename(draft, path);
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw cannotWrite(path, error);
  }
}

async function shortHash(text: string): Promise<string> {
  return (await sha256(new TextEncoder().encode(text))).slice(0, 16);
}

/** JSON as it is kept: with line ends, and no half characters. */
export function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function cannotWrite(path: string, error: unknown): CommandError {
  const name = error instanceof Error ? error.name : String(error);
  return new CommandError({
    en: `Cannot write "${path}": ${name}.`,
    ko: `"${path}" 에 쓸 수 없습니다: ${name}.`,
  });
}
