import { assert, assertEquals } from "@std/assert";
import { escapes, gradeHostile, type Hostile, hostiles, Outside } from "../../tests/hostile/run.ts";
import { FORMATS } from "./formats/formats.ts";
import { submissionResult } from "./model.ts";
import { bestSandbox } from "./sandbox.ts";

const level = await bestSandbox();
const all = await hostiles();

/** Those that only a network of its own keeps in. */
const NEEDS_NETWORK = /reach_port|take_port/;

Deno.test("there are forty hostile submissions and more", () => {
  assert(all.length >= 40, `${all.length}`);
});

/** How many are at work at a time: most of what they do is to be waited for. */
const AT_A_TIME = 5;
/** What goes on already. */
const begun = new Map<string, Promise<void>>();

function begin(hostile: Hostile): Promise<void> {
  const running = begun.get(hostile.name) ?? isKeptIn(hostile);
  begun.set(hostile.name, running);
  running.catch(() => {});
  return running;
}

async function isKeptIn({ name, source, least, most }: Hostile): Promise<void> {
  using outside = new Outside();
  const begin = performance.now();
  const result = await gradeHostile(outside.addressed(source), level);
  const seconds = (performance.now() - begin) / 1000;
  const told = JSON.stringify(result.tasks.map(({ tests }) => tests.map((test) => test.message)));
  assert(result.status !== "error", `${result.message} ${told}`);
  assert(result.score >= least && result.score <= most, `${result.score} points: ${told}`);
  assert(seconds < 60, `${seconds} s`);
  if (level === "namespaces" || !NEEDS_NETWORK.test(name)) {
    assertEquals([escapes(result), outside.reached], [[], 0]);
  }
  const head = { course: "c", seed: 6, submission: name, sandbox: level, ignored: [] };
  const submission = submissionResult(head, [result], 1);
  for (const [format, write] of Object.entries(FORMATS)) {
    const text = write(submission, "en");
    // deno-lint-ignore no-control-regex
    const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/.exec(text);
    assert(controls === null || format === "json", `${format} has a control character`);
    assert(text.isWellFormed(), `${format} has half a character`);
    assert(text.length < 5_000_000, `${format} has ${text.length} characters`);
  }
}

for (const hostile of all) {
  Deno.test(`${hostile.name} tries to ${hostile.tries}`, async () => {
    const at = all.indexOf(hostile);
    const running = begin(hostile);
    for (const next of all.slice(at + 1, at + AT_A_TIME)) begin(next);
    await running;
  });
}

for (const { name, source } of all.filter((hostile) => hostile.succeedsUnprotected)) {
  Deno.test(`${name} succeeds without the protection`, async () => {
    using outside = new Outside();
    const result = await gradeHostile(outside.addressed(source), undefined);
    assert(escapes(result).length > 0 || outside.reached > 0);
  });
}
