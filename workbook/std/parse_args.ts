/**
 * Stands in for `@std/cli/parse-args`: flags and operands of a command line.
 *
 * Covers what the course uses. Not covered: dots in names, which the library reads as nested objects.
 *
 * @module
 */

type Names<T> = T | readonly T[];
type AliasMap = Record<string, string | readonly string[]>;
type Defaults = Record<string, unknown>;

/** How {@linkcode parseArgs} reads flags. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  D extends Defaults = Defaults,
  A extends AliasMap = AliasMap,
  DD extends boolean = boolean,
> {
  /** Puts what follows `--` into `result["--"]` instead of `result._`. */
  "--"?: DD;
  /** Other names of a flag. */
  alias?: A;
  /** Flags without a value; `true`: every `--flag` without `=`. Absent ones are `false`. */
  boolean?: boolean | Names<B>;
  /** Values of absent flags. */
  default?: D;
  /** Takes everything after the first operand as operands. */
  stopEarly?: boolean;
  /** Flags whose value stays text; `"_"` does the same for operands. */
  string?: Names<S>;
  /** Flags that may be repeated: their value is a list. */
  collect?: Names<C>;
  /** Flags that `--no-flag` sets to `false`. */
  negatable?: Names<string>;
  /** Called for each operand and each flag not named above; `false` drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

type Flags<B extends string, S extends string, C extends string, D extends Defaults> =
  & { [K in Exclude<B, C>]: boolean | (K extends keyof D ? D[K] : never) }
  & { [K in Exclude<S, C | keyof D | "_">]?: string }
  & { [K in Exclude<Extract<S, keyof D>, C>]: string | D[K] }
  & { [K in B & C]: boolean[] }
  & { [K in S & C]: string[] }
  & { [K in Exclude<C, B | S>]?: unknown[] }
  & { [K in Exclude<keyof D, B | S | C>]: unknown };

type AliasNames<T> = T extends string ? T : T extends readonly string[] ? T[number] : never;

/** What {@linkcode parseArgs} makes of the arguments. */
export type Args<
  // deno-lint-ignore no-explicit-any -- without options, a flag may be anything.
  F = Record<string, any>,
  A = Record<never, never>,
  DD = false,
> =
  & F
  & { [K in keyof A as AliasNames<A[K]>]: K extends keyof F ? F[K] : unknown }
  & { _: (string | number)[] }
  & (DD extends true ? { "--": string[] } : Record<never, never>);

type Value = string | number | boolean;

/**
 * Reads `args` into an object: flags by name, operands in `_`.
 *
 * `--port 80`, `--port=80`, `-p 80`, `-p80` and `-p=80` set a value, `-ab` sets two flags, `--` ends the flags.
 * A value that reads as a number becomes one, unless the flag is listed in `string`.
 */
export function parseArgs(args: readonly string[]): Args;
/** Reads `args` into an object, with named flags. */
export function parseArgs<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  D extends Defaults = Record<never, never>,
  const A extends AliasMap = Record<never, never>,
  DD extends boolean = false,
>(
  args: readonly string[],
  options: ParseOptions<B, S, C, D, A, DD>,
): Args<Flags<B, S, C, D>, A, DD>;
export function parseArgs(args: readonly string[], options: ParseOptions = {}): unknown {
  const parser = new Parser(options);
  const end = args.indexOf("--");
  const rest = end < 0 ? [] : args.slice(end + 1);
  parser.read(end < 0 ? args : args.slice(0, end));
  parser.fillIn();
  if (options["--"]) return Object.assign(parser.result, { "--": rest });
  parser.result._.push(...rest);
  return parser.result;
}

class Parser {
  readonly result: { _: (string | number)[]; [key: string]: unknown } = { _: [] };
  readonly #options: ParseOptions;
  /** Every name of a flag that has several, with all the others. */
  readonly #others = new Map<string, string[]>();
  readonly #booleans: Set<string>;
  readonly #strings: Set<string>;
  readonly #lists: Set<string>;
  readonly #negatable: Set<string>;

  constructor(options: ParseOptions) {
    this.#options = options;
    for (const [name, more] of Object.entries(options.alias ?? {})) {
      const all = [name, ...[more].flat()];
      for (const one of all) this.#others.set(one, all.filter((other) => other !== one));
    }
    const { boolean } = options;
    this.#booleans = this.#allNames(typeof boolean === "boolean" ? [] : boolean);
    this.#strings = this.#allNames(options.string);
    this.#lists = this.#allNames(options.collect);
    this.#negatable = this.#allNames(options.negatable);
  }

  read(args: readonly string[]): void {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (arg.startsWith("--")) i += this.#long(arg, args[i + 1]);
      else if (arg.startsWith("-") && arg !== "-") i += this.#short(arg, args[i + 1]);
      else {
        if (this.#options.unknown?.(arg) !== false) {
          this.result._.push(this.#strings.has("_") ? arg : numberIfOne(arg));
        }
        if (this.#options.stopEarly) {
          this.result._.push(...args.slice(i + 1));
          return;
        }
      }
    }
  }

  /** Gives absent flags their values. */
  fillIn(): void {
    for (const [name, value] of Object.entries(this.#options.default ?? {})) {
      if (Object.hasOwn(this.result, name)) continue;
      this.#store(name, value, false);
    }
    for (const name of this.#booleans) {
      if (!Object.hasOwn(this.result, name)) this.result[name] = this.#lists.has(name) ? [] : false;
    }
    for (const name of this.#strings) {
      if (this.#lists.has(name) && !Object.hasOwn(this.result, name)) this.result[name] = [];
    }
  }

  /** Reads `--name`, `--name=value`, `--name value`, `--no-name`; returns how many more arguments it took. */
  #long(arg: string, next: string | undefined): 0 | 1 {
    const equals = arg.indexOf("=", 3);
    if (equals > 0) {
      // With a value, the library drops a leading "no-" from the name.
      const name = arg.slice(2, equals).replace(/^no-(?=.)/, "");
      const value = arg.slice(equals + 1);
      this.#set(name, this.#booleans.has(name) ? value !== "false" : value, arg);
      return 0;
    }
    const name = arg.slice(2);
    if (name.startsWith("no-") && this.#negatable.has(name.slice(3))) {
      this.#set(name.slice(3), false, arg, false);
      return 0;
    }
    const takesValue = this.#options.boolean !== true && !this.#booleans.has(name);
    return this.#setFromNext(name, arg, takesValue && next?.startsWith("-") === false, next);
  }

  /** Reads `-a`, `-abc`, `-p80`, `-p=80`, `-p 80`; returns how many more arguments it took. */
  #short(arg: string, next: string | undefined): 0 | 1 {
    for (let at = 1; at < arg.length - 1; at++) {
      const letter = arg[at];
      const after = arg.slice(at + 1);
      const value = valueInCluster(letter, after);
      if (value !== undefined) {
        this.#set(letter, value, arg);
        return 0;
      }
      this.#set(letter, after === "-" ? "-" : this.#bare(letter), arg);
    }
    const last = arg.at(-1)!;
    if (last === "-") return 0;
    const isFlag = next !== undefined && /^--?[^-]/.test(next);
    return this.#setFromNext(last, arg, !isFlag && !this.#booleans.has(last), next);
  }

  /** Sets a flag from the argument after it if it may take that; returns how many it took. */
  #setFromNext(name: string, arg: string, mayTake: boolean, next: string | undefined): 0 | 1 {
    if (next && mayTake) {
      this.#set(name, next, arg);
      return 1;
    }
    if (next === "true" || next === "false") {
      this.#set(name, next === "true", arg);
      return 1;
    }
    this.#set(name, this.#bare(name), arg);
    return 0;
  }

  /** The value of a flag that stands alone. */
  #bare(name: string): "" | true {
    return this.#strings.has(name) ? "" : true;
  }

  #set(name: string, value: Value, arg: string, collect = true): void {
    const known = [this.#booleans, this.#strings, this.#lists, this.#others].some((names) =>
      names.has(name)
    );
    const anyBoolean = this.#options.boolean === true && /^--[^=]+$/.test(arg);
    if (!known && !anyBoolean && this.#options.unknown?.(arg, name, value) === false) return;
    const stored = typeof value === "string" && !this.#strings.has(name)
      ? numberIfOne(value)
      : value;
    this.#store(name, stored, collect && this.#lists.has(name));
  }

  #store(name: string, value: unknown, collect: boolean): void {
    for (const one of [name, ...this.#others.get(name) ?? []]) {
      if (one === "__proto__") continue;
      const list = Object.hasOwn(this.result, one) ? this.result[one] : undefined;
      if (!collect) this.result[one] = value;
      else if (Array.isArray(list)) list.push(value);
      else this.result[one] = list ? [list, value] : [value];
    }
  }

  #allNames(names: Names<string> = []): Set<string> {
    return new Set([names].flat().flatMap((name) => [name, ...this.#others.get(name) ?? []]));
  }
}

/** The value within a group of short flags that starts after `letter`, if one does. */
function valueInCluster(letter: string, after: string): string | undefined {
  if (after === "-") return undefined;
  if (after === "=") return "";
  if (/[A-Za-z]/.test(letter)) {
    const equals = after.indexOf("=");
    if (equals >= 0 && equals < after.length - 1) return after.slice(equals + 1);
    if (/\d\.?$|\de-?\d+$/.test(after)) return after;
  }
  return after.length > 1 && /^\W/.test(after) ? after : undefined;
}

/** A number if all of `text` reads as one, else the text. */
function numberIfOne(text: string): string | number {
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}
