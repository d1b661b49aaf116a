/**
 * Takes the exercise files out of a folder that a stranger made, and nothing else.
 *
 * Only regular files called `NN_slug/exercise.ts` count, each up to a size. No symbolic link is followed, whatever it
 * leads to: what one names is a file of the grader's machine, not of the submission. Everything else is listed. What
 * cannot be read is refused with the reason; whoever changes the folder meanwhile gets no further.
 *
 * @module
 */

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { LessonInfo } from "../course.ts";
import { CommandError } from "../errors.ts";
import type { Text } from "../text.ts";

// Not every system has all of them.
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants as Partial<typeof constants> & {
  O_RDONLY: number;
};

/** No exercise needs more. */
export const MAX_EXERCISE_BYTES = 1024 * 1024;
/** Names that are told; a folder may hold a million. */
const MAX_LISTED = 100;
/** A name longer than this is told in part. */
const MAX_NAME_CHARS = 200;

/** What a submission consists of. */
export interface Intake {
  /** The exercise of each lesson that has one, by the lesson's folder name. */
  exercises: Map<string, Uint8Array<ArrayBuffer>>;
  /** Why the exercise of a lesson was not taken. */
  refused: Map<string, Text>;
  /** Everything else, as paths in the folder. */
  ignored: string[];
}

/**
 * Reads the exercises of `lessons` from `dir`. Folders of other lessons, `known` by name, are not worth a word.
 *
 * Throws a {@linkcode CommandError} if there is no such folder.
 */
export async function takeIn(
  dir: string,
  lessons: LessonInfo[],
  known: string[] = [],
): Promise<Intake> {
  const intake: Intake = { exercises: new Map(), refused: new Map(), ignored: [] };
  const ignored = new Listing();
  const slugs = new Set(lessons.map(({ slug }) => slug));
  for (const entry of await entriesOf(dir)) {
    if (!slugs.has(entry.name)) {
      if (known.includes(entry.name) && entry.isDirectory) continue;
      ignored.add(shown(entry.name, entry.isDirectory));
      continue;
    }
    const folder = entry.name;
    if (!entry.isDirectory) {
      ignored.add(folder);
      intake.refused.set(folder, reason(entry, { en: "folder", ko: "폴더" }));
      continue;
    }
    try {
      await using opened = await LessonFolder.open(`${dir}/${folder}`);
      for (const inner of await entriesIn(opened.path)) {
        if (inner.name !== "exercise.ts") {
          ignored.add(`${folder}/${shown(inner.name, inner.isDirectory)}`);
          continue;
        }
        const bytes = await readRegular(`${opened.path}/exercise.ts`);
        if (bytes instanceof Uint8Array) {
          intake.exercises.set(folder, bytes);
        } else {
          ignored.add(`${folder}/exercise.ts`);
          intake.refused.set(folder, bytes);
        }
      }
    } catch (error) {
      ignored.add(`${folder}/`);
      intake.refused.set(folder, unreadable(`${folder}/`, error));
    }
  }
  intake.ignored = ignored.lines();
  return intake;
}

/** A lesson's folder, held so that nothing else can take its place. */
export class LessonFolder {
  private constructor(readonly path: string, readonly handle: FileHandle | undefined) {}

  /** Rejects if there is no folder at `path`, but a link, for example. */
  static async open(path: string): Promise<LessonFolder> {
    if (Deno.build.os !== "linux") return new LessonFolder(path, undefined);
    const handle = await open(path, O_RDONLY | O_DIRECTORY! | O_NOFOLLOW! | O_NONBLOCK!);
    // The folder that is open, whatever its name leads to by now (proc(5), fd).
    return new LessonFolder(`/proc/self/fd/${handle.fd}`, handle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle?.close();
  }
}

/** What lies in a folder, in an order that does not differ between file systems. */
async function entriesIn(dir: string): Promise<Deno.DirEntry[]> {
  const entries = await Array.fromAsync(Deno.readDir(`${dir}/`));
  return entries.sort((a, b) => a.name < b.name ? -1 : 1);
}

async function entriesOf(dir: string): Promise<Deno.DirEntry[]> {
  try {
    return await entriesIn(dir);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      throw new CommandError({
        en: `There is no folder "${dir}".`,
        ko: `"${dir}" 폴더가 없습니다.`,
      });
    }
    throw new CommandError({
      en: `The folder "${dir}" cannot be read (${nameOf(error)}).`,
      ko: `"${dir}" 폴더를 읽을 수 없습니다(${nameOf(error)}).`,
    });
  }
}

/** The bytes of a regular file, or why it is not taken. */
async function readRegular(path: string): Promise<Uint8Array<ArrayBuffer> | Text> {
  const wanted = { en: "regular file", ko: "일반 파일" };
  try {
    const info = await Deno.lstat(path);
    if (!info.isFile) return reason(info, wanted);
    if (info.size > MAX_EXERCISE_BYTES) return tooLarge(info.size);
    // Whoever changes the folder meanwhile gets no further than this: no link is followed, no pipe waited for.
    await using file = await open(path, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
    if (!(await file.stat()).isFile()) return reason({ isSymlink: false }, wanted);
    const bytes = new Uint8Array(MAX_EXERCISE_BYTES + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length > MAX_EXERCISE_BYTES ? tooLarge(length) : bytes.slice(0, length);
  } catch (error) {
    return unreadable("exercise.ts", error);
  }
}

function unreadable(what: string, error: unknown): Text {
  const name = nameOf(error);
  return {
    en: `exercise.ts was not graded: ${
      what === "exercise.ts" ? "it" : what
    } cannot be read (${name}).`,
    ko: `exercise.ts 를 채점하지 않았습니다. ${
      what === "exercise.ts" ? "" : `${what} 폴더를 `
    }읽을 수 없습니다(${name}).`,
  };
}

/** `EACCES` where the system says so, else the class of the error. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : error.name;
}

function tooLarge(size: number): Text {
  return {
    en: `exercise.ts was not graded: limit is ${MAX_EXERCISE_BYTES} bytes, it has ${size}.`,
    ko:
      `exercise.ts 를 채점하지 않았습니다. 한도는 ${MAX_EXERCISE_BYTES}바이트인데 ${size}바이트입니다.`,
  };
}

function reason({ isSymlink }: { isSymlink: boolean }, wanted: Text): Text {
  const is = isSymlink
    ? { en: "a symbolic link", ko: "심볼릭 링크" }
    : { en: "something else", ko: "다른 것" };
  return {
    en: `exercise.ts was not graded: where a ${wanted.en} must be, there is ${is.en}.`,
    ko: `exercise.ts 를 채점하지 않았습니다. ${wanted.ko}이어야 할 자리에 있는 것: ${is.ko}`,
  };
}

function shown(name: string, isDirectory: boolean): string {
  const cut = name.length > MAX_NAME_CHARS ? `${name.slice(0, MAX_NAME_CHARS)}…` : name;
  return isDirectory ? `${cut}/` : cut;
}

/** Names, as many as anybody would read. */
class Listing {
  readonly #names: string[] = [];
  #more = 0;

  add(name: string): void {
    if (this.#names.length < MAX_LISTED) this.#names.push(name);
    else this.#more++;
  }

  lines(): string[] {
    return this.#more > 0 ? [...this.#names, `… (${this.#more} more)`] : this.#names;
  }
}
