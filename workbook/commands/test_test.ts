import { assertEquals } from "@std/assert";
import { pathOf } from "../std/paths.ts";
import { sources } from "./test.ts";

const root = pathOf(new URL("../..", import.meta.url));
const files = await sources(root);

/** The lines of these files that `pattern` matches, each after its path. */
async function linesOf(paths: string[], pattern: RegExp): Promise<string[]> {
  const found = await Promise.all(paths.map(async (path) => {
    const lines = (await Deno.readTextFile(`${root}/${path}`)).split("\n");
    return lines.filter((line) => pattern.test(line)).map((line) => `${path}: ${line}`);
  }));
  return found.flat();
}

Deno.test("no test changes what all tests that run beside it share", async () => {
  const tests = files.filter((path) => /^(workbook|tests\/\w+)\/.*_test\.ts$/.test(path));
  // What a file sets before its tests, and leaves, is indented by nothing.
  assertEquals(await linesOf(tests, /^\s.*Deno\.(env\.(set|delete)|chdir|umask)\(/), []);
});

Deno.test("no suite touches Deno's part for Node, which takes longer to load than most tasks take", async () => {
  // Tests of the suites' parts are none; and the peers of Node are for systems that have no other.
  const suites = files.filter((path) =>
    /^tests\/\w+_test\.ts$/.test(path) ||
    (/^tests\/support\/\w+\.ts$/.test(path) && !/_test\.ts$|\/node_peer\.ts$/.test(path))
  );
  const touches =
    /^(?! \*|\s*\/\/).*(\bset(Timeout|Interval|Immediate)\(|from "node:|import\("node:|\bBuffer\.)/;
  assertEquals(await linesOf(suites, touches), []);
});
