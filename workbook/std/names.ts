/**
 * The names of the standard library that the workbook imports.
 *
 * @module
 */

/** The packages that `deno.json` pins. */
export const PACKAGES = ["@std/assert", "@std/cli", "@std/http", "@std/net"] as const;

/** Names below the packages that the workbook may import; an import map has to resolve these too. */
export const SUBPATHS = [
  "@std/cli/parse-args",
  "@std/cli/unicode-width",
  "@std/http/status",
] as const;
