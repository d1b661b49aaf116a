/**
 * The entry of every `deno task`: finds out which standard library is in force, then runs the command.
 *
 * Imports nothing from `@std` itself. Where JSR serves, the command runs in this process; elsewhere in one of its
 * own, since an import map cannot be changed in a process that runs.
 *
 * @module
 */

import { chooseStd, forgetChoice, StdError } from "./std/choose.ts";
import { SUITE_ENV } from "./records.ts";

const root = new URL("..", import.meta.url);

async function run(args: string[], lookAgain = false): Promise<number> {
  if (lookAgain) await forgetChoice(root);
  const choice = await chooseStd(root);
  if (choice.kind !== "jsr") return await runElsewhere(args, choice.importMap);
  try {
    const { runCommand } = await import("./cli.ts");
    return await runCommand(args);
  } catch (error) {
    // The packages were there once; the cache may have been emptied since.
    const missing = error instanceof TypeError && /jsr|@std\//.test(error.message);
    if (missing && !lookAgain) return await run(args, true);
    throw error;
  }
}

async function runElsewhere(args: string[], importMap: string): Promise<number> {
  const command = new URL("cli.ts", import.meta.url).href;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--cached-only",
      "-A",
      `--import-map=${importMap}`,
      command,
      ...args,
    ],
    env: { [SUITE_ENV.importMap]: importMap },
  }).spawn();
  // Ctrl-C reaches the command, too: it tidies up, and this process waits for it.
  const passOn = (signal: Deno.Signal) => () => {
    try {
      process.kill(signal);
    } catch {
      // It has ended already.
    }
  };
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", passOn("SIGTERM"));
  return (await process.status).code;
}

try {
  Deno.exit(await run(Deno.args));
} catch (error) {
  if (!(error instanceof StdError)) throw error;
  console.error(error.message);
  Deno.exit(2);
}
