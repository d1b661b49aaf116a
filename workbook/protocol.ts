/**
 * The orders that a suite gives to the learner's process, and the answers.
 *
 * Orders go to the host's standard input as JSON lines. Answers and events come back on its standard
 * output, each line opened by {@linkcode RECORD_MARK} and a word that only this child and its suite
 * know, so that whatever else the learner's code prints there can neither break nor imitate one.
 * What a child says is data, never a verdict: suites decide from what their own sockets see.
 *
 * @module
 */

/** Opens every protocol line on the child's standard output (ASCII record separator). */
export const RECORD_MARK = "\x1e";

/** The status of a child that can no longer answer, since its standard output is closed. */
export const OUTPUT_LOST = 97;

/** The host's argument that announces code which nobody has read. */
export const STRANGERS = "--strangers";

/** An address as the child reports it. */
export interface WireAddr {
  transport: string;
  hostname?: string;
  port?: number;
  path?: string;
}

/** What kind of thing a handle stands for. */
export type HandleKind = "listener" | "conn" | "datagram" | "function" | "object";

/** A value that crossed the process boundary. Only `json` values are plain; the rest are tagged. */
export type WireValue =
  | { is: "json"; value: unknown }
  | { is: "undefined" }
  | { is: "number"; text: string }
  | { is: "bigint"; text: string }
  | { is: "symbol"; text: string }
  | { is: "bytes"; base64: string }
  /** Bytes that stay in the child under a handle, told by their SHA-256 in base64. */
  | { is: "digest"; handle: string; length: number; sha256: string }
  | { is: "array"; items: WireValue[] }
  /** Texts and ordinary numbers stand for themselves. */
  | { is: "record"; entries: [string, WireValue | string | number][] }
  | { is: "error"; error: WireError }
  | {
    is: "handle";
    handle: string;
    kind: HandleKind;
    className: string;
    addr?: WireAddr;
    remoteAddr?: WireAddr;
    closed?: boolean;
    resource?: number;
  }
  | { is: "cut"; text: string };

/** An error as the child saw it. `classes` lists the names of its class and all classes above it. */
export interface WireError {
  name: string;
  message: string;
  classes: string[];
  /** Its property `code`, if that is a string. */
  code?: string;
  /** The first place in the learner's own file, as `file:line:column`, if the stack names one. */
  at?: string;
  cause?: WireError;
  /** The causes of an `AggregateError`. */
  errors?: WireError[];
  /** Its property of that name, if it is a number: an error of HTTP has one. */
  status?: number;
  /** Set when something that is not an Error was thrown. */
  thrown?: WireValue;
}

/** An argument of a call, as the suite sends it. */
export type WireArg =
  | { is: "json"; value: unknown }
  | { is: "undefined" }
  | { is: "number"; text: string }
  /** `within`: a view of these bytes, with as many others before and after them in the same buffer. */
  | { is: "bytes"; base64: string; within?: number }
  /** Bytes that both sides make by themselves (`pattern.ts`). */
  | { is: "pattern"; seed: number; length: number }
  | { is: "array"; items: WireArg[] }
  | { is: "record"; entries: [string, WireArg][] }
  | { is: "handle"; handle: string };

/** A fault to be met at the API boundary. */
export interface Fault {
  /** The calls it concerns. */
  api: ("listen" | "listenDatagram" | "connect" | "accept" | "read" | "write")[];
  /** Only calls that ask for a port other than 0. */
  fixedPort?: boolean;
  /** Only calls on connections whose other end has that port. */
  peerPort?: number;
  /** How many matching calls go through first. */
  skip?: number;
  /** How many matching calls then fail. */
  times: number;
  /** The name of the error's class in `Deno.errors`. */
  error: string;
}

/** What the kernel is to look like to the child, on every connection, also to its streams. */
export interface Limits {
  /** At most so many bytes per call. */
  readBytes?: number;
  writeBytes?: number;
  /**
   * Room in the kernel's buffers, by the peer's port: when it is used up, a write waits for other limits. `atOnce`: at
   * most so many bytes per write.
   */
  room?: { port: number; bytes: number; atOnce?: number }[];
  /** A connection that was accepted is handed over only under other limits: accept() is about to resolve. */
  holdAccepted?: boolean;
}

/** One order. `id` comes back with the answer. */
export type Order =
  /** `rawOnly`: calls of the runtime's own servers and clients are told, and throw. */
  | { id: number; op: "load"; url: string; rawOnly?: boolean }
  /** `hold`: what comes back stays in the child under a handle, also where JSON could carry it. */
  | { id: number; op: "call"; name: string; args: WireArg[]; hold?: boolean }
  /**
   * Calls a function with each of these lists of arguments, one after the other; an `outcome` event tells how each call
   * ended. `spoil`: once a call has returned, the bytes among its arguments are overwritten, and only then its result is
   * told: a result that shares memory with them shows it. `watch`: tells whether a call changes anything that it was
   * given, and whether the next call changes what it returned. `fields`: objects among the results, or in lists that
   * are results, are told by these fields, also those of classes. `brief`: errors of the class of that name are told
   * without their place, which takes longer to find than everything else, and of an outcome that is the same as one
   * before only that is told.
   */
  | {
    id: number;
    op: "callEach";
    name: string;
    calls: WireArg[][];
    spoil?: boolean;
    watch?: boolean;
    fields?: string[];
    brief?: string;
  }
  | { id: number; op: "construct"; name: string; args: WireArg[] }
  /**
   * `bind`: when the method is done, the answer is at once whether that address can be bound, not what it returned.
   * `digest`: bytes that come back stay in the child, and are told by their digest.
   */
  | {
    id: number;
    op: "method";
    handle: string;
    name: string;
    args: WireArg[];
    hold?: boolean;
    digest?: boolean;
    bind?: { hostname: string; port: number };
  }
  | { id: number; op: "get"; handle: string; name: string }
  /** The value under a handle, as it is now. */
  | { id: number; op: "value"; handle: string }
  /** Keeps a value in the child under a handle; an argument can be that very object then. */
  | { id: number; op: "hold"; value: WireArg }
  /** Begins to iterate an object, or a property of it; answers with the iterator. */
  | { id: number; op: "iterate"; handle: string; name?: string }
  /** All that an iterator still yields, at most so many. */
  | { id: number; op: "collect"; handle: string; most: number }
  /** `cuts`: places in the stream that no read of this connection crosses, in bytes from its beginning. */
  | { id: number; op: "dial"; hostname: string; port: number; cuts?: number[] }
  | { id: number; op: "datagram"; hostname: string }
  | { id: number; op: "listen"; hostname: string; port: number }
  | { id: number; op: "accept"; handle: string }
  | { id: number; op: "callback" }
  /** An async iterable whose iterator's calls ("next", "return") are those of a callback. */
  | { id: number; op: "feed" }
  | {
    id: number;
    op: "settle";
    handle: string;
    call: number;
    throws?: string;
    /** The name of that error's class in `Deno.errors`; a plain `Error` without it. */
    error?: string;
    value?: WireArg;
  }
  /** Every call of a callback throws, or returns, from now on, without a promise. */
  | { id: number; op: "script"; handle: string; throwsSync?: string; returns?: WireArg }
  | { id: number; op: "close"; handle: string }
  | { id: number; op: "limits"; limits: Limits }
  | { id: number; op: "faults"; faults: Fault[] }
  | { id: number; op: "state" }
  /** Collects garbage, and answers how many bytes the exercise's objects still take. */
  | { id: number; op: "memory" }
  /** `looking`: one of many in a row, after which events are counted on. */
  | { id: number; op: "rest"; timersWithinMs: number; looking?: boolean }
  /** Puts the clock of the exercise's timers forward: those that are due then fire at once, one after the other. */
  | { id: number; op: "elapse"; ms: number }
  /** Closes these, rests, and marks where that which was printed ends on standard error. */
  | { id: number; op: "tidy"; handles: string[]; timersWithinMs: number };

/** A call of a socket API that has begun and not ended. */
export interface PendingCall {
  api: string;
  resource?: number;
  addr?: WireAddr;
  remoteAddr?: WireAddr;
  /** Whether the learner's code made the call (not the host on the suite's behalf). */
  byLearner: boolean;
}

/** A socket that is open in the child. */
export interface OpenSocket {
  resource: number;
  kind: HandleKind;
  addr?: WireAddr;
  remoteAddr?: WireAddr;
  /** `made`: the learner's code opened or accepted it; `given`: the host handed it over. */
  origin: "made" | "given";
  /** Bytes that were read from it so far. */
  bytesRead: number;
}

/** What the child holds at one moment. */
export interface ChildState {
  pending: PendingCall[];
  open: OpenSocket[];
  /** Delays in milliseconds of the timers that the learner's code left running. */
  timersMs: number[];
}

/** How one call of several ended. */
export type WireOutcome = {
  async?: boolean;
  /** The call changed its arguments; told of bytes that are spoilt afterwards, and of all that is watched. */
  changed?: boolean;
  /** The call changed what the one before it had returned; told if it is watched. */
  overwrote?: boolean;
} & ({ ok: true; value: WireValue } | { ok: false; error: WireError });

/** Something the learner's code did or met, with the moment in milliseconds since the epoch. */
export interface WireEvent {
  at: number;
  event:
    | "listen"
    | "connect"
    | "accept"
    | "read"
    | "write"
    | "closeWrite"
    /** `readable` or `writable` was asked for. */
    | "streams"
    | "close"
    | "receive"
    | "send"
    | "exit"
    | "unhandled"
    | "callback"
    | "outcome"
    | "replaced"
    /** A call of what is out of bounds, by name: `names`. */
    | "forbidden"
    | "fault";
  resource?: number;
  addr?: WireAddr;
  remoteAddr?: WireAddr;
  /** Bytes that were read, written, sent or received; null at the end of a stream. */
  size?: number | null;
  /** The first bytes of them, base64. */
  head?: string;
  error?: WireError;
  /** For `listen`: what was asked for. */
  asked?: { hostname?: string; port?: number; backlog?: number };
  /** For `exit`: the status; for `replaced`: the names of built-ins that are no longer the original. */
  code?: number;
  names?: string[];
  /** For `callback`: which function, the how manieth call, with what. */
  handle?: string;
  call?: number;
  args?: WireValue[];
  /** For `outcome`: which order's, of which call by its index in `call`, and what. */
  order?: number;
  outcome?: WireOutcome;
  /** In place of an outcome: the index of the earlier call that ended in the same way. */
  same?: number;
}

/** The answer to an order. */
export type Answer =
  | { id: number; ok: true; value: WireValue; async?: boolean }
  /** `marked`: standard error has {@linkcode RECORD_MARK}, the word and a newline where this was said. */
  | { id: number; ok: true; state: ChildState; marked?: boolean }
  | { id: number; ok: true; exports: { name: string; type: string }[] }
  | { id: number; ok: false; error: WireError; async?: boolean };

/** A line from the child. */
export type Reply = Answer | { ready: true } | { event: WireEvent };
