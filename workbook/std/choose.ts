/**
 * Decides which standard library is in force: the one on JSR, the stand-ins beside this file, or the user's own.
 *
 * Networks without JSR are common, and a registry that stalls never answers. So the first command looks once,
 * in a process that it kills when the time is up, and remembers the answer in `.workbook/std.json`. Runs before
 * any `@std` name can be resolved, so nothing here imports one.
 *
 * @module
 */

import { type Lang, langOfEnvironment, type Text } from "../text.ts";
import { type Finding, forgetChoice, type Outcome, readPins, recall, remember } from "./memory.ts";
import { OWN_MAP_VARIABLE, readOwnMap } from "./own_map.ts";
import { folderOf, pathOf } from "./paths.ts";

export { forgetChoice, type Outcome } from "./memory.ts";
export { OWN_MAP_VARIABLE, StdError } from "./own_map.ts";

/** The library in force; `importMap` is an absolute path for `--import-map`. */
export type StdChoice =
  | { kind: "jsr" }
  | { kind: "stand-ins"; importMap: string }
  | { kind: "own"; importMap: string };

/** The choice and how it came about. */
export interface StdState {
  choice: StdChoice;
  /** What `deno.json` pins, or what the user's own map says, by package. */
  targets: Record<string, string>;
  /** What looking for JSR gave; absent for an own map. */
  outcome?: Outcome;
  /** When that was, in ISO 8601. */
  lookedAt?: string;
  /** Whether the answer is on disk, so that the next command need not look. */
  remembered: boolean;
}

/** What may be set from outside, mostly by tests. */
export interface ChooseOptions {
  /** The language of the lines said; by default that of the environment. */
  lang?: Lang;
  /** Looks even if an answer is remembered. */
  anew?: boolean;
  /** How long JSR may take, in milliseconds. */
  limitMs?: number;
  /** After how long it is said that something is being looked for, in milliseconds. */
  patienceMs?: number;
  /** Takes the lines said; by default standard error. */
  say?: (line: string) => void;
}

/** At most this long for JSR; with starting and ending a process, a command waits less than 10 s. */
const LIMIT_MS = 8_000;
const PATIENCE_MS = 1_000;

const SAID = {
  looking: {
    en: "Looking for the standard library on JSR (10 s at most).",
    ko: "JSR에서 표준 라이브러리를 찾고 있습니다(길어야 10초).",
  },
  found: {
    en: "JSR answered: its standard library is used from now on.",
    ko: "JSR이 응답했습니다. 이제부터 그 표준 라이브러리를 씁니다.",
  },
  fallback: {
    en: "JSR is out of reach here: stand-ins that come with the workbook are used (deno task std).",
    ko: "여기서는 JSR에 닿지 않아, 워크북에 든 대체 라이브러리를 씁니다(deno task std).",
  },
} satisfies Record<string, Text>;

/** The library in force in the workbook at `root`; throws {@linkcode StdError} for an own map that does not serve. */
export async function chooseStd(
  root: URL | string,
  options: ChooseOptions = {},
): Promise<StdChoice> {
  return (await inspectStd(root, options)).choice;
}

/**
 * Forgets the remembered answer and looks again.
 *
 * Also for a command that finds the cache of JSR's modules deleted (see {@linkcode isStdMissing}).
 */
export async function lookAgain(
  root: URL | string,
  options: ChooseOptions = {},
): Promise<StdChoice> {
  await forgetChoice(root);
  return chooseStd(root, { ...options, anew: true });
}

/** Whether Deno's own complaint in `stderr` says that a module of the standard library could not be loaded. */
export function isStdMissing(stderr: string): boolean {
  // deno-lint-ignore no-control-regex -- colours.
  const plain = stderr.replaceAll(/\x1b\[[0-9;]*m/g, "");
  return plain.split("\n").some((line) =>
    line.includes("@std/") &&
    (line.includes("JSR package manifest") || line.includes("not found in cache"))
  );
}

/** The choice for the workbook at `root`, and how it came about. */
export async function inspectStd(
  root: URL | string,
  options: ChooseOptions = {},
): Promise<StdState> {
  const folder = await folderOf(root);
  const own = Deno.env.get(OWN_MAP_VARIABLE);
  if (own) {
    const { importMap, targets } = await readOwnMap(own);
    return { choice: { kind: "own", importMap }, targets, remembered: false };
  }

  const targets = await readPins(folder);
  const known = options.anew ? undefined : await recall(folder, targets);
  if (known) return { ...stateOf(folder, targets, known), remembered: true };

  const outcome = await look(folder, options);
  const found = { outcome, lookedAt: new Date().toISOString() };
  const remembered = await remember(folder, { targets, ...found });
  return { ...stateOf(folder, targets, found), remembered };
}

function stateOf(folder: URL, targets: Record<string, string>, found: Finding) {
  const choice: StdChoice = found.outcome === "loaded"
    ? { kind: "jsr" }
    : { kind: "stand-ins", importMap: pathOf(new URL("workbook/std/import_map.json", folder)) };
  return { choice, targets, ...found };
}

/** Tries once to load the library from JSR and says what comes of it, if that took long or failed. */
async function look(folder: URL, options: ChooseOptions): Promise<Outcome> {
  const lang = options.lang ?? langOfEnvironment((name) => Deno.env.get(name));
  const say = options.say ?? ((line) => console.error(line));
  let saidLooking = false;
  const patience = setTimeout(() => {
    saidLooking = true;
    say(SAID.looking[lang]);
  }, options.patienceMs ?? PATIENCE_MS);
  try {
    const outcome = await probe(folder, options.limitMs ?? LIMIT_MS);
    if (outcome !== "loaded") say(SAID.fallback[lang]);
    else if (saidLooking) say(SAID.found[lang]);
    return outcome;
  } finally {
    clearTimeout(patience);
  }
}

async function probe(folder: URL, limitMs: number): Promise<Outcome> {
  const program = pathOf(new URL("./probe.ts", import.meta.url));
  const config = pathOf(new URL("deno.json", folder));
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--no-prompt", "--allow-import"],
        ...["--config", config, program, String(limitMs + 1_000)],
      ],
      env: { DENO_NO_UPDATE_CHECK: "1" },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch {
    return "refused";
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended just now.
    }
  }, limitMs);
  try {
    const { success } = await child.status;
    return success ? "loaded" : isLate ? "silent" : "refused";
  } finally {
    clearTimeout(timer);
    // The pipe is kept open until here: its end would tell the probe that this command is gone.
    await child.stdin.close().catch(() => {});
  }
}
