import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readText } from "./course.ts";
import {
  brokenLinks,
  type Fence,
  fenceProblems,
  FenceRunner,
  fragmentProblems,
  kindOf,
  languageProblems,
  maskOutput,
  matchesOutput,
  type Place,
  readConsole,
  readFences,
  runCommand,
  runFences,
  runProgram,
  textPaths,
  typeProblems,
  withoutWords,
} from "./fences.ts";
import { SUITE_ENV } from "./records.ts";

const root = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const importMap = Deno.env.get(SUITE_ENV.importMap);
const setting = { config: `${root}/deno.json`, importMap };

const TICKS = "```";
const fence = (info: string, code = "", line = 1): Fence => ({ line, info, code });
const place = (code: string): Place => ({ path: "sample.md", fence: fence("ts", code, 10) });

/** A workbook of one text, in a folder of its own. */
async function sample(
  files: Record<string, string>,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_texts_" });
  try {
    for (const [name, text] of Object.entries({ "deno.json": "{}", ...files })) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readFences() gives each fence with its line, its info string and its code", () => {
  const fences = readFences("# T\n\n```ts\na\n\nb\n```\ntext\n```text output\nc\n```\n");
  assertEquals(fences, [
    { line: 3, info: "ts", code: "a\n\nb\n" },
    { line: 9, info: "text output", code: "c\n" },
  ]);
});

Deno.test("readFences() finds fences in lists and quotes, of tildes, of four backticks, and with CRLF", () => {
  assertEquals(readFences("- a\n\n  ```ts\n  if (x) {\n    y();\n  }\n  ```\n"), [
    { line: 3, info: "ts", code: "if (x) {\n  y();\n}\n" },
  ]);
  assertEquals(readFences("> ```ts\n> a\n> ```\n"), [{ line: 1, info: "ts", code: "a\n" }]);
  assertEquals(readFences("~~~ts\na\n```\nb\n~~~\n"), [
    { line: 1, info: "ts", code: "a\n```\nb\n" },
  ]);
  assertEquals(readFences("````md norun: why\n```ts\nx\n```\n````\n"), [
    { line: 1, info: "md norun: why", code: "```ts\nx\n```\n" },
  ]);
  assertEquals(readFences("```ts\r\na\r\n```\r\n"), [{ line: 1, info: "ts", code: "a\n" }]);
  assertEquals(readFences("```inline``` is no fence\n"), []);
});

Deno.test("fenceProblems() finds a fence that says nothing, an output of nothing, and a fence without an end", () => {
  assertEquals(fenceProblems([fence("ts"), fence("text output"), fence("c norun: why")]), []);
  assertEquals(fenceProblems([fence("ts norun:")]).length, 1);
  assertEquals(fenceProblems([fence("")]).length, 1);
  assertEquals(fenceProblems([fence("ts fragment"), fence("text output")]).length, 1);
  assertEquals(fenceProblems([fence("console", "deno task x\n")]).length, 1);
  assertEquals(fenceProblems(readFences("text\n\n```ts\nx\n")), [
    "line 3: the fence is not closed",
  ]);
});

Deno.test("maskOutput() keeps what the numbers have to do with each other", () => {
  assertEquals(
    maskOutput("port 40100 → 40200, 40100 again"),
    maskOutput("port 1234 → 5678, 1234 again"),
  );
  assertEquals(maskOutput("40100 40100") === maskOutput("40100 40200"), false);
  assertEquals(maskOutput("(0.33 s, seed 12)"), maskOutput("(12.5 s, seed 4294967295)"));
  assertEquals(maskOutput("(0.33초, 시드 12)"), maskOutput("(1.20초, 시드 7)"));
  assertEquals(maskOutput("127.0.0.1:8080 x12345"), "127.0.0.1:<1> x12345");
});

Deno.test("matchesOutput() lets … stand for any lines, and numbers for one another one to one", () => {
  assert(matchesOutput("a\nb 40100\nc\nd 40100\n", "a\nb 50200\n…\nd 50200\n"));
  assert(matchesOutput("a\n", "a\n…\n"), "none is any");
  assert(matchesOutput("x 1111\nb 2222\nb 3333\nd 3333\n", "…\nb 8888\nd 8888\n"));
  for (
    const [actual, expected] of [
      ["a\nb\n", "a\n"],
      ["a\n", "a\nb\n"],
      ["a\nb\nc\n", "a\n…\nd\n"],
      ["a 40100\nb 40200\n", "a 50100\nb 50100\n"],
      ["a 40100\nb 40100\n", "a 50100\nb 50200\n"],
      ["a …\n", "b …\n"],
    ] as const
  ) assert(!matchesOutput(actual, expected), `${actual} / ${expected}`);
});

Deno.test("readConsole() takes commands and outputs apart", () => {
  assertEquals(readConsole("$ deno a\nx\ny\n$ deno b\n"), [
    { command: "deno a", output: "x\ny\n" },
    { command: "deno b", output: "" },
  ]);
});

Deno.test("withoutWords() drops comments and words, and keeps what is code within a template", () => {
  const same: [string, string][] = [
    ["a(); // one\n/* two\n */ b();", "a();\n// 하나\nb();"],
    ['log("a // b", x);', "log('', x);".replaceAll("'", '"')],
    ["log(`port ${x.port} is`);", "log(`포트는 ${x.port}`);"],
    ["f(`a ${g({ b: `c ${d}` })} e`);", "f(`${g({ b: `${d}` })}`);"],
  ];
  for (const [one, other] of same) assertEquals(withoutWords(one), withoutWords(other));
  const different: [string, string][] = [
    ["log(`${x.port}`);", "log(`${y.port}`);"],
    ['f("a", 1);', 'f("a", 2);'],
    ['f("http://a"); g();', 'f("http://a"); h();'],
    ["f(`a`); g();", "f(`a`); h();"],
  ];
  for (const [one, other] of different) assert(withoutWords(one) !== withoutWords(other), one);
});

Deno.test("languageProblems() tells programs and fragments that differ between languages", () => {
  const en = [fence("ts", "a();"), fence("ts fragment", "b(); // one")];
  assertEquals(
    languageProblems([en, [fence("ts", "a();"), fence("ts fragment", "b(); // 하나")]], "x.md"),
    [],
  );
  assertEquals(languageProblems([en, [fence("ts", "a();")]], "x.md").length, 1);
  assertEquals(
    languageProblems([en, [fence("ts", "a(1);"), fence("ts fragment", "b();")]], "x.md").length,
    1,
  );
});

Deno.test("runProgram() lets a program reach the loopback network and no file", async () => {
  const good =
    'using l = Deno.listen({ hostname: "127.0.0.1", port: 0 });\nconsole.log(l.addr.hostname);';
  assertEquals(await runProgram(good, setting), { code: 0, output: "127.0.0.1\n" });
  const datagram =
    'Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }).close();';
  assertEquals(await runProgram(datagram, setting), { code: 0, output: "" });
  for (
    const bad of [
      'Deno.readTextFileSync("/etc/hostname");',
      'Deno.env.get("HOME");',
      'new Deno.Command("true").outputSync();',
      'await Deno.connect({ hostname: "192.0.2.1", port: 9 });',
    ]
  ) {
    const { code, output } = await runProgram(bad, setting);
    assertEquals(code, 1, bad);
    assertStringIncludes(output, "NotCapable");
  }
});

Deno.test("runProgram() ends a program that does not end, also one that ignores signals", async () => {
  const code = 'Deno.addSignalListener("SIGTERM", () => {});\nsetInterval(() => {}, 1000);';
  const result = await runProgram(code, { ...setting, limitMs: 300 });
  assert(result.code !== 0);
  assertStringIncludes(result.output, "still running after 0.3 s");
});

Deno.test("runCommand() gives both outputs, and not what deno says of the task", async () => {
  const tasks = {
    tasks: {
      say: `deno eval "console.log('Task 1: out'); console.error('err'); Deno.exit(3)"`,
      wait: "sleep 30",
    },
  };
  await sample({ "deno.json": JSON.stringify(tasks) }, async (folder) => {
    assertEquals(await runCommand("deno task say", folder), {
      code: 3,
      output: "Task 1: out\nerr\n",
    });
    const late = await runCommand("deno task wait", folder, 300);
    assertStringIncludes(late.output, "still running");
    assertEquals(
      (await runCommand(`deno eval 'console.log("a b", Deno.args)'`, folder)).output,
      "a b []\n",
    );
  });
});

Deno.test("fragmentProblems() tells a fragment that does not parse, and where it stands", async () => {
  assertEquals(
    await fragmentProblems([
      place("await x();"),
      place("for (;;) yield 1;"),
      place("return   5"),
      place('import { x } from "./x.ts";\nx();'),
    ]),
    "",
  );
  assertEquals(await fragmentProblems([]), "");
  const said = await fragmentProblems([place("fine();"), place("fine();\nconst = 5;")]);
  assertStringIncludes(said, "sample.md:12");
});

Deno.test("typeProblems() tells a program with a type error, and where it stands", async () => {
  const good = place('Deno.listenDatagram({ transport: "udp", port: 0 });');
  const said = await typeProblems([good, place('\nconst port: number = "8080";')], setting);
  assertStringIncludes(said, "TS2322");
  assertStringIncludes(said, "sample.md:12");
  assertMatch(said, /^(?![^]*sample\.md:11\b)/);
});

Deno.test("brokenLinks() finds links to files that are not there, and none in code", async () => {
  await sample({ "here.md": "" }, async (folder) => {
    const text = [
      "[a](here.md) [b](here.md#part) [c](https://example.org/x) [d](#part) [e](/here.md)",
      "`[f](gone.md)` [g](mailto:a@example.org)",
      "```ts",
      "x[0](gone.md);",
      "```",
      "[h](gone.md) ![i](gone.png)",
      "[j]: lost.md",
    ].join("\n");
    assertEquals(await brokenLinks(folder, "README.md", text), [
      "README.md: there is no gone.md",
      "README.md: there is no gone.png",
      "README.md: there is no lost.md",
    ]);
  });
});

Deno.test("runFences() finds nothing in a text that is right", async () => {
  const text = `# Text

${TICKS}ts
using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port, listener.addr.port);
${TICKS}

${TICKS}text output
40123 40123
${TICKS}

${TICKS}ts fragment
await listener.accept();
${TICKS}

${TICKS}console
$ deno task count
first
…
last
$ deno task say
hello
${TICKS}

${TICKS}c norun: C, for comparison
int fd;
${TICKS}
`;
  const tasks = {
    tasks: {
      count: `deno eval "for (const x of ['first', 1, 2, 'last']) console.log(x)"`,
      say: "echo hello",
    },
  };
  await sample({ "deno.json": JSON.stringify(tasks), "README.md": text }, async (folder) => {
    assertEquals(await runFences(folder, "README.md", { importMap }), []);
  });
});

Deno.test("runFences() tells each thing that is wrong, with its line", async () => {
  const fences: [string, string][] = [
    ["ts", 'console.log("one");'],
    ["text output", "two"],
    ["ts", 'throw new Error("broken");'],
    ["console", "$ deno task gone\nfine"],
    ["ts fragment", "const = 1;"],
    ["sh", "ls"],
    ["ts", 'const port: number = "1";\nconsole.log(port);'],
  ];
  const text = fences.map(([info, code]) => `${TICKS}${info}\n${code}\n${TICKS}\n`).join("");
  await sample({ "README.md": `${text}\n[x](gone.md)\n` }, async (folder) => {
    const problems = await runFences(folder, "README.md", { importMap });
    const starts = [
      'README.md line 17: "sh" says neither',
      "README.md: there is no gone.md",
      "Error formatting: README.md:14",
      "TS2322",
      "README.md line 1: the program prints\none\nand the text shows\ntwo",
      "README.md line 7: the program ends with status 1",
      "README.md line 10: the commands print",
    ];
    assertEquals(problems.length, starts.length, problems.join("\n"));
    for (const [i, start] of starts.entries()) {
      assert(problems[i]!.startsWith(start), `${problems[i]}\nshould begin with\n${start}`);
    }
  });
});

Deno.test("FenceRunner runs a program once, and commands where nothing is remembered", async () => {
  // The task remembers how often it ran, as a hint does.
  const tasks = {
    tasks: { count: "mkdir -p .workbook && echo x >> .workbook/n && cat .workbook/n" },
  };
  await sample({ "deno.json": JSON.stringify(tasks) }, async (folder) => {
    await using runner = new FenceRunner(folder, { importMap });
    const shown = fence("console", "$ deno task count\nx\n");
    assertEquals(await Promise.all([runner.console(shown), runner.console(shown)]), [
      undefined,
      undefined,
    ]);
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), [
      "deno.json",
    ]);
    const random = fence("ts", "console.log(crypto.randomUUID());");
    const [one, two] = await Promise.all(
      [0, 1].map(() => runner.program([random, fence("text output", "none")], 0)),
    );
    assertEquals(one, two);
  });
});

/** All texts of the workbook, by their path. */
const all = new Map(
  await Promise.all(
    (await textPaths(root)).map(async (path) => [path, await readText(`${root}/${path}`)] as const),
  ),
);
const fencesOf = new Map([...all].map(([path, text]) => [path, readFences(text)]));

function placesOf(kind: ReturnType<typeof kindOf>): Place[] {
  return [...fencesOf].flatMap(([path, fences]) =>
    fences.filter((fence) => kindOf(fence) === kind).map((fence) => ({ path, fence }))
  );
}

Deno.test("every code fence says how it is run, or why it is not", () => {
  const problems = [...fencesOf].flatMap(([path, fences]) =>
    fenceProblems(fences).map((problem) => `${path} ${problem}`)
  );
  assertEquals(problems, []);
});

Deno.test("both languages show the same programs", () => {
  const problems = [...fencesOf].flatMap(([path, fences]) => {
    const other = fencesOf.get(path.replace(/\.md$/, ".ko.md"));
    return other ? languageProblems([fences, other], path) : [];
  });
  assertEquals(problems, []);
});

Deno.test("every fragment is TypeScript", async () => {
  assertEquals(await fragmentProblems(placesOf("fragment")), "");
});

Deno.test("every program passes the compiler", async () => {
  assertEquals(await typeProblems(placesOf("program"), setting), "");
});

Deno.test("every link to a file of the workbook leads somewhere", async () => {
  const broken = await Promise.all(
    [...all].map(([path, text]) => brokenLinks(root, path, text)),
  );
  assertEquals(broken.flat(), []);
});

const runner = new FenceRunner(root, { importMap });
Deno.test.afterAll(() => runner[Symbol.asyncDispose]());

for (const [path, fences] of fencesOf) {
  for (const [i, fence] of fences.entries()) {
    if (kindOf(fence) === "program") {
      Deno.test(`${path} line ${fence.line}: the program runs and prints what is shown`, async () => {
        assertEquals(await runner.program(fences, i), undefined);
      });
    }
    if (kindOf(fence) === "console") {
      Deno.test(`${path} line ${fence.line}: the commands print what is shown`, async () => {
        assertEquals(await runner.console(fence), undefined);
      });
    }
  }
}
