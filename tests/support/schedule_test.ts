import { assertEquals } from "@std/assert";
import { Schedule } from "./schedule.ts";

/** Tests of tasks with so many tests each, as "1a", "1b", "2a" … */
function testsOf(...sizes: number[]): { task: number; name: string }[] {
  return sizes.flatMap((size, i) =>
    [..."abcdefgh"].slice(0, size).map((letter) => ({ task: i + 1, name: `${i + 1}${letter}` }))
  );
}

/** Names of the tests as runners take them, in this order. */
function taken(sizes: number[], runners: number[]): string {
  const schedule = new Schedule(testsOf(...sizes));
  return runners.map((runner) => schedule.next(runner)?.name ?? "-").join(" ");
}

Deno.test("one runner takes all tests in their order", () => {
  assertEquals(taken([2, 1, 2], [0, 0, 0, 0, 0, 0]), "1a 1b 2a 3a 3b -");
});

Deno.test("a second runner begins with the last task, and each ends the task that it has begun", () => {
  assertEquals(taken([2, 1, 2], [0, 1, 0, 1, 0, 1]), "1a 3a 1b 3b 2a -");
});

Deno.test("a runner is amid a task until it has taken its last test", () => {
  const schedule = new Schedule(testsOf(2));
  const amid = [schedule.isAmidTask(0)];
  while (schedule.next(0)) amid.push(schedule.isAmidTask(0));
  assertEquals(amid, [false, true, false]);
});

Deno.test("a runner without a task of its own helps with the longest, from its end", () => {
  assertEquals(taken([1, 5], [0, 1, 0, 0, 1, 1, 0]), "1a 2a 2e 2d 2b 2c -");
  assertEquals(taken([2, 3, 4], [0, 1, 2, 0, 0, 0, 0, 1, 2]), "1a 3a 2a 1b 3d 3c 2c 3b 2b");
});
