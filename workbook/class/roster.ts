/**
 * Who handed in what: finds the students in a folder, or a ZIP file, as platforms give them to a teacher.
 *
 * - Gradescope, "Download Submissions": `submission_12345/…`, with the names in `submission_metadata.yml`
 * - GitHub Classroom, `gh classroom clone student-repos`: `ASSIGNMENT-submissions/ASSIGNMENT-username/…`
 * - Moodle, "Download all submissions": `Full Name_12345_assignsubmission_file/…`, or the files without folders
 * - anything else: a folder, or a ZIP file, per student
 *
 * @module
 */

import { CommandError } from "../errors.ts";
import type { Text } from "../text.ts";
import { type Entry, folderEntries, folderEntry, isZip, withArchives, zipEntries } from "./tree.ts";
import { fileSource, ZipError } from "./zip.ts";

/** Somebody who handed something in. */
export interface Student {
  /** What the submission is called: the folder's name, without what a platform adds behind it. Unique in a class. */
  name: string;
  /** Whose it is, as far as known; else the same. */
  student: string;
  /** The platform's number or address for them; empty if there is none. */
  id: string;
  /** All that was handed in. */
  files(): Promise<{ entries: Entry[]; problems: ZipError[] }>;
}

/** A class. */
export interface Roster {
  students: Student[];
  /** Names in the folder that are nobody's. */
  strays: string[];
}

/** One thing in the folder. */
export interface Item {
  name: string;
  kind: Entry["kind"];
  /** What is in it, with paths in it; for a file, the file itself. */
  entries(): Promise<Entry[]>;
}

const MOODLE = /^(.+?)_(\d+)_assignsubmission_(?:file|onlinetext)(?:_(.*))?$/s;
const METADATA = "submission_metadata.yml";
const MAX_METADATA_BYTES = 32 * 1024 * 1024;

/** Reads who is in a class. Throws a {@linkcode CommandError} if `path` is no folder and no ZIP file, or has nobody. */
export async function readRoster(path: string): Promise<Roster> {
  const items = await readItems(path);
  const roster = await recognise(items, lastPart(path));
  if (roster.students.length > 0) return roster;
  throw new CommandError(
    { en: `There are no submissions in "${path}".`, ko: `"${path}" 안에 제출물이 없습니다.` },
    {
      en: "There must be a folder, or a ZIP file, for each student.",
      ko: "학생마다 폴더나 ZIP 파일이 하나씩 있어야 합니다.",
    },
  );
}

function lastPart(path: string): string {
  return path.split(/[\\/]/).filter((part) => part !== "").at(-1) ?? "";
}

async function readItems(path: string): Promise<Item[]> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info?.isDirectory) {
    const items: Item[] = [];
    for await (const { name } of Deno.readDir(path)) {
      const entry = await folderEntry(`${path}/${name}`, name);
      items.push({
        name,
        kind: entry.kind,
        entries: () =>
          entry.kind === "folder" ? folderEntries(`${path}/${name}`) : Promise.resolve([entry]),
      });
    }
    return items;
  }
  if (!info?.isFile || !isZip(path)) {
    throw new CommandError({
      en: `There is no folder and no ZIP file "${path}".`,
      ko: `"${path}" 폴더나 ZIP 파일이 없습니다.`,
    });
  }
  try {
    return itemsOfZip(await zipEntries(await fileSource(path)));
  } catch (error) {
    if (error instanceof ZipError) throw new CommandError(error.sentence);
    throw error;
  }
}

/** The things at the top of an archive, or in its one folder, if that holds a class. */
function itemsOfZip(entries: Entry[]): Item[] {
  const byTop = new Map<string, Entry[]>();
  for (const entry of entries) {
    const [top = "", ...rest] = entry.path.split("/");
    const inner = byTop.get(top) ?? [];
    inner.push({ ...entry, path: rest.join("/") });
    byTop.set(top, inner);
  }
  const [only, another] = byTop.keys();
  if (only !== undefined && another === undefined && !MOODLE.test(only)) {
    const inner = byTop.get(only)!.filter(({ path }) => path !== "");
    const isClass = /(^|[-_ ])(export|submissions)$/i.test(only) ||
      inner.some(({ path }) => path === METADATA);
    if (isClass) return itemsOfZip(inner);
  }
  return [...byTop].map(([name, inner]): Item => {
    const itself = inner.find(({ path }) => path === "");
    const below = inner.filter(({ path }) => path !== "");
    const isFolder = below.length > 0 || itself?.kind === "folder";
    const files = isFolder ? below : [{ ...itself!, path: name }];
    return {
      name,
      kind: isFolder ? "folder" : itself!.kind,
      entries: () => Promise.resolve(files),
    };
  });
}

/** Finds out whose the things in a folder are. `folder` is its name. */
async function recognise(all: Item[], folder: string): Promise<Roster> {
  const items = all.filter(({ name }) => !name.startsWith(".") && name !== "__MACOSX")
    .sort((a, b) => a.name < b.name ? -1 : 1);
  const metadata = items.find(({ name, kind }) => name === METADATA && kind === "file");
  const submitters = metadata ? await readSubmitters(metadata) : new Map<string, Submitter>();
  const prefix = await classroomPrefix(items, folder);
  const students = new Map<string, { student: string; id: string; parts: Item[] }>();
  const strays: string[] = [];
  const add = (
    name: string,
    { student, id = "" }: { student: string; id?: string },
    item: Item,
  ) => {
    const known = students.get(name);
    if (known) known.parts.push(item);
    else students.set(name, { student, id, parts: [item] });
  };
  const folders = new Set(items.filter(({ kind }) => kind === "folder").map(({ name }) => name));
  for (const item of items) {
    const moodle = MOODLE.exec(item.name);
    if (moodle) {
      const [, student = "", id = "", rest] = moodle;
      add(`${student}_${id}`, { student, id }, item.kind === "file" ? renamed(item, rest) : item);
      continue;
    }
    if (item.kind === "file") {
      const name = item.name.replace(/\.zip$/i, "");
      if (!isZip(item.name)) strays.push(item.name);
      else add(folders.has(name) ? item.name : name, { student: name }, item);
      continue;
    }
    const known = submitters.get(item.name);
    if (known) add(item.name, known, item);
    else if (prefix && item.name.startsWith(prefix)) {
      add(item.name, { student: item.name.slice(prefix.length) }, item);
    } else add(item.name, { student: item.name }, item);
  }
  const found = [...students].map(([name, { student, id, parts }]): Student => ({
    name,
    student,
    id,
    files: () => filesOf(parts),
  }));
  return { students: found.sort((a, b) => a.name < b.name ? -1 : 1), strays };
}

/** A file that Moodle gave a student's name as its own again. */
function renamed(item: Item, name: string | undefined): Item {
  if (!name) return item;
  return {
    ...item,
    entries: async () => (await item.entries()).map((entry) => ({ ...entry, path: name })),
  };
}

/** Why a thing in the folder is nobody's work, by its kind. */
const REFUSED: Partial<Record<Entry["kind"], Text>> = {
  link: {
    en: "The submission is a symbolic link, which is not followed.",
    ko: "제출물이 심볼릭 링크입니다. 링크는 따라가지 않습니다.",
  },
  other: {
    en: "The submission is neither a folder nor a file.",
    ko: "제출물이 폴더도 파일도 아닙니다.",
  },
  closed: {
    en: "The submission cannot be read: its name is not UTF-8, or it has gone.",
    ko: "제출물을 읽을 수 없습니다. 이름이 UTF-8이 아니거나 그사이에 사라졌습니다.",
  },
};

/** All that several things hold, with what is in archives. */
export async function filesOf(parts: Item[]): Promise<{ entries: Entry[]; problems: ZipError[] }> {
  const problems: ZipError[] = [];
  const entries: Entry[] = [];
  for (const part of parts) {
    const refused = REFUSED[part.kind];
    if (refused) {
      problems.push(new ZipError(refused));
      continue;
    }
    const own = await part.entries();
    const opened = await withArchives(own, problems);
    // A submission that is one archive has the archive's paths.
    const only = part.kind === "file" && own.length === 1 && isZip(own[0]!.path)
      ? own[0]
      : undefined;
    entries.push(
      ...(only
        ? opened.filter((entry) => entry !== only)
          .map((entry) => ({ ...entry, path: entry.path.slice(only.path.length + 1) }))
        : opened),
    );
  }
  return { entries, problems };
}

/** What the names of repositories begin with: the assignment's name and a hyphen. */
async function classroomPrefix(items: Item[], folder: string): Promise<string | undefined> {
  const names = items.filter(({ kind }) => kind === "folder").map(({ name }) => name);
  const assignment = /^(.+)-submissions$/.exec(folder)?.[1];
  if (assignment && names.some((name) => name.startsWith(`${assignment}-`))) {
    return `${assignment}-`;
  }
  if (names.length < 2) return undefined;
  let common = names[0]!;
  for (const name of names) while (!name.startsWith(common)) common = common.slice(0, -1);
  const prefix = common.slice(0, common.lastIndexOf("-") + 1);
  if (prefix.length < 2 || names.includes(prefix)) return undefined;
  // Names of people may begin alike as well: only repositories are called after an assignment.
  const first = items.find(({ name }) => name === names[0])!;
  const paths = (await first.entries()).map(({ path }) => path);
  return paths.some((path) => /^(\.github|lessons|deno\.json)(\/|$)/.test(path))
    ? prefix
    : undefined;
}

interface Submitter {
  student: string;
  id: string;
}

async function readSubmitters(item: Item): Promise<Map<string, Submitter>> {
  const [entry] = await item.entries();
  const bytes = await entry!.read(MAX_METADATA_BYTES).catch(() => new Uint8Array());
  return parseSubmitters(new TextDecoder().decode(bytes));
}

/**
 * The names in Gradescope's `submission_metadata.yml`.
 *
 * Reads the one shape in which it is written, and nothing else of YAML: what is not understood is left out, and that
 * student keeps the folder's name.
 */
export function parseSubmitters(text: string): Map<string, Submitter> {
  const found = new Map<string, Submitter>();
  for (const part of text.split(/^(?=\S)/m)) {
    const folder = /^"?([\w.-]+)"?:\s*$/m.exec(part.split("\n")[0]!)?.[1];
    if (!folder) continue;
    const lines = part.split("\n").slice(1);
    const begin = lines.findIndex((line) => /^ +:?submitters:\s*$/.test(line));
    if (begin < 0) continue;
    const indent = /^ */.exec(lines[begin]!)![0].length;
    const people: Record<string, string>[] = [];
    for (const line of lines.slice(begin + 1)) {
      const match = /^( *)(- )?(?: *):?(\w+): *(.*?)\s*$/.exec(line);
      if (!match) break;
      const [, spaces = "", dash, key = "", value = ""] = match;
      if (spaces.length < indent || (spaces.length === indent && !dash)) break;
      if (dash) people.push({});
      const person = people.at(-1);
      if (person) person[key] ??= scalar(value);
    }
    const names = people.map(({ name }) => name).filter((name) => name);
    if (names.length === 0) continue;
    const ids = people.map(({ email, sid }) => sid || email || "").filter((id) => id !== "");
    found.set(folder, { student: names.join(", "), id: ids.join(", ") });
  }
  return found;
}

/** A YAML scalar on one line: plain, in single or in double quotes. */
function scalar(text: string): string {
  if (/^'.*'$/.test(text)) return text.slice(1, -1).replaceAll("''", "'");
  if (/^".*"$/.test(text)) {
    try {
      return String(JSON.parse(text.replace(/\\x([0-9a-f]{2})/gi, "\\u00$1")));
    } catch {
      return text.slice(1, -1);
    }
  }
  return text === "null" || text === "~" ? "" : text;
}
