/**
 * The learner's process as a suite speaks to it, with exercises of the tests' own.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  Child,
  ChildEndedError,
  FLOOD_MIB,
  type OrderBody,
  OrderError,
  spawnChild,
} from "../tests/support/child.ts";
import { decodeValue, Digest, encodeArg, Remote } from "../tests/support/wire.ts";
import type { Answer, WireEvent } from "./protocol.ts";

/** A process with an exercise in a folder of its own. It is ended, and the folder deleted, when the test ends. */
class Learner implements AsyncDisposable {
  readonly events: WireEvent[] = [];
  readonly #waiting: { event: string; resolve: (event: WireEvent) => void }[] = [];

  private constructor(readonly dir: string, readonly child: Child) {
    child.listen((event) => {
      this.events.push(event);
      const at = this.#waiting.findIndex((waiting) => waiting.event === event.event);
      if (at >= 0) this.#waiting.splice(at, 1)[0]!.resolve(event);
    });
  }

  static async with(exercise: string): Promise<Learner> {
    const dir = await Deno.makeTempDir({ prefix: "workbook host 과제 " });
    await Deno.writeTextFile(`${dir}/exercise.ts`, exercise);
    const learner = new Learner(dir, new Child(spawnChild(dir)));
    await learner.child.ready;
    return learner;
  }

  load(): Promise<Answer> {
    const url = new URL(`file://${encodeURI(this.dir)}/exercise.ts`).href;
    return this.child.order({ op: "load", url });
  }

  call(name: string, ...args: unknown[]): Promise<unknown> {
    return this.ask({ op: "call", name, args: args.map(encodeArg) });
  }

  /** The value that an order is answered with. */
  async ask(order: Parameters<Child["order"]>[0]): Promise<unknown> {
    const answer = await this.child.order(order);
    if (!answer.ok) throw new OrderError(answer.error);
    return "value" in answer ? decodeValue(answer.value) : undefined;
  }

  /** The next event of that kind, or the last one that came. */
  async event(event: WireEvent["event"]): Promise<WireEvent> {
    const came = this.events.findLast((other) => other.event === event);
    return came ?? await new Promise((resolve) => this.#waiting.push({ event, resolve }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.kill();
    await Deno.remove(this.dir, { recursive: true });
  }
}

const PRINT = `
const encoder = new TextEncoder();
const print = (text: string) => {
  const bytes = encoder.encode(text);
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
};
`;

Deno.test("the host tells the exports of an exercise, one called `then` included", async () => {
  await using learner = await Learner.with(
    "export const then = (done: (value: string) => void) => done('taken'), port = 80;\n" +
      "export class Chat {}\n",
  );
  const answer = await learner.load();
  assert("exports" in answer);
  assertEquals(answer.exports.map(({ name, type }) => `${name} ${type}`).sort(), [
    "Chat function",
    "port number",
    "then function",
  ]);
});

Deno.test("the host calls a function, and tells what it returned", async () => {
  await using learner = await Learner.with(`
    export const echo = (value: unknown) => value;
    export const later = async (a: number, b: number) => { await null; return a + b; };
  `);
  await learner.load();
  const values = [undefined, null, NaN, -0, "소켓\n", [1, [2]], { a: { b: true } }];
  for (const value of [...values, new Uint8Array([0, 255])]) {
    assertEquals(await learner.call("echo", value), value);
  }
  assertEquals(await learner.call("later", 1, 2), 3);
});

Deno.test("the host tells the error that a function threw, with its class and its place", async () => {
  await using learner = await Learner.with(`export class Full extends RangeError {
  override name = "Full";
  readonly code = "full";
}
export function put(): never {
  throw new Full("no room", { cause: new Error("disk") });
}`);
  await learner.load();
  const answer = await learner.child.order({ op: "call", name: "put", args: [] });
  assert(!answer.ok);
  const { name, message, classes, cause, code, at } = answer.error;
  assertEquals([name, message, cause?.message, code], ["Full", "no room", "disk", "full"]);
  assertEquals(classes.slice(0, 3), ["Full", "RangeError", "Error"]);
  assertStringIncludes(at ?? "", "exercise.ts:6:");
});

Deno.test("the host answers calls in the order in which they end", async () => {
  await using learner = await Learner.with(`
    const { promise, resolve } = Promise.withResolvers<string>();
    export const waits = () => promise;
    export const ends = () => resolve("ended");
  `);
  await learner.load();
  const waits = learner.call("waits");
  await learner.call("ends");
  assertEquals(await waits, "ended");
});

Deno.test("the host keeps a socket, tells where it is, and what is done with it", async () => {
  await using learner = await Learner.with(`
    export const open = () => Deno.listen({ hostname: "127.0.0.1", port: 0 });
    export async function greet(listener: Deno.Listener) {
      using conn = await listener.accept();
      return await conn.write(new Uint8Array([104, 105]));
    }`);
  await learner.load();
  const socket = await learner.call("open");
  assert(socket instanceof Remote && socket.kind === "listener");
  const listening = await learner.event("listen");
  assertEquals(listening.addr?.port, socket.addr?.port);
  assertEquals(listening.asked?.port, 0);

  const greeted = learner.call("greet", socket);
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: socket.addr!.port! });
  assertEquals(await greeted, 2);
  const { size, head, remoteAddr } = await learner.event("write");
  assertEquals([size, atob(head!)], [2, "hi"]);
  assertEquals(remoteAddr?.port, conn.localAddr.port);
  const received = new Uint8Array(8);
  assertEquals(await conn.read(received), 2);
  assertEquals(await conn.read(received), null);
  const order = learner.events.map(({ event }) => event);
  assertEquals(order, ["listen", "accept", "write", "close"]);
});

Deno.test("the host tells of an error that nobody handled, and goes on", async () => {
  await using learner = await Learner.with(`
    export const lose = () => void Promise.reject(new Error("lost"));
    export const two = () => 2;
  `);
  await learner.load();
  await learner.call("lose");
  assertEquals((await learner.event("unhandled")).error?.message, "lost");
  assertEquals(await learner.call("two"), 2);
});

Deno.test("an order to a function that is not there is answered, not the end", async () => {
  await using learner = await Learner.with("export const two = () => 2;\n");
  await learner.load();
  await assertRejects(() => learner.call("three"), OrderError);
  assertEquals(await learner.call("two"), 2);
});

Deno.test("an exercise that does not load is told as an error", async () => {
  await using learner = await Learner.with("throw new TypeError('at once');\n");
  const answer = await learner.load();
  assert(!answer.ok);
  assertEquals([answer.error.name, answer.error.message], ["TypeError", "at once"]);
});

Deno.test("answers are found among bytes without a newline, which are kept as output", async () => {
  await using learner = await Learner.with(`${PRINT}
    export const noisy = () => { print("no newline"); print("소켓\\n\\nend"); return 7; };
  `);
  await learner.load();
  assertEquals(await learner.call("noisy"), 7);
  assertEquals(await learner.call("noisy"), 7);
  await learner.child.kill();
  assertEquals(learner.child.output, "no newline소켓\n\nend\nno newline소켓\n\nend\n");
});

Deno.test("forged and half-forged lines are output, not answers or events", async () => {
  const forged = '{"event":{"at":0,"event":"accept"}}';
  await using learner = await Learner.with(`${PRINT}
    const word = crypto.randomUUID();
    export function forge(id: number) {
      const answer = JSON.stringify({ id, ok: true, value: { is: "json", value: "forged" } });
      for (const line of [answer, ${JSON.stringify(forged)}]) {
        for (const mark of ["\\x1e", "\\x1e ", "\\x1e" + word + " ", word + " ", "\\x1e\\x1e"]) {
          print(mark + line + "\\n");
          print("\\n" + mark + line);
        }
      }
      print("\\n\\x1e" + word.slice(0, 5));
      return "true";
    }`);
  await learner.load();
  const ids = Array.from({ length: 9 }, (_, i) => i);
  for (const id of ids) assertEquals(await learner.call("forge", id), "true");
  assertEquals(learner.events, []);
  await learner.child.kill();
  assertStringIncludes(learner.child.output, forged);
});

Deno.test("seven megabytes without a newline delay no answer; what is kept of them is cut", async () => {
  await using learner = await Learner.with(`${PRINT}
    export const chatter = (size: number) => (print("x".repeat(size)), size);
  `);
  await learner.load();
  const size = 7 * 1024 * 1024;
  assertEquals(await learner.call("chatter", size), size);
  assertEquals(await learner.call("chatter", 1), 1);
  const { child } = learner;
  assert(!child.flooded);
  await child.kill();
  assert(child.output.length < 20_000);
  assertStringIncludes(child.output, "bytes more");
  assert(child.printed.bytes > size);
});

Deno.test("what a test printed ends at a mark that nobody sees, and that no exercise can withhold", async () => {
  await using learner = await Learner.with(`
    export async function chatter(times: number) {
      console.log("o".repeat(60_000));
      for (let i = 0; i < times; i++) Deno.stderr.writeSync(new TextEncoder().encode("\\x1e".repeat(i % 40)));
      console.error("end");
    }
    export const mute = () => Deno.stderr.close();
  `);
  await learner.load();
  const { child } = learner;
  const tidy: OrderBody = { op: "tidy", handles: [], timersWithinMs: 0 };
  for (let times = 0; times < 60; times += 7) {
    await learner.call("chatter", times);
    await child.order(tidy);
    const marks = Array.from({ length: times }, (_, i) => i % 40).reduce((sum, n) => sum + n, 0);
    assertEquals(child.printed.bytes, 60_001 + marks + "end\n".length);
    assert(!child.takeOutput().includes("end"));
    assertEquals([child.printed.bytes, child.output], [0, ""]);
  }
  await learner.call("mute");
  assertEquals((await child.order(tidy)).ok, true);
});

for (const stream of ["stdout", "stderr"]) {
  Deno.test(`ten megabytes without a newline on ${stream} end the process`, async () => {
    await using learner = await Learner.with(`
      export function flood() {
        const bytes = new Uint8Array(1024 * 1024).fill(120);
        for (let sent = 0; sent < 10 * bytes.length;) sent += Deno.${stream}.writeSync(bytes);
        for (;;);
      }`);
    await learner.load();
    const error = await assertRejects(() => learner.call("flood"), ChildEndedError);
    assertEquals(error.end.signal, "SIGKILL");
    assert(learner.child.flooded);
    assert(learner.child.printed.bytes > FLOOD_MIB * 1024 * 1024);
    assert(learner.child.output.length < 20_000);
  });
}

Deno.test("console.* goes to the output, never among the answers", async () => {
  await using learner = await Learner.with(`
    export function speak() {
      console.log("log"); console.info("info"); console.debug("debug");
      console.warn("warn"); console.error("error");
      return 1;
    }`);
  await learner.load();
  assertEquals(await learner.call("speak"), 1);
  await learner.child.kill();
  assertEquals(learner.child.output, "log\ninfo\ndebug\nwarn\nerror\n");
});

Deno.test("a call that exits ends its order, and tells the status", async () => {
  await using learner = await Learner.with("export const leave = () => Deno.exit(3);\n");
  await learner.load();
  const { end } = await assertRejects(() => learner.call("leave"), ChildEndedError);
  assertEquals([end.code, end.exitCall], [3, 3]);
});

Deno.test("all orders that wait are rejected when the process is killed, and every later one", async () => {
  await using learner = await Learner.with(`
    export const waits = () => new Promise(() => {});
    export function spins() { for (;;); }
  `);
  await learner.load();
  const orders = [learner.call("waits"), learner.call("spins"), learner.call("waits")];
  const rejected = orders.map((order) => assertRejects(() => order, ChildEndedError));
  const end = await learner.child.kill();
  assertEquals(end.signal, "SIGKILL");
  await Promise.all(rejected);
  await assertRejects(() => learner.call("waits"), ChildEndedError);
  assertEquals(await learner.child.kill(), end);
});

Deno.test("callEach tells the outcome of each call as it comes, and the call that never ends is the next", async () => {
  await using learner = await Learner.with(`
    export function half(n: number): number | Promise<number> {
      if (n === 7) for (;;);
      if (n === 5) return Promise.resolve(2.5);
      if (n % 2) throw new RangeError("odd: " + n);
      return n / 2;
    }`);
  await learner.load();
  const each = (...numbers: number[]) =>
    learner.child.order({
      op: "callEach",
      name: "half",
      calls: numbers.map((n) => [encodeArg(n)]),
    });
  const outcomes = () =>
    learner.events.splice(0).filter(({ event }) => event === "outcome").map(({ call, outcome }) => {
      const shown = outcome!.ok ? decodeValue(outcome!.value) : outcome!.error.message;
      return [call, shown, outcome!.async];
    });
  const answer = await each(4, 3, 5, 8);
  assert(answer.ok);
  assertEquals(outcomes(), [[0, 2, false], [1, "odd: 3", false], [2, 2.5, true], [3, 4, false]]);
  const endless = each(2, 7, 4);
  const rejected = assertRejects(() => endless, ChildEndedError);
  await learner.event("outcome");
  await learner.child.kill();
  await rejected;
  assertEquals(outcomes(), [[0, 1, false]]);
});

Deno.test("callEach outcomes are as many as the calls", async () => {
  await using learner = await Learner.with(`export const same = (n: number) => n;`);
  await learner.load();
  const calls = Array.from({ length: 5_000 }, (_, i) => [encodeArg(i)]);
  await learner.child.order({ op: "callEach", name: "same", calls });
  const outcomes = learner.events.filter(({ event }) => event === "outcome");
  assertEquals(outcomes.map(({ call }) => call), calls.map((_, i) => i));
});

Deno.test("callEach with spoil: what a call changes in its bytes is told, and what it shares with them is spoilt", async () => {
  await using learner = await Learner.with(`
    export const view = ({ bytes }: { bytes: Uint8Array }) => bytes.subarray(1);
    export const copy = ({ bytes }: { bytes: Uint8Array }) => bytes.slice(1);
    export const change = ({ bytes }: { bytes: Uint8Array }) => bytes.reverse().slice(1);`);
  await learner.load();
  const args = [encodeArg({ bytes: new Uint8Array([1, 2, 3]) })];
  const told: unknown[] = [];
  for (const name of ["view", "copy", "change"]) {
    learner.events.length = 0;
    for (const spoil of [false, true]) {
      await learner.child.order({ op: "callEach", name, calls: [args], spoil });
    }
    told.push(learner.events.map(({ outcome }) => {
      assert(outcome?.ok);
      return [...decodeValue(outcome.value) as Uint8Array, outcome.changed];
    }));
  }
  assertEquals(told, [
    [[2, 3, undefined], [0x99, 0x99, undefined]],
    [[2, 3, undefined], [2, 3, undefined]],
    [[2, 1, undefined], [2, 1, true]],
  ]);
});

Deno.test("callEach with watch: a call tells what it changes of its arguments, and of what the last one returned", async () => {
  await using learner = await Learner.with(`
    const list: number[] = [];
    export const sort = (numbers: number[]) => numbers.sort()[0];
    export const shared = (numbers: number[]) => (list.splice(0, 9, ...numbers), list);
    export const own = (numbers: number[]) => [...numbers];
    export const thrown = (numbers: number[]) => { numbers.pop(); throw new Error("no"); };`);
  await learner.load();
  const told: Record<string, unknown> = {};
  for (const name of ["sort", "shared", "own", "thrown"]) {
    const calls = [[encodeArg([2, 1])], [encodeArg([1, 2])], [encodeArg([1, 2])]];
    learner.events.length = 0;
    await learner.child.order({ op: "callEach", name, calls, watch: true });
    told[name] = learner.events.map(({ outcome }) => [outcome?.changed, outcome?.overwrote]);
  }
  const kept = [undefined, undefined];
  assertEquals(told, {
    sort: [[true, undefined], kept, kept],
    shared: [kept, [undefined, true], kept],
    own: [kept, kept, kept],
    thrown: [[true, undefined], [true, undefined], [true, undefined]],
  });
});

Deno.test("callEach with fields: instances of classes are told by them, and a getter that throws is the call's error", async () => {
  await using learner = await Learner.with(`
    class Item {
      #hidden = new Uint8Array([1, 2]);
      constructor(readonly own: number, readonly other = "?") {}
      get bytes() { return this.#hidden; }
    }
    export const one = () => new Item(1);
    export const list = () => [new Item(1), { own: 2, more: 3 }, 4, null];
    export const lies = () => ({ __proto__: { get own() { throw new RangeError("later"); } } });
    export const none = () => new Map();`);
  await learner.load();
  for (const name of ["one", "list", "lies", "none"]) {
    const order = { op: "callEach", name, calls: [[]], fields: ["own", "bytes"] } as const;
    await learner.child.order({ ...order, calls: [[]], fields: [...order.fields] });
  }
  const told = learner.events.map(({ outcome }) =>
    outcome!.ok ? decodeValue(outcome!.value) : outcome!.error.message
  );
  const item = { own: 1, bytes: new Uint8Array([1, 2]) };
  assertEquals(told.slice(0, 3), [item, [item, { own: 2, more: 3 }, 4, null], "later"]);
  assert(told[3] instanceof Remote && told[3].className === "Map");
});

Deno.test("callEach with brief: errors of that class have no place, and what was told is not told again", async () => {
  await using learner = await Learner.with(`
    class Bad extends Error {}
    export function judge(n: number): number[] {
      if (n < 0) throw new Bad("under 0");
      if (n > 9) throw new RangeError("over 9");
      return [n % 2];
    }`);
  await learner.load();
  const calls = [3, 5, 2, -1, -2, 10, 4].map((n) => [encodeArg(n)]);
  await learner.child.order({ op: "callEach", name: "judge", calls, brief: "Bad" });
  const told = learner.events.map(({ call, outcome, same }) => {
    if (!outcome) return [call, "same", same];
    return [call, outcome.ok ? decodeValue(outcome.value) : outcome.error.at !== undefined];
  });
  assertEquals(told, [
    [0, [1]],
    [1, "same", 0],
    [2, [0]],
    [3, false],
    [4, "same", 3],
    [5, true],
    [6, "same", 2],
  ]);
});

Deno.test("a killed process is gone when kill() has settled", async () => {
  await using learner = await Learner.with("export {};\n");
  const { pid } = learner.child;
  Deno.kill(pid, "SIGCONT");
  await learner.child.kill();
  await assertRejects(() => Promise.try(() => Deno.kill(pid, "SIGCONT")), Deno.errors.NotFound);
});

Deno.test("the process ends with status 0 when its suite is gone, whatever the exercise still does", async () => {
  await using learner = await Learner.with(`
    export const stays = () => {
      setInterval(() => {}, 1000);
      Deno.listen({ hostname: "127.0.0.1", port: 0 });
      return new Promise(() => {});
    };`);
  // A host whose input the test itself can close.
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-prompt",
      "--no-config",
      "--unstable-net",
      "--allow-net=127.0.0.1",
      `--allow-read=${learner.dir}`,
      decodeURIComponent(new URL("host.ts", import.meta.url).pathname),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const url = new URL(`file://${encodeURI(learner.dir)}/exercise.ts`).href;
  const writer = process.stdin.getWriter();
  const write = (line: string) => writer.write(new TextEncoder().encode(`${line}\n`));
  let said = "";
  const reading = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      const before = said;
      said += text;
      const came = (part: string) => !before.includes(part) && said.includes(part);
      if (came('"exports"')) {
        await write(JSON.stringify({ id: 2, op: "call", name: "stays", args: [] }));
      }
      // The exercise is at work: its input ends.
      if (came('"listen"')) await writer.close();
    }
  })();
  await write("word");
  await write(JSON.stringify({ id: 1, op: "load", url }));
  const { code } = await process.status;
  await reading;
  assertEquals(code, 0);
  assertStringIncludes(said, '\n\x1eword {"ready":true}\n');
});

Deno.test("what the host is told to hold is one object, for every call that is given it", async () => {
  await using learner = await Learner.with("export const first = (a: Uint8Array) => a[0];\n");
  await learner.load();
  const held = await learner.ask({ op: "hold", value: encodeArg(new Uint8Array([7, 8])) });
  assert(held instanceof Remote && held.className === "Uint8Array");
  assertEquals(await learner.call("first", held), 7);
  const { handle } = held;
  const filled = await learner.ask({
    op: "method",
    handle,
    name: "fill",
    args: [encodeArg(5)],
    hold: true,
  });
  assertEquals(filled, held);
  assertEquals(await learner.call("first", held), 5);
  assertEquals(await learner.ask({ op: "value", handle }), new Uint8Array([5, 5]));
});

Deno.test("bytes that a method returns are told by their digest if asked for, and stay where they are", async () => {
  await using learner = await Learner.with(`
    const bytes = new Uint8Array(100_000).fill(7);
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    export const made = () => ({
      bytes: async () => bytes.subarray(1, 99_001),
      shared: () => shared,
      text: () => "none",
    });
  `);
  await learner.load();
  const made = await learner.ask({ op: "call", name: "made", args: [], hold: true });
  assert(made instanceof Remote);
  const ask = (name: string) =>
    learner.ask({ op: "method", handle: made.handle, name, args: [], digest: true });
  const told = await ask("bytes");
  assert(told instanceof Digest);
  const expected = new Uint8Array(99_000).fill(7);
  const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", expected)).toBase64();
  assertEquals([told.length, told.sha256], [99_000, sha256]);
  assertEquals(await learner.ask({ op: "value", handle: told.handle }), expected);
  assertEquals((await ask("shared") as Digest).length, 8);
  assertEquals(await ask("text"), "none");
});

Deno.test("the clock of timers that is put forward fires those that are due by then, in their order, an interval once", async () => {
  await using learner = await Learner.with(`
    export const fired = [];
    export function start() {
      setTimeout(() => {
        fired.push("3 s");
        setTimeout(() => fired.push("3 s and 4 s"), 4_000);
        setTimeout(() => fired.push("3 s and 8 s"), 8_000);
      }, 3_000);
      setTimeout(() => fired.push("10 s"), 10_000);
      const dropped = setTimeout(() => fired.push("never"), 2_000);
      setTimeout(() => clearTimeout(dropped), 1_000);
      setInterval(() => fired.push("interval"), 5_000);
      setTimeout(() => { throw new Error("nobody's") }, 6_000);
    }
    export const list = () => fired;
  `);
  await learner.load();
  await learner.call("start");
  await learner.ask({ op: "elapse", ms: 9_999 });
  assertEquals(await learner.call("list"), ["3 s", "interval", "3 s and 4 s"]);
  assertEquals((await learner.event("unhandled")).error?.message, "nobody's");
  await learner.ask({ op: "elapse", ms: 1 });
  const later = await learner.call("list") as string[];
  assertEquals(later.slice(3), ["10 s"]);
});

Deno.test("a callback returns, throws or rejects as it is told", async () => {
  await using learner = await Learner.with(`
    export const now = (callback) => [callback("given")].map((value) => value instanceof Promise ? "a promise" : value);
    export async function later(callback) {
      try { await callback(); } catch (error) { return error instanceof Deno.errors.ConnectionReset; }
    }
  `);
  await learner.load();
  const callback = await learner.ask({ op: "callback" }) as Remote;
  const { handle } = callback;
  const later = learner.call("later", callback);
  await learner.event("callback");
  await learner.ask({ op: "settle", handle, call: 1, throws: "gone", error: "ConnectionReset" });
  assertEquals(await later, true);
  assertEquals(await learner.call("now", callback), ["a promise"]);
  await learner.ask({ op: "script", handle, returns: encodeArg("at once") });
  assertEquals(await learner.call("now", callback), ["at once"]);
  await learner.ask({ op: "script", handle, throwsSync: "no" });
  await assertRejects(() => learner.call("now", callback), OrderError);
});

Deno.test("a method that is done is followed at once by a look at an address", async () => {
  await using learner = await Learner.with(`
    const hostname = "127.0.0.1";
    export function open() {
      const listener = Deno.listen({ hostname, port: 0 });
      const ended = listener.accept().catch(() => {});
      return {
        port: listener.addr.port,
        close: () => listener.close(),
        stop: async () => { listener.close(); await ended; },
      };
    }
  `);
  await learner.load();
  for (const [name, isFree] of [["close", false], ["stop", true]] as const) {
    const answer = await learner.child.order({ op: "call", name: "open", args: [], hold: true });
    const { handle } = decodeValue(
      "value" in answer ? answer.value : { is: "undefined" },
    ) as Remote;
    const port = await learner.ask({ op: "get", handle, name: "port" }) as number;
    const bind = { hostname: "127.0.0.1", port };
    assertEquals(await learner.ask({ op: "method", handle, name, args: [], bind }), isFree);
  }
});
