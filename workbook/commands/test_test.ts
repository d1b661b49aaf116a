import { assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);

/** The tests in a folder, by path. */
async function* testsIn(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) yield* testsIn(path);
    else if (name.endsWith("_test.ts")) yield path;
  }
}

Deno.test("no test changes what all tests that run beside it share", async () => {
  const found: string[] = [];
  for (const folder of ["workbook/", "tests/support/", "tests/interop/"]) {
    for await (const path of testsIn(new URL(folder, root))) {
      const lines = (await Deno.readTextFile(path)).split("\n");
      // What a file sets before its tests, and leaves, is indented by nothing.
      const changes = lines.filter((line) =>
        /^\s.*Deno\.(env\.(set|delete)|chdir|umask)\(/.test(line)
      );
      found.push(...changes.map((line) => `${path.pathname.slice(root.pathname.length)}: ${line}`));
    }
  }
  assertEquals(found, []);
});
