import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const README =
  "# Lesson 1: Sockets\n\n## Task 1: First (1 point)\n\n## Task 2: Second (2 points)\n";
const HINTS =
  "# Hints\n\n## Task 1\n\n### Hint 1\n\nweak\n\n### Hint 2\n\nstronger\n\n```ts fragment\nlisten();\n```\n\n" +
  "## Task 2\n\n### Hint 1\n\nother\n";

/** A course of one lesson, with the program of this one. */
async function course(): Promise<string> {
  const root = await Deno.makeTempDir({ prefix: "workbook_hint_" });
  const lesson = `${root}/lessons/01_sockets`;
  await Deno.mkdir(lesson, { recursive: true });
  for (const lang of ["", ".ko"]) {
    await Deno.writeTextFile(`${lesson}/README${lang}.md`, README);
    await Deno.writeTextFile(`${lesson}/hints${lang}.md`, HINTS);
  }
  return root;
}

async function hint(
  root: string,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const run = `const { hintCommand } = await import(${
    JSON.stringify(new URL("hint.ts", import.meta.url).href)
  });
    const { CommandError } = await import(${
    JSON.stringify(new URL("../errors.ts", import.meta.url).href)
  });
    try { Deno.exit(await hintCommand(Deno.args.slice(1), Deno.args[0])); }
    catch (error) { if (!(error instanceof CommandError)) throw error; console.error(error.sentence.en); Deno.exit(2); }`;
  const map = Deno.env.get("WORKBOOK_SUITE_IMPORT_MAP");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-lock",
      "-A",
      ...(map
        ? [`--import-map=${map}`]
        : [`--config=${new URL("../../deno.json", import.meta.url).pathname}`]),
      `data:application/typescript,${encodeURIComponent(run)}`,
      root,
      ...args,
    ],
    env: { LANG: "C", LC_ALL: "C", NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("hintCommand() gives one hint at a time, the weakest first, and says when there is no more", async () => {
  const root = await course();
  try {
    const first = await hint(root, "1", "1");
    assertEquals(first.code, 0);
    assertStringIncludes(first.out, "Hint 1 of 2\nweak\n");
    assert(!first.out.includes("stronger"));
    const second = await hint(root, "1", "1");
    assertStringIncludes(second.out, "Hint 2 of 2\nstronger\n\n    listen();");
    assertStringIncludes((await hint(root, "1", "1")).out, "the last hint there is");
    assertStringIncludes((await hint(root, "1", "2")).out, "other");
    assertStringIncludes((await hint(root, "1", "1", "--again")).out, "Hint 1 of 2");
    const all = await hint(root, "1", "1", "--all");
    assert(all.out.includes("weak") && all.out.includes("stronger"));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("hintCommand() sets a damaged memory aside and says so", async () => {
  const root = await course();
  try {
    await Deno.mkdir(`${root}/.workbook`);
    await Deno.writeTextFile(`${root}/.workbook/hints.json`, "{ damaged");
    const { code, out, err } = await hint(root, "1", "1");
    assertEquals(code, 0);
    assertStringIncludes(out, "Hint 1 of 2");
    assertStringIncludes(err, "was damaged");
    assertEquals(await Deno.readTextFile(`${root}/.workbook/hints.json.damaged`), "{ damaged");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("hintCommand() sets a damaged memory aside also when it starts over, and says only what it did", async () => {
  const root = await course();
  const file = `${root}/.workbook/hints.json`;
  try {
    await Deno.mkdir(`${root}/.workbook`);
    await Deno.writeTextFile(file, "[1, 2]");
    assertStringIncludes((await hint(root, "1", "1", "--again")).err, "is now hints.json.damaged");
    assertEquals(await Deno.readTextFile(`${file}.damaged`), "[1, 2]");
    assertEquals(JSON.parse(await Deno.readTextFile(file)), { "01_sockets/1": 1 });

    await Deno.remove(`${file}.damaged`);
    await Deno.mkdir(`${file}.damaged`);
    await Deno.writeTextFile(file, "{ damaged");
    const { code, out, err } = await hint(root, "1", "1");
    assertEquals(code, 0);
    assertStringIncludes(out, "Hint 1 of 2");
    assertEquals(err.trim().split("\n").length, 1);
    assertStringIncludes(err, "could not be set aside");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("hintCommand() gives hints where nothing can be remembered, and leaves nothing half-written", async () => {
  const root = await course();
  try {
    // A file where the folder should be: nobody can write there, whatever they may.
    await Deno.writeTextFile(`${root}/.workbook`, "");
    for (let i = 0; i < 2; i++) {
      const { code, out, err } = await hint(root, "1", "1");
      assertEquals([code, err], [0, ""]);
      assertStringIncludes(out, "Hint 1 of 2");
    }
    await Deno.remove(`${root}/.workbook`);
    await Deno.mkdir(`${root}/.workbook/hints.json/in-the-way`, { recursive: true });
    assertEquals((await hint(root, "1", "1")).code, 0);
    const left = await Array.fromAsync(Deno.readDir(`${root}/.workbook`));
    assertEquals(left.map(({ name }) => name), ["hints.json"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("hintCommand() begins with the first task that has hints, in the language asked for", async () => {
  const root = await course();
  const file = `${root}/lessons/01_sockets/hints.ko.md`;
  try {
    await Deno.writeTextFile(file, HINTS.replace("## Task 1\n", "").replace("other", "다른 것"));
    const { code, out } = await hint(root, "1", "--lang", "ko");
    assertEquals(code, 0);
    assertStringIncludes(out, "Task 2: Second");
    assertStringIncludes(out, "힌트 1/1\n다른 것");
    const none = await hint(root, "1", "1", "--lang", "ko");
    assertStringIncludes(none.err, "Task 1 of lesson 1 has no hints");
    await Deno.remove(file);
    const missing = await hint(root, "1", "1", "--lang", "ko");
    assertEquals([missing.code, missing.out], [2, ""]);
    assertStringIncludes(missing.err, "no hints in lessons/01_sockets/hints.ko.md");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("hintCommand() refuses what is no task, in one sentence", async () => {
  const root = await course();
  try {
    for (const args of [[], ["9"], ["1", "7"], ["x"], ["1", "2", "3"]]) {
      const { code, out, err } = await hint(root, ...args);
      assertEquals([code, out], [2, ""], args.join(" "));
      assertEquals(err.trim().split("\n").length, 1);
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
