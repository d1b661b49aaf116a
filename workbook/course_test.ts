import { assertEquals, assertRejects } from "@std/assert";
import {
  findLesson,
  inLang,
  lessonSlugs,
  readHints,
  readLesson,
  readMistake,
  readMistakeFile,
  readMistakes,
  readOpening,
  readReadme,
  readTaskText,
  readText,
} from "./course.ts";
import { CommandError } from "./errors.ts";

/** A course in a folder of its own. Deleted when the test ends. */
class Course implements AsyncDisposable {
  private constructor(readonly root: string) {}

  static async of(files: Record<string, string>): Promise<Course> {
    const course = new Course(await Deno.makeTempDir({ prefix: "workbook course 강의 " }));
    await Deno.mkdir(`${course.root}/lessons`);
    for (const [path, text] of Object.entries(files)) {
      const file = `${course.root}/lessons/${path}`;
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(file, text);
    }
    return course;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

Deno.test("readReadme() finds title, tasks and points in English", () => {
  const text = "# Lesson 1: A socket\n\n## Task 1: Listen (on a port) (2 points)\ntext\n" +
    "## Task 2: Bind (1 point)\n## Read on\n### Task 3: no (2 points)\n";
  assertEquals(readReadme(text), {
    title: "A socket",
    tasks: [
      { task: 1, title: "Listen (on a port)", points: 2 },
      { task: 2, title: "Bind", points: 1 },
    ],
  });
});

Deno.test("readReadme() finds title, tasks and points in Korean", () => {
  const text = "# 1강: 소켓\n\n## Task 1: OS가 고른 포트에서 듣기 (2점)\n## Task 12: 묶기 (10점)\n";
  assertEquals(readReadme(text), {
    title: "소켓",
    tasks: [
      { task: 1, title: "OS가 고른 포트에서 듣기", points: 2 },
      { task: 12, title: "묶기", points: 10 },
    ],
  });
});

Deno.test("readReadme() takes no heading for a task that lacks its points", () => {
  for (
    const heading of ["## Task 1: Listen", "## Task 1: Listen (two points)", "## Task: L (2점)"]
  ) {
    assertEquals(readReadme(`# Lesson 1: A\n${heading}\n`).tasks, [], heading);
  }
});

Deno.test("readReadme() finds nothing in an empty text", () => {
  assertEquals(readReadme(""), { title: "", tasks: [] });
});

Deno.test("readMistakeFile() reads ids, names and first paragraphs", () => {
  const text = "# Mistakes\n\nIntroduction.\n\n## short-read: One read: one message\n\n" +
    "TCP is\na stream.\n\nMore text.\n\n## a1: Second\nAt once.\n\n## Read on\nno\n";
  assertEquals([...readMistakeFile(text)], [
    ["short-read", { name: "One read: one message", line: "TCP is a stream." }],
    ["a1", { name: "Second", line: "At once." }],
  ]);
});

Deno.test("readMistakeFile() gives an empty line for a mistake without a paragraph", () => {
  assertEquals([...readMistakeFile("## a-b: Name\n")], [["a-b", { name: "Name", line: "" }]]);
});

Deno.test("readMistakeFile() takes no heading for a mistake whose id is not one", () => {
  for (const heading of ["## Short: x", "## two words: x", "## -a: x", "## a--b: x", "## a_b: x"]) {
    assertEquals(readMistakeFile(`${heading}\n\nline\n`).size, 0, heading);
  }
});

Deno.test("readHints() gives the hints of each task, weakest first", () => {
  const text = "# Hints\n\n## Task 1\n\n### Hint 1\n\nLook.\n\n### Hint 2\n\nHarder.\n\n" +
    "```ts fragment\nlook();\n```\n\n## Task 10: Name\n### Hint 1: name\nA\n\n## Else\n### Hint 1\nno\n";
  assertEquals([...readHints(text)], [
    [1, ["Look.", "Harder.\n\n```ts fragment\nlook();\n```"]],
    [10, ["A"]],
  ]);
});

Deno.test("readHints() gives a task without hints an empty list", () => {
  assertEquals([...readHints("## Task 1\n\nNothing.\n")], [[1, []]]);
});

Deno.test("inLang() names the file of a language", () => {
  assertEquals(inLang("README.md", "en"), "README.md");
  assertEquals(inLang("README.md", "ko"), "README.ko.md");
});

Deno.test("lessonSlugs() finds folders that are lessons, in order, and nothing else", async () => {
  await using course = await Course.of({
    "10_last/README.md": "",
    "02_connect/README.md": "",
    "01_create_bind/README.md": "",
    "1_short/README.md": "",
    "03-dash/README.md": "",
    "04_Capital/README.md": "",
    ".hidden/README.md": "",
    "05_file": "not a folder",
  });
  assertEquals(await lessonSlugs(course.root), ["01_create_bind", "02_connect", "10_last"]);
});

Deno.test("readLesson() puts both languages together by the number of the task", async () => {
  await using course = await Course.of({
    "02_connect/README.md":
      "# Lesson 2: Connect\n## Task 1: A (2 points)\n## Task 2: B (3 points)\n",
    "02_connect/README.ko.md": "# 2강: 연결\n## Task 2: 나 (3점)\n## Task 1: 가 (2점)\n",
  });
  assertEquals(await readLesson(course.root, "02_connect"), {
    slug: "02_connect",
    number: 2,
    title: { en: "Connect", ko: "연결" },
    tasks: [
      { task: 1, points: 2, title: { en: "A", ko: "가" } },
      { task: 2, points: 3, title: { en: "B", ko: "나" } },
    ],
  });
});

Deno.test("readLesson() shows English where Korean is missing", async () => {
  await using course = await Course.of({
    "02_connect/README.md": "# Lesson 2: Connect\n## Task 1: A (2 points)\n",
  });
  const { title, tasks } = await readLesson(course.root, "02_connect");
  assertEquals(title, { en: "Connect", ko: "Connect" });
  assertEquals(tasks[0]!.title, { en: "A", ko: "A" });
});

Deno.test("findLesson() finds a lesson by its number", async () => {
  await using course = await Course.of({
    "01_a/README.md": "# Lesson 1: A\n",
    "10_b/README.md": "# Lesson 10: B\n",
  });
  assertEquals((await findLesson(course.root, 10)).slug, "10_b");
  assertEquals((await findLesson(course.root, 1)).slug, "01_a");
});

Deno.test("findLesson() says which lessons there are when there is none of that number", async () => {
  await using course = await Course.of({ "01_a/README.md": "", "10_b/README.md": "" });
  const error = await assertRejects(() => findLesson(course.root, 3), CommandError);
  assertEquals(error.sentence.en, "There is no lesson 3.");
  assertEquals(error.next?.en, "Lessons: 1, 10");
});

Deno.test("readMistakes() prefers the lesson's own text and knows the other lessons' mistakes", async () => {
  await using course = await Course.of({
    "01_a/mistakes.md": "## shared: One\n\nof 1\n\n## only-first: First\n\nfirst\n",
    "01_a/mistakes.ko.md": "## shared: 하나\n\n첫째의 것\n",
    "02_b/mistakes.md": "## shared: Two\n\nof 2\n",
    "02_b/mistakes.ko.md": "## shared: 둘\n\n둘째의 것\n",
    "03_c/README.md": "",
  });
  const mistakes = await readMistakes(course.root, "02_b");
  assertEquals([...mistakes.keys()], ["shared", "only-first"]);
  assertEquals(mistakes.get("shared"), {
    id: "shared",
    name: { en: "Two", ko: "둘" },
    line: { en: "of 2", ko: "둘째의 것" },
  });
  assertEquals(mistakes.get("only-first")!.line, { en: "first", ko: "first" });
});

Deno.test("readText() gives nothing for a file that is missing, and rejects for one that cannot be read", async () => {
  await using course = await Course.of({ "01_a/README.md": "text" });
  assertEquals(await readText(`${course.root}/lessons/01_a/README.md`), "text");
  assertEquals(await readText(`${course.root}/lessons/01_a/hints.md`), "");
  assertEquals(await readText(`${course.root}/lessons/09_z/hints.md`), "");
  await assertRejects(() => readText(`${course.root}/lessons`));
});

Deno.test("the lessons of this course can be read", async () => {
  const root = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
  for (const slug of await lessonSlugs(root)) {
    const { number, title } = await readLesson(root, slug);
    assertEquals((await findLesson(root, number)).title, title);
  }
});

Deno.test("readOpening(), readTaskText() and readMistake() take parts of a text", () => {
  const readme = "# Lesson 1: X\n\nA scene\nof two lines:\n\n```c\nint\n```\n\n" +
    "## Task 1: One (1 point)\n\nfirst\n\n## Task 10: Ten (2 points)\n\ntenth\n\n## End\n";
  assertEquals(readOpening(readme), "A scene\nof two lines:");
  assertEquals([1, 10, 2].map((task) => readTaskText(readme, task)), ["first", "tenth", ""]);
  const mistakes = "# Mistakes\n\n## a-b: The name\n\nline\n\nmore\n\n## c: Other\n\nx\n";
  assertEquals(readMistake(mistakes, "a-b"), { name: "The name", text: "line\n\nmore" });
  assertEquals(readMistake(mistakes, "b"), undefined);
});
