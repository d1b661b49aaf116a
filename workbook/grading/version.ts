/**
 * Which version of the course something was graded with.
 *
 * @module
 */

/** Folders whose files have a say in a verdict, and which of their files. */
const PARTS: [folder: string, name: RegExp][] = [
  ["tests", /^\d\d_[a-z0-9_]+_test\.ts$/],
  ["tests/support", /\.ts$/],
  ["workbook", /(?<!_test)\.ts$/],
  ["workbook/grading", /(?<!_test)\.ts$/],
];
const LESSON_FILE = /^(README|mistakes)(\.ko)?\.md$/;

/** A hash of the course: of its suites, their support, the tasks with their points, and a teacher's own suites. */
export async function courseVersion(root: string, suites?: string): Promise<string> {
  const files = (await Promise.all([
    ...PARTS.map(([folder, name]) => filesIn(`${root}/${folder}`, name, folder)),
    lessonFiles(`${root}/lessons`),
    ...(suites ? [filesIn(suites, /\.(ts|md)$/, "suites")] : []),
  ])).flat().sort((a, b) => a.label < b.label ? -1 : 1);
  const parts = await Promise.all(files.map(async ({ label, path }) => {
    const text = (await Deno.readTextFile(path)).replaceAll("\r\n", "\n");
    return `${label} ${await sha256(text)}\n`;
  }));
  return `sha256:${await sha256(parts.join(""))}`;
}

async function lessonFiles(lessons: string): Promise<{ label: string; path: string }[]> {
  const folders: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(lessons)) {
    if (isDirectory) folders.push(name);
  }
  return (await Promise.all(
    folders.map((name) => filesIn(`${lessons}/${name}`, LESSON_FILE, `lessons/${name}`)),
  )).flat();
}

async function filesIn(
  folder: string,
  wanted: RegExp,
  label: string,
): Promise<{ label: string; path: string }[]> {
  const found: { label: string; path: string }[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && wanted.test(name)) {
      found.push({ label: `${label}/${name}`, path: `${folder}/${name}` });
    }
  }
  return found;
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
