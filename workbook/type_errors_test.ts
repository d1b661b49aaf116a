/**
 * The reports of the compiler below are what `deno check` printed, with other folders.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { unicodeWidth } from "@std/cli/unicode-width";
import { SUITE_ENV } from "./records.ts";
import { LANGUAGES } from "./text.ts";
import { readDiagnostics, type TypeErrors, typeErrors, viewTypeErrors } from "./type_errors.ts";

const REPORT = `TS2322 [ERROR]: Type 'string' is not assignable to type 'number'.
  return { a: { b: "x" } };
                ^
    at file:///home/me/lessons/exercise.ts:3:17

    The expected type comes from property 'b' which is declared here on type '{ b: number; }'
    export function f(): { a: { b: number } } {
                                ^
        at file:///home/me/lessons/exercise.ts:2:29

TS2552 [ERROR]: Cannot find name 'undefinedName'. Did you mean 'undefined'?
undefinedName();
~~~~~~~~~~~~~
    at file:///home/me/lessons/exercise.ts:7:1

TS2345 [ERROR]: Argument of type '(a: number) => void' is not assignable to parameter of type '() => void'.
  Target signature provides too few arguments. Expected 1 or more, but got 0.
  run((a: number) => {});
      ~~~~~~~~~~~~~~~~~
    at file:///home/me/lessons/exercise.ts:9:7

TS2307 [ERROR]: Cannot find module 'file:///home/me/lessons/nope.ts'.
    at file:///home/me/lessons/exercise.ts:1:19

TS2322 [ERROR]: Type 'string' is not assignable to type 'number'.
export const n: number = "other";
             ^
    at file:///home/me/lessons/other.ts:1:14

Found 5 errors.

error: Type checking failed.
`;

const at = { exercise: "/home/me/lessons/exercise.ts", label: "lessons/exercise.ts" };

Deno.test("readDiagnostics() finds each error of the file with its place and its line of code", () => {
  assertEquals(readDiagnostics(REPORT, at), [
    {
      place: "lessons/exercise.ts:3:17",
      code: "TS2322",
      message: "Type 'string' is not assignable to type 'number'.",
      source: 'return { a: { b: "x" } };',
    },
    {
      place: "lessons/exercise.ts:7:1",
      code: "TS2552",
      message: "Cannot find name 'undefinedName'. Did you mean 'undefined'?",
      source: "undefinedName();",
    },
    {
      place: "lessons/exercise.ts:9:7",
      code: "TS2345",
      message: "Argument of type '(a: number) => void' is not assignable to parameter of type " +
        "'() => void'. Target signature provides too few arguments. Expected 1 or more, but got 0.",
      source: "run((a: number) => {});",
    },
    {
      place: "lessons/exercise.ts:1:19",
      code: "TS2307",
      message: "Cannot find module 'file:///home/me/lessons/nope.ts'.",
      source: "",
    },
  ]);
});

Deno.test("readDiagnostics() leaves out the errors of other files", () => {
  const other = { exercise: "/home/me/lessons/other.ts", label: "o.ts" };
  assertEquals(readDiagnostics(REPORT, other).map(({ place }) => place), ["o.ts:1:14"]);
  const nobody = { exercise: "/elsewhere/lessons/exercise.ts", label: "e.ts" };
  assertEquals(readDiagnostics(REPORT, nobody), []);
});

Deno.test("readDiagnostics() finds a file whose path has spaces, Korean and signs in it", () => {
  const report = `TS2322 [ERROR]: Type 'string' is not assignable to type 'number'.
export const a: number = "x";
             ^
    at file:///home/C%23%20100%25%20[a]/%ED%95%9C%EA%B8%80/exercise.ts:2:14
`;
  const exercise = "/home/C# 100% [a]/한글/exercise.ts";
  const [found] = readDiagnostics(report, { exercise, label: "exercise.ts" });
  assertEquals(found?.place, "exercise.ts:2:14");
});

Deno.test("readDiagnostics() finds nothing in a report without type errors", () => {
  const broken = `error: SyntaxError: Expression expected
  |
1 | let x = ;
  |         ~
    at file:///home/me/lessons/exercise.ts:1:9
`;
  assertEquals(readDiagnostics(broken, at), []);
  assertEquals(readDiagnostics("", at), []);
});

const screen = (columns: number) => ({ columns, colours: false, isTerminal: false });

function found(count: number, left = 0): TypeErrors {
  const shown = Array.from({ length: count }, (_, i) => ({
    place: `lessons/01_a/exercise.ts:${i + 1}:5`,
    code: "TS2322",
    message: `Type 'string' is not assignable to type 'number'. ${"긴설명".repeat(i * 30)}`,
    source: `const text: number = "${"가".repeat(i * 60)}";`,
  }));
  return { shown, left };
}

Deno.test("viewTypeErrors() shows nothing without errors", () => {
  assertEquals(viewTypeErrors(found(0), { screen: screen(80), lang: "en" }), "");
});

Deno.test("viewTypeErrors() shows place, message and code of each error, and how many are left", () => {
  const text = viewTypeErrors(found(1, 3), { screen: screen(80), lang: "en" });
  assertEquals(text.split("\n"), [
    "",
    "Type errors (they do not change the verdict):",
    "  lessons/01_a/exercise.ts:1:5",
    "    TS2322: Type 'string' is not assignable to type 'number'.",
    '    | const text: number = "";',
    "  … and 3 more",
  ]);
});

Deno.test("viewTypeErrors() keeps within the columns", () => {
  for (const lang of LANGUAGES) {
    for (const columns of [40, 80, 200]) {
      const text = viewTypeErrors(found(4, 1), { screen: screen(columns), lang });
      for (const line of text.split("\n")) {
        assert(unicodeWidth(line) <= columns, `${columns} columns: "${line}"`);
      }
    }
  }
});

Deno.test("viewTypeErrors() disarms what a terminal obeys", () => {
  const evil: TypeErrors = {
    shown: [{ place: "p", code: "TS1", message: "\x1b[2J", source: "\x07\u202e" }],
    left: 0,
  };
  const text = viewTypeErrors(evil, { screen: screen(80), lang: "en" });
  assertStringIncludes(text, "TS1: \\x1b[2J");
  assertStringIncludes(text, "| \\x07\\u202e");
});

/** The import map in force, if the standard library does not come from JSR. */
const importMap = Deno.env.get(SUITE_ENV.importMap) ??
  (import.meta.resolve("@std/assert").startsWith("jsr:")
    ? undefined
    : decodeURIComponent(new URL("std/import_map.json", import.meta.url).pathname));

/** A workbook's folder with its settings, and an exercise in a folder whose name is awkward. */
class Place implements AsyncDisposable {
  private constructor(readonly root: string) {}

  static async create(): Promise<Place> {
    const place = new Place(await Deno.makeTempDir({ prefix: "workbook types " }));
    await Deno.writeTextFile(`${place.root}/deno.json`, JSON.stringify({ unstable: ["net"] }));
    await Deno.mkdir(`${place.root}/C# [연습] 100%`);
    return place;
  }

  get exercise(): string {
    return `${this.root}/C# [연습] 100%/exercise.ts`;
  }

  get memory(): string {
    return `${this.root}/.workbook/types.json`;
  }

  write(source: string): Promise<void> {
    return Deno.writeTextFile(this.exercise, source);
  }

  check(signal?: AbortSignal): Promise<TypeErrors> {
    const { root, exercise } = this;
    return typeErrors({
      root,
      exercise,
      label: "exercise.ts",
      importMap,
      ...(signal && { signal }),
    });
  }

  async remembered(): Promise<string[]> {
    return JSON.parse(await Deno.readTextFile(this.memory).catch(() => "[]"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

const WRONG = 'export const port: number = "8080";\nexport const host: string = 1;\n';
const CLEAN = "export const socket: Deno.DatagramConn | undefined = undefined;\n";
const NONE = { shown: [], left: 0 };

Deno.test("typeErrors() shows five errors, counts the others, and remembers no file with errors", async () => {
  await using place = await Place.create();
  await place.write(WRONG.repeat(4).replaceAll(/const \w+/g, (name, at) => `${name}${at}`));
  // A memory of another shape is none.
  await Deno.mkdir(`${place.root}/.workbook`);
  await Deno.writeTextFile(place.memory, '{"length": 0}');
  const { shown, left } = await place.check();
  assertEquals(shown.map(({ place, code }) => `${place} ${code}`), [
    "exercise.ts:1:14 TS2322",
    "exercise.ts:2:14 TS2322",
    "exercise.ts:3:14 TS2322",
    "exercise.ts:4:14 TS2322",
    "exercise.ts:5:14 TS2322",
  ]);
  assertEquals(left, 3);
  assertEquals(await Deno.readTextFile(place.memory), '{"length": 0}');
});

Deno.test("typeErrors() remembers a clean file by its content, also over a damaged memory", async () => {
  await using place = await Place.create();
  await Deno.mkdir(`${place.root}/.workbook`);
  await Deno.writeTextFile(place.memory, '["trunc');
  await place.write(CLEAN);
  assertEquals(await place.check(), NONE);
  const [key, ...more] = await place.remembered();
  assertMatch(key!, new RegExp(`^${Deno.version.typescript} [0-9a-f]{64}$`));
  assertEquals(more, []);
  assertEquals([...Deno.readDirSync(`${place.root}/.workbook`)].length, 1);

  // What is remembered is not checked again: the same key now stands for a file that is wrong.
  await place.write(WRONG);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(WRONG));
  const wrong = `${Deno.version.typescript} ${new Uint8Array(digest).toHex()}`;
  await Deno.writeTextFile(place.memory, JSON.stringify([7, wrong]));
  assertEquals(await place.check(), NONE);
});

Deno.test("typeErrors() finds none in a file that is missing, empty, or does not parse", async () => {
  await using place = await Place.create();
  assertEquals(await place.check(), NONE);
  await place.write("");
  assertEquals(await place.check(), NONE);
  await place.write("let x = ;\n");
  assertEquals(await place.check(), NONE);
  assertEquals(await place.remembered(), []);
});

Deno.test("typeErrors() gives up when it is interrupted, and remembers nothing", async () => {
  await using place = await Place.create();
  await place.write(CLEAN);
  assertEquals(await place.check(AbortSignal.abort()), NONE);
  assertEquals(await place.remembered(), []);
});
