/**
 * Runs the code that the texts show, so that what a reader copies works and what a reader sees is true.
 *
 * What is done with a code fence stands in its info string: `ts` is a program, `ts fragment` a part of one, `text output`
 * what the program before it prints, `console` commands with their output, `text golden: …` a screen that `deno task
 * check` compares, and `norun: reason` on any other says why it is not run.
 *
 * @module
 */

/** A code fence of a Markdown text. */
export interface Fence {
  /** The line of its opening, 1-based. */
  line: number;
  info: string;
  code: string;
}

/** The code fences of a text, in order. */
export function readFences(markdown: string): Fence[] {
  const fences: Fence[] = [];
  let open: { line: number; info: string; code: string[] } | undefined;
  for (const [i, line] of markdown.split("\n").entries()) {
    if (!line.startsWith("```")) {
      open?.code.push(line);
      continue;
    }
    if (open) {
      fences.push({ ...open, code: open.code.map((code) => `${code}\n`).join("") });
      open = undefined;
    } else {
      open = { line: i + 1, info: line.slice(3).trim(), code: [] };
    }
  }
  if (open) fences.push({ ...open, code: open.code.join("\n") });
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

/** Fences whose info string does not say what is to be done with them, and outputs without a program. */
export function fenceProblems(fences: Fence[]): string[] {
  return fences.flatMap((fence, i) => {
    const kind = kindOf(fence);
    if (kind === "unknown") {
      return [`line ${fence.line}: "${fence.info}" says neither how to run it nor why not`];
    }
    const before = fences[i - 1];
    if (kind === "output" && (!before || kindOf(before) !== "program")) {
      return [`line ${fence.line}: an output without a program before it`];
    }
    return [];
  });
}

/** Ports, seeds and durations differ per run: equal numbers become equal names, in the order of their appearance. */
export function maskOutput(text: string): string {
  const seen = new Map<string, string>();
  return text
    .replace(/\b\d+\.\d\d(?= ?(s|초)\b|초)/g, "SECONDS")
    .replace(/(?<=(seed|시드) )\d+/g, "SEED")
    .replace(/(?<![\w.])\d{4,5}(?!\w|\.\d)/g, (number) => {
      const name = seen.get(number) ?? `<${seen.size + 1}>`;
      seen.set(number, name);
      return name;
    }).trimEnd();
}

/** The parts of a `console` fence: each command, and what it prints. */
export function readConsole(code: string): { command: string; output: string }[] {
  return code.split(/^\$ /m).slice(1).map((part) => {
    const [command = "", ...output] = part.split("\n");
    return { command, output: output.join("\n") };
  });
}

/** How a program or a command ended. */
export interface RunResult {
  code: number;
  output: string;
}

const LIMIT_MS = 20_000;

/** Runs a program of a text in an empty folder, with the loopback network and its folder to read. */
export async function runProgram(
  code: string,
  { config, importMap }: { config: string; importMap?: string | undefined },
): Promise<RunResult> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_fence_" });
  try {
    const file = `${folder}/example.ts`;
    await Deno.writeTextFile(file, code);
    return await run(
      Deno.execPath(),
      [
        "run",
        "--no-check",
        "--no-lock",
        "--no-prompt",
        "--cached-only",
        `--config=${config}`,
        ...(importMap ? [`--import-map=${importMap}`] : []),
        "--allow-net=127.0.0.1,127.0.0.2,[::1],[::],localhost,0.0.0.0",
        `--allow-read=${folder}`,
        file,
      ],
      folder,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs `deno …` as a reader would type it in the workbook's folder. */
export function runCommand(command: string, root: string): Promise<RunResult> {
  const [name, ...args] = command.split(/\s+/);
  if (name !== "deno") throw new Error(`A console fence runs deno only, not "${command}"`);
  return run(Deno.execPath(), args, root);
}

async function run(program: string, args: string[], cwd: string): Promise<RunResult> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", LANG: "C", LC_ALL: "C", COLUMNS: "100" },
    signal: AbortSignal.timeout(LIMIT_MS),
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, output: code === 0 ? out! : `${out}${err}` };
}

/** Whether the parts of programs are TypeScript at all: what the formatter says of them, empty if nothing. */
export async function fragmentProblems(fragments: string[]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_fragments_" });
  try {
    for (const [i, fragment] of fragments.entries()) {
      // A fragment may use await and yield, and may be a method or a whole function.
      const code = `async function* fragment() {\n${fragment}\n}\n`;
      await Deno.writeTextFile(`${folder}/${i + 1}.ts`, code);
    }
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["fmt", "--no-config", folder],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stderr);
    return /^error|Error formatting/im.test(text) ? text : "";
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
