import { assertEquals } from "@std/assert";
import { inLang, lessonSlugs, readText } from "./course.ts";
import {
  type Fence,
  fenceProblems,
  fragmentProblems,
  kindOf,
  maskOutput,
  readConsole,
  readFences,
  runCommand,
  runProgram,
} from "./fences.ts";
import { SUITE_ENV } from "./records.ts";

const root = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const setting = { config: `${root}/deno.json`, importMap: Deno.env.get(SUITE_ENV.importMap) };

Deno.test("readFences() gives each fence with its line, its info string and its code", () => {
  const fences = readFences("# T\n\n```ts\na\n\nb\n```\ntext\n```text output\nc\n```\n");
  assertEquals(fences, [
    { line: 3, info: "ts", code: "a\n\nb\n" },
    { line: 9, info: "text output", code: "c\n" },
  ]);
});

Deno.test("fenceProblems() finds a fence that says nothing, and an output of nothing", () => {
  const fence = (info: string): Fence => ({ line: 1, info, code: "" });
  assertEquals(fenceProblems([fence("ts"), fence("text output"), fence("c norun: why")]), []);
  assertEquals(fenceProblems([fence("ts norun:")]).length, 1);
  assertEquals(fenceProblems([fence("")]).length, 1);
  assertEquals(fenceProblems([fence("ts fragment"), fence("text output")]).length, 1);
});

Deno.test("maskOutput() keeps what the numbers have to do with each other", () => {
  assertEquals(
    maskOutput("port 40100 → 40200, 40100 again"),
    maskOutput("port 1234 → 999, 1234 again".replace("999", "5678")),
  );
  assertEquals(maskOutput("40100 40100") === maskOutput("40100 40200"), false);
  assertEquals(maskOutput("(0.33 s, seed 12)"), maskOutput("(1.20 s, seed 4294967295)"));
  assertEquals(maskOutput("127.0.0.1:8080 x12345"), "127.0.0.1:<1> x12345");
});

Deno.test("readConsole() takes commands and outputs apart", () => {
  assertEquals(readConsole("$ deno a\nx\ny\n$ deno b\n"), [
    { command: "deno a", output: "x\ny\n" },
    { command: "deno b", output: "" },
  ]);
});

Deno.test("runProgram() lets a program reach the loopback network and no file", async () => {
  const good =
    'using l = Deno.listen({ hostname: "127.0.0.1", port: 0 });\nconsole.log(l.addr.hostname);';
  assertEquals(await runProgram(good, setting), { code: 0, output: "127.0.0.1\n" });
  const bad = await runProgram('Deno.readTextFileSync("/etc/hostname");', setting);
  assertEquals(bad.code, 1);
});

Deno.test("fragmentProblems() tells a fragment that does not parse", async () => {
  assertEquals(await fragmentProblems(["await x();", "for (;;) yield 1;"]), "");
  assertEquals(await fragmentProblems(["const = 5;"]) === "", false);
});

/** All texts of the workbook, by their path. */
async function texts(): Promise<Map<string, string>> {
  const paths = ["README.md", "README.ko.md"];
  for (const slug of await lessonSlugs(root)) {
    for (const name of ["README.md", "hints.md", "mistakes.md"]) {
      paths.push(`lessons/${slug}/${name}`, `lessons/${slug}/${inLang(name, "ko")}`);
    }
  }
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path, await readText(`${root}/${path}`)] as const),
    ),
  );
}

const all = await texts();
const fencesOf = new Map([...all].map(([path, text]) => [path, readFences(text)]));

Deno.test("every code fence says how it is run, or why it is not", () => {
  const problems = [...fencesOf].flatMap(([path, fences]) =>
    fenceProblems(fences).map((problem) => `${path} ${problem}`)
  );
  assertEquals(problems, []);
});

Deno.test("both languages show the same programs", () => {
  for (const [path, fences] of fencesOf) {
    const other = fencesOf.get(path.replace(/\.md$/, ".ko.md"));
    if (!other) continue;
    const programs = (list: Fence[]) =>
      list.filter((fence) => kindOf(fence) === "program").map(({ code }) => withoutWords(code));
    assertEquals(programs(fences), programs(other), path);
  }
});

/** A program without its comments and the words in its strings, which may be translated. */
function withoutWords(code: string): string {
  return code.replace(/^\s*\/\/.*\n/gm, "").replace(/ *\/\/.*$/gm, "")
    .replace(/(["'`])(?:(?!\1).)*\1/g, "$1$1");
}

Deno.test("every fragment is TypeScript", async () => {
  const fragments = [...fencesOf.values()].flat()
    .filter((fence) => kindOf(fence) === "fragment").map(({ code }) => code);
  assertEquals(await fragmentProblems(fragments), "");
});

Deno.test("every link to a file of the workbook leads somewhere", async () => {
  const broken: string[] = [];
  for (const [path, text] of all) {
    const folder = `${root}/${path.replace(/[^/]*$/, "")}`;
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
      if (!(await Deno.stat(`${folder}${target}`).catch(() => undefined))) {
        broken.push(`${path}: ${target}`);
      }
    }
  }
  assertEquals(broken, []);
});

for (const [path, fences] of fencesOf) {
  for (const [i, fence] of fences.entries()) {
    if (kindOf(fence) === "program") {
      Deno.test(`${path} line ${fence.line}: the program runs and prints what is shown`, async () => {
        const { code, output } = await runProgram(fence.code, setting);
        assertEquals(code, 0, output);
        const next = fences[i + 1];
        if (next && kindOf(next) === "output") {
          assertEquals(maskOutput(output), maskOutput(next.code));
        }
      });
    }
    if (kindOf(fence) === "console") {
      Deno.test(`${path} line ${fence.line}: the commands print what is shown`, async () => {
        for (const { command, output } of readConsole(fence.code)) {
          const result = await runCommand(command, root);
          assertEquals(maskOutput(result.output), maskOutput(output), command);
        }
      });
    }
  }
}
