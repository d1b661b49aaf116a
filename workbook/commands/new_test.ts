import { assertEquals, assertRejects } from "@std/assert";
import { CommandError } from "../errors.ts";
import { SUITE_ENV } from "../records.ts";
import { newCommand } from "./new.ts";

const root = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");

/** A copy of what a lesson needs, with no lesson in it. */
async function emptyCourse(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_new_" });
  for (
    const path of [
      "workbook",
      "workbook/check",
      "workbook/commands",
      "workbook/grading",
      "workbook/host",
      "workbook/std",
      "tests/support",
    ]
  ) {
    await Deno.mkdir(`${folder}/${path}`, { recursive: true });
    for await (const { name, isFile } of Deno.readDir(`${root}/${path}`)) {
      if (isFile) await Deno.copyFile(`${root}/${path}/${name}`, `${folder}/${path}/${name}`);
    }
  }
  await Deno.mkdir(`${folder}/lessons`);
  for (const name of ["deno.json", "README.md", "README.ko.md"]) {
    await Deno.copyFile(`${root}/${name}`, `${folder}/${name}`);
  }
  // The front page of this course shows a lesson that the copy has not.
  for (const name of ["README.md", "README.ko.md"]) {
    const text = await Deno.readTextFile(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/${name}`, text.replaceAll("text golden:", "text norun:"));
  }
  return folder;
}

/** Path and text of everything in a folder; a folder's text is null. */
async function everything(folder: string, path = ""): Promise<[string, string | null][]> {
  const found: [string, string | null][] = [];
  for await (const { name, isFile } of Deno.readDir(`${folder}${path}`)) {
    const inner = `${path}/${name}`;
    found.push([inner, isFile ? await Deno.readTextFile(`${folder}${inner}`) : null]);
    if (!isFile) found.push(...await everything(folder, inner));
  }
  return found.sort(([a], [b]) => a < b ? -1 : 1);
}

async function check(folder: string, ...args: string[]): Promise<string> {
  const map = Deno.env.get(SUITE_ENV.importMap);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-lock",
      "-A",
      ...(map ? [`--import-map=${map}`] : []),
      `${folder}/workbook/cli.ts`,
      "check",
      ...args,
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("newCommand() makes a lesson that passes the check as it stands, and touches deno.json only for its task", async () => {
  const folder = await emptyCourse();
  try {
    const before = await Deno.readTextFile(`${folder}/deno.json`);
    assertEquals(await newCommand(["12", "multi_cast"], folder), 0);
    const after = await Deno.readTextFile(`${folder}/deno.json`);
    const line = '    "lesson12": "deno run --cached-only -A workbook/main.ts lesson 12",\n';
    assertEquals(after.replace(line, ""), before);
    assertEquals(after.includes(line), true);
    await check(folder, "--update");
    assertEquals(await check(folder), "6 gradings of 6 submissions, 0 problems\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("newCommand() makes a lesson of as many tasks as asked for", async () => {
  const folder = await emptyCourse();
  try {
    assertEquals(await newCommand(["12", "multi_cast", "--tasks", "3"], folder), 0);
    await check(folder, "--update");
    assertEquals(await check(folder), "6 gradings of 6 submissions, 0 problems\n");
    const suite = await Deno.readTextFile(`${folder}/tests/12_multi_cast_test.ts`);
    assertEquals(suite.match(/^task\(\d/gm), ["task(1", "task(2", "task(3"]);
    for (const tasks of ["0", "21", "x", "1.5"]) {
      await assertRejects(
        () => newCommand(["13", "other", "--tasks", tasks], folder),
        CommandError,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("newCommand() refuses a number in use or a name that is none, and leaves nothing behind", async () => {
  const folder = await Deno.makeTempDir({ prefix: "workbook_new_" });
  try {
    await Deno.mkdir(`${folder}/lessons/03_here`, { recursive: true });
    for (
      const args of [
        ["3", "again"],
        ["03", "again"],
        ["x", "name"],
        ["4", "Name"],
        ["4", "../up"],
        ["4", "two__words"],
        ["4", "end_"],
        ["12", "here"],
        ["0", "zero"],
        ["100", "many"],
        ["4", "name", "more"],
        ["4"],
        [],
      ]
    ) {
      await assertRejects(() => newCommand(args, folder), CommandError);
    }
    const left = await Array.fromAsync(Deno.readDir(folder));
    assertEquals(left.map(({ name }) => name), ["lessons"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("newCommand() leaves nothing behind when a part of the lesson exists or cannot be written", async () => {
  const blocks: [string, (folder: string) => Promise<void>][] = [
    ["a file of the lesson exists", async (folder) => {
      await Deno.mkdir(`${folder}/solutions/44_four`, { recursive: true });
      await Deno.writeTextFile(`${folder}/solutions/44_four/exercise.ts`, "mine");
    }],
    ["its suite exists", async (folder) => {
      await Deno.mkdir(`${folder}/tests`);
      await Deno.writeTextFile(`${folder}/tests/44_four_test.ts`, "mine");
    }],
    ["an empty folder is in the way", (folder) => {
      return Deno.mkdir(`${folder}/tests/right/44_four`, { recursive: true });
    }],
    ["a folder cannot be made", async (folder) => {
      await Deno.mkdir(`${folder}/tests`);
      await Deno.writeTextFile(`${folder}/tests/right`, "a file");
    }],
    ["deno.json has no lessons", (folder) => Deno.writeTextFile(`${folder}/deno.json`, "{}")],
    ["deno.json cannot be read", async (folder) => {
      await Deno.remove(`${folder}/deno.json`);
      await Deno.mkdir(`${folder}/deno.json`);
    }],
  ];
  for (const [name, block] of blocks) {
    const folder = await Deno.makeTempDir({ prefix: "workbook_new_" });
    try {
      await Deno.mkdir(`${folder}/lessons`);
      await Deno.copyFile(`${root}/deno.json`, `${folder}/deno.json`);
      await block(folder);
      const before = await everything(folder);
      await assertRejects(() => newCommand(["44", "four"], folder), CommandError, undefined, name);
      assertEquals(await everything(folder), before, name);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
});
