/**
 * Lesson 4: the connection ends, and the port is given back.
 *
 * @module
 */

import type { ChildState, WireError, WireEvent } from "../workbook/protocol.ts";
import { same, type Text } from "../workbook/text.ts";
import { bytes, escapeBytes, expectBytes } from "./support/bytes.ts";
import { type ChildEnd, ChildEndedError } from "./support/child.ts";
import { showValue } from "./support/explain.ts";
import { expectEqual, expectErrorClass, expectMessage, expectThat } from "./support/expect.ts";
import { fail, TaskFailure } from "./support/failure.ts";
import type { Callback, Endpoint, Learner } from "./support/learner.ts";
import { isGivenBack, refusing, secondLoopback } from "./support/machine.ts";
import type { PeerConn, ResettingPeer } from "./support/peer.ts";
import { type Program, showEnd } from "./support/program.ts";
import { task, type TestContext } from "./support/suite.ts";
import { showAddr } from "./support/transcript.ts";
import { Pattern, Remote } from "./support/wire.ts";

const MIB = 1024 * 1024;
/** More than the kernel takes for a peer that does not read (4 MiB on Linux, at both ends together). */
const MORE_THAN_FITS = 4.25 * MIB;
/** More than most buffers have. Not so much that who reads byte by byte would not come to an end. */
const LONG_BYTES = 80_000;
/** A grace that is over before anything is done: all of it is waited for. */
const SHORT_MS = 20;
/** Nobody waits for this. */
const LONG_MS = 60_000;

/** A connection in the learner's process, and the suite's end of it. */
interface Link<P = PeerConn> {
  conn: Remote;
  peer: P;
}

async function link({ learner, peers }: TestContext): Promise<Link> {
  const listener = peers.listen();
  const conn = await learner.dial(listener.addr);
  return { conn, peer: await listener.accept() };
}

/** The same, with a peer that can reset. */
async function resetLink({ learner, peers }: TestContext): Promise<Link<ResettingPeer>> {
  const listener = await peers.listenToReset();
  const conn = await learner.dial(listener.addr);
  return { conn, peer: await listener.accept() };
}

/** The value as bytes, or the end of the test. */
function bytesOf(value: unknown, call: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  fail({
    expected: { en: `${call} resolves to a Uint8Array`, ko: `${call} 호출의 결과는 Uint8Array` },
    received: showValue(value),
  });
}

/** How bytes that were collected differ from what was sent: they end too early, or pieces stand in place of others. */
function collectingMistake(
  received: Uint8Array,
  sent: Uint8Array,
  ifCut: string,
): string | undefined {
  if (received.length === sent.length) return "shared-buffer";
  // U+FFFD stands in a text for what is no text.
  if (escapeBytes(received.subarray(0, 100)).includes("\\xef\\xbf\\xbd")) return "text-for-bytes";
  const isCut = received.length < sent.length && received.every((byte, i) => byte === sent[i]);
  return isCut ? ifCut : undefined;
}

/** Some fields of a result, which may be an instance of a class. */
async function fieldsOf(
  learner: Learner,
  value: unknown,
  names: string[],
): Promise<Record<string, unknown>> {
  if (!(value instanceof Remote)) return (value ?? {}) as Record<string, unknown>;
  const fields = names.map(async (name) => [name, await learner.get(value, name)]);
  return Object.fromEntries(await Promise.all(fields));
}

/** Bytes that the learner's code has read or written so far: on that connection, or on all. */
function total(learner: Learner, event: "read" | "write", conn?: Remote): number {
  return learner.events
    .filter((e) => e.event === event && (!conn || e.resource === conn.resource))
    .reduce((sum, { size }) => sum + (size ?? 0), 0);
}

function countOf(learner: Learner, event: WireEvent["event"]): number {
  return learner.events.filter((e) => e.event === event).length;
}

/** Lets the learner's code go on until `condition` holds, or `over` has settled. */
async function until(
  learner: Learner,
  condition: () => boolean,
  over: Promise<unknown>,
): Promise<void> {
  let isOver = false;
  const end = () => void (isOver = true);
  over.then(end, end);
  while (!condition() && !isOver) await learner.state();
}

/** Fails unless the learner's code has closed `conn`. */
async function expectClosed(
  learner: Learner,
  conn: Remote,
  mistake: string,
  when: Text = { en: "the connection is closed", ko: "연결이 닫혀 있음" },
): Promise<void> {
  const { open } = await learner.state();
  const isOpen = open.some((socket) => socket.resource === conn.resource);
  const where = `${showAddr(conn.addr)} ↔ ${showAddr(conn.remoteAddr)}`;
  expectThat(
    !isOpen,
    when,
    { en: `${where} is still open`, ko: `${where} 연결이 아직 열려 있습니다` },
    mistake,
  );
}

// --- task 1 ---

const CONNECTS: Text = { en: "the client connects", ko: "클라이언트가 연결함" };
const GOT_ALL: Text = {
  en: "the server gets the whole request, and its end",
  ko: "서버가 요청 전체와 그 끝을 받음",
};

/** What happened since the last connect(). */
function lastTalk({ events }: Learner): WireEvent[] {
  return events.slice(events.findLastIndex(({ event }) => event === "connect"));
}

/** What an error of requestReply() looks like when nothing was wrong with the server. */
function askingMistake(learner: Learner, { classes }: WireError): string | undefined {
  if (classes.includes("BrokenPipe")) return "half-close-too-early";
  if (!["BadResource", "Interrupted"].some((name) => classes.includes(name))) return undefined;
  const events = lastTalk(learner);
  if (events.some(({ event, size }) => event === "read" && size === null)) return "double-close";
  if (events.some(({ event }) => event === "closeWrite")) return "closed-while-reading";
  return learner.saw("streams") ? "streams-close-connection" : "close-for-close-write";
}

/** Why a request came in part: its end was sent too early, or its rest never. */
function cutRequest({ events }: Learner): string {
  const end = events.findIndex(({ event }) => event === "closeWrite");
  const late = end >= 0 && events.slice(end).some(({ event }) => event === "write");
  return late ? "half-close-too-early" : "short-write";
}

/** Why a reply is not what was sent: nobody was there any more, or it was not collected as it came. */
function cutReply(
  learner: Learner,
  received: Uint8Array,
  sent: Uint8Array,
): string | undefined {
  const events = lastTalk(learner);
  const find = (wanted: WireEvent["event"]) => events.findIndex(({ event }) => event === wanted);
  const [closed, read] = [find("close"), find("read")];
  const tooEarly = closed >= 0 && (read < 0 || closed < read) && find("closeWrite") < 0;
  return tooEarly ? "close-for-close-write" : collectingMistake(received, sent, "reads-once");
}

task(1, {
  en: "requestReply() sends all, says that it was all, and gives the whole reply",
  ko: "requestReply()는 모두 보내고, 끝을 알리고, 응답 전체를 돌려줍니다",
}, async ({ learner, peers, random, step }) => {
  const cases = [[40, 50], [0, 8], [8, 0]] as const;
  await learner.limit({ readBytes: 7, writeBytes: 3 });
  for (const [requestBytes, replyBytes] of cases) {
    const request = random.bytes(requestBytes);
    const reply = random.bytes(replyBytes);
    const listener = peers.listen();
    const { hostname, port } = listener.addr;
    const expected: Text = {
      en: `the reply ${escapeBytes(reply)}`,
      ko: `응답 ${escapeBytes(reply)}`,
    };
    const replied = learner.call("requestReply", [hostname, port, request], {
      expected,
      mistakeOf: (error) => askingMistake(learner, error),
    });
    const peer = await step(CONNECTS, () => listener.accept());
    const received = await step(
      GOT_ALL,
      () => peer.receive(request.length + 1),
      "no-half-close",
    );
    // What the client does after the half-close is told a little later.
    if (received.length < request.length) await learner.rest();
    expectBytes(received, request, cutRequest(learner));
    await peer.send(reply);
    peer.close();
    const value = bytesOf(await step(expected, () => replied), "requestReply()");
    expectBytes(value, reply, cutReply(learner, value, reply));
  }
}, {
  catches: [
    "close-for-close-write",
    "streams-close-connection",
    "closed-while-reading",
    "half-close-too-early",
    "no-half-close",
    "short-write",
    "reads-once",
    "shared-buffer",
    "text-for-bytes",
    "double-close",
    "connection-leaked",
  ],
  leak: "connection-leaked",
  unhandled: "half-close-too-early",
});

task(1, {
  en: "requestReply() asks the host that it is given, and takes a reply of any length",
  ko: "requestReply()는 받은 주소의 서버에 묻고, 응답이 아무리 길어도 모두 받습니다",
}, async ({ learner, peers, random, step }) => {
  const listener = peers.listen(secondLoopback);
  const { hostname, port } = listener.addr;
  const reply = new Pattern(random.integer(1, 1_000_000), LONG_BYTES);
  const replied = learner.call("requestReply", [hostname, port, bytes("a question")], {
    expected: {
      en: `the server at ${hostname} is asked, and gives the reply`,
      ko: `${hostname} 의 서버에 묻고 응답을 받음`,
    },
    mistakeOf: (error) =>
      error.classes.includes("ConnectionRefused")
        ? "hostname-ignored"
        : askingMistake(learner, error),
  });
  const peer = await step(CONNECTS, () => listener.accept(), "hostname-ignored");
  await step(GOT_ALL, () => peer.receive(10 + 1), "no-half-close");
  const sending = peer.send(reply.bytes).then(() => peer.close());
  sending.catch(() => {});
  const value = await step(
    { en: "the reply, all of it", ko: "응답 전체" },
    () => replied,
    "fixed-buffer",
  );
  const received = bytesOf(value, "requestReply()");
  const mistake = collectingMistake(received, reply.bytes, "fixed-buffer");
  expectBytes(received, reply.bytes, mistake);
}, {
  catches: ["hostname-ignored", "fixed-buffer", "shared-buffer", "connection-leaked"],
  leak: "connection-leaked",
});

task(1, {
  en: "requestReply() twice at the same time keeps the two replies apart",
  ko: "requestReply()는 동시에 두 번 불러도 응답을 섞지 않습니다",
}, async ({ learner, peers, step }) => {
  const mistake = "shared-between-connections";
  const listener = peers.listen();
  const { hostname, port } = listener.addr;
  const names = ["A", "B"] as const;
  const replied = names.map((name) =>
    learner.call("requestReply", [hostname, port, bytes(`from ${name}`)])
  );
  const asked: { peer: PeerConn; request: Uint8Array }[] = [];
  while (asked.length < names.length) {
    const peer = await step(CONNECTS, () => listener.accept());
    const request = await step(GOT_ALL, () => peer.receive(6 + 1), "no-half-close");
    asked.push({ peer, request });
  }
  await learner.limit({ readBytes: 3 });
  await learner.asleep(async () => {
    for (const { peer, request } of asked) {
      await peer.send(Uint8Array.from([...bytes("reply "), ...request]));
      peer.close();
    }
  });
  for (const [i, name] of names.entries()) {
    const value = await step(
      { en: "each call gets its own reply", ko: "호출마다 자기 응답을 받음" },
      () => replied[i]!,
      mistake,
    );
    expectBytes(bytesOf(value, "requestReply()"), bytes(`reply from ${name}`), mistake);
  }
}, { catches: ["shared-between-connections"], leak: "connection-leaked" });

const RESET: Text = {
  en: "Deno.errors.ConnectionReset surfaces, since the server has reset the connection",
  ko: "서버가 연결을 재설정(reset)했으므로 Deno.errors.ConnectionReset 오류가 전달됨",
};

task(1, {
  en: "requestReply() never takes a part of the reply for all of it",
  ko: "requestReply()는 응답의 일부를 전체로 여기지 않습니다",
}, async ({ learner, peers, step }) => {
  const listener = await peers.listenToReset();
  const { hostname, port } = listener.addr;
  const part = bytes("half of a rep");
  let isReset = false;
  const failed = learner.ends("requestReply", [hostname, port, bytes("a request")])
    .then((error) => {
      if (error) return error;
      fail({
        expected: RESET,
        received: { en: "requestReply() returned", ko: "requestReply() 호출이 반환되었습니다" },
        mistake: isReset ? "reset-taken-for-end" : "reads-once",
      });
    });
  failed.catch(() => {});
  const peer = await listener.accept();
  await step(GOT_ALL, () => peer.receive(9 + 1), "no-half-close");
  await peer.send(part);
  await until(learner, () => total(learner, "read") === part.length, failed);
  await learner.rest();
  isReset = true;
  await peer.reset();
  const error = await step(RESET, () => failed, "reset-taken-for-end");
  const mistake = askingMistake(learner, error) ?? "error-class-lost";
  expectErrorClass(error, "Deno.errors.ConnectionReset", RESET, mistake);
}, {
  catches: [
    "reset-taken-for-end",
    "error-class-lost",
    "reads-once",
    "connection-leaked",
    "no-half-close",
    "close-for-close-write",
  ],
  leak: "connection-leaked",
});

task(1, {
  en: "requestReply() lets a reset through that comes while it sends",
  ko: "requestReply()는 보내는 중에 온 재설정도 전달합니다",
}, async ({ learner, peers, random, step }) => {
  const listener = await peers.listenToReset();
  const { hostname, port } = listener.addr;
  const request = new Pattern(random.integer(1, 1_000_000), MORE_THAN_FITS);
  const failed = learner.throws("requestReply", [hostname, port, request], {
    expected: RESET,
    mistake: "reset-taken-for-end",
  });
  const peer = await listener.accept();
  await until(learner, () => total(learner, "write") > 0, failed);
  await peer.reset();
  await step(RESET, () => failed, "reset-taken-for-end");
}, {
  catches: ["reset-taken-for-end", "connection-leaked"],
  leak: "connection-leaked",
  unhandled: "half-close-too-early",
});

task(1, {
  en: "requestReply() lets a refusal through",
  ko: "requestReply()는 연결 거부를 전달합니다",
}, async (context) => {
  const { hostname, port } = refusing(context);
  const expected: Text = {
    en: "Deno.errors.ConnectionRefused surfaces, since nobody listens there",
    ko: "그곳에서 듣는 프로세스가 없으므로 Deno.errors.ConnectionRefused 오류가 전달됨",
  };
  const error = await context.learner.throws("requestReply", [hostname, port, bytes("hello")], {
    expected,
  });
  expectErrorClass(error, "Deno.errors.ConnectionRefused", expected, "error-class-lost");
}, { catches: ["error-class-lost"] });

// --- task 2 ---

const ASKED_ONCE: Text = {
  en: "makeReply() is called when the client has sent its end",
  ko: "클라이언트가 끝을 보낸 뒤에 makeReply()가 호출됨",
};

/** What an error of answerAfterEnd() looks like when the client did nothing wrong. */
function answeringMistake(learner: Learner, { classes }: WireError): string | undefined {
  if (classes.includes("BrokenPipe")) return "reply-cut-off";
  if (!["BadResource", "Interrupted"].some((name) => classes.includes(name))) return undefined;
  const writes = learner.events.filter(({ event }) => event === "write");
  if (writes.length > 0 && !writes.some(({ error }) => error)) return "double-close";
  return total(learner, "write") === 0 && learner.saw("streams")
    ? "readable-closes"
    : "reply-cut-off";
}

/** Waits until the learner's code has read `size` bytes: makeReply() is not called before the end. */
async function expectPatience(
  learner: Learner,
  { conn, asked, size, over }: {
    conn: Remote;
    asked: () => number;
    size: number;
    over: Promise<unknown>;
  },
): Promise<void> {
  await until(learner, () => asked() > 0 || total(learner, "read", conn) === size, over);
  await learner.rest();
  expectThat(
    asked() === 0,
    ASKED_ONCE,
    {
      en: "it was called while the client may still send more",
      ko: "클라이언트가 더 보낼 수 있는데도 호출되었습니다",
    },
    "answers-too-early",
  );
}

task(2, {
  en: "answerAfterEnd() reads to the end, sends the whole reply, and closes",
  ko: "answerAfterEnd()는 끝까지 읽고, 응답을 모두 보내고, 닫습니다",
}, async (context) => {
  const { learner, random, step } = context;
  await learner.limit({ readBytes: 7, writeBytes: 3 });
  for (const [requestBytes, replyBytes] of [[30, 40], [0, 5]] as const) {
    const request = random.bytes(requestBytes);
    const reply = random.bytes(replyBytes);
    const { conn, peer } = await link(context);
    const makeReply = await learner.callback();
    const before = countOf(learner, "callback");
    const asked = () => countOf(learner, "callback") - before;
    const answered = learner.call("answerAfterEnd", [conn, makeReply.remote], {
      mistakeOf: (error) => answeringMistake(learner, error),
    });
    await peer.send(request);
    await expectPatience(learner, { conn, asked, size: request.length, over: answered });
    await peer.closeWrite();
    const { call, args } = await step(ASKED_ONCE, () => makeReply.next());
    const given = bytesOf(args[0], "the argument of makeReply()");
    expectBytes(given, request, collectingMistake(given, request, "answers-too-early"));
    await makeReply.settle(call, { value: reply });
    await step({ en: "answerAfterEnd() ends", ko: "answerAfterEnd()가 끝남" }, () => answered);
    await expectClosed(learner, conn, "connection-leaked");
    const received = await peer.receive(reply.length + 1);
    expectBytes(received, reply, received.length < reply.length ? "reply-cut-off" : undefined);
    expectEqual(asked(), 1, { what: { en: "calls of makeReply()", ko: "makeReply() 호출 횟수" } });
  }
}, {
  catches: [
    "answers-too-early",
    "readable-closes",
    "reply-cut-off",
    "shared-buffer",
    "double-close",
    "connection-leaked",
  ],
  unhandled: "reply-cut-off",
});

task(2, {
  en: "answerAfterEnd() takes a request of any length, and a reply that is no promise",
  ko: "answerAfterEnd()는 아무리 긴 요청도 모두 받고, Promise가 아닌 응답도 받습니다",
}, async (context) => {
  const { learner, random, step } = context;
  const request = new Pattern(random.integer(1, 1_000_000), LONG_BYTES).bytes;
  const reply = bytes("at once");
  const { conn, peer } = await link(context);
  const makeReply = await learner.callback();
  await makeReply.returnAtOnce(reply);
  const answered = learner.call("answerAfterEnd", [conn, makeReply.remote], {
    expected: {
      en: "makeReply() may return its bytes, and no promise of them",
      ko: "makeReply()는 Promise가 아니라 바이트를 바로 반환해도 됨",
    },
    mayReject: true,
  });
  const sending = peer.send(request).then(() => peer.closeWrite());
  sending.catch(() => {});
  const asked = await step(
    ASKED_ONCE,
    () => Promise.race([makeReply.next(), answered.then(() => undefined)]),
    "fixed-buffer",
  );
  const given = bytesOf(asked?.args[0], "the argument of makeReply()");
  expectBytes(given, request, collectingMistake(given, request, "fixed-buffer"));
  try {
    await answered;
  } catch (error) {
    if (error instanceof TaskFailure) error.facts.mistake ??= "value-or-promise";
    throw error;
  }
  const received = await peer.receive(reply.length + 1);
  expectBytes(received, reply, received.length === 0 ? "value-or-promise" : undefined);
}, { catches: ["fixed-buffer", "value-or-promise"] });

task(2, {
  en: "answerAfterEnd() sends a long reply to a client that reads late",
  ko: "answerAfterEnd()는 늦게 읽는 클라이언트에게도 긴 응답을 모두 보냅니다",
}, async (context) => {
  const { learner, random, step } = context;
  const reply = new Pattern(random.integer(1, 1_000_000), MORE_THAN_FITS);
  const { conn, peer } = await link(context);
  const makeReply = await learner.callback();
  const answered = learner.call("answerAfterEnd", [conn, makeReply.remote], {
    mistakeOf: (error) => answeringMistake(learner, error),
  });
  await peer.closeWrite();
  const { call } = await step(ASKED_ONCE, () => makeReply.next());
  await makeReply.settle(call, { value: reply });
  await learner.waitsIn("write", answered);
  const received = await step(
    { en: "the whole reply arrives", ko: "응답이 모두 도착함" },
    () => peer.receive(reply.length + 1),
    "connection-leaked",
  );
  expectBytes(received, reply.bytes, "reply-cut-off");
  await answered;
}, {
  catches: ["reply-cut-off", "readable-closes", "connection-leaked"],
  unhandled: "reply-cut-off",
});

task(2, {
  en: "answerAfterEnd() closes when makeReply() fails, and lets its error through",
  ko: "answerAfterEnd()는 makeReply()가 실패해도 닫고, 그 오류를 전달합니다",
}, async (context) => {
  const { learner, step } = context;
  for (const atOnce of [false, true]) {
    const message = atOnce ? "makeReply() threw" : "the promise of makeReply() was rejected";
    const expected: Text = {
      en: `the error of makeReply() surfaces: "${message}"`,
      ko: `makeReply()의 오류가 전달됨: "${message}"`,
    };
    const { conn, peer } = await link(context);
    const makeReply = await learner.callback();
    if (atOnce) await makeReply.throwAtOnce(message);
    const failed = learner.throws("answerAfterEnd", [conn, makeReply.remote], { expected });
    await peer.send(bytes("a request"));
    await peer.closeWrite();
    if (!atOnce) {
      const { call } = await step(ASKED_ONCE, () => makeReply.next());
      await makeReply.settle(call, { throws: message });
    }
    const error = await step(expected, () => failed);
    expectMessage(error, message, expected);
    await expectClosed(learner, conn, "connection-leaked", {
      en: "the connection is closed when makeReply() fails",
      ko: "makeReply()가 실패하면 연결이 닫힘",
    });
  }
}, { catches: ["connection-leaked"] });

task(2, {
  en: "answerAfterEnd() does not answer a request that a reset has cut off",
  ko: "answerAfterEnd()는 재설정으로 잘린 요청에는 응답하지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await resetLink(context);
  const makeReply = await learner.callback();
  const ended = learner.ends("answerAfterEnd", [conn, makeReply.remote]);
  const part = bytes("half of a requ");
  await peer.send(part);
  const asked = () => countOf(learner, "callback");
  await expectPatience(learner, { conn, asked, size: part.length, over: ended });
  await peer.reset();
  const expected: Text = {
    en: "a request that ends in a reset is not answered",
    ko: "재설정으로 끝난 요청에는 응답하지 않음",
  };
  const called = await step(
    expected,
    () => Promise.race([makeReply.next(), ended.then(() => undefined)]),
  );
  if (called) {
    const received = escapeBytes(bytesOf(called.args[0], "the argument of makeReply()"));
    fail({
      expected,
      received: {
        en: `makeReply() was called with ${received}`,
        ko: `makeReply() 호출의 인자: ${received}`,
      },
      mistake: "reset-taken-for-end",
    });
  }
  await expectClosed(learner, conn, "connection-leaked");
}, { catches: ["reset-taken-for-end", "answers-too-early", "connection-leaked"] });

task(2, {
  en: "answerAfterEnd() on two connections at the same time keeps their requests apart",
  ko: "answerAfterEnd()는 두 연결을 동시에 맡아도 요청을 섞지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const mistake = "shared-between-connections";
  const [a, b] = [await link(context), await link(context)];
  const makeReply = [await learner.callback(), await learner.callback()] as const;
  const answered = [a, b].map(({ conn }, i) =>
    learner.call("answerAfterEnd", [conn, makeReply[i]!.remote])
  );
  await learner.limit({ readBytes: 3 });
  await learner.asleep(async () => {
    for (const [{ peer }, text] of [[a, "from A"], [b, "from B"]] as const) {
      await peer.send(bytes(text));
      await peer.closeWrite();
    }
  });
  for (const [i, text] of ["from A", "from B"].entries()) {
    const { call, args } = await step(ASKED_ONCE, () => makeReply[i]!.next(), mistake);
    expectBytes(bytesOf(args[0], "the argument of makeReply()"), bytes(text), mistake);
    await makeReply[i]!.settle(call, { value: bytes("ok") });
  }
  await Promise.all(answered);
}, { catches: ["shared-between-connections"] });

task(2, {
  en: "answerAfterEnd() tells that the reply could not be sent",
  ko: "answerAfterEnd()는 응답을 보내지 못했음을 알립니다",
}, async (context) => {
  const { learner, step } = context;
  const mistake = "write-error-hidden";
  const { conn, peer } = await link(context);
  const makeReply = await learner.callback();
  await learner.limit({ writeBytes: 3 });
  await learner.faults({ api: ["write"], skip: 1, times: 1, error: "BrokenPipe" });
  const expected: Text = {
    en: "an error surfaces, since write() has failed",
    ko: "write()가 실패했으므로 오류가 전달됨",
  };
  const failed = learner.throws("answerAfterEnd", [conn, makeReply.remote], { expected, mistake });
  await peer.closeWrite();
  const { call } = await step(ASKED_ONCE, () => makeReply.next());
  await makeReply.settle(call, { value: bytes("a reply in two writes") });
  // Which error it is depends on what stands between the caller and write().
  await step(expected, () => failed);
  await expectClosed(learner, conn, "connection-leaked");
}, { catches: ["write-error-hidden", "connection-leaked"], unhandled: "write-error-hidden" });

// --- task 3 ---

/** Errors by which one client's end may come out of stop(). */
const OF_SOCKETS = [
  "BadResource",
  "BrokenPipe",
  "ConnectionReset",
  "Interrupted",
  "NotConnected",
];

/** A longer line is told by its length. */
const LONGEST_SHOWN = 80;

/** A server of the learner's, its handler's calls in the hands of the test. */
class Serving {
  readonly #context: TestContext;
  readonly #server: Remote;
  readonly handle: Callback;
  readonly addr: Endpoint;

  private constructor(context: TestContext, server: Remote, handle: Callback, addr: Endpoint) {
    this.#context = context;
    this.#server = server;
    this.handle = handle;
    this.addr = addr;
  }

  static async start(context: TestContext): Promise<Serving> {
    const { learner } = context;
    const handle = await learner.callback();
    const server = await learner.callSync("startServer", [handle.remote], { hold: true });
    const expected: Text = {
      en: "startServer() returns { addr, stop } when it listens",
      ko: "startServer()는 듣기 시작한 뒤 { addr, stop }을 반환함",
    };
    if (!(server instanceof Remote)) fail({ expected, received: showValue(server) });
    const addr = await learner.get(server, "addr") as Partial<Endpoint> | undefined;
    const { hostname, port } = addr ?? {};
    if (hostname !== "127.0.0.1" || typeof port !== "number" || port === 0) {
      fail({
        expected: { en: "addr: the address 127.0.0.1 with its port", ko: "addr: 127.0.0.1과 포트" },
        received: showValue(addr),
      });
    }
    return new Serving(context, server, handle, { hostname, port });
  }

  /** Connects client `name`. */
  async connect(name: string, mistake?: string): Promise<Client> {
    const peer = await this.#context.step(
      { en: `client ${name} can connect`, ko: `클라이언트 ${name} 쪽에서 연결할 수 있음` },
      () => this.#context.peers.connect(this.addr),
      mistake,
    );
    return new Client(this.#context, this, name, peer);
  }

  /** A client whose connection has been accepted and serves, shown by a request of its own. */
  async connected(name: string, mistake?: string): Promise<Client> {
    const client = await this.connect(name, mistake);
    await client.exchange(`hello from ${name}`, mistake);
    return client;
  }

  /** Waits for the handler to be called with `line`, and gives the number of the call. */
  async asked(line: string, mistake?: string): Promise<number> {
    const isLong = line.length > LONGEST_SHOWN;
    const expected: Text = isLong
      ? {
        en: `handle() is called with a line of ${line.length} characters`,
        ko: `handle()이 ${line.length}글자인 줄을 인자로 호출됨`,
      }
      : {
        en: `handle() is called with ${JSON.stringify(line)}`,
        ko: `handle()이 ${JSON.stringify(line)} 인자로 호출됨`,
      };
    const { call, args } = await this.#context.step(expected, () => this.handle.next(), mistake);
    if (args[0] !== line) {
      fail({
        expected,
        received: {
          en: `called with ${showValue(args[0])}`,
          ko: `호출 인자: ${showValue(args[0])}`,
        },
        // Whose line it is, and what becomes of its ends, are asked by name.
        mistake: ["line-changed", "shared-between-connections", "fixed-buffer"]
          .find((id) => id === mistake) ?? "line-per-read",
      });
    }
    return call;
  }

  /** Calls stop(), which has begun when this returns. */
  async stop(
    graceMs: number,
    { mistake }: { mistake?: string } = {},
  ): Promise<Stopping> {
    const { learner } = this.#context;
    const mistakeOf = ({ classes }: WireError) =>
      mistake ??
        (classes.some((name) => OF_SOCKETS.includes(name)) ? "gone-client-ends-server" : undefined);
    const options = { expected: STOPS, mistakeOf, bind: this.addr };
    const stopping = new Stopping(learner.method(this.#server, "stop", [graceMs], options));
    await learner.rest();
    return stopping;
  }

  /** Waits for stop() to resolve, and looks at what is left. */
  async expectStopped(
    stopping: Stopping,
    mistake: string,
    { soon = false, timers = true }: { soon?: boolean; timers?: boolean } = {},
  ): Promise<void> {
    const { learner, step } = this.#context;
    await step(STOPS, () => stopping.ended, mistake);
    // Whether the connection of a client that is gone counts as closed is not looked at too closely.
    for (let turns = 0; soon && turns < 50; turns++) {
      if (!this.#clientIn((await learner.rest()).open)) break;
    }
    await this.#expectReleased({ timers });
  }

  /** The first of its connections that the learner's code still holds. */
  #clientIn(open: ChildState["open"]): ChildState["open"][number] | undefined {
    return open.find(({ kind, addr }) => kind === "conn" && addr?.port === this.addr.port);
  }

  /** Fails unless everything is released; `timers` are looked at where no other server may have one. */
  async #expectReleased({ timers }: { timers: boolean }): Promise<void> {
    const { learner } = this.#context;
    const { open, timersMs } = await learner.state();
    this.expectNoListener(open);
    const conn = this.#clientIn(open);
    if (conn) {
      // Either nobody ends it, or it is about to be ended.
      await learner.rest();
      const isEnded = timers && timersMs.length > 0 ||
        !this.#clientIn((await learner.state()).open);
      fail({
        expected: {
          en: "every connection is closed when stop() resolves",
          ko: "stop()이 끝나면 모든 연결이 닫혀 있음",
        },
        received: {
          en: `the connection of ${showAddr(conn.remoteAddr)} is still open`,
          ko: `${showAddr(conn.remoteAddr)} 의 연결이 아직 열려 있습니다`,
        },
        mistake: isEnded ? "stop-resolves-early" : "clients-kept",
      });
    }
    expectThat(
      timersMs.length === 0 || !timers,
      { en: "no timer is left when stop() resolves", ko: "stop()이 끝나면 남은 타이머가 없음" },
      {
        en: `a timer of ${timersMs[0]} ms is still running`,
        ko: `${timersMs[0]} ms 타이머가 아직 돌고 있습니다`,
      },
      "timer-left",
    );
    await expectFree(this.addr, learner.pid, "stop-resolves-early");
  }

  expectNoListener(open: ChildState["open"]): void {
    expectThat(
      !open.some(({ kind, addr }) => kind === "listener" && addr?.port === this.addr.port),
      { en: "stop() closes the listener at once", ko: "stop()은 리스너를 곧바로 닫음" },
      { en: "it is still open", ko: "아직 열려 있습니다" },
      "accepts-after-stop",
    );
  }

  /** Fails unless a new client is refused, the listener being closed. */
  async expectRefused(): Promise<void> {
    const { learner, peers } = this.#context;
    this.expectNoListener((await learner.state()).open);
    // The kernel lets go of the port when the pending accept() has ended.
    for (let tries = 0; tries < 20; tries++) {
      try {
        (await peers.connect(this.addr)).close();
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionRefused) return;
        throw error;
      }
      await learner.rest();
    }
    fail({
      expected: {
        en: "a new client is refused after stop()",
        ko: "stop() 뒤의 새 클라이언트는 거부됨",
      },
      received: { en: "it could connect", ko: "연결되었습니다" },
      mistake: "accepts-after-stop",
    });
  }
}

const STOPS: Text = {
  en: "stop() resolves when everything is closed",
  ko: "모두 닫히면 stop()이 끝남",
};

/** The port of process `owner` can be bound by another process, which this one is. */
async function expectFree(addr: Endpoint, owner: number, mistake?: string): Promise<void> {
  if (await isGivenBack(addr, owner)) return;
  fail({
    expected: {
      en: `port ${addr.port} can be bound by another process`,
      ko: `다른 프로세스가 포트 ${addr.port} 에 바인드할 수 있음`,
    },
    received: "AddrInUse",
    mistake,
  });
}

/** A call of stop() on its way. */
class Stopping {
  isOver = false;
  /** Whether the port could be bound by the next line of the program that called it. */
  isFree = false;
  readonly ended: Promise<void>;

  constructor(returned: Promise<unknown>) {
    this.ended = returned.then((isFree) => {
      this.isOver = true;
      this.isFree = isFree === true;
    });
    this.ended.catch(() => {});
  }
}

/** A client of the learner's server. */
class Client {
  readonly #context: TestContext;
  readonly #serving: Serving;
  readonly name: string;
  readonly peer: PeerConn;

  constructor(context: TestContext, serving: Serving, name: string, peer: PeerConn) {
    this.#context = context;
    this.#serving = serving;
    this.name = name;
    this.peer = peer;
  }

  /** Sends a request and waits until it is in the handler's hands. */
  async ask(line: string, mistake?: string): Promise<number> {
    await this.peer.send(bytes(`${line}\n`));
    return await this.#serving.asked(line, mistake);
  }

  /** Lets the handler answer, and waits for the reply. */
  async answer(call: number, reply: string, mistake?: string): Promise<void> {
    await this.#serving.handle.settle(call, { value: reply });
    await this.expectReply(reply, mistake);
  }

  async expectReply(reply: string, mistake?: string): Promise<void> {
    await this.#context.step(
      { en: `client ${this.name} gets its reply`, ko: `클라이언트 ${this.name}에게 응답이 도착함` },
      () => this.peer.expect(bytes(`${reply}\n`), mistake),
      mistake,
    );
  }

  /** A request and its reply. */
  async exchange(line: string, mistake?: string): Promise<void> {
    await this.answer(await this.ask(line, mistake), `re: ${line}`, mistake);
  }

  /** Waits for the end of the stream. */
  async expectEnd(mistake?: string): Promise<void> {
    const what: Text = {
      en: `the connection of client ${this.name} is closed`,
      ko: `클라이언트 ${this.name} 의 연결이 닫힘`,
    };
    await this.#context.step(what, () => this.peer.expectEnd(what, mistake), mistake);
  }

  /** Whether the learner's end of the connection is open. */
  async isOpen(): Promise<boolean> {
    const { open } = await this.#context.learner.state();
    const mine = showAddr(this.peer.localAddr);
    return open.some((socket) => showAddr(socket.remoteAddr) === mine);
  }

  /** Ends the test if the server has hung up on a client that may still ask. */
  async expectOpen(mistake: string): Promise<void> {
    await this.#context.learner.rest();
    expectThat(
      await this.isOpen(),
      {
        en: `the connection of client ${this.name} stays open for its next request`,
        ko: `클라이언트 ${this.name} 의 연결은 다음 요청을 위해 열려 있음`,
      },
      { en: "it was closed", ko: "닫혔습니다" },
      mistake,
    );
  }
}

task(3, {
  en: "startServer() listens at once, and stop() gives the port back at once",
  ko: "startServer()는 곧바로 듣고, stop()은 곧바로 포트를 돌려줍니다",
}, async (context) => {
  const [first, second] = [await Serving.start(context), await Serving.start(context)];
  const client = await second.connected("A");
  const firstStop = await first.stop(LONG_MS);
  await first.expectStopped(firstStop, "waits-whole-grace", { timers: false });
  await client.expectOpen("shared-between-connections");
  await client.exchange("still there?", "shared-between-connections");
  const secondStop = await second.stop(LONG_MS);
  await second.expectStopped(secondStop, "idle-waits-for-grace");
  // The OS may have given one of the two to a stranger for a moment.
  expectThat(
    firstStop.isFree || secondStop.isFree,
    {
      en: "the port can be bound as soon as stop() has resolved",
      ko: "stop()이 끝나자마자 그 포트에 바인드할 수 있음",
    },
    {
      en: "AddrInUse: the pending accept() had not ended yet",
      ko: "AddrInUse: 대기 중인 accept()가 아직 끝나지 않았습니다",
    },
    "stop-resolves-early",
  );
}, {
  catches: [
    "waits-whole-grace",
    "idle-waits-for-grace",
    "accepts-after-stop",
    "timer-left",
    "stop-resolves-early",
    "shared-between-connections",
  ],
  unhandled: "gone-client-ends-server",
});

task(3, {
  en: "startServer() serves many clients at once, also one that has half-closed",
  ko: "startServer()는 여러 클라이언트를 동시에 섬기고, 반닫기를 한 클라이언트에게도 응답합니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  const slow = await serving.connect("A");
  const call = await slow.ask("takes long");
  const other = await serving.connect("B");
  await other.answer(await other.ask("is quick", "one-client-at-a-time"), "soon");
  await slow.answer(call, "at last");
  await other.expectOpen("one-request-per-connection");
  await other.peer.send(bytes("last words\n"));
  await other.peer.closeWrite();
  const last = await serving.asked("last words", "one-request-per-connection");
  await learner.rest();
  const ifClosed = learner.saw("streams") ? "readable-closes" : "reply-cut-off";
  await other.answer(last, "noted", ifClosed);
  await other.expectEnd("clients-kept");
  await serving.expectStopped(await serving.stop(LONG_MS), "idle-waits-for-grace");
}, {
  catches: [
    "one-client-at-a-time",
    "readable-closes",
    "reply-cut-off",
    "one-request-per-connection",
  ],
  unhandled: "gone-client-ends-server",
});

task(3, {
  en: "startServer() answers each line, however it is cut",
  ko: "startServer()는 어떻게 나뉘어 와도 줄마다 응답합니다",
}, async (context) => {
  const { learner, step } = context;
  const serving = await Serving.start(context);
  const client = await serving.connect("A");
  await client.exchange("the first line");
  await client.expectOpen("one-request-per-connection");
  await client.exchange("the second line", "one-request-per-connection");

  // Lines cut anywhere, also inside a character; an empty one. The kernel of a new client acknowledges at once, that
  // of one which has asked before only after 40 ms (tcp(7), TCP_QUICKACK), and a second small write waits for that.
  await learner.limit({ readBytes: 4, writeBytes: 3 });
  const second = await serving.connect("B");
  const lines = ["두 번째", "", "with CR", "in many reads"];
  await second.peer.send(bytes(lines.map((line, i) => `${line}${i % 2 ? "\n" : "\r\n"}`).join("")));
  for (const line of lines) {
    const call = await serving.asked(line, "line-per-read");
    await second.answer(call, `응답 ${line}`, "short-write");
  }
  await learner.limit({});

  // One that is longer than most buffers.
  const long = "a line that goes on, ".repeat(1_000);
  await client.answer(await client.ask(long, "fixed-buffer"), "long enough");

  // Several lines in one read. If they are handled side by side, the last is ready first.
  const third = await serving.connected("C");
  const many = ["one", "two", "three"];
  await third.peer.send(bytes(many.map((line) => `${line}\n`).join("")));
  const calls = [await serving.asked(many[0]!, "line-per-read")];
  await learner.rest();
  const begun = countOf(learner, "callback") - 8;
  for (let i = 1; i < begun; i++) calls.push(await serving.asked(many[i]!, "line-per-read"));
  for (const call of calls.toReversed()) {
    await serving.handle.settle(call, { value: `re: ${many[calls.indexOf(call)]}` });
  }
  for (let i = calls.length; i < many.length; i++) {
    const call = await serving.asked(many[i]!, "line-per-read");
    await serving.handle.settle(call, { value: `re: ${many[i]}` });
  }
  const replies = bytes(many.map((line) => `re: ${line}\n`).join(""));
  await step(
    { en: "the replies come in order", ko: "응답이 순서대로 도착함" },
    async () => {
      const received = await third.peer.receive(replies.length);
      const isMixed = received.toSorted().join() === replies.toSorted().join();
      expectBytes(received, replies, isMixed ? "replies-out-of-order" : "line-per-read");
    },
    "line-per-read",
  );
  await serving.expectStopped(await serving.stop(LONG_MS), "idle-waits-for-grace");
}, {
  catches: [
    "one-request-per-connection",
    "line-per-read",
    "fixed-buffer",
    "replies-out-of-order",
    "short-write",
  ],
  unhandled: "gone-client-ends-server",
});

task(3, {
  en: "startServer() takes a reply that handle() gives without a promise",
  ko: "startServer()는 handle()이 Promise 없이 준 응답도 보냅니다",
}, async (context) => {
  const serving = await Serving.start(context);
  await serving.handle.returnAtOnce("at once");
  const client = await serving.connect("A");
  await client.ask("what is a string?");
  await client.expectReply("at once", "value-or-promise");
  await client.ask("and again?", "value-or-promise");
  await client.expectReply("at once", "value-or-promise");
  await serving.expectStopped(await serving.stop(LONG_MS), "idle-waits-for-grace");
}, { catches: ["value-or-promise"], unhandled: "value-or-promise" });

for (const atOnce of [false, true]) {
  task(3, {
    en: `startServer() harms nobody else when handle() ${atOnce ? "throws at once" : "rejects"}`,
    ko: atOnce
      ? "startServer()는 handle()이 곧바로 던져도(throw) 다른 클라이언트를 해치지 않습니다"
      : "startServer()는 handle()이 실패해도(reject) 다른 클라이언트를 해치지 않습니다",
  }, async (context) => {
    const mistake = "handler-error-ends-server";
    const serving = await Serving.start(context);
    const other = await serving.connected("B");
    const failing = await serving.connect("A");
    if (atOnce) {
      await serving.handle.throwAtOnce("the handler failed before its first await");
      await failing.ask("throw", mistake);
    } else {
      const call = await failing.ask("reject", mistake);
      await serving.handle.settle(call, { throws: "the handler failed" });
    }
    await failing.expectEnd(mistake);
    // Whoever is asked next throws as well, but it is asked.
    const next = await serving.connect("C", mistake);
    const call = await next.ask("are you there?", mistake);
    if (!atOnce) {
      await next.answer(call, "yes", mistake);
      await other.exchange("and you?", mistake);
    }
    await other.expectOpen(mistake);
    await serving.expectStopped(await serving.stop(LONG_MS), "idle-waits-for-grace");
  }, {
    catches: ["handler-error-ends-server"],
    unhandled: "handler-error-ends-server",
  });
}

task(3, {
  en: "startServer() twice makes two servers that share nothing, and neither do their clients",
  ko:
    "startServer()를 두 번 부르면 서로 아무것도 나누지 않는 서버가 둘이고, 클라이언트도 그렇습니다",
}, async (context) => {
  const mistake = "shared-between-connections";
  const [first, second] = [await Serving.start(context), await Serving.start(context)];
  const half = await second.connect("A");
  const other = await second.connected("B", mistake);
  // The first half of a character, and meanwhile a line of somebody else.
  const [line, read] = [bytes("한 글자\n"), total(context.learner, "read")];
  await half.peer.send(line.subarray(0, 2));
  await until(context.learner, () => total(context.learner, "read") > read, new Promise(() => {}));
  await other.exchange("in between", mistake);
  await half.peer.send(line.subarray(2));
  await half.answer(await second.asked("한 글자", mistake), "yes", mistake);
  const stopping = await first.stop(LONG_MS);
  await context.step(STOPS, () => stopping.ended, mistake);
  await other.expectOpen(mistake);
  await other.exchange("still there?", mistake);
  await second.expectStopped(await second.stop(LONG_MS), "idle-waits-for-grace");
}, { catches: ["shared-between-connections"] });

task(3, {
  en: "startServer() changes nothing in a line, replies also with nothing, and to no half line",
  ko: "startServer()는 줄을 바꾸지 않고, 빈 응답도 보내며, 끝나지 않은 줄에는 응답하지 않습니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  const client = await serving.connect("A");
  await client.exchange("  spaces \t of its own\r ", "line-changed");
  await client.peer.send(bytes("two CRs and an LF\r\r\n"));
  await client.answer(await serving.asked("two CRs and an LF\r", "line-changed"), "one of them");
  await client.answer(await client.ask("say nothing"), "", "empty-reply-skipped");
  const before = countOf(learner, "callback");
  await client.peer.send(bytes("half a li"));
  await client.peer.closeWrite();
  // Whoever takes it for a request calls the handler; whoever does not hangs up.
  const ended = client.expectEnd("half-line-answered");
  await until(learner, () => countOf(learner, "callback") > before, ended);
  expectThat(
    countOf(learner, "callback") === before,
    {
      en: "no request is made of a line without its LF",
      ko: "LF가 없는 줄은 요청이 아님",
    },
    { en: "handle() was called with it", ko: "그 줄로 handle()이 호출되었습니다" },
    "half-line-answered",
  );
  await ended;
  await serving.expectStopped(await serving.stop(LONG_MS), "idle-waits-for-grace");
}, { catches: ["line-changed", "empty-reply-skipped", "half-line-answered"] });

task(3, {
  en: "startServer() goes on when clients are gone",
  ko: "startServer()는 클라이언트가 사라져도 계속합니다",
}, async (context) => {
  const { learner, peers } = context;
  const mistake = "gone-client-ends-server";
  const serving = await Serving.start(context);
  // One that is gone before it is accepted: the server stands still meanwhile.
  if (Deno.build.os === "linux") {
    await learner.asleep(() => peers.connectAndReset(serving.addr));
  }
  const witness = await serving.connected("A", mistake);
  // One that is idle, and one that has sent half a line.
  for (const sent of ["", "half a li"]) {
    const gone = await peers.connectToReset(serving.addr);
    if (sent) await gone.send(bytes(sent));
    await witness.exchange(`before the reset after "${sent}"`, mistake);
    await gone.reset();
    await witness.exchange(`after the reset after "${sent}"`, mistake);
  }
  // One whose request is in flight.
  const gone = await peers.connectToReset(serving.addr);
  await gone.send(bytes("the last request\n"));
  const call = await serving.asked("the last request", mistake);
  await gone.reset();
  await serving.handle.settle(call, { value: "nobody hears this" });
  await witness.exchange("still there?", mistake);
  await serving.connected("B", mistake);
  await serving.expectStopped(await serving.stop(LONG_MS), mistake);
}, { catches: ["gone-client-ends-server"], unhandled: "gone-client-ends-server" });

task(3, {
  en: "stop() closes idle clients at once",
  ko: "stop()은 쉬고 있는 연결을 곧바로 닫습니다",
}, async (context) => {
  const serving = await Serving.start(context);
  const clients = [await serving.connected("A"), await serving.connect("B")];
  const unfinished = await serving.connect("C");
  await unfinished.peer.send(bytes("half a li"));
  await clients[0]!.exchange("another");
  await serving.expectStopped(await serving.stop(LONG_MS), "idle-waits-for-grace");
  for (const client of [...clients, unfinished]) await client.expectEnd("clients-kept");
}, {
  catches: [
    "waits-whole-grace",
    "idle-waits-for-grace",
    "clients-kept",
    "accepts-after-stop",
    "timer-left",
    "stop-resolves-early",
  ],
});

task(3, {
  en: "stop() ends idle clients, refuses new ones, and lets a request in flight be answered",
  ko: "stop()은 쉬고 있는 연결을 닫고, 새 연결을 거부하고, 처리 중인 요청에는 응답합니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  const idle = await serving.connected("A");
  const busy = [await serving.connect("B"), await serving.connect("C")] as const;
  const calls = [await busy[0].ask("in flight"), await busy[1].ask("in flight, too")] as const;
  const stopping = await serving.stop(LONG_MS);
  const working = async (client: Client) => {
    await learner.rest();
    const { name } = client;
    if (!await client.isOpen()) {
      fail({
        expected: {
          en: `the request of client ${name}, which is in flight, is answered`,
          ko: `처리 중인 클라이언트 ${name}의 요청에 응답함`,
        },
        received: { en: "its connection was closed", ko: "연결을 닫았습니다" },
        mistake: "request-cut-off",
      });
    }
    if (!stopping.isOver) return;
    fail({
      expected: {
        en: `stop() waits for the request of client ${name}, which is in flight`,
        ko: `stop()은 처리 중인 클라이언트 ${name}의 요청을 기다림`,
      },
      received: { en: "it has resolved already", ko: "벌써 끝났습니다" },
      mistake: await idle.isOpen() ? "clients-kept" : "stop-resolves-early",
    });
  };
  await working(busy[0]);
  await idle.expectEnd("idle-waits-for-grace");
  await serving.expectRefused();
  for (const [i, client] of busy.entries()) {
    await working(client);
    await client.answer(calls[i]!, "answered all the same", "request-cut-off");
    await client.expectEnd("clients-kept");
  }
  await serving.expectStopped(stopping, "waits-whole-grace");
}, {
  catches: [
    "request-cut-off",
    "clients-kept",
    "stop-resolves-early",
    "idle-waits-for-grace",
    "accepts-after-stop",
    "waits-whole-grace",
    "timer-left",
  ],
  unhandled: "request-cut-off",
});

task(3, {
  en: "stop() lets a reply that is being written arrive whole",
  ko: "stop()은 쓰고 있는 응답이 모두 도착하게 합니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  const client = await serving.connect("A");
  const call = await client.ask("a long story");
  const reply = "once upon a time, ".repeat(60);
  await learner.limit({ room: [{ port: client.peer.port, bytes: 100 }] });
  await serving.handle.settle(call, { value: reply });
  await learner.waitsIn("write", new Promise(() => {}));
  const stopping = await serving.stop(LONG_MS);
  await learner.limit({ writeBytes: 100 });
  await client.expectReply(reply, "request-cut-off");
  await client.expectEnd("clients-kept");
  await serving.expectStopped(stopping, "waits-whole-grace");
}, { catches: ["request-cut-off"], unhandled: "request-cut-off" });

task(3, {
  en: "stop() called twice is one ending",
  ko: "stop()은 두 번 불러도 한 번의 종료입니다",
}, async (context) => {
  const { learner } = context;
  const mistake = "stops-twice";
  const serving = await Serving.start(context);
  const busy = await serving.connect("A");
  const call = await busy.ask("in flight");
  const first = await serving.stop(LONG_MS);
  const second = await serving.stop(LONG_MS, { mistake });
  await learner.rest();
  expectThat(
    !second.isOver || first.isOver,
    { en: "a second stop() waits for the same ending", ko: "두 번째 stop()도 같은 종료를 기다림" },
    { en: "it has resolved before the first", ko: "첫 번째보다 먼저 끝났습니다" },
    mistake,
  );
  await busy.answer(call, "done", "request-cut-off");
  await serving.expectStopped(first, "waits-whole-grace");
  await serving.expectStopped(second, mistake);
  await serving.expectStopped(await serving.stop(LONG_MS, { mistake }), mistake);
}, { catches: ["stops-twice"], unhandled: "stops-twice" });

task(3, {
  en: "stop() hangs up on a client that is accepted at that very moment",
  ko: "stop()은 바로 그 순간에 accept된 클라이언트의 연결도 끊습니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  const accepted = countOf(learner, "accept");
  await learner.limit({ holdAccepted: true });
  const client = await serving.connect("A");
  await until(learner, () => countOf(learner, "accept") > accepted, new Promise(() => {}));
  const stopping = await serving.stop(LONG_MS);
  await learner.limit({});
  await client.expectEnd("clients-kept");
  await serving.expectStopped(stopping, "clients-kept", { soon: true });
}, { catches: ["clients-kept"], unhandled: "gone-client-ends-server" });

task(3, {
  en: "stop() waits for nobody who is gone",
  ko: "stop()은 사라진 클라이언트를 기다리지 않습니다",
}, async (context) => {
  const { peers } = context;
  const mistake = "gone-client-ends-server";
  const serving = await Serving.start(context);
  const idle = await peers.connectToReset(serving.addr);
  const busy = await peers.connectToReset(serving.addr);
  await busy.send(bytes("in flight\n"));
  const call = await serving.asked("in flight");
  await idle.reset();
  await busy.reset();
  const stopping = await serving.stop(LONG_MS);
  await serving.handle.settle(call, { value: "nobody hears this" });
  await serving.expectStopped(stopping, mistake, { soon: true });
}, { catches: ["gone-client-ends-server"], unhandled: "gone-client-ends-server" });

task(3, {
  en: "stop() closes by force what is not done when the grace is over",
  ko: "stop()은 유예 시간이 지나면 끝나지 않은 것을 강제로 닫습니다",
}, async (context) => {
  const { learner } = context;
  const mistake = "grace-ignored";
  // Another server has all the time in the world.
  const patient = await Serving.start(context);
  const slow = await patient.connect("C");
  const slowCall = await slow.ask("takes long");
  const patience = await patient.stop(LONG_MS);
  const serving = await Serving.start(context);
  const hanging = await serving.connect("A");
  const hangingCall = await hanging.ask("takes for ever");
  const deaf = await serving.connect("B");
  const deafCall = await deaf.ask("tell me everything");
  // It does not read: the kernel takes a part of the reply, and has no room for the rest.
  await learner.limit({ room: [{ port: deaf.peer.port, bytes: 100 }] });
  await serving.handle.settle(deafCall, { value: "everything, ".repeat(100) });
  const stopping = await serving.stop(SHORT_MS);
  await learner.waitsIn("write", stopping.ended);
  await serving.expectStopped(stopping, mistake, { timers: false });
  expectThat(
    !patience.isOver,
    {
      en: `stop(${SHORT_MS}) is over before stop(${LONG_MS}), which was called first`,
      ko: `stop(${SHORT_MS})이 먼저 부른 stop(${LONG_MS})보다 먼저 끝남`,
    },
    { en: "it was over later", ko: "더 늦게 끝났습니다" },
    mistake,
  );
  await hanging.expectEnd(mistake);
  // The handler is done at last. Its reply goes nowhere, and does no harm there.
  await serving.handle.settle(hangingCall, { value: "too late" });
  await slow.answer(slowCall, "in time", mistake);
  await patient.expectStopped(patience, "waits-whole-grace");
}, {
  catches: ["grace-ignored", "clients-kept"],
  unhandled: "gone-client-ends-server",
  waitsMs: SHORT_MS,
});

task(3, {
  en: "stop(0) waits for nothing",
  ko: "stop(0)은 아무것도 기다리지 않습니다",
}, async (context) => {
  const mistake = "grace-ignored";
  const serving = await Serving.start(context);
  const hanging = await serving.connect("A");
  const call = await hanging.ask("takes for ever");
  await serving.expectStopped(await serving.stop(0), mistake);
  await hanging.expectEnd(mistake);
  await serving.handle.settle(call, { value: "too late" });
}, { catches: ["grace-ignored"], unhandled: "gone-client-ends-server" });

// --- task 4 ---

/** Two connections of the learner's with relay() between them. */
interface Relayed<A, B> {
  a: Link<A>;
  b: Link<B>;
  ended: Promise<unknown>;
}

/** Both connections went at the first end of file: by the streams, whose ends close them, or by the learner's code. */
function closedTooEarly(learner: Learner): string {
  return learner.saw("streams") ? "streams-close-connection" : "closes-at-first-end";
}

async function startRelay(context: TestContext): Promise<Relayed<PeerConn, PeerConn>> {
  const [a, b] = [await link(context), await link(context)];
  const { learner } = context;
  const ended = learner.call("relay", [a.conn, b.conn], {
    mistakeOf: () => closedTooEarly(learner),
  });
  return { a, b, ended };
}

async function expectCarried(
  { step }: TestContext,
  { from, to, data, mistake }: {
    from: PeerConn;
    to: PeerConn;
    data: Uint8Array;
    mistake: string;
  },
): Promise<void> {
  await step(
    { en: `${escapeBytes(data)} is carried on`, ko: `${escapeBytes(data)} 가 전달됨` },
    async () => {
      await from.send(data);
      await to.expect(data, mistake);
    },
    mistake,
  );
}

async function expectCounts(
  { step, learner }: TestContext,
  { a, b, ended }: Relayed<unknown, unknown>,
  aToB: number,
  bToA: number,
): Promise<void> {
  const value = await step(
    {
      en: "relay() ends when both directions have ended",
      ko: "두 방향이 모두 끝나면 relay()가 끝남",
    },
    () => ended,
    "not-closed-at-end",
  );
  const counts = await fieldsOf(learner, value, ["aToB", "bToA"]);
  const swapped = counts.aToB === bToA && counts.bToA === aToB && aToB !== bToA;
  const mistake = swapped ? "counts-swapped" : undefined;
  expectEqual(counts.aToB, aToB, { what: same("aToB"), mistake });
  expectEqual(counts.bToA, bToA, { what: same("bToA"), mistake });
  for (const { conn } of [a, b]) await expectClosed(learner, conn, "not-closed-at-end");
}

task(4, {
  en: "relay() carries both ways at once, as the two sides please",
  ko: "relay()는 두 방향을 동시에, 양쪽이 보내는 대로 중계합니다",
}, async (context) => {
  const relayed = await startRelay(context);
  const [pa, pb] = [relayed.a.peer, relayed.b.peer];
  const mistake = "one-direction-first";
  const turns: [PeerConn, PeerConn, string][] = [
    [pa, pb, "second question"],
    [pb, pa, "answer"],
    [pa, pb, "third question"],
    [pb, pa, "last answer"],
  ];
  const { learner } = context;
  await pa.send(bytes("first question"));
  // Whoever waits for the end of one direction has read this, and keeps it.
  await context.step(
    { en: "what comes from a is written to b", ko: "a에서 온 것을 b에 씀" },
    () => until(learner, () => total(learner, "read", relayed.a.conn) >= 14, relayed.ended),
    mistake,
  );
  await learner.rest();
  expectThat(
    total(learner, "write", relayed.b.conn) > 0,
    {
      en: "what comes from a is written to b before its end has come",
      ko: "a에서 온 것을, a의 끝이 오기 전에 b에 씀",
    },
    { en: "it was read, and not written", ko: "읽기만 하고 쓰지 않았습니다" },
    "relay-unbounded",
  );
  await pb.expect(bytes("first question"), mistake);
  for (const [from, to, text] of turns) {
    await expectCarried(context, { from, to, data: bytes(text), mistake });
  }
  await context.step(
    { en: "each side can end its own direction", ko: "양쪽이 저마다 자기 방향을 끝낼 수 있음" },
    async () => {
      await pb.closeWrite();
      await pa.closeWrite();
    },
    closedTooEarly(context.learner),
  );
  await expectCounts(context, relayed, 43, 17);
}, {
  catches: [
    "one-direction-first",
    "relay-unbounded",
    "closes-at-first-end",
    "streams-close-connection",
    "counts-swapped",
    "not-closed-at-end",
  ],
});

for (const first of ["a", "b"] as const) {
  task(4, {
    en: `relay() hands the end of ${first} on, and lets the other direction go on`,
    ko: `relay()는 ${first} 쪽의 끝을 전하고, 반대 방향은 계속합니다`,
  }, async (context) => {
    const { step } = context;
    const relayed = await startRelay(context);
    const { a, b } = relayed;
    const [early, late] = first === "a" ? [a.peer, b.peer] : [b.peer, a.peer];
    await expectCarried(context, {
      from: early,
      to: late,
      data: bytes("request"),
      mistake: "one-direction-first",
    });
    const end = async (from: PeerConn, to: PeerConn) => {
      await from.closeWrite();
      const what: Text = {
        en: "an end of file on one side arrives on the other",
        ko: "한쪽의 파일 끝(end of file)이 다른 쪽에 도착함",
      };
      await step(what, () => to.expectEnd(what), "half-close-not-handed-on");
    };
    await end(early, late);
    await expectCarried(context, {
      from: late,
      to: early,
      data: bytes("reply"),
      mistake: closedTooEarly(context.learner),
    });
    await end(late, early);
    const [sent, received] = first === "a" ? [7, 5] : [5, 7];
    await expectCounts(context, relayed, sent, received);
  }, {
    catches: [
      "half-close-not-handed-on",
      "closes-at-first-end",
      "streams-close-connection",
      "not-closed-at-end",
      "counts-swapped",
    ],
    unhandled: "closes-at-first-end",
  });
}

task(4, {
  en: "relay() carries every byte when write() takes only some",
  ko: "relay()는 write()가 일부만 받아도 모든 바이트를 중계합니다",
}, async (context) => {
  const { learner, random, step } = context;
  await learner.limit({ readBytes: 10, writeBytes: 3 });
  const relays = [await startRelay(context), await startRelay(context)].map((relayed) => ({
    relayed,
    up: random.bytes(40),
    down: random.bytes(60),
  }));
  // All directions have something to read at once.
  await learner.asleep(async () => {
    for (const { relayed: { a, b }, up, down } of relays) {
      await a.peer.send(up);
      await b.peer.send(down);
      await Promise.all([a.peer.closeWrite(), b.peer.closeWrite()]);
    }
  });
  const directions = relays.flatMap(({ relayed: { a, b }, up, down }) =>
    [[b.peer, up], [a.peer, down]] as const
  );
  for (const [peer, data] of directions) {
    const received = await step(
      { en: "all bytes and the end arrive", ko: "모든 바이트와 끝이 도착함" },
      () => peer.receive(data.length + 1),
      "half-close-not-handed-on",
    );
    await learner.rest();
    const isPart = received.length < data.length &&
      received.every((byte, i) => byte === data[i]);
    const isMixed = received.length === data.length;
    const mistake = isMixed ? "shared-between-connections" : "short-write";
    expectBytes(received, data, isPart ? closedTooEarly(learner) : mistake);
  }
  for (const { relayed, up, down } of relays) {
    await expectCounts(context, relayed, up.length, down.length);
  }
}, {
  catches: [
    "short-write",
    "closes-at-first-end",
    "streams-close-connection",
    "shared-between-connections",
  ],
});

/** What a relay may hold of a stream that passes through. */
const FLAT_BYTES = 6 * MIB;
/** What passes through, and how much of it finds room on the other side at first. */
const LARGE_BYTES = 8 * MIB;
const ROOM_BYTES = MIB / 4;

task(4, {
  en: "relay() reads no faster than it can write",
  ko: "relay()는 쓸 수 있는 것보다 빨리 읽지 않습니다",
}, async (context) => {
  const { learner, random, step } = context;
  const data = new Pattern(random.integer(1, 1_000_000), LARGE_BYTES).bytes;
  const relayed = await startRelay(context);
  const before = await learner.memoryInUse();
  const expectFlat = (heldBytes: number, when: Text) =>
    expectThat(
      heldBytes < FLAT_BYTES,
      when,
      {
        en: `more than ${FLAT_BYTES / MIB} MiB are held that were not there before`,
        ko: `전에 없던 메모리를 ${FLAT_BYTES / MIB} MiB 넘게 잡고 있습니다`,
      },
      "relay-unbounded",
    );
  await learner.limit({ room: [{ port: relayed.b.conn.remoteAddr!.port!, bytes: ROOM_BYTES }] });
  const sent = relayed.a.peer.send(data);
  sent.catch(() => {});
  await learner.stopsReading(relayed.a.conn, relayed.ended);
  const { open } = await learner.state();
  const from = open.find(({ resource }) => resource === relayed.a.conn.resource);
  expectFlat((from?.bytesRead ?? 0) - ROOM_BYTES, {
    en: "nothing is collected in memory while b does not read",
    ko: "b가 읽지 않는 동안 메모리에 모으지 않음",
  });
  await learner.limit({});
  const received = await step(
    { en: "all bytes arrive", ko: "모든 바이트가 도착함" },
    () => relayed.b.peer.receive(LARGE_BYTES),
    "short-write",
  );
  expectBytes(received, data, "short-write");
  await sent;
  expectFlat(await learner.memoryInUse() - before, {
    en: "nothing is kept of what was carried",
    ko: "나른 것을 메모리에 남겨 두지 않음",
  });
  await Promise.all([relayed.a.peer.closeWrite(), relayed.b.peer.closeWrite()]);
  await expectCounts(context, relayed, LARGE_BYTES, 0);
}, { catches: ["relay-unbounded", "short-write"], deadlineMs: 5_000 });

for (const gone of ["a", "b"] as const) {
  task(4, {
    en: `relay() closes both when ${gone} is reset`,
    ko: `relay()는 ${gone} 쪽이 재설정되면 둘 다 닫습니다`,
  }, async (context) => {
    const { learner, step } = context;
    const mistake = "reset-leaves-other";
    const [lost, left] = [await resetLink(context), await link(context)];
    const [a, b] = gone === "a" ? [lost, left] : [left, lost];
    const ended = learner.ends("relay", [a.conn, b.conn]);
    await lost.peer.send(bytes("last words"));
    await step(
      { en: "what came before the reset is carried on", ko: "재설정 전에 온 것은 전달됨" },
      () => left.peer.expect(bytes("last words"), "one-direction-first"),
      "one-direction-first",
    );
    await lost.peer.reset();
    await step(
      { en: `relay() ends when ${gone} is reset`, ko: `${gone} 쪽이 재설정되면 relay()가 끝남` },
      () => ended,
      mistake,
    );
    for (const { conn } of [lost, left]) {
      await expectClosed(learner, conn, mistake, {
        en: `both connections are closed when ${gone} was reset`,
        ko: `${gone} 쪽이 재설정되면 두 연결이 모두 닫힘`,
      });
    }
  }, { catches: ["reset-leaves-other"], unhandled: "reset-leaves-other" });
}

task(4, {
  en: "relay() closes both when b can be written to no more",
  ko: "relay()는 b에 더 쓸 수 없게 되면 둘 다 닫습니다",
}, async (context) => {
  const { learner, step } = context;
  const mistake = "reset-leaves-other";
  const [a, b] = [await link(context), await resetLink(context)];
  const ended = learner.ends("relay", [a.conn, b.conn]);
  // Nothing more is read from b after its end: only a write can tell of the reset.
  const halfClosed: Text = {
    en: "an end of file on one side arrives on the other",
    ko: "한쪽의 파일 끝(end of file)이 다른 쪽에 도착함",
  };
  b.peer.closeWrite();
  await step(halfClosed, () => a.peer.expectEnd(halfClosed), "half-close-not-handed-on");
  await b.peer.reset();
  await a.peer.send(bytes("is anybody there?"));
  // Who reads the next piece while this one is written finds out when that has come.
  await until(learner, () => writeFailed(learner, b.conn), ended);
  await a.peer.send(bytes("hello?")).catch(() => {});
  await step(
    { en: "relay() ends when b is gone", ko: "b가 사라지면 relay()가 끝남" },
    () => ended,
    mistake,
  );
  for (const { conn } of [a, b]) {
    await expectClosed(learner, conn, mistake, {
      en: "both connections are closed when b is gone",
      ko: "b가 사라지면 두 연결이 모두 닫힘",
    });
  }
}, { catches: ["reset-leaves-other"], unhandled: "reset-leaves-other" });

// --- task 5 ---

/** The result of sendUntilGone(), which tells what the kernel took. */
async function expectResult(
  { learner, step }: TestContext,
  { conn, ended, reason }: { conn: Remote; ended: Promise<unknown>; reason: string },
): Promise<void> {
  const expected: Text = {
    en: `sendUntilGone() resolves with reason "${reason}"`,
    ko: `sendUntilGone()이 reason "${reason}" 으로 끝남`,
  };
  const result = await fieldsOf(learner, await step(expected, () => ended), ["sent", "reason"]);
  expectEqual(result.reason, reason, { what: same("reason") });
  const taken = total(learner, "write", conn);
  expectEqual(result.sent, taken, {
    what: { en: "sent, the bytes that the kernel took", ko: "커널이 받은 바이트 수 sent" },
    mistake: "unsent-counted",
  });
  await expectClosed(learner, conn, "connection-leaked");
}

function goneMistake({ classes }: WireError): string | undefined {
  const gone = ["BrokenPipe", "ConnectionReset"].some((name) => classes.includes(name));
  return gone ? "gone-is-a-crash" : undefined;
}

/** Whether a write of that connection has failed already. */
function writeFailed({ events }: Learner, conn: Remote): boolean {
  return events.some((e) => e.event === "write" && e.resource === conn.resource && e.error);
}

/** Fails if the learner's code went on writing after the peer was found to be gone. */
function expectNoMoreWrites({ events }: Learner, conn: Remote): void {
  const failed = events.filter((e) =>
    e.event === "write" && e.resource === conn.resource && e.error
  );
  expectThat(
    failed.length < 2,
    { en: "nothing is written once the peer is gone", ko: "상대가 떠난 뒤에는 쓰지 않음" },
    {
      en: `${failed.length} writes failed`,
      ko: `실패한 쓰기가 ${failed.length}번입니다`,
    },
    "keeps-sending",
  );
}

task(5, {
  en: "sendUntilGone() sends every chunk whole, and closes",
  ko: "sendUntilGone()은 모든 조각을 빠짐없이 보내고 닫습니다",
}, async (context) => {
  const { learner, random, step } = context;
  await learner.limit({ writeBytes: 3 });
  const { conn, peer } = await link(context);
  const chunks = [random.bytes(10), new Uint8Array(0), random.bytes(5)];
  const ended = learner.call("sendUntilGone", [conn, chunks]);
  const received = await step(
    { en: "all chunks arrive, and then the end", ko: "모든 조각이, 그리고 끝이 도착함" },
    () => peer.receive(16),
    "connection-leaked",
  );
  // An error of the call says more than what it left unsent.
  await learner.rest();
  const all = Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
  // Whoever takes the empty chunk for the end has sent those before it whole.
  expectBytes(received, all, received.length === 10 ? undefined : "short-write");
  await expectResult(context, { conn, ended, reason: "finished" });
}, { catches: ["short-write", "connection-leaked", "unsent-counted"] });

task(5, {
  en: "sendUntilGone() takes a chunk when the one before is written",
  ko: "sendUntilGone()은 앞의 조각을 다 쓴 뒤에 다음 조각을 가져옵니다",
}, async (context) => {
  const { learner, step } = context;
  await learner.limit({ writeBytes: 3 });
  const { conn, peer } = await link(context);
  const { feed, calls } = await learner.feed();
  const ended = learner.call("sendUntilGone", [conn, feed]);
  const room = { port: conn.remoteAddr!.port!, bytes: 3 };
  const asked = () => countOf(learner, "callback");
  const next = async () => {
    const what: Text = { en: "the next chunk is asked for", ko: "다음 조각을 가져감" };
    return (await step(what, () => calls.next())).call;
  };
  let sent = 0;
  for (const [i, text] of ["a first chunk", "a second chunk"].entries()) {
    const call = await next();
    // The kernel takes three bytes and has no room for the next.
    await learner.limit({ writeBytes: 3, room: [{ ...room }] });
    await calls.settle(call, { value: { done: false, value: bytes(text) } });
    const written = () => total(learner, "write", conn) - sent;
    await until(learner, () => written() >= 3 || asked() > i + 1, ended);
    const { pending } = await learner.rest();
    const isWriting = pending.some(({ api, byLearner }) => api === "write" && byLearner);
    expectThat(
      asked() === i + 1,
      {
        en: "the next chunk is asked for when the one before is written whole",
        ko: "앞의 조각을 모두 쓴 뒤에 다음 조각을 가져감",
      },
      {
        en: `it was asked for when ${written()} of ${text.length} bytes were written`,
        ko: `${text.length}바이트 중 ${written()}바이트만 썼을 때 가져갔습니다`,
      },
      isWriting || written() === 0 ? "chunks-ahead" : "short-write",
    );
    await learner.limit({ writeBytes: 3 });
    sent += text.length;
    await step(
      { en: "the chunk arrives whole", ko: "조각이 빠짐없이 도착함" },
      () => peer.expect(bytes(text), "short-write"),
      "short-write",
    );
  }
  await calls.settle(await next(), { value: { done: true, value: undefined } });
  // Whoever ends the iterator of a source that has come to its end may do so.
  endWhenAsked(calls);
  await expectResult(context, { conn, ended, reason: "finished" });
}, { catches: ["short-write", "chunks-ahead", "connection-leaked", "unsent-counted"] });

/** What makes the chunks may fail for many reasons. One that reads them from a connection has its own peer. */
const FAILING_SOURCES: [source: Text, message: string, error?: string][] = [
  [{ en: "a disk", ko: "디스크" }, "the disk is full"],
  [
    { en: "another connection", ko: "다른 연결" },
    "the peer of the source has reset",
    "ConnectionReset",
  ],
];

/** Lets the source be ended, by whoever does that. */
function endWhenAsked(calls: Callback): void {
  calls.next()
    .then(({ call }) => calls.settle(call, { value: { done: true, value: undefined } }))
    .catch(() => {});
}

/** Gives sendUntilGone() what it asks for until it ends; `give` makes each chunk. */
async function feedUntilGone(
  context: TestContext,
  { conn, prepare, give }: {
    conn: Remote;
    prepare?: () => Promise<void>;
    give: (ended: Promise<unknown>, settle: (chunk: unknown) => Promise<void>) => Promise<void>;
  },
): Promise<void> {
  const { learner, step } = context;
  const { feed, calls } = await learner.feed();
  const ended = learner.call("sendUntilGone", [conn, feed], { mistakeOf: goneMistake });
  await prepare?.();
  let returned = false;
  const expected: Text = {
    en: 'sendUntilGone() resolves with reason "gone" when the peer has left',
    ko: '상대가 떠나면 sendUntilGone()이 reason "gone" 으로 끝남',
  };
  for (;;) {
    const asked = await step(
      expected,
      () => Promise.race([calls.next(), ended.then(() => undefined)]),
    );
    if (!asked) break;
    const { call, args } = asked;
    if (args[0] === "return") {
      returned = true;
      await calls.settle(call, { value: { done: true, value: undefined } });
      continue;
    }
    if (writeFailed(learner, conn)) {
      fail({
        expected: {
          en: "no more chunks are asked for once the peer is gone",
          ko: "상대가 떠난 뒤에는 조각을 더 가져가지 않음",
        },
        received: { en: "the next chunk was asked for", ko: "다음 조각을 가져갔습니다" },
        mistake: "keeps-sending",
      });
    }
    await give(ended, (value) => calls.settle(call, { value: { done: false, value } }));
  }
  await expectResult(context, { conn, ended, reason: "gone" });
  expectThat(
    returned,
    {
      en: "the iterator of the chunks is ended: its return() is called",
      ko: "조각의 이터레이터(iterator)를 끝냄: return()이 호출됨",
    },
    { en: "return() was not called", ko: "return()이 호출되지 않았습니다" },
    "iterator-left",
  );
  expectNoMoreWrites(learner, conn);
}

const GONE_CATCHES = [
  "gone-is-a-crash",
  "keeps-sending",
  "iterator-left",
  "unsent-counted",
  "connection-leaked",
];

task(5, {
  en: "sendUntilGone() ends when the peer has closed",
  ko: "sendUntilGone()은 상대가 닫으면 끝납니다",
}, async (context) => {
  const { conn, peer } = await link(context);
  // The first write after it still succeeds: the kernel does not know better yet.
  await feedUntilGone(context, {
    conn,
    prepare: () => Promise.resolve(peer.close()),
    give: (_, settle) => settle(bytes("ten bytes.")),
  });
}, { catches: GONE_CATCHES });

task(5, {
  en: "sendUntilGone() ends when the peer resets in the middle of a chunk",
  ko: "sendUntilGone()은 조각을 쓰는 중에 상대가 재설정하면 끝납니다",
}, async (context) => {
  const { learner, random } = context;
  const { conn, peer } = await resetLink(context);
  await feedUntilGone(context, {
    conn,
    give: async (ended, settle) => {
      await settle(new Pattern(random.integer(1, 1_000_000), MORE_THAN_FITS));
      await learner.waitsIn("write", ended);
      await peer.reset();
    },
  });
}, { catches: GONE_CATCHES });

task(5, {
  en: "sendUntilGone() ends when the peer had reset before",
  ko: "sendUntilGone()은 상대가 먼저 재설정했으면 곧바로 끝납니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await resetLink(context);
  await peer.reset();
  const chunks = ["one", "two", "three"].map(bytes);
  const ended = learner.call("sendUntilGone", [conn, chunks], { mistakeOf: goneMistake });
  await expectResult(context, { conn, ended, reason: "gone" });
  expectNoMoreWrites(learner, conn);
}, { catches: GONE_CATCHES.filter((id) => id !== "iterator-left") });

for (const [source, message, error] of FAILING_SOURCES) {
  task(5, {
    en: `sendUntilGone() lets an error of the chunks' source through, and closes: ${source.en}`,
    ko: `sendUntilGone()은 조각을 만드는 쪽의 오류를 전달하고 닫습니다: ${source.ko}`,
  }, async (context) => {
    const { learner, step } = context;
    const { conn, peer } = await link(context);
    const { feed, calls } = await learner.feed();
    const expected: Text = {
      en: `the error of the source surfaces: "${message}"`,
      ko: `조각을 만드는 쪽의 오류가 전달됨: "${message}"`,
    };
    const failed = learner.throws("sendUntilGone", [conn, feed], {
      expected,
      mistake: "every-error-is-gone",
    });
    const next = () =>
      step({ en: "the next chunk is asked for", ko: "다음 조각을 가져감" }, () => calls.next());
    await calls.settle((await next()).call, { value: { done: false, value: bytes("a chunk") } });
    await calls.settle((await next()).call, { throws: message, ...(error && { error }) });
    // Whoever ends the iterator of a source that has failed may do so.
    endWhenAsked(calls);
    expectMessage(await step(expected, () => failed), message, expected, "every-error-is-gone");
    await expectClosed(learner, conn, "connection-leaked", {
      en: "the connection is closed when the source fails",
      ko: "조각을 만드는 쪽이 실패하면 연결이 닫힘",
    });
    await peer.expect(bytes("a chunk"));
  }, { catches: ["every-error-is-gone", "connection-leaked"] });
}

for (const name of ["ConnectionAborted", "NotConnected"] as const) {
  task(5, {
    en: `sendUntilGone() takes ${name} for a peer that has left, too`,
    ko: `sendUntilGone()은 ${name}도 상대가 떠난 것으로 봅니다`,
  }, async (context) => {
    const { learner } = context;
    const { conn } = await link(context);
    await learner.faults({ api: ["write"], times: 1, error: name });
    const ended = learner.call("sendUntilGone", [conn, [bytes("one"), bytes("two")]], {
      mistakeOf: () => "gone-is-a-crash",
    });
    await expectResult(context, { conn, ended, reason: "gone" });
  }, { catches: ["gone-is-a-crash"] });
}

task(5, {
  en: "sendUntilGone() lets any other error of a write through, and closes",
  ko: "sendUntilGone()은 쓸 때의 다른 오류를 전달하고 닫습니다",
}, async (context) => {
  const { learner } = context;
  const { conn } = await link(context);
  const mistake = "every-error-is-gone";
  const expected: Text = {
    en: "Deno.errors.PermissionDenied surfaces: the peer has not left",
    ko: "Deno.errors.PermissionDenied 오류가 전달됨: 상대가 떠난 것이 아님",
  };
  await learner.faults({ api: ["write"], times: 1, error: "PermissionDenied" });
  const error = await learner.throws("sendUntilGone", [conn, [bytes("one")]], {
    expected,
    mistake,
  });
  expectErrorClass(error, "PermissionDenied", expected, mistake);
  await expectClosed(learner, conn, "connection-leaked");
}, { catches: ["every-error-is-gone", "connection-leaked"] });

// --- task 6 ---

/** The exercise as a program, and where it listens. */
interface Started {
  program: Program;
  addr: Endpoint;
}

async function startProgram({ program: start }: TestContext): Promise<Started> {
  const program = start();
  const expected: Text = {
    en: "the program prints: Listening on 127.0.0.1:PORT",
    ko: "프로그램의 출력: Listening on 127.0.0.1:PORT",
  };
  const port = await program.line((line) => {
    if (!/listening/i.test(line)) return undefined;
    const [, port] = /^Listening on 127\.0\.0\.1:(\d+)$/.exec(line) ?? [];
    if (port === undefined || Number(port) === 0) {
      fail({ expected, received: JSON.stringify(line), mistake: "prints-wrong-port" });
    }
    return Number(port);
  }, { expected, mistake: "prints-nothing" });
  return { program, addr: { hostname: "127.0.0.1", port } };
}

async function connectTo({ peers, step }: TestContext, { addr }: Started): Promise<PeerConn> {
  return await step(
    {
      en: "a client can connect to the printed port",
      ko: "출력된 포트에 클라이언트가 연결할 수 있음",
    },
    () => peers.connect(addr),
    "prints-wrong-port",
  );
}

async function expectAnswer(
  { program }: Started,
  peer: PeerConn,
  line: string,
): Promise<void> {
  const reply = bytes(`${line.toUpperCase()}\n`);
  await peer.send(bytes(`${line}\n`));
  const expected: Text = {
    en: `the reply ${escapeBytes(reply)}`,
    ko: `응답 ${escapeBytes(reply)}`,
  };
  await program.during(peer.expect(reply), { expected });
}

const LET_GO: Text = {
  en: "after the signal an idle client sees the end of file",
  ko: "신호 뒤에 쉬고 있던 클라이언트가 파일 끝을 봄",
};

/** Waits until an idle client is let go: by then the first signal has been dealt with. */
async function expectLetGo({ program }: Started, peer: PeerConn): Promise<void> {
  await program.during(peer.expectEnd(LET_GO), { expected: LET_GO, mistake: "never-exits" });
}

/** Fails unless the program ended by itself, with that status. */
function expectStatus(
  end: ChildEnd,
  status: number,
  { expected, mistake }: { expected: Text; mistake: string },
): void {
  const right = end.code === status && !end.signal;
  expectThat(right, expected, showEnd(end), mistake);
}

type SignalName = "SIGINT" | "SIGTERM";

/** The program was ended by a signal. Which of the two end it that way, when nothing else went on before? */
async function signalMistake(context: TestContext): Promise<string> {
  const signals = await Promise.all((["SIGINT", "SIGTERM"] as const).map(async (name) => {
    const started = await startProgram(context);
    const { program } = started;
    // It answers: by then it has said what it does on a signal.
    await expectAnswer(started, await connectTo(context, started), "hello");
    program.signal(name);
    return (await program.exit({ expected: ends(name), mistake: "never-exits" })).signal;
  }));
  const killed = signals.filter((signal) => signal !== null).length;
  return ["second-signal-ignored", "one-signal-only", "signal-ignored"][killed]!;
}

function ends(name: SignalName): Text {
  return {
    en: `the program ends with status 0 after ${name}`,
    ko: `${name} 뒤에 프로그램이 종료 상태 0으로 끝남`,
  };
}

async function expectCleanEnd(
  context: TestContext,
  { program, addr }: Started,
  name: SignalName,
): Promise<void> {
  const end = await program.exit({ expected: ends(name), mistake: "never-exits" });
  const mistake = end.signal ? await signalMistake(context) : "wrong-exit-status";
  expectStatus(end, 0, { expected: ends(name), mistake });
  await expectFree(addr, program.pid);
}

const SIGNAL_CATCHES = [
  "prints-nothing",
  "prints-wrong-port",
  "signal-ignored",
  "one-signal-only",
  "never-exits",
  "wrong-exit-status",
];

/** The deadline of a test that runs programs: each step of theirs has a limit of its own. */
const LONGEST_MS = 10_000;

/** Signals can be sent to a process, as far as Deno knows how. */
const hasSignals = Deno.build.os !== "windows";

task(6, {
  en: "main() prints its port, answers in upper case, and ends on SIGINT",
  ko: "main()은 포트를 출력하고, 대문자로 응답하고, SIGINT에 끝납니다",
}, async (context) => {
  const started = await startProgram(context);
  const client = await connectTo(context, started);
  for (const line of ["hello", "한글 and straße"]) await expectAnswer(started, client, line);
  if (!hasSignals) return;
  started.program.signal("SIGINT");
  await expectLetGo(started, client);
  await expectCleanEnd(context, started, "SIGINT");
}, { catches: SIGNAL_CATCHES, deadlineMs: LONGEST_MS });

if (hasSignals) {
  task(6, {
    en: "main() ends on SIGTERM, too",
    ko: "main()은 SIGTERM에도 끝납니다",
  }, async (context) => {
    const started = await startProgram(context);
    const client = await connectTo(context, started);
    await expectAnswer(started, client, "hello");
    started.program.signal("SIGTERM");
    await expectLetGo(started, client);
    await expectCleanEnd(context, started, "SIGTERM");
  }, { catches: SIGNAL_CATCHES, deadlineMs: LONGEST_MS });

  /** The second signal may be the first once more, or the other one. */
  const SIGNALS = [["SIGINT", "SIGINT"], ["SIGTERM", "SIGINT"]] as const;
  const GRACE_MS = 10_000;

  for (const [first, second] of SIGNALS) {
    task(6, {
      en:
        `main() gives replies in flight ten seconds, and ends at once on ${second} after ${first}`,
      ko: `main()은 보내던 응답을 10초 동안 기다리고, ${first} 뒤의 ${second}에는 곧바로 끝납니다`,
    }, async (context) => {
      const { learner, step } = context;
      const { idle, busy } = await withRepliesInFlight(context);
      const exited = learner.exit();
      learner.signal(first);
      await step(LET_GO, () => idle.expectEnd(LET_GO), "signal-ignored");
      const inTime: Text = {
        en: `a reply in flight has ${GRACE_MS / 1000} s after ${first}`,
        ko: `보내던 응답에는 ${first} 뒤에 ${GRACE_MS / 1000}초의 시간이 있음`,
      };
      const { open } = await learner.elapse(GRACE_MS - 100).catch(async (error) => {
        if (!(error instanceof ChildEndedError)) throw error;
        const mistake = error.end.signal ? await signalMistake(context) : "exit-mid-reply";
        fail({ expected: inTime, received: showEnd(error.end), mistake });
      });
      expectThat(
        busy.every((peer) => open.some(({ remoteAddr }) => remoteAddr?.port === peer.port)),
        inTime,
        { en: "its connection was closed before", ko: "그 전에 연결을 닫았습니다" },
        "grace-too-short",
      );

      // One of the two reads on. Its reply arrives whole; the other one keeps the program.
      await learner.limit({ room: [{ port: busy[1].port, bytes: 0 }] });
      await step(
        {
          en: "the reply in flight arrives whole, and its connection is closed",
          ko: "보내던 응답이 모두 도착하고 그 연결이 닫힘",
        },
        async () => {
          await busy[0].expect(bytes(" FLIGHT\n"), "exit-mid-reply");
          await busy[0].expectEnd(LET_GO, "never-exits");
        },
        "never-exits",
      );
      learner.signal(second);
      const expected: Text = {
        en: `the program ends at once, with status 130, on ${second} as the second signal`,
        ko: `두 번째 신호 ${second}에 프로그램이 곧바로 종료 상태 130으로 끝남`,
      };
      const end = await step(expected, () => exited, "second-signal-ignored");
      const mistake = end.signal ? await signalMistake(context) : "wrong-exit-status";
      expectStatus(end, 130, { expected, mistake });
    }, {
      catches: [
        "grace-too-short",
        "second-signal-ignored",
        "exit-mid-reply",
        "never-exits",
        "signal-ignored",
        "one-signal-only",
        "wrong-exit-status",
      ],
    });
  }
}

/** main() at work: an idle client, and two whose replies the kernel has no room for. */
async function withRepliesInFlight(
  { learner, peers, step }: TestContext,
): Promise<{ idle: PeerConn; busy: [PeerConn, PeerConn] }> {
  const over = learner.call("main", [], { mayReject: true });
  over.catch(() => {});
  await until(learner, () => learner.saw("listen"), over);
  const addr = learner.events.find(({ event }) => event === "listen")?.addr;
  // An error of main() says more than that nobody listens.
  if (!addr) await over;
  const to = { hostname: "127.0.0.1", port: addr?.port ?? 0 };
  const idle = await peers.connect(to);
  await idle.send(bytes("hello\n"));
  await step({ en: "the reply HELLO", ko: "응답 HELLO" }, () => idle.expect(bytes("HELLO\n")));
  const busy: [PeerConn, PeerConn] = [await peers.connect(to), await peers.connect(to)];
  await learner.limit({ room: busy.map((peer) => ({ port: peer.port, bytes: 2 })) });
  for (const peer of busy) {
    await peer.send(bytes("in flight\n"));
    await step(
      { en: "the first bytes of a reply arrive", ko: "응답의 첫 바이트들이 도착함" },
      () => peer.expect(bytes("IN")),
    );
  }
  return { idle, busy };
}
