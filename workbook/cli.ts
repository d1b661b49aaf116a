/**
 * The commands of the workbook: finds the one that is asked for, runs it, and gives its exit status.
 *
 * @module
 */

import { CommandError } from "./errors.ts";
import { isStdMissing } from "./std/choose.ts";
import { isLang, type Lang, langOfEnvironment } from "./text.ts";

/** A command: takes its arguments, gives the exit status. */
type Command = (args: string[], root: string) => Promise<number>;

/** Each command is loaded when it is asked for, so that none makes another slow. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  bench: async () => (await import("./commands/bench.ts")).benchCommand,
  check: async () => (await import("./commands/check.ts")).checkCommand,
  class: async () => (await import("./commands/class.ts")).classCommand,
  grade: async () => (await import("./commands/grade.ts")).gradeCommand,
  hint: async () => (await import("./commands/hint.ts")).hintCommand,
  lesson: async () => (await import("./commands/lesson.ts")).lessonCommand,
  list: async () => (await import("./commands/list.ts")).listCommand,
  new: async () => (await import("./commands/new.ts")).newCommand,
  package: async () => (await import("./commands/package.ts")).packageCommand,
  reset: async () => (await import("./commands/reset.ts")).resetCommand,
  solution: async () => (await import("./commands/solution.ts")).solutionCommand,
  start: async () => (await import("./commands/start.ts")).startCommand,
  test: async () => (await import("./commands/test.ts")).testCommand,
};

/** Runs the command that `args` begin with. Returns 0, 1 (something did not pass) or 2 (the command is at fault). */
export async function runCommand(args: string[]): Promise<number> {
  const [name = "", ...given] = args;
  const rest = withoutSeparator(name, given);
  const root = rootFolder();
  try {
    const load = COMMANDS[name];
    if (!load) {
      const names = Object.keys(COMMANDS).join(", ");
      throw new CommandError(
        { en: `There is no command "${name}".`, ko: `"${name}" 명령은 없습니다.` },
        { en: `Commands: ${names}`, ko: `명령: ${names}` },
      );
    }
    return await (await load())(rest, root);
  } catch (error) {
    // Not for a person to read: the launcher finds another library and runs the command again.
    if (error instanceof Error && isStdMissing(error.message)) throw error;
    const lang = langOfArgs(rest);
    if (error instanceof CommandError) {
      console.error(error.sentence[lang]);
      if (error.next) console.error(error.next[lang]);
    } else {
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      console.error(
        lang === "ko"
          ? `워크북에서 예상하지 못한 오류가 났습니다: ${text}`
          : `The workbook met an error it did not expect: ${text}`,
      );
      if (Deno.env.get("WORKBOOK_DEBUG")) console.error(error);
    }
    return 2;
  }
}

/** Without the `--` between a task and its arguments: some write it, and `deno task` passes it on. */
function withoutSeparator(name: string, args: string[]): string[] {
  // The tasks lesson1, lesson2, … bring the lesson's number themselves.
  const at = name === "lesson" ? 1 : 0;
  return args[at] === "--" ? args.toSpliced(at, 1) : args;
}

/** The language for a sentence about the arguments themselves, which may be wrong. */
function langOfArgs(args: string[]): Lang {
  const at = args.findIndex((arg) => arg === "--lang" || arg.startsWith("--lang="));
  const value = args[at]?.includes("=") ? args[at]!.slice("--lang=".length) : args[at + 1];
  return at >= 0 && isLang(value) ? value : langOfEnvironment((name) => Deno.env.get(name));
}

function rootFolder(): string {
  const url = new URL("..", import.meta.url);
  const path = decodeURIComponent(url.pathname).replace(/\/$/, "");
  return Deno.build.os === "windows" ? path.slice(1) : path;
}

if (import.meta.main) Deno.exit(await runCommand(Deno.args));
