/**
 * The scripts for platforms, and the class command itself, run as they are: with a real grader, on lesson 1 alone.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { lessonSlugs } from "../course.ts";
import { SUITE_ENV } from "../records.ts";
import { pathOf } from "../std/paths.ts";

const root = pathOf(new URL("../..", import.meta.url)).replace(/\/$/, "");
const SLUG = "01_create_bind";
const importMap = Deno.env.get(SUITE_ENV.importMap);
/** Scripts are Bash's. */
const ignore = Deno.build.os === "windows";

/** A folder with a program `deno` that is this one, with the library that is in force. */
class Folder implements AsyncDisposable {
  private constructor(readonly base: string) {}

  static async create(): Promise<Folder> {
    const folder = new Folder(await Deno.makeTempDir({ prefix: "workbook_platform_" }));
    await folder.write("bin/deno", `#!/bin/sh\nexec "${Deno.execPath()}" "$@"\n`);
    await Deno.chmod(`${folder.base}/bin/deno`, 0o755);
    return folder;
  }

  async write(path: string, text: string): Promise<void> {
    const full = `${this.base}/${path}`;
    await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(full, text);
  }

  /** Submissions of lesson 1: the model's, wrong ones, and one that is none. */
  async submissions(): Promise<string> {
    const solution = await Deno.readTextFile(`${root}/solutions/${SLUG}/exercise.ts`);
    await this.write(`submissions/ada/repo/lessons/${SLUG}/exercise.ts`, solution);
    for (const name of ["fixed_port", "leaked_listener"]) {
      const wrong = await Deno.readTextFile(`${root}/tests/wrong/${SLUG}/${name}.ts`);
      await this.write(`submissions/${name}/${SLUG}/exercise.ts`, wrong);
    }
    await this.write("submissions/broken.zip", "no archive");
    return `${this.base}/submissions`;
  }

  read(path: string): Promise<string> {
    return Deno.readTextFile(`${this.base}/${path}`);
  }

  async run(
    command: string,
    args: string[],
    { env = {}, cwd = root }: { env?: Record<string, string>; cwd?: string } = {},
  ): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args,
      cwd,
      stdin: "null",
      env: {
        PATH: `${this.base}/bin:${Deno.env.get("PATH")}`,
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
        ...(importMap && { WORKBOOK_IMPORT_MAP: importMap }),
        ...env,
      },
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 0, said);
    return said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.base, { recursive: true });
  }
}

async function keptBytes(dir: string): Promise<Record<string, string>> {
  const kept: Record<string, string> = {};
  const names = ["class.json", "gradebook.csv", "gradebook.sqlite", "alike.json"];
  for await (const { name } of Deno.readDir(`${dir}/results`)) names.push(`results/${name}`);
  for (const name of names) kept[name] = (await Deno.readFile(`${dir}/${name}`)).toHex();
  return kept;
}

Deno.test({
  name: "the class command, in parts by Slurm's script and whole, gives the same bytes",
  ignore,
  fn: async () => {
    await using folder = await Folder.create();
    const submissions = await folder.submissions();
    const task = (...args: string[]) => folder.run("deno", ["task", "class", ...args]);
    const whole = `${folder.base}/whole`;
    assertMatch(await task(submissions, "--out", whole, "--lesson", "1"), /4 of 4 graded/);
    const parts = await Promise.all(["1", "2"].map(async (index) => {
      await folder.run("bash", [`${root}/workbook/grading/cluster/slurm.sh`, "--lesson", "1"], {
        env: {
          SUBMISSIONS: submissions,
          RESULTS: `${folder.base}/parts`,
          SLURM_ARRAY_TASK_ID: index,
          SLURM_ARRAY_TASK_COUNT: "2",
        },
      });
      return `${folder.base}/parts/part-${index}`;
    }));
    const merged = `${folder.base}/merged`;
    assertMatch(await task("merge", ...parts, "--out", merged), /2 parts, 4 submissions/);
    const [a, b] = [await keptBytes(merged), await keptBytes(whole)];
    assertEquals(Object.keys(a), Object.keys(b));
    for (const name of Object.keys(b)) assert(a[name] === b[name], name);
    const rows = (await folder.read("whole/gradebook.csv")).split("\r\n").slice(1, -1);
    assertEquals(rows.map((row) => row.split(",").slice(0, 5).join(" ")), [
      "ada ada  pass 12",
      "broken broken  error 0",
      "fixed_port fixed_port  fail 10",
      "leaked_listener leaked_listener  fail 9",
    ]);
    assertMatch(await folder.read("whole/index.html"), /<code>leaked-listener<\/code>/);
  },
});

Deno.test({
  name: "the class command goes on after deno task itself was killed",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using folder = await Folder.create();
    const submissions = await folder.submissions();
    const out = `${folder.base}/out`;
    const args = ["task", "class", submissions, "--out", out, "--lesson", "1", "--workers", "1"];
    const first = new Deno.Command(Deno.execPath(), {
      args,
      cwd: root,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      env: { ...(importMap && { WORKBOOK_IMPORT_MAP: importMap }) },
    }).spawn();
    const reader = first.stdout.getReader();
    let said = "";
    const decoder = new TextDecoder();
    while (!said.includes("1/4")) said += decoder.decode((await reader.read()).value);
    first.kill("SIGKILL");
    await first.status;
    await reader.cancel();
    assertMatch(await folder.run("deno", args), /4 of 4 graded/);
    const journal = (await folder.read("out/run/journal.jsonl")).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    const ends = journal.flatMap(({ event, student }) => event === "end" ? [student] : []);
    assertEquals(ends.toSorted(), ["ada", "broken", "fixed_port", "leaked_listener"]);
  },
});

Deno.test({
  name: "the Kubernetes Job's command grades one part",
  ignore,
  fn: async () => {
    await using folder = await Folder.create();
    await folder.submissions();
    const job = await Deno.readTextFile(`${root}/workbook/grading/cluster/kubernetes-job.yaml`);
    const command = /^ +args:\n +- (exec .+)$/m.exec(job)![1]!;
    const parts = /- name: PARTS\n +value: "(\d+)"/.exec(job)![1]!;
    assertEquals(/^ {2}completions: (\d+)$/m.exec(job)![1], parts);
    assertEquals(/^ {2}completionMode: (\w+)$/m.exec(job)![1], "Indexed");
    const said = await folder.run("sh", ["-c", `${command} --lesson 1`], {
      env: { CLASS: folder.base, PARTS: "4", JOB_COMPLETION_INDEX: "1" },
    });
    assertMatch(said, /1 of 1 graded/);
    const { shard } = JSON.parse(await folder.read("parts/1/class.json"));
    assertEquals(shard, { index: 2, of: 4 });
  },
});

Deno.test({
  name: "Gradescope's package grades in folders laid out as the platform's",
  ignore,
  fn: async () => {
    await using folder = await Folder.create();
    const zip = `${folder.base}/autograder.zip`;
    await folder.run("deno", ["task", "package", "gradescope", "--lesson", "1", "--out", zip]);
    await folder.run("python3", ["-c", UNZIP, zip, `${folder.base}/auto/source`]);
    const wrong = await Deno.readTextFile(`${root}/tests/wrong/${SLUG}/fixed_port.ts`);
    await folder.write("auto/submission/exercise.ts", wrong);
    const env = { AUTOGRADER: `${folder.base}/auto` };
    for (const name of ["setup.sh", "run_autograder"]) {
      // As the platform starts them: by themselves, from anywhere.
      await folder.run(`${folder.base}/auto/source/${name}`, [], { env, cwd: "/" });
    }
    const result = JSON.parse(await folder.read("auto/results/results.json"));
    assertEquals(result.score, 10);
    assertEquals(result.tests.length, 6);
    // Nothing in it tells the answers.
    for (const name of ["solutions", "tests/wrong", "tests/right", "tests/hostile"]) {
      await Deno.stat(`${folder.base}/auto/source/${name}`).then(
        () => assert(false, name),
        (error) => assert(error instanceof Deno.errors.NotFound),
      );
    }
  },
});

/** Unpacks with the permissions that the archive says, which Python's own leaves out. */
const UNZIP = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    for i in z.infolist():
        p = z.extract(i, sys.argv[2])
        os.chmod(p, i.external_attr >> 16 & 0o777)
`;

interface Step {
  id?: string;
  run?: string;
}

/** The steps of our own workflow: one `key: value` a line, six and eight spaces deep. */
function stepsOf(workflow: string): Step[] {
  return workflow.split(/^ {6}- /m).slice(1).map((part) => {
    const text = `        ${part}`;
    const of = (key: string) => new RegExp(`^ {8}${key}: (.+)$`, "m").exec(text)?.[1];
    const [id, run] = [of("id"), of("run")];
    return { ...(id && { id }), ...(run && { run }) };
  });
}

Deno.test({
  name: "GitHub Classroom's workflow has a step for each lesson, and its report reads them",
  ignore,
  fn: async () => {
    const workflow = await Deno.readTextFile(`${root}/.github/workflows/classroom.yml`);
    const numbers = (await lessonSlugs(root)).map((slug) => Number(slug.slice(0, 2)));
    assertMatch(workflow, /^ {2}run-autograding-tests:$/m);
    const steps = stepsOf(workflow).filter(({ run }) => run !== undefined);
    assertEquals(
      steps,
      numbers.map((number) => ({
        id: `lesson${number}`,
        run: `workbook/grading/platforms/classroom.sh ${number}`,
      })),
    );
    const runners = /^ {10}runners: (.+)$/m.exec(workflow)![1];
    assertEquals(runners, numbers.map((number) => `lesson${number}`).join(","));
    for (const number of numbers) {
      const line = `LESSON${number}_RESULTS: \${{ steps.lesson${number}.outputs.result }}`;
      assert(workflow.includes(line), line);
    }
    // One of them is run, as the runner runs it: in the repository, with a file for its output.
    await using folder = await Folder.create();
    await folder.write("output", "");
    await folder.run("bash", ["-e", "-c", steps[0]!.run!], {
      env: { GITHUB_OUTPUT: `${folder.base}/output` },
    });
    const [line, ...rest] = (await folder.read("output")).trimEnd().split("\n");
    assertEquals(rest, []);
    const [, base64] = /^result=([A-Za-z0-9+/]+=*)$/.exec(line!)!;
    const result = JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(base64!)));
    assertEquals(result.version, 1);
    assertEquals(result.max_score, 12);
    assertEquals(result.tests.length, 12);
  },
});

Deno.test("the workflow of a class grades as many parts as it has machines", async () => {
  const workflow = await Deno.readTextFile(`${root}/.github/workflows/class.yml`);
  const steps = stepsOf(workflow).flatMap(({ run }) => run ?? []);
  assertEquals(steps, [
    'npx -y deno@2.9.6 task class "$SUBMISSIONS" --out results --shard "$SHARD"',
    "npx -y deno@2.9.6 task class merge parts/* --out results",
  ]);
  const shards = /^ {8}shard: \[(.+)\]$/m.exec(workflow)![1]!.split(", ").map(Number);
  assertEquals(shards, shards.map((_, i) => i + 1));
});
