/**
 * `deno task bench watch`: from saving the file to the verdict on the screen, measured from outside.
 *
 * A lesson of ten tasks, solved, is watched as a learner would, and beside it ten ordinary tests of the same code by
 * `deno test --watch`. Both are saved in turn. Each has a terminal of its own where Python can open one.
 *
 * @module
 */

import { SUITE_ENV } from "../records.ts";
import { median, spread } from "../statistics.ts";
import { hasPty, onPty } from "../watch/pty.ts";
import { scaffold } from "./new_lesson.ts";

const TASKS = 10;
const SLUG = "01_ten_tasks";
const LIMIT_MS = 400;
/** A save that nobody answers, in milliseconds. */
const PATIENCE_MS = 20_000;
/** Nothing more is to come after so long, in milliseconds: the compiler, too, is done. */
const QUIET_MS = 1_500;

/** Measures so many saves. Exit status 1 if the verdict comes later than it should. */
export async function benchWatch(root: string, runs: number): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "workbook_bench_" });
  const isPty = await hasPty();
  try {
    const solution = await makeCourse(root, folder);
    await Deno.mkdir(`${folder}/plain`);
    await Deno.writeTextFile(`${folder}/plain/exercise.ts`, solution);
    await Deno.writeTextFile(`${folder}/plain/ten_test.ts`, plainTests());
    const importMap = Deno.env.get(SUITE_ENV.importMap);
    const mapped = importMap ? [`--import-map=${folder}/workbook/std/import_map.json`] : [];
    const ours = new Watched({
      cwd: folder,
      isPty,
      args: ["run", "--no-check", "--no-lock", "--cached-only", "-A", ...mapped]
        .concat(`${folder}/workbook/cli.ts`, "lesson", "1", "--watch", "--lang", "en"),
      verdict: `${TASKS} of ${TASKS} tasks passed`,
      env: importMap ? { [SUITE_ENV.importMap]: mapped[0]!.slice("--import-map=".length) } : {},
    });
    const theirs = new Watched({
      cwd: `${folder}/plain`,
      isPty,
      args: ["test", "--no-check", "--no-config", "--no-lock", "-A", "--watch", "ten_test.ts"],
      verdict: `${TASKS} passed`,
      env: {},
    });
    const [own, plain]: [number[], number[]] = [[], []];
    try {
      // The first verdict comes without a save; the first save warms what there is to warm.
      await Promise.all([ours.settle(), theirs.settle()]);
      for (let run = 0; run <= runs; run++) {
        const text = `${solution}// save ${run}\n`;
        const a = await ours.save(`${folder}/lessons/${SLUG}/exercise.ts`, text);
        const b = await theirs.save(`${folder}/plain/exercise.ts`, text);
        if (run === 0) continue;
        own.push(a);
        plain.push(b);
      }
    } finally {
      await Promise.all([ours.end(), theirs.end()]);
    }
    const where = isPty
      ? "on a terminal (Python's)"
      : "in a pipe: there is no Python for a terminal";
    console.log(
      `From saving to the verdict, ${TASKS} tasks, ${where}.\n` +
        `Median of ${runs} saves each (lowest–highest), in ms; ${navigator.hardwareConcurrency} ` +
        `cores, Deno ${Deno.version.deno}.\n\n` +
        `  deno task lessonN --watch   ${spread(own).padStart(16)}\n` +
        `  deno test --watch           ${
          spread(plain).padStart(16)
        }   (ten ordinary tests of the same code)\n`,
    );
    const isFast = median(own) <= LIMIT_MS;
    console.log(isFast ? `It is under ${LIMIT_MS} ms.` : `It is over ${LIMIT_MS} ms.`);
    return isFast ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A copy of the workbook with one lesson, solved. Returns the solution. */
async function makeCourse(root: string, folder: string): Promise<string> {
  await copy(`${root}/workbook`, `${folder}/workbook`);
  await copy(`${root}/tests/support`, `${folder}/tests/support`);
  await Deno.copyFile(`${root}/deno.json`, `${folder}/deno.json`);
  const files = scaffold(SLUG, TASKS);
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(`${folder}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/${path}`, text);
  }
  const solution = files[`solutions/${SLUG}/exercise.ts`]!;
  await Deno.writeTextFile(`${folder}/lessons/${SLUG}/exercise.ts`, solution);
  return solution;
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else if (isFile) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** The same tasks as somebody would test them without the workbook: in one process, for each a connection. */
function plainTests(): string {
  const tests = Array.from({ length: TASKS }, (_, i) => {
    const name = i === 0 ? "greet" : `greet${i + 1}`;
    return `Deno.test("${name}", () => check(exercise.${name}));\n`;
  });
  return `import * as exercise from "./exercise.ts";

async function check(greet: (conn: Deno.TcpConn, name: string) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const peer = await listener.accept();
  await greet(conn, "world");
  const text = await new Response(peer.readable).text();
  if (text !== "hello world\\n") throw new Error(text);
}

${tests.join("")}`;
}

/** A command that watches, and what it shows. */
class Watched {
  readonly #process: Deno.ChildProcess;
  readonly #verdict: string;
  readonly #reading: Promise<void>;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array>;
  #text = "";
  #lastAt = performance.now();
  #verdictAt = 0;

  constructor(
    { cwd, args, verdict, env, isPty }: {
      cwd: string;
      args: string[];
      verdict: string;
      env: Record<string, string>;
      isPty: boolean;
    },
  ) {
    const [program, all] = isPty
      ? onPty([Deno.execPath(), ...args], { columns: 100, rows: 40 })
      : [Deno.execPath(), args] as const;
    this.#verdict = verdict;
    this.#process = new Deno.Command(program, {
      args: [...all],
      cwd,
      env: { NO_COLOR: "1", TERM: "xterm", DENO_NO_UPDATE_CHECK: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keyboard = this.#process.stdin.getWriter();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stdout) {
      this.#lastAt = performance.now();
      this.#text += decoder.decode(chunk, { stream: true });
      if (this.#verdictAt === 0 && this.#text.includes(this.#verdict)) {
        this.#verdictAt = this.#lastAt;
      }
    }
  }

  /** Waits for a verdict, and until nothing more comes. */
  async settle(): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (this.#verdictAt === 0 || performance.now() - this.#lastAt < QUIET_MS) {
      if (performance.now() > end) {
        throw new Error(`No verdict came: ${JSON.stringify(this.#text.slice(-500))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Writes the file and waits for the verdict on it. Returns the time between, in milliseconds. */
  async save(path: string, text: string): Promise<number> {
    this.#text = "";
    this.#verdictAt = 0;
    const begin = performance.now();
    await Deno.writeTextFile(path, text);
    await this.settle();
    return this.#verdictAt - begin;
  }

  async end(): Promise<void> {
    // The terminal is closed; what has none is told to end.
    await this.#keyboard.close().catch(() => {});
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#reading;
    await this.#process.status;
  }
}
