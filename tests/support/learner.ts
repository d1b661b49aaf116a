/**
 * The learner's code, as a test speaks to it.
 *
 * @module
 */

import type {
  Answer,
  ChildState,
  Fault,
  Limits,
  WireError,
  WireEvent,
  WireOutcome,
  WireValue,
} from "../../workbook/protocol.ts";
import type { Text } from "../../workbook/text.ts";
import { countBytes } from "./bytes.ts";
import { type Child, type ChildEnd, type OrderBody, OrderError } from "./child.ts";
import { type ExerciseFile, isSlip, notExported, refusal, showValue, threw } from "./explain.ts";
import { fail, TaskFailure } from "./failure.ts";
import { filesOf } from "./kernel.ts";
import type { Transcript } from "./transcript.ts";
import {
  decodeValue,
  Digest,
  encodeArg,
  Pattern,
  Remote,
  RemoteError,
  Unshown,
  View,
} from "./wire.ts";

/** A socket in the learner's process, with its own address. */
export interface RemoteSocket extends Remote {
  addr: { transport: string; hostname: string; port: number };
}

/** Where a socket is, as far as a test cares. */
export interface Endpoint {
  hostname: string;
  port: number;
}

/** What a test knows about the function it calls. */
export interface CallOptions {
  /** What the call should do, in the learner's terms; shown when it does not. */
  expected?: Text;
  /** The mistake that a throw would show. */
  mistake?: string;
  /** The same, for errors of this class only. */
  mistakeIf?: [className: string, mistake: string];
  /** The same, told from the error and from what happened until then. */
  mistakeOf?: (error: WireError) => string | undefined;
  /** The object that comes back stays in the learner's process, also where it could be sent. */
  hold?: boolean;
  /** Bytes that a method returns stay in the learner's process, and their digest comes back. */
  digest?: boolean;
  /** Instead of what the method returns: whether this address can be bound as soon as it is done. */
  bind?: Endpoint;
  /** The test judges itself what the call rejects with; else that ends the test at once. */
  mayReject?: boolean;
}

type CallOrder =
  | { op: "call"; name: string; hold?: boolean }
  | { op: "construct"; name: string }
  | {
    op: "method";
    handle: string;
    name: string;
    hold?: boolean;
    digest?: boolean;
    bind?: Endpoint;
  }
  | { op: "get"; handle: string; name: string }
  | { op: "collect"; handle: string; most: number };

/** A call that has been started and not awaited. */
export interface Running {
  /** What the function returned. Rejects with the failure to show if it threw. */
  readonly returned: Promise<unknown>;
  /** From now on the call may end. */
  mayEnd(): void;
}

/** How several calls are made and looked at. */
export interface EachOptions {
  spoil?: boolean;
  watch?: boolean;
  fields?: string[];
  brief?: string;
}

/** How one call of several ended: with a value, or with an error. */
export interface Outcome {
  value?: unknown;
  error?: WireError;
  /** The error is a slip in the code, nothing that was thrown on purpose. */
  isSlip?: boolean;
  /** The call changed its arguments' bytes. Only known of arguments that are spoilt afterwards, or watched. */
  changed: boolean;
  /** The call changed what the one before it had returned. Only known of calls that are watched. */
  overwrote: boolean;
  isAsync: boolean;
}

/** What the learner's code does with one callback of the suite's. */
export class Callback {
  #calls: { call: number; args: unknown[] }[] = [];
  #waiting: ((call: { call: number; args: unknown[] }) => void)[] = [];

  constructor(readonly remote: Remote, readonly order: Learner["order"]) {}

  /** Notes a call. */
  arrived(call: number, args: unknown[]): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting({ call, args });
    else this.#calls.push({ call, args });
  }

  /** The next call that the learner's code makes. */
  next(): Promise<{ call: number; args: unknown[] }> {
    const call = this.#calls.shift();
    if (call) return Promise.resolve(call);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets call number `call` return `value`, or reject with an error of that message, and of that class of `Deno.errors`. */
  async settle(
    call: number,
    { throws, error, value }: { throws?: string; error?: string; value?: unknown } = {},
  ): Promise<void> {
    const handle = this.remote.handle;
    await this.order({
      op: "settle",
      handle,
      call,
      ...(throws !== undefined && { throws }),
      ...(error !== undefined && { error }),
      ...(value !== undefined && { value: encodeArg(value) }),
    });
  }

  /** Lets every call throw at once, without a promise. */
  async throwAtOnce(message: string): Promise<void> {
    await this.order({ op: "script", handle: this.remote.handle, throwsSync: message });
  }

  /** Lets every call return `value` at once, without a promise. */
  async returnAtOnce(value: unknown): Promise<void> {
    await this.order({ op: "script", handle: this.remote.handle, returns: encodeArg(value) });
  }
}

/** The learner's code in one test. */
export class Learner {
  readonly #child: Child;
  readonly #exports: { name: string; type: string }[];
  readonly #transcript: Transcript;
  readonly #task: number;
  readonly #file: ExerciseFile;
  readonly #callbacks = new Map<string, Callback>();
  readonly #handles = new Set<string>();
  readonly #calling: { shown: () => string }[] = [];
  /** Takes the outcomes of the calls of {@linkcode callEach} as they come. */
  #onOutcome: (event: WireEvent) => void = () => {};
  readonly #failLater: (failure: unknown) => void;
  readonly #label: string;
  #isOver = false;
  /** The test has killed its process. */
  killed = false;
  /** Errors that no code of the learner's handled. */
  readonly unhandled: WireError[] = [];
  /** The first call of what is out of bounds, and where it stands. */
  forbidden: { name: string; at: string | undefined } | undefined;
  /** Built-ins that the exercise has replaced. */
  replaced: string[] = [];
  /** Everything the learner's code did with sockets in this test. */
  readonly events: WireEvent[] = [];

  constructor(
    child: Child,
    exports: { name: string; type: string }[],
    { transcript, task, file, failLater, label = "" }: {
      transcript: Transcript;
      task: number;
      file: ExerciseFile;
      failLater: (failure: unknown) => void;
      /** What its steps in the story begin with, if there are several processes. */
      label?: string;
    },
  ) {
    this.#child = child;
    this.#exports = exports;
    this.#transcript = transcript;
    this.#task = task;
    this.#file = file;
    this.#failLater = failLater;
    this.#label = label;
    child.listen((event) => this.#noteEvent(event));
  }

  #noteEvent(event: WireEvent): void {
    if (event.event === "outcome") return this.#onOutcome(event);
    if (event.event === "unhandled") this.unhandled.push(event.error!);
    if (event.event === "forbidden") {
      this.forbidden ??= { name: event.names?.[0] ?? "", at: event.error?.at };
    }
    if (event.event === "replaced") this.replaced = event.names ?? [];
    if (event.event === "callback") {
      this.#callbacks.get(event.handle!)?.arrived(event.call!, (event.args ?? []).map(decodeValue));
    }
    this.events.push(event);
    this.#transcript.wire(event, this.#label);
  }

  /** The call that has begun and not ended, the last if there are several. */
  get calling(): string | undefined {
    return this.#calling.at(-1)?.shown();
  }

  /** What the learner's code has printed so far. */
  get printed(): string {
    return this.#child.output;
  }

  /** Gives an order to the learner's process, which does not answer once the test is over. */
  readonly order: Child["order"] = (body) =>
    this.#isOver ? new Promise(() => {}) : this.#child.order(body);

  /** The test is over: what still goes on of it gives no orders, since the next test has the process. */
  retire(): void {
    this.#isOver = true;
  }

  /**
   * Calls an exported function and gives what it returned (or what its promise resolved to).
   *
   * Ends the test with a failure if it threw.
   */
  call(name: string, args: unknown[] = [], options: CallOptions = {}): Promise<unknown> {
    const order = { op: "call", name, ...(options.hold && { hold: true }) } as const;
    const value = this.#returned(order, args, options).then(({ value }) => value);
    return options.mayReject ? value : this.#watched(value);
  }

  /** The same for a function whose contract is to return at once, not a promise. */
  async callSync(name: string, args: unknown[] = [], options: CallOptions = {}): Promise<unknown> {
    const order = { op: "call", name, ...(options.hold && { hold: true }) } as const;
    const { value, isAsync } = await this.#returned(order, args, options);
    if (isAsync) this.#failPromise(`${name}()`, value);
    return value;
  }

  /**
   * Calls an exported function with each of these lists of arguments, and tells how each call ended; none that
   * throws ends the test, unless the function is not written or met a limit of the workbook's.
   *
   * One order for all, for suites that try every place of some bytes. A call that does not end is named by its number, from 1.
   * `spoil`, `watch`, `fields` and `brief`: see {@linkcode WireOutcome} and the order.
   */
  callEach(name: string, calls: unknown[][], how: EachOptions = {}): Promise<Outcome[]> {
    return this.#watched(this.#outcomes(name, calls, how));
  }

  async #outcomes(name: string, calls: unknown[][], how: EachOptions): Promise<Outcome[]> {
    this.#expectExported(name);
    this.#transcript.you("call", `${this.#label}${name}() with ${calls.length} inputs`);
    const outcomes: WireOutcome[] = [];
    const running = {
      shown: () => {
        const call = showCall(name, calls[outcomes.length] ?? []);
        return `${call} (input ${outcomes.length + 1} of ${calls.length})`;
      },
    };
    this.#calling.push(running);
    this.#onOutcome = ({ call, outcome, same }) => {
      // What the process says may be anything: only the outcome of the next call is one.
      if (call !== outcomes.length || call >= calls.length) return;
      const told = outcome ?? outcomes[same!];
      if (told) outcomes.push(told);
    };
    const args = calls.map((list) => list.map(encodeArg));
    const answer = await this.order({ op: "callEach", name, calls: args, ...how });
    this.#calling.splice(this.#calling.indexOf(running), 1);
    if (!answer.ok || outcomes.length < calls.length) {
      throw new Error(`The host ended after ${outcomes.length} of ${calls.length} calls`);
    }
    const decoded = new Map<WireOutcome, Outcome>();
    return outcomes.map((outcome, i) => {
      const known = decoded.get(outcome) ?? this.#outcome(name, calls[i]!, outcome, how.brief);
      decoded.set(outcome, known);
      return known;
    });
  }

  #outcome(name: string, args: unknown[], outcome: WireOutcome, brief?: string): Outcome {
    const facts = {
      changed: outcome.changed === true,
      overwrote: outcome.overwrote === true,
      isAsync: outcome.async === true,
    };
    if (outcome.ok) return { value: this.#decode(outcome.value), ...facts };
    const { error } = outcome;
    // Of the errors that had to come there may be thousands.
    if (brief !== undefined && error.classes.includes(brief)) {
      return { error, isSlip: isSlip(error), ...facts };
    }
    const failure = threw(showCall(name, args), error, { file: this.#file, task: this.#task });
    if (!["threw", "slip"].includes(failure.facts.kind)) throw failure;
    return { error, isSlip: isSlip(error), ...facts };
  }

  #failPromise(call: string, value: unknown): never {
    fail({
      expected: {
        en: `${call} returns its result`,
        ko: `${call} 호출이 결과를 바로 반환함`,
      },
      received: {
        en: `a Promise of ${showValue(value)}`,
        ko: `${showValue(value)} 의 Promise`,
      },
      mistake: "unawaited-promise",
    });
  }

  /** Whether that event was reported for `socket`, or for any. */
  saw(event: WireEvent["event"], socket?: Remote): boolean {
    return this.events.some((one) =>
      one.event === event && (!socket || one.resource === socket.resource)
    );
  }

  /** Whether a socket is open in the learner's process. */
  async isOpen(socket: Remote): Promise<boolean> {
    const { open } = await this.state();
    return open.some(({ resource }) => resource === socket.resource);
  }

  /** Calls an exported function that has to throw, and gives the error. */
  throws(
    name: string,
    args: unknown[],
    { expected, mistake }: CallOptions & { expected: Text },
  ): Promise<WireError> {
    return this.#watched(this.#thrown(name, args, { expected, ...(mistake && { mistake }) }));
  }

  /** Calls an exported function that may end either way, and gives its error, or undefined if it returned. */
  ends(name: string, args: unknown[] = []): Promise<WireError | undefined> {
    return this.#watched(this.#ended(name, args));
  }

  async #ended(name: string, args: unknown[]): Promise<WireError | undefined> {
    const reply = await this.#reply({ op: "call", name }, args);
    if (reply.ok) return undefined;
    const failure = threw(showCall(name, args), reply.error, {
      file: this.#file,
      task: this.#task,
    });
    if (failure.facts.kind !== "threw") throw failure;
    return reply.error;
  }

  async #thrown(
    name: string,
    args: unknown[],
    { expected, mistake }: CallOptions & { expected: Text },
  ): Promise<WireError> {
    const reply = await this.#reply({ op: "call", name }, args);
    if (!reply.ok) {
      if (reply.error.message.startsWith("Not implemented") || refusal(reply.error)) {
        const context = { file: this.#file, task: this.#task, expected };
        throw threw(showCall(name, args), reply.error, context);
      }
      return reply.error;
    }
    const value = "value" in reply ? this.#decode(reply.value) : undefined;
    const call = showCall(name, args);
    fail({
      expected,
      received: {
        en: `${call} returned ${showValue(value)}`,
        ko: `${call} 호출의 반환값: ${showValue(value)}`,
      },
      mistake,
    });
  }

  /** Starts a call that goes on while the test does other things; a throw ends the test. */
  start(
    name: string,
    args: unknown[],
    { whileItRuns, mistake }: {
      /** What holds as long as the call may not end; without it, it may end at any time. */
      whileItRuns?: Text;
      /** The mistake that an early end or a throw shows. */
      mistake?: () => string;
    } = {},
  ): Running {
    const state = { mayEnd: whileItRuns === undefined };
    const returned = this.#returned({ op: "call", name }, args, {}).then(({ value }) => {
      if (state.mayEnd) return value;
      fail({
        expected: whileItRuns!,
        received: {
          en: `${name}() returned ${showValue(value)} too early`,
          ko: `${name}() 호출이 너무 일찍 끝났습니다. 반환값: ${showValue(value)}`,
        },
        mistake: mistake?.(),
      });
    }, (error) => {
      if (error instanceof TaskFailure) {
        if (whileItRuns) error.facts.expected ??= whileItRuns;
        const isWritten = !["missing", "refused"].includes(error.facts.kind);
        if (mistake && isWritten) error.facts.mistake ??= mistake();
      }
      throw error;
    });
    returned.catch(this.#failLater);
    return { returned, mayEnd: () => void (state.mayEnd = true) };
  }

  /** Makes an instance of an exported class. */
  async construct(name: string, args: unknown[] = []): Promise<Remote> {
    return (await this.#returned({ op: "construct", name }, args, {})).value as Remote;
  }

  /** Calls a method of an object that stays in the learner's process. */
  method(
    object: Remote,
    name: string,
    args: unknown[] = [],
    options: CallOptions = {},
  ): Promise<unknown> {
    const { handle } = object;
    const { hold, digest, bind } = options;
    const order = {
      op: "method",
      handle,
      name,
      ...(hold && { hold }),
      ...(digest && { digest }),
      ...(bind && { bind }),
    } as const;
    const returned = this.#returned(order, args, options, `${object.className}.${name}`);
    return this.#watched(returned.then(({ value }) => value));
  }

  /** Calls a method that has to reject, and gives the error. */
  async methodThrows(
    object: Remote,
    name: string,
    args: unknown[],
    { expected, mistake }: CallOptions & { expected: Text },
  ): Promise<WireError> {
    const reply = await this.#reply({ op: "method", handle: object.handle, name }, args);
    if (!reply.ok) {
      const call = showCall(`${object.className}.${name}`, args);
      const failure = threw(call, reply.error, { file: this.#file, task: this.#task, expected });
      if (failure.facts.kind !== "threw") throw failure;
      return reply.error;
    }
    const value = "value" in reply ? this.#decode(reply.value) : undefined;
    fail({
      expected,
      received: {
        en: `${name}() gave ${showValue(value)}`,
        ko: `${name}() 호출의 결과: ${showValue(value)}`,
      },
      mistake,
    });
  }

  /** A call that fails ends the test at once, also while the test waits for something else. */
  #watched<T>(promise: Promise<T>): Promise<T> {
    promise.catch(this.#failLater);
    return promise;
  }

  /** Reads a property of an object that stays in the learner's process. */
  async get(object: Remote, name: string): Promise<unknown> {
    const order = { op: "get", handle: object.handle, name } as const;
    return (await this.#returned(order, [], {}, `${object.className}.${name}`)).value;
  }

  /** The value that a handle stands for, as it is now. */
  async value({ handle }: Remote | Digest): Promise<unknown> {
    return this.#decode(valueIn(await this.order({ op: "value", handle })));
  }

  /** Keeps bytes, or another object, in the learner's process: every call that is given them gets that very object. */
  async hold(value: object): Promise<Remote> {
    return this.#decode(
      valueIn(await this.order({ op: "hold", value: encodeArg(value) })),
    ) as Remote;
  }

  /** Begins to iterate an object, or its property `name`: the iterator is for {@linkcode next} and {@linkcode collect}. */
  async iterate(object: Remote, name?: string): Promise<Remote> {
    const answer = await this.order({
      op: "iterate",
      handle: object.handle,
      ...(name !== undefined && { name }),
    });
    const shown = `for await (… of ${object.className}${name === undefined ? "" : `.${name}`})`;
    if (!answer.ok) {
      throw threw(shown, answer.error, { file: this.#file, task: this.#task });
    }
    return this.#decode(valueIn(answer)) as Remote;
  }

  /** What an iterator of the learner's yields next. */
  next(
    iterator: Remote,
    options: CallOptions = {},
  ): Promise<{ value: unknown; done: boolean }> {
    const next = this.method(iterator, "next", [], options).then((result) => {
      const isResult = typeof result === "object" && result !== null && !Array.isArray(result);
      if (!isResult) {
        fail({
          received: {
            en: `next() gave ${showValue(result)}`,
            ko: `next()의 결과: ${showValue(result)}`,
          },
        });
      }
      const { value, done } = result as { value?: unknown; done?: unknown };
      return { value, done: done === true };
    });
    return this.#watched(next);
  }

  /** All that an iterator still yields, at most `most`. */
  collect(
    iterator: Remote,
    { most = 1_000, ...options }: CallOptions & { most?: number } = {},
  ): Promise<unknown[]> {
    const order = { op: "collect", handle: iterator.handle, most } as const;
    const returned = this.#returned(order, [], options, `${iterator.className}.next`);
    return this.#watched(returned.then(({ value }) => value as unknown[]));
  }

  async #returned(
    order: CallOrder,
    args: unknown[],
    { expected, mistake, mistakeIf, mistakeOf }: CallOptions,
    shown = "name" in order ? order.name : order.op,
  ): Promise<{ value: unknown; isAsync: boolean }> {
    const reply = await this.#reply(order, args);
    if (!reply.ok) {
      const failure = threw(showCall(shown, args), reply.error, {
        file: this.#file,
        task: this.#task,
        expected,
      });
      const isDeliberate = failure.facts.kind === "threw";
      const known = mistakeIf && reply.error.classes.includes(mistakeIf[0])
        ? mistakeIf[1]
        : mistakeOf?.(reply.error) ?? mistake;
      if (isDeliberate && known) failure.facts.mistake ??= known;
      throw failure;
    }
    return {
      value: "value" in reply ? this.#decode(reply.value) : undefined,
      isAsync: "async" in reply && reply.async === true,
    };
  }

  #expectExported(name: string): void {
    const found = this.#exports.find((e) => e.name === name);
    if (found?.type !== "function") throw notExported(name, this.#exports, this.#file);
  }

  async #reply(
    order: CallOrder,
    args: unknown[],
  ): Promise<Answer> {
    if (order.op === "call" || order.op === "construct") {
      this.#expectExported(order.name);
      this.#transcript.you("call", () => `${this.#label}${showCall(order.name, args)}`);
    }
    const call = order.op === "call" || order.op === "construct"
      ? { shown: () => showCall(order.name, args) }
      : undefined;
    if (call) this.#calling.push(call);
    const answer =
      await (order.op === "get" || order.op === "collect"
        ? this.order(order)
        : this.order({ ...order, args: args.map(encodeArg) }));
    if (call) this.#calling.splice(this.#calling.indexOf(call), 1);
    return answer;
  }

  // deno-lint-ignore no-explicit-any
  #decode(wire: any): unknown {
    const value = decodeValue(wire);
    this.#remember(value);
    return value;
  }

  #remember(value: unknown): void {
    if (value instanceof Remote) {
      if (value.kind !== "function" && value.kind !== "object") this.#handles.add(value.handle);
    } else if (Array.isArray(value)) value.forEach((item) => this.#remember(item));
    else if (
      typeof value === "object" && value !== null &&
      !(value instanceof Uint8Array || value instanceof RemoteError || value instanceof Digest ||
        value instanceof Unshown)
    ) Object.values(value).forEach((item) => this.#remember(item));
  }

  /**
   * Gives the learner's process a connection that it dialled to `to`.
   *
   * No read of it crosses one of `cuts`, places in the stream in bytes from its beginning.
   */
  dial(to: Endpoint, cuts?: number[]): Promise<Remote> {
    const { hostname, port } = to;
    return this.#given({ op: "dial", hostname, port, ...(cuts && { cuts }) });
  }

  /** Gives the learner's process a UDP socket on a port that the OS chooses. */
  async datagram(hostname = "127.0.0.1"): Promise<RemoteSocket> {
    return await this.#given({ op: "datagram", hostname }) as RemoteSocket;
  }

  /** Gives the learner's process a listener on `hostname`, on a port that the OS chooses. */
  listen(hostname = "127.0.0.1"): Promise<Remote> {
    return this.#given({ op: "listen", hostname, port: 0 });
  }

  /** Accepts one connection on a listener of the learner's process. */
  accept(listener: Remote): Promise<Remote> {
    return this.#given({ op: "accept", handle: listener.handle });
  }

  async #given(body: Parameters<Child["order"]>[0]): Promise<Remote> {
    const reply = await this.order(body);
    if (!reply.ok) throw new OrderError(reply.error);
    return this.#decode("value" in reply ? reply.value : undefined) as Remote;
  }

  /**
   * An async iterable for the learner's code, and the calls of its iterator: `args` of a call are `["next"]` or
   * `["return"]`, and a call is settled with `{ done, value }`.
   */
  async feed(): Promise<{ feed: Remote; calls: Callback }> {
    const [remote, feed] = await this.#given({ op: "feed" }) as unknown as [Remote, Remote];
    const calls = new Callback(remote, this.order);
    this.#callbacks.set(remote.handle, calls);
    return { feed, calls };
  }

  /** A function for the learner's code to call. Its calls wait until the test settles them. */
  async callback(): Promise<Callback> {
    const remote = await this.#given({ op: "callback" });
    const callback = new Callback(remote, this.order);
    this.#callbacks.set(remote.handle, callback);
    return callback;
  }

  /** The number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Kills the process with SIGKILL, as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.killed = true;
    this.#transcript.you("killed", `${this.#label}SIGKILL`);
    await this.#child.kill();
  }

  /** Sends the process a signal, as a terminal or a service manager does. */
  signal(signal: Deno.Signal): void {
    this.#transcript.peer("signal", signal);
    this.#child.signal(signal);
  }

  /** Waits until the process ends by itself, which it may from now on. */
  exit(): Promise<ChildEnd> {
    this.killed = true;
    return this.#child.ended;
  }

  /** Puts the clock of the exercise's timers forward, and tells what the process holds then. */
  async elapse(ms: number): Promise<ChildState> {
    return stateIn(await this.order({ op: "elapse", ms }));
  }

  /** Lets the learner's process sleep while `run` goes on: whatever arrives meanwhile, it finds all at once. */
  asleep<T>(run: () => T | Promise<T>): Promise<T> {
    return this.#child.asleep(run);
  }

  /** What the kernel is to look like to the process from now on: see {@linkcode Limits}. */
  async limit(limits: Limits): Promise<void> {
    await this.order({ op: "limits", limits });
  }

  /** Makes calls of the socket API fail, as told. */
  async faults(...faults: Fault[]): Promise<void> {
    await this.order({ op: "faults", faults });
  }

  /** Closes a socket in the learner's process, however it came to be there. */
  async close(socket: Remote): Promise<void> {
    await this.order({ op: "close", handle: socket.handle });
  }

  /** Bytes that the objects of the learner's process take, garbage left out. */
  async memoryInUse(): Promise<number> {
    return this.#decode(valueIn(await this.order({ op: "memory" }))) as number;
  }

  /**
   * Waits until the learner's code neither reads from that connection nor ends `over`: whoever is not read from then
   * will not be before something changes.
   */
  async stopsReading(conn: Remote, over: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = () => void (isOver = true);
    over.then(end, end);
    let last = -1;
    for (let quiet = 0; quiet < QUIET_TURNS && !isOver;) {
      const { open } = await this.rest({ looking: true });
      const now = open.find(({ resource }) => resource === conn.resource)?.bytesRead ?? 0;
      quiet = now === last && now > 0 ? quiet + 1 : 0;
      last = now;
    }
  }

  /** Waits until a call of that API is waiting in the learner's process, or `over` has settled. */
  async waitsIn(api: string, over: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = () => void (isOver = true);
    over.then(end, end);
    while (!isOver) {
      const { pending } = await this.state();
      if (pending.some((call) => call.api === api && call.byLearner)) return;
    }
  }

  /** What the learner's process holds open in `folder`, as the kernel tells; nothing where it does not tell. */
  openFiles(folder: string): string[] {
    return filesOf(this.#child.pid, folder);
  }

  /** What the learner's process holds and waits for. */
  async state(): Promise<ChildState> {
    return stateIn(await this.order({ op: "state" }));
  }

  /** Closes what was returned or given, lets what is due happen, and tells what is left. */
  async tidy(): Promise<ChildState> {
    return stateIn(await this.order(this.tidyOrder));
  }

  /** The order that closes what was returned or given. */
  get tidyOrder(): OrderBody & { op: "tidy" } {
    return { op: "tidy", handles: [...this.#handles], timersWithinMs: NEAR_MS };
  }

  /** Lets what is due in the learner's process happen, and tells what it holds then. `looking`: see the order. */
  async rest({ looking = false }: { looking?: boolean } = {}): Promise<ChildState> {
    return stateIn(await this.order({ op: "rest", timersWithinMs: NEAR_MS, looking }));
  }
}

/** So many looks in a row, each after several turns of the process's event loop, without a byte read. */
const QUIET_TURNS = 20;
/** Timers that are due within this time are waited for at a test's end, since they may still fail. */
const NEAR_MS = 50;

function valueIn(answer: Answer): WireValue {
  if ("value" in answer) return answer.value;
  throw new Error("The host gave no value");
}

function stateIn(answer: Answer): ChildState {
  if (!("state" in answer)) throw new Error("The host gave no state");
  return answer.state;
}

/** `bindTo("127.0.0.1", 8080)`. */
export function showCall(name: string, args: unknown[]): string {
  return `${name}(${args.map(showArg).join(", ")})`;
}

function showArg(value: unknown): string {
  if (value instanceof Remote) {
    if (value.kind === "function") return "handle";
    if (value.kind === "conn") return "conn";
    if (value.kind === "datagram") return "socket";
    return value.kind === "listener" ? "listener" : value.className;
  }
  if (value instanceof Uint8Array || value instanceof Pattern) return countBytes(value.length);
  if (value instanceof View) return countBytes(value.bytes.length);
  if (Array.isArray(value)) return `[${value.map(showArg).join(", ")}]`;
  return showValue(value);
}
