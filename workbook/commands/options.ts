/**
 * Reads the arguments of a command, strictly: what is not known is said, not skipped.
 *
 * @module
 */

import { parseArgs } from "../std/in_force.ts";
import { CommandError } from "../errors.ts";
import { isLang, type Lang, langOfEnvironment } from "../text.ts";

/** Which options a command has. `lang` belongs to every command. */
export interface OptionSpec {
  flags?: string[];
  values?: string[];
  /** Values that may be given more than once. */
  lists?: string[];
}

/** The options as they were given. */
export interface Options {
  lang: Lang;
  flags: Set<string>;
  values: Map<string, string>;
  lists: Map<string, string[]>;
  /** What is not an option. */
  rest: string[];
}

/** The variables of an environment, by name. */
export type Environment = (name: string) => string | undefined;

const ownEnvironment: Environment = (name) => Deno.env.get(name);

/** Reads `args`. Throws a {@linkcode CommandError} for an option that the command does not have. */
export function readOptions(
  args: string[],
  spec: OptionSpec,
  environment: Environment = ownEnvironment,
): Options {
  const { flags = [], values = [], lists = [] } = spec;
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    boolean: flags,
    string: ["lang", "_", ...values, ...lists],
    collect: lists,
    unknown: (arg, key) => {
      if (key !== undefined) unknown.push(arg);
      return key === undefined;
    },
  }) as Record<string, unknown> & { _: (string | number)[] };
  if (unknown.length > 0) {
    const known = [...flags, ...values, ...lists, "lang"].map((name) => `--${name}`).join(", ");
    throw new CommandError(
      { en: `There is no option ${unknown[0]}.`, ko: `${unknown[0]} 옵션은 없습니다.` },
      { en: `Options: ${known}`, ko: `옵션: ${known}` },
    );
  }
  for (const name of ["lang", ...values, ...lists]) {
    if ([parsed[name]].flat().includes("")) {
      throw new CommandError({
        en: `Option --${name} needs a value.`,
        ko: `--${name} 옵션에는 값이 필요합니다.`,
      });
    }
  }
  const text = (name: string) => typeof parsed[name] === "string" ? [[name, parsed[name]]] : [];
  return {
    lang: readLang(parsed.lang, environment),
    flags: new Set(flags.filter((name) => parsed[name] === true)),
    values: new Map(values.flatMap(text) as [string, string][]),
    lists: new Map(
      lists.map((name) => [name, ((parsed[name] ?? []) as unknown[]).map(String)] as const),
    ),
    rest: parsed._.map(String),
  };
}

function readLang(value: unknown, environment: Environment): Lang {
  if (value === undefined) return langOfEnvironment(environment);
  if (isLang(value)) return value;
  throw new CommandError(
    { en: `There is no language "${value}".`, ko: `"${value}" 언어는 없습니다.` },
    { en: "Languages: en, ko", ko: "언어: en, ko" },
  );
}

/** What is said to an argument that nothing can be done with. */
export function tooMany(argument: string): CommandError {
  return new CommandError({
    en: `There is nothing to do with "${argument}".`,
    ko: `알 수 없는 인자입니다: "${argument}"`,
  });
}

/** A whole number from `low` up, or a {@linkcode CommandError} that names the option. */
export function wholeNumber(text: string | undefined, name: string, low: number): number {
  if (text !== undefined && /^\d{1,10}$/.test(text) && Number(text) >= low) return Number(text);
  throw new CommandError({
    en: `${name} takes a whole number from ${low} up, not "${text ?? ""}".`,
    ko: `${name} 에는 ${low} 이상의 정수가 필요합니다: "${text ?? ""}"`,
  });
}

/** A path as the user wrote it, relative to the folder in which the command was started. */
export function userPath(path: string, environment: Environment = ownEnvironment): string {
  if (/^(\/|[A-Za-z]:[\\/])/.test(path)) return path.replace(/(?<=.)[\\/]+$/, "");
  const base = environment("INIT_CWD") ?? Deno.cwd();
  const url = new URL(`./${encoded(path).replace(/\/+$/, "")}`, `file://${encoded(base)}/`);
  return decodeURIComponent(url.pathname).replace(/(?<=.)\/+$/, "");
}

/** A path in which every sign that means something in an address is encoded. */
function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
