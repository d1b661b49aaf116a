/**
 * Lesson 3: bytes go and come.
 *
 * @module
 */

import type { WireError } from "../workbook/protocol.ts";
import { join, same, type Text } from "../workbook/text.ts";
import { bytes, concat, escapeBytes, expectBytes } from "./support/bytes.ts";
import { showError, showValue } from "./support/explain.ts";
import { expectEqual, expectErrorClass, expectMessage, expectThat } from "./support/expect.ts";
import { fail } from "./support/failure.ts";
import type { CallOptions, RemoteSocket } from "./support/learner.ts";
import { hasIpv6, secondLoopback } from "./support/machine.ts";
import type { PeerConn, PeerSocket } from "./support/peer.ts";
import { task, type TestContext } from "./support/suite.ts";
import { every, pause } from "./support/timers.ts";
import { showAddr } from "./support/transcript.ts";
import { Pattern, Remote, View } from "./support/wire.ts";

const MIB = 1024 * 1024;
/** Nobody waits for this. */
const LONG_MS = 60_000;
/** What a request that has to give up waits per attempt: all of it is waited for. */
const SHORT_MS = 30;
/** Limits on each write that every sender has to live with. */
const WRITE_LIMITS = [1, 3, 7];

/** A connection in the learner's process, and the suite's end of it. */
interface Link {
  conn: Remote;
  peer: PeerConn;
}

/** A new connection; no read of the learner's crosses one of `cuts`. */
async function link(context: TestContext, cuts?: number[]): Promise<Link> {
  const [only] = await links(context, 1, cuts);
  return only!;
}

/** So many connections to the same server: all that tells them apart is the learner's port. */
async function links(
  { learner, peers }: TestContext,
  count: number,
  cuts?: number[],
): Promise<Link[]> {
  const listener = peers.listen();
  const made: Link[] = [];
  for (let i = 0; i < count; i++) {
    const conn = await learner.dial(listener.addr, cuts);
    made.push({ conn, peer: await listener.accept() });
  }
  return made;
}

/** Every way to cut a stream in two, and the stream in single bytes. */
function everyCut(length: number): number[][] {
  const inTwo = Array.from({ length: length - 1 }, (_, i) => [i + 1]);
  return [...inTwo, Array.from({ length: length - 1 }, (_, i) => i + 1)];
}

function cutText(cuts: number[]): Text {
  return cuts.length === 1
    ? { en: `cut after byte ${cuts[0]}`, ko: `${cuts[0]}번째 바이트 뒤에서 나뉨` }
    : { en: "one byte at a time", ko: "한 바이트씩 도착" };
}

/** The value as bytes, or the end of the test. */
function bytesOf(value: unknown, call: string, mistake?: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  fail({
    expected: {
      en: `${call} resolves to a Uint8Array`,
      ko: `${call} 호출의 결과는 Uint8Array`,
    },
    received: showValue(value),
    mistake,
  });
}

/** For calls on a connection that the code under test may have closed itself. */
const told = {
  mistakeOf: ({ classes }: WireError) =>
    classes.includes("BadResource") ? "closed-for-the-caller" : undefined,
};

/** What a step that hangs shows: whoever has met the end of a stream again and again goes round in circles. */
function orLoop({ learner }: TestContext, mistake?: string): () => string | undefined {
  return () => {
    const ends = learner.events.filter(({ event, size }) => event === "read" && size === null);
    return ends.length > 100 ? "eof-loops" : mistake;
  };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

// --- task 1 ---

task(1, {
  en: "writeAll() sends every byte when write() takes only some",
  ko: "writeAll()은 write()가 일부만 받아도 모든 바이트를 보냅니다",
}, async (context) => {
  const { learner, random } = context;
  for (const writeBytes of [undefined, ...WRITE_LIMITS]) {
    const data = random.bytes(40);
    const { conn, peer } = await link(context);
    await learner.limit(writeBytes ? { writeBytes } : {});
    await learner.call("writeAll", [conn, data], { mistake: "short-write" });
    await learner.close(conn);
    expectBytes(await peer.receive(data.length + 1), data, "short-write");
  }
}, { catches: ["short-write"] });

task(1, {
  en: "writeAll() of nothing sends nothing, and leaves the connection open",
  ko: "writeAll()은 빈 데이터를 보내지 않고, 연결은 열어 둡니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await link(context);
  await learner.call("writeAll", [conn, new Uint8Array(0)]);
  const mistake = "closed-for-the-caller";
  await learner.call("writeAll", [conn, bytes("after")], { mistake });
  await learner.call("writeAll", [conn, bytes("wards")], { mistake });
  await peer.expect(bytes("afterwards"));
}, { catches: ["closed-for-the-caller"] });

task(1, {
  en: "writeAll() sends data that is part of a longer buffer",
  ko: "writeAll()은 더 긴 버퍼의 일부인 데이터도 보냅니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await link(context);
  const data = bytes("in the middle");
  await learner.call("writeAll", [conn, new View(data)], { mistake: "subarray-offset" });
  await learner.close(conn);
  expectBytes(await peer.receive(data.length + 1), data, "subarray-offset");
}, { catches: ["subarray-offset"] });

task(1, {
  en: "writeAll() leaves the caller's data as it is",
  ko: "writeAll()은 호출자의 데이터를 바꾸지 않습니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await link(context);
  await learner.limit({ writeBytes: 3 });
  const data = bytes("still needed");
  const [outcome] = await learner.callEach("writeAll", [[conn, data]], { spoil: true });
  await peer.expect(data, "short-write");
  expectThat(
    outcome?.changed === false,
    { en: "data is not changed", ko: "data가 바뀌지 않음" },
    { en: "other bytes are in it now", ko: "이제 다른 바이트가 들어 있습니다" },
    "data-changed",
  );
}, { catches: ["data-changed"] });

/** Messages that are told apart by every byte of them. */
const MESSAGES = ["A", "B", "C"].map((letter) => letter.repeat(30));

task(1, {
  en: "writeAll() does not mix the bytes of three calls at the same time",
  ko: "writeAll()은 동시에 세 번 불려도 데이터의 바이트를 섞지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  await learner.limit({ writeBytes: 1 });
  const calls = await learner.asleep(() =>
    MESSAGES.map((data) => learner.call("writeAll", [conn, bytes(data)]))
  );
  const received = await step(
    { en: "all three arrive", ko: "셋 모두 도착함" },
    () => peer.receive(MESSAGES.join("").length),
    "interleaved-senders",
  );
  const text = new TextDecoder().decode(received);
  // The order is free, as long as each is in one piece.
  const inOrder = MESSAGES.toSorted((a, b) => text.indexOf(a[0]!) - text.indexOf(b[0]!));
  expectBytes(received, bytes(inOrder.join("")), "interleaved-senders");
  await Promise.all(calls);
}, { catches: ["interleaved-senders"] });

task(1, {
  en: "writeAll() sends 16 MiB to a reader that starts late",
  ko: "writeAll()은 늦게 읽기 시작하는 상대에게도 16 MiB를 모두 보냅니다",
}, async (context) => {
  const { learner, random, step } = context;
  const pattern = new Pattern(random.integer(1, 1_000_000), 16 * MIB);
  const [{ conn, peer }, other] = await links(context, 2) as [Link, Link];
  const sent = learner.call("writeAll", [conn, pattern]);
  await learner.waitsIn("write", sent);
  const behind = learner.call("writeAll", [conn, bytes("behind it")]);
  await step(
    {
      en: "the program goes on while one writeAll() waits for another",
      ko: "writeAll() 하나가 다른 것을 기다리는 동안에도 프로그램이 돌아감",
    },
    () => learner.rest(),
    "spins-for-its-turn",
  );
  // Whoever does not read on one connection holds up nobody on another.
  await step(
    {
      en: "writeAll() on another connection does not wait for this one",
      ko: "다른 연결의 writeAll()은 이 연결을 기다리지 않음",
    },
    () => learner.call("writeAll", [other.conn, bytes("meanwhile")]),
    "shared-between-connections",
  );
  const closed = Promise.all([sent, behind]).then(() => learner.close(conn));
  const received = await step(
    { en: "all 16 MiB arrive", ko: "16 MiB가 모두 도착함" },
    () => peer.receive(pattern.length + 9),
    "short-write",
  );
  expectBytes(received.subarray(0, pattern.length), pattern.bytes, "short-write");
  expectBytes(received.subarray(pattern.length), bytes("behind it"), "short-write");
  await closed;
}, {
  catches: ["short-write", "spins-for-its-turn", "shared-between-connections"],
  deadlineMs: 5_000,
});

task(1, {
  en: "writeAll() tells that the connection failed, and a later call is not harmed",
  ko: "writeAll()은 연결 오류를 알리고, 다음 호출에는 영향을 주지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  await learner.limit({ writeBytes: 3 });
  await learner.faults({ api: ["write"], skip: 1, times: 1, error: "BrokenPipe" });
  const expected = {
    en: "Deno.errors.BrokenPipe surfaces",
    ko: "Deno.errors.BrokenPipe 오류가 전달됨",
  };
  const error = await learner.throws("writeAll", [conn, bytes("lost in the middle")], {
    expected,
    mistake: "write-error-hidden",
  });
  expectErrorClass(error, "BrokenPipe", expected, "wrong-error-class");
  await expectOpen(context, conn);
  await learner.limit({});
  await step(
    { en: "the next writeAll() sends its bytes", ko: "다음 writeAll()이 바이트를 보냄" },
    () => learner.call("writeAll", [conn, bytes("next")], { mistake: "queue-broken" }),
    "queue-broken",
  );
  await peer.expect(bytes("losnext"), "write-error-hidden");
}, {
  catches: ["write-error-hidden", "wrong-error-class", "queue-broken", "closed-for-the-caller"],
  unhandled: "queue-broken",
});

task(1, {
  en: "writeAll() that failed does not fail the call that already waits behind it",
  ko: "writeAll()이 실패해도, 뒤에서 이미 기다리던 호출은 실패하지 않습니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await link(context);
  await learner.faults({ api: ["write"], times: 1, error: "BrokenPipe" });
  const expected = {
    en: "Deno.errors.BrokenPipe surfaces",
    ko: "Deno.errors.BrokenPipe 오류가 전달됨",
  };
  const [failed, second] = await learner.asleep(() => [
    learner.throws("writeAll", [conn, bytes("lost")], {
      expected,
      mistake: "write-error-hidden",
    }),
    learner.call("writeAll", [conn, bytes("next")], { ...told, mistake: "queue-broken" }),
  ]);
  await context.step(
    { en: "the second call sends its bytes", ko: "둘째 호출이 바이트를 보냄" },
    () => Promise.all([failed, second]),
    "queue-broken",
  );
  await peer.expect(bytes("next"), "queue-broken");
}, { catches: ["write-error-hidden", "queue-broken"], unhandled: "queue-broken" });

// --- task 2 ---

async function readExactly(
  { learner, step }: TestContext,
  conn: Remote,
  expected: Uint8Array,
  { mistake, mistakeIf, what }: CallOptions & { what?: Text } = {},
): Promise<void> {
  const shown: Text = same(escapeBytes(expected));
  const wanted = what ? join([shown, same(" ("), what, same(")")]) : shown;
  const value = await step(
    wanted,
    () =>
      learner.call("readExactly", [conn, expected.length], {
        ...told,
        expected: wanted,
        ...(mistakeIf && { mistakeIf }),
        ...(mistake && { mistake }),
      }),
    mistake,
  );
  const received = bytesOf(value, "readExactly()");
  const id = isTooLong(received, expected)
    ? "reads-too-much"
    : hasReplaced(received)
    ? "text-for-bytes"
    : mistake;
  expectBytes(received, expected, id);
}

/** What was expected, and bytes of what comes after it. */
function isTooLong(received: Uint8Array, expected: Uint8Array): boolean {
  return received.length > expected.length &&
    sameBytes(received.subarray(0, expected.length), expected);
}

task(2, {
  en: "readExactly() takes n bytes and leaves the rest for the next call",
  ko: "readExactly()는 n바이트만 가져가고 나머지는 다음 호출에 남깁니다",
}, async (context) => {
  const { conn, peer } = await link(context);
  await peer.send(bytes("hello, world"));
  await peer.closeWrite();
  await readExactly(context, conn, bytes("hello"), { mistake: "one-read-one-message" });
  await expectOpen(context, conn);
  const rest = { mistake: "reads-too-much" };
  await readExactly(context, conn, bytes(", "), rest);
  await readExactly(context, conn, bytes("world"), rest);
}, { catches: ["one-read-one-message", "reads-too-much", "closed-for-the-caller"] });

task(2, {
  en: "readExactly() survives a stream that is cut anywhere",
  ko: "readExactly()는 스트림이 어디서 나뉘어도 정확히 읽습니다",
}, async (context) => {
  const message = bytes("hello");
  for (const cuts of everyCut(message.length)) {
    const { conn, peer } = await link(context, cuts);
    await peer.send(concat(message, bytes("next")));
    const what = cutText(cuts);
    await readExactly(context, conn, message, { mistake: "one-read-one-message", what });
    // Whoever asks for all of it again after the first part takes some of this.
    await readExactly(context, conn, bytes("next"), { mistake: "reads-too-much", what });
  }
}, { catches: ["one-read-one-message", "reads-too-much"] });

task(2, {
  en: "readExactly() waits for the bytes that are still to come",
  ko: "readExactly()는 아직 오지 않은 바이트를 기다립니다",
}, async (context) => {
  const { learner, random } = context;
  const data = random.bytes(70_000);
  const { conn, peer } = await link(context);
  const read = learner.call("readExactly", [conn, data.length], {
    mistake: "one-read-one-message",
  });
  await peer.send(data.subarray(0, 1_000));
  await learner.waitsIn("read", read);
  await peer.send(data.subarray(1_000));
  const received = bytesOf(await read, "readExactly()");
  const mistake = hasReplaced(received) ? "text-for-bytes" : "one-read-one-message";
  expectBytes(received, data, mistake);
}, { catches: ["one-read-one-message"] });

/** Only echo() may close. */
async function expectOpen({ learner }: TestContext, socket: Remote): Promise<void> {
  expectThat(
    await learner.isOpen(socket),
    socket.kind === "datagram"
      ? { en: "the socket stays open", ko: "소켓은 열린 채로 있음" }
      : { en: "the connection stays open", ko: "연결은 열린 채로 있음" },
    { en: "it was closed", ko: "닫혔습니다" },
    "closed-for-the-caller",
  );
}

function endText(came: number, wanted: number): Text {
  return {
    en: `Deno.errors.UnexpectedEof that tells ${came} of ${wanted} bytes`,
    ko: `${wanted}바이트 중 ${came}바이트라고 알리는 Deno.errors.UnexpectedEof`,
  };
}

/** The error of a stream that ended early, with both numbers in its message. */
function expectUnexpectedEnd(error: WireError, came: number, wanted: number): void {
  const expected = endText(came, wanted);
  expectErrorClass(error, "UnexpectedEof", expected, "wrong-error-class");
  const numbers: string[] = error.message.match(/\d+/g) ?? [];
  const tells = numbers.includes(`${came}`) ||
    (came === 0 && /\b(no|none|nothing|any)\b/i.test(error.message));
  const swapped = new RegExp(`\\b${wanted}( of |/)${came}\\b`).test(error.message);
  expectThat(
    tells && numbers.includes(`${wanted}`) && !swapped,
    expected,
    showError(error),
    "eof-without-count",
  );
}

task(2, {
  en: "readExactly() throws UnexpectedEof when the stream ends first",
  ko: "readExactly()는 스트림이 먼저 끝나면 UnexpectedEof를 던집니다",
}, async (context) => {
  const { learner, step } = context;
  for (const came of [3, 0]) {
    const { conn, peer } = await link(context);
    if (came > 0) await peer.send(bytes("hello").subarray(0, came));
    await peer.closeWrite();
    const expected = endText(came, 5);
    const error = await step(
      expected,
      () => learner.throws("readExactly", [conn, 5], { expected, mistake: "early-end-accepted" }),
      "eof-loops",
    );
    expectUnexpectedEnd(error, came, 5);
    await expectOpen(context, conn);
  }
}, {
  catches: [
    "early-end-accepted",
    "eof-loops",
    "wrong-error-class",
    "eof-without-count",
    "closed-for-the-caller",
  ],
});

task(2, {
  en: "readExactly() of no bytes is done at once",
  ko: "readExactly()는 0바이트라면 바로 끝납니다",
}, async (context) => {
  const { conn, peer } = await link(context);
  await readExactly(context, conn, bytes(""), { mistake: "zero-bytes-waits" });
  await peer.send(bytes("later"));
  await readExactly(context, conn, bytes(""), { mistake: "zero-bytes-waits" });
  await readExactly(context, conn, bytes("later"), { mistake: "zero-bytes-waits" });
}, { catches: ["zero-bytes-waits"] });

task(2, {
  en: "readExactly() gives bytes that a later call does not change",
  ko: "readExactly()가 준 바이트는 다음 호출로 바뀌지 않습니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await link(context);
  await peer.send(bytes("firstother"));
  const first = await learner.call("readExactly", [conn, 5], { hold: true });
  await learner.call("readExactly", [conn, 5], told);
  const kept = first instanceof Remote ? await learner.value(first) : first;
  expectBytes(bytesOf(kept, "readExactly()"), bytes("first"), "shared-buffer");
  // Nor does a pool that comes round again some calls later.
  for (let i = 0; i < 20; i++) {
    await peer.send(new Uint8Array(5_000));
    await learner.call("readExactly", [conn, 5_000]);
  }
  const later = first instanceof Remote ? await learner.value(first) : first;
  expectBytes(bytesOf(later, "readExactly()"), bytes("first"), "shared-buffer");
}, { catches: ["shared-buffer"] });

task(2, {
  en: "readExactly() on two connections at the same time gives each its own bytes",
  ko: "readExactly()는 두 연결에서 동시에 불려도 각자의 바이트를 줍니다",
}, async (context) => {
  const { learner } = context;
  const [a, b] = [await link(context), await link(context)];
  await a.peer.send(bytes("he"));
  const first = learner.call("readExactly", [a.conn, 5]);
  await learner.waitsIn("read", first);
  await b.peer.send(bytes("world"));
  const mistake = "shared-between-connections";
  await readExactly(context, b.conn, bytes("world"), { mistake });
  await a.peer.send(bytes("llo"));
  expectBytes(bytesOf(await first, "readExactly()"), bytes("hello"), mistake);
}, { catches: ["shared-between-connections"] });

// --- task 3 ---

/** The four bytes of a length, most significant first. */
function lengthBytes(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
}

function frame(payload: Uint8Array): Uint8Array {
  return concat(lengthBytes(payload.length), payload);
}

/** What a wrong prefix looks like. */
function prefixMistake(received: Uint8Array, length: number): string | undefined {
  const prefix = received.subarray(0, 4);
  if (sameBytes(prefix, lengthBytes(length).toReversed())) return "little-endian";
  if (sameBytes(prefix, lengthBytes(length + 4))) return "prefix-counts-itself";
  return undefined;
}

task(3, {
  en: "encodeFrame() puts a 32-bit big-endian length before the payload",
  ko: "encodeFrame()은 32비트 빅 엔디언(big-endian) 길이를 앞에 붙입니다",
}, async ({ learner, random }) => {
  const vectors: [payload: Uint8Array, prefix: number[]][] = [
    [bytes("hello"), [0, 0, 0, 5]],
    [bytes(""), [0, 0, 0, 0]],
    [random.bytes(300), [0, 0, 1, 44]],
    [random.bytes(70_000), [0, 1, 17, 112]],
  ];
  for (const [payload, prefix] of vectors) {
    const value = await learner.callSync("encodeFrame", [payload]);
    const received = bytesOf(value, "encodeFrame()");
    const expected = new Uint8Array(4 + payload.length);
    expected.set(prefix);
    expected.set(payload, 4);
    const mistake = received.length === 0
      ? "empty-frame-is-end"
      : prefixMistake(received, payload.length);
    expectBytes(received, expected, mistake);
  }
}, { catches: ["little-endian", "prefix-counts-itself", "empty-frame-is-end"] });

task(3, {
  en: "encodeFrame() takes a payload that is part of a longer buffer",
  ko: "encodeFrame()은 더 긴 버퍼의 일부인 payload도 다룹니다",
}, async ({ learner }) => {
  const payload = bytes("in the middle");
  const value = await learner.callSync("encodeFrame", [new View(payload)]);
  const received = bytesOf(value, "encodeFrame()");
  const mistake = prefixMistake(received, payload.length) ?? "subarray-offset";
  expectBytes(received, concat(Uint8Array.of(0, 0, 0, 13), payload), mistake);
}, { catches: ["subarray-offset"] });

task(3, {
  en: "encodeFrame() gives a frame that a later call does not change",
  ko: "encodeFrame()이 준 프레임은 다음 호출로 바뀌지 않습니다",
}, async ({ learner }) => {
  const first = await learner.callSync("encodeFrame", [bytes("first")], { hold: true });
  await learner.callSync("encodeFrame", [bytes("other")]);
  const kept = first instanceof Remote ? await learner.value(first) : first;
  expectBytes(bytesOf(kept, "encodeFrame()"), frame(bytes("first")), "shared-buffer");
}, { catches: ["shared-buffer"] });

/** Calls readFrame() and expects that payload, or null for the end. */
async function readFrame(
  context: TestContext,
  conn: Remote,
  expected: Uint8Array | null,
  { mistake, mistakeIf, maxBytes = 1_000, what, insteadOf = () => mistake, ifNull = mistake }:
    & CallOptions
    & {
      maxBytes?: number;
      what?: Text;
      /** The mistake that other bytes show. */
      insteadOf?: (received: Uint8Array) => string | undefined;
      /** The mistake that null shows, where a frame is there. */
      ifNull?: string;
    } = {},
): Promise<void> {
  const { learner, step } = context;
  const shown: Text = expected
    ? same(escapeBytes(expected.subarray(0, 32)))
    : { en: "null, at the end between frames", ko: "프레임 사이에서 끝났으므로 null" };
  const wanted = what ? join([shown, same(" ("), what, same(")")]) : shown;
  const options = {
    expected: wanted,
    ...(mistake && { mistake }),
    ...(mistakeIf && { mistakeIf }),
    ...told,
  };
  const value = await step(
    wanted,
    () => learner.call("readFrame", [conn, maxBytes], options),
    orLoop(context, mistake),
  );
  if (expected && value !== null) {
    const received = bytesOf(value, "readFrame()");
    const isMore = expected.length > 0 && isTooLong(received, expected);
    // A length in front of the payload is told by itself.
    const isWhole = sameBytes(received.subarray(4), expected) &&
      received[3] === expected.length % 256;
    const id = isMore
      ? "reads-too-much"
      : isWhole
      ? undefined
      : hasReplaced(received)
      ? "text-for-bytes"
      : insteadOf(received);
    return expectBytes(received, expected, id);
  }
  if (expected || value !== null) {
    const id = expected ? ifNull : mistake;
    fail({ expected: wanted, received: showValue(value), mistake: id });
  }
}

task(3, {
  en: "readFrame() gives the frames of a stream one by one, then null",
  ko: "readFrame()은 프레임을 하나씩 주고, 끝에서 null을 줍니다",
}, async (context) => {
  const { random } = context;
  const long = random.bytes(300);
  const { conn, peer } = await link(context);
  await peer.send(concat(frame(bytes("hello")), frame(long), frame(bytes("end"))));
  await peer.closeWrite();
  await readFrame(context, conn, bytes("hello"), {
    mistake: "little-endian",
    mistakeIf: ["UnexpectedEof", "prefix-counts-itself"],
  });
  await readFrame(context, conn, long, {
    mistake: "prefix-counts-itself",
    // The length is still that of the frame before: it was looked for in the wrong part of the buffer.
    insteadOf: ({ length }) => length === 5 ? "subarray-offset" : "prefix-counts-itself",
    ifNull: "reads-too-much",
  });
  await readFrame(context, conn, bytes("end"), { mistake: "prefix-counts-itself" });
  for (let i = 0; i < 2; i++) await readFrame(context, conn, null, { mistake: "end-is-error" });
}, {
  catches: [
    "little-endian",
    "prefix-counts-itself",
    "subarray-offset",
    "reads-too-much",
    "end-is-error",
  ],
});

task(3, {
  en: "readFrame() gives a payload that a later call does not change",
  ko: "readFrame()이 준 payload는 다음 호출로 바뀌지 않습니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await link(context);
  await peer.send(concat(frame(bytes("first")), frame(bytes("other"))));
  const first = await learner.call("readFrame", [conn, 1_000], { ...told, hold: true });
  await learner.call("readFrame", [conn, 1_000], told);
  const kept = first instanceof Remote ? await learner.value(first) : first;
  expectBytes(bytesOf(kept, "readFrame()"), bytes("first"), "shared-buffer");
}, { catches: ["shared-buffer", "closed-for-the-caller"] });

task(3, {
  en: "readFrame() takes an empty frame for a frame",
  ko: "readFrame()은 빈 프레임도 프레임으로 봅니다",
}, async (context) => {
  const { conn, peer } = await link(context);
  await peer.send(concat(frame(bytes("")), frame(bytes("after")), frame(bytes(""))));
  await peer.closeWrite();
  const mistake = "empty-frame-is-end";
  for (const payload of ["", "after", ""]) {
    await readFrame(context, conn, bytes(payload), { mistake });
  }
  await readFrame(context, conn, null, { mistake });
}, { catches: ["empty-frame-is-end"] });

task(3, {
  en: "readFrame() survives frames that are cut anywhere",
  ko: "readFrame()은 프레임이 어디서 나뉘어도 읽어 냅니다",
}, async (context) => {
  const stream = concat(frame(bytes("hey")), frame(bytes("you")));
  for (const cuts of everyCut(stream.length)) {
    const { conn, peer } = await link(context, cuts);
    await peer.send(stream);
    await peer.closeWrite();
    const inHeader = cuts.length === 1 && (cuts[0]! < 4 || (cuts[0]! > 7 && cuts[0]! < 11));
    const mistake = inHeader ? "header-in-one-read" : "one-read-one-message";
    for (const payload of ["hey", "you"]) {
      await readFrame(context, conn, bytes(payload), { mistake, what: cutText(cuts) });
    }
  }
}, { catches: ["header-in-one-read", "one-read-one-message"] });

task(3, {
  en: "readFrame() throws UnexpectedEof when the stream ends inside a frame",
  ko: "readFrame()은 프레임 중간에 스트림이 끝나면 UnexpectedEof를 던집니다",
}, async (context) => {
  const { learner, step } = context;
  const whole = frame(bytes("hey"));
  for (let length = 1; length < whole.length; length++) {
    const { conn, peer } = await link(context);
    await peer.send(whole.subarray(0, length));
    await peer.closeWrite();
    const expected: Text = {
      en: `Deno.errors.UnexpectedEof after ${length} of 7 bytes`,
      ko: `7바이트 중 ${length}바이트에서 끝났으므로 Deno.errors.UnexpectedEof`,
    };
    const mistake = "end-inside-accepted";
    const error = await step(
      expected,
      () => learner.throws("readFrame", [conn, 100], { expected, mistake }),
      "eof-loops",
    );
    expectErrorClass(error, "UnexpectedEof", expected, "wrong-error-class");
  }
}, { catches: ["end-inside-accepted", "eof-loops", "wrong-error-class"] });

task(3, {
  en: "readFrame() takes a frame of exactly the limit",
  ko: "readFrame()은 한도와 똑같은 길이의 프레임을 받습니다",
}, async (context) => {
  const { learner } = context;
  const { conn, peer } = await link(context);
  await peer.send(frame(bytes("0123456789")));
  await readFrame(context, conn, bytes("0123456789"), {
    maxBytes: 10,
    mistake: "limit-off-by-one",
  });
  // A limit of 0 is a limit, too.
  const mistake = "limit-off-by-one";
  await peer.send(concat(frame(bytes("")), frame(bytes("x"))));
  await readFrame(context, conn, bytes(""), { maxBytes: 0, mistake });
  const expected: Text = {
    en: "RangeError, since 1 is more than the limit of 0",
    ko: "1은 한도 0보다 크므로 RangeError",
  };
  const error = await learner.throws("readFrame", [conn, 0], { expected, mistake });
  expectErrorClass(error, "RangeError", expected, classMistake(error, mistake));
}, { catches: ["limit-off-by-one", "wrong-error-class"] });

/** An error of another class that was thrown for the limit, or one that just came of going on. */
function classMistake({ message, classes }: WireError, goneOn: string): string {
  const isOfLimit = /\d/.test(message) && !classes.includes("UnexpectedEof");
  return isOfLimit ? "wrong-error-class" : goneOn;
}

task(3, {
  en: "readFrame() on two connections at the same time gives each its own frame",
  ko: "readFrame()은 두 연결에서 동시에 불려도 각자의 프레임을 줍니다",
}, async (context) => {
  const { learner, random } = context;
  const mistake = "shared-between-connections";
  const [a, b] = [await link(context), await link(context)];
  const [short, long] = [frame(bytes("hello")), random.bytes(70_000)];
  await a.peer.send(short.subarray(0, 2));
  const first = learner.call("readFrame", [a.conn, 100_000], { mistake });
  await learner.waitsIn("read", first);
  const sent = b.peer.send(frame(long));
  await readFrame(context, b.conn, long, { maxBytes: 100_000, mistake });
  await sent;
  await a.peer.send(short.subarray(2));
  const expected = same(escapeBytes(bytes("hello")));
  const value = await context.step(expected, () => first, mistake);
  expectBytes(bytesOf(value, "readFrame()", mistake), bytes("hello"), mistake);
}, { catches: ["shared-between-connections"] });

task(3, {
  en: "readFrame() refuses a longer frame before it takes memory for it",
  ko: "readFrame()은 더 긴 프레임을 메모리를 잡기 전에 거절합니다",
}, async (context) => {
  const { learner, step } = context;
  const lengths: [length: number, mistake: string][] = [
    [1_001, "giant-length-allocated"],
    // More than a process of the learner's is given: to take it fails, and that error names no limit.
    [0x3000_0000, "giant-length-allocated"],
    [0x8000_0000, "signed-length"],
    [0xffff_ffff, "signed-length"],
  ];
  for (const [length, mistake] of lengths) {
    const { conn, peer } = await link(context);
    await peer.send(concat(lengthBytes(length), bytes("a few bytes")));
    await peer.closeWrite();
    const expected: Text = {
      en: `RangeError that names ${length} and the limit of 1000`,
      ko: `길이 ${length}와 한도 1000을 알리는 RangeError`,
    };
    const error = await step(
      expected,
      () => learner.throws("readFrame", [conn, 1_000], { expected, mistake }),
      mistake,
    );
    expectErrorClass(error, "RangeError", expected, classMistake(error, mistake));
    // What a typed array says of a length that it cannot have.
    const isOfArray = /array|allocat/i.test(error.message);
    for (const number of [length, 1_000]) {
      const plain = { ...error, message: error.message.replaceAll(/(?<=\d)[,_](?=\d)/g, "") };
      // A length below zero is told as such.
      const isOther = isOfArray || (number === length && /-\d/.test(error.message));
      expectMessage(plain, `${number}`, expected, isOther ? mistake : "limit-without-numbers");
    }
    await expectOpen(context, conn);
  }
}, {
  catches: [
    "giant-length-allocated",
    "signed-length",
    "wrong-error-class",
    "limit-without-numbers",
    "closed-for-the-caller",
  ],
});

// --- task 4 ---

/** Begins readLines() on a connection. */
async function lines({ learner }: TestContext, conn: Remote): Promise<Remote> {
  const generator = await learner.call("readLines", [conn], { hold: true });
  if (generator instanceof Remote) return await learner.iterate(generator);
  fail({
    expected: {
      en: "readLines() returns an AsyncGenerator",
      ko: "readLines() 호출의 결과는 AsyncGenerator",
    },
    received: showValue(generator),
  });
}

function showLines(list: unknown[]): string {
  return `[${list.map(showValue).join(", ")}]`;
}

/** Sends `text` whole, ends the stream, and compares the lines that come out. */
async function expectLines(
  context: TestContext,
  text: string | Uint8Array,
  expected: string[],
  { cuts, mistake, hang = mistake }: {
    cuts?: number[];
    mistake: string | ((received: unknown[]) => string | undefined);
    hang?: string | ((received: unknown[]) => string | undefined);
  },
): Promise<void> {
  const { learner, step } = context;
  const { conn, peer } = await link(context, cuts);
  const data = typeof text === "string" ? bytes(text) : text;
  await peer.send(data);
  await peer.closeWrite();
  const wanted = cuts
    ? join([same(`${showLines(expected)} (`), cutText(cuts), same(")")])
    : same(showLines(expected));
  const received = await step(wanted, async () => {
    return await learner.collect(await lines(context, conn), {
      expected: wanted,
      most: 1_000,
      // What a fatal decoder says.
      mistakeOf: ({ message }) => /encoded data/.test(message) ? "invalid-utf8-throws" : undefined,
    });
  }, orLoop(context, typeof hang === "string" ? hang : undefined));
  if (received.length === expected.length && expected.every((line, i) => line === received[i])) {
    return;
  }
  const id = typeof mistake === "string" ? mistake : mistake(received);
  fail({ expected: wanted, received: showLines(received), mistake: id });
}

task(4, {
  en: "readLines() gives each line without its LF or CRLF",
  ko: "readLines()는 각 줄을 LF나 CRLF 없이 줍니다",
}, async (context) => {
  await expectLines(context, "one\ntwo\r\nthree\n", ["one", "two", "three"], {
    mistake: (received) => {
      if (received.at(-1) === "") return "extra-empty-line";
      if (received[0] === "one\ntwo") return "crlf-only";
      if (received.some((line) => `${line}`.includes("\n"))) return "line-per-read";
      if (received.some((line) => `${line}`.includes("\r"))) return "cr-kept";
      if (`${received.at(-1)}`.includes("\0")) return "whole-buffer-decoded";
      return received.length < 3 ? "leftover-dropped" : "line-per-read";
    },
  });
}, {
  catches: [
    "extra-empty-line",
    "crlf-only",
    "cr-kept",
    "whole-buffer-decoded",
    "leftover-dropped",
    "line-per-read",
    "eof-loops",
  ],
});

task(4, {
  en: "readLines() keeps the spaces and zero bytes of a line",
  ko: "readLines()는 줄에 있는 공백과 0바이트를 그대로 둡니다",
}, async (context) => {
  await expectLines(context, "  indented\r\ntab\t \n\t\n", ["  indented", "tab\t ", "\t"], {
    mistake: "line-trimmed",
  });
  await expectLines(context, "a\0b\n\0\n", ["a\0b", "\0"], { mistake: "whole-buffer-decoded" });
}, { catches: ["line-trimmed", "whole-buffer-decoded"] });

task(4, {
  en: "readLines() gives empty lines, and a last line without a newline",
  ko: "readLines()는 빈 줄도, 개행 없는 마지막 줄도 줍니다",
}, async (context) => {
  await expectLines(context, "\nhead\n\r\n\nlast", ["", "head", "", "", "last"], {
    mistake: (received) => {
      if (received.at(-1) !== "last") return "last-line-lost";
      return received.includes("") ? undefined : "empty-lines-skipped";
    },
  });
  await expectLines(context, "", [], { mistake: "extra-empty-line" });
  // The end may come within a character, too.
  const broken = concat(bytes("one\ntw"), Uint8Array.of(0xec, 0x95));
  await expectLines(context, broken, ["one", "tw\ufffd"], {
    mistake: (received) => hasBytesAsCharacters(received) ?? "last-line-lost",
  });
  await expectLines(context, Uint8Array.of(0xec), ["\ufffd"], { mistake: "last-line-lost" });
}, {
  catches: [
    "last-line-lost",
    "empty-lines-skipped",
    "extra-empty-line",
    "bytes-as-characters",
    "invalid-utf8-throws",
  ],
});

/** Where nothing of the kind was sent: bytes of UTF-8, each as a character of its own. */
function hasBytesAsCharacters(received: unknown[]): string | undefined {
  return /[\u0080-\u00ff]/.test(received.join()) ? "bytes-as-characters" : undefined;
}

task(4, {
  en: "readLines() survives a stream that is cut anywhere",
  ko: "readLines()는 스트림이 어디서 나뉘어도 줄을 읽어 냅니다",
}, async (context) => {
  const text = "ab\r\n소켓 🔌\n\nz\r\n";
  const expected = ["ab", "소켓 🔌", "", "z"];
  for (const cuts of everyCut(bytes(text).length)) {
    await expectLines(context, text, expected, {
      cuts,
      mistake: (received) => {
        const all = received.join("|");
        if (all.includes("\ufffd")) return "utf8-per-chunk";
        if (hasBytesAsCharacters(received)) return "bytes-as-characters";
        if (all.includes("\r")) return "crlf-split";
        // Only where CR and LF come apart, as one line more.
        if (cuts.length === 1 && cuts[0] === 3) return "crlf-split";
        // As many lines, with other bytes in them: what was kept was overwritten.
        if (received.length === expected.length) return "shared-buffer";
        return received.length > expected.length ? "line-per-read" : "leftover-dropped";
      },
    });
  }
}, {
  catches: [
    "utf8-per-chunk",
    "bytes-as-characters",
    "crlf-split",
    "line-per-read",
    "leftover-dropped",
    "shared-buffer",
  ],
});

task(4, {
  en: "readLines() gives a line as soon as its newline is there",
  ko: "readLines()는 개행이 도착하면 바로 그 줄을 줍니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  const iterator = await lines(context, conn);
  const parts = [["first\nsec", "first"], ["ond\r\n", "second"], ["third\n", "third"]] as const;
  for (const [part, line] of parts) {
    await peer.send(bytes(part));
    const expected = same(showValue(line));
    const { value } = await step(expected, () => learner.next(iterator), "lines-at-the-end");
    expectEqual(value as string, line, { mistake: "leftover-dropped" });
  }
}, { catches: ["lines-at-the-end", "leftover-dropped"] });

task(4, {
  en: "readLines() keeps a BOM and a CR that ends no line, and replaces what is not UTF-8",
  ko: "readLines()는 BOM과 줄 끝이 아닌 CR을 그대로 두고, UTF-8이 아닌 바이트는 바꿉니다",
}, async (context) => {
  await expectLines(context, "\ufeffhead\n", ["\ufeffhead"], { mistake: "bom-lost" });
  await expectLines(context, "a\rb\r\r\nc\n", ["a\rb\r", "c"], { mistake: "cr-inside-lost" });
  await expectLines(context, "a\nb\r", ["a", "b\r"], { mistake: "cr-inside-lost" });
  const broken = concat(bytes("x"), Uint8Array.of(0xff), bytes("y\nz\n"));
  await expectLines(context, broken, ["x\ufffdy", "z"], { mistake: "invalid-utf8-throws" });
  // The half of a character, and then the newline: the other half cannot come any more.
  const half = concat(bytes("x"), Uint8Array.of(0xec, 0x95), bytes("\nz\n"));
  await expectLines(context, half, ["x\ufffd", "z"], { mistake: "half-character-carried" });
}, {
  catches: ["bom-lost", "cr-inside-lost", "invalid-utf8-throws", "half-character-carried"],
});

task(4, {
  en: "readLines() leaves the connection open when its caller has heard enough",
  ko: "readLines()는 호출자가 중간에 그만두어도 연결을 열어 둡니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  const iterator = await lines(context, conn);
  await peer.send(bytes("QUIT\nand more"));
  const { value } = await step(
    same(showValue("QUIT")),
    () => learner.next(iterator),
    "lines-at-the-end",
  );
  expectEqual(value as string, "QUIT", { mistake: "leftover-dropped" });
  // What `break` in a `for await` does. Whoever reads ahead is still in that read.
  const ended = learner.method(iterator, "return");
  await Promise.race([ended, learner.rest()]);
  await expectOpen(context, conn);
  await peer.closeWrite();
  await step({ en: "readLines() ends", ko: "readLines()가 끝남" }, () => ended);
}, { catches: ["lines-at-the-end", "leftover-dropped", "closed-for-the-caller"] });

task(4, {
  en: "readLines() reads a line of 60,000 characters and a thousand short ones",
  ko: "readLines()는 6만 글자인 줄도, 짧은 줄 천 개도 읽습니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  const long = "0123456789".repeat(6_000);
  const short = Array.from({ length: 1_000 }, (_, i) => `${i}`);
  const sent = peer.send(bytes(`${long}\n${short.join("\n")}\n`)).then(() => peer.closeWrite());
  sent.catch(() => {});
  const expected = {
    en: "one line of 60,000 characters, then a thousand numbers",
    ko: "6만 글자인 줄 하나와 숫자 줄 천 개",
  };
  const received = await step(
    expected,
    async () => await learner.collect(await lines(context, conn), { most: 1_100 }),
  );
  await sent;
  const texts = received.map((line) => line === long ? "long" : showValue(line).slice(0, 20));
  const right = received.length === 1_001 && received[0] === long &&
    short.every((line, i) => line === received[i + 1]);
  if (right) return;
  fail({
    expected,
    received: {
      en: `${received.length} lines: ${texts.slice(0, 3).join(", ")}, …`,
      ko: `${received.length}줄: ${texts.slice(0, 3).join(", ")}, …`,
    },
    mistake: "line-per-read",
  });
}, { catches: ["line-per-read"] });

task(4, {
  en: "readLines() on two connections by turns gives each its own lines",
  ko: "readLines()는 두 연결에서 번갈아 불려도 각자의 줄을 줍니다",
}, async (context) => {
  const { learner, step } = context;
  const [a, b] = [await link(context), await link(context)];
  const [fromA, fromB] = [await lines(context, a.conn), await lines(context, b.conn)];
  // Each stops in a word, and in a character of it.
  const [restOfA, restOfB] = [bytes("셋"), bytes("넷")];
  await a.peer.send(concat(bytes("one\ntwo\n"), restOfA.subarray(0, 2)));
  await b.peer.send(concat(bytes("1\nanother\n"), restOfB.subarray(0, 1)));
  const mistake = "shared-between-connections";
  const expectNext = async (line: string, next: () => Promise<{ value?: unknown }>) => {
    const { value } = await step(same(showValue(line)), next, mistake);
    expectEqual(value as string, line, { mistake });
  };
  const firstOnes = [[fromA, "one"], [fromB, "1"], [fromA, "two"], [fromB, "another"]] as const;
  for (const [iterator, line] of firstOnes) {
    await expectNext(line, () => learner.next(iterator));
  }
  const [nextOfA, nextOfB] = [learner.next(fromA), learner.next(fromB)];
  await learner.waitsIn("read", nextOfA);
  await learner.rest();
  await a.peer.send(concat(restOfA.subarray(2), bytes("\n")));
  await b.peer.send(concat(restOfB.subarray(1), bytes("\n")));
  await expectNext("셋", () => nextOfA);
  await expectNext("넷", () => nextOfB);
}, { catches: ["shared-between-connections"] });

// --- task 5 ---

/** Waits for echo()'s end and compares its count; `before` are the bytes of the connections before this one. */
async function expectCount(
  { step }: TestContext,
  counted: Promise<unknown>,
  count: number,
  before = 0,
): Promise<void> {
  const what = { en: "echo() resolves to the count of bytes", ko: "echo()의 결과: 바이트 수" };
  const value = await step(what, () => counted, "echo-not-closed");
  const isSum = before > 0 && value === before + count;
  const mistake = isSum ? "shared-between-connections" : "characters-counted";
  expectEqual(value as number, count, { what, mistake });
}

const CLOSED_UNDER_IT = ["BadResource", "Interrupted"];

/** Begins echo(): an error of a connection that is closed by itself tells of a write that was not waited for. */
function startEchoOf({ learner }: TestContext, conn: Remote, mistake?: string): Promise<unknown> {
  return learner.call("echo", [conn], {
    mistakeOf: ({ classes }) =>
      CLOSED_UNDER_IT.some((name) => classes.includes(name)) ? "closed-while-writing" : mistake,
  });
}

/** Whether a write of the learner's has failed because the connection was closed under it. */
function isClosedWhileWriting({ learner }: TestContext): boolean {
  return learner.events.some(({ event, error }) =>
    event === "write" && CLOSED_UNDER_IT.some((name) => error?.classes.includes(name))
  );
}

const PEER_SEES_END: Text = {
  en: "after the half-close the connection ends",
  ko: "반닫기(half-close) 뒤에 연결이 끝남",
};

task(5, {
  en: "echo() sends each piece back when it comes, until the peer half-closes, then closes",
  ko: "echo()는 오는 대로 되돌려 보내다가, 상대가 반닫기(half-close)하면 연결을 닫습니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  const counted = startEchoOf(context, conn);
  for (const text of ["ping", "소켓", "!"]) {
    await peer.send(bytes(text));
    const same_ = same(escapeBytes(bytes(text)));
    await step(same_, () => peer.expect(bytes(text), "echo-stops-early"), "echo-collects");
  }
  await peer.closeWrite();
  await step(
    PEER_SEES_END,
    () => peer.expectEnd(PEER_SEES_END, "whole-buffer-echoed"),
    orLoop(context, "echo-not-closed"),
  );
  await expectCount(context, counted, 11);
  const { open } = await learner.state();
  expectThat(
    !open.some(({ resource }) => resource === conn.resource),
    { en: "echo() closes the connection", ko: "echo()가 연결을 닫음" },
    { en: "it is still open", ko: "아직 열려 있습니다" },
    "echo-not-closed",
  );
}, {
  catches: [
    "echo-collects",
    "echo-stops-early",
    "echo-not-closed",
    "whole-buffer-echoed",
    "characters-counted",
    "eof-loops",
  ],
});

task(5, {
  en: "echo() sends back any bytes, however reads and writes are cut",
  ko: "echo()는 읽기와 쓰기가 어떻게 나뉘어도 모든 바이트를 되돌려 보냅니다",
}, async (context) => {
  const { learner, step, random } = context;
  const limits = [{}, { readBytes: 1 }, ...WRITE_LIMITS.map((writeBytes) => ({ writeBytes }))];
  let before = 11;
  for (const limit of limits) {
    const data = concat(bytes("text, then "), random.bytes(40), Uint8Array.of(0xff, 0xfe, 0));
    const { conn, peer } = await link(context);
    await learner.limit(limit);
    const counted = startEchoOf(context, conn, "text-for-bytes");
    // What is sent, and its end, are there together.
    await learner.asleep(async () => {
      await peer.send(data);
      await peer.closeWrite();
    });
    const isShort = "writeBytes" in limit;
    const mistake = isShort ? "short-write" : "text-for-bytes";
    const received = await step(
      { en: `${data.length} bytes come back`, ko: `${data.length}바이트가 되돌아옴` },
      () => peer.receive(data.length + 1),
      mistake,
    );
    if (received.length < data.length) {
      await step(PEER_SEES_END, () => counted, mistake);
      await learner.rest();
    }
    // As many, but others: the buffer was filled again before all of it was written.
    const isOther = received.length === data.length && !isShort && !hasReplaced(received);
    const id = isTooLong(received, data)
      ? "whole-buffer-echoed"
      : isClosedWhileWriting(context)
      ? "closed-while-writing"
      : isOther
      ? "shared-buffer"
      : mistake;
    expectBytes(received, data, id);
    await expectCount(context, counted, data.length, before);
    before += data.length;
  }
}, {
  catches: [
    "short-write",
    "text-for-bytes",
    "characters-counted",
    "whole-buffer-echoed",
    "closed-while-writing",
    "shared-buffer",
    "shared-between-connections",
  ],
  unhandled: "closed-while-writing",
});

/** Whether U+FFFD is in it, the bytes ef bf bd. */
function hasReplaced(data: Uint8Array): boolean {
  return data.some((byte, i) => byte === 0xef && data[i + 1] === 0xbf && data[i + 2] === 0xbd);
}

task(5, {
  en: "echo() of two connections at the same time does not mix them",
  ko: "echo()는 두 연결을 동시에 맡아도 섞지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  await learner.limit({ writeBytes: 1 });
  const both = await links(context, 2);
  const counted = both.map(({ conn }) => startEchoOf(context, conn, "shared-between-connections"));
  const texts = ["A", "B"].map((letter) => bytes(letter.repeat(40)));
  await learner.asleep(async () => {
    for (const [i, { peer }] of both.entries()) {
      await peer.send(texts[i]!);
      await peer.closeWrite();
    }
  });
  const mistake = "shared-between-connections";
  for (const [i, { peer }] of both.entries()) {
    const text = texts[i]!;
    const received = await step(
      same(escapeBytes(text)),
      () => peer.receive(text.length),
      mistake,
    );
    // That not all bytes were taken is told by another test.
    if (received.length === text.length) expectBytes(received, text, mistake);
    await counted[i];
  }
}, {
  catches: ["shared-between-connections", "closed-while-writing"],
  unhandled: "closed-while-writing",
});

/** More than the kernel keeps for both ends of a connection whose reader does not read. */
const LARGE_BYTES = 24 * MIB;
/** What a program may hold of a stream that passes through: what is read and not yet written. */
const FLAT_BYTES = 6 * MIB;

task(5, {
  en: "echo() keeps its memory flat for a large stream and a reader that starts late",
  ko: "echo()는 큰 스트림과 늦게 읽는 상대에게도 메모리를 일정하게 씁니다",
}, async (context) => {
  const { learner, random, step } = context;
  const data = new Pattern(random.integer(1, 1_000_000), LARGE_BYTES).bytes;
  const { conn, peer } = await link(context);
  const before = await learner.memoryInUse();
  const expectFlat = async (when: Text) => {
    const most = FLAT_BYTES / MIB;
    expectThat(
      await learner.memoryInUse() - before < FLAT_BYTES,
      join([{ en: "memory stays flat ", ko: "메모리 사용량이 일정함: " }, when]),
      {
        en: `more than ${most} MiB are held that were not there before`,
        ko: `전에 없던 메모리를 ${most} MiB 넘게 잡고 있습니다`,
      },
      "echo-unbounded",
    );
  };
  const counted = startEchoOf(context, conn, "echo-unbounded");
  const sent = peer.send(data);
  // If the learner's end closes too early, that is told by what comes back.
  sent.catch(() => {});
  await step(
    {
      en: "echo() takes what there is room for, while the peer sends and does not read",
      ko: "상대가 보내기만 하고 읽지 않는 동안, echo()가 자리가 있는 만큼 받음",
    },
    () => learner.stopsReading(conn, counted),
  );
  await expectFlat({
    en: "while the peer sends and does not read",
    ko: "상대가 보내기만 하고 읽지 않는 동안",
  });
  const received = await step(
    {
      en: `all ${LARGE_BYTES / MIB} MiB come back`,
      ko: `${LARGE_BYTES / MIB} MiB가 모두 되돌아옴`,
    },
    () => peer.receive(LARGE_BYTES),
    "echo-collects",
  );
  expectBytes(received, data, received.length < data.length ? "short-write" : "shared-buffer");
  await sent;
  await expectFlat({
    en: `after ${LARGE_BYTES / MIB} MiB have passed through`,
    ko: `${LARGE_BYTES / MIB} MiB가 지나간 뒤`,
  });
  await peer.closeWrite();
  await expectCount(context, counted, LARGE_BYTES);
}, {
  catches: ["echo-unbounded", "echo-collects", "short-write", "shared-buffer"],
  deadlineMs: 5_000,
});

task(5, {
  en: "echo() closes the connection also when it fails",
  ko: "echo()는 연결이 실패해도 연결을 닫습니다",
}, async (context) => {
  const { learner, step } = context;
  const failures = [["read", "ConnectionReset"], ["write", "BrokenPipe"]] as const;
  for (const [api, name] of failures) {
    const { conn, peer } = await link(context);
    await learner.faults({ api: [api], times: 1, error: name });
    await peer.send(bytes("lost"));
    const expected = {
      en: `Deno.errors.${name} surfaces`,
      ko: `Deno.errors.${name} 오류가 전달됨`,
    };
    await step(
      expected,
      () => learner.throws("echo", [conn], { expected, mistake: "write-error-hidden" }),
      "echo-unbounded",
    );
    expectThat(
      !await learner.isOpen(conn),
      { en: `the connection is closed when ${api}() fails`, ko: `${api}()가 실패해도 연결이 닫힘` },
      { en: "it is still open", ko: "아직 열려 있습니다" },
      "echo-not-closed",
    );
  }
}, {
  catches: ["echo-not-closed", "write-error-hidden", "echo-unbounded"],
  unhandled: "echo-unbounded",
});

// --- task 6 ---

/** The largest datagram that this system sends: 65,507 bytes by RFC 768 and RFC 791; some systems allow less. */
const LARGEST_BYTES = Deno.build.os === "linux" ? 65_507 : 9_000;

/** The next datagram of `peer`, which must be `expected`. */
async function expectDatagram(
  { step }: TestContext,
  peer: PeerSocket,
  expected: Uint8Array,
  { mistake, silent }: {
    mistake: string | undefined | ((received: Uint8Array) => string | undefined);
    silent?: string;
  },
): Promise<void> {
  const shown = same(`${escapeBytes(expected.subarray(0, 32))} (${expected.length} bytes)`);
  const hang = silent ?? (typeof mistake === "string" ? mistake : undefined);
  const { data } = await step(shown, () => peer.receive(), hang);
  expectBytes(data, expected, typeof mistake === "function" ? mistake(data) : mistake);
}

async function startEcho(
  { learner }: TestContext,
  mistake = "echoes-once",
): Promise<RemoteSocket> {
  const socket = await learner.datagram();
  learner.start("udpEcho", [socket], {
    whileItRuns: {
      en: "udpEcho() goes on until the socket is closed",
      ko: "udpEcho()는 소켓이 닫힐 때까지 계속함",
    },
    mistake: () => mistake,
  });
  return socket;
}

task(6, {
  en: "udpEcho() replies to every datagram, to whoever sent it",
  ko: "udpEcho()는 모든 데이터그램에, 보낸 쪽으로 응답합니다",
}, async (context) => {
  const { peers } = context;
  const socket = await startEcho(context);
  const [a, b] = [peers.udp(), peers.udp()];
  for (const [peer, text] of [[a, "one"], [b, "two"], [a, "three"]] as const) {
    await peer.send(bytes(text), socket.addr);
    await expectDatagram(context, peer, bytes(text), {
      mistake: (received) =>
        isTooLong(received, bytes(text)) ? "whole-buffer-echoed" : "echoes-once",
      silent: "echoes-once",
    });
  }
}, { catches: ["echoes-once", "whole-buffer-echoed"] });

task(6, {
  en: "udpEcho() replies to an empty datagram, and to the largest",
  ko: "udpEcho()는 빈 데이터그램에도, 가장 큰 데이터그램에도 응답합니다",
}, async (context) => {
  const { peers, random } = context;
  const socket = await startEcho(context, "empty-datagram-ignored");
  const peer = peers.udp();
  await peer.send(bytes(""), socket.addr);
  await peer.send(bytes("after"), socket.addr);
  await expectDatagram(context, peer, bytes(""), { mistake: "empty-datagram-ignored" });
  await expectDatagram(context, peer, bytes("after"), { mistake: "empty-datagram-ignored" });
  for (const size of [1_025, LARGEST_BYTES]) {
    const data = random.bytes(size);
    await peer.send(data, socket.addr);
    await expectDatagram(context, peer, data, {
      mistake: (received) =>
        received.length < size
          ? "udp-truncated"
          : isTooLong(received, data)
          ? "whole-buffer-echoed"
          : "text-for-bytes",
      silent: "udp-truncated",
    });
  }
}, {
  catches: [
    "empty-datagram-ignored",
    "udp-truncated",
    "whole-buffer-echoed",
    "text-for-bytes",
  ],
});

task(6, {
  en: "udpEcho() resolves when the socket is closed",
  ko: "udpEcho()는 소켓이 닫히면 이행됩니다",
}, async (context) => {
  const { learner, peers, step } = context;
  const socket = await learner.datagram();
  const mistake = "end-is-error";
  const echoing = learner.call("udpEcho", [socket], { mistake });
  const peer = peers.udp();
  await peer.send(bytes("one"), socket.addr);
  await expectDatagram(context, peer, bytes("one"), { mistake: "echoes-once" });
  await learner.waitsIn("receive", echoing);
  await learner.close(socket);
  await step({ en: "udpEcho() resolves", ko: "udpEcho()가 이행됨" }, () => echoing, mistake);
}, { catches: ["echoes-once", "end-is-error"] });

/** A request: two bytes of number, then a text. */
function numbered(number: number, text: string): Uint8Array {
  return concat(Uint8Array.of(number >> 8, number & 255), bytes(text));
}

interface Asking extends CallOptions {
  timeoutMs?: number;
  attempts?: number;
}

/** A client socket of the learner's, and the server that the suite plays. */
class Exchange {
  private constructor(
    readonly context: TestContext,
    readonly socket: RemoteSocket,
    readonly server: PeerSocket,
  ) {}

  static async start(context: TestContext, hostname = "127.0.0.1"): Promise<Exchange> {
    const socket = await context.learner.datagram(hostname);
    return new Exchange(context, socket, context.peers.udp(hostname));
  }

  #args(payload: Uint8Array | View, { timeoutMs = LONG_MS, attempts = 3 }: Asking): unknown[] {
    const { hostname, port } = this.server.addr;
    return [this.socket, { hostname, port }, payload, { timeoutMs, attempts }];
  }

  /** Starts a request. */
  ask(payload: Uint8Array | View, options: Asking = {}): Promise<unknown> {
    return this.context.learner.call("udpRequest", this.#args(payload, options), options);
  }

  /** Starts a request that has to fail. */
  fails(payload: Uint8Array, options: Asking & { expected: Text }): Promise<WireError> {
    return this.context.learner.throws("udpRequest", this.#args(payload, options), options);
  }

  /** Makes a request that nobody answers, and gives its error. */
  async askInVain(payload: Uint8Array, options: Asking, hang: string): Promise<void> {
    const address = showAddr(this.server.addr);
    const expected = {
      en: `Deno.errors.TimedOut that names ${address}`,
      ko: `${address} 주소를 알리는 Deno.errors.TimedOut`,
    };
    const mistake = "wrong-timeout-error";
    const error = await this.context.step(
      expected,
      () =>
        this.context.learner.throws("udpRequest", this.#args(payload, options), {
          expected,
          mistake,
        }),
      hang,
    );
    expectErrorClass(error, "TimedOut", expected, mistake);
    expectMessage(error, address, expected, mistake);
  }

  /** The same socket, and another server. */
  withOtherServer(): Exchange {
    return new Exchange(this.context, this.socket, this.context.peers.udp());
  }

  /** The server receives the request. */
  async receive(payload: Uint8Array, silent = "no-retry"): Promise<void> {
    await expectDatagram(this.context, this.server, payload, { mistake: undefined, silent });
  }

  /** The server, or another socket, sends a datagram to the client. */
  async reply(data: Uint8Array, from = this.server): Promise<void> {
    await from.send(data, this.socket.addr);
  }

  /** The server answers after a stranger: the client, who slept, finds both. */
  async replyAfterStranger(data: Uint8Array): Promise<void> {
    const stranger = this.context.peers.udp();
    await this.context.learner.asleep(async () => {
      await this.reply(bytes("not the answer"), stranger);
      await this.reply(data);
    });
  }

  /** Nothing more was sent to the server: what comes next is what the suite sends now. */
  async expectNoMore(mistake: string): Promise<void> {
    const marker = this.context.peers.udp();
    await marker.send(bytes("marker"), this.server.addr);
    await expectDatagram(this.context, this.server, bytes("marker"), { mistake });
  }

  async expectAnswer(
    asked: Promise<unknown>,
    answer: Uint8Array,
    mistake: string | ((received: Uint8Array) => string | undefined),
  ): Promise<void> {
    const hang = typeof mistake === "string" ? mistake : undefined;
    const shown = same(`${escapeBytes(answer.subarray(0, 32))} (${answer.length} bytes)`);
    const received = bytesOf(
      await this.context.step(shown, () => asked, hang),
      "udpRequest()",
      hang,
    );
    expectBytes(received, answer, typeof mistake === "string" ? mistake : mistake(received));
  }

  /** While the request `asked` waits: the longest timer that `options` allow for all of it. */
  async expectTimersWithin(
    { timeoutMs = LONG_MS, attempts = 3 }: Asking,
    asked: Promise<unknown>,
  ): Promise<void> {
    const { learner } = this.context;
    // Who sends first and sets the timer then may not have come to it yet.
    await learner.waitsIn("receive", asked);
    const { timersMs } = await learner.state();
    const longest = Math.max(...timersMs, 0);
    expectThat(
      longest <= timeoutMs * attempts + 1,
      {
        en: `no timer is longer than all attempts together, ${timeoutMs * attempts} ms`,
        ko: `모든 시도를 합한 ${timeoutMs * attempts} ms보다 긴 타이머가 없음`,
      },
      { en: `a timer of ${longest} ms`, ko: `${longest} ms 타이머` },
      "timeout-ignored",
    );
  }

  /** While the request `asked` waits: half of its `timeoutMs` passes at once, and nothing is sent again. */
  async expectPatience(asked: Promise<unknown>): Promise<void> {
    const { learner, peers } = this.context;
    const sends = () => learner.events.filter(({ event }) => event === "send").length;
    await learner.waitsIn("receive", asked);
    const before = sends();
    peers.note("clock", `${LONG_MS / 2000} s later`);
    await learner.elapse(LONG_MS / 2);
    expectThat(
      sends() === before,
      {
        en: `each attempt waits ${LONG_MS} ms: after half of them nothing is sent again`,
        ko: `시도마다 ${LONG_MS} ms를 기다림: 그 절반이 지나도 다시 보내지 않음`,
      },
      { en: "it was sent again", ko: "다시 보냈습니다" },
      "timeout-ignored",
    );
  }

  /** How long ago the client sent, or received, its last datagram, in milliseconds. */
  sinceLast(what: "send" | "receive"): number {
    const last = this.context.learner.events.findLast(({ event }) => event === what);
    return Date.now() - (last?.at ?? 0);
  }

  async expectNoTimer(): Promise<void> {
    const { timersMs } = await this.context.learner.state();
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
}

task(6, {
  en: "udpRequest() sends one datagram and gives the answer",
  ko: "udpRequest()는 데이터그램 하나를 보내고 응답을 줍니다",
}, async (context) => {
  const exchange = await Exchange.start(context);
  for (const [number, text] of [[0x0102, "time?"], [0x0103, ""]] as const) {
    const request = numbered(number, text);
    const answer = concat(numbered(number, "noon"), context.random.bytes(2_000));
    const asked = exchange.ask(request, { mistakeIf: ["TimedOut", "timeout-ignored"] });
    await exchange.receive(request);
    await exchange.expectPatience(asked);
    await exchange.reply(answer);
    await exchange.expectAnswer(
      asked,
      answer,
      (received) =>
        sameBytes(received, answer.subarray(0, received.length)) ? "udp-truncated" : undefined,
    );
    await exchange.expectNoMore("attempts-at-once");
    await exchange.expectNoTimer();
    await expectOpen(context, exchange.socket);
  }
}, {
  catches: [
    "attempts-at-once",
    "timeout-ignored",
    "timer-left",
    "udp-truncated",
    "closed-for-the-caller",
  ],
});

task(6, {
  en:
    "udpRequest() gives an answer that has only its number, and that a later call does not change",
  ko: "udpRequest()는 번호뿐인 응답도 주고, 준 응답은 다음 호출로 바뀌지 않습니다",
}, async (context) => {
  const { learner } = context;
  const exchange = await Exchange.start(context);
  const answers: unknown[] = [];
  const rounds = [[5, "", "empty-datagram-ignored"], [6, "longer", "subarray-offset"]] as const;
  for (const [number, text, mistake] of rounds) {
    const request = numbered(number, "?");
    // The second request is part of a longer buffer.
    const payload = number === 6 ? new View(request) : request;
    const asked = exchange.ask(payload, { hold: true });
    await exchange.receive(request);
    await exchange.reply(numbered(number, text));
    const expected = same(escapeBytes(numbered(number, text)));
    answers.push(await context.step(expected, () => asked, mistake));
  }
  const [first] = answers;
  const kept = first instanceof Remote ? await learner.value(first) : first;
  expectBytes(bytesOf(kept, "udpRequest()"), numbered(5, ""), "shared-buffer");
}, { catches: ["empty-datagram-ignored", "subarray-offset", "shared-buffer"] });

task(6, {
  en: "udpRequest() rejects when the socket is closed, and leaves no timer",
  ko: "udpRequest()는 소켓이 닫히면 거부되고, 타이머를 남기지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const exchange = await Exchange.start(context);
  const request = numbered(8, "closing");
  const expected = { en: "udpRequest() rejects", ko: "udpRequest()가 거부됨" };
  const rejected = exchange.fails(request, { expected, attempts: 1 });
  await exchange.receive(request, "attempts-miscounted");
  await learner.waitsIn("receive", rejected);
  await learner.close(exchange.socket);
  await step(expected, () => rejected);
  await exchange.expectNoTimer();
}, { catches: ["timer-left", "attempts-miscounted"] });

task(6, {
  en: "udpRequest() names an IPv6 address in brackets, and one socket waits for no other",
  ko: "udpRequest()는 IPv6 주소를 대괄호로 적고, 한 소켓이 다른 소켓을 기다리지 않습니다",
}, async (context) => {
  const options = { timeoutMs: SHORT_MS, attempts: 1 };
  const silent = await Exchange.start(context, hasIpv6 ? "::1" : "127.0.0.1");
  const inVain = silent.askInVain(numbered(12, "silence"), options, "wrong-timeout-error");
  inVain.catch(() => {});
  await silent.receive(numbered(12, "silence"));
  await silent.expectTimersWithin(options, inVain);
  await inVain;
  // Its receive() still waits. That is nothing to another socket.
  const exchange = await Exchange.start(context);
  const request = numbered(13, "and here?");
  const asked = exchange.ask(request);
  await exchange.receive(request);
  await exchange.reply(numbered(13, "here"));
  await exchange.expectAnswer(asked, numbered(13, "here"), "shared-between-connections");
}, {
  catches: ["wrong-timeout-error", "timeout-ignored", "shared-between-connections"],
  waitsMs: SHORT_MS,
});

task(6, {
  en: "udpRequest() waits for the answer to its last attempt, too",
  ko: "udpRequest()는 마지막 시도의 응답도 기다립니다",
}, async (context) => {
  const exchange = await Exchange.start(context);
  context.peers.note("lose", "one request");
  // A busy machine may keep an answer back for all the time that there was for it: then there is more time for the next.
  for (let i = 0, timeoutMs = 4 * SHORT_MS; i < 5; i++, timeoutMs *= 2) {
    const request = numbered(11 + i, "last");
    const answer = numbered(11 + i, "at last");
    const asked = exchange.ask(request, {
      timeoutMs,
      attempts: 2,
      mistakeIf: ["TimedOut", "no-retry"],
      mayReject: true,
    });
    const served = async () => {
      for (let i = 0; i < 2; i++) await exchange.receive(request);
      await pause(SHORT_MS);
      await exchange.reply(answer);
      await asked;
    };
    try {
      await Promise.race([served(), asked]);
      return await exchange.expectAnswer(asked, answer, "no-retry");
    } catch (error) {
      if (exchange.sinceLast("send") < timeoutMs / 2) throw error;
    }
  }
}, { catches: ["no-retry"], waitsMs: 5 * SHORT_MS });

task(6, {
  en: "udpRequest() repeats the request when it is lost",
  ko: "udpRequest()는 요청이 유실되면 다시 보냅니다",
}, async (context) => {
  const exchange = await Exchange.start(context);
  const request = numbered(7, "anyone?");
  const asked = exchange.ask(request, {
    timeoutMs: SHORT_MS,
    attempts: 40,
    mistakeIf: ["TimedOut", "no-retry"],
  });
  context.peers.note("lose", "two requests");
  for (let i = 0; i < 3; i++) await exchange.receive(request);
  await exchange.replyAfterStranger(numbered(7, "yes"));
  await exchange.expectAnswer(asked, numbered(7, "yes"), "concurrent-receives");
}, { catches: ["no-retry", "concurrent-receives"], waitsMs: 2 * SHORT_MS });

task(6, {
  en: "udpRequest() takes no datagram of a stranger for the answer",
  ko: "udpRequest()는 낯선 쪽의 데이터그램을 응답으로 받지 않습니다",
}, async (context) => {
  const { peers } = context;
  const exchange = await Exchange.start(context);
  const request = numbered(9, "who?");
  const asked = exchange.ask(request);
  await exchange.receive(request);
  const answer = numbered(9, "the server");
  // Somebody on another host with the same port, and somebody with another port on the same host.
  const twin = udpAt(context, secondLoopback, exchange.server.addr.port);
  if (twin) await exchange.reply(numbered(9, "twin"), twin);
  await exchange.reply(answer);
  await exchange.expectAnswer(asked, answer, "anyone-answers");
  const again = exchange.ask(request);
  await exchange.receive(request);
  await exchange.reply(numbered(9, "stranger"), peers.udp());
  await exchange.reply(answer);
  await exchange.expectAnswer(again, answer, twin ? "sender-port-ignored" : "anyone-answers");
}, { catches: ["sender-port-ignored", "anyone-answers"] });

/** A socket on that address, unless somebody has it. */
function udpAt(
  { peers }: TestContext,
  hostname: string,
  port: number,
): PeerSocket | undefined {
  if (hostname === "127.0.0.1") return undefined;
  try {
    return peers.udp(hostname, port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

task(6, {
  en: "udpRequest() takes no late answer to an earlier request",
  ko: "udpRequest()는 앞선 요청에 늦게 온 응답을 받지 않습니다",
}, async (context) => {
  const exchange = await Exchange.start(context);
  const first = numbered(0x0a01, "first");
  const asked = exchange.ask(first);
  await exchange.receive(first);
  // The answer arrives twice: the network may do that to a datagram.
  for (let i = 0; i < 2; i++) await exchange.reply(numbered(0x0a01, "answer 1"));
  await exchange.expectAnswer(asked, numbered(0x0a01, "answer 1"), "late-answer-taken");
  const second = numbered(0x0a02, "second");
  const next = exchange.ask(second);
  await exchange.receive(second);
  await exchange.reply(numbered(0x0a02, "answer 2"));
  await exchange.expectAnswer(next, numbered(0x0a02, "answer 2"), "late-answer-taken");
  // Numbers are no text: as such these two would be the same.
  const third = numbered(0xfffe, "third");
  const last = exchange.ask(third);
  await exchange.receive(third);
  await exchange.reply(numbered(0xfeff, "no answer"));
  await exchange.reply(numbered(0xfffe, "answer 3"));
  await exchange.expectAnswer(last, numbered(0xfffe, "answer 3"), "late-answer-taken");
}, { catches: ["late-answer-taken"] });

task(6, {
  en: "udpRequest() gives up after so many attempts, and the next request is not harmed",
  ko: "udpRequest()는 정해진 횟수 뒤에 포기하고, 다음 요청에는 영향을 주지 않습니다",
}, async (context) => {
  const exchange = await Exchange.start(context);
  const silent = numbered(1, "silence");
  const options = { timeoutMs: SHORT_MS, attempts: 2 };
  const inVain = exchange.askInVain(silent, options, "wrong-timeout-error");
  inVain.catch(() => {});
  await exchange.receive(silent);
  await exchange.expectTimersWithin(options, inVain);
  await inVain;
  await exchange.receive(silent);
  await exchange.expectNoMore("attempts-miscounted");
  await exchange.expectNoTimer();
  await expectOpen(context, exchange.socket);
  // Another server is there, and then the first again.
  for (
    const [number, server] of [[2, exchange.withOtherServer()], [3, exchange], [
      4,
      exchange,
    ]] as const
  ) {
    const request = numbered(number, "now?");
    const asked = server.ask(request);
    await server.receive(request);
    await server.replyAfterStranger(numbered(number, "here"));
    await server.expectAnswer(asked, numbered(number, "here"), "concurrent-receives");
  }
}, {
  catches: [
    "wrong-timeout-error",
    "timeout-ignored",
    "timer-left",
    "concurrent-receives",
    "attempts-miscounted",
    "closed-for-the-caller",
  ],
  waitsMs: 2 * SHORT_MS,
});

task(6, {
  en: "udpRequest() waits no longer because strangers send",
  ko: "udpRequest()는 낯선 쪽이 계속 보내도 더 오래 기다리지 않습니다",
}, async (context) => {
  const { peers } = context;
  const exchange = await Exchange.start(context);
  const stranger = peers.udp();
  peers.note("send", "strangers' datagrams, without end");
  const stop = every(4, () => exchange.reply(numbered(4, "hi"), stranger).catch(() => {}));
  peers.track({ close: stop });
  // Long beside the pauses between the strangers' datagrams; on a busy machine these may be longer.
  for (let i = 0, timeoutMs = 5 * SHORT_MS; i < 3; i++, timeoutMs *= 2) {
    const options = { timeoutMs, attempts: 1 };
    await exchange.askInVain(numbered(4, "anyone?"), options, "stranger-extends-wait");
    if (exchange.sinceLast("receive") < timeoutMs / 2) return;
  }
}, { catches: ["stranger-extends-wait"], waitsMs: 5 * SHORT_MS });
