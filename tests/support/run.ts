/**
 * One test on its way: the story it tells, its deadline, and what is said when it goes wrong.
 *
 * @module
 */

import type { ChildState } from "../../workbook/protocol.ts";
import type { Text } from "../../workbook/text.ts";
import { ChildEndedError, type OrderBody, OrderError } from "./child.ts";
import { file, hasOpenFiles, type Loaded } from "./exercise.ts";
import { isKnownToStop, socketsBeyond, socketsOf } from "./kernel.ts";
import { startFairClock } from "./fair_clock.ts";
import {
  busyReading,
  callEnds,
  endedEarly,
  outOfBounds,
  replaced,
  threw,
  unhandled,
  waitingFor,
} from "./explain.ts";
import { TaskFailure } from "./failure.ts";
import { Learner } from "./learner.ts";
import { Peers } from "./peer.ts";
import { Program } from "./program.ts";
import { Random, seed } from "./random.ts";
import { pause } from "./timers.ts";
import { showAddr, type Transcript } from "./transcript.ts";

/** What a test works with. */
export interface TestContext {
  learner: Learner;
  peers: Peers;
  random: Random;
  /** Starts the exercise as a program of its own, which is ended with the test. */
  program(): Program;
  /** A further process of the learner's with the exercise loaded. Later tests of the task use it, too. */
  another(): Promise<Learner>;
  /**
   * Does one step of the story. If it does not end in time, or fails without saying more, this is what is shown
   * as expected, and the mistake that it looks like, if need be told from what happened until then. `received` tells
   * what is there instead at that moment.
   */
  step<T>(
    expected: Text,
    run: () => Promise<T>,
    mistake?: Mistake,
    received?: () => Text | undefined,
  ): Promise<T>;
}

/** A test as far as running it goes. */
export interface RunnableTest {
  task: number;
  index: number;
  /** Its place among the tests of its task. */
  place: number;
  name: Text;
  run: (context: TestContext) => Promise<void>;
  deadlineMs: number;
  /** The mistake that a socket left open shows, or `false` if that is not for this test to judge. */
  leak: string | false | undefined;
  /** The mistake that an error nobody handled shows. */
  unhandled: string | undefined;
}

/** A mistake by name, told beforehand or from what has happened until then. */
type Mistake = string | (() => string | undefined);

/** A step of a test's story that goes on. */
interface Step {
  expected: Text;
  mistake: Mistake | undefined;
  received: (() => Text | undefined) | undefined;
}

function mistakeOf(step: Step | undefined): string | undefined {
  return typeof step?.mistake === "function" ? step.mistake() : step?.mistake;
}

/** A process of the learner's in one test. */
interface Process {
  loaded: Loaded;
  learner?: Learner;
  /** How many sockets it had before the test. */
  socketsBefore: number;
}

/** How long before the deadline a silent process is asked whether it still lives. */
const PING_BEFORE_MS = 700;
/** How long a socket may stay open after everything that should close it, in milliseconds. */
const LEAK_PATIENCE_MS = 500;

/** How long after the first look at a process that is late comes the second, in milliseconds. */
const LOOK_AGAIN_MS = 20;

/** Errors that nobody handled, as many as are told. */
const MAX_LOST = 3;

const LOADS: Text = { en: `${file.label} can be loaded`, ko: `${file.label} 를 불러올 수 있음` };

/** One test on its way. */
export class Run {
  readonly peers: Peers;
  readonly #test: RunnableTest;
  readonly #loaded: Loaded;
  readonly #transcript: Transcript;
  readonly #programs: Program[] = [];
  readonly #takeOther: (index: number) => Loaded;
  /** Every process that the test has, the first one first. */
  readonly #processes: Process[] = [];
  readonly #steps: Step[] = [];
  #learner: Learner | undefined;
  loading = true;
  hung = false;
  /** Nothing of it is left in its process: no socket, no call, no timer, no open file, no built-in of its own. */
  leftNothing = false;

  constructor(
    test: RunnableTest,
    loaded: Loaded,
    transcript: Transcript,
    takeOther: (index: number) => Loaded,
  ) {
    this.#takeOther = takeOther;
    this.#test = test;
    this.#loaded = loaded;
    this.#transcript = transcript;
    this.peers = new Peers(transcript);
  }

  /** Runs the test until it passes, fails, or its time is over. */
  async finish(timeMs: number): Promise<void> {
    const story = this.#story();
    const { promise: timeUp, resolve: ring } = Promise.withResolvers<"time is up">();
    let answered = false;
    const ping = () => {
      this.#loaded.child.order({ op: "state" }).then(() => answered = true, () => {});
    };
    const stopClock = startFairClock(this.#loaded.child.pid, [
      { atMs: timeMs - PING_BEFORE_MS, ring: ping },
      { atMs: timeMs, ring: () => ring("time is up") },
    ]);
    try {
      if (await Promise.race([story, timeUp]) === undefined) return;
    } catch (error) {
      // A program that was waited for in vain is waited for once.
      this.hung = error instanceof TaskFailure && error.facts.kind === "hang";
      const better = await this.#better(error);
      const isMissing = better instanceof TaskFailure && better.facts.kind === "missing";
      this.leftNothing = isMissing && await this.#leavesNothing();
      throw better;
    } finally {
      stopClock();
      for (const { learner } of this.#processes) learner?.retire();
      await Promise.all(this.#programs.map((program) => program.kill()));
    }
    story.catch(() => {});
    this.hung = true;
    this.leftNothing = false;
    const state = answered ? await this.#soon({ op: "state" }) : undefined;
    if (state) await pause(LOOK_AGAIN_MS);
    const later = state && await this.#soon({ op: "state" });
    throw this.#hang(timeMs, later ?? state, busyReading(state, later));
  }

  async #story(): Promise<void> {
    await this.#loaded.exports;
    this.loading = false;
    const { promise: failed, reject: failLater } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const learner = await this.#join(this.#loaded, failLater);
    this.#learner = learner;
    const context: TestContext = {
      learner,
      peers: this.peers,
      random: new Random(seed + this.#test.task * 104_729 + this.#test.place * 7919),
      program: () => this.#startProgram(),
      another: () => this.#join(this.#takeOther(this.#processes.length - 1), failLater),
      step: (...step) => this.#step(...step),
    };
    await Promise.race([this.#test.run(context), failed]);
    this.peers.release();
    this.leftNothing = true;
    for (const process of this.#processes) {
      const { learner } = process;
      if (learner?.killed === false) await this.#expectNothingLeft(learner, process);
      // A further process that was killed is replaced when one is needed.
      else if (process === this.#processes[0]) this.leftNothing = false;
    }
  }

  /** Makes a process part of the test. */
  async #join(loaded: Loaded, failLater: (failure: unknown) => void): Promise<Learner> {
    const number = this.#processes.length + 1;
    const process: Process = { loaded, socketsBefore: 0 };
    this.#processes.push(process);
    const exports = await loaded.exports;
    // By the kernel's count: the runtime has some of its own.
    process.socketsBefore = loaded.sockets ?? socketsOf(loaded.child.pid);
    delete loaded.sockets;
    process.learner = new Learner(loaded.child, exports, {
      transcript: this.#transcript,
      task: this.#test.task,
      file,
      failLater,
      ...(number > 1 && { label: `[${number}] ` }),
    });
    return process.learner;
  }

  /** Whether nothing of a test that has failed is left in its processes. */
  async #leavesNothing(): Promise<boolean> {
    this.peers.release();
    for (const { loaded, learner, socketsBefore } of this.#processes) {
      const state = learner && await this.#soon(learner.tidyOrder, loaded.child);
      if (!state || !isNothingLeft(learner, state)) return false;
      const { pid } = loaded.child;
      if (socketsBeyond(pid, socketsBefore).internet > 0 || hasOpenFiles(pid)) return false;
    }
    return true;
  }

  #startProgram(): Program {
    const program = new Program(this.#transcript, this.#test.task);
    this.#programs.push(program);
    return program;
  }

  /** What the programs of the test printed. */
  get printed(): string {
    return this.#programs.map((program) => program.output).join("");
  }

  async #step<T>(
    expected: Text,
    run: () => Promise<T>,
    mistake?: Mistake,
    received?: () => Text | undefined,
  ): Promise<T> {
    const step = { expected, mistake, received };
    this.#steps.push(step);
    const result = await run();
    // Steps nest and may run side by side; a step that failed stays, since it says what was expected.
    this.#steps.splice(this.#steps.indexOf(step), 1);
    return result;
  }

  /** Ends what the test holds, and fails if the learner's code keeps a socket or lost an error. */
  async #expectNothingLeft(learner: Learner, process: Process): Promise<void> {
    const { loaded, socketsBefore } = process;
    const { pid } = loaded.child;
    let state = await learner.tidy();
    if (learner.unhandled.length > 0) {
      throw new TaskFailure({
        kind: "unhandled",
        received: unhandled(learner.unhandled[0]!),
        mistake: this.#test.unhandled,
      });
    }
    // What may stay open need not be counted.
    if (this.#test.leak === false && !isNothingLeft(learner, state)) {
      this.leftNothing = false;
      return;
    }
    const leaked = () => state.open.filter((socket) => socket.origin === "made");
    let counted = socketsBeyond(pid, socketsBefore);
    const isLeft = () => leaked().length > 0 || counted.internet > 0;
    if (this.#test.leak !== false && isLeft()) {
      let patient = true;
      const lose = () => patient = false;
      const stopClock = startFairClock(pid, [{ atMs: LEAK_PATIENCE_MS, ring: lose }]);
      while (isLeft() && patient) {
        await pause(10);
        state = await learner.rest();
        counted = socketsBeyond(pid, socketsBefore);
      }
      stopClock();
      if (isLeft()) throw this.#leak(leaked(), counted.internet);
    }
    const isClean = isNothingLeft(learner, state) && counted.internet === 0 && !hasOpenFiles(pid);
    if (isClean) loaded.sockets = counted.held;
    else this.leftNothing = false;
  }

  #leak(open: ChildState["open"], counted: number): TaskFailure {
    return new TaskFailure({
      kind: "leak",
      expected: {
        en: "every socket that is not returned is closed",
        ko: "반환하지 않은 소켓은 모두 닫힘",
      },
      received: leakText(open, counted),
      ...(this.#test.leak && { mistake: this.#test.leak }),
    });
  }

  /** The failure that says most: a process that has ended or lost an error explains what the test saw. */
  async #better(error: unknown): Promise<unknown> {
    const { child } = this.#loaded;
    if (error instanceof TaskFailure && ["missing", "absent"].includes(error.facts.kind)) {
      return error;
    }
    const forbidden = this.#learner?.forbidden;
    if (forbidden) return outOfBounds(forbidden);
    const expected = this.#expectation();
    if (!child.end) await this.#soon({ op: "rest", timersWithinMs: 50 });
    const ended =
      this.#processes.find(({ loaded, learner }) => loaded.child.end && learner?.killed !== true)
        ?.loaded.child ?? (this.#learner?.killed ? undefined : child);
    if (ended?.end) {
      const failure = endedEarly(ended.end, ended, expected);
      if (this.loading) failure.facts.kind = "load";
      return failure;
    }
    const asFailure = this.#asFailure(error);
    if (!(asFailure instanceof TaskFailure)) return asFailure;
    const step = this.#steps.at(-1);
    if (step && asFailure.facts.kind !== "leak") {
      asFailure.facts.expected ??= step.expected;
      // A misspelt name breaks every step, and is nobody's mistake about sockets.
      const mistake = mistakeOf(step);
      if (mistake && asFailure.facts.kind !== "slip") asFailure.facts.mistake ??= mistake;
    }
    for (const lost of this.#processes.flatMap(({ learner }) => learner?.unhandled ?? [])) {
      if (asFailure.facts.kind !== "unhandled") asFailure.facts.notes.push(unhandled(lost));
      break;
    }
    this.#noteReplaced(asFailure);
    return asFailure;
  }

  /** What is to happen now: the step of the story, the call that goes on, or else the test as a whole. */
  #expectation(): Text {
    if (this.loading) return LOADS;
    const step = this.#steps.at(-1);
    if (step) return step.expected;
    const call = this.#learner?.calling;
    return call ? callEnds(call) : this.#test.name;
  }

  #noteReplaced(failure: TaskFailure): void {
    const names = this.#learner?.replaced ?? [];
    if (names.length > 0) failure.facts.notes.push(replaced(names));
  }

  /** Errors of the suite's own sockets tell what the learner's end did; anything else is the suite's fault. */
  #asFailure(error: unknown): unknown {
    if (error instanceof TaskFailure) return error;
    if (error instanceof OrderError) {
      return threw(this.#test.name.en, error.wire, { file, task: this.#test.task });
    }
    if (error instanceof Deno.errors.ConnectionRefused) {
      return new TaskFailure({
        kind: "socket",
        received: {
          en: "nobody listens there: the connection was refused",
          ko: "그곳에서 듣고 있는 프로세스가 없습니다: 연결이 거부되었습니다",
        },
      });
    }
    if (
      error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.NotConnected
    ) {
      return new TaskFailure({
        kind: "socket",
        received: {
          en: `the connection was closed by the learner's end: ${error.name}`,
          ko: `학습자 쪽에서 연결을 끊었습니다: ${error.name}`,
        },
      });
    }
    return error;
  }

  #hang(timeMs: number, state: ChildState | undefined, busy: Text[]): TaskFailure {
    const forbidden = this.#learner?.forbidden;
    if (forbidden) return outOfBounds(forbidden);
    const step = this.#steps.at(-1);
    const seconds = timeMs / 1000;
    const received = step?.received?.();
    const waits = busy.length > 0
      ? busy
      : waitingFor(state, { stopped: isKnownToStop(this.#loaded.child.pid) });
    const failure = new TaskFailure({
      kind: this.loading ? "load" : "hang",
      expected: this.#expectation(),
      received: received ?? waits[0]!,
      notes: [
        ...(received ? waits : waits.slice(1)),
        {
          en: `Stopped after ${seconds} s.`,
          ko: `${seconds}초 뒤에 멈췄습니다.`,
        },
      ],
      mistake: mistakeOf(step),
    });
    const unhandledErrors = this.#processes.flatMap(({ learner }) => learner?.unhandled ?? []);
    for (const lost of unhandledErrors.slice(0, MAX_LOST)) {
      failure.facts.notes.push(unhandled(lost));
    }
    this.#noteReplaced(failure);
    return failure;
  }

  /** The answer to an order, or nothing if none comes within the time of a ping. */
  async #soon(
    body: OrderBody & { op: "state" | "rest" | "tidy" },
    child = this.#loaded.child,
  ): Promise<ChildState | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const stopClock = startFairClock(child.pid, [{
      atMs: PING_BEFORE_MS,
      ring: () => resolve(undefined),
    }]);
    const answer = child.order(body).then(
      (answer) => "state" in answer ? answer.state : undefined,
      async (error) => {
        if (error instanceof ChildEndedError) await child.ended;
        return undefined;
      },
    );
    return await Promise.race([answer, late]).finally(stopClock);
  }
}

/** Whether an exercise does nothing any more, and has changed nothing that another test could meet. */
function isNothingLeft(learner: Learner, { open, pending, timersMs }: ChildState): boolean {
  return open.length + pending.length + timersMs.length === 0 && !learner.killed &&
    learner.unhandled.length + learner.replaced.length === 0;
}

/** The sockets left open, by address where the process told them, else by the kernel's count. */
function leakText(open: ChildState["open"], counted: number): Text {
  const shown = open.slice(0, 3).map((socket) => `${socket.kind} ${showAddr(socket.addr)}`);
  const list = `${shown.join(", ")}${open.length > 3 ? ", …" : ""}`;
  const count = Math.max(open.length, counted);
  const where = open.length > 0 ? `: ${list}` : "";
  return count === 1
    ? { en: `one socket is still open${where}`, ko: `소켓 하나가 아직 열려 있습니다${where}` }
    : {
      en: `${count} sockets are still open${where}`,
      ko: `소켓 ${count}개가 아직 열려 있습니다${where}`,
    };
}
