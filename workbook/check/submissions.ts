/**
 * The submissions that prove a suite: what each must fail, by its first line.
 *
 * @module
 */

import { isUntouched, stubOf } from "../stub.ts";

/** Where a submission stands. */
export type SubmissionKind = "stub" | "solution" | "right" | "wrong" | "misbehaving";

/** One submission, and what its grading must say. */
export interface Submission {
  kind: SubmissionKind;
  /** E.g. `wrong/fixed_port`. */
  name: string;
  path: string;
  source: string;
  /** Task numbers that must fail; all others must pass. */
  fails: number[];
  /** The mistake that every failing task must report. */
  mistake?: string;
  /** What is wrong with the first line. */
  trouble?: string;
}

const FAILS = /^\/\/ Fails task ((?:\d+(?:, )?)+): (.+)$/;
const MISTAKE = /^([a-z0-9]+(?:-[a-z0-9]+)*) — \S/;
const VALID = /^\/\/ Valid: \S/;

/** All submissions of a lesson, the stub and the solution first. */
export async function submissionsOf(
  root: string,
  slug: string,
  tasks: number[],
): Promise<Submission[]> {
  const at = async (kind: SubmissionKind, name: string, path: string) => ({
    kind,
    name,
    path,
    source: await Deno.readTextFile(path).catch(() => ""),
  });
  return [
    await stub(),
    { ...await at("solution", "solution", `${root}/solutions/${slug}/exercise.ts`), fails: [] },
    ...await folder("right"),
    ...await folder("wrong"),
    ...await folder("misbehaving"),
  ];

  async function stub(): Promise<Submission> {
    const own = await at("stub", "stub", `${root}/lessons/${slug}/exercise.ts`);
    // Somebody may learn in this folder already.
    const source = isUntouched(own.source, tasks)
      ? own.source
      : await stubOf(root, slug) ?? own.source;
    return { ...own, source, fails: tasks };
  }

  async function folder(kind: "right" | "wrong" | "misbehaving"): Promise<Submission[]> {
    const found: Submission[] = [];
    for (const file of await names(`${root}/tests/${kind}/${slug}`)) {
      const path = `${root}/tests/${kind}/${slug}/${file}`;
      const submission = await at(kind, `${kind}/${file.replace(/\.ts$/, "")}`, path);
      found.push({ ...submission, ...readFirstLine(submission.source, kind, file) });
    }
    return found;
  }
}

/** Names of the TypeScript files in a folder, sorted; none if there is no such folder. */
export async function names(path: string): Promise<string[]> {
  try {
    const found = await Array.fromAsync(Deno.readDir(path));
    return found.filter((entry) => entry.isFile).map((entry) => entry.name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** What the first line of a submission says it must fail. */
export function readFirstLine(
  source: string,
  kind: SubmissionKind,
  file: string,
): Pick<Submission, "fails" | "mistake" | "trouble"> {
  const line = source.split("\n")[0]!;
  if (VALID.test(line) && kind !== "wrong") return { fails: [] };
  const [, numbers, rest] = FAILS.exec(line) ?? [];
  if (!numbers || !rest || kind === "right") {
    return { fails: [], trouble: `its first line says not what it shows: ${line}` };
  }
  const fails = numbers.split(", ").map(Number);
  if (kind !== "wrong") return { fails };
  const mistake = MISTAKE.exec(rest)?.[1];
  if (!mistake) return { fails, trouble: `its first line names no mistake: ${line}` };
  const expected = file.replace(/\.ts$/, "").split("__")[0]!.replaceAll("_", "-");
  if (mistake !== expected) {
    return { fails, mistake, trouble: `its name and its first line differ: "${mistake}"` };
  }
  return { fails, mistake };
}
