/**
 * What somebody handed in, as a list of files: of a folder, of a ZIP file, or of one inside the other.
 *
 * Nothing is unpacked and no link is followed. Every list is bounded, since a submission may be made to have no end.
 *
 * @module
 */

import { fileSource, memorySource, type Source, Zip, ZipError } from "./zip.ts";

/** More files than any exercise needs; what comes after is not looked at. */
export const MAX_FILES = 20_000;
const MAX_DEPTH = 12;
/** A ZIP file inside another is inflated in memory. */
const MAX_INNER_ZIP_BYTES = 64 * 1024 * 1024;
const MAX_INNER_ZIPS = 10;
/** Folders that tools make; none has anybody's own work in it. */
const TOOLS = new Set([".git", "node_modules", "__MACOSX", ".workbook", ".deno"]);

/** One file, or a folder or link that stands for itself. */
export interface Entry {
  /** Relative, with slashes; no part of it is empty, `.` or `..`. */
  path: string;
  /** `closed`: a folder that cannot be read, or something whose name is none that can be asked for. */
  kind: "file" | "folder" | "link" | "other" | "closed";
  size: number;
  /** The bytes, at most `maxBytes`. Rejects with a {@linkcode ZipError} where an archive is at fault. */
  read(maxBytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** The entries of a folder and of all below it, in the order of their paths. */
export async function folderEntries(dir: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const visit = async (within: string, depth: number): Promise<void> => {
    const found: Deno.DirEntry[] = [];
    for await (const entry of Deno.readDir(within === "" ? dir : `${dir}/${within}`)) {
      found.push(entry);
      if (found.length > MAX_FILES) break;
    }
    for (const entry of found.sort((a, b) => a.name < b.name ? -1 : 1)) {
      if (entries.length >= MAX_FILES) return;
      if (TOOLS.has(entry.name)) continue;
      const path = within === "" ? entry.name : `${within}/${entry.name}`;
      const one = await folderEntry(`${dir}/${path}`, path);
      entries.push(one);
      if (one.kind === "folder" && depth < MAX_DEPTH) {
        await visit(path, depth + 1).catch(() => one.kind = "closed");
      }
    }
  };
  await visit("", 0);
  return entries;
}

/** One entry of a folder. */
export async function folderEntry(full: string, path: string): Promise<Entry> {
  const info = await Deno.lstat(full).catch(() => undefined);
  return {
    path,
    kind: kindOf(info),
    size: info?.size ?? 0,
    read: async (maxBytes) => {
      const source = await fileSource(full);
      return await source.read(0, Math.min(source.size, maxBytes));
    },
  };
}

function kindOf(info: Deno.FileInfo | undefined): Entry["kind"] {
  if (!info) return "closed";
  return info.isSymlink ? "link" : info.isFile ? "file" : info.isDirectory ? "folder" : "other";
}

/** The entries of an archive. Rejects with a {@linkcode ZipError} if it cannot be read. */
export async function zipEntries(source: Source): Promise<Entry[]> {
  const zip = await Zip.open(source);
  const seen = new Set<string>();
  const entries: Entry[] = [];
  for (const entry of zip.entries) {
    const path = entry.name.replace(/\/+$/, "");
    const parts = path.split("/");
    if (entries.length >= MAX_FILES * 3) break;
    if (parts.some((part) => TOOLS.has(part))) continue;
    if (!isPlain(path, parts)) continue;
    // Of two files of one name, programs differ in which they take.
    if (seen.has(path)) {
      if (entry.kind === "folder") continue;
      throw new ZipError({
        en: `The archive was not read: it has two files called "${path}".`,
        ko: `압축 파일을 읽지 않았습니다: "${path}" 파일이 두 개 있습니다.`,
      });
    }
    seen.add(path);
    entries.push({
      path,
      kind: entry.kind,
      size: entry.size,
      read: (maxBytes) => zip.read(entry, maxBytes),
    });
  }
  return entries.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Whether a path stays where it begins. */
function isPlain(path: string, parts: string[]): boolean {
  // deno-lint-ignore no-control-regex
  if (/\x00/.test(path) || /^[A-Za-z]:/.test(path)) return false;
  return parts.every((part) => part !== "" && part !== "." && part !== "..");
}

/** The archive that an entry is. */
export async function zipOf(entry: Entry, file?: string): Promise<Source> {
  if (file !== undefined) return await fileSource(file);
  if (entry.size > MAX_INNER_ZIP_BYTES) {
    throw new ZipError({
      en:
        `The archive "${entry.path}" was not read: limit is ${MAX_INNER_ZIP_BYTES} bytes, it has ${entry.size}.`,
      ko:
        `압축 파일 "${entry.path}" 을(를) 읽지 않았습니다. 한도는 ${MAX_INNER_ZIP_BYTES}바이트인데 ${entry.size}바이트입니다.`,
    });
  }
  return memorySource(await entry.read(MAX_INNER_ZIP_BYTES));
}

/**
 * The entries with those of the archives among them, each below its archive's path. An archive in an archive is
 * opened too, and no deeper. `problems` takes what could not be read.
 */
export async function withArchives(
  entries: Entry[],
  problems: ZipError[],
  depth = 0,
): Promise<Entry[]> {
  const all: Entry[] = [...entries];
  const archives = entries.filter(({ kind, path }) => kind === "file" && isZip(path));
  for (const archive of archives.slice(0, MAX_INNER_ZIPS)) {
    try {
      const inner = await zipEntries(await zipOf(archive));
      const below = depth > 0 ? inner : await withArchives(inner, problems, depth + 1);
      all.push(...below.map((entry) => ({ ...entry, path: `${archive.path}/${entry.path}` })));
    } catch (error) {
      if (!(error instanceof ZipError)) throw error;
      problems.push(error);
    }
  }
  return all;
}

/** Whether a name is that of an archive. */
export function isZip(name: string): boolean {
  return /\.zip$/i.test(name);
}
