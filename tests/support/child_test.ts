import { assert, assertEquals } from "@std/assert";
import { RECORD_MARK } from "../../workbook/protocol.ts";
import { SUITE_ENV } from "../../workbook/records.ts";
import { Child, spawnChild } from "./child.ts";
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

/** A process of which the test writes the output. */
class FakeProcess {
  readonly pid = 0;
  readonly stderr = new Blob().stream();
  readonly #input = new TransformStream<Uint8Array, Uint8Array>();
  readonly #output = new TransformStream<Uint8Array, Uint8Array>();
  readonly #status = Promise.withResolvers<Deno.CommandStatus>();
  readonly stdin = this.#input.writable;
  readonly stdout = this.#output.readable;
  readonly status = this.#status.promise;

  ref(): void {}

  kill(): void {
    this.#status.resolve({ success: false, code: 137, signal: "SIGKILL" });
    this.#output.writable.close();
  }

  /** The first line that it is sent: the word that makes a line its own. */
  async word(): Promise<string> {
    const lines = this.#input.readable.pipeThrough(new TextDecoderStream());
    for await (const line of lines.values({ preventCancel: true })) return line.trim();
    throw new Error("no word");
  }

  /** Writes replies, all at once. */
  async write(word: string, ...replies: unknown[]): Promise<void> {
    const lines = replies.map((reply) => `\n${RECORD_MARK}${word} ${JSON.stringify(reply)}\n`);
    const writer = this.#output.writable.getWriter();
    await writer.write(new TextEncoder().encode(lines.join("")));
    writer.releaseLock();
  }
}

Deno.test("of two answers that come together, whoever waits for the first has it before the second is told", async () => {
  const process = new FakeProcess();
  const child = new Child(process as unknown as Deno.ChildProcess);
  const word = await process.word();
  const heard: string[] = [];
  const first = (async () => {
    await child.order({ op: "state" });
    for (let i = 0; i < 50; i++) await undefined;
    heard.push("first");
  })();
  const second = child.order({ op: "state" }).then(() => heard.push("second"));
  const state = { open: [], pending: [], timersMs: [] };
  await process.write(word, { id: 1, ok: true, state }, { id: 2, ok: true, state });
  await Promise.all([first, second]);
  assertEquals(heard, ["first", "second"]);
  await child.kill();
});

Deno.test("a comma in the name of the packages' folder lets no other folder be read", async () => {
  const base = await Deno.makeTempDir({ prefix: "workbook_child_" });
  try {
    for (const folder of ["exercise", "a", "a,b"]) await Deno.mkdir(`${base}/${folder}`);
    await Deno.writeTextFile(`${base}/a/secret`, "seen");
    await Deno.writeTextFile(`${base}/a,b/map.json`, '{ "imports": { "x": "./x.ts" } }');
    await Deno.writeTextFile(
      `${base}/exercise/exercise.ts`,
      `try { console.log(Deno.readTextFileSync(${JSON.stringify(`${base}/a/secret`)})); }
       catch (error) { console.log((error as Error).name); }`,
    );
    // In a process of its own: all tests of this one have the same environment.
    await Deno.writeTextFile(
      `${base}/start.ts`,
      `import { exerciseCommand } from ${JSON.stringify(import.meta.resolve("./child.ts"))};
       const { stdout } = await exerciseCommand(${
        JSON.stringify(`${base}/exercise`)
      }, "exercise.ts", "null").output();
       await Deno.stdout.write(stdout);`,
    );
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-config", "--no-lock", `${base}/start.ts`],
      env: { [SUITE_ENV.importMap]: `${base}/a,b/map.json` },
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "NotCapable\n");
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
