import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { CommandError } from "../errors.ts";
import { type Environment, type Options, readOptions, userPath, wholeNumber } from "./options.ts";

const SPEC = { flags: ["json", "solution"], values: ["target", "seed"], lists: ["task"] };

const read = (...args: string[]): Options => readOptions(args, SPEC);
const tasks = (...args: string[]) => read(...args).lists.get("task");

/** What is said when `run` ends the command. */
function said(run: () => unknown): { sentence: string; next: string } {
  const error = assertThrows(run, CommandError);
  return { sentence: error.sentence.en, next: error.next?.en ?? "" };
}

/** An environment of these variables. */
const having = (variables: Record<string, string>): Environment => (name) => variables[name];

Deno.test("readOptions() reads flags, values, lists and the rest, in any order", () => {
  const options = read("1", "--json", "--target", "a b", "more", "--seed=7", "--task", "2");
  assertEquals([...options.flags], ["json"]);
  assertEquals([...options.values], [["target", "a b"], ["seed", "7"]]);
  assertEquals([...options.lists], [["task", ["2"]]]);
  assertEquals(options.rest, ["1", "more"]);
});

Deno.test("readOptions() gives empty places for what was not given", () => {
  const { flags, values, lists, rest } = read();
  assertEquals([flags.size, values.size, lists.get("task"), rest], [0, 0, [], []]);
});

Deno.test("readOptions() collects an option that may be given more than once", () => {
  assertEquals(tasks("--task", "3", "--task=1", "--task", "3"), ["3", "1", "3"]);
});

Deno.test("readOptions() takes a flag's neighbour for an argument of its own", () => {
  const { flags, rest } = read("--json", "1", "--solution");
  assertEquals([...flags], ["json", "solution"]);
  assertEquals(rest, ["1"]);
});

Deno.test("readOptions() keeps values and arguments as text, numbers too", () => {
  assertEquals(read("--seed", "007").values.get("seed"), "007");
  assertEquals(read("1e3", "0x10", "01").rest, ["1e3", "0x10", "01"]);
});

Deno.test("readOptions() takes everything after -- as it is", () => {
  assertEquals(read("--", "--json", "--unknown", "-x").rest, ["--json", "--unknown", "-x"]);
});

Deno.test("readOptions() takes a value that begins with a dash only after =", () => {
  assertEquals(read("--target=-odd").values.get("target"), "-odd");
  assertThrows(() => read("--target", "-odd"), CommandError);
  assertThrows(() => read("--seed", "-1"), CommandError);
});

Deno.test("readOptions() refuses an option that the command does not have, and names those it has", () => {
  for (const arg of ["--jsn", "--watch", "--no-json", "-j", "--constructor", "--__proto__"]) {
    const { sentence, next } = said(() => read(arg));
    assertEquals(sentence, `There is no option ${arg}.`);
    assertEquals(next, "Options: --json, --solution, --target, --seed, --task, --lang");
  }
  assertStringIncludes(said(() => read("--unknown=7")).sentence, "--unknown");
});

Deno.test("readOptions() refuses an option without its value", () => {
  for (
    const args of [["--target"], ["--target="], ["--task", "--json"], ["--lang"], ["--seed", ""]]
  ) {
    const name = args[0]!.replace("=", "");
    assertEquals(said(() => read(...args)).sentence, `Option ${name} needs a value.`);
  }
  assertThrows(() => read("--task", "1", "--task"), CommandError);
});

Deno.test("readOptions() knows the languages, and no other", () => {
  assertEquals(read("--lang", "ko").lang, "ko");
  assertEquals(read("--lang=en").lang, "en");
  for (const lang of ["fr", "KO", "korean"]) {
    const { sentence, next } = said(() => read("--lang", lang));
    assertEquals(sentence, `There is no language "${lang}".`);
    assertEquals(next, "Languages: en, ko");
  }
});

Deno.test("readOptions() takes the language of the environment, unless one is given", () => {
  const korean = having({ LC_ALL: "ko_KR.UTF-8" });
  assertEquals(readOptions([], SPEC, korean).lang, "ko");
  assertEquals(readOptions(["--lang", "en"], SPEC, korean).lang, "en");
  assertEquals(readOptions([], SPEC, having({ LC_ALL: "C" })).lang, "en");
});

Deno.test("wholeNumber() reads a whole number from its lower end up", () => {
  assertEquals(wholeNumber("1", "--task", 1), 1);
  assertEquals(wholeNumber("0", "--seed", 0), 0);
  assertEquals(wholeNumber("4294967295", "--seed", 0), 4294967295);
});

Deno.test("wholeNumber() refuses everything else, and names the option", () => {
  const wrong = ["", " 1", "1 ", "1e3", "-1", "+1", "0x10", "1.0", "1,2", "one", "NaN", "Infinity"];
  for (const text of [...wrong, "１", "12345678901", "0"]) {
    assertEquals(
      said(() => wholeNumber(text, "--task", 1)).sentence,
      `--task takes a whole number from 1 up, not "${text}".`,
    );
  }
  assertThrows(() => wholeNumber(undefined, "lesson", 1), CommandError);
});

Deno.test("userPath() takes a path from the folder in which the command was started", () => {
  const from = having({ INIT_CWD: "/home/학생/my course" });
  assertEquals(userPath("answers", from), "/home/학생/my course/answers");
  assertEquals(userPath("./answers/", from), "/home/학생/my course/answers");
  assertEquals(userPath("../내 답안//", from), "/home/학생/내 답안");
  assertEquals(userPath(".", from), "/home/학생/my course");
  assertEquals(userPath("../../..", from), "/");
  assertEquals(userPath("a/../b/./c", from), "/home/학생/my course/b/c");
  assertEquals(userPath("x", having({})), `${Deno.cwd()}/x`);
});

Deno.test("userPath() takes signs of addresses for what they are in a path", () => {
  const from = having({ INIT_CWD: "/home/C# 100%" });
  for (const name of ["50%", "%41", "a+b", "[x]", "C#", "what?", "team:a", "http:"]) {
    assertEquals(userPath(name, from), `/home/C# 100%/${name}`);
  }
});

Deno.test("userPath() leaves an absolute path as it is, but for slashes at its end", () => {
  const from = having({ INIT_CWD: "/elsewhere" });
  assertEquals(userPath("/home/a b/한글#?%20", from), "/home/a b/한글#?%20");
  assertEquals(userPath("/home/a//", from), "/home/a");
  assertEquals(userPath("/", from), "/");
  assertEquals(userPath("C:\\course\\", from), "C:\\course");
});
