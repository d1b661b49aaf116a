import { assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);

/** The files of TypeScript in a folder and those in it, by path. */
async function* sourcesIn(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) yield* sourcesIn(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

/** The lines of a file that `pattern` matches, each after its path. */
async function linesOf(path: URL, pattern: RegExp): Promise<string[]> {
  const lines = (await Deno.readTextFile(path)).split("\n").filter((line) => pattern.test(line));
  return lines.map((line) => `${path.pathname.slice(root.pathname.length)}: ${line}`);
}

Deno.test("no test changes what all tests that run beside it share", async () => {
  const found: string[] = [];
  for (const folder of ["workbook/", "tests/support/", "tests/interop/"]) {
    for await (const path of sourcesIn(new URL(folder, root))) {
      if (!path.pathname.endsWith("_test.ts")) continue;
      // What a file sets before its tests, and leaves, is indented by nothing.
      found.push(...await linesOf(path, /^\s.*Deno\.(env\.(set|delete)|chdir|umask)\(/));
    }
  }
  assertEquals(found, []);
});

Deno.test("no suite touches Deno's part for Node, which takes longer to load than most tasks take", async () => {
  const found: string[] = [];
  const touches =
    /^(?! \*|\s*\/\/).*(\bset(Timeout|Interval|Immediate)\(|from "node:|import\("node:|\bBuffer\.)/;
  for (const folder of ["tests/support/", "tests/"]) {
    for await (const { name, isFile } of Deno.readDir(new URL(folder, root))) {
      const path = new URL(`${folder}${name}`, root);
      // Tests of the suites' parts are none; and the peers of Node are for systems that have no other.
      const isSuite = name.endsWith("_test.ts") === (folder === "tests/") &&
        name !== "node_peer.ts";
      if (isFile && name.endsWith(".ts") && isSuite) found.push(...await linesOf(path, touches));
    }
  }
  assertEquals(found, []);
});
