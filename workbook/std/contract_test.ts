/**
 * The contract of the standard library as the course uses it.
 *
 * Imports by the `@std` names, so it holds whichever library is in force to the same behaviour: the real one,
 * or the stand-ins beside this file (`--import-map=workbook/std/import_map.json`). What it asserts is checked
 * with bare `throw`s, since the assertions themselves are under test.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertExists,
  assertGreater,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { assertEquals as assertEqualsBySubpath } from "@std/assert/equals";
import { parseArgs } from "@std/cli/parse-args";
import { unicodeWidth } from "@std/cli/unicode-width";
import { STATUS_CODE, STATUS_TEXT } from "@std/http/status";
import { STATUS_TEXT as STATUS_TEXT_BY_ROOT } from "@std/http";
import { getAvailablePort } from "@std/net";
import { stripVTControlCharacters } from "node:util";

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`Contract broken: ${what}`);
}

/** The message, without colours, of the `AssertionError` that `run` must throw. */
function failureOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    check(error instanceof AssertionError, `an AssertionError is thrown, came: ${error}`);
    check(error.name === "AssertionError", `the error is named, came: ${error.name}`);
    return stripVTControlCharacters(error.message);
  }
  throw new Error(`Contract broken: nothing was thrown by ${run}`);
}

async function rejectionOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    check(error instanceof AssertionError, `an AssertionError is rejected, came: ${error}`);
    return stripVTControlCharacters(error.message);
  }
  throw new Error(`Contract broken: nothing was rejected by ${run}`);
}

function contains(text: string, ...parts: string[]): void {
  for (const part of parts) {
    check(text.includes(part), `${JSON.stringify(text)} contains ${JSON.stringify(part)}`);
  }
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [came, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(came === wanted, `${what}: expected ${wanted}, came ${came}`);
}

class Point {
  constructor(readonly x: number, readonly y: number) {}
}
class OtherPoint {
  constructor(readonly x: number, readonly y: number) {}
}

function ring(size: number): unknown {
  const first: { next?: unknown; size: number } = { size };
  first.next = { next: first, size };
  return first;
}

/** Two errors of one class and message that were made in one place. */
function twins(): Error[] {
  return [1, 2].map(() => new Error("a"));
}

const [firstTwin, secondTwin] = twins();

const EQUAL: [string, unknown, unknown][] = [
  ["numbers", 1, 1],
  ["NaN", NaN, NaN],
  ["NaN inside", [NaN, { a: NaN }], [NaN, { a: NaN }]],
  ["0 and -0", 0, -0],
  ["0 and -0 inside", { a: [0] }, { a: [-0] }],
  ["bigints", 10n, 10n],
  ["symbols of one registry key", Symbol.for("a"), Symbol.for("a")],
  ["nested objects, other order", { a: 1, b: { c: [2] } }, { b: { c: [2] }, a: 1 }],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ["bytes of a subarray", new Uint8Array([0, 1, 2]).subarray(1), new Uint8Array([1, 2])],
  ["floats with NaN and -0", new Float64Array([NaN, 0]), new Float64Array([NaN, -0])],
  ["buffers", new Uint8Array([1]).buffer, new Uint8Array([1]).buffer],
  ["sets in any order", new Set([1, "a"]), new Set(["a", 1])],
  ["sets of objects", new Set([{ a: 1 }, { b: 2 }]), new Set([{ b: 2 }, { a: 1 }])],
  ["maps in any order", new Map([["a", 1], ["b", 2]]), new Map([["b", 2], ["a", 1]])],
  ["maps with object keys", new Map([[{ k: 1 }, [1]]]), new Map([[{ k: 1 }, [1]]])],
  ["dates", new Date(5), new Date(5)],
  ["invalid dates", new Date(NaN), new Date(NaN)],
  ["patterns", /a+/gi, /a+/gi],
  ["addresses", new URL("http://127.0.0.1/a"), new URL("http://127.0.0.1/a")],
  ["instances", new Point(1, 2), new Point(1, 2)],
  ["an object without prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["rings", ring(1), ring(1)],
  ["an error and itself", firstTwin, firstTwin],
  ["getters by what they give", {
    get a() {
      return 1;
    },
  }, { a: 1 }],
];

const DIFFERENT: [string, unknown, unknown][] = [
  ["number and text", 1, "1"],
  ["null and undefined", null, undefined],
  ["a key that is undefined and none", { a: undefined }, {}],
  ["two keys that are undefined", { a: undefined }, { b: undefined }],
  ["a hole and undefined", [, 1], [undefined, 1]],
  ["lengths", [1], [1, undefined]],
  ["array and object", [], {}],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["length of bytes", new Uint8Array([1]), new Uint8Array([1, 0])],
  ["kinds of typed arrays", new Uint8Array([1]), new Uint16Array([1])],
  ["bytes and numbers", new Uint8Array([1]), [1]],
  ["sets", new Set([1, 2]), new Set([1, 3])],
  ["sets of objects", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  ["values of maps", new Map([["a", 1]]), new Map([["a", 2]])],
  ["keys of maps", new Map([["a", undefined]]), new Map([["b", undefined]])],
  ["set and map", new Set(), new Map()],
  ["dates", new Date(5), new Date(6)],
  ["flags of patterns", /a/g, /a/i],
  ["addresses", new URL("http://127.0.0.1/a"), new URL("http://127.0.0.1/b")],
  ["classes", new Point(1, 2), new OtherPoint(1, 2)],
  ["instance and plain object", new Point(1, 2), { x: 1, y: 2 }],
  ["symbol keys", { [Symbol.for("k")]: 1 }, { [Symbol.for("k")]: 2 }],
  ["functions", () => 1, () => 1],
  ["messages of errors", new Error("a"), new Error("b")],
  ["classes of errors", new TypeError("a"), new RangeError("a")],
  ["errors made in two places", new Error("a"), new Error("a")],
  ["rings", ring(1), ring(2)],
];

for (const [what, a, b] of EQUAL) {
  Deno.test(`assertEquals() holds equal: ${what}`, () => {
    assertEquals(a, b);
    assertEquals(b, a);
    failureOf(() => assertNotEquals(a, b));
  });
}

for (const [what, a, b] of DIFFERENT) {
  Deno.test(`assertEquals() tells apart: ${what}`, () => {
    failureOf(() => assertEquals(a, b));
    failureOf(() => assertEquals(b, a));
    assertNotEquals(a, b);
  });
}

Deno.test("assertEquals() treats two errors made in one place as equal", () => {
  assertEquals(firstTwin, secondTwin);
});

Deno.test("assertEquals() refuses to compare what cannot be listed", () => {
  assertThrows(() => assertEquals(new WeakMap(), new WeakMap()), TypeError);
  assertThrows(() => assertEquals(new WeakSet(), new WeakSet()), TypeError);
});

Deno.test("assertEquals() is the same by its own name and by the package", () => {
  assertEqualsBySubpath([1], [1]);
  failureOf(() => assertEqualsBySubpath([1], [2]));
});

Deno.test("assertEquals() says what differs, line by line", () => {
  contains(
    failureOf(() => assertEquals({ a: 1, b: [1, 2] }, { a: 1, b: [1, 3] })),
    "Values are not equal.\n",
    "[Diff] Actual / Expected",
    "\n      a: 1,\n",
    "\n-       2,\n+       3,\n",
  );
});

Deno.test("assertEquals() ends its first line with the caller's message", () => {
  contains(failureOf(() => assertEquals(1, 2, "the port")), "Values are not equal: the port\n");
});

Deno.test("assertEquals() writes the line feeds of texts out", () => {
  contains(failureOf(() => assertEquals("a\nb", "a\nc")), "\n    a\\n\n-   b\n+   c\n");
});

Deno.test("assertNotEquals() shows the value", () => {
  const message = failureOf(() => assertNotEquals(1, 1, "why"));
  same(message, "Expected actual: 1 not to be: 1: why", "message");
});

Deno.test("assertStrictEquals() compares by identity and tells 0 from -0", () => {
  assertStrictEquals(NaN, NaN);
  const list = [1];
  assertStrictEquals(list, list);
  failureOf(() => assertStrictEquals(0, -0));
  contains(
    failureOf(() => assertStrictEquals([1], [1], "why")),
    "Values have the same structure but are not reference-equal: why",
  );
  contains(failureOf(() => assertStrictEquals(1, 2)), "Values are not strictly equal.\n", "-   1");
});

Deno.test("assert() takes any truthy value and throws the caller's message", () => {
  assert("text");
  same(failureOf(() => assert(0, "why")), "why", "message");
  same(failureOf(() => assert(null)), "", "message");
});

Deno.test("fail() throws always", () => {
  same(failureOf(() => fail()), "Failed assertion.", "message");
  same(failureOf(() => fail("why")), "Failed assertion: why", "message");
});

Deno.test("AssertionError is an Error with a cause", () => {
  const cause = new Error("inner");
  const error = new AssertionError("outer", { cause });
  check(error instanceof Error && error.cause === cause, "the cause is kept");
});

Deno.test("assertExists() refuses null and undefined only", () => {
  for (const value of [0, "", false, NaN]) assertExists(value);
  same(
    failureOf(() => assertExists(null)),
    'Expected actual: "null" to not be null or undefined.',
    "message",
  );
  contains(failureOf(() => assertExists(undefined, "why")), '"undefined"', ": why");
});

Deno.test("assertInstanceOf() names both classes", () => {
  assertInstanceOf(new TypeError(), Error);
  const start = "Expected object to be an instance of ";
  same(
    failureOf(() => assertInstanceOf(new Error(), TypeError)),
    `${start}"TypeError" but was "Error".`,
    "object",
  );
  same(failureOf(() => assertInstanceOf(null, Date)), `${start}"Date" but was "null".`, "null");
  same(
    failureOf(() => assertInstanceOf("a", Date, "why")),
    `${start}"Date" but was "string": why`,
    "text",
  );
});

Deno.test("assertMatch() and assertStringIncludes() show both texts", () => {
  assertMatch("port 80", /\d+/);
  assertStringIncludes("port 80", "80");
  same(
    failureOf(() => assertMatch("a", /b/)),
    'Expected actual: "a" to match: "/b/".',
    "assertMatch",
  );
  same(
    failureOf(() => assertStringIncludes("a", "b", "why")),
    'Expected actual: "a" to contain: "b": why',
    "assertStringIncludes",
  );
});

Deno.test("assertGreater() and assertLess() are strict", () => {
  assertGreater(2, 1);
  assertLess(1, 2);
  same(failureOf(() => assertGreater(1, 1)), "Expect 1 > 1", "assertGreater");
  same(failureOf(() => assertLess(1, 1)), "Expect 1 < 1", "assertLess");
  same(failureOf(() => assertLess(2, 1, "why")), "why", "assertLess");
  failureOf(() => assertGreater(NaN, 1));
});

function throwing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

Deno.test("assertThrows() hands back what was thrown", () => {
  const error = new RangeError("port 65536");
  check(assertThrows(throwing(error)) === error, "without a class");
  check(assertThrows(throwing(error), "why") === error, "with a message");
  check(assertThrows(throwing(error), RangeError) === error, "with a class");
  check(assertThrows(throwing(error), Error, "65536") === error, "with a base class and words");
  check(assertThrows(throwing("text")) === "text", "a value that is no error");
});

Deno.test("assertThrows() refuses the wrong class, other words, no error, nothing thrown", () => {
  same(
    failureOf(() => assertThrows(throwing(new TypeError("a")), RangeError, "a", "why")),
    'Expected error to be instance of "RangeError", but was "TypeError": why',
    "class",
  );
  same(
    failureOf(() => assertThrows(throwing(new TypeError("a")), TypeError, "b")),
    'Expected error message to include "b", but got "a".',
    "words",
  );
  same(
    failureOf(() => assertThrows(throwing("a"), Error)),
    "A non-Error object was thrown.",
    "no error",
  );
  same(failureOf(() => assertThrows(() => 1)), "Expected function to throw.", "nothing");
  same(failureOf(() => assertThrows(() => 1, "why")), "Expected function to throw: why", "nothing");
  failureOf(() => assertThrows(() => Promise.resolve(1)));
});

Deno.test("assertRejects() hands back what was rejected", async () => {
  const error = new Deno.errors.TimedOut("late");
  check(await assertRejects(() => Promise.reject(error)) === error, "without a class");
  const back = await assertRejects(() => Promise.reject(error), Deno.errors.TimedOut, "late");
  check(back === error, "with a class");
  // deno-lint-ignore require-await -- what throws in an async function rejects.
  const thrown = await assertRejects(async () => {
    throw error;
  }, Error);
  check(thrown === error, "thrown by an async function");
});

Deno.test("assertRejects() refuses the wrong class, a synchronous throw, a value, a fulfilment", async () => {
  contains(
    await rejectionOf(() => assertRejects(() => Promise.reject(new Error("a")), TypeError)),
    'instance of "TypeError", but was "Error".',
  );
  contains(
    await rejectionOf(() => assertRejects(() => Promise.reject("a"), Error)),
    "A non-Error object was rejected.",
  );
  contains(
    await rejectionOf(() => assertRejects(throwing(new Error("a")), Error)),
    "Function throws when expected to reject.",
  );
  contains(
    await rejectionOf(() => assertRejects((() => 1) as unknown as () => Promise<void>)),
    "Function throws when expected to reject.",
  );
  contains(
    await rejectionOf(() => assertRejects(() => Promise.resolve(1), Error, "", "why")),
    "Expected function to reject: why",
  );
});

const WIDTHS: [string, string, number][] = [
  ["nothing", "", 0],
  ["ASCII", "port 8080", 9],
  ["Korean", "소켓 통신", 9],
  ["Korean with English beside", "바인드(bind)", 12],
  ["Korean, decomposed", "한글".normalize("NFD"), 4],
  ["compatibility jamo", "ㄱㅏ", 4],
  ["conjoining vowel and final consonant alone", "\u1161\u11ab", 0],
  ["Chinese and Japanese", "漢字かなカナ", 12],
  ["halfwidth kana", "ｶﾅ", 2],
  ["fullwidth ASCII", "ＴＣＰ", 6],
  ["CJK punctuation", "「」、。", 8],
  ["ideographic space", "\u3000", 2],
  ["accents, composed and combining", "é e\u0301", 3],
  ["an emoji", "🔌", 2],
  ["emoji joined by a zero-width joiner", "👩\u200d🔬", 4],
  ["a flag", "🇰🇷", 2],
  ["a skin tone", "👍🏽", 4],
  ["a sign with a variation selector", "❤\ufe0f", 1],
  ["zero width", "\u200b\u200c\u200d\u2060\ufeff", 0],
  ["a soft hyphen", "\u00ad", 1],
  ["box drawing", "┌─┐│└┘═", 7],
  ["arrows, marks, ellipsis: ambiguous, so narrow", "→✓✗…·±", 6],
  ["controls", "\0\n\r\t\x7f\x85", 0],
  ["an escape sequence, not recognised", "\x1b[31mred\x1b[0m", 10],
  ["a plane 2 ideograph", "𠮷", 2],
  ["a lone surrogate", "\ud800", 1],
];

for (const [what, text, columns] of WIDTHS) {
  Deno.test(`unicodeWidth() of ${what} is ${columns}`, () => {
    same(unicodeWidth(text), columns, what);
  });
}

type Options = Parameters<typeof parseArgs>[1];
const COMMAND_LINES: [string, string[], Options, unknown][] = [
  ["nothing", [], {}, { _: [] }],
  ["operands", ["lesson", "3"], {}, { _: ["lesson", 3] }],
  ["operands as text", ["lesson", "3"], { string: ["_"] }, { _: ["lesson", "3"] }],
  ["a lone dash is an operand", ["-"], {}, { _: ["-"] }],
  ["flags with and without value", ["--port", "80", "--host=::1", "--json"], {}, {
    _: [],
    port: 80,
    host: "::1",
    json: true,
  }],
  ["an equals sign in a value", ["--name=a=b"], {}, { _: [], name: "a=b" }],
  ["numbers", ["--a=1e3", "--b=0x10", "--c=-1.5", "--d=1.2.3"], {}, {
    _: [],
    a: 1000,
    b: 16,
    c: -1.5,
    d: "1.2.3",
  }],
  ["text flags stay text", ["--seed", "007"], { string: ["seed"] }, { _: [], seed: "007" }],
  ["a text flag without value", ["--seed", "--json"], { string: "seed" }, {
    _: [],
    seed: "",
    json: true,
  }],
  ["an empty value", ["--seed="], { string: ["seed"] }, { _: [], seed: "" }],
  ["boolean flags take no operand", ["--json", "3"], { boolean: ["json"] }, { _: [3], json: true }],
  ["boolean flags take true and false", ["--json", "false", "--watch=true"], {
    boolean: ["json", "watch"],
  }, { _: [], json: false, watch: true }],
  ["absent boolean flags are false", [], { boolean: ["json"] }, { _: [], json: false }],
  ["all flags boolean", ["--json", "3"], { boolean: true }, { _: [3], json: true }],
  ["short flags", ["-ab", "-p", "80", "-q81", "-r=82", "-v"], {}, {
    _: [],
    a: true,
    b: true,
    p: 80,
    q: 81,
    r: 82,
    v: true,
  }],
  ["a flag is not a value", ["--port", "-v"], {}, { _: [], port: true, v: true }],
  ["other names", ["-h", "--task", "2"], {
    boolean: ["help"],
    alias: { help: "h", task: ["t", "n"] },
  }, { _: [], h: true, help: true, task: 2, t: 2, n: 2 }],
  ["lists", ["--task", "1", "--task=2"], { collect: ["task"], string: ["task"] }, {
    _: [],
    task: ["1", "2"],
  }],
  ["an absent list of texts", [], { collect: ["task"], string: ["task"] }, { _: [], task: [] }],
  ["an absent list of anything", [], { collect: ["task"] }, { _: [] }],
  ["without list, the last wins", ["--lang", "en", "--lang", "ko"], {}, { _: [], lang: "ko" }],
  ["defaults", ["--lang=ko"], { default: { lang: "en", seed: 7 } }, {
    _: [],
    lang: "ko",
    seed: 7,
  }],
  ["a default reaches the other names", [], { default: { help: true }, alias: { help: "h" } }, {
    _: [],
    help: true,
    h: true,
  }],
  ["negated flags", ["--no-color"], { negatable: ["color"], boolean: ["color"] }, {
    _: [],
    color: false,
  }],
  ["not negatable", ["--no-color"], {}, { _: [], "no-color": true }],
  ["after the dashes, operands", ["--a", "--", "--b", "1"], {}, { _: ["--b", "1"], a: true }],
  ["after the dashes, apart", ["x", "--", "--b", "1"], { "--": true }, {
    _: ["x"],
    "--": ["--b", "1"],
  }],
  ["stopping at the first operand", ["--a", "x", "y", "--b"], { stopEarly: true, boolean: ["a"] }, {
    _: ["x", "y", "--b"],
    a: true,
  }],
  ["Korean values", ["--name=소켓", "바인드"], {}, { _: ["바인드"], name: "소켓" }],
];

for (const [what, args, options, expected] of COMMAND_LINES) {
  Deno.test(`parseArgs() reads: ${what}`, () => {
    assertEquals(parseArgs(args, options) as unknown, expected);
  });
}

Deno.test("parseArgs() shows unknown flags and operands to the caller, and drops what it refuses", () => {
  const seen: unknown[][] = [];
  const parsed = parseArgs(["--json", "--bogus=1", "-x", "3"], {
    boolean: ["json"],
    unknown: (...args) => {
      seen.push(args);
      return args[1] !== "bogus";
    },
  });
  same(seen, [["--bogus=1", "bogus", "1"], ["-x", "x", "3"]], "calls");
  assertEquals(parsed as unknown, { _: [], json: true, x: 3 });
});

Deno.test("parseArgs() leaves its argument as it is", () => {
  const args = ["--a", "--", "b"];
  parseArgs(args, { "--": true });
  same(args, ["--a", "--", "b"], "arguments");
});

Deno.test("STATUS_TEXT has the words of each status", () => {
  same(STATUS_TEXT[200], "OK", "200");
  same(STATUS_TEXT[203], "Non Authoritative Info", "203");
  same(STATUS_TEXT[207], "Multi Status", "207");
  same(STATUS_TEXT[404], "Not Found", "404");
  same(STATUS_TEXT[405], "Method Not Allowed", "405");
  same(STATUS_TEXT[413], "Content Too Large", "413");
  same(STATUS_TEXT[414], "URI Too Long", "414");
  same(STATUS_TEXT[418], "I'm a teapot", "418");
  same(STATUS_TEXT[431], "Request Header Fields Too Large", "431");
  same(STATUS_TEXT[501], "Not Implemented", "501");
  same(STATUS_TEXT[505], "HTTP Version Not Supported", "505");
  same((STATUS_TEXT as Record<number, string>)[299], undefined, "299");
  same(STATUS_TEXT_BY_ROOT[404], "Not Found", "by the package");
});

Deno.test("STATUS_CODE and STATUS_TEXT name the same 62 statuses", () => {
  const codes = Object.values(STATUS_CODE).map(String).sort();
  same(codes.length, 62, "number");
  same(Object.keys(STATUS_TEXT).sort(), codes, "codes");
  same(STATUS_CODE.RangeNotSatisfiable, 416, "RangeNotSatisfiable");
  same(STATUS_CODE.RequestHeaderFieldsTooLarge, 431, "RequestHeaderFieldsTooLarge");
});

Deno.test("getAvailablePort() names a port that can be listened on", () => {
  const port = getAvailablePort();
  check(Number.isInteger(port) && port > 0 && port < 65536, `${port} is a port`);
});

Deno.test("getAvailablePort() takes another port when the preferred one is busy", () => {
  using busy = Deno.listen({ port: 0 });
  const port = getAvailablePort({ preferredPort: busy.addr.port });
  check(port !== busy.addr.port && port > 0, `${port} is another port`);
});

Deno.test("getAvailablePort() takes the preferred port when it is free", () => {
  // Another process may take the port in between; one of a few tries succeeds all the same.
  const taken = Array.from({ length: 10 }, () => {
    const preferredPort = getAvailablePort();
    return getAvailablePort({ preferredPort }) === preferredPort;
  });
  check(taken.includes(true), "the preferred port is taken");
});
