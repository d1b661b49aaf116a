/**
 * Stands in for `@std/cli` where JSR cannot be reached: what the course uses of it.
 *
 * @module
 */

export * from "./parse_args.ts";
export * from "./unicode_width.ts";
