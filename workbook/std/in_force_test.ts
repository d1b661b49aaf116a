import { assertEquals } from "@std/assert";
import { SUITE_ENV } from "../records.ts";
import { pathOf } from "./paths.ts";

const at = (path: string) => pathOf(new URL(path, import.meta.url));

/** What a process prints that has only what `deno.json` says, and nothing from JSR. */
async function printedBy(code: string, env: Record<string, string>): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "workbook-std-" });
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, code);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--cached-only", "-A", `--config=${at("../../deno.json")}`]
        .concat(`${folder}/main.ts`),
      env: { DENO_DIR: `${folder}/cache`, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env },
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const USES = `import { parseArgs, unicodeWidth } from ${
  JSON.stringify(new URL("in_force.ts", import.meta.url).href)
};
console.log(unicodeWidth("가"), parseArgs(["--a=1"]).a);
`;

Deno.test("the stand-ins are used where they are in force, also by a process whose @std is JSR's", async () => {
  const env = { [SUITE_ENV.importMap]: at("import_map.json") };
  assertEquals(await printedBy(USES, env), "2 1\n");
});
