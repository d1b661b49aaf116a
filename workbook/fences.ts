/**
 * Runs the code that the texts show, so that what a reader copies works and what a reader sees is true.
 *
 * What is done with a code fence stands in its info string: `ts` is a program, `ts fragment` a part of one, `text output`
 * what the program before it prints, `console` commands with their output, `text golden: …` a screen that `deno task
 * check` compares, and `norun: reason` on any other says why it is not run.
 *
 * @module
 */

import { inLang, lessonSlugs, readText } from "./course.ts";

/** A code fence of a Markdown text. */
export interface Fence {
  /** The line of its opening, 1-based. */
  line: number;
  info: string;
  code: string;
  /** Set if the text ends before the fence does. */
  unclosed?: true;
}

/** A fence, and the text that it stands in. */
export interface Place {
  /** The text's path in the workbook. */
  path: string;
  fence: Fence;
}

const OPENING = /^([ \t>]*)(`{3,}(?=[^`]*$)|~{3,})(.*)$/;

/** The code fences of a text, in order: of backticks or tildes, also in lists and quotes (CommonMark §4.5). */
export function readFences(markdown: string): Fence[] {
  const fences: Fence[] = [];
  let open:
    | { line: number; info: string; code: string[]; indent: number; mark: string }
    | undefined;
  const end = (rest: { unclosed?: true }) => {
    const { line, info, code } = open!;
    fences.push({ line, info, code: code.map((text) => `${text}\n`).join(""), ...rest });
    open = undefined;
  };
  for (const [i, line] of markdown.split(/\r?\n/).entries()) {
    const [, indent = "", mark = "", info = ""] = OPENING.exec(line) ?? [];
    if (!open) {
      if (mark) open = { line: i + 1, info: info.trim(), code: [], indent: indent.length, mark };
    } else if (mark[0] === open.mark[0] && mark.length >= open.mark.length && !info.trim()) {
      end({});
    } else {
      // What stands before the opening, spaces of a list or the sign of a quote, is not code.
      const lead = /^[ \t>]*/.exec(line)![0].length;
      open.code.push(line.slice(Math.min(lead, open.indent)));
    }
  }
  if (open) end({ unclosed: true });
  return fences;
}

/** What is done with a fence. */
export type FenceKind =
  | "program"
  | "fragment"
  | "output"
  | "console"
  | "golden"
  | "norun"
  | "unknown";

/** The kind of a fence, by its info string. */
export function kindOf({ info }: Fence): FenceKind {
  if (info === "ts") return "program";
  if (info === "ts fragment") return "fragment";
  if (info === "text output") return "output";
  if (info === "console") return "console";
  if (/^text golden: \S+$/.test(info)) return "golden";
  return /^\w+ norun: \S/.test(info) ? "norun" : "unknown";
}

/** Fences whose info string does not say what is to be done with them, and what else is wrong with their form. */
export function fenceProblems(fences: Fence[]): string[] {
  return fences.flatMap((fence, i) => {
    const kind = kindOf(fence);
    const problems: string[] = [];
    if (fence.unclosed) problems.push(`line ${fence.line}: the fence is not closed`);
    if (kind === "unknown") {
      problems.push(`line ${fence.line}: "${fence.info}" says neither how to run it nor why not`);
    }
    const before = fences[i - 1];
    if (kind === "output" && (!before || kindOf(before) !== "program")) {
      problems.push(`line ${fence.line}: an output without a program before it`);
    }
    if (kind === "console" && !/^\$ \S/.test(fence.code)) {
      problems.push(`line ${fence.line}: a console without a command on its first line`);
    }
    return problems;
  });
}

const NUMBER = /(?<![\w.])\d{4,5}(?!\w|\.\d)/g;

/** Ports, seeds and durations differ per run: equal numbers become equal names, in the order of their appearance. */
export function maskOutput(text: string): string {
  const seen = new Map<string, string>();
  return maskTimes(text).replace(NUMBER, (number) => {
    const name = seen.get(number) ?? `<${seen.size + 1}>`;
    seen.set(number, name);
    return name;
  }).trimEnd();
}

function maskTimes(text: string): string {
  return text
    .replace(/\b\d+\.\d+(?= ?(?:s|ms|[µμ]s)\b| ?초)/g, "TIME")
    .replace(/(?<=(seed|시드) )\d+/g, "SEED");
}

/**
 * Whether `actual` is what `expected` shows. A line `…` of `expected` stands for any lines, also none; numbers that
 * differ per run are compared as {@linkcode maskOutput} does it.
 */
export function matchesOutput(actual: string, expected: string): boolean {
  const lines = (text: string) =>
    maskTimes(text).trimEnd().split("\n").map((line) => line.trimEnd());
  return matchLines(lines(actual), lines(expected), new Map());
}

/** `names` holds which number of `expected` is which of `actual`, one to one. */
function matchLines(actual: string[], expected: string[], names: Map<string, string>): boolean {
  const [line, ...rest] = expected;
  if (line === undefined) return actual.length === 0;
  if (line.trim() === "…") {
    return Array.from({ length: actual.length + 1 }, (_, skipped) => skipped)
      .some((skipped) => matchLines(actual.slice(skipped), rest, names));
  }
  const [first, ...others] = actual;
  if (first === undefined || first.replace(NUMBER, "#") !== line.replace(NUMBER, "#")) return false;
  const now = new Map(names);
  const shown = line.match(NUMBER) ?? [];
  for (const [i, number] of (first.match(NUMBER) ?? []).entries()) {
    const known = now.get(shown[i]!);
    if (known === undefined && [...now.values()].includes(number)) return false;
    if ((known ?? number) !== number) return false;
    now.set(shown[i]!, number);
  }
  return matchLines(others, rest, now);
}

/** The parts of a `console` fence: each command, and what it prints. */
export function readConsole(code: string): { command: string; output: string }[] {
  return code.split(/^\$ /m).slice(1).map((part) => {
    const [command = "", ...output] = part.split("\n");
    return { command, output: output.join("\n") };
  });
}

/** A program without its comments and the words in its strings, which may be translated; `${…}` is code. */
export function withoutWords(code: string): string {
  let kept = "";
  // For each template that is open: how many braces are, within its `${`.
  const templates: number[] = [];
  const token = /\/\/.*|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[`{}]|[^]/y;
  const template = /(?:\\[^]|\$(?!\{)|[^`\\$])*(`|\$\{|$)/y;
  const skipTemplate = (from: number): number => {
    template.lastIndex = from;
    const end = template.exec(code)?.[1] ?? "";
    if (end === "${") templates.push(0);
    kept += end;
    return template.lastIndex || code.length;
  };
  for (let at = 0; at < code.length;) {
    token.lastIndex = at;
    const text = token.exec(code)![0];
    at += text.length;
    if (/^\/[/*]/.test(text)) kept += " ";
    else if (/^["'].+/.test(text)) kept += text[0]! + text[0];
    else {
      kept += text;
      if (text === "`") at = skipTemplate(at);
      else if (text === "{" && templates.length > 0) templates[templates.length - 1]!++;
      else if (text === "}" && templates.length > 0 && templates[templates.length - 1]!-- === 0) {
        templates.pop();
        at = skipTemplate(at);
      }
    }
  }
  return kept.replace(/\s+/g, " ").trim();
}

/** How a program or a command ended. */
export interface RunResult {
  code: number;
  output: string;
}

/** How programs of texts are run. */
export interface RunSetting {
  config: string;
  importMap?: string | undefined;
  /** Instead of {@linkcode LIMIT_MS}. */
  limitMs?: number;
}

/** Time for a program or a command of a text, in milliseconds. */
const LIMIT_MS = 20_000;

/** Runs a program of a text in an empty folder, with the loopback network and its folder to read. */
export async function runProgram(code: string, setting: RunSetting): Promise<RunResult> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_fence_" });
  try {
    const file = `${folder}/example.ts`;
    await Deno.writeTextFile(file, code);
    const args = [
      "run",
      "--no-check",
      "--no-lock",
      "--no-prompt",
      "--cached-only",
      "--unstable-net",
      `--config=${setting.config}`,
      ...(setting.importMap ? [`--import-map=${setting.importMap}`] : []),
      "--allow-net=127.0.0.1,127.0.0.2,[::1],[::],localhost,0.0.0.0",
      `--allow-read=${folder}`,
      file,
    ];
    const { code: status, out, err } = await run(args, folder, setting.limitMs);
    return { code: status, output: status === 0 ? out : `${out}${err}` };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs `deno …` as a reader would type it in the workbook's folder. What deno says of a task itself is left out. */
export async function runCommand(
  command: string,
  root: string,
  limitMs?: number,
): Promise<RunResult> {
  const [name, ...args] = (command.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [])
    .map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
  if (name !== "deno") throw new Error(`A console fence runs deno only, not "${command}"`);
  const { code, out, err } = await run(args, root, limitMs);
  return { code, output: out + withoutEcho(err, command) };
}

/** `deno task NAME` says on standard error what it runs, which differs between machines and says nothing to a reader. */
function withoutEcho(text: string, command: string): string {
  const name = /^deno task (?:-\S+ )*([^\s-]\S*)/.exec(command)?.[1];
  if (!name) return text;
  return text.split("\n").filter((line) => !line.startsWith(`Task ${name} `)).join("\n");
}

/** Runs deno in a process group of its own, so that nothing it started outlives the limit. */
async function run(
  args: string[],
  cwd: string,
  limitMs = LIMIT_MS,
): Promise<{ code: number; out: string; err: string }> {
  const process = new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", LANG: "C", LC_ALL: "C", COLUMNS: "100" },
  }).spawn();
  let late = "";
  const timer = setTimeout(() => {
    late = `It was still running after ${limitMs / 1000} s\n`;
    killGroup(process);
  }, limitMs);
  const { code, stdout, stderr } = await process.output();
  clearTimeout(timer);
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: `${err}${late}` };
}

function killGroup(process: Deno.ChildProcess): void {
  try {
    if (Deno.build.os === "windows") process.kill("SIGKILL");
    else Deno.kill(-process.pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

/** Whether the parts of programs are TypeScript at all: what the formatter says of them, empty if nothing. */
export function fragmentProblems(fragments: Place[]): Promise<string> {
  return withFiles(fragments, (code) =>
    // A fragment may use await, yield and return; what imports or exports is a module already.
    /^(import|export)\b/m.test(code) ? code : `async function* fragment() { \n${code}\n}\n`, [
    "fmt",
    "--no-config",
    "--quiet",
  ]);
}

/** What the compiler says of programs, all at once; empty if nothing. */
export function typeProblems(
  programs: Place[],
  { config, importMap }: RunSetting,
): Promise<string> {
  return withFiles(programs, (code) => code, [
    "check",
    "--no-lock",
    "--quiet",
    "--unstable-net",
    `--config=${config}`,
    ...(importMap ? [`--import-map=${importMap}`] : []),
  ]);
}

/** Gives the code of places to deno as files, and returns its complaint with the places in it. */
async function withFiles(
  places: Place[],
  wrap: (code: string) => string,
  args: string[],
): Promise<string> {
  if (places.length === 0) return "";
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "workbook_fences_" }));
  try {
    const files: string[] = [];
    const added: number[] = [];
    for (const [i, { fence }] of places.entries()) {
      const text = wrap(fence.code);
      added.push(text === fence.code ? 0 : 1);
      files.push(`${folder}/${i}.ts`);
      await Deno.writeTextFile(files[i]!, text);
    }
    const { code, out, err } = await run([...args, ...files], folder, 3 * LIMIT_MS);
    if (code === 0) return "";
    return `${out}${err}`.replaceAll("file://", "").replaceAll(`${folder}/`, "\0")
      .replace(/\0(\d+)\.ts(?::(\d+))?/g, (_, number, line = "0") => {
        const { path, fence } = places[Number(number)]!;
        return `${path}:${fence.line + Math.max(0, Number(line) - added[Number(number)]!)}`;
      });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Links of a text to files of the workbook that are not there. What stands in code is no link. */
export async function brokenLinks(root: string, path: string, text: string): Promise<string[]> {
  const lines = text.split("\n");
  for (const { line, code } of readFences(text)) {
    lines.fill("", line - 1, line + code.split("\n").length);
  }
  const prose = lines.join("\n").replace(/(`+)[^`]*?\1/g, "");
  const targets = [
    ...prose.matchAll(/\]\(\s*<?([^)>#\s]*)/g),
    ...prose.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?([^>#\s]+)/gm),
  ].map(([, target]) => target!);
  const folder = path.replace(/[^/]*$/, "");
  const broken: string[] = [];
  for (const target of new Set(targets)) {
    if (!target || /^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
    const file = target.startsWith("/") ? target : `/${folder}${target}`;
    const info = await Deno.stat(`${root}${decodeURI(file)}`).catch(() => undefined);
    if (!info) broken.push(`${path}: there is no ${target}`);
  }
  return broken;
}

/** The paths of all texts of a workbook, those of one language beside those of the other. */
export async function textPaths(root: string): Promise<string[]> {
  const slugs = await lessonSlugs(root);
  return [
    "README.md",
    ...slugs.flatMap((slug) =>
      ["README.md", "hints.md", "mistakes.md"].map((name) => `lessons/${slug}/${name}`)
    ),
  ].flatMap((path) => [path, inLang(path, "ko")]);
}

/** How the programs and fragments of two languages differ, a sentence each. */
export function languageProblems([en, ko]: [Fence[], Fence[]], path: string): string[] {
  return (["program", "fragment"] as const).flatMap((kind) => {
    const [ours, theirs] = [en, ko].map((fences) => fences.filter((f) => kindOf(f) === kind)) as [
      Fence[],
      Fence[],
    ];
    if (ours.length !== theirs.length) {
      return [`${path}: ${ours.length} of "${kind}", and ${theirs.length} in Korean`];
    }
    return ours.flatMap((fence, i) =>
      withoutWords(fence.code) === withoutWords(theirs[i]!.code)
        ? []
        : [`${path} line ${fence.line}: another ${kind} than in Korean, line ${theirs[i]!.line}`]
    );
  });
}

/**
 * Runs the fences of a workbook's texts.
 *
 * A program that stands in two texts runs once. Commands run in a copy of the workbook that is as new for each fence,
 * since they remember things: the reader's own `.workbook/` is not touched. Dispose of it to remove the copy.
 */
export class FenceRunner implements AsyncDisposable {
  readonly #root: string;
  readonly #setting: RunSetting;
  readonly #programs = new Map<string, Promise<RunResult>>();
  #copy: Promise<string> | undefined;
  #consoles: Promise<unknown> = Promise.resolve();

  constructor(root: string, setting: Omit<RunSetting, "config"> = {}) {
    this.#root = root;
    this.#setting = { ...setting, config: `${root}/deno.json` };
  }

  /** What is wrong with the program at `fences[i]` and the output shown after it, if anything. */
  async program(fences: Fence[], i: number): Promise<string | undefined> {
    const { code } = fences[i]!;
    if (!this.#programs.has(code)) this.#programs.set(code, runProgram(code, this.#setting));
    const result = await this.#programs.get(code)!;
    if (result.code !== 0) return `the program ends with status ${result.code}:\n${result.output}`;
    const next = fences[i + 1];
    if (!next || kindOf(next) !== "output") return undefined;
    const [printed, shown] = [maskOutput(result.output), maskOutput(next.code)];
    return printed === shown
      ? undefined
      : `the program prints\n${printed}\nand the text shows\n${shown}`;
  }

  /** What is wrong with the commands of a `console` fence, if anything. */
  console(fence: Fence): Promise<string | undefined> {
    const done = this.#consoles.then(() => this.#console(fence));
    this.#consoles = done.catch(() => {});
    return done;
  }

  async #console({ code }: Fence): Promise<string | undefined> {
    const folder = await (this.#copy ??= copyWorkbook(this.#root));
    await renewMemory(this.#root, folder);
    let printed = "";
    let shown = "";
    for (const { command, output: lines } of readConsole(code)) {
      const { output } = await runCommand(command, folder, this.#setting.limitMs);
      printed += `$ ${command}\n${output}${!output || output.endsWith("\n") ? "" : "\n"}`;
      shown += `$ ${command}\n${withoutEcho(lines, command)}`;
    }
    if (matchesOutput(printed, shown)) return undefined;
    return `the commands print\n${maskOutput(printed)}\nand the text shows\n${maskOutput(shown)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#consoles;
    const folder = await this.#copy?.catch(() => undefined);
    if (folder) await Deno.remove(folder, { recursive: true });
  }
}

async function copyWorkbook(root: string): Promise<string> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "workbook_console_" }));
  const copy = async (path: string): Promise<void> => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(`${root}${path}`)) {
      const inner = `${path}/${name}`;
      if (["/.git", "/.workbook", "/node_modules"].includes(inner)) continue;
      if (isFile) await Deno.copyFile(`${root}${inner}`, `${folder}${inner}`);
      if (!isDirectory) continue;
      await Deno.mkdir(`${folder}${inner}`);
      await copy(inner);
    }
  };
  await copy("");
  return folder;
}

/** Leaves of what the workbook remembers only which standard library is in force, which takes long to find out. */
async function renewMemory(root: string, folder: string): Promise<void> {
  await Deno.remove(`${folder}/.workbook`, { recursive: true }).catch(() => {});
  const known = await readText(`${root}/.workbook/std.json`);
  if (!known) return;
  await Deno.mkdir(`${folder}/.workbook`);
  await Deno.writeTextFile(`${folder}/.workbook/std.json`, known);
}

/** How many programs of one text run at a time. */
const PARALLEL = 2;

/** Everything that is wrong with the fences and links of one text, each with its file and line. */
export async function runFences(
  root: string,
  file: string,
  setting: Omit<RunSetting, "config"> = {},
): Promise<string[]> {
  await using runner = new FenceRunner(root, setting);
  const text = await Deno.readTextFile(`${root}/${file}`);
  const fences = readFences(text);
  const ofKind = (kind: FenceKind) =>
    fences.filter((fence) => kindOf(fence) === kind).map((fence) => ({ path: file, fence }));
  const problems = fenceProblems(fences).map((problem) => `${file} ${problem}`);
  problems.push(...await brokenLinks(root, file, text));
  const config = `${root}/deno.json`;
  problems.push(
    ...[
      await fragmentProblems(ofKind("fragment")),
      await typeProblems(ofKind("program"), { ...setting, config }),
    ].filter(Boolean),
  );
  const found: [number, string][] = [];
  const queue = [...fences.entries()];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [i, fence] = next;
      const kind = kindOf(fence);
      const problem = kind === "program"
        ? await runner.program(fences, i)
        : kind === "console"
        ? await runner.console(fence)
        : undefined;
      if (problem) found.push([i, `${file} line ${fence.line}: ${problem}`]);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return [...problems, ...found.sort(([a], [b]) => a - b).map(([, problem]) => problem)];
}
