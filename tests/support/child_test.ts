import { assert, assertEquals } from "@std/assert";
import { Child } from "./child.ts";
import { isStopped } from "./kernel.ts";

Deno.test({
  name: "a process that is put to sleep twice at once sleeps until both are done",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "workbook_child_" });
    const child = new Child(dir);
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
