/**
 * What the file system has that strangers' code is graded in, whichever program makes it.
 *
 * @module
 */

/** Programs and libraries, as folders of the root. */
export const SYSTEM = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix"];

/** Whether `path` comes with these. */
export function isOfSystem(path: string): boolean {
  return SYSTEM.some((name) => path === `/${name}` || path.startsWith(`/${name}/`));
}

/** Whether something is called so, also a link that leads nowhere. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What looking up `localhost` and starting a program needs. */
export const ETC = [
  "hosts",
  "nsswitch.conf",
  "ld.so.cache",
  "ld.so.conf",
  "localtime",
  "passwd",
  "group",
];

export const DEVICES = ["null", "zero", "full", "random", "urandom"];

/** Bytes that may lie in `/tmp`: the processes' cache directories, and the files of a suite. */
export const TMP_BYTES = 256 * 1024 * 1024;
