import { assertEquals, assertRejects } from "@std/assert";
import { CommandError } from "../errors.ts";
import { parseSubmitters, readRoster } from "./roster.ts";
import { takeStudent } from "./stage.ts";
import { writeZip } from "./zip_writer.ts";

const SLUGS = ["01_create_bind", "02_connect"];
const encoder = new TextEncoder();

/** Writes files, reads who handed in what, and gives for each the name, whose it is, and the exercises' texts. */
async function rosterOf(
  files: Record<string, string | Uint8Array>,
  { folder = "submissions", links = {} }: { folder?: string; links?: Record<string, string> } = {},
): Promise<Record<string, { student: string; id: string; taken: Record<string, string> }>> {
  const base = await Deno.makeTempDir({ prefix: "workbook_roster_" });
  try {
    for (const [path, content] of Object.entries(files)) {
      const full = `${base}/${folder}/${path}`;
      await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(full, typeof content === "string" ? encoder.encode(content) : content);
    }
    for (const [path, target] of Object.entries(links)) {
      await Deno.symlink(target, `${base}/${folder}/${path}`);
    }
    const only = Object.keys(files);
    const path = only.length === 1 && only[0] === "all.zip" ? `${folder}/all.zip` : folder;
    const { students } = await readRoster(`${base}/${path}`);
    const found: Awaited<ReturnType<typeof rosterOf>> = {};
    for (const student of students) {
      const staged = await takeStudent(student, SLUGS);
      const taken: Record<string, string> = {};
      for (const [slug, bytes] of staged.exercises) taken[slug] = new TextDecoder().decode(bytes);
      for (const [slug, { en }] of staged.refused) taken[slug] = `refused: ${en}`;
      if (staged.problem) taken.problem = staged.problem.en;
      found[student.name] = { student: student.student, id: student.id, taken };
    }
    return found;
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

Deno.test("readRoster() takes each folder for a student, and finds lessons deeper in it", async () => {
  const found = await rosterOf({
    "ada/01_create_bind/exercise.ts": "a",
    "bob/repo/lessons/01_create_bind/exercise.ts": "b1",
    "bob/repo/lessons/02_connect/exercise.ts": "b2",
    "bob/repo/solutions/01_create_bind/exercise.ts": "not mine",
    "bob/repo/old/02_connect/exercise.ts": "old",
    "notes.txt": "nobody",
  });
  assertEquals(found, {
    ada: { student: "ada", id: "", taken: { "01_create_bind": "a" } },
    bob: { student: "bob", id: "", taken: { "01_create_bind": "b1", "02_connect": "b2" } },
  });
});

Deno.test("readRoster() never takes the course's own answers", async () => {
  const found = await rosterOf({ "ada/solutions/01_create_bind/exercise.ts": "the course's" });
  assertEquals(found.ada!.taken, {});
});

Deno.test("readRoster() knows Gradescope's folders and names", async () => {
  const found = await rosterOf({
    "submission_metadata.yml": `---
submission_101:
  :submitters:
  - :name: Ada Lovelace
    :sid: '0042'
    :email: ada@example.org
  :created_at: 2026-03-01 10:00:00
  :score: 1.0
submission_102:
  :submitters:
  - :name: "Gr\\xE4ce: Hopper"
    :sid:
    :email: grace@example.org
  - :name: Bob
    :sid:
    :email: bob@example.org
`,
    "submission_101/01_create_bind/exercise.ts": "a",
    "submission_102/01_create_bind/exercise.ts": "g",
    "submission_103/01_create_bind/exercise.ts": "?",
  });
  assertEquals(Object.entries(found).map(([name, { student, id }]) => [name, student, id]), [
    ["submission_101", "Ada Lovelace", "0042"],
    ["submission_102", "Gräce: Hopper, Bob", "grace@example.org, bob@example.org"],
    ["submission_103", "submission_103", ""],
  ]);
});

Deno.test("parseSubmitters() leaves out what it does not understand", () => {
  assertEquals(parseSubmitters("submission_1: &a\n  *b\n\tx\n- - -").size, 0);
  assertEquals(parseSubmitters("").size, 0);
});

Deno.test("readRoster() knows GitHub Classroom's names", async () => {
  const files = {
    "net-ada/lessons/01_create_bind/exercise.ts": "a",
    "net-ada-b/lessons/01_create_bind/exercise.ts": "b",
  };
  const named = await rosterOf(files, { folder: "net-submissions" });
  assertEquals(Object.values(named).map(({ student }) => student), ["ada", "ada-b"]);
  // Names of people that begin alike are not an assignment's.
  const people = await rosterOf({
    "kim-ada/01_create_bind/exercise.ts": "a",
    "kim-bob/01_create_bind/exercise.ts": "b",
  });
  assertEquals(Object.values(people).map(({ student }) => student), ["kim-ada", "kim-bob"]);
});

Deno.test("readRoster() knows Moodle's folders, files and ZIP files", async () => {
  const zip = writeZip([{ name: "hw/01_create_bind/exercise.ts", bytes: encoder.encode("z") }]);
  const found = await rosterOf({
    "Ada Lovelace_11_assignsubmission_file_/01_create_bind/exercise.ts": "a",
    "Ada Lovelace_11_assignsubmission_onlinetext_/onlinetext.html": "<p>hi",
    "김민준_12_assignsubmission_file/work.zip": zip,
    "Bob_13_assignsubmission_file_work.zip": zip,
  });
  assertEquals(found, {
    "Ada Lovelace_11": { student: "Ada Lovelace", id: "11", taken: { "01_create_bind": "a" } },
    "Bob_13": { student: "Bob", id: "13", taken: { "01_create_bind": "z" } },
    "김민준_12": { student: "김민준", id: "12", taken: { "01_create_bind": "z" } },
  });
});

Deno.test("readRoster() reads one ZIP file of a whole class", async () => {
  const inner = writeZip([{ name: "02_connect/exercise.ts", bytes: encoder.encode("in") }]);
  const all = writeZip([
    { name: "export/submission_1/01_create_bind/exercise.ts", bytes: encoder.encode("a") },
    { name: "export/submission_2/work.zip", bytes: inner },
    { name: "export/submission_metadata.yml", bytes: encoder.encode("---\n") },
  ]);
  assertEquals(await rosterOf({ "all.zip": all }), {
    submission_1: { student: "submission_1", id: "", taken: { "01_create_bind": "a" } },
    submission_2: { student: "submission_2", id: "", taken: { "02_connect": "in" } },
  });
});

Deno.test("readRoster() follows no link, and says so", async () => {
  const zip = writeZip([
    { name: "01_create_bind/exercise.ts", bytes: encoder.encode("/etc/passwd"), isLink: true },
  ]);
  const found = await rosterOf({ "ada/readme": "", "zed.zip": zip, "cut.zip": "PK" }, {
    links: { "ada/01_create_bind": "/etc", "bob": "/etc" },
  });
  const isLink = "is a symbolic link, which is not followed.";
  assertEquals(found.ada!.taken["01_create_bind"], `refused: "01_create_bind" ${isLink}`);
  assertEquals(found.bob!.taken.problem, `The submission ${isLink}`);
  assertEquals(found.zed!.taken.problem, `"01_create_bind/exercise.ts" ${isLink}`);
  assertEquals(
    found.cut!.taken.problem,
    "The archive was not read: it is no ZIP file, or was cut.",
  );
});

Deno.test("readRoster() says what is no class", async () => {
  await assertRejects(() => readRoster("/no/such/place"), CommandError, "no folder and no ZIP");
  const dir = await Deno.makeTempDir({ prefix: "workbook_roster_" });
  await assertRejects(() => readRoster(dir), CommandError, "no submissions");
  await Deno.remove(dir);
});

/** Calls the shell, for names and files that Deno cannot make. */
async function shell(script: string): Promise<void> {
  const { success } = await new Deno.Command("/bin/sh", { args: ["-c", script] }).output();
  assertEquals(success, true);
}

Deno.test({
  name: "readRoster() stops at no name and no file, and says what it could not read",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const base = await Deno.makeTempDir({ prefix: "workbook_roster_" });
    try {
      await shell(`cd "${base}"
        for student in ada "$(printf 'bad\\377')"; do
          mkdir -p "$student/01_create_bind"
          echo code > "$student/01_create_bind/exercise.ts"
        done
        touch "$(printf 'ada/\\376\\377')" "$(printf 'ada/01_create_bind/\\377.ts')"
        mkfifo pipe ada/pipe`);
      const { students } = await readRoster(base);
      const taken = await Promise.all(students.map((student) => takeStudent(student, SLUGS)));
      const told = students.map(({ name }, i) => [
        name,
        taken[i]!.exercises.size,
        taken[i]!.problem?.en ?? "",
      ]);
      assertEquals(told, [
        ["ada", 1, ""],
        ["bad\ufffd", 0, "The submission cannot be read: its name is not UTF-8, or it has gone."],
        ["pipe", 0, "The submission is neither a folder nor a file."],
      ]);
    } finally {
      await Deno.remove(base, { recursive: true }).catch(() => shell(`rm -r "${base}"`));
    }
  },
});
