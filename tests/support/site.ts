/**
 * A folder of files for the learner's code to serve, and beside it what nobody may be served.
 *
 * It lies outside of the exercise's folder and is gone when the suite has ended, however it ended. The learner's
 * processes may read all of it, so that an escape from the root succeeds and is seen.
 *
 * @module
 */

import { dir, makeReadableFolder } from "./exercise.ts";
import { report } from "./report.ts";
import { showAs } from "./shown_paths.ts";

/** A site, made anew for each suite. */
export class Site {
  /** The temporary folder, without symbolic links in its name. */
  readonly #dir: string;
  /** What is served. */
  readonly root: string;
  /** The same, by a link whose target it is. */
  readonly linkedRoot: string;
  /** The same, as a path from the folder in which the learner's code runs. */
  readonly relativeRoot: string;

  constructor() {
    this.#dir = makeReadableFolder();
    report({ record: "folder", path: this.#dir });
    addEventListener("unload", () => this.#remove());
    this.root = `${this.#dir}/site`;
    this.linkedRoot = `${this.#dir}/linked`;
    Deno.mkdirSync(this.root);
    Deno.symlinkSync(this.root, this.linkedRoot, { type: "dir" });
    this.relativeRoot = relative(realPathOr(dir), this.root);
    showAs(this.#dir, "TEMP");
  }

  #remove(): void {
    try {
      Deno.removeSync(this.#dir, { recursive: true });
    } catch {
      // It is gone already.
    }
  }

  /** Where a file of the site is; one that begins with `../` lies beside the root. */
  path(name: string): string {
    return `${this.root}/${name}`;
  }

  /** Writes a file, and the folders that it lies in. */
  write(name: string, content: Uint8Array | string): void {
    const path = this.path(name);
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
  }

  /** Makes a file of so many zeros, which takes no room on the disk. */
  writeZeros(name: string, size: number): void {
    this.write(name, "");
    Deno.truncateSync(this.path(name), size);
  }

  /** Makes a symbolic link to `target`, as it is written in the link. */
  link(name: string, target: string): void {
    Deno.symlinkSync(target, this.path(name));
  }
}

/** The path that leads from folder `from` to `to`, both absolute. */
function relative(from: string, to: string): string {
  return `${from.split("/").filter(Boolean).map(() => "..").join("/")}${to}`;
}

function realPathOr(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
