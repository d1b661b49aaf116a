/**
 * One process of the learner's: started, spoken to, watched, and ended for certain.
 *
 * Its standard output carries the answers among whatever the exercise prints there; both are told apart by
 * a word that only this process and its suite know. Printed output is kept up to a limit; a process that
 * prints without end is stopped.
 *
 * @module
 */

import {
  type Answer,
  RECORD_MARK,
  type Reply,
  STRANGERS,
  type WireError,
  type WireEvent,
} from "../../workbook/protocol.ts";
import type { Order } from "../../workbook/protocol.ts";
import { isReply } from "../../workbook/protocol_check.ts";
import { SUITE_ENV } from "../../workbook/records.ts";
import { pathOf } from "../../workbook/std/paths.ts";
import { isStopped } from "./kernel.ts";
import { Printed, readMarked } from "./printed.ts";
import { withShortPaths } from "./shown_paths.ts";
import { strangers, strangersEnvironment, strangersLimits, withoutRights } from "./strangers.ts";
import { pause, turn } from "./timers.ts";

/** An order without its number. */
export type OrderBody = Order extends infer O ? O extends { id: number } ? Omit<O, "id"> : never
  : never;

/** How a process ended. */
export interface ChildEnd {
  code: number;
  signal: string | null;
  /** The status given to `Deno.exit()`, when that was called. */
  exitCall?: number;
}

/** The learner's process ended, so that an order will never be answered. */
export class ChildEndedError extends Error {
  override name = "ChildEndedError";
  constructor(readonly end: ChildEnd) {
    super(`The learner's process ended: status ${end.code}, signal ${end.signal}`);
  }
}

/** The host could not carry out an order. */
export class OrderError extends Error {
  override name = "OrderError";
  constructor(readonly wire: WireError) {
    super(`${wire.name}: ${wire.message}`);
  }
}

/** Output in one test after which a process is stopped. */
export const FLOOD_MIB = 8;
/** A protocol line may not be longer than this many bytes. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
/** All protocol lines of a test together may not have more: they are kept until it has ended. */
const MAX_TOLD_BYTES = 512 * 1024 * 1024;

/** Of which what it did with sockets, and errors that nobody handled, may be so much. */
const MAX_EVENT_BYTES = 32 * 1024 * 1024;

/** Lines of a stack trace that lie in the workbook, and say nothing to the learner. */
const HOST_FRAME = /^ +at [^\n]*\/workbook\/host(\/\w+)?\.ts:\d+:\d+\)?( \{)?\n/gm;
/** How V8 begins its last words. */
const CRASH_REPORT =
  /\n*(<--- Last few GCs|#\n# Fatal|=+\nDeno has panicked|thread '.*' panicked|memory allocation of \d)/;

const HEAP_MIB = 256;
/** On Linux: data segment in KiB (heap, buffers, stacks), processor seconds, open files. */
const ULIMITS = "ulimit -c 0; ulimit -d 1048576; ulimit -t 30; ulimit -n 4096";
const LOOPBACK = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "[::1]", "localhost"];

const hostFile = new URL("../../workbook/host.ts", import.meta.url);
/** What is killed when the suite ends, however it ends. */
export const live = new Set<{ killNow(): void }>();

// The runner may stop the suite at any moment; nothing of it may go on.
addEventListener("unload", () => {
  for (const child of live) child.killNow();
});

/**
 * The command that runs `path` in the folder of the exercise, with what an exercise may do and use: it may read
 * in `folders`, too.
 */
export function exerciseCommand(
  exerciseDir: string,
  path: string,
  stdin: "piped" | "null",
  folders: string[] = [],
): Deno.Command {
  const importMap = mapInForce();
  // Its own folder is where it starts: a path with a comma in it cannot be named here.
  const readable = [".", ...(importMap ? foldersOf(importMap) : []), ...folders];
  const args = [
    "run",
    "--no-check",
    "--no-prompt",
    "--no-lock",
    "--cached-only",
    "--unstable-net",
    ...packagesBy(importMap),
    `--allow-net=${LOOPBACK.join(",")}`,
    `--allow-read=${readable.filter(canBeNamed).join(",")}`,
    `--v8-flags=--max-old-space-size=${HEAP_MIB},--expose-gc`,
    path,
    ...(strangers && stdin === "piped" ? [STRANGERS] : []),
  ];
  return keptIn(args, exerciseDir, stdin);
}

/** Of a folder with a comma in its name the flag would make two others, which nobody wanted to be read. */
function canBeNamed(folder: string): boolean {
  return !folder.includes(",");
}

/** The command that lists the files which `path` leads to, in the folder of the exercise, without running it. */
export function graphCommand(exerciseDir: string, path: string): Deno.Command {
  const args = ["info", "--json", "--no-lock", "--no-remote", "--no-npm"];
  return keptIn([...args, ...packagesBy(mapInForce()), path], exerciseDir, "null");
}

function mapInForce(): string | undefined {
  return strangers?.importMap ?? Deno.env.get(SUITE_ENV.importMap);
}

/** The exercise may use the course's packages, by whatever way they come here. */
function packagesBy(importMap: string | undefined): string[] {
  return importMap
    ? ["--no-config", `--import-map=${importMap}`]
    : [`--config=${pathOf(new URL("../../deno.json", import.meta.url))}`];
}

/** The folders of the packages that an exercise may use. */
export function packageFolders(): string[] {
  const importMap = mapInForce();
  return importMap ? foldersOf(importMap) : [];
}

/** A `deno` command with the limits that hold for what is the learner's. */
function keptIn(args: string[], cwd: string, stdin: "piped" | "null"): Deno.Command {
  const options = {
    cwd,
    stdin,
    stdout: "piped",
    stderr: "piped",
    // A package.json beside the exercise is none of ours.
    env: {
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      DENO_NO_PACKAGE_JSON: "1",
      ...(strangers && strangersEnvironment(strangers)),
    },
    clearEnv: strangers !== undefined,
  } as const;
  if (Deno.build.os !== "linux") return new Deno.Command(Deno.execPath(), { ...options, args });
  return new Deno.Command("/bin/sh", {
    ...options,
    args: [
      "-c",
      `${strangers ? strangersLimits(strangers) : ULIMITS}; exec "$@"`,
      "sh",
      ...(strangers ? withoutRights(strangers) : []),
      Deno.execPath(),
      ...args,
    ],
  });
}

/** The folders that an import map leads to, which the learner's process has to read. */
function foldersOf(importMap: string): string[] {
  const base = new URL(`file://${encodeURI(importMap)}`);
  const { imports = {}, scopes = {} } = JSON.parse(Deno.readTextFileSync(importMap)) as {
    imports?: Record<string, string>;
    scopes?: Record<string, Record<string, string>>;
  };
  const targets = [imports, ...Object.values(scopes)].flatMap((map) => Object.values(map));
  const files = targets.map((target) => new URL(target, base))
    .filter((url) => url.protocol === "file:");
  return [...new Set(files.map((url) => pathOf(new URL(".", url))))];
}

const whole = new TextDecoder();

/** The text of a line that came in so many parts. */
function textOf(parts: Uint8Array[]): string {
  if (parts.length === 1) return whole.decode(parts[0]);
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join("");
}

/** Starts a process for {@linkcode Child}. Until it is one, nothing here waits for it. */
export function spawnChild(exerciseDir: string, folders: string[] = []): Deno.ChildProcess {
  const process = exerciseCommand(exerciseDir, pathOf(hostFile), "piped", folders).spawn();
  process.unref();
  return process;
}

/** Sends a process a signal; one that has ended already is left alone. */
export function sendSignal(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch {
    // It has ended already.
  }
}

/** A process of the learner's. */
export class Child {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, (answer: Answer | ChildEnd) => void>();
  readonly #word = crypto.randomUUID();
  #nextId = 1;
  /** How many have put it to sleep. */
  #sleepers = 0;
  /** Settles when all orders so far are on their way. */
  #sent: Promise<void> = Promise.resolve();
  /** How many orders have marked where its output ends, and the marks that have come. */
  #marks = 0;
  #marksRead = 0;
  #nextMark = Promise.withResolvers<void>();
  #toldBytes = 0;
  #eventBytes = 0;
  #exitCall: number | undefined;
  #isReady = Promise.withResolvers<void>();
  /** What the exercise has printed in this test. */
  readonly printed = new Printed();
  /** It printed so much that it was stopped. */
  flooded = false;
  /** It said what no host says: the exercise has changed the host's tools. It was stopped. */
  tampered = false;
  /** How it ended, once it has. */
  end: ChildEnd | undefined;
  /** Settles when it has ended and been reaped. Never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Settles when it takes orders, or has ended. */
  readonly ready: Promise<void> = this.#isReady.promise;
  /** Called for each event, as it comes. */
  onEvent: (event: WireEvent) => void = (event) => this.#early.push(event);
  #early: WireEvent[] = [];

  constructor(process: Deno.ChildProcess) {
    this.#process = process;
    process.ref();
    live.add(this);
    this.#writer = this.#process.stdin.getWriter();
    this.#send(this.#word);
    const reading = [
      this.#readOutput(this.#process.stdout),
      this.#readErrors(this.#process.stderr),
    ];
    this.ended = Promise.all([this.#process.status, ...reading]).then(([{ code, signal }]) => {
      this.end = {
        code,
        signal,
        ...(this.#exitCall !== undefined && { exitCall: this.#exitCall }),
      };
      live.delete(this);
      this.#isReady.resolve();
      this.#nextMark.resolve();
      for (const settle of this.#waiting.values()) settle(this.end);
      this.#waiting.clear();
      this.#writer.close().catch(() => {});
      return this.end;
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether the engine gave up for want of memory. */
  get outOfMemory(): boolean {
    return /out of memory|Allocation failed|memory allocation of/i.test(this.printed.text);
  }

  /** Whether the system refused it another descriptor. */
  get outOfDescriptors(): boolean {
    return /Too many open files|os error 24/.test(this.printed.text);
  }

  /** What the exercise printed in this test, cut at a limit, without the engine's own report of a crash. */
  get output(): string {
    const text = withShortPaths(this.printed.text.replace(HOST_FRAME, ""));
    const { left } = this.printed;
    const crash = text.search(CRASH_REPORT);
    if (crash >= 0) return text.slice(0, crash);
    return left > 0 ? `${text}\n… (${left} bytes more)\n` : text;
  }

  /** The output of the test that has ended. What comes from now on is the next one's. */
  takeOutput(): string {
    const { output } = this;
    this.printed.clear();
    this.#toldBytes = 0;
    this.#eventBytes = 0;
    return output;
  }

  /** Takes over the events, those that came before included. */
  listen(onEvent: (event: WireEvent) => void): void {
    this.onEvent = onEvent;
    for (const event of this.#early.splice(0)) onEvent(event);
  }

  /**
   * Gives an order and waits for the answer.
   *
   * Rejects with {@linkcode ChildEndedError} if the process ends first, with {@linkcode OrderError} if the host reports
   * a failure that is not the answer to a call.
   */
  async order(body: OrderBody): Promise<Answer> {
    if (this.end) throw new ChildEndedError(this.end);
    const id = this.#nextId++;
    const answer = new Promise<Answer | ChildEnd>((resolve) => this.#waiting.set(id, resolve));
    this.#send(JSON.stringify({ id, ...body }));
    const reply = await answer;
    if ("signal" in reply) throw new ChildEndedError(reply);
    if ("marked" in reply && reply.marked) await this.#markRead(++this.#marks);
    return reply;
  }

  /** Settles when all that was printed before mark number `mark` has been read. */
  async #markRead(mark: number): Promise<void> {
    while (this.#marksRead < mark && !this.end) await this.#nextMark.promise;
  }

  #send(line: string): void {
    // The process may have gone, or have closed its input: its end says so.
    this.#sent = this.#writer.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
  }

  /**
   * Lets the process sleep while `run` goes on: whatever arrives meanwhile, it finds all at once. If it is put to sleep
   * several times at once, it sleeps until the last `run` has ended.
   */
  async asleep<T>(run: () => T | Promise<T>): Promise<T> {
    if (this.#sleepers++ === 0) this.signal("SIGSTOP");
    try {
      while (!this.end && !isStopped(this.pid)) {
        await pause(1);
      }
      return await run();
    } finally {
      await this.#sent;
      if (--this.#sleepers === 0) this.signal("SIGCONT");
    }
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    // Windows has no such signals: there what arrives is found piece by piece.
    if (Deno.build.os !== "windows") sendSignal(this.#process, signal);
  }

  /** Sends SIGKILL and waits until the process is gone. */
  kill(): Promise<ChildEnd> {
    this.killNow();
    return this.ended;
  }

  /** Sends SIGKILL without waiting. */
  killNow(): void {
    sendSignal(this.#process, "SIGKILL");
  }

  #keep(bytes: Uint8Array): void {
    this.printed.add(bytes);
    if (this.printed.bytes > FLOOD_MIB * 1024 * 1024 && !this.flooded) this.#flood();
  }

  #flood(): void {
    this.flooded = true;
    this.killNow();
  }

  #readErrors(stream: ReadableStream<Uint8Array>): Promise<void> {
    const mark = new TextEncoder().encode(`${RECORD_MARK}${this.#word}\n`);
    return readMarked(stream, mark, (bytes) => this.#keep(bytes), () => {
      this.#marksRead++;
      this.#nextMark.resolve();
      this.#nextMark = Promise.withResolvers();
    });
  }

  async #readOutput(stream: ReadableStream<Uint8Array>): Promise<void> {
    const mark = new TextEncoder().encode(`${RECORD_MARK}${this.#word} `);
    const newline = 10;
    // A line is a record as long as its beginning matches the mark; anything else is passed on at once.
    let line: Uint8Array[] = [];
    let lineBytes = 0;
    let isRecord = true;
    let blankBefore = false;
    for await (const chunk of stream) {
      let from = 0;
      let isAnswered = false;
      while (from < chunk.length) {
        const end = chunk.indexOf(newline, from);
        const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
        if (isRecord) {
          for (let i = 0; i < piece.length && lineBytes + i < mark.length && isRecord; i++) {
            isRecord = piece[i] === mark[lineBytes + i];
          }
          if (isRecord && lineBytes + piece.length <= MAX_LINE_BYTES) {
            // A line that comes in parts outlives its chunk.
            line.push(end < 0 ? piece.slice() : piece);
            lineBytes += piece.length;
          } else {
            isRecord = false;
            if (blankBefore) this.#keep(new Uint8Array([newline]));
            for (const part of line) this.#keep(part);
            this.#keep(piece);
            line = [];
            lineBytes = -1;
          }
          blankBefore = false;
        } else {
          this.#keep(piece);
        }
        if (end < 0) break;
        if (isRecord && lineBytes > mark.length) {
          const reply = this.#read(line, mark.length);
          const isAnswer = reply !== undefined && "ok" in reply;
          // Whoever waits for an answer has it before the next is told, also when both come together.
          if (isAnswer && isAnswered) await turn();
          isAnswered ||= isAnswer;
          if (reply) this.#take(reply);
        } else if (isRecord && lineBytes === 0) {
          // The empty line before each record is the host's own, and only text of the learner's ends in one.
          blankBefore = true;
        } else {
          this.#keep(new Uint8Array([newline]));
        }
        line = [];
        lineBytes = 0;
        isRecord = true;
        from = end + 1;
      }
    }
  }

  /** The reply of a line, unless it is what no host says, or too much: then the process is ended. */
  #read(parts: Uint8Array[], skip: number): Reply | undefined {
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    this.#toldBytes += size;
    if (this.#toldBytes > MAX_TOLD_BYTES) return void this.#flood();
    let reply: unknown;
    try {
      reply = JSON.parse(textOf(parts).slice(skip));
    } catch {
      // Not a reply.
    }
    if (!isReply(reply)) {
      this.tampered = true;
      return void this.killNow();
    }
    if ("event" in reply && !["outcome", "callback"].includes(reply.event.event)) {
      this.#eventBytes += size;
    }
    if (this.#eventBytes > MAX_EVENT_BYTES) return void this.#flood();
    return reply;
  }

  #take(reply: Reply): void {
    if ("ready" in reply) this.#isReady.resolve();
    else if ("event" in reply) {
      if (reply.event.event === "exit") this.#exitCall = reply.event.code ?? 0;
      this.onEvent(reply.event);
    } else {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    }
  }
}
