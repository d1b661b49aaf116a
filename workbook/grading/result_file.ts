/**
 * A file that is never missing and never half written, whenever the program that writes it is killed.
 *
 * @module
 */

import { CommandError } from "../errors.ts";

/** The result's file: each text replaces the one before in one step. */
export class ResultFile {
  readonly #isRegular: boolean;

  private constructor(readonly path: string, isRegular: boolean) {
    this.#isRegular = isRegular;
  }

  /** Opens the file at `path` and writes `text`. Throws a {@linkcode CommandError} if it cannot be written. */
  static async create(path: string, text: string): Promise<ResultFile> {
    const info = await Deno.stat(path).catch(() => undefined);
    // A device or a pipe takes the place of a file: nothing in it can be replaced.
    const file = new ResultFile(path, info?.isFile ?? true);
    if (file.#isRegular) await file.replace(text);
    return file;
  }

  /** Writes `text` in place of what the file holds. */
  async replace(text: string): Promise<void> {
    try {
      if (!this.#isRegular) return await Deno.writeTextFile(this.path, text);
      const at = Math.max(this.path.lastIndexOf("/"), this.path.lastIndexOf("\\")) + 1;
      const temporary = `${this.path.slice(0, at)}.${this.path.slice(at)}.${Deno.pid}.tmp`;
      try {
        await writeThrough(temporary, text);
        await Deno.rename(temporary, this.path);
      } catch (error) {
        await Deno.remove(temporary).catch(() => {});
        throw error;
      }
    } catch (error) {
      const name = error instanceof Error ? error.name : String(error);
      throw new CommandError({
        en: `Cannot write "${this.path}": ${name}.`,
        ko: `"${this.path}" 파일을 쓸 수 없습니다: ${name}.`,
      });
    }
  }
}

/** Writes a file, and does not return before it is on the disk. */
async function writeThrough(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  await file.sync();
}
