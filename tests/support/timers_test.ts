import { assertEquals } from "@std/assert";
import { after, every, pause, turn } from "./timers.ts";

Deno.test("after() calls once, those that are due sooner first, and not what was called off", async () => {
  const rung: string[] = [];
  const last = Promise.withResolvers<void>();
  after(30, () => last.resolve());
  after(20, () => rung.push("20"));
  after(5, () => rung.push("5"));
  const callOff = after(10, () => rung.push("called off"));
  callOff();
  await last.promise;
  assertEquals(rung, ["5", "20"]);
});

Deno.test("every() goes on until it is stopped, from its tick as well", async () => {
  let ticks = 0;
  const ended = Promise.withResolvers<void>();
  const stop = every(2, () => {
    if (++ticks < 3) return;
    stop();
    ended.resolve();
  });
  await ended.promise;
  await pause(20);
  assertEquals(ticks, 3);
  const stopAtOnce = every(2, () => ticks++);
  stopAtOnce();
  await pause(20);
  assertEquals(ticks, 3);
});

Deno.test("pause() keeps a process alive, and what was called off does not", async () => {
  const run = async (code: string) => {
    const module = JSON.stringify(import.meta.resolve("./timers.ts"));
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", "--no-config", `import { after, pause } from ${module}; ${code}`],
    }).output();
    return new TextDecoder().decode(stdout);
  };
  assertEquals(await run(`await pause(50); console.log("kept");`), "kept\n");
  assertEquals(await run(`after(60_000, () => {})(); console.log("ended");`), "ended\n");
});

Deno.test("turn() lets all go on that is ready, and is over before a timer", async () => {
  const order: string[] = [];
  const slow = (async () => {
    for (let i = 0; i < 100; i++) await undefined;
    order.push("promises");
  })();
  const callOff = after(10_000, () => order.push("timer"));
  await turn();
  order.push("turn");
  await slow;
  callOff();
  assertEquals(order, ["promises", "turn"]);
});
