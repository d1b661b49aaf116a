import { assertEquals } from "@std/assert";
import { FolderWatch } from "./files.ts";

/** A folder with an exercise, and a count of the saves that were noticed. */
class Watched implements AsyncDisposable {
  count = 0;
  #told = Promise.withResolvers<void>();
  #watch: FolderWatch;

  private constructor(readonly base: string) {
    this.#watch = new FolderWatch(`${base}/lesson`, () => {
      this.count++;
      this.#told.resolve();
      this.#told = Promise.withResolvers();
    }, { quietMs: 20, emptyMs: 150, lookMs: 50 });
  }

  static async create(): Promise<Watched> {
    const base = await Deno.makeTempDir({ prefix: "workbook_watch_" });
    await Deno.mkdir(`${base}/lesson`);
    await Deno.writeTextFile(`${base}/lesson/exercise.ts`, "one");
    return new Watched(base);
  }

  get folder(): string {
    return `${this.base}/lesson`;
  }

  get file(): string {
    return `${this.folder}/exercise.ts`;
  }

  /** Does something and waits until that was noticed. */
  async notices(run: () => Promise<void>): Promise<void> {
    const told = this.#told.promise;
    await run();
    await told;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch.close();
    await Deno.remove(this.base, { recursive: true });
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

Deno.test("FolderWatch notices a file written in place, renamed into place, deleted, and made again", async () => {
  await using watched = await Watched.create();
  const { file, folder } = watched;
  await watched.notices(() => Deno.writeTextFile(file, "two"));
  await watched.notices(async () => {
    await Deno.writeTextFile(`${folder}/.exercise.ts.swp`, "three");
    await Deno.rename(`${folder}/.exercise.ts.swp`, file);
  });
  await watched.notices(() => Deno.remove(file));
  await watched.notices(() => Deno.writeTextFile(file, "four"));
  assertEquals(watched.count, 4);
});

Deno.test("FolderWatch notices a folder that goes and comes back, and goes on with the new one", async () => {
  await using watched = await Watched.create();
  const { folder, base, file } = watched;
  await watched.notices(() => Deno.rename(folder, `${base}/away`));
  await watched.notices(async () => {
    await Deno.mkdir(folder);
    await Deno.writeTextFile(file, "new");
  });
  await watched.notices(() => Deno.writeTextFile(file, "newer"));
});

Deno.test("FolderWatch takes a save in several steps for one, and a burst for few", async () => {
  await using watched = await Watched.create();
  const { file } = watched;
  await watched.notices(async () => {
    // Emptied first, written later: no editor means the empty file.
    await Deno.writeTextFile(file, "");
    await pause(60);
    await Deno.writeTextFile(file, "whole");
  });
  await pause(250);
  assertEquals(watched.count, 1);
  await watched.notices(async () => {
    for (let i = 0; i < 10; i++) await Deno.writeTextFile(file, `burst ${i}`);
  });
  await pause(250);
  assertEquals(watched.count <= 3, true);
});

Deno.test("FolderWatch minds neither what editors keep beside a file, nor the lesson's text, nor reading", async () => {
  await using watched = await Watched.create();
  const { folder, file } = watched;
  for (const name of ["4913", ".exercise.ts.swp", "exercise.ts~", "#exercise.ts#", "README.md"]) {
    await Deno.writeTextFile(`${folder}/${name}`, "x");
  }
  await Deno.readTextFile(file);
  await pause(250);
  assertEquals(watched.count, 0);
  // Another module of the learner's counts.
  await watched.notices(() => Deno.writeTextFile(`${folder}/helper.ts`, "x"));
});
