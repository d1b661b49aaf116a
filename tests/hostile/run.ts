/**
 * Grades the hostile submissions of this folder, for a test.
 *
 * Each is a file for the first two tasks of lesson 1. Its first line says what it tries and how many points it must
 * get. Whatever it succeeds in, it prints behind the word `ESCAPED`.
 *
 * @module
 */

import { type LessonInfo, readLesson } from "../../workbook/course.ts";
import { grade } from "../../workbook/grade.ts";
import type { SandboxLevel } from "../../workbook/grading/model.ts";
import { Place } from "../../workbook/grading/place.ts";
import { SUITE_ENV } from "../../workbook/records.ts";
import type { LessonResult } from "../../workbook/result.ts";
import { pathOf } from "../../workbook/std/paths.ts";

export const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");
const SLUG = "01_create_bind";
const TASKS = [1, 2];

/** A hostile submission, and what must become of it. */
export interface Hostile {
  name: string;
  source: string;
  tries: string;
  /** The points that it must get, at least and at most. */
  least: number;
  most: number;
  /** It succeeds where only a learner's own code is graded so. */
  succeedsUnprotected: boolean;
}

const FIRST = /^\/\/ Tries to (.+); must get (\d)(?: to (\d))? of 2 points\.$/;

/** All of them, in order. */
export async function hostiles(): Promise<Hostile[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(`${root}/tests/hostile`)) {
    if (/^\d{2,3}_\w+\.ts$/.test(name)) names.push(name);
  }
  return await Promise.all(
    names.sort().map(async (name) => {
      const source = await Deno.readTextFile(`${root}/tests/hostile/${name}`);
      const [first = "", second] = source.split("\n");
      const [, tries, least, most = least] = FIRST.exec(first) ?? [];
      if (!tries) throw new Error(`${name} does not say what it tries: ${first}`);
      const succeedsUnprotected = second === "// Without the protection it succeeds.";
      return { name, source, tries, least: Number(least), most: Number(most), succeedsUnprotected };
    }),
  );
}

/** What is outside of every submission, and not theirs to reach. */
export class Outside {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #dir = Deno.makeTempDirSync({ prefix: "workbook_outside_" });
  readonly file = `${this.#dir}/secret.txt`;
  /** How many connections came. */
  reached = 0;

  constructor() {
    Deno.writeTextFileSync(this.file, "secret");
    this.#accept();
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        this.reached++;
        const body = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        await conn.write(new TextEncoder().encode(body)).catch(() => {});
        conn.close();
      }
    } catch {
      // The test is over.
    }
  }

  /** The source with the addresses of what is outside. */
  addressed(source: string): string {
    return source.replaceAll("ROOT_URL", `file://${root}`).replaceAll("ROOT_PATH", root)
      .replaceAll("OUTSIDE_FILE", this.file)
      .replaceAll("MANY_BLANKS", " ".repeat(300_000))
      .replaceAll("MANY_OPENED", "(".repeat(100_000))
      .replaceAll("OUTSIDE_PORT", `${(this.#listener.addr as Deno.NetAddr).port}`);
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    Deno.removeSync(this.#dir, { recursive: true });
  }
}

let lesson: Promise<LessonInfo> | undefined;

/** Grades a source as a stranger's at `level`, or as a learner's own. */
export async function gradeHostile(
  source: string,
  level: SandboxLevel | undefined,
): Promise<LessonResult> {
  const importMap = Deno.env.get(SUITE_ENV.importMap);
  const info = await (lesson ??= readLesson(root, SLUG));
  const stage = await Deno.makeTempDir({ prefix: "workbook_hostile_" });
  const place = level && await Place.create({ root, level, importMap });
  try {
    const target = place?.target ?? stage;
    await Deno.mkdir(`${target}/${SLUG}`);
    await Deno.writeTextFile(`${target}/${SLUG}/exercise.ts`, source);
    return await grade({
      root,
      lesson: info,
      target: { path: target, label: "hostile" },
      seed: 6,
      lang: "en",
      importMap,
      tasks: TASKS,
      place,
    });
  } finally {
    await Promise.all([place?.remove(), Deno.remove(stage, { recursive: true })]);
  }
}

/** What it says it has succeeded in. */
export function escapes(result: LessonResult): string[] {
  const printed = result.tasks.map(({ output }) => output).join("\n");
  return printed.split("\n").filter((line) => line.startsWith("ESCAPED"));
}
