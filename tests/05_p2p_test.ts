/**
 * Lesson 5: every node is client and server.
 *
 * The other peers are scripted: nodes that speak the wire format of the lesson as each test tells them. Some tests
 * have two or three processes of the learner's besides.
 *
 * @module
 */

import type { WireError } from "../workbook/protocol.ts";
import { same, type Text } from "../workbook/text.ts";
import { bytes, concat, expectBytes } from "./support/bytes.ts";
import { showError, showValue } from "./support/explain.ts";
import { expectEqual, expectErrorClass, expectThat } from "./support/expect.ts";
import { fail, TaskFailure } from "./support/failure.ts";
import {
  CHUNK_BYTES,
  encodeFrame,
  type Header,
  lengthPrefix,
  MAX_DIALS_PER_LIST,
  MAX_FRAME_BYTES,
  prefixed,
  type SharedContent,
  sharedContent,
} from "./support/frames.ts";
import type { CallOptions, Endpoint, Learner } from "./support/learner.ts";
import { isFree, isGivenBack, refusing, secondLoopback } from "./support/machine.ts";
import { type NodeLink, type NodeOptions, ScriptedNode } from "./support/scripted_node.ts";
import { task, type TestContext } from "./support/suite.ts";
import { pause } from "./support/timers.ts";
import { showAddr } from "./support/transcript.ts";
import { decodeValue, Digest, encodeArg, Pattern, Remote, View } from "./support/wire.ts";

const MIB = 1024 * 1024;
/** Short enough to be waited for. */
const SILENCE_MS = 60;
/** Long enough for a machine that is busy with something else, and for one that is very busy. */
const MORE_SILENCE_MS = [400, 1600];

/** Tells the mistake that a list of peers shows which will not become right by itself. */
type Judge = (listed: unknown) => string | undefined;

/** What a peer tells of another one. */
interface Entry {
  id: string;
  hostname: string;
  port: number;
}

/** A message that came. */
interface Message {
  from: string;
  body: Uint8Array;
}

/** A peer that the learner's code has made, in one of its processes. */
class LearnerPeer {
  #messages: Remote | undefined;

  constructor(
    readonly context: TestContext,
    readonly learner: Learner,
    readonly remote: Remote,
    readonly id: string,
    readonly addr: Endpoint,
  ) {}

  get entry(): Entry {
    return { id: this.id, ...this.addr };
  }

  #method(name: string, args: unknown[], options: CallOptions = {}): Promise<unknown> {
    const expected: Text = {
      en: `${name}() resolves`,
      ko: `${name}() 호출이 끝남`,
    };
    return this.context.step(
      options.expected ?? expected,
      () => this.learner.method(this.remote, name, args, { expected, ...options }),
      options.mistake,
      () => hasNotEnded(name),
    );
  }

  /** Calls connect() and checks the id that it gives. */
  async connect(to: Endpoint, id: string, mistake?: string): Promise<void> {
    const { hostname, port } = to;
    const expected: Text = {
      en: `connect() resolves to ${showValue(id)}`,
      ko: `connect() 호출의 결과가 ${showValue(id)}`,
    };
    const options = { expected, ...(mistake && { mistake }) };
    const value = await this.context.step(
      expected,
      () => this.learner.method(this.remote, "connect", [{ hostname, port }], options),
      mistake ?? "waits-to-read-first",
      () => hasNotEnded("connect"),
    );
    if (value !== id) fail({ expected, received: showValue(value) });
  }

  /** Calls a method that may end either way: gives its error, or undefined. */
  async ends(name: string, args: unknown[]): Promise<WireError | undefined> {
    const { handle } = this.remote;
    const answer = await this.learner.order({
      op: "method",
      handle,
      name,
      args: args.map(encodeArg),
    });
    if (answer.ok) return undefined;
    if (answer.error.message.startsWith("Not implemented")) {
      fail({ kind: "missing", received: showError(answer.error) });
    }
    return answer.error;
  }

  /** Calls a method that has to reject. */
  async rejects(
    name: string,
    args: unknown[],
    { expected, mistake, className }: { expected: Text; mistake?: string; className?: string },
  ): Promise<void> {
    const error = await this.context.step(
      expected,
      () => this.ends(name, args),
      mistake,
      () => hasNotEnded(name),
    );
    if (!error) {
      fail({
        expected,
        received: { en: `${name}() resolved`, ko: `${name}() 호출이 오류 없이 끝났습니다` },
        mistake,
      });
    }
    if (className) expectErrorClass(error, className, expected, mistake);
  }

  send(id: string, body: Uint8Array | View | Pattern | Remote, mistake?: string): Promise<unknown> {
    return this.#method("send", [id, body], mistake ? { mistake } : {});
  }

  broadcast(body: Uint8Array | View | Pattern | Remote, mistake?: string): Promise<unknown> {
    return this.#method("broadcast", [body], mistake ? { mistake } : {});
  }

  async share(content: Uint8Array | View | Remote): Promise<unknown> {
    return await this.#method("share", [content]);
  }

  async fetch(content: SharedContent, mistake?: string, wrong = mistake): Promise<void> {
    const value = await this.#method("fetch", [content.hash], {
      expected: {
        en: `fetch() resolves to the ${content.bytes.length} bytes`,
        ko: `fetch() 호출의 결과가 그 ${content.bytes.length}바이트`,
      },
      ...(mistake && { mistake }),
      digest: true,
    });
    await this.expectContent(value, content, wrong);
  }

  /** Checks what fetch() gave. Bytes that are right need not come here. */
  async expectContent(value: unknown, content: SharedContent, mistake?: string): Promise<void> {
    if (value instanceof Digest && value.sha256 === content.sha256) return;
    const came = value instanceof Digest ? await this.learner.value(value) : value;
    expectBytes(bytesOf(came, "fetch()"), content.bytes, mistake);
  }

  /** What peers() tells. */
  async peers(): Promise<unknown> {
    const listed = await this.learner.method(this.remote, "peers");
    if (!Array.isArray(listed)) return listed;
    return await Promise.all(
      listed.map((entry) => fieldsOf(this.learner, entry, ["id", "hostname", "port"])),
    );
  }

  /** Waits until peers() tells exactly these, with the addresses where they listen. */
  async expectPeers(
    entries: Entry[],
    told: string | Judge | { mistake?: string; judge?: Judge } = {},
    hang?: string,
  ): Promise<void> {
    const { mistake, judge = wrongAddress(entries) } = typeof told === "string"
      ? { mistake: told }
      : typeof told === "function"
      ? { judge: told, mistake: hang }
      : told;
    const sorted = entries.toSorted(byId);
    const expected: Text = {
      en: `peers() of ${this.id}: ${showEntries(sorted)}`,
      ko: `${this.id}의 peers(): ${showEntries(sorted)}`,
    };
    await this.#listed(expected, (listed) => sameEntries(listed, sorted), mistake, judge);
  }

  /** Waits until peers() tells exactly these ids. */
  async expectIds(ids: string[], mistake?: string, judge?: Judge): Promise<void> {
    const sorted = ids.toSorted();
    const expected: Text = {
      en: `peers() of ${this.id}: [${sorted.join(", ")}]`,
      ko: `${this.id}의 peers(): [${sorted.join(", ")}]`,
    };
    const isRight = (listed: unknown) =>
      Array.isArray(listed) && listed.map((one) => one?.id).join() === sorted.join();
    await this.#listed(expected, isRight, mistake, judge);
  }

  async #listed(
    expected: Text,
    isRight: (listed: unknown) => boolean,
    mistake: string | undefined,
    judge: Judge | undefined,
  ): Promise<void> {
    let listed: unknown;
    const received = () => same(showEntries(listed));
    const isShuffled = await this.context.step(
      expected,
      async () => {
        for (;;) {
          listed = await this.peers();
          if (isRight(listed)) return false;
          // The same in another order is not something that has yet to come.
          if (isUnsorted(listed) && isRight(listed.toSorted(byId))) return true;
          const wrong = judge?.(listed);
          if (wrong) fail({ expected, received: received(), mistake: wrong });
          await this.learner.rest();
        }
      },
      mistake,
      received,
    );
    if (!isShuffled) return;
    const sorted: Text = { en: `${expected.en}, sorted by id`, ko: `${expected.ko}, id 순` };
    fail({ expected: sorted, received: received() });
  }

  /** The next message that its application reads. */
  async message(
    expected: { from: string; body: Uint8Array },
    mistake?: string,
    hang = mistake,
  ): Promise<void> {
    const { from, body } = expected;
    const what: Text = {
      en: `${this.id} reads a message of ${body.length} bytes from ${from}`,
      ko: `${this.id}이(가) ${from}의 ${body.length}바이트 메시지를 읽음`,
    };
    const { value, done } = await this.context.step(what, async () => {
      this.#messages ??= await this.learner.iterate(this.remote, "messages");
      return await this.learner.next(this.#messages);
    }, hang);
    const message = await fieldsOf(this.learner, value, ["from", "body"]) as
      | Message
      | null
      | undefined;
    if (done || typeof message !== "object" || message === null) {
      const ended: Text = { en: "the iteration has ended", ko: "반복이 끝났습니다" };
      fail({ expected: what, received: done ? ended : showValue(value), mistake });
    }
    expectEqual(message.from, from, { what: { en: "from", ko: "from" }, mistake });
    expectBytes(bytesOf(message.body, "body"), body, mistake);
  }

  /** Lets its application read so many messages, whatever is in them. */
  async skipMessages(count: number, mistake: string): Promise<void> {
    const expected: Text = {
      en: `${this.id} reads ${count} messages`,
      ko: `${this.id}이(가) 메시지 ${count}개를 읽음`,
    };
    await this.context.step(expected, async () => {
      this.#messages ??= await this.learner.iterate(this.remote, "messages");
      for (let i = 0; i < count; i++) {
        await this.learner.method(this.#messages, "next", [], { hold: true, expected, mistake });
      }
    }, mistake);
  }

  /** Waits for the end of the iteration. */
  async expectNoMoreMessages(mistake?: string): Promise<void> {
    const expected: Text = {
      en: "the iteration of messages ends when the peer is closed",
      ko: "피어가 닫히면 messages의 반복이 끝남",
    };
    const { value, done } = await this.context.step(expected, async () => {
      this.#messages ??= await this.learner.iterate(this.remote, "messages");
      return await this.learner.next(this.#messages);
    }, mistake);
    if (!done) fail({ expected, received: showValue(value), mistake });
  }

  close(mistake?: string): Promise<unknown> {
    return this.#method("close", [], mistake ? { mistake } : {});
  }
}

/** An object of a class of the learner's own is as good as one without: the same with these of its properties. */
async function fieldsOf(learner: Learner, value: unknown, names: string[]): Promise<unknown> {
  if (!(value instanceof Remote)) return value;
  const entries = names.map(async (name) => [name, await learner.get(value, name)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** What is told of a call that goes on, before what the process waits in: its accept() says nothing of it. */
function hasNotEnded(name: string): Text {
  return { en: `${name}() has not ended`, ko: `${name}() 호출이 아직 끝나지 않았습니다` };
}

function bytesOf(value: unknown, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  fail({
    expected: { en: `${what} is a Uint8Array`, ko: `${what} 값은 Uint8Array` },
    received: showValue(value),
  });
}

function sameEntries(listed: unknown, entries: Entry[]): boolean {
  return Array.isArray(listed) && listed.length === entries.length &&
    entries.every(({ id, hostname, port }, i) =>
      listed[i]?.id === id && listed[i]?.hostname === hostname && listed[i]?.port === port
    );
}

function showEntries(listed: unknown): string {
  if (!Array.isArray(listed)) return showValue(listed);
  const shown = listed.map((entry) => `${entry?.id} ${entry?.hostname}:${entry?.port}`);
  return `[${shown.join(", ")}]`;
}

const byId = (a: Entry, b: Entry): number => a.id < b.id ? -1 : 1;

function isUnsorted(listed: unknown): listed is Entry[] {
  return Array.isArray(listed) && listed.every((one) => typeof one?.id === "string") &&
    listed.some((one, i) => i > 0 && one.id < listed[i - 1].id);
}

/** A listed peer whose address is not the one where it listens. */
function wrongAddress(entries: Entry[]): Judge {
  return (listed) =>
    Array.isArray(listed) &&
      listed.some((one) =>
        entries.some(({ id, hostname, port }) =>
          one?.id === id && (one.port !== port || one.hostname !== hostname)
        )
      )
      ? "ephemeral-identity"
      : undefined;
}

/** The same of several peers in one process, of which `peer` may list itself if they share what is not shared. */
function listsItself(peer: LearnerPeer, entries: Entry[]): Judge {
  return (listed) =>
    Array.isArray(listed) && listed.some((one) => one?.id === peer.id)
      ? "shared-between-connections"
      : wrongAddress(entries)(listed);
}

/** Makes a peer of the learner's. */
async function createPeer(
  context: TestContext,
  options: { id: string; hostname?: string; silenceMs?: number },
  learner = context.learner,
  mistake?: string,
): Promise<LearnerPeer> {
  const held: CallOptions = { hold: true, ...(mistake && { mistake }) };
  const remote = await learner.call("createPeer", [options], held)
    .catch((error) => {
      // Refused by permission, under the name that lesson 1 has for it.
      const everywhere = error instanceof TaskFailure && error.facts.mistake === "every-interface";
      if (everywhere) error.facts.mistake = "listens-everywhere";
      throw error;
    }) as Remote;
  const told = await learner.get(remote, "addr");
  const addr = await fieldsOf(learner, told, ["hostname", "port"]) as Partial<Endpoint> | undefined;
  if (typeof addr?.port !== "number" || typeof addr.hostname !== "string" || addr.port === 0) {
    fail({
      expected: {
        en: "addr with the hostname and the port where the peer listens",
        ko: "addr에는 피어가 듣는 hostname과 port가 있음",
      },
      received: showValue(addr),
    });
  }
  const { hostname, port } = addr as Endpoint;
  return new LearnerPeer(context, learner, remote, options.id, { hostname, port });
}

/** A node that has dialled the learner's peer and is linked with it. */
async function linkedNode(
  context: TestContext,
  peer: LearnerPeer,
  id: string,
  options: NodeOptions = {},
  mistake?: string,
): Promise<{ node: ScriptedNode; link: NodeLink }> {
  const node = new ScriptedNode(context, id, options);
  const link = await node.dial(peer.addr);
  await isLinked(link, mistake);
  return { node, link };
}

/** A link that did not come about, or ended, in so short a silence that a busy machine may be why. */
class TooBusy extends Error {}

/** What a test of patience does with a peer of so little patience; `link` makes a link that must come about. */
type Attempt = (attempt: {
  peer: LearnerPeer;
  /** How much patience that is. */
  silenceMs: number;
  /** A node that has dialled the peer and is linked with it. */
  link: (
    id: string,
    options?: NodeOptions,
    mistake?: string,
  ) => Promise<{ node: ScriptedNode; link: NodeLink }>;
  /** Gives the attempt up if `happened`: with more patience it must not happen. */
  unless: (happened: boolean) => void;
}) => Promise<void>;

/**
 * Tries with a short silence, for it has to be waited for. On a busy machine what is said may come too late for it:
 * then more patience is tried, and that time no excuse counts. `mistake`: what a close() that hangs in between shows.
 */
async function patiently(
  context: TestContext,
  attempt: Attempt,
  mistake?: string,
): Promise<void> {
  const tries = [SILENCE_MS, ...MORE_SILENCE_MS];
  for (const silenceMs of tries) {
    const isLast = silenceMs === tries.at(-1);
    const peer = await createPeer(context, { id: "alice", silenceMs });
    try {
      return await attempt({
        peer,
        silenceMs,
        link: (id, options, mistake) =>
          linkedNode(context, peer, id, options, mistake).catch((error) => {
            throw isLast || !(error instanceof TaskFailure) ? error : new TooBusy();
          }),
        unless: (happened) => {
          if (happened && !isLast) throw new TooBusy();
        },
      });
    } catch (error) {
      if (!(error instanceof TooBusy)) throw error;
      // Whoever waits without end may wait for that here, too.
      await peer.close(mistake);
    }
  }
}

/** How long at most nothing happened. */
class Gaps {
  #last = performance.now();
  longestMs = 0;

  /** Something happens. */
  mark(): void {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.#last);
    this.#last = now;
  }
}

/** Waits until the learner's process has read all that was sent to it on that link. */
async function isRead({ learner, step }: TestContext, link: NodeLink): Promise<void> {
  const { id } = link.node;
  const mine = showAddr(link.addr);
  await step(
    { en: `what ${id} has sent is read`, ko: `${id}이(가) 보낸 것을 읽음` },
    async () => {
      for (;;) {
        const { open } = await learner.state();
        const end = open.find(({ remoteAddr }) => showAddr(remoteAddr) === mine);
        if (!end || end.bytesRead >= link.sentBytes) return;
      }
    },
  );
}

/** Waits until the learner's process has said something on the connection that it accepted from `conn`. */
async function isGreeted({ learner, step }: TestContext, conn: Remote): Promise<void> {
  const theirs = showAddr(conn.addr);
  await step(
    { en: "whoever connects is greeted with a hello", ko: "연결한 쪽이 hello로 인사를 받음" },
    async () => {
      const isGreeted = () =>
        learner.events.some((e) => e.event === "write" && showAddr(e.remoteAddr) === theirs);
      while (!isGreeted()) await learner.state();
    },
    "waits-to-read-first",
  );
}

/** Waits until the learner's end has made a link of the connection: its list says so. */
async function isLinked(link: NodeLink, mistake?: string): Promise<void> {
  const { id } = link.node;
  await link.next("hello", {
    expected: { en: `${id} is greeted with a hello`, ko: `${id}이(가) hello로 인사를 받음` },
    mistake,
  });
  await link.next("peers", {
    expected: {
      en: `${id} is linked and receives the list of peers`,
      ko: `${id}이(가) 링크되어 피어 목록을 받음`,
    },
    mistake,
  });
}

/** Fails unless both directions of the link work. */
async function talk(peer: LearnerPeer, link: NodeLink, mistake?: string): Promise<void> {
  const { id } = link.node;
  const [there, back] = [bytes(`to ${id}`), bytes(`from ${id}`)];
  await peer.send(id, there, mistake);
  const frame = await link.next("message", { mistake });
  expectBytes(frame.body, there, mistake);
  link.send({ type: "message" }, back);
  await peer.message({ from: id, body: back }, mistake);
}

// --- task 1 ---

task(1, {
  en: "createPeer() listens on 127.0.0.1, on a port that the OS chooses",
  ko: "createPeer()는 127.0.0.1에서 OS가 고른 포트로 듣습니다",
}, async (context) => {
  const { learner } = context;
  const peers = [
    await createPeer(context, { id: "alice" }),
    await createPeer(context, { id: "bob", hostname: secondLoopback }),
  ];
  const expected = ["127.0.0.1", secondLoopback];
  for (const [i, peer] of peers.entries()) {
    const what: Text = { en: "addr.hostname", ko: "addr.hostname" };
    const { hostname } = peer.addr;
    const mistake = expected.includes(hostname) ? undefined : "listens-everywhere";
    expectEqual(hostname, expected[i]!, { what, mistake });
    expectEqual(await learner.get(peer.remote, "id") as string, peer.id, { what: same("id") });
    await peer.expectPeers([]);
  }
  for (const { event, addr } of learner.events) {
    if (event !== "listen") continue;
    expectThat(
      addr?.hostname === "127.0.0.1" || addr?.hostname === secondLoopback,
      { en: "listens on the loopback address only", ko: "루프백 주소에서만 들음" },
      { en: `listens on ${showAddr(addr)}`, ko: `${showAddr(addr)}에서 듣습니다` },
      "listens-everywhere",
    );
  }
  for (const peer of peers) await peer.close();
}, { catches: ["listens-everywhere"] });

task(1, {
  en: "createPeer() rejects if nobody could ever link with such a peer",
  ko: "createPeer()는 아무도 링크할 수 없을 피어라면 실패합니다",
}, async ({ learner }) => {
  const mistake = "bad-options-taken";
  const ids: [id: string, what: Text][] = [
    ["", { en: "an id of 0 characters", ko: "0글자 id" }],
    ["x".repeat(65), { en: "an id of 65 characters", ko: "65글자 id" }],
    ["🧦".repeat(33), { en: "an id of 66 UTF-16 code units", ko: "UTF-16 코드 단위 66개인 id" }],
  ];
  for (const [id, { en, ko }] of ids) {
    const expected: Text = {
      en: `createPeer() rejects: ${en}`,
      ko: `createPeer()가 실패함: ${ko}`,
    };
    await learner.throws("createPeer", [{ id }], { expected, mistake });
  }
  await learner.faults({ api: ["listen"], times: 1_000, error: "PermissionDenied" });
  const expected: Text = {
    en: "createPeer() rejects: it cannot listen",
    ko: "createPeer()가 실패함: 들을 수 없음",
  };
  await learner.throws("createPeer", [{ id: "alice" }], { expected, mistake });
}, { catches: ["bad-options-taken"], leak: "bad-options-taken" });

/** What the learner's hello has to say. */
function expectHello(peer: LearnerPeer, { header, body }: { header: Header; body: Uint8Array }) {
  const expected = { type: "hello", version: 1, id: peer.id, port: peer.addr.port };
  const isRight = header["version"] === 1 && header["id"] === peer.id &&
    header["port"] === peer.addr.port && body.length === 0;
  if (isRight) return;
  fail({
    expected: JSON.stringify(expected),
    received: `${JSON.stringify(header)}${body.length ? ` + ${body.length} bytes` : ""}`,
    mistake: header["id"] === peer.id && header["port"] !== peer.addr.port
      ? "ephemeral-identity"
      : undefined,
  });
}

task(1, {
  en: "a peer says hello at once to whoever connects, and lists where the other listens",
  ko: "피어는 연결되자마자 hello를 보내고, 상대가 듣는 주소를 목록에 올립니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const node = new ScriptedNode(context, "bob", { greets: false });
  const link = await node.dial(peer.addr);
  const hello = await link.next("hello", {
    expected: {
      en: "a hello, although the other side has said nothing yet",
      ko: "상대가 아직 아무 말도 하지 않았어도 hello가 도착함",
    },
    mistake: "waits-to-read-first",
  });
  expectEqual(link.frames[0]!.header.type, "hello", { what: { en: "first", ko: "첫 프레임" } });
  expectHello(peer, hello);
  await link.sendHello();
  await link.sendList();
  await link.next("peers", {});
  await peer.expectPeers([node.entry], wrongAddress([node.entry]));
  await peer.close();
}, { catches: ["waits-to-read-first", "ephemeral-identity"] });

task(1, {
  en: "connect() says hello at once and resolves to the other's id",
  ko: "connect()는 곧바로 hello를 보내고 상대의 id를 결과로 줍니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const node = new ScriptedNode(context, "bob", { greets: false });
  const connected = peer.connect(node.addr, "bob");
  const link = await node.accept(
    { en: "connect() connects", ko: "connect()가 연결함" },
  );
  const hello = await link.next("hello", {
    expected: {
      en: "a hello, although the other side has said nothing yet",
      ko: "상대가 아직 아무 말도 하지 않았어도 hello가 도착함",
    },
    mistake: "waits-to-read-first",
  });
  expectHello(peer, hello);
  await link.sendHello();
  await link.sendList();
  await connected;
  await peer.expectPeers([node.entry], wrongAddress([node.entry]));
  await peer.close();
}, { catches: ["waits-to-read-first", "ephemeral-identity"] });

task(1, {
  en: "a hello in many pieces, or in one piece with what follows, is understood",
  ko: "hello가 여러 조각으로 와도, 뒤따르는 프레임과 함께 와도 알아듣습니다",
}, async (context) => {
  const { learner } = context;
  const peer = await createPeer(context, { id: "alice" });
  await learner.limit({ readBytes: 1 });
  const slow = await linkedNode(context, peer, "bob", {}, "frame-per-read");
  await learner.limit({});
  const node = new ScriptedNode(context, "carol", { greets: false });
  const link = await node.dial(peer.addr);
  await learner.asleep(() =>
    link.sendRaw(
      concat(
        encodeFrame(node.hello),
        encodeFrame({ type: "peers", peers: [] }),
        encodeFrame({ type: "message" }, bytes("one")),
        encodeFrame({ type: "message" }, bytes("two")),
      ),
      "hello, peers and two messages at once",
    )
  );
  await isLinked(link, "frame-per-read");
  await peer.message({ from: "carol", body: bytes("one") }, "frame-per-read");
  await peer.message({ from: "carol", body: bytes("two") }, "frame-per-read");
  await peer.expectPeers(
    [slow.node.entry, node.entry],
    wrongAddress([slow.node.entry, node.entry]),
  );
  await peer.close();
}, { catches: ["frame-per-read", "ephemeral-identity"] });

/** What is said instead of a hello, and how the story calls it. */
function lies(port: number): [bytes: Uint8Array, what: string][] {
  const hello = { type: "hello", version: 1, id: "liar", port };
  const headers: Header[] = [
    { type: "message" },
    { type: "ping" },
    { ...hello, type: "hi" },
    { ...hello, version: 2 },
    { ...hello, id: undefined },
    { ...hello, id: "" },
    { ...hello, id: "x".repeat(65) },
    // 33 characters to a reader, and 65 UTF-16 code units.
    { ...hello, id: `x${"🧦".repeat(32)}` },
    { ...hello, id: 7 },
    { ...hello, port: undefined },
    { ...hello, port: 0 },
    { ...hello, port: 65_536 },
    { ...hello, port: 40_000.5 },
    { ...hello, port: `${port}` },
  ];
  const texts = ["GET / HTTP/1.1\n", JSON.stringify(hello), "null\n", "[]\n"];
  return [
    ...headers.map((header) => {
      const line = JSON.stringify(header);
      return [encodeFrame(header), line.length > 80 ? `${line.slice(0, 79)}…` : line] as [
        Uint8Array,
        string,
      ];
    }),
    ...texts.map((text) => [prefixed(bytes(text)), JSON.stringify(text)] as [Uint8Array, string]),
  ];
}

task(1, {
  en: "a wrong hello ends its own connection, and nothing else",
  ko: "잘못된 hello는 그 연결만 끝냅니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const before = await linkedNode(context, peer, "bob");
  const liar = new ScriptedNode(context, "liar", { greets: false });
  // All at the same time: none may hold up another.
  const tell = async ([lie, what]: [Uint8Array, string]) => {
    const link = await liar.dial(peer.addr);
    await link.next("hello", {
      expected: {
        en: "a hello for the next who connects",
        ko: "다음에 연결한 쪽에도 hello가 도착함",
      },
      mistake: "bad-hello-kills",
    });
    await link.sendRaw(lie, what);
    await link.expectEnd(
      {
        en: `the connection that began with ${what} is closed`,
        ko: `${what}(으)로 시작한 연결이 닫힘`,
      },
      "hello-unchecked",
    );
    expectThat(
      link.all("peers").length === 0,
      { en: `no link after ${what}`, ko: `${what} 뒤에는 링크가 생기지 않음` },
      { en: "the list of peers was sent", ko: "피어 목록이 전송되었습니다" },
      "hello-unchecked",
    );
  };
  await Promise.all(lies(liar.addr.port).map(tell));
  const after = await linkedNode(context, peer, "carol", {}, "bad-hello-kills");
  await peer.expectPeers(
    [before.node.entry, after.node.entry],
    (listed) =>
      Array.isArray(listed) && listed.length > 2
        ? "hello-unchecked"
        : wrongAddress([before.node.entry, after.node.entry])(listed),
  );
  await peer.close();
}, { catches: ["bad-hello-kills", "hello-unchecked"], unhandled: "bad-hello-kills" });

task(1, {
  en: "connect() rejects when there is no right hello, and then other peers can still be linked",
  ko: "connect()는 올바른 hello가 없으면 실패하고, 그 뒤에도 다른 피어와 링크할 수 있습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const expected = (en: string, ko: string): { expected: Text; mistake: string } => ({
    expected: { en: `connect() rejects: ${en}`, ko: `connect()가 실패함: ${ko}` },
    mistake: "hello-unchecked",
  });
  await peer.rejects("connect", [refusing(context)], {
    expected: expected("nobody listens there", "그 주소에서 듣는 피어가 없음").expected,
  });
  const liar = new ScriptedNode(context, "liar", { hello: { id: undefined } });
  await peer.rejects("connect", [liar.addr], expected("a hello without id", "id가 없는 hello"));
  const refuser = new ScriptedNode(context, "rita", { greets: false });
  const refused = peer.rejects("connect", [refuser.addr], expected("refused", "거절당함"));
  const link = await refuser.accept({ en: "connect() connects", ko: "connect()가 연결함" });
  await link.next("hello");
  link.send({ type: "refuse", reason: "id taken" });
  await link.end();
  await refused;
  // On another address than its own, where there is one.
  const node = new ScriptedNode(context, "bob", { hostname: secondLoopback });
  await peer.connect(node.addr, "bob", "bad-hello-kills");
  const again = peer.connect(refuser.addr, "rita", "failure-remembered");
  const second = await refuser.accept({
    en: "connect() connects again, to rita who refused before",
    ko: "connect()가 앞서 거절한 rita에게 다시 연결함",
  }, "failure-remembered");
  await second.sendHello();
  await second.sendList();
  await again;
  await peer.expectPeers([node.entry, refuser.entry]);
  await peer.close();
}, {
  catches: ["hello-unchecked", "bad-hello-kills", "failure-remembered"],
  unhandled: "bad-hello-kills",
});

task(1, {
  en: "a connection on which nobody says anything holds up no other",
  ko: "아무 말도 없는 연결이 다른 연결을 막지 않습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const mute = new ScriptedNode(context, "mute", { greets: false });
  for (let i = 0; i < 2; i++) await mute.dial(peer.addr);
  await linkedNode(context, peer, "bob", {}, "bad-hello-kills");
  await peer.close();
}, { catches: ["bad-hello-kills"] });

task(1, {
  en: "whoever says nothing in silenceMs is closed, and holds up nobody",
  ko: "silenceMs 동안 말이 없는 연결은 닫히고, 다른 피어를 막지 않습니다",
}, async (context) => {
  await patiently(context, async ({ peer, link: linked, silenceMs, unless }) => {
    const mute = new ScriptedNode(context, "mute", { greets: false });
    const link = await mute.dial(peer.addr);
    // It says something all the time, and never as much as a hello.
    const dripping = await mute.dial(peer.addr);
    const pieces = 8;
    const gaps = new Gaps();
    const drip = async () => {
      const hello = encodeFrame(mute.hello);
      for (let at = 0; at < pieces && !dripping.isOver; at++) {
        await dripping.sendRaw(hello.subarray(at, at + 1), "one byte of a hello");
        gaps.mark();
        await Promise.race([dripping.over, pause(silenceMs / 4)]);
      }
      return dripping.isOver;
    };
    const dripped = drip();
    const dialled = peer.rejects("connect", [mute.addr], {
      expected: {
        en: "connect() rejects: no hello in silenceMs",
        ko: "connect()가 실패함: silenceMs 안에 hello가 오지 않음",
      },
      mistake: "hello-unchecked",
    });
    await linked("bob", {}, "bad-hello-kills");
    await link.expectEnd(
      { en: "the connection without a hello is closed", ko: "hello가 없는 연결이 닫힘" },
      "hello-unchecked",
    );
    const slowly: Text = {
      en: "a connection on which the hello comes too slowly is closed after silenceMs",
      ko: "hello가 너무 느리게 오는 연결은 silenceMs 뒤에 닫힘",
    };
    const isClosed = await context.step(slowly, () => dripped, "hello-unchecked");
    // After a gap it would have been closed in any case.
    unless(!isClosed || gaps.longestMs >= silenceMs);
    expectThat(
      isClosed,
      slowly,
      { en: "it is still open after twice that", ko: "그 두 배가 지나도 열려 있습니다" },
      "hello-unchecked",
    );
    await dialled;
    await peer.close();
  });
}, {
  catches: ["hello-unchecked", "bad-hello-kills"],
  unhandled: "bad-hello-kills",
  waitsMs: SILENCE_MS,
  deadlineMs: 6_000,
});

task(1, {
  en: "connect() between two peers of yours: both list where the other listens",
  ko: "직접 만든 두 피어 사이의 connect(): 서로가 듣는 주소를 목록에 올립니다",
}, async (context) => {
  const alice = await createPeer(context, { id: "alice" });
  const bob = await createPeer(context, { id: "bob" });
  await alice.connect(bob.addr, "bob", "waits-to-read-first");
  await alice.expectPeers([bob.entry], listsItself(alice, [bob.entry]));
  await bob.expectPeers([alice.entry], listsItself(bob, [alice.entry]));
  await alice.close();
  await bob.close();
}, { catches: ["waits-to-read-first", "ephemeral-identity", "shared-between-connections"] });

task(1, {
  en: "a hello with any id and port there may be, or with unknown fields, is fine",
  ko: "허용되는 어떤 id와 port이든, 모르는 필드가 있든 hello를 받아들입니다",
}, async (context) => {
  const mistake = "good-hello-refused";
  // As long as can be, and JSON needs some care with it.
  const own = `"\\\n${"한".repeat(61)}`;
  const peer = await createPeer(context, { id: own }, context.learner, mistake);
  // 64 characters, and many more bytes.
  const longest = await linkedNode(context, peer, "한".repeat(64), {}, mistake);
  expectHello(peer, longest.link.all("hello")[0]!);
  // What every object of JavaScript has, and no peer is called yet; and ports at both ends.
  const first = { hello: { port: 1 } };
  const last = { hello: { port: 65_535 } };
  await linkedNode(context, peer, "constructor", first, mistake);
  await linkedNode(context, peer, "__proto__", last, mistake);
  // The same JSON in other words, and with what a later version may say besides.
  const newer = new ScriptedNode(context, "Zoe", { greets: false });
  const link = await newer.dial(peer.addr);
  const { port } = newer.addr;
  const line =
    `{ "port": ${port}, "likes": ["tea"],\t"id": "Z\\u006fe", "version": 1, "type": "hello" }\n`;
  await link.sendRaw(prefixed(bytes(line)), line.trim());
  await link.sendList();
  await isLinked(link, mistake);
  const { hostname } = newer.addr;
  await peer.expectPeers([
    longest.node.entry,
    newer.entry,
    { id: "constructor", hostname, port: 1 },
    { id: "__proto__", hostname, port: 65_535 },
  ], mistake);
  await peer.close();
}, { catches: ["good-hello-refused"] });

task(1, {
  en: "connect() rejects when the other side refuses, also after its hello",
  ko: "상대가 hello 뒤에 거절해도 connect()는 실패합니다",
}, async (context) => {
  const mistake = "refusal-unheard";
  // A peer may wait for another connection as long as its patience goes.
  const peer = await createPeer(context, { id: "alice", silenceMs: 500 });
  const node = new ScriptedNode(context, "mia", { greets: false });
  const expected: Text = {
    en: 'connect() rejects: the other side refuses with "id taken"',
    ko: 'connect()가 실패함: 상대가 "id taken"으로 거절함',
  };
  const { hostname, port } = node.addr;
  const rejected = peer.rejects("connect", [{ hostname, port }], { expected, mistake });
  rejected.catch(() => {});
  const link = await node.accept({ en: "connect() connects", ko: "connect()가 연결함" });
  await link.next("hello");
  await link.sendHello();
  await link.send({ type: "refuse", reason: "id taken" });
  await link.end();
  await rejected;
  await peer.close();
}, { catches: ["refusal-unheard"] });

task(1, {
  en: "frames that come at the same time on two links are read each by itself",
  ko: "두 링크에 동시에 오는 프레임은 따로따로 읽습니다",
}, async (context) => {
  const mistake = "shared-between-connections";
  const peer = await createPeer(context, { id: "alice" });
  const slow = await linkedNode(context, peer, "bob");
  const quick = await linkedNode(context, peer, "carol");
  const body = Uint8Array.from(context.random.bytes(70_000));
  const frame = encodeFrame({ type: "message" }, bytes("at last"));
  await slow.link.sendRaw(frame.subarray(0, 2), "half of a length");
  await isRead(context, slow.link);
  const message = encodeFrame({ type: "message" }, body);
  await quick.link.sendRaw(message.subarray(0, 2), "half of a length");
  await isRead(context, quick.link);
  quick.link.sendRaw(message.subarray(2), "the rest of it, a message");
  await peer.message({ from: "carol", body }, mistake);
  await slow.link.sendRaw(frame.subarray(2), "the rest of it, a message");
  await peer.message({ from: "bob", body: bytes("at last") }, mistake);
  await peer.close();
}, { catches: ["shared-between-connections"] });

// --- task 2 ---

/** Connections that are open in the learner's process. */
async function openConns(learner: Learner): Promise<number> {
  const { open } = await learner.rest();
  return open.filter(({ kind }) => kind === "conn").length;
}

task(2, {
  en: "send() and messages carry any bytes, and messages end with the peer",
  ko: "send()와 messages는 어떤 바이트든 전하고, 피어가 닫히면 messages가 끝납니다",
}, async (context) => {
  const { learner, random, step } = context;
  const peer = await createPeer(context, { id: "alice" });
  const { link } = await linkedNode(context, peer, "bob");
  const bodies = [bytes("line\nfeeds\n\n"), bytes(""), random.bytes(70_000)];
  for (const body of bodies) {
    // What is sent is a part of a longer buffer.
    await peer.send("bob", new View(body));
    expectBytes((await link.next("message")).body, body, "subarray-offset");
    link.send({ type: "message", from: "somebody else" }, Uint8Array.from(body));
  }
  link.send({ type: "new in version 2", x: 1 });
  link.send({ type: "message" }, bytes("last"));
  // Said and gone: what was said has arrived all the same.
  await link.end();
  await step(
    { en: "bob's link is read to its end", ko: "bob의 링크를 끝까지 읽음" },
    async () => {
      while (await openConns(learner) > 0);
    },
    "reads-only-when-asked",
  );
  for (const body of [...bodies, bytes("last")]) {
    await peer.message({ from: "bob", body }, undefined, "inbox-too-small");
  }
  await peer.rejects("send", ["nobody", bytes("lost")], {
    expected: {
      en: "send() to a peer that is not linked rejects with Deno.errors.NotConnected",
      ko: "링크되지 않은 피어에게 보내는 send()는 Deno.errors.NotConnected로 실패함",
    },
    className: "Deno.errors.NotConnected",
  });
  await peer.close();
  await peer.expectNoMoreMessages();
}, { catches: ["subarray-offset", "reads-only-when-asked", "inbox-too-small"] });

task(2, {
  en: "broadcast() reaches every link, in whatever direction it was dialled",
  ko: "broadcast()는 누가 연결했든 모든 링크에 전달됩니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const bob = await linkedNode(context, peer, "bob");
  const carol = new ScriptedNode(context, "carol");
  await peer.connect(carol.addr, "carol");
  const link = carol.links[0]!;
  for (const text of ["one", "two"]) {
    await peer.broadcast(new View(bytes(text)));
    expectBytes((await bob.link.next("message")).body, bytes(text), "subarray-offset");
    expectBytes((await link.next("message")).body, bytes(text), "subarray-offset");
  }
  await talk(peer, bob.link);
  await talk(peer, link);
  await peer.close();
}, { catches: ["subarray-offset"] });

task(2, {
  en: "a link is read although the application reads no messages",
  ko: "애플리케이션이 messages를 읽지 않아도 링크는 계속 읽힙니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const { link } = await linkedNode(context, peer, "bob");
  const bodies = ["one", "two", "three"].map(bytes);
  for (const body of bodies) link.send({ type: "message" }, body);
  link.send({ type: "ping" });
  link.send({ type: "want", hash: "0".repeat(64) });
  await link.next(["pong", "missing"], {
    expected: {
      en: "bob's ping, or what it wants, is answered, although nobody has read its messages",
      ko: "아무도 메시지를 읽지 않았어도 bob의 ping이나 want에 답이 옴",
    },
    mistake: "reads-only-when-asked",
  });
  for (const body of bodies) await peer.message({ from: "bob", body });
  await peer.close();
}, { catches: ["reads-only-when-asked"] });

/** A frame of so many bytes with a message of zeros, sent in pieces so that nobody has to hold it. */
function sendZeros(link: NodeLink, frameBytes: number): Promise<void> {
  const header = encodeFrame({ type: "message" }).subarray(4);
  const whole = Math.floor((frameBytes - header.length) / ZEROS.length);
  const rest = frameBytes - header.length - whole * ZEROS.length;
  return link.sendRaw(
    [
      lengthPrefix(frameBytes),
      header,
      ...Array.from({ length: whole }, () => ZEROS),
      ZEROS.subarray(0, rest),
    ],
    `a message in a frame of ${frameBytes} bytes`,
  );
}

const ZEROS = new Uint8Array(MIB / 2);

task(2, {
  en: "63 MiB of messages that nobody has read are kept, also in the longest frame there is",
  ko: "아무도 읽지 않은 메시지 63 MiB를, 허용되는 가장 긴 프레임으로 와도 보관합니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const { link } = await linkedNode(context, peer, "bob");
  const frames = [MAX_FRAME_BYTES, ...Array.from({ length: 23 }, () => 2 * MIB), MIB];
  for (const frameBytes of frames) sendZeros(link, frameBytes);
  link.send({ type: "message" }, bytes("last"));
  link.send({ type: "ping" });
  link.send({ type: "want", hash: "0".repeat(64) });
  await link.next(["pong", "missing"], {
    expected: {
      en: "bob's ping, or what it wants, is answered, although 63 MiB of its messages are unread",
      ko: "bob의 메시지 63 MiB가 읽히지 않았어도 bob의 ping이나 want에 답이 옴",
    },
    mistake: "inbox-too-small",
  });
  await peer.skipMessages(frames.length, "inbox-too-small");
  await peer.message({ from: "bob", body: bytes("last") }, "inbox-too-small");
  await peer.rejects("send", ["bob", new Pattern(0, MAX_FRAME_BYTES)], {
    expected: {
      en: "send() rejects: the frame would have more than 16 MiB",
      ko: "send()가 실패함: 프레임이 16 MiB를 넘게 됨",
    },
  });
  expectThat(
    link.broken === undefined,
    {
      en: "nothing of a frame that is too long is sent",
      ko: "너무 긴 프레임은 조금도 보내지 않음",
    },
    { en: `bob received ${link.broken}`, ko: `bob이 받은 것: ${link.broken}` },
  );
  await talk(peer, link);
  await peer.close();
}, { catches: ["inbox-too-small"] });

task(2, {
  en: "8 MiB to a peer that does not read yet, and 8 MiB from it, at the same time",
  ko: "아직 읽지 않는 상대에게 8 MiB를 보내면서 동시에 그 상대의 8 MiB를 받습니다",
}, async (context) => {
  const { random, learner, step } = context;
  const peer = await createPeer(context, { id: "alice" });
  const node = new ScriptedNode(context, "bob", { reads: false, keptBytes: MIB });
  const link = await node.dial(peer.addr);
  await peer.expectPeers([node.entry]);
  const pattern = new Pattern(random.integer(1, 1_000_000), 8 * MIB);
  const sent = peer.send("bob", pattern, "read-waits-for-write");
  let isSent = false;
  sent.then(() => isSent = true, () => {});
  await learner.waitsIn("write", sent);
  // One more answer, so that a call which had ended would have told.
  await learner.state();
  expectThat(
    !isSent,
    {
      en: "send() goes on until the kernel has taken the 8 MiB, which bob does not read",
      ko: "bob이 읽지 않는 8 MiB를 커널이 다 받을 때까지 send()가 끝나지 않음",
    },
    { en: "send() resolved", ko: "send() 호출이 끝났습니다" },
    "send-resolves-early",
  );
  await step(
    {
      en: "bob's 8 MiB are read, although alice's have not been written yet",
      ko: "alice의 8 MiB를 아직 다 쓰지 못했어도 bob의 8 MiB가 읽힘",
    },
    () => sendZeros(link, 8 * MIB),
    "read-waits-for-write",
  );
  link.startReading();
  await sent;
  const { body, bodyBytes } = await link.next("message");
  expectEqual(bodyBytes, pattern.length);
  expectBytes(body, new Pattern(pattern.seed, body.length).bytes);
  await peer.close();
}, { catches: ["read-waits-for-write", "send-resolves-early"] });

/** What the messages that are sent at once consist of: each is told apart by every byte. */
const LETTERS = ["A", "B", "C", "D"];

task(2, {
  en: "frames that are sent at the same time do not mix",
  ko: "동시에 보낸 프레임은 서로 섞이지 않습니다",
}, async (context) => {
  const { learner } = context;
  const peer = await createPeer(context, { id: "alice" });
  const { link } = await linkedNode(context, peer, "bob");
  const bodies = LETTERS.map((letter) => bytes(letter.repeat(100)));
  await learner.limit({ writeBytes: 40 });
  const calls = await learner.asleep(() =>
    bodies.map((body, i) =>
      i % 2 ? peer.broadcast(body, "mixed-frames") : peer.send("bob", body, "mixed-frames")
    )
  );
  const received: string[] = [];
  for (const _ of bodies) {
    const { body } = await link.next("message", {
      expected: { en: "four whole messages", ko: "온전한 메시지 네 개" },
      mistake: "mixed-frames",
    });
    received.push(new TextDecoder().decode(body));
  }
  await Promise.all(calls);
  for (const body of bodies) {
    const text = new TextDecoder().decode(body);
    expectThat(
      received.includes(text),
      { en: "each message in one piece", ko: "각 메시지가 온전히 도착함" },
      same(received.join(" ")),
      "mixed-frames",
    );
  }
  await learner.limit({});
  await peer.close();
}, { catches: ["mixed-frames"] });

// --- task 3 ---

/** Two connections between the learner's peer and a node, on which nobody has answered a hello yet. */
interface Crossed {
  peer: LearnerPeer;
  node: ScriptedNode;
  /** The connection that connect() of the learner's made. */
  theirs: NodeLink;
  /** The connection that the node dialled. */
  ours: NodeLink;
  connected: Promise<void>;
}

async function crossed(context: TestContext, id: string): Promise<Crossed> {
  const peer = await createPeer(context, { id });
  const node = new ScriptedNode(context, "mia", { greets: false });
  const connected = peer.connect(node.addr, "mia", "both-links-closed");
  const theirs = await node.accept({ en: "connect() connects", ko: "connect()가 연결함" });
  const ours = await node.dial(peer.addr);
  for (const link of [theirs, ours]) {
    await link.next("hello", {
      expected: { en: "a hello on both connections", ko: "두 연결 모두에 hello가 도착함" },
    });
  }
  return { peer, node, theirs, ours, connected };
}

/** Whether that connection was given up: ended, or refused. */
function isGivenUp(link: NodeLink): boolean {
  return link.isOver || link.all("refuse").length > 0;
}

// "Zoe" is smaller than "mia", though no dictionary has it so.
for (const id of ["ann", "zoe", "Zoe"]) {
  for (const first of ["theirs", "ours"] as const) {
    const isSmaller = id < "mia";
    const [orderEn, orderKo] = first === "theirs"
      ? ["the one it dialled first", "자신이 건 쪽이 먼저"]
      : ["the one it accepted first", "받아들인 쪽이 먼저"];
    task(3, {
      en: `of two connections ${
        isSmaller ? "the one it dialled" : "the one it accepted"
      } stays: ${id} and mia, hello on ${orderEn}`,
      ko: `두 연결 중 ${
        isSmaller ? "자신이 건" : "받아들인"
      } 연결이 남습니다: ${id}와 mia, hello는 ${orderKo}`,
    }, async (context) => {
      const { peer, node, theirs, ours, connected } = await crossed(context, id);
      const [winner, loser] = isSmaller ? [theirs, ours] : [ours, theirs];
      const order = first === "theirs" ? [theirs, ours] : [ours, theirs];
      for (const link of order) {
        await link.sendHello();
        link.sendList();
      }
      const expected: Text = {
        en: `the connection that ${isSmaller ? id : "mia"} dialled stays, the other one is closed`,
        ko: `${isSmaller ? id : "mia"}이(가) 건 연결이 남고 다른 연결은 닫힘`,
      };
      await context.step(
        expected,
        () =>
          Promise.race([loser.over, loser.first("refuse"), winner.over, winner.first("refuse")]),
        "duplicate-link",
      );
      if (isGivenUp(winner)) {
        fail({
          expected,
          received: {
            en: `the connection that ${isSmaller ? id : "mia"} dialled was closed`,
            ko: `${isSmaller ? id : "mia"}이(가) 건 연결이 닫혔습니다`,
          },
          mistake: "both-links-closed",
        });
      }
      loser.end();
      await connected;
      await peer.expectPeers(
        [node.entry],
        (listed) =>
          Array.isArray(listed) && listed.length > 1
            ? "duplicate-link"
            : wrongAddress([node.entry])(listed),
        "both-links-closed",
      );
      await talk(peer, winner, "both-links-closed");
      await peer.close();
    }, { catches: ["duplicate-link", "both-links-closed", "ephemeral-identity"] });
  }
}

task(3, {
  en: "connect() to a peer that is linked already resolves, and one link stays",
  ko: "이미 링크된 피어에 대한 connect()는 성공하고, 링크는 하나만 남습니다",
}, async (context) => {
  for (const id of ["ann", "zoe"]) {
    const peer = await createPeer(context, { id });
    const { node } = await linkedNode(context, peer, "mia");
    await peer.connect(node.addr, "mia", "duplicate-link");
    await Promise.all([
      peer.connect(node.addr, "mia", "duplicate-link"),
      peer.connect(node.addr, "mia", "duplicate-link"),
    ]);
    await peer.expectPeers(
      [node.entry],
      (listed) =>
        Array.isArray(listed) && listed.length > 1
          ? "duplicate-link"
          : wrongAddress([node.entry])(listed),
    );
    const open = () => node.links.filter((link) => !isGivenUp(link)).length;
    await context.step(
      { en: "one connection with mia is open", ko: "mia와의 연결은 하나만 열려 있음" },
      async () => {
        while (open() > 1) await peer.learner.rest();
      },
      "duplicate-link",
    );
    await peer.send("mia", bytes("hello"), "both-links-closed");
    await context.step(
      { en: "the message arrives on the link that is left", ko: "남은 링크로 메시지가 도착함" },
      () => Promise.any(node.links.map((link) => link.first("message"))),
      "both-links-closed",
    );
    await peer.close();
  }
}, { catches: ["duplicate-link", "both-links-closed", "ephemeral-identity"] });

task(3, {
  en: "a peer that dials itself is refused, and so is a stranger with its id",
  ko: "자기 자신에게 건 연결과 같은 id를 쓰는 연결은 거절됩니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const expected: Text = {
    en: "connect() to its own address rejects",
    ko: "자기 주소에 대한 connect()가 실패함",
  };
  await peer.rejects("connect", [peer.addr], { expected, mistake: "dials-itself" });
  await peer.expectPeers(
    [],
    (listed) => Array.isArray(listed) && listed.length > 0 ? "dials-itself" : undefined,
  );
  const twin = new ScriptedNode(context, "alice");
  const link = await twin.dial(peer.addr);
  await link.expectEnd(
    { en: "a hello with its own id is refused", ko: "자신의 id를 쓴 hello는 거절됨" },
    "dials-itself",
  );
  const bob = await linkedNode(context, peer, "bob");
  await peer.expectPeers(
    [bob.node.entry],
    (listed) =>
      Array.isArray(listed) && listed.length > 1
        ? "dials-itself"
        : wrongAddress([bob.node.entry])(listed),
  );
  await peer.close();
}, { catches: ["dials-itself", "ephemeral-identity"] });

task(3, {
  en: "of two connections that the same peer dialled, the first stays",
  ko: "같은 피어가 연결을 두 번 걸면 첫 번째 연결이 남습니다",
}, async (context) => {
  // In the order of the ids, and against it.
  for (const id of ["ann", "zoe"]) {
    const peer = await createPeer(context, { id });
    const { node, link: first } = await linkedNode(context, peer, "mia");
    const second = await node.dial(peer.addr);
    await context.step(
      { en: "the second connection with mia is closed", ko: "mia와의 두 번째 연결이 닫힘" },
      () => Promise.race([second.over, second.first("refuse"), first.over, first.first("refuse")]),
      "duplicate-link",
    );
    expectThat(
      !isGivenUp(first),
      { en: "the connection that mia dialled first stays", ko: "mia가 먼저 건 연결이 남음" },
      { en: "it was closed", ko: "그 연결이 닫혔습니다" },
      "both-links-closed",
    );
    second.end();
    await peer.expectPeers([node.entry], "both-links-closed");
    await talk(peer, first, "both-links-closed");
    await peer.close();
  }
}, { catches: ["duplicate-link", "both-links-closed", "ephemeral-identity"] });

task(3, {
  en: "two peers of yours dial each other at the same moment, and one link is left",
  ko: "직접 만든 두 피어가 동시에 서로 연결해도 링크는 하나만 남습니다",
}, async (context) => {
  for (const [here, there] of [["ann", "bob"], ["bob", "ann"], ["ann", "bob"]] as const) {
    const one = await createPeer(context, { id: here });
    const two = await createPeer(context, { id: there });
    await Promise.all([
      one.connect(two.addr, there, "both-links-closed"),
      two.connect(one.addr, here, "both-links-closed"),
    ]);
    let count = 0;
    await context.step(
      { en: "one connection is left between the two", ko: "둘 사이에 연결이 하나 남음" },
      async () => {
        // Each connection has two ends.
        while ((count = await openConns(context.learner)) !== 2) {
          if (count > 0) continue;
          fail({
            received: { en: "no connection is left", ko: "남은 연결이 없습니다" },
            mistake: "both-links-closed",
          });
        }
      },
      "duplicate-link",
      () => ({ en: `open ends: ${count}`, ko: `열려 있는 연결 끝: ${count}개` }),
    );
    await one.expectPeers([two.entry], listsItself(one, [two.entry]));
    await two.expectPeers([one.entry], listsItself(two, [one.entry]));
    await one.send(there, bytes("ping"), "both-links-closed");
    await two.send(here, bytes("pong"), "both-links-closed");
    const mixed = "shared-between-connections";
    await one.message({ from: there, body: bytes("pong") }, mixed, "both-links-closed");
    await two.message({ from: here, body: bytes("ping") }, mixed, "both-links-closed");
    await one.close();
    await two.close();
  }
}, {
  catches: [
    "duplicate-link",
    "both-links-closed",
    "ephemeral-identity",
    "shared-between-connections",
  ],
});

// --- task 4 ---

task(4, {
  en: "a new link is told of all others, once, by where they listen",
  ko: "새 링크에는 다른 모든 피어가 듣는 주소를 한 번 알려 줍니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const nodes: { node: ScriptedNode; link: NodeLink }[] = [];
  for (const id of ["bob", "carol", "dave"]) {
    const node = new ScriptedNode(context, id);
    let link: NodeLink;
    // Whoever dialled whom.
    if (id === "carol") {
      await peer.connect(node.addr, id);
      link = node.links[0]!;
    } else link = await node.dial(peer.addr);
    const known = nodes.map(({ node }) => node.entry);
    const { header } = await link.next("peers", { mistake: "no-discovery" });
    const listed = Array.isArray(header["peers"]) ? (header["peers"] as Entry[]) : undefined;
    const sorted = listed?.toSorted((a, b) => a?.id < b?.id ? -1 : 1);
    expectThat(
      sameEntries(sorted, known),
      {
        en: `the list that ${id} receives: ${showEntries(known)}`,
        ko: `${id}이(가) 받는 목록: ${showEntries(known)}`,
      },
      showEntries(sorted ?? header["peers"]),
      wrongAddress(known)(sorted) ?? (listed?.length === 0 ? "no-discovery" : undefined),
    );
    nodes.push({ node, link });
  }
  for (const { link } of nodes) await talk(peer, link);
  for (const { node, link } of nodes) expectOneList(node, link);
  await peer.close();
}, { catches: ["no-discovery", "ephemeral-identity", "gossip-forever"] });

function expectOneList({ id }: ScriptedNode, link: NodeLink): void {
  const { length } = link.all("peers");
  expectThat(
    length === 1,
    { en: `one list is sent to ${id}`, ko: `${id}에게 목록을 한 번 보냄` },
    { en: `${length} lists`, ko: `목록 ${length}개` },
    "gossip-forever",
  );
}

task(4, {
  en: "whom a list names is dialled, and the list is neither answered nor passed on",
  ko: "목록에 있는 피어에게 연결하고, 목록에 답하거나 목록을 퍼뜨리지 않습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "cleo" });
  // One name is before its own, and one behind.
  const old = await linkedNode(context, peer, "otto");
  const strangers = [
    new ScriptedNode(context, "carol"),
    new ScriptedNode(context, "dave", { hostname: secondLoopback }),
  ];
  const teller = new ScriptedNode(context, "bob", { knows: strangers.map(({ entry }) => entry) });
  const link = await teller.dial(peer.addr);
  const all = [old.node, teller, ...strangers];
  const links = [old.link, link];
  for (const node of strangers) {
    const found = await node.accept(
      {
        en: `cleo dials ${node.id}, of whom bob told`,
        ko: `cleo가 bob이 알려 준 ${node.id}에게 연결함`,
      },
      "no-discovery",
    );
    await found.next("peers", { mistake: "no-discovery" });
    links.push(found);
  }
  await peer.expectPeers(
    all.map(({ entry }) => entry),
    wrongAddress(all.map(({ entry }) => entry)),
  );
  for (const link of links) await talk(peer, link);
  for (const link of links) expectOneList(link.node, link);
  await peer.close();
}, { catches: ["no-discovery", "gossip-forever", "ephemeral-identity"] });

/** Connections that the learner's code made, or tried to make, to that address. */
function dialsOf(learner: Learner, { hostname, port }: Endpoint): number {
  return learner.events.filter(({ event, remoteAddr }) =>
    event === "connect" && remoteAddr?.hostname === hostname && remoteAddr.port === port
  ).length;
}

task(4, {
  en: "whom it knows, or is dialling, is not dialled again",
  ko: "이미 알거나 연결 중인 피어에게는 다시 연결하지 않습니다",
}, async (context) => {
  const { learner } = context;
  const peer = await createPeer(context, { id: "alice" });
  const carol = await linkedNode(context, peer, "carol");
  const stranger = new ScriptedNode(context, "dave");
  const bob = new ScriptedNode(context, "bob");
  const elsewhere = new ScriptedNode(context, "eve", { greets: false });
  const knows = [
    peer.entry,
    carol.node.entry,
    bob.entry,
    stranger.entry,
    stranger.entry,
    // Known by their addresses, under other names.
    { ...carol.node.entry, id: "carla" },
    { ...peer.entry, id: "alicia" },
    // Known by their ids, at another address.
    { ...elsewhere.entry, id: "carol" },
    { ...elsewhere.entry, id: "alice" },
  ];
  await peer.connect(carol.node.addr, "carol", "dials-known-peers");
  const gina = new ScriptedNode(context, "gina");
  await Promise.all([1, 2].map(() => peer.connect(gina.addr, "gina", "dials-known-peers")));
  const tellers = [bob, new ScriptedNode(context, "erin"), new ScriptedNode(context, "frank")];
  await learner.asleep(async () => {
    for (const node of tellers) {
      const link = await node.dial(peer.addr);
      link.sendList(knows);
    }
  });
  const found = await stranger.accept(
    { en: "alice dials dave, of whom bob told", ko: "alice가 bob이 알려 준 dave에게 연결함" },
    "no-discovery",
  );
  await isLinked(found);
  const all = [carol.node, gina, stranger, ...tellers].map(({ entry }) => entry);
  await peer.expectPeers(all, wrongAddress(all));
  await learner.rest();
  const known: [who: string, at: Endpoint, times: number][] = [
    ["alice", peer.addr, 0],
    ["carol", carol.node.addr, 0],
    ["eve, listed as carol and as alice,", elsewhere.addr, 0],
    ["bob", bob.addr, 0],
    ["dave", stranger.addr, 1],
    ["gina", gina.addr, 1],
  ];
  for (const [who, at, times] of known) {
    const dials = dialsOf(learner, at);
    expectThat(
      dials <= times,
      { en: `${who} is dialled ${times} times`, ko: `${who}에게 거는 연결: ${times}번` },
      { en: `${dials} times`, ko: `${dials}번` },
      "dials-known-peers",
    );
  }
  await peer.close();
}, { catches: ["no-discovery", "dials-known-peers", "ephemeral-identity"] });

task(4, {
  en: "dead and malformed entries of a list harm nobody",
  ko: "목록의 죽은 항목이나 잘못된 항목은 아무에게도 해를 끼치지 않습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const dead = refusing(context);
  const good = new ScriptedNode(context, "dave");
  const silent = new ScriptedNode(context, "sid", { greets: false, reads: false });
  const knows = [
    null,
    "carol",
    7,
    [],
    {},
    { id: "carol" },
    { id: "carol", ...dead, port: "80" },
    { id: "carol", ...dead, port: 70_000 },
    { id: "carol", ...dead, port: -1 },
    { id: "carol", port: dead.port },
    { id: "carol", hostname: 7, port: dead.port },
    { id: 7, ...dead },
    { id: "carol", ...dead },
    silent.entry,
    good.entry,
  ];
  const bob = await linkedNode(context, peer, "bob", { knows });
  const found = await good.accept(
    {
      en: "alice dials dave, the good entry of the list",
      ko: "alice가 목록의 올바른 항목인 dave에게 연결함",
    },
    "trusts-peer-list",
  );
  await isLinked(found, "trusts-peer-list");
  const others: { node: ScriptedNode; link: NodeLink }[] = [];
  for (const [i, list] of [null, 7, "bob", { bob: 1 }, undefined].entries()) {
    others.push(await linkedNode(context, peer, `node${i}`, { knows: list }, "trusts-peer-list"));
  }
  for (const { link } of [bob, ...others]) await talk(peer, link, "trusts-peer-list");
  await talk(peer, found, "trusts-peer-list");
  const all = [bob.node, good, ...others.map(({ node }) => node)].map(({ entry }) => entry);
  await peer.expectPeers(all, wrongAddress(all));
  silent.close();
  await peer.close();
}, {
  catches: ["trusts-peer-list", "ephemeral-identity"],
  unhandled: "trusts-peer-list",
});

/** More entries than one list may make a peer dial. */
const CROWD = MAX_DIALS_PER_LIST + 6;

task(4, {
  en: "of one list at most 64 are dialled, each once, and whoever was lost can be found again",
  ko: "목록 하나에서 많아야 64곳에 한 번씩만 연결하고, 잃은 피어는 다시 찾을 수 있습니다",
}, async (context) => {
  const { learner, peers } = context;
  const peer = await createPeer(context, { id: "alice" });
  // They accept, and that is all.
  const crowd = Array.from({ length: CROWD }, () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    peers.track(listener);
    const leave = async () => {
      for await (const conn of listener) conn.close();
    };
    leave().catch(() => {});
    return listener.addr;
  });
  const knows = crowd.map(({ hostname, port }, i) => ({ id: `node${i}`, hostname, port }));
  const bob = await linkedNode(context, peer, "bob", { knows });
  await isRead(context, bob.link);
  const dave = new ScriptedNode(context, "dave");
  const found: Text = {
    en: "alice dials dave, who is listed",
    ko: "alice가 목록의 dave에게 연결함",
  };
  const erin = await linkedNode(context, peer, "erin", { knows: [dave.entry] });
  const link = await dave.accept(found, "no-discovery");
  await isLinked(link, "no-discovery");
  await peer.expectIds(["bob", "dave", "erin"]);
  await link.end();
  await peer.expectIds(["bob", "erin"], "lost-peer-listed");
  let isBack = false;
  const back = dave.accept({
    en: "alice dials dave, who has left and is listed again",
    ko: "떠났다가 다시 목록에 오른 dave에게 alice가 다시 연결함",
  }, "failure-remembered");
  back.then(() => isBack = true, () => {});
  // The first dial may not be quite over yet, where nobody asks that it be: so several tell of dave.
  const tellers: string[] = [];
  while (!isBack) {
    const id = `frank${tellers.length}`;
    tellers.push(id);
    await linkedNode(context, peer, id, { knows: [dave.entry] });
    await Promise.race([back, pause(100)]);
  }
  await isLinked(await back, "failure-remembered");
  await peer.expectIds([bob.node.id, erin.node.id, dave.id, ...tellers]);
  // Who goes on dialling does it now.
  await learner.rest();
  const dials = crowd.map((addr) => dialsOf(learner, addr));
  const dialled = dials.filter((times) => times > 0).length;
  expectThat(
    dialled <= MAX_DIALS_PER_LIST,
    {
      en: `of a list of ${CROWD} strangers, ${MAX_DIALS_PER_LIST} are dialled at most`,
      ko: `모르는 피어 ${CROWD}곳의 목록에서 많아야 ${MAX_DIALS_PER_LIST}곳에 연결함`,
    },
    { en: `${dialled} were dialled`, ko: `${dialled}곳에 연결했습니다` },
    "trusts-peer-list",
  );
  const most = Math.max(...dials);
  expectThat(
    most <= 1,
    {
      en: "whoever closes the connection without a hello is dialled once",
      ko: "hello 없이 연결을 닫는 곳에는 한 번만 연결함",
    },
    { en: "more than once", ko: "여러 번 연결했습니다" },
    "dials-known-peers",
  );
  await peer.close();
}, {
  catches: ["trusts-peer-list", "dials-known-peers", "failure-remembered"],
  unhandled: "trusts-peer-list",
  leak: "trusts-peer-list",
});

task(4, {
  en: "three peers of yours: who knows one learns of the other",
  ko: "직접 만든 세 피어: 하나를 알면 나머지도 알게 됩니다",
}, async (context) => {
  const alice = await createPeer(context, { id: "alice" });
  const bob = await createPeer(context, { id: "bob" });
  const carol = await createPeer(context, { id: "carol" });
  await bob.connect(alice.addr, "alice");
  await carol.connect(alice.addr, "alice");
  const all = [alice, bob, carol];
  for (const peer of all) {
    const entries = all.filter(({ id }) => id !== peer.id).map(({ entry }) => entry);
    await peer.expectPeers(entries, listsItself(peer, entries), "no-discovery");
  }
  await bob.send("carol", bytes("hello"));
  await carol.message({ from: "bob", body: bytes("hello") });
  for (const peer of all) await peer.close();
}, { catches: ["ephemeral-identity", "no-discovery", "shared-between-connections"] });

// --- task 5 ---

/** Ways in which a link is lost, as the other side brings them about. */
const LOSSES: [what: Text, lose: (link: NodeLink) => unknown][] = [
  [{ en: "has closed", ko: "연결을 닫음" }, (link) => link.end()],
  [
    { en: "has closed in the middle of a frame", ko: "프레임 중간에 연결을 닫음" },
    async (link) => {
      await link.sendRaw(concat(lengthPrefix(100), bytes('{"type"')), "a part of a frame");
      link.end();
    },
  ],
  [
    { en: 'sends a "refuse"', ko: '"refuse"를 보냄' },
    (link) => link.send({ type: "refuse", reason: "id taken" }),
  ],
  ...["no JSON\n", "no line feed", '{"body":"of no type"}\n', "null\n", ""].map((payload) =>
    [
      { en: `sends ${JSON.stringify(payload)}`, ko: `${JSON.stringify(payload)}을(를) 보냄` },
      (link) => link.sendRaw(prefixed(bytes(payload)), JSON.stringify(payload)),
    ] as [Text, (link: NodeLink) => unknown]
  ),
];

task(5, {
  en: "a link that ends, however it does, leaves the list, and nothing else changes",
  ko: "링크가 어떻게 끝나든 목록에서 사라지고, 그 밖에는 아무것도 바뀌지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const peer = await createPeer(context, { id: "alice" });
  const stays = await linkedNode(context, peer, "zed");
  const ids = LOSSES.map((_, i) => `node${i}`);
  const nodes = await Promise.all(
    ids.map((id) => linkedNode(context, peer, id, {}, "one-loss-ends-all")),
  );
  const names = new Map<unknown, Text>(LOSSES.map(([what], i) => [ids[i], what]));
  await peer.expectIds(["zed", ...ids]);
  const expected: Text = {
    en: "whoever has left, or was no peer, is in the list no more; zed is",
    ko: "떠났거나 피어가 아닌 상대는 더 이상 목록에 없고, zed는 있음",
  };
  let listed: unknown;
  const who = (): Text => {
    if (!Array.isArray(listed)) return same(showValue(listed));
    const [one] = listed.filter((entry) => names.has(entry?.id));
    const what = names.get(one?.id);
    if (!what) return same(showEntries(listed));
    return { en: `a peer that ${what.en} is listed`, ko: `목록에 남아 있는 피어: ${what.ko}` };
  };
  await step(
    expected,
    async () => {
      await Promise.all(nodes.map(({ link }, i) => LOSSES[i]![1](link)));
      for (;;) {
        listed = await peer.peers();
        if (sameEntries(listed, [stays.node.entry])) return;
        if (Array.isArray(listed) && !listed.some((one) => one?.id === "zed")) {
          const received: Text = { en: "zed is not listed", ko: "목록에 zed가 없습니다" };
          fail({ expected, received, mistake: "one-loss-ends-all" });
        }
        await learner.rest();
      }
    },
    "lost-peer-listed",
    who,
  );
  for (const [id, what] of names) {
    await peer.rejects("send", [id, bytes("lost")], {
      expected: {
        en: `send() to a peer that ${what.en} rejects with Deno.errors.NotConnected`,
        ko: `상대를 잃은 뒤의 send()는 Deno.errors.NotConnected로 실패함 (${what.ko})`,
      },
      className: "Deno.errors.NotConnected",
      mistake: "lost-peer-listed",
    });
  }
  await talk(peer, stays.link, "one-loss-ends-all");
  // The name is free again, wherever somebody listens who has it.
  const again = await linkedNode(context, peer, "node0", {}, "failure-remembered");
  await talk(peer, again.link, "failure-remembered");
  const told = again.link.all("peers")[0]!.header["peers"];
  expectThat(
    !Array.isArray(told) || told.every((one) => one?.id === "zed"),
    {
      en: `the list that node0 receives when it is back: ${showEntries([stays.node.entry])}`,
      ko: `돌아온 node0이 받는 목록: ${showEntries([stays.node.entry])}`,
    },
    showEntries(told),
    "lost-peer-listed",
  );
  await learner.rest();
  await peer.close();
}, {
  catches: ["one-loss-ends-all", "lost-peer-listed", "failure-remembered"],
  unhandled: "one-loss-ends-all",
});

task(5, {
  en: "a ping is answered with a pong",
  ko: "ping에는 pong으로 답합니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const { link } = await linkedNode(context, peer, "bob");
  for (const _ of [1, 2]) {
    link.send({ type: "ping" });
    await link.next("pong", { mistake: "never-pongs" });
  }
  await peer.close();
}, { catches: ["never-pongs"] });

task(5, {
  en: "a silent peer is asked, and ended after silenceMs; one that answers stays",
  ko: "조용한 피어는 확인한 뒤 silenceMs가 지나면 끊고, 답하는 피어는 남깁니다",
}, async (context) => {
  const { step } = context;
  await patiently(context, async ({ peer, link, unless, silenceMs }) => {
    const alive = await link("bob");
    // Any frame is a sign of life.
    const talkative = await link("dave", {
      answers: { ping: (link) => link.send({ type: "new in version 2" }) },
    });
    const silent = await link("carol", { answers: { ping: () => {} } });
    // It answers once, and has the other part in the connection.
    let pings = 0;
    const askedAgain = Promise.withResolvers<void>();
    const once = new ScriptedNode(context, "erin", {
      answers: {
        ping: (link) => {
          if (++pings === 1) return link.send({ type: "pong" });
          askedAgain.resolve();
        },
      },
    });
    unless(await peer.ends("connect", [once.addr]) !== undefined);
    const onceLink = once.links[0]!;
    // Its answer is behind a long message on a slow line, which takes longer than the silence may.
    const dripping = await link("fred", { answers: { ping: () => {} } });
    let isDrained = false;
    const drip = (async () => {
      const frame = encodeFrame({ type: "message" }, bytes("drop by drop"));
      const pieces = 12;
      for (let at = 0; at < frame.length && !dripping.link.isOver;) {
        const end = Math.min(frame.length, at + Math.ceil(frame.length / pieces));
        await dripping.link.sendRaw(frame.subarray(at, end), "a part of a message");
        at = end;
        await pause(silenceMs / 8);
      }
      isDrained = !dripping.link.isOver;
    })();
    // What is sent to a peer is no sign of its life.
    let isOver = false;
    let isQuiet = false;
    const gaps = new Gaps();
    const talking = (async () => {
      for (let i = 0; i < 24 && !isOver; i++) {
        await peer.ends("broadcast", [bytes("are you there?")]);
        gaps.mark();
        await pause(silenceMs / 8);
      }
      isQuiet = true;
    })();
    const ended: Text = {
      en: "a peer that does not answer is ended",
      ko: "답이 없는 피어의 링크가 끊어짐",
    };
    try {
      const asked: Text = {
        en: "a silent peer is asked with a ping",
        ko: "조용한 피어에게 ping을 보냄",
      };
      // A process that stood still for so long finds the silence when it is over already.
      const unasked = () => silent.link.first("ping").then(() => false, () => true);
      unless(await step(asked, unasked, "silence-unnoticed"));
      await silent.link.next("ping", { expected: asked, mistake: "silence-unnoticed" });
      await silent.link.expectEnd(ended, "silence-unnoticed");
      await step(
        {
          en: "erin, who has answered once and is silent again, is asked again",
          ko: "한 번 답한 뒤 다시 조용해진 erin에게 ping을 다시 보냄",
        },
        () => Promise.race([askedAgain.promise, onceLink.over]),
        "silence-unnoticed",
      );
      unless(pings < 2);
      expectThat(
        pings >= 2,
        { en: "erin is asked again before its link ends", ko: "erin의 링크를 끊기 전에 다시 물음" },
        { en: "it was ended at once", ko: "묻지 않고 끊었습니다" },
        "silence-unnoticed",
      );
      await onceLink.expectEnd(ended, "silence-unnoticed");
      unless(isQuiet);
      expectThat(
        !isQuiet,
        { en: "they are ended while alice talks to them", ko: "alice가 말을 거는 동안에 끊어짐" },
        { en: "they were ended when alice had stopped", ko: "alice가 말을 멈춘 뒤에 끊었습니다" },
        "silence-unnoticed",
      );
    } finally {
      isOver = true;
    }
    await drip;
    unless(!isDrained);
    expectThat(
      isDrained,
      {
        en: "fred, of whose long message some bytes come all the time, stays",
        ko: "긴 메시지의 바이트가 조금씩 계속 오는 fred는 남음",
      },
      { en: "its link was ended", ko: "링크를 끊었습니다" },
      "pong-only",
    );
    await dripping.link.end();
    await talking;
    unless(alive.link.isOver || talkative.link.isOver || gaps.longestMs >= silenceMs / 2);
    const entries = [alive.node.entry, talkative.node.entry];
    await step(
      {
        en: "peers that answer a ping, with a pong or another frame, stay",
        ko: "ping에 pong이나 다른 프레임으로 답하는 피어는 남음",
      },
      async () => {
        while (!sameEntries(await peer.peers(), entries)) {
          const lost = [alive, talkative].find(({ link }) => link.isOver);
          unless(lost !== undefined);
          if (!lost) continue;
          fail({
            received: {
              en: `${lost.node.id} was ended`,
              ko: `${lost.node.id}의 링크가 끊어졌습니다`,
            },
            mistake: lost === alive ? "silence-unnoticed" : "pong-only",
          });
        }
      },
      "silence-unnoticed",
    );
    await peer.close();
  });
}, {
  catches: ["silence-unnoticed", "pong-only"],
  waitsMs: 1.5 * SILENCE_MS,
  deadlineMs: 6_000,
});

task(5, {
  en: "one of two processes is killed, and the peers in the other one go on",
  ko: "두 프로세스 중 하나를 강제로 죽여도 다른 프로세스의 피어들은 계속됩니다",
}, async (context) => {
  const starting = context.another();
  const alice = await createPeer(context, { id: "alice" });
  const bob = await createPeer(context, { id: "bob" });
  const carol = await createPeer(context, { id: "carol" }, await starting);
  await bob.connect(alice.addr, "alice");
  await carol.connect(alice.addr, "alice");
  await carol.connect(bob.addr, "bob");
  const mute = await carol.learner.dial(alice.addr);
  await isGreeted(context, mute);
  // With bytes that it has not read the kernel resets its connections with alice; that with bob gets a FIN.
  await carol.learner.asleep(async () => {
    await alice.send("carol", bytes("too late"), "one-loss-ends-all");
    await carol.learner.kill();
  });
  const others = [[alice, bob], [bob, alice]] as const;
  for (const [peer, other] of others) {
    const endsAll = (listed: unknown) =>
      Array.isArray(listed) && !listed.some((one) => one?.id === other.id)
        ? "one-loss-ends-all"
        : wrongAddress([other.entry])(listed);
    await peer.expectPeers([other.entry], endsAll, "lost-peer-listed");
  }
  await alice.broadcast(bytes("still here?"), "one-loss-ends-all");
  await bob.message({ from: "alice", body: bytes("still here?") }, "one-loss-ends-all");
  await bob.send("alice", bytes("still here"), "one-loss-ends-all");
  await alice.message({ from: "bob", body: bytes("still here") }, "one-loss-ends-all");
  await alice.close();
  await bob.close();
}, {
  catches: ["one-loss-ends-all", "lost-peer-listed"],
  unhandled: "one-loss-ends-all",
});

task(5, {
  en:
    "broadcast() does not wait for a peer that does not read; when it reads, it gets all, and more than 32 MiB",
  ko:
    "broadcast()는 읽지 않는 피어를 기다리지 않고, 그 피어가 읽기 시작하면 32 MiB가 넘어도 모두 전합니다",
}, async (context) => {
  const { learner, random } = context;
  const peer = await createPeer(context, { id: "alice" });
  const slow = new ScriptedNode(context, "ann", { reads: false, keptBytes: MIB });
  const slowLink = await slow.dial(peer.addr);
  await peer.expectPeers([slow.entry]);
  // The first frame does not fit into one write, so that those which share the link without an order mix with it.
  await learner.limit({ writeBytes: MIB / 4 });
  const quick = await linkedNode(context, peer, "bob");
  const much = await learner.hold(new Pattern(0, 8.5 * MIB));
  const full = peer.ends("send", ["ann", much]);
  await learner.waitsIn("write", full);
  const bodies = [1, 2, 3].map((seed) => new Pattern(random.integer(seed, 1_000_000), 100_000));
  for (const body of bodies) {
    const held = await learner.hold(body);
    await peer.broadcast(held, "slow-peer-blocks");
    // From here on the bytes are the application's again.
    await learner.method(held, "fill", [0]);
    const message = await quick.link.next("message", {
      expected: {
        en: "bob receives what is sent to all, although ann does not read",
        ko: "ann이 읽지 않아도 bob은 모두에게 보낸 메시지를 받음",
      },
      mistake: "slow-peer-blocks",
    });
    expectBytes(message.body, body.bytes, "bytes-not-copied");
  }
  // The answer to its ping has to wait; what it says does not.
  slowLink.send({ type: "ping" });
  slowLink.send({ type: "message" }, bytes("I can still speak"));
  const said = { from: "ann", body: bytes("I can still speak") };
  await peer.message(said, "read-waits-for-write");
  slowLink.startReading();
  expectEqual((await slowLink.next("message")).bodyBytes, 8.5 * MIB);
  for (const body of bodies) {
    expectBytes((await slowLink.next("message")).body, body.bytes, "bytes-not-copied");
  }
  await full;
  // As it reads now, the whole may be more than 32 MiB.
  await learner.limit({});
  for (let i = 0; i < 3; i++) {
    await peer.send("ann", much, "queue-only-grows");
    await slowLink.next("message", {
      expected: { en: "8.5 MiB more arrive", ko: "8.5 MiB가 더 도착함" },
      mistake: "queue-only-grows",
    });
  }
  await peer.expectIds(["ann", "bob"], "queue-only-grows");
  await peer.close();
}, {
  catches: ["slow-peer-blocks", "bytes-not-copied", "read-waits-for-write", "queue-only-grows"],
  deadlineMs: 4_000,
});

task(5, {
  en: "a peer for which more than 32 MiB wait is ended, and send() to it rejects",
  ko: "32 MiB보다 많이 밀린 피어의 링크는 끊고, 그 피어에 대한 send()는 실패합니다",
}, async (context) => {
  const { learner, step } = context;
  const peer = await createPeer(context, { id: "alice" });
  const slow = new ScriptedNode(context, "ann", { reads: false });
  const slowLink = await slow.dial(peer.addr);
  await peer.expectPeers([slow.entry]);
  // The kernel takes so much and no more: what waits is known to the byte, but for this.
  await learner.limit({ room: [{ port: slowLink.addr.port, bytes: 1_000 }] });
  const body = await learner.hold(new Pattern(0, 7.75 * MIB));
  const pending = peer.ends("send", ["ann", body]);
  for (let i = 1; i < 4; i++) await peer.broadcast(body, "slow-peer-blocks");
  const waiting: Text = {
    en: "ann, for whom 31 MiB wait, is listed",
    ko: "31 MiB가 밀린 ann이 목록에 있음",
  };
  await learner.rest();
  expectThat(
    sameEntries(await peer.peers(), [slow.entry]),
    waiting,
    { en: "its link was ended", ko: "링크를 끊었습니다" },
  );
  await peer.broadcast(new Pattern(0, 2 * MIB), "slow-peer-blocks");
  await step(
    {
      en: "the link with ann, for whom more than 32 MiB wait, is ended",
      ko: "32 MiB보다 많이 밀린 ann의 링크가 끊어짐",
    },
    () => peer.expectPeers([], "unbounded-queue"),
    "unbounded-queue",
  );
  const error = await step(
    { en: "send() that was waiting rejects", ko: "기다리던 send()가 실패함" },
    () => pending,
    "unbounded-queue",
  );
  expectThat(
    error !== undefined,
    { en: "send() that was waiting rejects", ko: "기다리던 send()가 실패함" },
    { en: "it resolved", ko: "성공했습니다" },
    "unbounded-queue",
  );
  slowLink.close();
  await learner.limit({});
  await peer.close();
}, {
  catches: ["unbounded-queue", "slow-peer-blocks"],
  unhandled: "one-loss-ends-all",
  deadlineMs: 3_000,
});

/** Fails unless a call that was waiting when its peer was closed has rejected. */
async function expectRejection(
  { step }: TestContext,
  what: string,
  pending: Promise<WireError | undefined>,
): Promise<void> {
  const expected: Text = {
    en: `${what} that was waiting rejects`,
    ko: `기다리던 ${what}이(가) 실패함`,
  };
  const error = await step(expected, () => pending, "close-leaves-links");
  const received: Text = { en: "it resolved", ko: "성공했습니다" };
  expectThat(error !== undefined, expected, received, "close-leaves-links");
}

/** Fails if a timer keeps the learner's process alive. */
async function expectNoTimer(learner: Learner): Promise<void> {
  const { timersMs } = await learner.rest();
  expectThat(
    timersMs.length === 0,
    { en: "no timer after close()", ko: "close() 뒤에 남은 타이머가 없음" },
    {
      en: `a timer of ${Math.max(...timersMs)} ms is running`,
      ko: `${Math.max(...timersMs)}밀리초 타이머가 돌고 있습니다`,
    },
    "close-leaves-links",
  );
}

task(5, {
  en: "close() closes the listener and all links, and leaves no timer",
  ko: "close()는 리스너와 모든 링크를 닫고, 타이머를 남기지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const peer = await createPeer(context, { id: "alice" });
  const { link } = await linkedNode(context, peer, "bob");
  const carol = new ScriptedNode(context, "carol");
  await peer.connect(carol.addr, "carol");
  const mute = new ScriptedNode(context, "mute", { greets: false });
  const muteLink = await mute.dial(peer.addr);
  await muteLink.next("hello");
  // What still waits when the peer is closed.
  const pending = peer.ends("connect", [mute.addr]);
  const dialled = await mute.accept({ en: "connect() connects", ko: "connect()가 연결함" });
  const ended = peer.expectNoMoreMessages("close-leaves-links");
  ended.catch(() => {});
  await peer.broadcast(bytes("to all"));
  await peer.close("close-leaves-links");
  await expectRejection(context, "connect()", pending);
  for (const one of [link, carol.links[0]!, muteLink, dialled]) {
    await one.expectEnd(
      {
        en: `the connection with ${one.node.id} is closed`,
        ko: `${one.node.id}와(과)의 연결이 닫힘`,
      },
      "close-leaves-links",
    );
  }
  expectThat(
    muteLink.all("message").length === 0,
    {
      en: "broadcast() sends nothing to mute, who has not said hello",
      ko: "broadcast()는 아직 hello를 보내지 않은 mute에게는 보내지 않음",
    },
    { en: "mute received a message", ko: "mute가 메시지를 받았습니다" },
    "hello-unchecked",
  );
  await ended;
  await peer.expectPeers([], "lost-peer-listed");
  await step(
    { en: "a second close() is the first", ko: "두 번째 close()는 아무 일도 하지 않음" },
    () => peer.close("close-leaves-links"),
    "close-leaves-links",
  );
  await expectNoTimer(learner);
  expectThat(
    await isGivenBack(peer.addr, learner.pid),
    { en: "the port is free again", ko: "포트를 다시 쓸 수 있음" },
    { en: "it is taken", ko: "아직 사용 중입니다" },
    "close-leaves-links",
  );
}, {
  catches: ["close-leaves-links", "lost-peer-listed", "hello-unchecked"],
  leak: "close-leaves-links",
  unhandled: "close-leaves-links",
});

// --- task 6 ---

/** Answers of a node that has `content`; `chunk` may answer otherwise than with the chunk. */
function serving(
  content: SharedContent,
  { manifest, chunk }: {
    manifest?: (link: NodeLink) => unknown;
    chunk?: (link: NodeLink, index: number) => unknown;
  } = {},
): NodeOptions {
  const { hash } = content;
  return {
    answers: {
      want: (link, { header }) => {
        if (header["hash"] !== hash) return link.send({ type: "missing", hash: header["hash"] });
        return manifest ? manifest(link) : sendManifest(link, content);
      },
      get: (link, { header }) => {
        const index = Number(header["index"]);
        if (header["hash"] !== hash || !content.chunks[index]) {
          return link.send({ type: "missing", hash: header["hash"], index: header["index"] });
        }
        return chunk ? chunk(link, index) : sendChunk(link, content, index);
      },
    },
  };
}

function sendManifest(link: NodeLink, { hash, bytes, manifest }: SharedContent): Promise<void> {
  return link.send({ type: "manifest", hash, size: bytes.length }, manifest);
}

function sendChunk(
  link: NodeLink,
  { hash, chunks }: SharedContent,
  index: number,
  body = chunks[index]!,
): Promise<void> {
  return link.send({ type: "chunk", hash, index }, body);
}

/** Content of so many chunks, the last one short unless told otherwise. */
function randomContent(
  { random }: TestContext,
  chunks: number,
  lastBytes = 1_000,
): Promise<SharedContent> {
  return sharedContent(random.bytes((chunks - 1) * CHUNK_BYTES + lastBytes));
}

/** Other bytes of the same length. */
function spoiled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}

task(6, {
  en: "share() gives the hash, and the manifest and every chunk are served",
  ko: "share()는 해시를 주고, manifest와 모든 chunk를 제공합니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const { link } = await linkedNode(context, peer, "bob");
  const contents = [
    await randomContent(context, 3),
    await sharedContent(context.random.bytes(2 * CHUNK_BYTES)),
    await sharedContent(new Uint8Array(0)),
  ];
  for (const { bytes, hash, manifest, chunks } of contents) {
    expectEqual(await peer.share(bytes), hash, {
      what: {
        en: `the hash of ${bytes.length} bytes, the SHA-256 of the manifest`,
        ko: `${bytes.length}바이트의 해시(manifest의 SHA-256)`,
      },
    });
    link.send({ type: "want", hash });
    const answer = await link.next(["manifest", "missing"]);
    expectEqual(answer.header.type, "manifest");
    expectEqual(answer.header["hash"] as string, hash, { what: same("hash") });
    expectEqual(answer.header["size"] as number, bytes.length, { what: same("size") });
    expectBytes(answer.body, manifest);
    for (const [index, chunk] of chunks.entries()) {
      link.send({ type: "get", hash, index });
      const { header, body } = await link.next("chunk");
      expectEqual(header["index"] as number, index, { what: same("index") });
      expectBytes(body, chunk);
    }
  }
  const [{ bytes: content, hash, chunks }] = contents as [SharedContent];
  expectEqual(await peer.share(new View(content)), hash, {
    what: {
      en: "the hash of the same bytes as a part of a longer buffer",
      ko: "같은 바이트가 더 긴 버퍼의 일부일 때의 해시",
    },
    mistake: "subarray-offset",
  });
  const questions: Header[] = [
    { type: "want", hash: "0".repeat(64) },
    { type: "get", hash: "0".repeat(64), index: 0 },
    { type: "get", hash, index: chunks.length },
    { type: "get", hash, index: -1 },
  ];
  for (const question of questions) {
    link.send(question);
    const { header } = await link.next("missing", {
      expected: {
        en: `missing, in answer to ${JSON.stringify(question).slice(0, 60)}`,
        ko: `${JSON.stringify(question).slice(0, 60)}에 대한 답은 missing`,
      },
      mistake: "missing-hangs",
    });
    const mistake = "missing-hangs";
    expectEqual(header["hash"] as string, question["hash"] as string, {
      what: same("hash"),
      mistake,
    });
    if (question.type !== "get") continue;
    expectEqual(header["index"] as number, question["index"] as number, {
      what: same("index"),
      mistake,
    });
  }
  // No answers are due to these, and what becomes of that link is the peer's own affair.
  const odd = await linkedNode(context, peer, "carol");
  const nonsense: Header[] = [
    { type: "get", hash },
    { type: "get", hash, index: 0.5 },
    { type: "get", hash, index: "0" },
    { type: "get", hash: null, index: null },
    { type: "want" },
    { type: "want", hash: [hash] },
    { type: "manifest" },
    { type: "chunk", hash, index: 1e9 },
    { type: "missing" },
  ];
  for (const frame of nonsense) odd.link.send(frame);
  await odd.link.heard();
  await talk(peer, link, "one-loss-ends-all");
  link.send({ type: "get", hash, index: 0 });
  expectBytes((await link.next("chunk")).body, chunks[0]!);
  await peer.close();
}, {
  catches: ["missing-hangs", "one-loss-ends-all", "subarray-offset"],
  unhandled: "one-loss-ends-all",
});

task(6, {
  en: "what is shared stays as it was, whatever becomes of the caller's bytes",
  ko: "공유한 내용은 호출한 쪽이 바이트를 바꾸어도 그대로입니다",
}, async (context) => {
  const mistake = "bytes-not-copied";
  const { learner } = context;
  const peer = await createPeer(context, { id: "alice" });
  const [mine, theirs] = [await randomContent(context, 1), await randomContent(context, 1)];
  const { link } = await linkedNode(context, peer, "bob", serving(theirs));
  const given = await learner.hold(mine.bytes);
  expectEqual(await peer.share(given), mine.hash, { what: same("hash") });
  await learner.method(given, "fill", [0]);
  // From bob, and then from its own.
  for (let i = 0; i < 2; i++) {
    const got = await learner.method(peer.remote, "fetch", [theirs.hash], { hold: true });
    if (!(got instanceof Remote)) bytesOf(got, "fetch()");
    else await learner.method(got, "fill", [0]);
  }
  for (const { hash, chunks } of [mine, theirs]) {
    link.send({ type: "get", hash, index: 0 });
    expectBytes((await link.next("chunk", { mistake })).body, chunks[0]!, mistake);
  }
  await peer.fetch(theirs, mistake);
  await peer.close();
}, { catches: ["bytes-not-copied"] });

task(6, {
  en: "fetch() asks all that have it, and puts the chunks in their order",
  ko: "fetch()는 가진 피어 모두에게 요청하고 chunk를 순서대로 합칩니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  // Eight for each, if that is how many somebody asks for at a time.
  const content = await randomContent(context, 18);
  const ids = ["ann", "bob", "carol"];
  // Nobody answers until all have been asked, and chunk 0 comes when others have been dealt with.
  const waiting: { link: NodeLink; index: number }[] = [];
  const asked = new Set<string>();
  const answer = async () => {
    if (asked.size < ids.length) return;
    const ready = waiting.splice(0);
    const others = ready.filter(({ index }) => index > 0);
    for (const { link, index } of others) sendChunk(link, content, index);
    const first = ready.find(({ index }) => index === 0);
    if (!first) return;
    // What is behind the chunks on that link has been answered, so they have been read.
    for (let i = 0; i < 3; i++) await others[0]?.link.heard();
    sendChunk(first.link, content, 0);
  };
  const chunk = (link: NodeLink, index: number) => {
    waiting.push({ link, index });
    asked.add(link.node.id);
    answer();
  };
  for (const id of ids) await linkedNode(context, peer, id, serving(content, { chunk }));
  await linkedNode(context, peer, "dave");
  const fetched = peer.fetch(content, "chunk-order-assumed");
  fetched.catch(() => {});
  await context.step(
    {
      en: "each of the three that have the content is asked for a share of it",
      ko: "콘텐츠를 가진 세 피어 모두 일부를 요청받음",
    },
    async () => {
      while (asked.size < ids.length) await peer.learner.rest();
    },
    "one-source-only",
  );
  await fetched;
  await peer.close();
}, { catches: ["one-source-only", "chunk-order-assumed"] });

/** How a node answers for a chunk. */
type ChunkAnswer = (link: NodeLink, index: number) => unknown;

/** Nodes that answer otherwise, and then one that has the content and gives each chunk when they have been heard. */
async function linkedWith(
  context: TestContext,
  peer: LearnerPeer,
  content: SharedContent,
  others: Record<string, ChunkAnswer>,
): Promise<void> {
  const links: NodeLink[] = [];
  for (const [id, chunk] of Object.entries(others)) {
    links.push((await linkedNode(context, peer, id, serving(content, { chunk }))).link);
  }
  const chunk = async (link: NodeLink, index: number) => {
    await Promise.all(links.map((link) => link.heard()));
    await sendChunk(link, content, index);
  };
  await linkedNode(context, peer, "zoe", serving(content, { chunk }));
}

task(6, {
  en: "a chunk is believed if its SHA-256 is right, and asked for elsewhere if not",
  ko: "chunk는 SHA-256이 맞을 때만 믿고, 틀리면 다른 피어에게 요청합니다",
}, async (context) => {
  const content = await randomContent(context, 8);
  const peer = await createPeer(context, { id: "alice" });
  await linkedWith(context, peer, content, {
    // One wrong bit; one byte too many; none; the right ones of another place.
    ann: (link, index) => sendChunk(link, content, index, spoiled(content.chunks[index]!)),
    bob: (link, index) =>
      sendChunk(link, content, index, concat(content.chunks[index]!, Uint8Array.of(0))),
    carol: (link, index) => sendChunk(link, content, index, new Uint8Array(0)),
    dave: (link, index) => sendChunk(link, content, index, content.chunks[index === 0 ? 1 : 0]),
  });
  await peer.fetch(content, "bad-source-ends-fetch", "chunk-unchecked");
  await peer.close();
}, { catches: ["chunk-unchecked", "bad-source-ends-fetch"] });

task(6, {
  en: "what one peer lacks, or takes with it when it leaves, comes from another",
  ko: "한 피어에게 없거나 그 피어가 떠나며 잃은 chunk는 다른 피어에게서 받습니다",
}, async (context) => {
  const content = await randomContent(context, 4);
  const peer = await createPeer(context, { id: "alice" });
  await linkedWith(context, peer, content, {
    ann: (link) => link.end(),
    bob: (link, index) => link.send({ type: "missing", hash: content.hash, index }),
  });
  await peer.fetch(content, "bad-source-ends-fetch");
  await peer.close();
}, { catches: ["bad-source-ends-fetch"] });

task(6, {
  en: "chunks that come twice, or that nobody has asked for, change nothing",
  ko: "두 번 온 chunk나 요청하지 않은 chunk는 아무것도 바꾸지 않습니다",
}, async (context) => {
  const content = await randomContent(context, 4);
  const { hash, chunks } = content;
  const peer = await createPeer(context, { id: "alice" });
  await linkedWith(context, peer, content, {
    ann: (link, index) => {
      link.send({ type: "chunk", hash, index: index + chunks.length }, chunks[index]);
      for (let i = 0; i < 3; i++) sendChunk(link, content, index);
    },
  });
  await peer.fetch(content, "answers-mixed");
  await peer.close();
}, { catches: ["answers-mixed"] });

/** Answers for chunks in the order against that of the questions, as far as there are several at a time. */
function backwards(content: SharedContent): ChunkAnswer {
  const asked: number[] = [];
  return async (link, index) => {
    // Whoever has asked answers the ping behind it when all its questions of now are here.
    if (asked.push(index) > 1) return;
    await link.heard();
    for (const index of asked.splice(0).reverse()) sendChunk(link, content, index);
  };
}

task(6, {
  en:
    "the only peer that has it may answer in any order, and chunks may be alike, or all of one length",
  ko:
    "가진 피어가 하나뿐이고 답의 순서가 뒤바뀌어도, chunk가 서로 같거나 모두 같은 길이여도 받습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const whole = await randomContent(context, 2, CHUNK_BYTES);
  await linkedNode(context, peer, "ann", serving(whole));
  await peer.fetch(whole, "full-last-chunk");
  const alike = new Uint8Array(CHUNK_BYTES).fill(7);
  const end = Uint8Array.from(context.random.bytes(1_000));
  const content = await sharedContent(concat(alike, alike, end));
  await linkedNode(context, peer, "bob", serving(content, { chunk: backwards(content) }));
  await peer.fetch(content, "answers-mixed");
  await peer.close();
}, { catches: ["answers-mixed", "full-last-chunk"] });

task(6, {
  en: "fetch() gets empty content, what no peer has whole, and several contents at the same time",
  ko: "fetch()는 빈 내용도, 아무도 다 갖지 못한 내용도, 여러 내용을 동시에도 받습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const empty = await sharedContent(new Uint8Array(0));
  const [one, two] = [await randomContent(context, 4), await randomContent(context, 3)];
  const all = [empty, one, two];
  // The first has 0 and 3, the second 1 and 2: whoever asks in whatever order asks one for what it lacks.
  const isOfFirst = (index: unknown) => ((Number(index) + 1) >> 1) % 2 === 0;
  const half = (isFirst: boolean): NodeOptions => ({
    answers: {
      want: (link, { header: { hash } }) => sendManifest(link, all.find((c) => c.hash === hash)!),
      get: (link, { header: { hash, index } }) =>
        isOfFirst(index) === isFirst
          ? sendChunk(link, all.find((c) => c.hash === hash)!, Number(index))
          : link.send({ type: "missing", hash, index }),
    },
  });
  await linkedNode(context, peer, "ann", half(true));
  await linkedNode(context, peer, "bob", half(false));
  await peer.fetch(empty, "empty-content-lost");
  await peer.fetch(one, "bad-source-ends-fetch");
  await peer.close();
  const again = await createPeer(context, { id: "alice" });
  await linkedNode(context, again, "ann", half(true));
  await linkedNode(context, again, "bob", half(false));
  // The second one twice: its questions have the same names.
  await Promise.all([one, two, two].map((content) => again.fetch(content, "answers-mixed")));
  await again.close();
}, { catches: ["empty-content-lost", "bad-source-ends-fetch", "answers-mixed"] });

/** How often a liar may be asked: what was on its way when the first lie was found, and some more. */
const LIES = 12;

task(6, {
  en: "who has sent a wrong chunk is asked no more",
  ko: "잘못된 chunk를 보낸 피어에게는 더 묻지 않습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const content = await randomContent(context, 20);
  let asked = 0;
  const lie: ChunkAnswer = (link, index) => {
    asked++;
    return sendChunk(link, content, index, spoiled(content.chunks[index]!));
  };
  // Zoe gives nothing until ann, who answers at once, is asked no more: until then ann is the one to ask.
  let calm: Promise<void> | undefined;
  const annIsLeftAlone = async () => {
    let before = -1;
    for (let quiet = 0; quiet < 5;) {
      await peer.learner.rest();
      quiet = asked === before ? quiet + 1 : 0;
      before = asked;
    }
  };
  const truth: ChunkAnswer = async (link, index) => {
    await (calm ??= annIsLeftAlone());
    await sendChunk(link, content, index);
  };
  await linkedNode(context, peer, "ann", serving(content, { chunk: lie }));
  await linkedNode(context, peer, "zoe", serving(content, { chunk: truth }));
  // What it gives is for other tests to look at.
  await peer.learner.method(peer.remote, "fetch", [content.hash], {
    hold: true,
    mistake: "bad-source-ends-fetch",
  });
  expectThat(
    asked <= LIES,
    { en: "ann is asked for a few chunks at most", ko: "ann에게는 chunk를 몇 개만 물음" },
    {
      en: `for more than ${LIES} of 20, and each answer was wrong`,
      ko: `20개 중 ${LIES}개보다 많이 물었고, 답은 모두 틀렸습니다`,
    },
    "liar-asked-again",
  );
  await peer.close();
}, { catches: ["liar-asked-again", "bad-source-ends-fetch"] });

task(6, {
  en: "fetch() of what nobody has rejects with Deno.errors.NotFound",
  ko: "아무도 갖지 않은 것에 대한 fetch()는 Deno.errors.NotFound로 실패합니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const missing = (en: string, ko: string, hash = "0".repeat(64)) =>
    peer.rejects("fetch", [hash], {
      expected: {
        en: `fetch() rejects with Deno.errors.NotFound: ${en}`,
        ko: `fetch()가 Deno.errors.NotFound로 실패함: ${ko}`,
      },
      className: "Deno.errors.NotFound",
      mistake: "missing-hangs",
    });
  await missing("there is no link", "링크가 없음");
  await linkedNode(context, peer, "bob");
  await missing("bob has it not", "bob에게 없음");
  await linkedNode(context, peer, "carol", { answers: { want: (link) => link.end() } });
  await missing("bob has it not, and carol leaves", "bob에게 없고 carol은 떠남");
  const content = await randomContent(context, 2);
  const { hash } = content;
  const lacking = [
    // Both together have the first one only.
    (link: NodeLink, index: number) =>
      index === 0 ? sendChunk(link, content, 0) : link.send({ type: "missing", hash, index }),
    (link: NodeLink, index: number) =>
      sendChunk(link, content, index, spoiled(content.chunks[index]!)),
  ];
  for (const [i, chunk] of lacking.entries()) {
    await linkedNode(context, peer, `node${i}`, serving(content, { chunk }));
  }
  await missing(
    "one lacks a chunk, and the other sends wrong ones",
    "하나는 chunk가 없고 다른 하나는 틀린 것을 보냄",
    hash,
  );
  await peer.close();
}, { catches: ["missing-hangs"] });

task(6, {
  en: "a manifest is believed if its SHA-256 is the hash that was asked for",
  ko: "manifest는 SHA-256이 요청한 해시와 같을 때만 믿습니다",
}, async (context) => {
  const mistake = "manifest-unchecked";
  const content = await randomContent(context, 2);
  const { hash, bytes, manifest } = content;
  const other = await randomContent(context, 2);
  const peer = await createPeer(context, { id: "alice" });
  const lies: [manifest: Uint8Array<ArrayBuffer>, size: number][] = [
    [other.manifest, other.bytes.length],
    [manifest.subarray(32), bytes.length - CHUNK_BYTES],
    [new Uint8Array(0), 0],
  ];
  for (const [i, [manifest, size]] of lies.entries()) {
    await linkedNode(context, peer, `liar${i}`, {
      answers: {
        want: (link) => link.send({ type: "manifest", hash, size }, manifest),
        get: (link, { header: { index } }) =>
          link.send({ type: "chunk", hash, index }, other.chunks[Number(index)]),
      },
    });
  }
  await peer.rejects("fetch", [hash], {
    expected: {
      en: "fetch() rejects with Deno.errors.NotFound: the only manifests are wrong ones",
      ko: "받은 manifest가 틀린 것뿐이므로 fetch()가 Deno.errors.NotFound로 실패함",
    },
    className: "Deno.errors.NotFound",
    mistake,
  });
  await linkedNode(context, peer, "bob", serving(content));
  await peer.fetch(content, mistake);
  await peer.close();
}, { catches: ["manifest-unchecked"] });

task(6, {
  en: "the size beside a manifest is the word of one peer",
  ko: "manifest 옆의 size는 그 피어 하나의 말일 뿐입니다",
}, async (context) => {
  const mistake = "manifest-unchecked";
  const content = await randomContent(context, 2);
  const { hash, bytes, manifest } = content;
  const peer = await createPeer(context, { id: "alice" });
  const { length } = bytes;
  // As many chunks, or not even that.
  const sizes = [2 ** 40, length + 1, length - 1, 0, -1, 0.5, `${length}`, null];
  const links: NodeLink[] = [];
  for (const [i, size] of sizes.entries()) {
    const manifestOf = async (link: NodeLink) => {
      // Who takes a text for a number has the right one: wrong numbers come before. Once they were asked, once they told.
      for (let i = 0; i < 2 && typeof size === "string"; i++) {
        await Promise.all(links.slice(1, 3).map((other) => other.heard()));
      }
      await link.send({ type: "manifest", hash, size }, manifest);
    };
    const options = serving(content, { manifest: manifestOf });
    links.push((await linkedNode(context, peer, `node${i}`, options)).link);
  }
  const last = async (link: NodeLink) => {
    await Promise.all(links.map((link) => link.heard()));
    await sendManifest(link, content);
  };
  await linkedNode(context, peer, "bob", serving(content, { manifest: last }));
  await peer.fetch(content, mistake);
  await peer.close();
}, { catches: ["manifest-unchecked"] });

task(6, {
  en: "a peer that does not answer is given up after silenceMs, and others are asked",
  ko: "답하지 않는 피어는 silenceMs 뒤에 포기하고 다른 피어에게 요청합니다",
}, async (context) => {
  const { step } = context;
  const content = await randomContent(context, 3);
  await patiently(context, async ({ peer, link: linked, unless }) => {
    const ann = await linked("ann", serving(content, { chunk: () => {} }));
    const honest = serving(content, {
      chunk: async (link, index) => {
        await ann.link.heard();
        await sendChunk(link, content, index);
      },
    });
    await linked("bob", honest);
    await linked("carol", { answers: { want: () => {} } });
    const expected: Text = {
      en: "fetch() resolves, although ann never sends a chunk, and carol no manifest",
      ko: "ann이 chunk를, carol이 manifest를 끝내 보내지 않아도 fetch()가 성공함",
    };
    const { handle } = peer.remote;
    const args = [encodeArg(content.hash)];
    const answer = await step(
      expected,
      () => peer.learner.order({ op: "method", handle, name: "fetch", args, digest: true }),
      "stalled-source-waits",
    );
    unless(!answer.ok);
    if (!answer.ok) {
      fail({ expected, received: showError(answer.error), mistake: "stalled-source-waits" });
    }
    const value = "value" in answer ? decodeValue(answer.value) : undefined;
    await peer.expectContent(value, content, "stalled-source-waits");
    await peer.close();
  }, "stalled-source-waits");
}, {
  catches: ["stalled-source-waits", "one-source-only"],
  waitsMs: 2 * SILENCE_MS,
  deadlineMs: 6_000,
});

task(6, {
  en: "close() ends a fetch() that waits, and those before it have left no timer",
  ko: "close()는 기다리는 fetch()를 끝내고, 앞선 fetch()의 타이머도 남지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const peer = await createPeer(context, { id: "alice" });
  const content = await randomContent(context, 1);
  const never = "f".repeat(64);
  const answers = serving(content).answers!;
  const asked = Promise.withResolvers<void>();
  await linkedNode(context, peer, "bob", {
    answers: {
      ...answers,
      want: (link, frame) => {
        if (frame.header["hash"] === never) asked.resolve();
        else answers["want"]!(link, frame);
      },
    },
  });
  await linkedNode(context, peer, "carol");
  await peer.fetch(content);
  await peer.rejects("fetch", ["0".repeat(64)], {
    expected: {
      en: "fetch() of what nobody has rejects",
      ko: "아무에게도 없는 것에 대한 fetch()가 실패함",
    },
    mistake: "missing-hangs",
  });
  const pending = peer.ends("fetch", [never]);
  await step({ en: "bob is asked", ko: "bob이 요청을 받음" }, () => asked.promise, "missing-hangs");
  await peer.close("close-leaves-links");
  await expectRejection(context, "fetch()", pending);
  await expectNoTimer(learner);
}, { catches: ["close-leaves-links", "missing-hangs"] });

task(6, {
  en: "a frame of more than 16 MiB ends its link as soon as it is announced",
  ko: "16 MiB보다 긴 프레임은 길이를 알리는 순간 링크를 끊습니다",
}, async (context) => {
  const peer = await createPeer(context, { id: "alice" });
  const stays = await linkedNode(context, peer, "zed");
  for (const length of [MAX_FRAME_BYTES + 1, 0x7fff_ffff, 0xffff_ffff]) {
    const { link } = await linkedNode(context, peer, "ann");
    await link.sendRaw(lengthPrefix(length), `the length ${length}`);
    await link.expectEnd(
      {
        en: `the link on which a frame of ${length} bytes was announced is ended`,
        ko: `${length}바이트 프레임을 알린 링크가 끊어짐`,
      },
      "trusts-length",
    );
    await peer.expectPeers([stays.node.entry], "trusts-length");
  }
  // A browser that has lost its way: as a length, "GET " is more than a gigabyte.
  const browser = new ScriptedNode(context, "browser", { greets: false });
  const link = await browser.dial(peer.addr);
  const request = "GET / HTTP/1.1\r\n\r\n";
  await link.sendRaw(bytes(request), JSON.stringify(request));
  await link.expectEnd(
    {
      en: "a connection that begins with such a length is closed, too",
      ko: "그런 길이로 시작하는 연결도 닫힘",
    },
    "trusts-length",
  );
  await peer.close();
}, { catches: ["trusts-length"] });

task(6, {
  en: "a second hello with the id of a linked peer does not take its place",
  ko: "이미 링크된 피어의 id로 온 두 번째 hello는 그 자리를 빼앗지 못합니다",
}, async (context) => {
  const content = await randomContent(context, 2);
  const peer = await createPeer(context, { id: "alice" });
  const honest = await linkedNode(context, peer, "bob", serving(content));
  const thief = new ScriptedNode(context, "bob");
  const link = await thief.dial(peer.addr);
  await link.expectEnd(
    { en: "the second bob is refused", ko: "두 번째 bob은 거절됨" },
    "trusts-name",
  );
  const again = new ScriptedNode(context, "bob");
  const others = [again];
  // At the same port of another address, if it is free there.
  if (
    secondLoopback !== honest.node.addr.hostname &&
    isFree({ ...honest.node.addr, hostname: secondLoopback })
  ) {
    const { port } = honest.node.addr;
    others.push(new ScriptedNode(context, "bob", { hostname: secondLoopback, port }));
  }
  for (const { addr } of others) {
    await peer.rejects("connect", [addr], {
      expected: {
        en: "connect() to another bob rejects",
        ko: "다른 bob에 대한 connect()가 실패함",
      },
      mistake: "trusts-name",
    });
  }
  await peer.expectPeers([honest.node.entry], "trusts-name");
  await talk(peer, honest.link, "trusts-name");
  await peer.fetch(content, "trusts-name");
  await peer.close();
}, { catches: ["trusts-name"] });

task(6, {
  en: "three peers of yours: who has fetched content serves it when the first has gone",
  ko: "직접 만든 세 피어: 받은 콘텐츠는 처음 가진 피어가 떠난 뒤에도 제공됩니다",
}, async (context) => {
  const alice = await createPeer(context, { id: "alice" });
  const bob = await createPeer(context, { id: "bob" });
  const carol = await createPeer(context, { id: "carol" });
  await bob.connect(alice.addr, "alice");
  const content = await randomContent(context, 2);
  expectEqual(await alice.share(content.bytes), content.hash);
  await carol.rejects("fetch", [content.hash], {
    expected: {
      en: "fetch() of carol rejects: she has no link, and peers of one program share nothing",
      ko: "carol의 fetch()가 실패함: 링크가 없고, 한 프로그램의 피어들은 아무것도 공유하지 않음",
    },
    mistake: "shared-between-connections",
  });
  await bob.fetch(content);
  await alice.close();
  await carol.connect(bob.addr, "bob");
  await carol.fetch(content);
  await bob.close();
  await carol.expectPeers([], "lost-peer-listed");
  // What it has it need not ask for, and there is nobody to ask.
  await carol.fetch(content, "own-content-asked");
  await carol.close();
}, { catches: ["shared-between-connections", "lost-peer-listed", "own-content-asked"] });
