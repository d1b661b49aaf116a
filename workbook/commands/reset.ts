/**
 * `deno task reset N`: the stub of a lesson again. The learner's file goes into a dated backup, and comes back with
 * `--restore`.
 *
 * Whatever a file is replaced by, it is kept first, under `.workbook/backups/`, unless it is kept there already or is
 * the stub itself.
 *
 * @module
 */

import { findLesson, type LessonInfo } from "../course.ts";
import { CommandError } from "../errors.ts";
import { lessonKey, ProgressStore } from "../progress.ts";
import { standardScreen, wrap } from "../terminal.ts";
import type { Text } from "../text.ts";
import { stubOf } from "../stub.ts";
import { readOptions, tooMany, wholeNumber } from "./options.ts";

/** Exit status 0, also if there was nothing to do. */
export async function resetCommand(args: string[], root: string): Promise<number> {
  const { lang, rest, flags, values } = readOptions(args, {
    flags: ["restore", "backups"],
    values: ["from"],
  });
  if (rest.length > 1) throw tooMany(rest[1]!);
  const lesson = await findLesson(root, wholeNumber(rest[0], "reset", 1));
  const say = (text: Text) => console.log(wrap(text[lang], standardScreen().columns).join("\n"));
  const files = new ExerciseFiles(root, lesson);
  if (flags.has("backups")) await list(files, say);
  else if (flags.has("restore") || values.has("from")) {
    await restore(files, values.get("from"), say);
  } else {
    const store = new ProgressStore(root, (text) => console.error(text[lang]));
    await reset(files, store, say);
  }
  return 0;
}

async function list(files: ExerciseFiles, say: (text: Text) => void): Promise<void> {
  const backups = await files.backups();
  const { number } = files.lesson;
  if (backups.length === 0) {
    return say({
      en: `There are no backups of lesson ${number}.`,
      ko: `${number}강의 백업이 없습니다.`,
    });
  }
  for (const date of backups) say({ en: date, ko: date });
  say({
    en: `To bring one back: deno task reset ${number} --from ${backups.at(-1)}`,
    ko: `되돌리기: deno task reset ${number} --from ${backups.at(-1)}`,
  });
}

async function reset(
  files: ExerciseFiles,
  store: ProgressStore,
  say: (text: Text) => void,
): Promise<void> {
  const { number } = files.lesson;
  const stub = await files.stub();
  if (sameBytes(await files.current(), stub)) {
    return say({
      en: `${files.name} is the stub already.`,
      ko: `${files.name} 파일은 이미 처음 상태입니다.`,
    });
  }
  const kept = await files.keep();
  await files.replace(stub);
  // The lesson is to be done anew; hints that were shown, and mistakes that were met, were so all the same.
  await store.updateLesson(files.lesson, ({ tasks }) => {
    for (const task of Object.values(tasks)) {
      delete task.last;
      delete task.mistake;
      delete task.told;
      delete task.passedAt;
    }
  });
  say({
    en: `${files.name} is the stub again.`,
    ko: `${files.name} 파일을 처음 상태로 되돌렸습니다.`,
  });
  if (kept) {
    say({
      en: `Your file is kept as ${kept}. To bring it back: deno task reset ${number} --restore`,
      ko: `작성한 파일은 ${kept}에 있습니다. 다시 가져오기: deno task reset ${number} --restore`,
    });
  }
}

async function restore(
  files: ExerciseFiles,
  from: string | undefined,
  say: (text: Text) => void,
): Promise<void> {
  const { number } = files.lesson;
  const backups = await files.backups();
  if (from !== undefined && !backups.includes(from)) {
    const dates = backups.join(", ");
    throw new CommandError(
      {
        en: `There is no backup "${from}" of lesson ${number}.`,
        ko: `${number}강의 백업 "${from}"이(가) 없습니다.`,
      },
      dates ? { en: `Backups: ${dates}`, ko: `백업: ${dates}` } : undefined,
    );
  }
  const current = await files.current();
  let date = from;
  if (date === undefined) {
    for (const candidate of backups.toReversed()) {
      if (sameBytes(await files.backup(candidate), current)) continue;
      date = candidate;
      break;
    }
  }
  if (date === undefined) {
    return say({
      en: `There is no backup of lesson ${number} that differs from ${files.name}.`,
      ko: `${number}강에는 ${files.name} 파일과 다른 백업이 없습니다.`,
    });
  }
  const bytes = await files.backup(date);
  const kept = await files.keep();
  if (bytes) await files.replace(bytes);
  say({
    en: `${files.name} is as it was kept on ${date}.`,
    ko: `${files.name} 파일을 ${date} 백업으로 되돌렸습니다.`,
  });
  if (kept) {
    say({
      en: `What was there before is kept as ${kept}.`,
      ko: `그전에 있던 내용은 ${kept}에 있습니다.`,
    });
  }
}

/** The file of a lesson, and its backups. */
class ExerciseFiles {
  readonly name: string;
  readonly #path: string;
  readonly #folder: string;

  constructor(readonly root: string, readonly lesson: LessonInfo) {
    this.name = `lessons/${lesson.slug}/exercise.ts`;
    this.#path = `${root}/${this.name}`;
    this.#folder = `.workbook/backups/${lessonKey(lesson.slug)}`;
  }

  /** What the learner has now; undefined if there is no file. */
  async current(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return await Deno.readFile(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw this.#cannot(error, {
        en: `${this.name} cannot be read`,
        ko: `${this.name} 파일을 읽을 수 없습니다`,
      });
    }
  }

  async stub(): Promise<Uint8Array<ArrayBuffer>> {
    const stub = await stubOf(this.root, this.lesson.slug);
    if (stub !== undefined) return new TextEncoder().encode(stub);
    throw new CommandError({
      en: `The course has no copy of the stub of lesson ${this.lesson.number}.`,
      ko: `${this.lesson.number}강의 처음 상태 파일이 강의 자료에 없습니다.`,
    });
  }

  /** Dates of the backups, oldest first. */
  async backups(): Promise<string[]> {
    const dates: string[] = [];
    try {
      for await (const { name } of Deno.readDir(`${this.root}/${this.#folder}`)) {
        if (/^\d{4}-\d\d-\d\d_[\d-]+\.ts$/.test(name)) dates.push(name.replace(/\.ts$/, ""));
      }
    } catch (error) {
      const isNone = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotADirectory;
      if (!isNone) throw error;
    }
    return dates.sort();
  }

  backup(date: string): Promise<Uint8Array<ArrayBuffer>> {
    return Deno.readFile(`${this.root}/${this.#folder}/${date}.ts`);
  }

  /** Keeps the file as it is now. Returns the backup's name, or nothing if there was nothing that needs one. */
  async keep(): Promise<string | undefined> {
    const bytes = await this.current();
    if (!bytes || bytes.length === 0) return undefined;
    const stub = await stubOf(this.root, this.lesson.slug);
    if (stub !== undefined && sameBytes(bytes, new TextEncoder().encode(stub))) return undefined;
    for (const date of await this.backups()) {
      if (sameBytes(await this.backup(date), bytes)) return `${this.#folder}/${date}.ts`;
    }
    try {
      await Deno.mkdir(`${this.root}/${this.#folder}`, { recursive: true });
      for (let attempt = 1;; attempt++) {
        const name = `${this.#folder}/${stamp(new Date())}${attempt > 1 ? `-${attempt}` : ""}.ts`;
        try {
          // Nothing is overwritten, a backup least of all.
          await Deno.writeFile(`${this.root}/${name}`, bytes, { createNew: true });
          if (sameBytes(await Deno.readFile(`${this.root}/${name}`), bytes)) return name;
          throw new Error("what was written is not what is there");
        } catch (error) {
          if (!(error instanceof Deno.errors.AlreadyExists) || attempt > 50) throw error;
        }
      }
    } catch (error) {
      throw this.#cannot(error, {
        en: `${this.name} stays as it is: no backup can be written to ${this.#folder}`,
        ko: `${this.name} 파일을 그대로 둡니다. ${this.#folder}에 백업을 쓸 수 없습니다`,
      });
    }
  }

  /** Puts `bytes` in the place of the file, whole or not at all. */
  async replace(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    // Where the file is a link, what it leads to is meant.
    const path = await Deno.realPath(this.#path).catch(() => this.#path);
    const draft = `${path}.${Deno.pid}.tmp`;
    try {
      await Deno.mkdir(`${this.root}/lessons/${this.lesson.slug}`, { recursive: true });
      await Deno.writeFile(draft, bytes);
      await Deno.rename(draft, path);
    } catch (error) {
      await Deno.remove(draft).catch(() => {});
      throw this.#cannot(error, {
        en: `${this.name} cannot be written`,
        ko: `${this.name} 파일에 쓸 수 없습니다`,
      });
    }
  }

  #cannot(error: unknown, { en, ko }: Text): CommandError {
    const name = error instanceof Error ? error.message : String(error);
    return new CommandError({ en: `${en}: ${name}.`, ko: `${ko}: ${name}.` });
  }
}

/** A date and time of here as a name, e.g. `2026-11-21_13-07-25`. */
export function stamp(date: Date): string {
  const two = (n: number) => `${n}`.padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day}_${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join("-")}`;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length &&
    a.every((byte, i) => byte === b[i]);
}
