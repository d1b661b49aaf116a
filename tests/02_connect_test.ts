/**
 * Lesson 2: a connection is made and accepted.
 *
 * @module
 */

import type { WireError } from "../workbook/protocol.ts";
import type { Text } from "../workbook/text.ts";
import { bytes } from "./support/bytes.ts";
import { showError, showValue } from "./support/explain.ts";
import {
  expectEqual,
  expectErrorClass,
  expectMessage,
  expectSocket,
  expectThat,
} from "./support/expect.ts";
import { fail } from "./support/failure.ts";
import type { Callback, Endpoint, Learner, RemoteSocket, Running } from "./support/learner.ts";
import { hasIpv6, refusing, secondLoopback } from "./support/machine.ts";
import type { PeerConn } from "./support/peer.ts";
import { task, type TestContext } from "./support/suite.ts";
import { showAddr } from "./support/transcript.ts";
import { Remote } from "./support/wire.ts";

/** What a call that has to give up is given: all of it is waited for. */
const SHORT_MS = 60;
/** The same where another candidate still has to answer in that time, however busy the machine is. */
const AMPLE_MS = 250;
/** Nobody waits for this. */
const LONG_MS = 60_000;

function show(address: Endpoint): string {
  return showAddr({ transport: "tcp", ...address });
}

function expectConn(value: unknown, call: string): RemoteSocket {
  return expectSocket(value, "conn", call, "failure-hidden");
}

/** The learner's connection and the peer's are the two ends of one. */
function expectEnds(conn: RemoteSocket, peer: PeerConn): void {
  expectEqual(showAddr(conn.addr), showAddr(peer.remoteAddr), {
    what: { en: "the peer sees the connection come from", ko: "상대가 본 연결의 출발지" },
  });
}

/** No timer runs on: it would keep the program alive, and fire for nobody. */
async function expectNoTimer(learner: Learner): Promise<void> {
  const { timersMs } = await learner.state();
  expectThat(
    timersMs.length === 0,
    { en: "no timer is left running", ko: "남아서 도는 타이머가 없음" },
    {
      en: `a timer of ${timersMs[0]} ms is still running`,
      ko: `${timersMs[0]} ms 타이머가 아직 돌고 있습니다`,
    },
    "timer-left",
  );
}

/** No connect() goes on behind the caller's back. */
async function expectNoAttempt(learner: Learner): Promise<void> {
  const { pending } = await learner.state();
  const attempt = pending.find((call) => call.api === "connect");
  expectThat(
    attempt === undefined,
    { en: "no attempt goes on in the background", ko: "뒤에서 계속되는 연결 시도가 없음" },
    {
      en: `connect() to ${showAddr(attempt?.remoteAddr)} still goes on`,
      ko: `${showAddr(attempt?.remoteAddr)} 로 가는 connect()가 아직 진행 중입니다`,
    },
    "late-connection-leaked",
  );
}

function refusedText(address: Endpoint): Text {
  return {
    en: `Deno.errors.ConnectionRefused whose message names ${show(address)}`,
    ko: `메시지에 ${show(address)} 가 들어 있는 Deno.errors.ConnectionRefused`,
  };
}

// --- task 1 ---

task(1, {
  en: "connectTo() gives a connection to that address",
  ko: "connectTo()는 그 주소로 연결합니다",
}, async ({ learner, peers, step }) => {
  for (const hostname of hasIpv6 ? [secondLoopback, "::1"] : [secondLoopback]) {
    const listener = peers.listen(hostname);
    const { port } = listener.addr;
    const conn = expectConn(await learner.call("connectTo", [hostname, port]), "connectTo()");
    const peer = await step(
      { en: "the server accepts the connection", ko: "서버가 연결을 수락함" },
      () => listener.accept(),
    );
    expectEnds(conn, peer);
  }
});

task(1, {
  en: "connectTo() lets the kernel's error through, and says which address",
  ko: "connectTo()는 커널의 오류를 전달하고 주소를 알려 줍니다",
}, async (context) => {
  const { learner } = context;
  const address = refusing(context);
  const expected = refusedText(address);
  const error = await learner.throws("connectTo", [address.hostname, address.port], {
    expected,
    mistake: "failure-hidden",
  });
  expectErrorClass(error, "Deno.errors.ConnectionRefused", expected, "error-class-lost");
  expectMessage(error, show(address), expected, "error-without-address");
}, { catches: ["failure-hidden", "error-class-lost", "error-without-address"] });

task(1, {
  en: "connectTo() does not take every error for a refusal",
  ko: "connectTo()는 모든 오류를 거부로 여기지 않습니다",
}, async ({ learner, peers }) => {
  const { hostname, port } = peers.listen().addr;
  const expected = {
    en: `Deno.errors.ConnectionReset, which names ${show({ hostname, port })}`,
    ko: `${show({ hostname, port })} 를 알려 주는 Deno.errors.ConnectionReset`,
  };
  await learner.faults({ api: ["connect"], times: 1, error: "ConnectionReset" });
  const error = await learner.throws("connectTo", [hostname, port], {
    expected,
    mistake: "failure-hidden",
  });
  expectErrorClass(error, "Deno.errors.ConnectionReset", expected, "error-class-lost");
}, { catches: ["error-class-lost"] });

// --- task 2 ---

task(2, {
  en: "connectWithin() connects, and leaves no timer behind",
  ko: "connectWithin()은 연결하고 타이머를 남기지 않습니다",
}, async ({ learner, peers, step }) => {
  const listener = peers.listen();
  const { hostname, port } = listener.addr;
  const conn = expectConn(
    await learner.call("connectWithin", [hostname, port, LONG_MS]),
    "connectWithin()",
  );
  expectEnds(
    conn,
    await step(
      { en: "the server accepts the connection", ko: "서버가 연결을 수락함" },
      () => listener.accept(),
    ),
  );
  await expectNoTimer(learner);
}, { catches: ["timer-left"] });

task(2, {
  en: "connectWithin() reports a refusal at once",
  ko: "connectWithin()은 거부를 곧바로 알립니다",
}, async (context) => {
  const { learner, step } = context;
  const address = refusing(context);
  const expected = refusedText(address);
  const error = await step(
    expected,
    () =>
      learner.throws("connectWithin", [address.hostname, address.port, LONG_MS], {
        expected,
        mistake: "failure-hidden",
      }),
    "refusal-waits",
  );
  const mistake = error.classes.includes("TimedOut") ? "refusal-waits" : "error-class-lost";
  expectErrorClass(error, "Deno.errors.ConnectionRefused", expected, mistake);
  await expectNoTimer(learner);
}, { catches: ["refusal-waits", "failure-hidden", "error-class-lost", "timer-left"] });

if (Deno.build.os === "linux") {
  task(2, {
    en: "connectWithin() gives up when nobody answers",
    ko: "connectWithin()은 응답이 없으면 포기합니다",
  }, async ({ learner, peers, step }) => {
    const { address } = await peers.silent();
    const expected = {
      en: `Deno.errors.TimedOut after ${SHORT_MS} ms, which names ${show(address)}`,
      ko: `${SHORT_MS} ms 뒤에 ${show(address)} 를 알려 주는 Deno.errors.TimedOut`,
    };
    const error = await step(
      expected,
      () =>
        learner.throws("connectWithin", [address.hostname, address.port, SHORT_MS], {
          expected,
          mistake: "failure-hidden",
        }),
      "timeout-ignored",
    );
    expectErrorClass(error, "Deno.errors.TimedOut", expected, "wrong-timeout-error");
    expectMessage(error, show(address), expected, "error-without-address");
    await expectNoAttempt(learner);
  }, {
    catches: [
      "timeout-ignored",
      "failure-hidden",
      "wrong-timeout-error",
      "error-without-address",
      "late-connection-leaked",
    ],
    leak: "late-connection-leaked",
    waitsMs: SHORT_MS,
  });
}

// --- task 3 ---

interface Tuple {
  protocol: string;
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/** The five-tuple that the learner's end has, from what the other end sees. */
function mirrored(peer: PeerConn): Tuple {
  return {
    protocol: "tcp",
    localAddress: peer.remoteAddr.hostname,
    localPort: peer.remoteAddr.port,
    remoteAddress: peer.localAddr.hostname,
    remotePort: peer.localAddr.port,
  };
}

async function expectTuple(learner: Learner, conn: Remote, expected: Tuple): Promise<void> {
  const tuple = await learner.callSync("fiveTuple", [conn]) as Partial<Tuple> | undefined;
  const swapped = tuple?.localPort === expected.remotePort &&
    tuple?.remotePort === expected.localPort;
  for (const key of Object.keys(expected) as (keyof Tuple)[]) {
    expectEqual(tuple?.[key], expected[key], {
      what: { en: key, ko: key },
      mistake: swapped ? "local-remote-swapped" : undefined,
    });
  }
}

task(3, {
  en: "fiveTuple() of a client's connection mirrors what the server sees",
  ko: "fiveTuple()은 서버가 보는 것의 거울상입니다(클라이언트 쪽)",
}, async ({ learner, peers }) => {
  for (const hostname of hasIpv6 ? [secondLoopback, "::1"] : [secondLoopback]) {
    const listener = peers.listen(hostname);
    const conn = await learner.dial(listener.addr);
    await expectTuple(learner, conn, mirrored(await listener.accept()));
  }
}, { catches: ["local-remote-swapped"] });

task(3, {
  en: "fiveTuple() of a server's connection mirrors what the client sees",
  ko: "fiveTuple()은 클라이언트가 보는 것의 거울상입니다(서버 쪽)",
}, async ({ learner, peers }) => {
  const listener = await learner.listen(secondLoopback);
  const peer = await peers.connect(listener.addr as Endpoint);
  await expectTuple(learner, await learner.accept(listener), mirrored(peer));
}, { catches: ["local-remote-swapped"] });

// --- task 4 ---

/** serveClients() at work: its listener, the handler's calls, and the call that has to go on. */
class Serving {
  readonly #context: TestContext;
  readonly #listener: Remote;
  readonly #handle: Callback;
  readonly running: Running;

  private constructor(context: TestContext, listener: Remote, handle: Callback, mistake: string) {
    this.#context = context;
    this.#listener = listener;
    this.#handle = handle;
    this.running = context.learner.start("serveClients", [listener, handle.remote], {
      whileItRuns: {
        en: "serveClients() goes on while the listener is open",
        ko: "리스너가 열려 있는 동안 serveClients()가 계속됨",
      },
      mistake: () => this.#closedListener() ? "break-closes-listener" : mistake,
    });
  }

  /** The learner's code closed the listener itself, which no call of serveClients() should. */
  #closedListener(): boolean {
    const { resource } = this.#listener;
    return this.#context.learner.events.some((event) =>
      event.event === "close" && event.resource === resource
    );
  }

  /** Starts serving. `mistake` is what an early end would show. */
  static async start(
    context: TestContext,
    { mistake, before }: { mistake: string; before?: (address: Endpoint) => Promise<void> },
  ): Promise<Serving> {
    const listener = await context.learner.listen();
    const handle = await context.learner.callback();
    await before?.(listener.addr as Endpoint);
    return new Serving(context, listener, handle, mistake);
  }

  get handle(): Callback {
    return this.#handle;
  }

  connect(): Promise<PeerConn> {
    return this.#context.peers.connect(this.#listener.addr as Endpoint);
  }

  /** Connects client `name` and waits for its handler to be called. */
  async serve(name: string, mistake: string): Promise<Client> {
    const peer = await this.#context.step(
      { en: `client ${name} can connect`, ko: `클라이언트 ${name} 쪽에서 연결할 수 있음` },
      () => this.connect(),
      "break-closes-listener",
    );
    const { call, args } = await this.#context.step(
      { en: `client ${name} is served`, ko: `클라이언트 ${name}의 차례가 옴` },
      () => this.#handle.next(),
      mistake,
    );
    const conn = args[0];
    const remote = conn instanceof Remote ? showAddr(conn.remoteAddr) : showValue(conn);
    expectEqual(remote, showAddr(peer.localAddr), {
      what: {
        en: `handle() gets the connection of client ${name}`,
        ko: `handle()이 클라이언트 ${name} 의 연결을 받음`,
      },
    });
    return new Client(this.#context, this.#handle, { name, peer, call, conn: conn as Remote });
  }

  /** Closes the listener and waits for serveClients() to resolve. */
  async end(): Promise<void> {
    this.running.mayEnd();
    await this.#context.learner.close(this.#listener);
    await this.#context.step(
      {
        en: "serveClients() resolves when the listener is closed",
        ko: "리스너가 닫히면 serveClients()가 끝남",
      },
      () => this.running.returned,
      "accept-error-forever",
    );
  }
}

/** A client whose handler runs. */
class Client {
  readonly #context: TestContext;
  readonly #handle: Callback;
  readonly name: string;
  readonly peer: PeerConn;
  readonly conn: Remote;
  readonly #call: number;

  constructor(
    context: TestContext,
    handle: Callback,
    { name, peer, call, conn }: { name: string; peer: PeerConn; call: number; conn: Remote },
  ) {
    this.#context = context;
    this.#handle = handle;
    this.name = name;
    this.peer = peer;
    this.conn = conn;
    this.#call = call;
  }

  /** The handler writes, and the client reads. */
  async answer(mistake = "closed-under-handler"): Promise<void> {
    const payload = bytes(this.#context.random.word());
    await this.#context.step(
      {
        en: `client ${this.name} gets its answer`,
        ko: `클라이언트 ${this.name}에게 응답이 도착함`,
      },
      async () => {
        await this.#context.learner.method(this.conn, "write", [payload]);
        await this.peer.expect(payload, mistake);
      },
      mistake,
    );
  }

  /** The handler ends, and the connection with it. */
  async end({ throws }: { throws?: string } = {}): Promise<void> {
    await this.#handle.settle(this.#call, { ...(throws !== undefined && { throws }) });
    await this.expectClosed();
  }

  async expectClosed(): Promise<void> {
    const text = {
      en: `the connection of client ${this.name} is closed when its handler has ended`,
      ko: `핸들러가 끝나면 클라이언트 ${this.name} 의 연결이 닫힘`,
    };
    await this.#context.step(
      text,
      () => this.peer.expectEnd(text, "connection-not-closed"),
      "connection-not-closed",
    );
  }

  async settle(): Promise<void> {
    await this.#handle.settle(this.#call);
  }
}

task(4, {
  en: "serveClients() serves one client after another",
  ko: "serveClients()는 클라이언트를 차례로 계속 처리합니다",
}, async (context) => {
  const serving = await Serving.start(context, { mistake: "accepts-once" });
  for (const name of ["A", "B", "C"]) {
    const client = await serving.serve(name, "accepts-once");
    await client.answer();
    await client.end();
  }
  await serving.end();
}, {
  catches: [
    "accepts-once",
    "break-closes-listener",
    "closed-under-handler",
    "connection-not-closed",
    "accept-error-forever",
  ],
  leak: "connection-not-closed",
  unhandled: "unhandled-handler-rejection",
});

task(4, {
  en: "serveClients() serves B while A is idle",
  ko: "serveClients()는 A가 가만히 있는 동안 B를 처리합니다",
}, async (context) => {
  const serving = await Serving.start(context, { mistake: "accepts-once" });
  const idle = await serving.serve("A", "accepts-once");
  const other = await serving.serve("B", "one-client-at-a-time");
  await other.answer();
  await other.end();
  await idle.answer();
  await idle.end();
  await serving.end();
}, {
  catches: ["one-client-at-a-time", "accepts-once", "connection-not-closed"],
  leak: "connection-not-closed",
});

task(4, {
  en: "serveClients() goes on when a handler rejects",
  ko: "serveClients()는 핸들러가 거부(reject)되어도 계속합니다",
}, async (context) => {
  const serving = await Serving.start(context, { mistake: "handler-error-ends-loop" });
  const failing = await serving.serve("A", "accepts-once");
  await failing.end({ throws: "the handler of client A failed" });
  const next = await serving.serve("B", "handler-error-ends-loop");
  await next.answer();
  await next.end();
  await serving.end();
}, {
  catches: ["handler-error-ends-loop", "connection-not-closed", "unhandled-handler-rejection"],
  leak: "connection-not-closed",
  unhandled: "unhandled-handler-rejection",
});

task(4, {
  en: "serveClients() goes on when a handler throws at once",
  ko: "serveClients()는 핸들러가 곧바로 던져도(throw) 계속합니다",
}, async (context) => {
  const serving = await Serving.start(context, { mistake: "handler-error-ends-loop" });
  await serving.handle.throwAtOnce("the handler failed before its first await");
  for (const name of ["A", "B"]) {
    const client = await serving.serve(name, "handler-error-ends-loop");
    await client.expectClosed();
  }
  await serving.end();
}, {
  catches: ["handler-error-ends-loop", "connection-not-closed", "unhandled-handler-rejection"],
  leak: "connection-not-closed",
  unhandled: "unhandled-handler-rejection",
});

task(4, {
  en: "serveClients() lets a handler close the connection itself",
  ko: "serveClients()는 핸들러가 직접 연결을 닫아도 괜찮습니다",
}, async (context) => {
  const serving = await Serving.start(context, { mistake: "double-close" });
  const closing = await serving.serve("A", "accepts-once");
  await context.learner.close(closing.conn);
  await closing.end();
  const next = await serving.serve("B", "double-close");
  await next.end();
  await serving.end();
}, { catches: ["double-close"], unhandled: "double-close" });

task(4, {
  en: "serveClients() goes on when a client resets before it is accepted",
  ko: "serveClients()는 수락되기 전에 끊어 버린(RST) 클라이언트가 있어도 계속합니다",
}, async (context) => {
  const serving = await Serving.start(context, {
    mistake: "bad-client-ends-loop",
    before: (address) => context.peers.connectAndReset(address),
  });
  const client = await serving.serve("B", "bad-client-ends-loop");
  await client.answer();
  await client.end();
  await serving.end();
}, { catches: ["bad-client-ends-loop"] });

task(4, {
  en: "serveClients() resolves when the listener is closed, and leaves running handlers alone",
  ko: "serveClients()는 리스너가 닫히면 끝나고, 실행 중인 핸들러는 그대로 둡니다",
}, async (context) => {
  const serving = await Serving.start(context, { mistake: "accepts-once" });
  const client = await serving.serve("A", "accepts-once");
  await serving.end();
  await client.answer();
  await client.end();
}, {
  catches: ["accept-error-forever", "closed-under-handler", "connection-not-closed"],
  leak: "connection-not-closed",
});

// --- task 5 ---

async function connectFirst(
  { learner, step }: TestContext,
  candidates: Endpoint[],
  timeoutMs: number,
  { expected, mistake }: { expected: Text; mistake: string },
): Promise<RemoteSocket> {
  const list = candidates.map(({ hostname, port }) => ({ hostname, port }));
  const value = await step(
    expected,
    () => learner.call("connectFirst", [list, timeoutMs], { expected, mistake }),
    "timeout-ignored",
  );
  return expectConn(value, "connectFirst()");
}

task(5, {
  en: "connectFirst() takes the first candidate that answers and tries no other",
  ko: "connectFirst()는 처음 응답한 후보를 쓰고 다른 후보는 시도하지 않습니다",
}, async (context) => {
  const { peers } = context;
  const first = peers.listen();
  const second = peers.listen();
  const conn = await connectFirst(context, [first.addr, second.addr], LONG_MS, {
    expected: { en: `a connection to ${show(first.addr)}`, ko: `${show(first.addr)} 로의 연결` },
    mistake: "stops-at-first-failure",
  });
  expectEqual(showAddr(conn.remoteAddr), show(first.addr), {
    what: { en: "connected to the first candidate", ko: "첫 후보에 연결됨" },
    mistake: "tries-all-at-once",
  });
  await first.accept();
  // The queue of the second is in order: what was there before this client would be accepted before it.
  const marker = await peers.connect(second.addr);
  const accepted = await second.accept();
  expectEqual(showAddr(accepted.remoteAddr), showAddr(marker.localAddr), {
    what: {
      en: "nobody else has connected to the second",
      ko: "둘째 후보에는 아무도 연결하지 않음",
    },
    mistake: "tries-all-at-once",
  });
  await expectNoTimer(context.learner);
}, { catches: ["tries-all-at-once", "timer-left"], leak: "tries-all-at-once" });

task(5, {
  en: "connectFirst() goes on to the next candidate when one is refused",
  ko: "connectFirst()는 거부되면 다음 후보로 넘어갑니다",
}, async (context) => {
  const { peers } = context;
  const refused = refusing(context, hasIpv6 ? "::1" : "127.0.0.1");
  const listener = peers.listen();
  const conn = await connectFirst(context, [refused, listener.addr], LONG_MS, {
    expected: {
      en: `a connection to ${show(listener.addr)}, the second candidate`,
      ko: `둘째 후보 ${show(listener.addr)} 로의 연결`,
    },
    mistake: "stops-at-first-failure",
  });
  expectEqual(showAddr(conn.remoteAddr), show(listener.addr));
}, { catches: ["stops-at-first-failure"] });

function causes(error: WireError): string {
  return error.errors
    ? `[${error.errors.map((cause) => cause.name).join(", ")}]`
    : showError(error);
}

/** An AggregateError with causes of these classes, in this order. */
function expectCauses(error: WireError, classes: string[], expected: Text): void {
  const right = error.classes.includes("AggregateError") &&
    error.errors?.length === classes.length &&
    classes.every((name, i) => error.errors![i]!.classes.includes(name));
  if (right) return;
  const received = error.classes.includes("AggregateError")
    ? { en: `AggregateError of ${causes(error)}`, ko: `${causes(error)} 의 AggregateError` }
    : showError(error);
  const wrongTimeout = error.errors?.some((cause) =>
    ["TimeoutError", "AbortError"].includes(cause.name)
  );
  fail({
    expected,
    received,
    mistake: wrongTimeout ? "wrong-timeout-error" : "last-error-only",
  });
}

task(5, {
  en: "connectFirst() tells every cause when all candidates fail",
  ko: "connectFirst()는 모두 실패하면 원인을 모두 알려 줍니다",
}, async (context) => {
  const { learner, step } = context;
  const refused = [refusing(context), refusing(context)];
  for (const candidates of [refused, []]) {
    const classes = candidates.map(() => "ConnectionRefused");
    const expected = {
      en: `AggregateError of [${classes.join(", ")}]`,
      ko: `[${classes.join(", ")}] 의 AggregateError`,
    };
    const error = await step(
      expected,
      () =>
        learner.throws("connectFirst", [candidates, LONG_MS], {
          expected,
          mistake: "failure-hidden",
        }),
      "refusal-waits",
    );
    expectCauses(error, classes, expected);
  }
  await expectNoTimer(learner);
}, { catches: ["last-error-only", "failure-hidden", "timer-left"] });

if (Deno.build.os === "linux") {
  task(5, {
    en: "connectFirst() gives each candidate its time, and no more",
    ko: "connectFirst()는 후보마다 정해진 시간만 기다립니다",
  }, async (context) => {
    const { learner, peers, step } = context;
    const { address } = await peers.silent();
    const listener = peers.listen();
    const expected = {
      en: "AggregateError of [TimedOut]",
      ko: "[TimedOut] 의 AggregateError",
    };
    const conn = await connectFirst(context, [address, listener.addr], AMPLE_MS, {
      expected: {
        en: `${show(address)} does not answer, so a connection to ${show(listener.addr)}`,
        ko: `${show(address)} 쪽은 응답이 없으므로 ${show(listener.addr)} 로의 연결`,
      },
      mistake: "stops-at-first-failure",
    });
    const error = await step(
      expected,
      () =>
        learner.throws("connectFirst", [[address], SHORT_MS], {
          expected,
          mistake: "failure-hidden",
        }),
      "timeout-ignored",
    );
    expectEqual(showAddr(conn.remoteAddr), show(listener.addr));
    expectCauses(error, ["TimedOut"], expected);
    await expectNoAttempt(learner);
  }, {
    catches: ["timeout-ignored", "late-connection-leaked", "stops-at-first-failure"],
    leak: "late-connection-leaked",
    waitsMs: AMPLE_MS + SHORT_MS,
  });
}

// --- task 6 ---

/** A connection in the learner's process, with its five-tuple as the suite knows it. */
interface Known {
  conn: Remote;
  tuple: Tuple;
}

async function dialled({ learner, peers }: TestContext, hostnames: string[]): Promise<Known[]> {
  const known: Known[] = [];
  const listener = peers.listen(hostnames[0]);
  for (const hostname of hostnames) {
    const same = hostname === hostnames[0];
    const to = same ? listener : listenAt(peers, hostname, listener.addr.port);
    if (!to) continue;
    const conn = await learner.dial({ hostname, port: to.addr.port });
    known.push({ conn, tuple: mirrored(await to.accept()) });
  }
  return known;
}

function listenAt(peers: TestContext["peers"], hostname: string, port: number) {
  try {
    return peers.listen(hostname, { port });
  } catch (error) {
    // Somebody else has that port on that address: this one comparison is left out.
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

async function expectFound(
  learner: Learner,
  table: Remote,
  { conn, tuple }: Known,
  mistake: string,
): Promise<void> {
  const found = await learner.method(table, "find", [tuple]);
  if (found instanceof Remote && found.handle === conn.handle) return;
  const other = found instanceof Remote && found.remoteAddr;
  fail({
    expected: {
      en: `find() gives the connection ${showTuple(tuple)}`,
      ko: `find()의 결과: 연결 ${showTuple(tuple)}`,
    },
    received: other ? `${showAddr(found.addr)} ↔ ${showAddr(found.remoteAddr)}` : showValue(found),
    mistake: other ? mistake : "table-by-object-only",
  });
}

function showTuple({ localAddress, localPort, remoteAddress, remotePort }: Tuple): string {
  const local = show({ hostname: localAddress, port: localPort });
  return `${local} ↔ ${show({ hostname: remoteAddress, port: remotePort })}`;
}

task(6, {
  en: "ConnectionTable tells the clients of one host apart",
  ko: "ConnectionTable은 한 호스트의 여러 클라이언트를 구별합니다",
}, async ({ learner, peers }) => {
  const table = await learner.construct("ConnectionTable");
  const listener = await learner.listen();
  const clients: Known[] = [];
  for (let i = 0; i < 3; i++) {
    const peer = await peers.connect(listener.addr as Endpoint);
    const conn = await learner.accept(listener);
    clients.push({ conn, tuple: mirrored(peer) });
    await learner.method(table, "add", [conn]);
  }
  expectEqual(await learner.get(table, "size"), 3, {
    what: { en: "size after three clients", ko: "클라이언트 셋을 넣은 뒤의 size" },
    mistake: "key-remote-address-only",
  });
  for (const client of clients) {
    await expectFound(learner, table, client, "key-remote-address-only");
  }
}, { catches: ["key-remote-address-only", "table-by-object-only"] });

task(6, {
  en: "ConnectionTable compares both addresses and both ports",
  ko: "ConnectionTable은 두 주소와 두 포트를 모두 비교합니다",
}, async (context) => {
  const { learner } = context;
  const table = await learner.construct("ConnectionTable");
  // Two with the same remote address and port, and one with the same remote port on another address.
  const known = await dialled(context, ["127.0.0.1", "127.0.0.1", secondLoopback]);
  for (const { conn } of known) await learner.method(table, "add", [conn]);
  expectEqual(await learner.get(table, "size"), known.length, {
    what: { en: "size after three connections", ko: "연결 셋을 넣은 뒤의 size" },
    mistake: "key-remote-port-only",
  });
  for (const one of known) await expectFound(learner, table, one, "key-remote-port-only");
}, { catches: ["key-remote-port-only", "table-by-object-only"] });

task(6, {
  en: "ConnectionTable finds nothing for a five-tuple it does not hold",
  ko: "ConnectionTable은 없는 five-tuple에 대해 아무것도 찾지 않습니다",
}, async (context) => {
  const { learner } = context;
  const table = await learner.construct("ConnectionTable");
  const [{ conn, tuple }] = await dialled(context, ["127.0.0.1"]) as [Known];
  await learner.method(table, "add", [conn]);
  await expectFound(learner, table, { conn, tuple }, "table-by-object-only");
  const { localPort, remotePort } = tuple;
  const strangers: [Tuple, string][] = [
    [{ ...tuple, localPort: remotePort, remotePort: localPort }, "local-remote-swapped"],
    [{ ...tuple, localAddress: "127.0.0.9" }, "key-remote-port-only"],
    [{ ...tuple, remoteAddress: "127.0.0.9" }, "key-remote-port-only"],
    [{ ...tuple, localPort: localPort ^ 1 }, "key-remote-port-only"],
    [{ ...tuple, protocol: "udp" }, "protocol-ignored"],
  ];
  for (const [stranger, mistake] of strangers) {
    const found = await learner.method(table, "find", [stranger]);
    const what = `${stranger.protocol} ${showTuple(stranger)}`;
    expectEqual(found instanceof Remote ? showValue(found) : found, undefined, {
      what: { en: `find() of ${what}`, ko: `${what} 의 find()` },
      mistake,
    });
  }
}, { catches: ["local-remote-swapped", "key-remote-port-only", "protocol-ignored"] });

task(6, {
  en: "ConnectionTable counts a connection once, and forgets it when told",
  ko: "ConnectionTable은 연결을 한 번만 세고, 지우면 잊습니다",
}, async (context) => {
  const { learner } = context;
  const table = await learner.construct("ConnectionTable");
  const [first, second] = await dialled(context, ["127.0.0.1", "127.0.0.1"]) as [Known, Known];
  for (const { conn } of [first, second, first]) await learner.method(table, "add", [conn]);
  expectEqual(await learner.get(table, "size"), 2, {
    what: { en: "size after adding one of two again", ko: "둘 중 하나를 다시 넣은 뒤의 size" },
    mistake: "counted-twice",
  });
  expectEqual(await learner.method(table, "delete", [first.conn]), true, {
    what: { en: "delete() of a connection in the table", ko: "표에 있는 연결의 delete()" },
  });
  expectEqual(await learner.get(table, "size"), 1, {
    what: { en: "size after delete()", ko: "delete() 뒤의 size" },
    mistake: "counted-twice",
  });
  expectEqual(await learner.method(table, "find", [first.tuple]), undefined, {
    what: { en: "find() of a deleted connection", ko: "지운 연결의 find()" },
  });
  expectEqual(await learner.method(table, "delete", [first.conn]), false, {
    what: { en: "delete() of a connection that is gone", ko: "이미 지운 연결의 delete()" },
  });
  await expectFound(learner, table, second, "key-remote-port-only");
  // The connection is over, its addresses are still known: so it goes in a server's clean-up.
  await learner.close(second.conn);
  expectEqual(await learner.method(table, "delete", [second.conn]), true, {
    what: { en: "delete() of a closed connection", ko: "닫힌 연결의 delete()" },
  });
  expectEqual(await learner.get(table, "size"), 0, {
    what: { en: "size at the end", ko: "마지막 size" },
  });
}, { catches: ["counted-twice"] });
