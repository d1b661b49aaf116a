import { assert, assertEquals } from "@std/assert";
import { pathOf } from "../std/paths.ts";
import { findAlike } from "./similar.ts";
import { knownNames, printsOf, tokensOf } from "./tokens.ts";

const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");
const SLUG = "01_create_bind";
const stub = await Deno.readTextFile(`${root}/tests/stubs/${SLUG}.ts`);
const solution = await Deno.readTextFile(`${root}/solutions/${SLUG}/exercise.ts`);
const names = knownNames(stub, solution);

function alike(texts: Record<string, string>) {
  return findAlike(
    Object.entries(texts).map(([name, text]) => ({
      name,
      lessons: { [SLUG]: printsOf(text, stub, names) },
    })),
  ).found.map(({ names, share, isSame }) => ({ names, share, isSame }));
}

Deno.test("tokensOf() knows strings, templates, patterns and comments", () => {
  assertEquals(
    tokensOf("a = `x${b + `y`}z` /2/ 3; // c\nreturn /a[/]\"/g.test('\\'') /* d */ ?? 1.5e3n"),
    [..."a=T"].concat(["b", "+", "T", "/", "2", "/", "3", ";", "return", "R", "g", ".", "test"])
      .concat(["(", "S", ")", "??", "1.5e3n"]),
  );
});

Deno.test("tokensOf() ends on text that does not", () => {
  for (
    const text of ["`${", '"', "/*", "/[", "`${`".repeat(3000), "}".repeat(9), "\\", "#", "\ud800"]
  ) {
    assert(tokensOf(text).length >= 0);
  }
});

Deno.test("findAlike() sees through names, comments and layout", () => {
  const disguised = solution
    .replaceAll(/^ *\/\/.*$/gm, "")
    .replaceAll(/\/\*\*[^]*?\*\//g, "/* mine */")
    .replaceAll(/;$/gm, "")
    .replaceAll(/(?<![.\w"])listener(?!\w|:)/g, "socket")
    .replaceAll(/\n+ */g, "\n\t");
  const [pair] = alike({ ada: solution, bob: disguised });
  assertEquals(pair?.names, ["ada", "bob"]);
  assert(pair!.share >= 0.95, `${pair!.share}`);
});

Deno.test("findAlike() calls the same what is the same, for all who have it", () => {
  const texts = { c: solution, a: `// mine\n${solution}`, b: solution.replaceAll("\n", "\n ") };
  assertEquals(alike(texts), [{ names: ["a", "b", "c"], share: 1, isSame: true }]);
});

Deno.test("findAlike() leaves alone what was written independently, and the stub", async () => {
  const texts: Record<string, string> = { solution, stub, again: stub };
  for await (const { name } of Deno.readDir(`${root}/tests/right/${SLUG}`)) {
    texts[name] = await Deno.readTextFile(`${root}/tests/right/${SLUG}/${name}`);
  }
  assertEquals(alike(texts), []);
});
