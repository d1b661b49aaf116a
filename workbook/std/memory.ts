/**
 * What looking for JSR gave, remembered in `.workbook/std.json` for the versions that `deno.json` pins.
 *
 * Several commands may run at once: the file is replaced whole or not at all, and whatever is not such a file
 * counts as none.
 *
 * @module
 */

import { PACKAGES } from "./names.ts";
import { isStringRecord, pick } from "./own_map.ts";
import { folderOf } from "./paths.ts";

/** Where the answer is remembered, from the workbook's folder. */
export const MEMORY_FILE = ".workbook/std.json";

const MEMORY_VERSION = 1;

/** How looking for JSR ended: everything loaded, something failed to load, or the time was up. */
export type Outcome = "loaded" | "refused" | "silent";

/** An answer, and when it was found, in ISO 8601. */
export interface Finding {
  outcome: Outcome;
  lookedAt: string;
}

/** Removes the remembered answer, if there is one and it can be removed. */
export async function forgetChoice(root: URL | string): Promise<void> {
  await Deno.remove(new URL(MEMORY_FILE, await folderOf(root))).catch(() => {});
}

/** What `deno.json` says that the packages are. */
export async function readPins(folder: URL): Promise<Record<string, string>> {
  const { imports } = await readJson(new URL("deno.json", folder)) ?? {};
  return isStringRecord(imports) ? pick(imports, PACKAGES) : {};
}

/** The answer on disk; anything that is not one for these versions counts as none. */
export async function recall(
  folder: URL,
  targets: Record<string, string>,
): Promise<Finding | undefined> {
  const memory = await readJson(new URL(MEMORY_FILE, folder));
  if (memory?.version !== MEMORY_VERSION || !isStringRecord(memory.targets)) return undefined;
  const { outcome, lookedAt } = memory;
  if (outcome !== "loaded" && outcome !== "refused" && outcome !== "silent") return undefined;
  if (typeof lookedAt !== "string") return undefined;
  const isSame = PACKAGES.every((name) =>
    (memory.targets as Record<string, string>)[name] === targets[name]
  );
  return isSame ? { outcome, lookedAt } : undefined;
}

/** Writes the answer; tells whether that worked, since a folder may be read-only. */
export async function remember(
  folder: URL,
  memory: { targets: Record<string, string> } & Finding,
): Promise<boolean> {
  const file = new URL(MEMORY_FILE, folder);
  // A name of its own: two commands that look at once write two files, and each rename is whole.
  const draft = new URL(`std-${crypto.randomUUID()}.tmp`, file);
  try {
    await Deno.mkdir(new URL(".", file), { recursive: true });
    const document = { version: MEMORY_VERSION, ...memory };
    await Deno.writeTextFile(draft, JSON.stringify(document, null, 2) + "\n");
    await Deno.rename(draft, file);
    return true;
  } catch {
    await Deno.remove(draft).catch(() => {});
    return false;
  }
}

async function readJson(file: URL): Promise<Record<string, unknown> | undefined> {
  try {
    const value = JSON.parse(await Deno.readTextFile(file));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
