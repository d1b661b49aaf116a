/**
 * The real thing in a real terminal: `tmux` is one that can be typed into and looked at. Where there is none, these
 * tests are ignored, since Deno itself cannot open a pseudo-terminal.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SUITE_ENV } from "../records.ts";
import { hasProgram } from "./pty.ts";

const HERE = decodeURIComponent(new URL("../..", import.meta.url).pathname);
const SLUG = "01_create_bind";
const fromJsr = import.meta.resolve("@std/assert").startsWith("jsr:");
const importMap = Deno.env.get(SUITE_ENV.importMap) ??
  (fromJsr ? undefined : `${HERE}workbook/std/import_map.json`);
const noTmux = !await hasProgram("tmux", "-V");
/** What is waited for comes within this, in milliseconds, also on a machine that does much else. */
const PATIENCE_MS = 30_000;

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else if (isFile) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** A learner: a copy of the workbook with lessons 1 and 2, and a shell on a terminal. */
class Learner implements AsyncDisposable {
  readonly #socket = `workbook-${crypto.randomUUID().slice(0, 8)}`;
  private constructor(readonly root: string) {}

  static async create({ columns = 80, rows = 24 } = {}): Promise<Learner> {
    const root = await Deno.makeTempDir({ prefix: "workbook_terminal_" });
    for (const folder of ["workbook", "tests/support", "tests/stubs"]) {
      await copy(`${HERE}${folder}`, `${root}/${folder}`);
    }
    for (const slug of [SLUG, "02_connect"]) {
      await copy(`${HERE}lessons/${slug}`, `${root}/lessons/${slug}`);
      await copy(`${HERE}solutions/${slug}`, `${root}/solutions/${slug}`);
      await Deno.copyFile(`${HERE}tests/stubs/${slug}.ts`, `${root}/lessons/${slug}/exercise.ts`);
      await Deno.copyFile(`${HERE}tests/${slug}_test.ts`, `${root}/tests/${slug}_test.ts`);
    }
    await Deno.copyFile(`${HERE}deno.json`, `${root}/deno.json`);
    const learner = new Learner(root);
    await learner.#tmux(
      ...["-u", "-f", "/dev/null", "new-session", "-d", "-s", "w"],
      ...["-x", `${columns}`, "-y", `${rows}`, "-c", root, "env PS1='$ ' bash --norc"],
    );
    await learner.type("clear; echo 'terminal' ready", "Enter");
    await learner.sees("terminal ready");
    return learner;
  }

  get file(): string {
    return `${this.root}/lessons/${SLUG}/exercise.ts`;
  }

  solution(): Promise<string> {
    return Deno.readTextFile(`${this.root}/solutions/${SLUG}/exercise.ts`);
  }

  save(text: string): Promise<void> {
    return Deno.writeTextFile(this.file, text);
  }

  async #tmux(...args: string[]): Promise<string> {
    const { stdout } = await new Deno.Command("tmux", {
      args: ["-L", this.#socket, ...args],
      env: { LC_ALL: "C.UTF-8", NO_COLOR: "", TERM: "xterm-256color" },
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  }

  async type(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", "-t", "w", ...keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-t", "w", "-x", `${columns}`, "-y", `${rows}`);
  }

  screen(): Promise<string> {
    return this.#tmux("capture-pane", "-p", "-t", "w");
  }

  /** Waits until the screen says that. Returns it. */
  async sees(...texts: (string | RegExp)[]): Promise<string> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const screen = await this.screen();
      const has = (text: string | RegExp) =>
        typeof text === "string" ? screen.includes(text) : text.test(screen);
      if (texts.every(has)) return screen;
      if (performance.now() > end) throw new Error(`Not seen: ${texts.join(", ")} in\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Starts a command of the workbook, as `deno task` does. */
  async run(...args: string[]): Promise<void> {
    const map = importMap
      ? [`--import-map=${this.root}/workbook/std/import_map.json`]
      : [`--config=${this.root}/deno.json`];
    const env = importMap
      ? `${SUITE_ENV.importMap}=${this.root}/workbook/std/import_map.json `
      : "";
    const options = ["--no-check", "--no-lock", "--cached-only", "-A", ...map].join(" ");
    await this.type(
      `${env}${Deno.execPath()} run ${options} workbook/cli.ts ${
        args.join(" ")
      }; echo "status:" $?`,
      "Enter",
    );
  }

  /** Fails if the terminal is not as it was found, or a process is left. */
  async expectAsBefore(): Promise<void> {
    const modes = "stty -a | grep -oE -- '-?(icanon|isig|echo|opost|icrnl)( |$)' | tr -d '\\n'";
    // What is typed before the shell listens may be lost.
    const ask = () => this.type(`clear; printf 'modes %s\\n' "$(${modes})"`, "Enter");
    await ask();
    const again = setInterval(ask, 3_000);
    const screen = await this.sees(/^modes .*echo/m).finally(() => clearInterval(again));
    assert(!/-(icanon|isig|echo|opost|icrnl)/.test(/^modes .*/m.exec(screen)![0]), screen);
    assertEquals(await this.#processes(), []);
  }

  async #processes(): Promise<string[]> {
    if (Deno.build.os !== "linux") return [];
    const end = performance.now() + 2_000;
    for (;;) {
      const found: string[] = [];
      for (const { name } of Deno.readDirSync("/proc")) {
        if (!/^\d+$/.test(name)) continue;
        try {
          const line = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ");
          if (line.includes(this.root) && !/^\S*tmux /.test(line)) found.push(line);
        } catch {
          // It has ended meanwhile.
        }
      }
      if (found.length === 0 || performance.now() > end) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Numbers of the processes that were started as commands of the workbook. */
  commands(): number[] {
    return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
      try {
        const line = Deno.readTextFileSync(`/proc/${name}/cmdline`);
        return line.includes("workbook/cli.ts") && line.includes(this.root) ? [Number(name)] : [];
      } catch {
        return [];
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
    assertEquals(await this.#processes(), []);
    await Deno.remove(this.root, { recursive: true });
  }
}

const ENDLESS = "export function openTcpSocket() { for (;;); }\n";

Deno.test({
  name: "start, in a terminal: a lesson from its first text to the next lesson, by saves and keys",
  ignore: noTmux,
  fn: async () => {
    await using learner = await Learner.create();
    await learner.run("start");
    await learner.sees("Lesson 1: ", "1. Read lessons/", "0 of 6 tasks passed");
    const solution = await learner.solution();
    await learner.save(solution.replace("LOOPBACK, port: 0", "LOOPBACK, port: 51837"));
    const verdict = await learner.sees("✗ task 1: openTcpSocket()", "Likely: fixed-port", "4 of 6");
    // The task that fails in full, the others in a line each.
    assertEquals(verdict.match(/^[✓✗] task \d/gm)?.length, 6, verdict);
    await learner.type("h");
    await learner.sees("Seen in your last grading: fixed-port");
    await learner.type("h");
    await learner.sees("Hint 1 of ");
    await learner.type("q", "l");
    await learner.sees("▸ 1  A socket is created", "✗ task 1");
    await learner.resize(40, 12);
    const narrow = await learner.sees("… ", "q back");
    for (const line of narrow.split("\n")) assert([...line].length <= 40, line);
    await learner.type("q");
    await learner.resize(80, 24);
    await learner.save(solution);
    await learner.sees("Lesson 1 is done", "fixed-port: ", "n next lesson");
    await learner.type("s");
    await learner.sees("is the model solution");
    await learner.type("q", "n");
    await learner.sees("Lesson 2: ", "0 of 6 tasks passed");
    await learner.type("q");
    await learner.sees("status: 0", "To go on: deno task start");
    await learner.expectAsBefore();
    // It goes on where it was left.
    await learner.run("start", "--lang", "ko");
    await learner.sees("2강: ", "h 힌트");
    // And after the last one there is nothing to go on with.
    await Deno.copyFile(
      `${learner.root}/solutions/02_connect/exercise.ts`,
      `${learner.root}/lessons/02_connect/exercise.ts`,
    );
    await learner.sees("2강을 마쳤습니다", "마지막 강이었습니다");
    await learner.type("q");
    const end = await learner.sees("status: 0", "마지막 강이었습니다");
    assert(!end.includes("이어서 하기"), end);
  },
});

Deno.test({
  name:
    "start, in a terminal: Ctrl-C in an endless loop, Ctrl-Z and fg, and the shell is as it was",
  ignore: noTmux,
  fn: async () => {
    await using learner = await Learner.create();
    await Deno.mkdir(`${learner.root}/.workbook`, { recursive: true });
    await Deno.writeTextFile(`${learner.root}/.workbook/progress.json`, "{");
    await learner.run("start");
    await learner.sees("0 of 6 tasks passed", "progress.json was damaged");
    await learner.type("C-z");
    await learner.sees("Stopped");
    await learner.type("clear; echo 'in' between", "Enter");
    await learner.sees("in between");
    await learner.type("fg", "Enter");
    await learner.sees("Lesson 1: ", "h hint");
    await learner.save(ENDLESS);
    await learner.sees("grading task 1");
    await learner.type("C-c");
    // The rest of the shell's line went with Ctrl-Z.
    await learner.sees("To go on: deno task start");
    await learner.expectAsBefore();
    await learner.run("lesson", "1", "--watch");
    await learner.sees("grading task 1");
    await learner.type("C-c");
    await learner.sees("status: 130");
    await learner.expectAsBefore();
  },
});

for (const [signal, status] of [["SIGTERM", 143], ["SIGHUP", 129], ["SIGINT", 130]] as const) {
  Deno.test({
    name: `start, in a terminal: ${signal} gives it back and leaves nothing`,
    ignore: noTmux || Deno.build.os !== "linux",
    fn: async () => {
      await using learner = await Learner.create({ columns: 60, rows: 20 });
      await learner.save(ENDLESS);
      await learner.run("start");
      await learner.sees("grading task 1");
      // A process that it is just starting looks like it for a moment.
      Deno.kill(Math.min(...learner.commands()), signal);
      const screen = await learner.sees(`status: ${status}`);
      assertStringIncludes(screen, "cli.ts start");
      await learner.expectAsBefore();
    },
  });
}

Deno.test({
  name:
    "start, in a terminal: files that go and come back, ten saves in a second, a save that ends a loop",
  ignore: noTmux,
  fn: async () => {
    await using learner = await Learner.create();
    const solution = await learner.solution();
    await learner.save(solution);
    await learner.run("start");
    await learner.sees("Lesson 1 is done");
    await Deno.rename(learner.file, `${learner.file}.away`);
    await learner.sees("there is no such file");
    await Deno.rename(`${learner.file}.away`, learner.file);
    await learner.sees("Lesson 1 is done");
    await learner.save("export function openTcpSocket( {\n");
    await learner.sees("a syntax error at exercise.ts:1");
    await learner.save(ENDLESS);
    await learner.sees("grading task 1");
    await Deno.writeTextFile(`${learner.file}.new`, solution);
    await Deno.rename(`${learner.file}.new`, learner.file);
    await learner.sees("Lesson 1 is done");
    for (let i = 0; i < 10; i++) {
      await learner.save(i === 9 ? `${solution}// last\n` : `${ENDLESS}// ${i}\n`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await learner.sees("Lesson 1 is done", "6 of 6 tasks passed");
    await Deno.rename(`${learner.root}/lessons/${SLUG}`, `${learner.root}/away`);
    await learner.sees("there is no such file");
    await Deno.rename(`${learner.root}/away`, `${learner.root}/lessons/${SLUG}`);
    await learner.sees("Lesson 1 is done");
    await learner.resize(12, 5);
    await learner.resize(200, 50);
    await learner.sees("What you can do now:");
    // The terminal is closed: nothing of it goes on, which the end of this test looks at.
  },
});
