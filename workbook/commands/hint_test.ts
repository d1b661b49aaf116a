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

/** What a grading that saw this mistake in task 1 leaves behind. */
async function see(root: string, mistake: string): Promise<void> {
  await Deno.mkdir(`${root}/.workbook`, { recursive: true });
  const file = `${root}/.workbook/progress.json`;
  const progress = JSON.parse(await Deno.readTextFile(file).catch(() => "null")) ??
    { kind: "socket-workbook progress", version: 1, lessons: { sockets: { tasks: {} } } };
  const last = { status: "fail", at: "2026-11-21T00:00:00Z" };
  Object.assign(progress.lessons.sockets.tasks["task 1"] ??= {}, { last, mistake });
  await Deno.writeTextFile(file, JSON.stringify(progress));
}

Deno.test("hintCommand() begins with the mistake that was seen last, once, and for the task that fails", async () => {
  const root = await course();
  try {
    for (const lang of ["", ".ko"]) {
      await Deno.writeTextFile(
        `${root}/lessons/01_sockets/mistakes${lang}.md`,
        "# Mistakes\n\n## fixed-port: A port of one's own\n\nOnly the OS knows.\n\nAsk for port 0.\n",
      );
    }
    assertStringIncludes((await hint(root, "1", "1")).out, "Hint 1 of 2");
    await see(root, "fixed-port");
    const about = await hint(root, "1");
    assertStringIncludes(about.out, "Seen in your last grading: fixed-port (A port of one's own)");
    assertStringIncludes(about.out, "Ask for port 0.");
    assert(!about.out.includes("Hint "), about.out);
    assertStringIncludes((await hint(root)).out, "Hint 2 of 2");
    // Another mistake is another hint; one that no lesson names is none.
    await see(root, "unheard-of");
    assertStringIncludes((await hint(root, "1")).out, "Hint 2 of 2");
    await see(root, "fixed-port");
    assertStringIncludes((await hint(root, "1", "--again")).out, "fixed-port");
    assertStringIncludes((await hint(root, "1")).out, "Hint 1 of 2");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("hintCommand() sets a damaged memory aside and says so", async () => {
  const root = await course();
  try {
    await Deno.mkdir(`${root}/.workbook`);
    await Deno.writeTextFile(`${root}/.workbook/progress.json`, "{ damaged");
    const { code, out, err } = await hint(root, "1", "1");
    assertEquals(code, 0);
    assertStringIncludes(out, "Hint 1 of 2");
    assertStringIncludes(err, "was damaged");
    const names = [...Deno.readDirSync(`${root}/.workbook`)].map(({ name }) => name);
    assert(names.some((name) => name.startsWith("progress.json.damaged-")), names.join());
    assertStringIncludes((await hint(root, "1", "1")).out, "Hint 2 of 2");
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
      assertEquals(code, 0);
      assertStringIncludes(err, "Progress cannot be kept");
      assertStringIncludes(out, "Hint 1 of 2");
    }
    await Deno.remove(`${root}/.workbook`);
    await Deno.mkdir(`${root}/.workbook/progress.json/in-the-way`, { recursive: true });
    assertEquals((await hint(root, "1", "1")).code, 0);
    const left = await Array.fromAsync(Deno.readDir(`${root}/.workbook`));
    assertEquals(left.map(({ name }) => name).sort(), ["progress.json", "progress.lock"]);
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
    for (const args of [["9"], ["1", "7"], ["x"], ["1", "2", "3"]]) {
      const { code, out, err } = await hint(root, ...args);
      assertEquals([code, out], [2, ""], args.join(" "));
      assertEquals(err.trim().split("\n").length, 1);
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
