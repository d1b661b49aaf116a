import { assert, assertEquals } from "@std/assert";
import { SUITE_ENV } from "../../workbook/records.ts";
import { Child, exerciseCommand, spawnChild } from "./child.ts";
import { isStopped } from "./kernel.ts";

Deno.test({
  name: "a process that is put to sleep twice at once sleeps until both are done",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "workbook_child_" });
    const child = new Child(spawnChild(dir));
    try {
      await child.ready;
      const gate = Promise.withResolvers<void>();
      const long = child.asleep(() => gate.promise);
      for (let i = 0; i < 20; i++) {
        await child.asleep(() => assert(isStopped(child.pid)));
        assert(isStopped(child.pid), `awake after ${i}`);
      }
      gate.resolve();
      await long;
      const answer = await child.order({ op: "state" });
      assertEquals(answer.ok, true);
      assert(!isStopped(child.pid));
    } finally {
      await child.kill();
      await Deno.remove(dir);
    }
  },
});

Deno.test("a comma in the name of the packages' folder lets no other folder be read", async () => {
  const base = await Deno.makeTempDir({ prefix: "workbook_child_" });
  const before = Deno.env.get(SUITE_ENV.importMap);
  try {
    for (const folder of ["exercise", "a", "a,b"]) await Deno.mkdir(`${base}/${folder}`);
    await Deno.writeTextFile(`${base}/a/secret`, "seen");
    await Deno.writeTextFile(`${base}/a,b/map.json`, '{ "imports": { "x": "./x.ts" } }');
    await Deno.writeTextFile(
      `${base}/exercise/exercise.ts`,
      `try { console.log(Deno.readTextFileSync(${JSON.stringify(`${base}/a/secret`)})); }
       catch (error) { console.log((error as Error).name); }`,
    );
    Deno.env.set(SUITE_ENV.importMap, `${base}/a,b/map.json`);
    const { stdout } = await exerciseCommand(`${base}/exercise`, "exercise.ts", "null").output();
    assertEquals(new TextDecoder().decode(stdout), "NotCapable\n");
  } finally {
    if (before === undefined) Deno.env.delete(SUITE_ENV.importMap);
    else Deno.env.set(SUITE_ENV.importMap, before);
    await Deno.remove(base, { recursive: true });
  }
});
