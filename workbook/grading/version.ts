/**
 * Which version of the course something was graded with.
 *
 * @module
 */

/** A folder, or a file, that has a say in a verdict. */
interface Part {
  path: string;
  /** Which of its files; all where none is said. */
  files?: RegExp;
  /** With what lies in its folders. */
  deep?: boolean;
}

const CODE = /(?<!_test)\.ts$/;
const PARTS: Part[] = [
  // Settings of the suites' processes, and which packages they get.
  { path: "deno.json" },
  { path: "tests", files: /^\d\d_[a-z0-9_]+_test\.ts$/ },
  { path: "tests/support", files: /(?<!_test\.ts)$/, deep: true },
  // What suites compare with.
  { path: "tests/captures", files: /(?<!\.md)$/, deep: true },
  { path: "workbook", files: CODE },
  { path: "workbook/grading", files: CODE },
  { path: "workbook/host", files: CODE },
  { path: "workbook/std", files: /(?<!_test\.ts)$/, deep: true },
];
const LESSON_FILE = /^(README|mistakes)(\.ko)?\.md$/;
/** Where line ends may differ between copies of the same. */
const TEXT = /\.(ts|md|json|txt)$/;

interface Found {
  label: string;
  path: string;
}

/**
 * A hash of the course: of its suites, all that they read, their support, the tasks with their points, and of a folder
 * with a teacher's own suites whatever lies in it, since a suite may read it.
 */
export async function courseVersion(root: string, suites?: string): Promise<string> {
  const files = (await Promise.all([
    ...PARTS.map((part) => filesOf({ ...part, path: `${root}/${part.path}` }, part.path)),
    lessonFiles(`${root}/lessons`),
    ...(suites ? [filesOf({ path: suites, deep: true }, "suites")] : []),
  ])).flat().sort((a, b) => a.label < b.label ? -1 : 1);
  const parts = await Promise.all(files.map(async ({ label, path }) => {
    const bytes = await Deno.readFile(path);
    return `${label} ${await sha256(TEXT.test(path) ? withPlainEnds(bytes) : bytes)}\n`;
  }));
  return `sha256:${await sha256(new TextEncoder().encode(parts.join("")))}`;
}

async function lessonFiles(lessons: string): Promise<Found[]> {
  const folders: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(lessons)) {
    if (isDirectory) folders.push(name);
  }
  return (await Promise.all(
    folders.map((name) =>
      filesOf({ path: `${lessons}/${name}`, files: LESSON_FILE }, `lessons/${name}`)
    ),
  )).flat();
}

async function filesOf(part: Part, label: string): Promise<Found[]> {
  const { path, files = /^/, deep = false } = part;
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info) return [];
  if (info.isFile) return [{ label, path }];
  const found: Found[] = [];
  for await (const { name, isFile, isDirectory } of Deno.readDir(path)) {
    // An editor's, or a version control's.
    if (name.startsWith(".")) continue;
    const inner = { label: `${label}/${name}`, path: `${path}/${name}` };
    if (isFile && files.test(name)) found.push(inner);
    else if (isDirectory && deep) {
      found.push(...await filesOf({ ...part, path: inner.path }, inner.label));
    }
  }
  return found;
}

function withPlainEnds(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(new TextDecoder().decode(bytes).replaceAll("\r\n", "\n"));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
