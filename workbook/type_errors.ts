/**
 * What the TypeScript compiler says about an exercise. Shown beside the verdict, never part of it.
 *
 * A file that was found without errors is remembered by its content under `.workbook/`, so that nobody waits for
 * the compiler twice.
 *
 * @module
 */

import { unicodeWidth } from "./std/in_force.ts";
import { harmless, paint, type Screen, wrap } from "./terminal.ts";
import type { Lang } from "./text.ts";

/** One error in the compiler's words. */
export interface TypeErrorFound {
  /** E.g. `lessons/01_create_bind/exercise.ts:12:5`. */
  place: string;
  /** E.g. `TS2322`. */
  code: string;
  message: string;
  /** The line of code, if the compiler shows it. */
  source: string;
}

/** Errors of one file; `left` of them are not listed. */
export interface TypeErrors {
  shown: TypeErrorFound[];
  left: number;
}

const LIMIT_MS = 30_000;
const SHOWN = 5;
const REMEMBERED = 200;

/** Checks the types of one exercise file. A missing file, or one that does not parse, has no type errors. */
export async function typeErrors(
  { root, exercise, label, importMap, signal }: {
    root: string;
    exercise: string;
    label: string;
    importMap?: string | undefined;
    signal?: AbortSignal;
  },
): Promise<TypeErrors> {
  const info = await Deno.stat(exercise).catch(() => undefined);
  const source = info?.isFile ? await Deno.readFile(exercise).catch(() => undefined) : undefined;
  if (!source || source.length === 0) return { shown: [], left: 0 };
  const key = await keyOf(source);
  if (await isKnownGood(root, key)) return { shown: [], left: 0 };
  const output = await runCompiler({ root, exercise, importMap, signal });
  if (output === undefined) return { shown: [], left: 0 };
  const all = readDiagnostics(output.text, { exercise, label });
  // What the file imports from its folder may change without it.
  const standsAlone = !/["'`]\.{1,2}\//.test(new TextDecoder().decode(source));
  if (output.ok && standsAlone) await rememberGood(root, key);
  return { shown: all.slice(0, SHOWN), left: Math.max(0, all.length - SHOWN) };
}

async function runCompiler(
  { root, exercise, importMap, signal }: {
    root: string;
    exercise: string;
    importMap?: string | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<{ ok: boolean; text: string } | undefined> {
  const time = AbortSignal.timeout(LIMIT_MS);
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "check",
        "--quiet",
        "--no-lock",
        "--cached-only",
        `--config=${root}/deno.json`,
        ...(importMap ? [`--import-map=${importMap}`] : []),
        exercise,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      signal: signal ? AbortSignal.any([signal, time]) : time,
    }).output();
    if (signal?.aborted || time.aborted) return undefined;
    return { ok: success, text: new TextDecoder().decode(stderr) };
  } catch {
    return undefined;
  }
}

/** The errors that a compiler's report has in the exercise itself. */
export function readDiagnostics(
  report: string,
  { exercise, label }: { exercise: string; label: string },
): TypeErrorFound[] {
  return report.split(/^(?=TS\d+ \[ERROR\]: )/m).flatMap((part) => {
    const head = /^(TS\d+) \[ERROR\]: (.*)$/m.exec(part);
    const place = /^\s+at (file:\S+?):(\d+):(\d+)$/m.exec(part);
    // The compiler encodes fewer characters of a path than encodeURI(): `[` stays, `#` does not.
    if (!head || !place || decodeURIComponent(place[1]!) !== `file://${exercise}`) return [];
    const between = part.slice(head[0].length, part.indexOf(place[0])).split("\n")
      .filter((line) => line.trim());
    const mark = between.findIndex((line) => /^\s*(?:~+|\^)\s*$/.test(line));
    const more = between.slice(0, Math.max(0, mark - 1)).map((line) => line.trim());
    return [{
      place: `${label}:${place[2]}:${place[3]}`,
      code: head[1]!,
      message: [head[2]!, ...more].join(" "),
      source: mark > 0 ? between[mark - 1]!.trim() : "",
    }];
  });
}

/** The errors as they are shown after a verdict; empty if there are none. */
export function viewTypeErrors(
  { shown, left }: TypeErrors,
  { screen, lang }: { screen: Screen; lang: Lang },
): string {
  if (shown.length === 0) return "";
  const title = lang === "ko"
    ? "타입 오류(채점에는 영향을 주지 않습니다):"
    : "Type errors (they do not change the verdict):";
  const lines = ["", ...wrap(title, screen.columns).map((line) => paint(screen, "warn", line))];
  for (const { place, code, message, source } of shown) {
    lines.push(...wrap(`  ${place}`, screen.columns, 4));
    lines.push(
      ...wrap(`    ${code}: ${harmless(message)}`, screen.columns, 4 + unicodeWidth(code) + 2),
    );
    if (source) {
      lines.push(
        ...wrap(`    | ${harmless(source)}`, screen.columns, 6).map((l) => paint(screen, "dim", l)),
      );
    }
  }
  if (left > 0) lines.push(lang === "ko" ? `  … 그 밖에 ${left}개` : `  … and ${left} more`);
  return lines.join("\n");
}

async function keyOf(source: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", source));
  return `${Deno.version.typescript} ${digest.toHex()}`;
}

const memoryFile = (root: string) => `${root}/.workbook/types.json`;

async function known(root: string): Promise<string[]> {
  try {
    const list = JSON.parse(await Deno.readTextFile(memoryFile(root)));
    return Array.isArray(list) ? list.filter((key) => typeof key === "string") : [];
  } catch {
    return [];
  }
}

async function isKnownGood(root: string, key: string): Promise<boolean> {
  return (await known(root)).includes(key);
}

async function rememberGood(root: string, key: string): Promise<void> {
  const list = [...(await known(root)).filter((other) => other !== key), key].slice(-REMEMBERED);
  try {
    await Deno.mkdir(`${root}/.workbook`, { recursive: true });
    const part = `${memoryFile(root)}.${Deno.pid}`;
    await Deno.writeTextFile(part, JSON.stringify(list));
    await Deno.rename(part, memoryFile(root));
  } catch {
    // A folder that cannot be written: the compiler runs again next time.
  }
}
