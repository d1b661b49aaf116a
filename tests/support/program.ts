/**
 * The exercise as a program: started, signalled, listened to, and ended for certain.
 *
 * Nothing of the workbook runs in that process.
 *
 * @module
 */

import type { Text } from "../../workbook/text.ts";
import {
  type ChildEnd,
  exerciseCommand,
  FLOOD_MIB,
  graphCommand,
  live,
  packageFolders,
  sendSignal,
} from "./child.ts";
import { dir, file } from "./exercise.ts";
import { threw } from "./explain.ts";
import { fail } from "./failure.ts";
import { startFairClock } from "./fair_clock.ts";
import { report } from "./report.ts";
import { strangers } from "./strangers.ts";
import type { Transcript } from "./transcript.ts";

/** What it prints is kept up to this size, in characters, on each of its two streams. */
const KEPT_CHARS = 16 * 1024;
/** What a program has, of the machine's time, for each step that is waited for, in milliseconds. */
const PATIENCE_MS = 2_000;

/** How Deno begins the name of each file of the exercise's. */
const FOLDER = urlOf(dir);

function urlOf(folder: string): string {
  return `${new URL(`file://${folder.split("/").map(encodeURIComponent).join("/")}`).href}/`;
}

/** What is run instead of an exercise that imports what it may not read: it ends as that import should. */
let refused: string | undefined;
let looked = false;

/**
 * What is to be run as the program. The imports that stand in a program's own files need no permission to read, so
 * that those of a stranger's are looked at first.
 */
function mainModule(): string {
  if (!strangers || looked) return refused ?? "exercise.ts";
  looked = true;
  const within = [FOLDER, ...packageFolders().map((folder) => urlOf(folder.replace(/\/$/, "")))];
  try {
    const { stdout } = graphCommand(dir, "exercise.ts").outputSync();
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
      modules: { specifier: string }[];
    };
    const outside = modules.find(({ specifier }) =>
      specifier.startsWith("file:") && !within.some((folder) => specifier.startsWith(folder))
    );
    if (outside) refused = refusalOf(outside.specifier);
  } catch {
    // It cannot be read: running it says why.
  }
  return refused ?? "exercise.ts";
}

function refusalOf(specifier: string): string {
  const message = `Requires read access to ${JSON.stringify(specifier)}`;
  const code = `class NotCapable extends Error { name = "NotCapable" } ` +
    `throw new NotCapable(${JSON.stringify(message)})`;
  return `data:application/javascript,${encodeURIComponent(code)}`;
}

/** What is waited for, and the mistake that it shows if it does not come. */
export interface Awaited {
  expected: Text;
  mistake?: string;
}

/** The exercise, run as a program. */
export class Program {
  readonly #process: Deno.ChildProcess;
  readonly #transcript: Transcript;
  #text = "";
  #errors = "";
  #printed = 0;
  #read = 0;
  #killed = false;
  #news = Promise.withResolvers<void>();
  /** How it ended, once it has. */
  end: ChildEnd | undefined;
  /** Settles when it has ended and been reaped. */
  readonly ended: Promise<ChildEnd>;

  constructor(transcript: Transcript, readonly task: number) {
    this.#transcript = transcript;
    transcript.you("run", `deno run ${file.label}`);
    this.#process = exerciseCommand(dir, mainModule(), "null").spawn();
    live.add(this);
    const { pid } = this.#process;
    report({ record: "child", pid });
    const reading = [
      this.#keep(this.#process.stdout, (text) => this.#text = kept(this.#text, text)),
      this.#keep(this.#process.stderr, (text) => this.#errors = kept(this.#errors, text)),
    ];
    this.ended = Promise.all([this.#process.status, ...reading]).then(([{ code, signal }]) => {
      this.end = { code, signal };
      live.delete(this);
      report({ record: "reaped", pid });
      if (!this.#killed) transcript.you("end", signal ?? `status ${code}`);
      this.#tell();
      return this.end;
    });
  }

  /** The number of its process. */
  get pid(): number {
    return this.#process.pid;
  }

  async #keep(
    stream: ReadableStream<Uint8Array>,
    keep: (text: string) => void,
  ): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#printed += chunk.length;
      if (this.#printed > FLOOD_MIB * 1024 * 1024) this.killNow();
      keep(decoder.decode(chunk, { stream: true }));
      this.#tell();
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** All that it printed so far, as far as it is kept. */
  get output(): string {
    return this.#text + this.#errors.replaceAll(FOLDER, "");
  }

  /** The next line that it prints on standard output; nothing if it ends first. */
  async nextLine(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n", this.#read);
      if (end >= 0) {
        const line = this.#text.slice(this.#read, end);
        this.#read = end + 1;
        this.#transcript.you("print", line);
        return line;
      }
      if (this.end) return undefined;
      await this.#news.promise;
    }
  }

  /** Waits for a line that `wanted` takes, and gives what `wanted` made of it. */
  async line<T>(wanted: (line: string) => T | undefined, awaited: Awaited): Promise<T> {
    for (;;) {
      const line = await this.during(this.nextLine(), awaited);
      if (line === undefined) this.fail(awaited);
      const found = wanted(line);
      if (found !== undefined) return found;
    }
  }

  /** Waits for it to end by itself. */
  async exit(awaited: Awaited): Promise<ChildEnd> {
    return await this.during(this.ended, awaited);
  }

  /** Waits for `promise` as long as a program may take for a step. */
  async during<T>(promise: Promise<T>, awaited: Awaited): Promise<T> {
    const { promise: late, resolve: ring } = Promise.withResolvers<"late">();
    const stopClock = startFairClock(this.#process.pid, [
      { atMs: PATIENCE_MS, ring: () => ring("late") },
    ]);
    const first = await Promise.race([promise.then((value) => ({ value })), late])
      .finally(stopClock);
    if (first === "late") this.fail(awaited);
    return first.value;
  }

  /** Ends the test: what was waited for did not come. Says what became of the program instead. */
  fail({ expected, mistake }: Awaited): never {
    const error = this.end && this.#uncaught();
    if (!error) {
      const received = this.end ? showEnd(this.end) : this.#stillRuns();
      fail({ expected, received, mistake, kind: this.end ? "ended" : "hang" });
    }
    const failure = threw(error.call, error.wire, { file, task: this.task, expected });
    // The stub's own error says nothing more.
    if (failure.facts.kind === "missing") this.#errors = "";
    throw failure;
  }

  #stillRuns(): Text {
    const last = this.#text.split("\n").findLast((line) => line !== "");
    if (last === undefined) {
      return {
        en: "the program runs, and has printed nothing",
        ko: "프로그램은 실행 중이지만 아무것도 출력하지 않았습니다",
      };
    }
    const shown = JSON.stringify(last.slice(0, 80));
    return {
      en: `the program still runs; the last line that it printed is ${shown}`,
      ko: `프로그램이 아직 실행 중입니다. 마지막으로 출력한 줄: ${shown}`,
    };
  }

  /** The error that ended it, as Deno tells it on standard error. */
  #uncaught() {
    const [, name, message] =
      /^error: (?:Uncaught )?(?:\(in promise\) )?(\w+): (.*)$/m.exec(this.#errors) ?? [];
    if (name === undefined || message === undefined) return undefined;
    const [, at] = /\/(exercise\.ts:\d+:\d+)/.exec(this.#errors) ?? [];
    const wire = { name, message, classes: [name, "Error"], ...(at !== undefined && { at }) };
    const unwritten = /^Not implemented: (\w+)\(/.exec(message)?.[1];
    return { wire, call: `${unwritten ?? "main"}()` };
  }

  /** Sends it a signal, as a terminal or a service manager does. */
  signal(signal: Deno.Signal): void {
    this.#transcript.peer("signal", signal);
    sendSignal(this.#process, signal);
  }

  /** Ends it at once, without waiting. */
  killNow(): void {
    this.#killed = true;
    sendSignal(this.#process, "SIGKILL");
  }

  /** Ends it at once, and waits until it is gone. */
  kill(): Promise<ChildEnd> {
    this.killNow();
    return this.ended;
  }
}

/** What is kept of a stream once `more` has come. */
function kept(text: string, more: string): string {
  return text + more.slice(0, Math.max(0, KEPT_CHARS - text.length));
}

/** How a program ended, in words. */
export function showEnd({ code, signal }: ChildEnd): Text {
  return signal
    ? {
      en: `the program was ended by the signal ${signal}`,
      ko: `프로그램이 신호 ${signal} 로 종료되었습니다`,
    }
    : {
      en: `the program ended with status ${code}`,
      ko: `프로그램이 종료 상태 ${code} 로 끝났습니다`,
    };
}
