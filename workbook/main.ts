/**
 * The entry of every `deno task`: finds out which standard library is in force, then runs the command.
 *
 * Imports nothing from `@std` itself. The command runs in this process; only with an import map of the user's own in
 * one of its own, since that cannot be changed in a process that runs.
 *
 * @module
 */

import { SUITE_ENV } from "./records.ts";
import { inspectStd, isStdMissing, lookAgain, type StdChoice, StdError } from "./std/choose.ts";
import { stdCommand } from "./std/report.ts";
import { langOfEnvironment } from "./text.ts";

const root = new URL("..", import.meta.url);

async function run(args: string[]): Promise<number> {
  if (args[0] === "std") return await stdCommand(args.slice(1), { root });
  const begin = new Date().toISOString();
  const { choice, lookedAt = "" } = await inspectStd(root);
  if (choice.kind === "own") return await runElsewhere(choice, args);
  if (choice.kind === "stand-ins") Deno.env.set(SUITE_ENV.importMap, choice.importMap);
  // What was fetched after this process began is not seen by it.
  else if (lookedAt >= begin) return await runElsewhere(choice, args);
  try {
    const { runCommand } = await import("./cli.ts");
    return await runCommand(args);
  } catch (error) {
    // The packages were there once; Deno's cache may have been emptied since.
    if (!(error instanceof Error && isStdMissing(error.message))) throw error;
    return await runElsewhere(await lookAgain(root), args);
  }
}

/** Runs the command in a process that resolves `@std` as `choice` says. */
async function runElsewhere(choice: StdChoice, args: string[]): Promise<number> {
  const importMap = choice.kind === "jsr" ? undefined : choice.importMap;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-lock",
      "--cached-only",
      "--allow-all",
      ...(importMap ? [`--import-map=${importMap}`] : []),
      new URL("cli.ts", import.meta.url).href,
      ...args,
    ],
    env: importMap ? { [SUITE_ENV.importMap]: importMap } : {},
  }).spawn();
  // Ctrl-C reaches the command by itself: it tidies up, and this process waits for it.
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") {
    for (const name of ["SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(name, () => {
        try {
          process.kill(name);
        } catch {
          // It has ended by itself.
        }
      });
    }
  }
  return (await process.status).code;
}

try {
  Deno.exit(await run(Deno.args));
} catch (error) {
  if (!(error instanceof StdError)) throw error;
  console.error(error.text[langOfEnvironment((name) => Deno.env.get(name))]);
  Deno.exit(2);
}
