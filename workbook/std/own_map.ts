/**
 * An import map of the user's own in place of the pinned library: an institution's mirror, a checkout.
 *
 * @module
 */

import type { Text } from "../text.ts";
import { PACKAGES, SUBPATHS } from "./names.ts";

/** A fault that the user can mend; the command prints the sentence and ends with status 2. */
export class StdError extends Error {
  constructor(readonly text: Text) {
    super(text.en);
    this.name = "StdError";
  }
}

/** The environment variable that names an import map of the user's own. */
export const OWN_MAP_VARIABLE = "WORKBOOK_IMPORT_MAP";

/**
 * Reads the import map that the user names, as an absolute path and with what it maps the packages to.
 *
 * Throws {@linkcode StdError} if it does not serve: Deno's own complaint would come much later, as a stack trace.
 */
export async function readOwnMap(
  name: string,
): Promise<{ importMap: string; targets: Record<string, string> }> {
  const { resolve } = await import("node:path");
  // `deno task` runs in the project's folder; INIT_CWD is where the user typed the command.
  const importMap = resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), name);
  const cannot = (en: string, ko: string) =>
    new StdError({
      en: `Cannot use the import map "${name}" that ${OWN_MAP_VARIABLE} names: ${en}.`,
      ko: `${OWN_MAP_VARIABLE}에 적힌 임포트 맵 "${name}"을 쓸 수 없습니다(${ko}).`,
    });

  let text: string;
  try {
    text = await Deno.readTextFile(importMap);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw cannot("there is no such file", "그런 파일이 없습니다");
    }
    throw cannot("it cannot be read", "파일을 읽을 수 없습니다");
  }
  let imports: unknown;
  try {
    imports = JSON.parse(text)?.imports;
  } catch {
    throw cannot("it is not JSON", "JSON이 아닙니다");
  }
  if (!isStringRecord(imports)) {
    throw cannot('it has no object "imports" of names', '이름을 담은 "imports" 객체가 없습니다');
  }
  const missing = [...PACKAGES, ...SUBPATHS].filter((name) => !resolves(imports, name));
  if (missing.length > 0) {
    const names = missing.map((name) => `"${name}"`).join(", ");
    throw cannot(`it does not map ${names}`, `다음 이름이 빠져 있습니다: ${names}`);
  }
  return { importMap, targets: pick(imports, PACKAGES) };
}

/** Whether an import map resolves `name`: by itself, or by a prefix that ends in a slash. */
function resolves(imports: Record<string, string>, name: string): boolean {
  return Object.keys(imports).some((key) =>
    imports[key] !== "" && (key === name || (key.endsWith("/") && name.startsWith(key)))
  );
}

/** Whether `value` is an object whose values are all text. */
export function isStringRecord(value: unknown): value is Record<string, string> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === "string");
}

/** The entries of `from` with these names. */
export function pick(
  from: Record<string, string>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.filter((name) => name in from).map((name) => [name, from[name]]),
  );
}
