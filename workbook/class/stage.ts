/**
 * Finds the exercises in what somebody handed in, and lays them out like `lessons/` for grading.
 *
 * @module
 */

import { MAX_EXERCISE_BYTES } from "../grading/intake.ts";
import type { Text } from "../text.ts";
import type { Student } from "./roster.ts";
import type { Entry } from "./tree.ts";
import { ZipError } from "./zip.ts";

/** Names that are told; a folder may hold a million. */
const MAX_LISTED = 100;
const MAX_NAME_CHARS = 200;

/** A submission, taken in. */
export interface Staged {
  /** By the lesson's folder name. */
  exercises: Map<string, Uint8Array<ArrayBuffer>>;
  /** Why the exercise of a lesson was not taken. */
  refused: Map<string, Text>;
  /** All else that was there, as paths. */
  ignored: string[];
  /** Why nothing of the submission could be read. */
  problem?: Text;
  /** A hash of the exercises: the same for the same submission. */
  digest: string;
}

/**
 * Which file is the exercise of which lesson.
 *
 * A submission may be the folder of lessons itself, or a repository with the lessons deep in it. The exercise that is
 * nearest to the top is taken; of those at one height, the one in a folder called `lessons`, then the first by name.
 * With `only`, a lone `exercise.ts` that is in no lesson's folder is that lesson's.
 */
export function chooseExercises(
  entries: Entry[],
  slugs: string[],
  only?: string,
): Map<string, Entry> {
  const chosen = new Map<string, { entry: Entry; rank: [number, number, string] }>();
  for (const entry of entries) {
    const parts = entry.path.split("/");
    // In the place of a lesson's folder.
    const isLink = ["link", "closed"].includes(entry.kind) && slugs.includes(parts.at(-1)!);
    if (parts.at(-1) !== "exercise.ts" && !isLink) continue;
    const parent = isLink ? parts.at(-1)! : parts.at(-2) ?? "";
    const isOwn = slugs.includes(parent);
    const slug = isOwn ? parent : /^\d\d_/.test(parent) ? undefined : only;
    if (slug === undefined) continue;
    const base = parts.slice(0, isLink ? -1 : isOwn ? -2 : -1);
    // The course's own answers are in the repository that everybody has copied.
    if (base.includes("solutions")) continue;
    const rank: [number, number, string] = [
      base.length + (isOwn ? 0 : 0.5),
      base.at(-1) === "lessons" ? 0 : 1,
      entry.path,
    ];
    const best = chosen.get(slug);
    if (!best || isLess(rank, best.rank)) chosen.set(slug, { entry, rank });
  }
  return new Map([...chosen].map(([slug, { entry }]) => [slug, entry]));
}

function isLess(a: [number, number, string], b: [number, number, string]): boolean {
  for (const i of [0, 1, 2] as const) if (a[i] !== b[i]) return a[i] < b[i];
  return false;
}

/** Reads a student's exercises. Never rejects because of what was handed in. */
export async function takeStudent(
  student: Pick<Student, "files">,
  slugs: string[],
): Promise<Staged> {
  const staged: Staged = {
    exercises: new Map(),
    refused: new Map(),
    ignored: [],
    digest: "",
  };
  try {
    const { entries, problems } = await student.files();
    const chosen = chooseExercises(entries, slugs, slugs.length === 1 ? slugs[0] : undefined);
    for (const [slug, entry] of chosen) {
      const taken = await readExercise(entry);
      if (taken instanceof Uint8Array) staged.exercises.set(slug, taken);
      else staged.refused.set(slug, taken);
    }
    const used = new Set([...chosen.values()].filter(({ kind }) => kind === "file"));
    staged.ignored = listed(entries.filter((entry) => entry.kind !== "folder" && !used.has(entry)));
    const closed = entries.find(({ kind }) => kind === "closed");
    const problem = problems[0]?.sentence ?? [...staged.refused.values()][0] ??
      (closed && cannotBeRead(closed));
    if (staged.exercises.size === 0 && problem) staged.problem = problem;
  } catch (error) {
    staged.exercises.clear();
    staged.problem = error instanceof ZipError ? error.sentence : unreadable(error);
  }
  staged.digest = await digestOf(staged);
  return staged;
}

/** Writes the exercises below `dir`, laid out like `lessons/`. */
export async function writeStaged(dir: string, { exercises }: Staged): Promise<void> {
  for (const [slug, bytes] of exercises) {
    await Deno.mkdir(`${dir}/${slug}`, { recursive: true });
    await Deno.writeFile(`${dir}/${slug}/exercise.ts`, bytes);
  }
}

async function readExercise(entry: Entry): Promise<Uint8Array<ArrayBuffer> | Text> {
  if (entry.kind === "closed") return cannotBeRead(entry);
  if (entry.kind !== "file") {
    return entry.kind === "link"
      ? {
        en: `"${entry.path}" is a symbolic link, which is not followed.`,
        ko: `"${entry.path}" 은(는) 심볼릭 링크입니다. 링크는 따라가지 않습니다.`,
      }
      : {
        en: `"${entry.path}" is no regular file.`,
        ko: `"${entry.path}" 은(는) 일반 파일이 아닙니다.`,
      };
  }
  if (entry.size > MAX_EXERCISE_BYTES) {
    return {
      en:
        `"${entry.path}" was not graded: limit is ${MAX_EXERCISE_BYTES} bytes, it has ${entry.size}.`,
      ko:
        `"${entry.path}" 을(를) 채점하지 않았습니다. 한도는 ${MAX_EXERCISE_BYTES}바이트인데 ${entry.size}바이트입니다.`,
    };
  }
  try {
    return await entry.read(MAX_EXERCISE_BYTES);
  } catch (error) {
    return error instanceof ZipError ? error.sentence : unreadable(error);
  }
}

function cannotBeRead({ path }: Entry): Text {
  return { en: `"${path}" cannot be read.`, ko: `"${path}" 을(를) 읽을 수 없습니다.` };
}

function unreadable(error: unknown): Text {
  const name = error instanceof Error ? error.name : String(error);
  return {
    en: `The submission cannot be read (${name}).`,
    ko: `제출물을 읽을 수 없습니다(${name}).`,
  };
}

function listed(entries: Entry[]): string[] {
  const names = entries.slice(0, MAX_LISTED).map(({ path }) =>
    path.length > MAX_NAME_CHARS ? `${path.slice(0, MAX_NAME_CHARS)}…` : path
  );
  const more = entries.length - names.length;
  return more > 0 ? [...names, `… (${more} more)`] : names;
}

async function digestOf({ exercises, refused, problem }: Staged): Promise<string> {
  const parts: string[] = [];
  for (const [slug, bytes] of [...exercises].sort(([a], [b]) => a < b ? -1 : 1)) {
    parts.push(`${slug} ${await sha256(bytes)}\n`);
  }
  for (const [slug, { en }] of [...refused].sort(([a], [b]) => a < b ? -1 : 1)) {
    parts.push(`${slug} refused ${en}\n`);
  }
  if (problem) parts.push(`problem ${problem.en}\n`);
  return await sha256(new TextEncoder().encode(parts.join("")));
}

/** A SHA-256 hash in hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
