/**
 * What the program itself uses of `@std/cli`, from the library that is in force.
 *
 * Where that is the stand-ins, and `@std` leads to JSR all the same, they are loaded by their paths: a process that runs
 * cannot change its import map, and one of its own for each command would cost 30 ms.
 *
 * @module
 */

import { SUITE_ENV } from "../records.ts";

type Cli = typeof import("@std/cli/parse-args") & typeof import("@std/cli/unicode-width");

const usesStandIns = Deno.env.has(SUITE_ENV.importMap) &&
  import.meta.resolve("@std/cli").startsWith("jsr:");

const [{ parseArgs }, { unicodeWidth }] = await Promise.all(
  usesStandIns
    ? [import("./parse_args.ts"), import("./unicode_width.ts")]
    : [import("@std/cli/parse-args"), import("@std/cli/unicode-width")],
) as [Cli, Cli];

export { parseArgs, unicodeWidth };
