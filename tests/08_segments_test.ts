/**
 * Lesson 8: what the transport layer puts around the bytes.
 *
 * Bytes go in and bytes come out. What is expected comes from captures of real traffic as tshark reads them
 * (tests/captures/08_segments), from support/segments.ts, or stands here; never from the code under test. Inputs that
 * are cut or changed in one bit go in by the hundred, in one order each.
 *
 * @module
 */

import type { Text } from "../workbook/text.ts";
import { expectBytes } from "./support/bytes.ts";
import { showError, showValue } from "./support/explain.ts";
import { expectThat } from "./support/expect.ts";
import { fail } from "./support/failure.ts";
import type { EachOptions, Learner, Outcome } from "./support/learner.ts";
import type { Random } from "./support/random.ts";
import {
  type Bytes,
  type Captured,
  checksum,
  type Ends,
  etherFrame,
  etherType,
  type FrameRead,
  ipBytes,
  ipPacket,
  type IpParts,
  join,
  mistakeOfUdpChecksums,
  pcapFile,
  type PcapRecord,
  pcapRecords,
  type PcapStyle,
  pseudoHeader,
  readFrame,
  readPcap,
  readUdp,
  sameAddress,
  tcpSegment,
  u16,
  type UdpParts,
  udpSegment,
  WRONG_CHECKSUMS,
  wrongUdpChecksums,
} from "./support/segments.ts";
import { task } from "./support/suite.ts";
import { turn } from "./support/timers.ts";
import { Pattern, Unshown, View } from "./support/wire.ts";

// --- inputs ---

const hex = (value: number) => `0x${value.toString(16).padStart(4, "0")}`;

/** A port that no table knows. */
const port = (random: Random) => random.integer(1_024, 65_535);

function ends4(random: Random): Ends {
  const host = () => `10.${random.integer(1, 250)}.${random.integer(1, 250)}.`;
  const net = host();
  const [a, b] = [random.integer(1, 120), random.integer(130, 250)];
  return { source: `${net}${a}`, destination: `${net}${b}` };
}

function ends6(random: Random): Ends {
  const group = () => random.integer(0x1000, 0xffff).toString(16);
  const net = `fd${random.integer(10, 99)}:${group()}:${group()}`;
  return { source: `${net}::${group()}`, destination: `${net}:${group()}::${group()}` };
}

function udp(random: Random, ends: Ends, payload: Uint8Array | number): UdpParts {
  for (;;) {
    const bytes = typeof payload === "number" ? random.bytes(payload) : payload;
    const [sourcePort, destinationPort] = [port(random), port(random)];
    const parts = { ...ends, sourcePort, destinationPort, payload: bytes };
    // A checksum of 0, or one bit away from it, is a matter of its own.
    const field = wordAt(udpSegment(parts), 6);
    if (field !== 0xffff && (field & (field - 1)) !== 0) return parts;
  }
}

const addressesOf = ({ source, destination }: Ends): Ends => ({ source, destination });

/** The same datagram with two payload bytes more, such that its checksum comes out as 0. */
function withChecksumZero(parts: UdpParts): UdpParts {
  const payload = join(parts.payload, [0, 0]);
  const segment = udpSegment({ ...parts, payload, checksum: 0 });
  const rest = checksum(join(pseudoHeader(parts, 17, segment.length), segment));
  return { ...parts, payload: join(parts.payload, u16(rest)) };
}

function macs(random: Random): { sourceMac: string; destinationMac: string } {
  const mac = () =>
    ["02", ...Array.from(random.bytes(5), (byte) => byte.toString(16).padStart(2, "0"))].join(":");
  return { sourceMac: mac(), destinationMac: mac() };
}

/** All that is known of a datagram in a frame. */
type Sent = UdpParts & { sourceMac: string; destinationMac: string };

function frameOf(
  sent: Sent,
  { ip = {}, ...link }: {
    ip?: Partial<IpParts>;
    type?: number;
    tag?: number;
    padTo?: number;
  } = {},
): Bytes {
  const content = ipPacket({ ...addressesOf(sent), content: udpSegment(sent), ...ip });
  const { sourceMac, destinationMac } = sent;
  return etherFrame({ sourceMac, destinationMac, type: etherType(sent.source), content, ...link });
}

/** The same bytes with bit `bit` turned over. */
function flipped(bytes: Uint8Array, bit: number): Bytes {
  const other = join(bytes);
  other[bit >> 3]! ^= 0x80 >> (bit & 7);
  return other;
}

function spread(bytes: Uint8Array): string {
  const shown = bytes.subarray(0, MOST_SHOWN).toHex().replace(/(....)(?=.)/g, "$1 ");
  return bytes.length > MOST_SHOWN ? `${shown} …` : shown;
}

const MOST_SHOWN = 96;

/** What went in, so that it can be tried again. */
function input(bytes: Uint8Array, label = { en: "Input", ko: "입력" }): Text[] {
  return [{
    en: `${label.en}: ${spread(bytes)} (${bytes.length} bytes)`,
    ko: `${label.ko}: ${spread(bytes)} (${bytes.length}바이트)`,
  }];
}

// --- outcomes ---

const NOT_A_PROMISE: Text = {
  en: "the function returns its result, not a Promise",
  ko: "함수가 Promise가 아니라 결과를 바로 반환함",
};

/** What came of a call, for people. */
function shown({ value, error }: Outcome): string {
  if (error) return showError(error);
  if (value instanceof Uint8Array) return `Uint8Array(${value.length})`;
  return showValue(value);
}

interface Expected {
  what: Text;
  notes?: Text[];
}

/** The value of a call that had to return one. */
function returned(
  outcome: Outcome,
  { what, notes = [], mistake }: Expected & { mistake?: string | undefined },
): unknown {
  const { value, error, isAsync } = outcome;
  if (!error && isAsync) {
    fail({ expected: NOT_A_PROMISE, received: `Promise<${showValue(value)}>` });
  }
  if (!error) return value;
  const isRefusal = error.classes.includes("SegmentError");
  const isOutOfBounds = /outside the bounds|out of bounds/.test(error.message);
  fail({
    expected: what,
    received: shown(outcome),
    notes,
    mistake: isRefusal ? mistake : isOutOfBounds ? "no-bounds-check" : undefined,
  });
}

/** What the objects that a function returns are told by, so that instances of classes will do. */
const FIELDS: Record<string, string[]> = {
  decodeUdp: ["sourcePort", "destinationPort", "payload", "checksum"],
  decapsulate: [
    "sourceMac",
    "destinationMac",
    "source",
    "destination",
    "sourcePort",
    "destinationPort",
    "payload",
  ],
  readCapture: [
    "timeMs",
    "protocol",
    "source",
    "sourcePort",
    "destination",
    "destinationPort",
    "payload",
    "checksum",
  ],
};

/** The outcomes of many calls of one function. */
function callEach(
  learner: Learner,
  name: string,
  calls: unknown[][],
  how: EachOptions = {},
): Promise<Outcome[]> {
  const fields = FIELDS[name];
  return learner.callEach(name, calls, { ...(fields && { fields }), ...how });
}

/**
 * Calls a function with every one of many inputs. `know` works out what there is to know of an input, `judge` fails
 * where the outcome does not fit that.
 */
async function sweep<T>(
  learner: Learner,
  { name, calls, know, judge }: {
    name: string;
    calls: unknown[][];
    know: (i: number) => T;
    judge: (outcome: Outcome, known: T, i: number) => void;
  },
): Promise<void> {
  const running = callEach(learner, name, calls, { brief: "SegmentError" });
  running.catch(() => {});
  const known: T[] = [];
  for (let i = 0; i < calls.length; i++) {
    // The learner's process works at the same time, and what it says is taken now and then.
    if (i % AT_ONCE === 0) await turn();
    known.push(know(i));
  }
  const outcomes = await running;
  for (const [i, outcome] of outcomes.entries()) {
    try {
      judge(outcome, known[i]!, i);
    } catch (failure) {
      // An error is told without its place: it is asked for once more.
      if (outcome.error) judge((await callEach(learner, name, [calls[i]!]))[0]!, known[i]!, i);
      throw failure;
    }
  }
}

const AT_ONCE = 100;

/** Fails if a call has changed what it was given, or what an earlier one had returned. All of them were watched. */
function expectKept(name: string, outcomes: Outcome[]): void {
  expectThat(
    !outcomes.some(({ changed }) => changed),
    {
      en: `${name}() leaves what it is given as it is`,
      ko: `${name}() 호출은 받은 인자를 그대로 둠`,
    },
    { en: "it is changed", ko: "인자가 바뀌었습니다" },
    "input-changed",
  );
  const later = outcomes.findIndex(({ overwrote }) => overwrote);
  expectThat(
    later < 0,
    {
      en: `what ${name}() has returned stays as it is when it is called again`,
      ko: `${name}() 함수를 다시 호출해도 앞서 반환한 것은 그대로임`,
    },
    {
      en: `the result of call ${later} changed during call ${later + 1}`,
      ko: `${later}번째 호출의 결과가 ${later + 1}번째 호출에서 바뀌었습니다`,
    },
    "result-overwritten",
  );
}

const isRefused = ({ error }: Outcome) => error?.classes.includes("SegmentError") ?? false;

/** Fails unless the call ended with a SegmentError. */
function expectRefused(
  outcome: Outcome,
  { what, notes = [], mistake }: Expected & { mistake: string | undefined },
): void {
  if (isRefused(outcome)) return;
  const blind = isBlind(outcome) ? "no-bounds-check" : undefined;
  fail({
    expected: { en: `a SegmentError: ${what.en}`, ko: `SegmentError: ${what.ko}` },
    received: shown(outcome),
    notes,
    mistake: outcome.error ? blind : mistake,
  });
}

/** An error that nobody threw on purpose: something was read that is not there. */
function isBlind({ error }: Outcome): boolean {
  return ["RangeError", "TypeError"].some((name) => error?.classes.includes(name));
}

/** Fails unless the call ended with an error that says that the arguments are wrong. */
function expectArgumentsRefused(
  outcome: Outcome,
  { what, mistake }: Expected & { mistake?: string },
): void {
  const accepted = ["RangeError", "TypeError", "SegmentError"];
  const isFine = accepted.some((name) => outcome.error?.classes.includes(name)) && !outcome.isSlip;
  if (isFine) return;
  fail({
    expected: {
      en: `RangeError or TypeError: ${what.en}`,
      ko: `RangeError 또는 TypeError: ${what.ko}`,
    },
    received: shown(outcome),
    ...(!outcome.error && { mistake }),
  });
}

function expectNumber(
  value: unknown,
  expected: number,
  facts: Expected & { mistake?: string | undefined },
): void {
  if (value === expected) return;
  const isNumber = typeof value === "number" && Number.isInteger(value) && value >= 0;
  fail({
    expected: {
      en: `${facts.what.en}: ${hex(expected)}`,
      ko: `${facts.what.ko}: ${hex(expected)}`,
    },
    received: isNumber ? hex(value) : showValue(value),
    notes: facts.notes ?? [],
    mistake: facts.mistake,
  });
}

function asRecord(value: unknown, what: Text): Record<string, unknown> {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array) && !(value instanceof Unshown);
  if (!isRecord) fail({ expected: what, received: showValue(value) });
  return value as Record<string, unknown>;
}

/** Fails unless it is an array of bytes. */
function expectArray(value: unknown, expected: Text): asserts value is Bytes {
  if (!(value instanceof Uint8Array)) fail({ expected, received: showValue(value) });
}

/** Fails unless it is a list. */
function expectList(value: unknown, expected: Text): asserts value is unknown[] {
  if (!Array.isArray(value)) fail({ expected, received: showValue(value) });
}

type Field =
  | "sourcePort"
  | "destinationPort"
  | "payload"
  | "checksum"
  | "source"
  | "destination"
  | "sourceMac"
  | "destinationMac"
  | "protocol";

/** The first field of `value` that is not as in `expected`. */
function differing(
  value: Record<string, unknown>,
  expected: Partial<Record<Field, unknown>>,
  orChecksum?: string,
): Field | undefined {
  return (Object.keys(expected) as Field[]).find((field) => {
    const [is, be] = [value[field], expected[field]];
    if (field === "source" || field === "destination") return !sameAddress(is, be as string);
    if (field === "sourceMac" || field === "destinationMac") {
      return typeof is !== "string" || is.toLowerCase() !== be;
    }
    if (field === "checksum" && is === orChecksum && is !== undefined) return false;
    if (field === "payload") {
      return !(is instanceof Uint8Array) || is.toHex() !== (be as Uint8Array).toHex();
    }
    return is !== be;
  });
}

/** Fails unless `value` has these fields. */
function expectFields(
  value: unknown,
  expected: Partial<Record<Field, unknown>>,
  { what, notes = [], mistakes = {}, orChecksum }: Expected & {
    mistakes?: Partial<Record<Field, string | undefined>>;
    orChecksum?: string | undefined;
  },
): void {
  const record = asRecord(value, what);
  const field = differing(record, expected, orChecksum);
  if (field === undefined) return;
  const [is, be] = [record[field], expected[field]];
  const facts = { notes, mistake: mistakes[field] };
  if (is instanceof Uint8Array && be instanceof Uint8Array) {
    return named(what, field, notes, () => expectBytes(is, be, facts.mistake));
  }
  const show = (one: unknown) =>
    one instanceof Uint8Array ? `Uint8Array(${one.length})` : showValue(one);
  fail({
    expected: { en: `${what.en}, ${field}: ${show(be)}`, ko: `${what.ko}, ${field}: ${show(be)}` },
    received: show(is),
    ...facts,
  });
}

/** Says of a failure of `check` what it is about. */
function named(what: Text, field: string, notes: Text[], check: () => void): void {
  try {
    check();
  } catch (error) {
    const { facts } = error as { facts?: { notes: Text[] } };
    facts?.notes.push(
      { en: `This is ${field} of: ${what.en}`, ko: `위는 다음의 ${field}: ${what.ko}` },
      ...notes,
    );
    throw error;
  }
}

// --- task 1 ---

interface Summed {
  bytes: Uint8Array;
  /** How it is handed over, if not as it is. */
  arg?: View | Pattern;
}

async function expectChecksums(
  learner: Learner,
  inputs: Summed[],
  { what, mistake }: { what: Text; mistake?: string },
): Promise<void> {
  const outcomes = await callEach(
    learner,
    "internetChecksum",
    inputs.map(({ bytes, arg }) => [arg ?? bytes]),
    { spoil: true },
  );
  const right = inputs.map(({ bytes }) => checksum(bytes));
  const known = () =>
    Object.entries(WRONG_CHECKSUMS)
      .find(([, wrong]) => inputs.every(({ bytes }, i) => outcomes[i]!.value === wrong(bytes)))?.[0]
      .trim();
  inputs.forEach(({ bytes }, i) => {
    if (outcomes[i]!.value === right[i] && !outcomes[i]!.isAsync) return;
    const facts = { what, notes: input(bytes) };
    expectNumber(returned(outcomes[i]!, facts), right[i]!, {
      ...facts,
      mistake: known() ?? mistake,
    });
  });
  expectKept("internetChecksum", outcomes);
}

task(1, {
  en: "internetChecksum() sums big-endian words, and returns the complement",
  ko: "internetChecksum()은 빅 엔디언 워드를 더하고 그 보수를 반환합니다",
}, async ({ learner, random }) => {
  // Small words: there is no carry yet.
  const small = Array.from({ length: 4 }, () => random.integer(1, 0x1fff));
  const inputs = [small, small.slice(0, 1), [0], [0xffff]].map((words) => ({
    bytes: join(...words.map(u16)),
  }));
  await expectChecksums(learner, [...inputs, { bytes: new Uint8Array() }], {
    what: { en: "the checksum of a few words", ko: "워드 몇 개의 체크섬" },
  });
}, { catches: ["little-endian", "complement-missing"] });

task(1, {
  en: "internetChecksum() brings every carry back in",
  ko: "internetChecksum()은 모든 자리올림을 다시 더합니다",
}, async ({ learner, random }) => {
  const what = {
    en: "the checksum of words whose sum has more than 16 bits",
    ko: "합이 16비트를 넘는 워드들의 체크섬",
  };
  // The example of RFC 1071, section 3.
  const example = Uint8Array.fromHex("0001f203f4f5f6f7");
  await expectChecksums(learner, [{ bytes: example }, {
    bytes: join(...Array.from({ length: 9 }, () => u16(random.integer(0xc000, 0xfff0)))),
  }], { what, mistake: "carry-dropped" });
  // The carry of these, brought back in, carries once more.
  const low = random.integer(1, 0x7fff);
  await expectChecksums(learner, [
    { bytes: Uint8Array.fromHex("ffffffff0001") },
    { bytes: join(u16(0xffff), u16(0xffff - low), u16(0xffff), u16(low + 2)) },
  ], { what, mistake: "carry-folded-once" });
}, { catches: ["carry-dropped", "carry-folded-once", "little-endian", "complement-missing"] });

task(1, {
  en: "internetChecksum() pads an odd byte with zero at the end",
  ko: "internetChecksum()은 홀수 바이트 뒤에 0을 채웁니다",
}, async ({ learner, random }) => {
  const inputs = [1, 3, 7, 21].map((length) => ({
    bytes: join(random.bytes(length - 1), [random.integer(1, 255)]),
  }));
  await expectChecksums(learner, inputs, {
    what: { en: "the checksum of an odd number of bytes", ko: "홀수 바이트의 체크섬" },
    mistake: "odd-byte-misplaced",
  });
}, { catches: ["odd-byte-misplaced", "little-endian", "complement-missing"] });

task(1, {
  en: "internetChecksum() sums the bytes of a view, and no others",
  ko: "internetChecksum()은 뷰(view)에 속한 바이트만 더합니다",
}, async ({ learner, random }) => {
  const inputs = [8, 20, 1].map((length) => {
    const bytes = random.bytes(length);
    return { bytes, arg: new View(bytes, random.integer(3, 30)) };
  });
  await expectChecksums(learner, inputs, {
    what: {
      en: "the checksum of a subarray's own bytes",
      ko: "subarray 자신의 바이트만 더한 체크섬",
    },
    mistake: "subarray-offset-ignored",
  });
}, {
  catches: ["subarray-offset-ignored", "input-changed", "little-endian", "complement-missing"],
});

task(1, {
  en: "internetChecksum() stays exact over 64 KiB and more",
  ko: "internetChecksum()은 64 KiB가 넘어도 정확합니다",
}, async ({ learner, random }) => {
  const pattern = new Pattern(random.integer(1, 1_000_000), 65_537);
  // Their sum is over 2^32.
  const full = new Uint8Array(140_000).fill(0xff);
  full.set(random.bytes(60), random.integer(0, 10_000) * 2);
  await expectChecksums(
    learner,
    // The short one tells who loses a carry anyway from who loses it beyond 32 bits.
    [{ bytes: pattern.bytes, arg: pattern }, { bytes: full }, {
      bytes: Uint8Array.fromHex("ffffffff0001"),
    }],
    {
      what: { en: "the checksum of many bytes", ko: "많은 바이트의 체크섬" },
      mistake: "sum-overflows",
    },
  );
}, {
  catches: [
    "sum-overflows",
    "carry-dropped",
    "carry-folded-once",
    "little-endian",
    "complement-missing",
  ],
});

// --- task 2 ---

const ENCODE: Text = { en: "the segment of encodeUdp()", ko: "encodeUdp()의 세그먼트" };

async function expectSegments(
  learner: Learner,
  datagrams: UdpParts[],
  mistake?: string,
): Promise<void> {
  const outcomes = await callEach(
    learner,
    "encodeUdp",
    datagrams.map((parts) => {
      const { sourcePort, destinationPort, payload } = parts;
      return [{ sourcePort, destinationPort, payload }, addressesOf(parts)];
    }),
    { spoil: true, watch: true },
  );
  const known = mistakeOfUdpChecksums(
    datagrams,
    outcomes.map(({ value }) =>
      value instanceof Uint8Array && value.length >= 8 ? wordAt(value, 6) : -1
    ),
  );
  datagrams.forEach((parts, i) => {
    const notes = [
      {
        en:
          `Sent from ${parts.source} port ${parts.sourcePort} to ${parts.destination} port ${parts.destinationPort}`,
        ko:
          `${parts.source} 포트 ${parts.sourcePort} → ${parts.destination} 포트 ${parts.destinationPort}`,
      },
      ...input(parts.payload, { en: "Payload", ko: "페이로드" }),
    ];
    const value = returned(outcomes[i]!, { what: ENCODE, notes });
    expectArray(value, {
      en: "encodeUdp() returns a Uint8Array",
      ko: "encodeUdp()가 Uint8Array를 반환함",
    });
    expectSegment(value, parts, { notes, known, mistake });
  });
  expectKept("encodeUdp", outcomes);
}

/** Fails unless `segment` is the one that these parts make, and tells which field is not. */
function expectSegment(
  segment: Bytes,
  parts: UdpParts,
  { notes, known, mistake }: {
    notes: Text[];
    /** What is known of its checksum from others. */
    known?: string | undefined;
    mistake?: string | undefined;
  },
): void {
  const right = udpSegment(parts);
  if (isSame(segment, right)) return;
  const at = (offset: number) =>
    segment.length >= offset + 2 ? segment[offset]! * 256 + segment[offset + 1]! : -1;
  const field = (offset: number, what: Text, mistake?: string) => {
    const be = right[offset]! * 256 + right[offset + 1]!;
    const swapped = at(offset) === (be & 0xff) * 256 + (be >> 8) ? "little-endian" : undefined;
    expectNumber(at(offset), be, { what, notes, mistake: mistake ?? swapped });
  };
  field(0, { en: "bytes 0 and 1, the source port", ko: "0–1번 바이트, 출발지 포트" });
  field(2, { en: "bytes 2 and 3, the destination port", ko: "2–3번 바이트, 목적지 포트" });
  const isShort = at(4) === parts.payload.length;
  field(
    4,
    {
      en: "bytes 4 and 5, the length of header and payload",
      ko: "4–5번 바이트, 헤더와 페이로드의 길이",
    },
    isShort ? "length-without-header" : undefined,
  );
  field(
    6,
    { en: "bytes 6 and 7, the checksum", ko: "6–7번 바이트, 체크섬" },
    at(6) === 0
      ? "zero-checksum-sent"
      : known ?? mistakeOfUdpChecksums([parts], [at(6)]) ?? mistake,
  );
  named(ENCODE, "payload", notes, () => expectBytes(segment, right));
}

const CHECKSUM_MISTAKES = [
  "carry-dropped",
  "carry-folded-once",
  "odd-byte-misplaced",
  "little-endian",
  "complement-missing",
];
const UDP_MISTAKES = [...CHECKSUM_MISTAKES, "pseudo-header-missing", "length-without-header"];

task(2, {
  en: "encodeUdp() makes segments for IPv4",
  ko: "encodeUdp()는 IPv4용 세그먼트를 만듭니다",
}, async ({ learner, random }) => {
  const datagrams = [0, 1, 2, 5, 64, 333, 1_400, 1_401]
    .map((length) => udp(random, ends4(random), length));
  await expectSegments(learner, datagrams);
}, { catches: [...UDP_MISTAKES, "result-overwritten", "input-changed"] });

task(2, {
  en: "encodeUdp() makes segments for IPv6",
  ko: "encodeUdp()는 IPv6용 세그먼트를 만듭니다",
}, async ({ learner, random }) => {
  const datagrams = [0, 1, 2, 5, 64, 333, 1_400, 1_401]
    .map((length) => udp(random, ends6(random), length));
  const others = [
    { source: "::1", destination: "::1" },
    // Any text form will do, the one with dots as well.
    { source: "64:ff9b::10.1.2.3", destination: "FD00:0:0:0:0:0:0:07" },
  ].map((ends) => udp(random, ends, 9));
  await expectSegments(learner, [...datagrams, ...others], "ipv6-pseudo-header-wrong");
}, { catches: [...UDP_MISTAKES, "ipv6-pseudo-header-wrong"] });

task(2, {
  en: "encodeUdp() makes the segments that the kernel made",
  ko: "encodeUdp()는 커널이 만든 것과 같은 세그먼트를 만듭니다",
}, async ({ learner }) => {
  await expectSegments(
    learner,
    [...await tsharkOf("udp4"), ...await tsharkOf("udp6")],
  );
}, { catches: [...UDP_MISTAKES, "ipv6-pseudo-header-wrong"] });

task(2, {
  en: "encodeUdp() sends a checksum of 0 as 0xFFFF",
  ko: "encodeUdp()는 0으로 계산된 체크섬을 0xFFFF로 보냅니다",
}, async ({ learner, random }) => {
  const datagrams = [ends4, ends6, ends4]
    .map((ends, i) => withChecksumZero(udp(random, ends(random), 4 + 2 * i)));
  await expectSegments(learner, datagrams);
}, { catches: ["zero-checksum-sent"] });

task(2, {
  en: "encodeUdp() takes the bytes of a view, and leaves them as they are",
  ko: "encodeUdp()는 뷰(view)의 바이트를 쓰고, 그 바이트를 바꾸지 않습니다",
}, async ({ learner, random }) => {
  const parts = udp(random, ends4(random), 31);
  const { sourcePort, destinationPort, payload } = parts;
  const segment = { sourcePort, destinationPort, payload: new View(payload, 9) };
  const calls = [{ sourcePort, destinationPort, payload }, segment]
    .map((segment) => [segment, addressesOf(parts)]);
  const [plain, outcome] = await callEach(learner, "encodeUdp", calls, { spoil: true });
  const notes = input(payload, { en: "Payload", ko: "페이로드" });
  // What is wrong without a view, too, is no matter of views.
  for (
    const [one, mistake] of [[plain!, undefined], [outcome!, "subarray-offset-ignored"]] as const
  ) {
    const value = returned(one, { what: ENCODE, notes, mistake });
    expectArray(value, ENCODE);
    expectSegment(value, parts, { notes, mistake });
  }
  expectKept("encodeUdp", [plain!, outcome!]);
}, { catches: ["subarray-offset-ignored"] });

task(2, {
  en: "encodeUdp() takes the longest payload that fits, and refuses the next",
  ko: "encodeUdp()는 들어갈 수 있는 가장 긴 페이로드까지만 받습니다",
}, async ({ learner, random }) => {
  const parts = udp(random, ends4(random), 0);
  const { sourcePort, destinationPort } = parts;
  const call = (length: number) => {
    const payload = new Pattern(random.integer(1, 1_000_000), length);
    return [{ sourcePort, destinationPort, payload }, addressesOf(parts)];
  };
  const calls = [65_527, 65_528, 65_536, 131_064].map(call);
  const [longest, ...longer] = await callEach(learner, "encodeUdp", calls);
  const value = returned(longest!, {
    what: { en: "a segment of 65,535 bytes", ko: "65,535바이트의 세그먼트" },
  });
  expectArray(value, ENCODE);
  const { payload } = calls[0]![0] as { payload: Pattern };
  expectSegment(value, { ...parts, payload: payload.bytes }, { notes: [] });
  for (const outcome of longer) {
    expectArgumentsRefused(outcome, {
      what: {
        en: "the length field has 16 bits, and 65,527 bytes of payload fill it",
        ko: "길이 필드는 16비트라서 페이로드는 65,527바이트까지임",
      },
      mistake: "payload-limit-ignored",
    });
  }
}, { catches: ["payload-limit-ignored", ...UDP_MISTAKES] });

task(2, {
  en: "encodeUdp() refuses what is no port, and addresses that do not go together",
  ko: "encodeUdp()는 포트가 아닌 값과 서로 맞지 않는 주소를 거부합니다",
}, async ({ learner, random }) => {
  const parts = udp(random, ends4(random), 3);
  const { sourcePort, destinationPort, payload } = parts;
  const right = { sourcePort, destinationPort, payload };
  const ports = [65_536, 70_000, -1, 80.5, NaN];
  const wrong = ports.flatMap((port) => [
    [{ ...right, sourcePort: port }, addressesOf(parts)],
    [{ ...right, destinationPort: port }, addressesOf(parts)],
  ]);
  const outcomes = await callEach(learner, "encodeUdp", wrong);
  outcomes.forEach((outcome, i) => {
    const port = ports[i >> 1];
    expectArgumentsRefused(outcome, {
      what: { en: `${port} is no port`, ko: `${port}은(는) 포트가 아님` },
      mistake: "port-truncated",
    });
  });
  const pairs = [
    { source: parts.source, destination: ends6(random).destination },
    { source: ends6(random).source, destination: parts.destination },
    { source: "10.0.0", destination: parts.destination },
    { source: parts.source, destination: "localhost" },
  ];
  const mixed = await callEach(learner, "encodeUdp", pairs.map((pair) => [right, pair]));
  pairs.forEach(({ source, destination }, i) => {
    expectArgumentsRefused(mixed[i]!, {
      what: {
        en: `no datagram goes from "${source}" to "${destination}"`,
        ko: `"${source}"에서 "${destination}"로 가는 데이터그램은 없음`,
      },
    });
  });
  // All the numbers that are ports, down to the last.
  await expectSegments(learner, [
    { ...parts, sourcePort: 0, destinationPort: 65_535 },
    { ...parts, sourcePort: 65_535, destinationPort: 0 },
    { ...parts, sourcePort, destinationPort: sourcePort },
  ]);
}, { catches: ["port-truncated", ...UDP_MISTAKES] });

// --- task 3 ---

interface Read {
  bytes: Bytes;
  ends: Ends;
}

function decodeEach(
  learner: Learner,
  reads: Read[],
  options?: EachOptions,
): Promise<Outcome[]> {
  return callEach(
    learner,
    "decodeUdp",
    reads.map(({ bytes, ends }) => [bytes, addressesOf(ends)]),
    options,
  );
}

/** The mistake with which just these of the segments, all of them right, would be refused. */
function mistakeOfRefused(datagrams: UdpParts[], refused: boolean[]): string | undefined {
  const byMistake = datagrams.map((parts) => {
    const right = wordAt(udpSegment(parts), 6);
    const wrong = Object.entries(wrongUdpChecksums(parts));
    return Object.fromEntries(wrong.map(([id, sum]) => [id, (sum || 65_535) !== right]));
  });
  const ids = [...new Set(byMistake.flatMap((one) => Object.keys(one)))];
  const possible = ids.filter((id) =>
    byMistake.every((one, i) => (one[id] ?? false) === refused[i])
  );
  const named = new Set(possible.map((id) => id.trim()));
  return named.size === 1 ? [...named][0] : undefined;
}

/** The same datagram with each checksum that comes out by mistake. Who takes one of them is known by it. */
function baits(parts: UdpParts): { id: string; parts: UdpParts }[] {
  const wrong = Object.entries(wrongUdpChecksums(parts));
  const right = wordAt(udpSegment(parts), 6);
  return wrong
    .filter(([, sum]) =>
      sum > 0 && sum !== right && wrong.filter(([, s]) => s === sum).length === 1
    )
    .map(([id, checksum]) => ({ id: id.trim(), parts: { ...parts, checksum } }));
}

/** Why a reader refuses `datagrams`, which are right: the mistake whose checksums it takes. */
async function mistakeOfReader(
  datagrams: UdpParts[],
  refused: boolean[],
  takes: (baits: UdpParts[]) => Promise<boolean[]>,
): Promise<string | undefined> {
  const known = mistakeOfRefused(datagrams, refused);
  if (known) return known;
  const first = refused.indexOf(true);
  if (first < 0) return undefined;
  const laid = baits(datagrams[first]!);
  const taken = await takes(laid.map(({ parts }) => parts));
  const ids = laid.filter((_, i) => taken[i]).map(({ id }) => id);
  // Who takes them all does not look at checksums.
  return ids.length === 1 ? ids[0] : undefined;
}

const isSame = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

const wordAt = (bytes: Uint8Array, at: number) => bytes[at]! * 256 + bytes[at + 1]!;

task(3, {
  en: "decodeUdp() reads segments over IPv4 and IPv6",
  ko: "decodeUdp()는 IPv4와 IPv6의 세그먼트를 읽습니다",
}, async ({ learner, random }) => {
  const captured = [...await tsharkOf("udp4"), ...await tsharkOf("udp6")];
  const made = [0, 1, 2, 64, 333, 1_400].flatMap((length) => [
    udp(random, ends4(random), length),
    udp(random, ends6(random), length),
  ]);
  // A sender that wants no answer has the port 0 (RFC 768).
  const silent = { ...udp(random, ends4(random), 7), sourcePort: 0 };
  const zero = [ends4, ends6].map((ends) => withChecksumZero(udp(random, ends(random), 6)));
  const datagrams = [...captured, ...made, silent, ...zero];
  const outcomes = await decodeEach(
    learner,
    datagrams.map((parts) => ({ bytes: udpSegment(parts), ends: parts })),
    { watch: true },
  );
  const what = { en: "what is in a right segment", ko: "올바른 세그먼트의 내용" };
  const read = (all: UdpParts[]) =>
    decodeEach(learner, all.map((parts) => ({ bytes: udpSegment(parts), ends: parts })));
  const known = await mistakeOfReader(
    datagrams,
    outcomes.map(isRefused),
    async (laid) => (await read(laid)).map(({ error }) => !error),
  );
  datagrams.forEach(({ sourcePort, destinationPort, payload, ...parts }, i) => {
    const notes = [
      ...input(udpSegment(datagrams[i]!)),
      {
        en: `From ${parts.source} to ${parts.destination}`,
        ko: `${parts.source} → ${parts.destination}`,
      },
    ];
    // Who refuses nothing but these has worked the checksum out anew, and got the other zero.
    const isOtherZero = outcomes.every((one, k) => isRefused(one) === zero.includes(datagrams[k]!));
    const mistake = isOtherZero
      ? "checksum-recomputed"
      : known ?? (parts.source.includes(":") ? "ipv6-pseudo-header-wrong" : undefined);
    const value = returned(outcomes[i]!, { what, notes, mistake });
    const swapped = (port: number) =>
      (value as Record<string, unknown>)
          ?.[port === sourcePort ? "sourcePort" : "destinationPort"] ===
          (port & 0xff) * 256 + (port >> 8)
        ? "little-endian"
        : undefined;
    expectFields(value, { sourcePort, destinationPort, payload, checksum: "good" }, {
      what,
      notes,
      mistakes: {
        sourcePort: swapped(sourcePort),
        destinationPort: swapped(destinationPort),
      },
    });
  });
  expectKept("decodeUdp", outcomes);
}, { catches: [...UDP_MISTAKES, "ipv6-pseudo-header-wrong", "checksum-recomputed"] });

task(3, {
  en: "decodeUdp() refuses a checksum that does not fit",
  ko: "decodeUdp()는 맞지 않는 체크섬을 거부합니다",
}, async ({ learner, random }) => {
  const datagrams = [ends4, ends6].map((ends) => udp(random, ends(random), random.integer(8, 40)));
  const reads = datagrams.flatMap((parts) => {
    const right = udpSegment(parts);
    const changed = join(right);
    changed[8 + random.integer(0, 7)]! ^= random.integer(1, 255);
    const other = wordAt(right, 6) ^ 1 << random.integer(0, 15) || 0x1234;
    const elsewhere = parts.source.includes(":") ? ends6(random) : ends4(random);
    // What the kernel leaves to the network card: the sum of the pseudo-header.
    const sum = 65_535 - checksum(pseudoHeader(parts, 17, right.length));
    const unfinished = sum === 0 || sum === wordAt(right, 6) ? other : sum;
    return [
      { bytes: changed, ends: parts },
      { bytes: udpSegment({ ...parts, checksum: other }), ends: parts },
      { bytes: right, ends: { ...parts, destination: elsewhere.destination } },
      { bytes: udpSegment({ ...parts, checksum: unfinished }), ends: parts },
    ];
  });
  const outcomes = await decodeEach(learner, reads);
  reads.forEach(({ bytes, ends }, i) => {
    // A datagram that went to the wrong host is told by nothing but the pseudo-header.
    const isElsewhere = i % 4 === 2;
    const summed = outcomes.some(({ error }, k) => k % 4 !== 2 && error);
    expectRefused(outcomes[i]!, {
      what: isElsewhere
        ? {
          en: `a datagram that was not for ${ends.destination}`,
          ko: `${ends.destination} 앞으로 온 것이 아닌 데이터그램`,
        }
        : { en: "the checksum does not fit", ko: "체크섬이 맞지 않음" },
      notes: input(bytes),
      mistake: isElsewhere && summed ? "pseudo-header-missing" : "checksum-unverified",
    });
  });
}, { catches: ["checksum-unverified", "pseudo-header-missing"] });

task(3, {
  en: "decodeUdp() takes a segment without checksum over IPv4, not over IPv6",
  ko: "decodeUdp()는 체크섬 없는 세그먼트를 IPv4에서만 받습니다",
}, async ({ learner, random }) => {
  const parts = { ...udp(random, ends4(random), 12), checksum: 0 };
  const parts6 = { ...udp(random, ends6(random), 12), checksum: 0 };
  const reads = [parts, parts6].map((one) => ({ bytes: udpSegment(one), ends: one }));
  const [over4, over6] = await decodeEach(learner, reads);
  const what = {
    en: "a segment whose checksum field is 0, over IPv4",
    ko: "체크섬 필드가 0인 IPv4 세그먼트",
  };
  const notes = input(reads[0]!.bytes);
  const { sourcePort, destinationPort, payload } = parts;
  const value = returned(over4!, { what, notes, mistake: "zero-means-bad" });
  expectFields(value, { sourcePort, destinationPort, payload, checksum: "none" }, {
    what,
    notes,
    mistakes: { checksum: "zero-means-bad" },
  });
  expectRefused(over6!, {
    what: { en: "no checksum over IPv6", ko: "IPv6에서 체크섬이 없음" },
    notes: input(reads[1]!.bytes),
    mistake: "none-accepted-over-ipv6",
  });
}, { catches: ["zero-means-bad", "none-accepted-over-ipv6"] });

task(3, {
  en: "decodeUdp() leaves out what is behind the announced length",
  ko: "decodeUdp()는 길이 필드 뒤의 바이트를 버립니다",
}, async ({ learner, random }) => {
  const datagrams = [[ends4, 0], [ends4, 5], [ends6, 2]] as const;
  const all = datagrams.map(([ends, length]) => udp(random, ends(random), length));
  const behind = [new Uint8Array(18), new Uint8Array(13), join([0], random.bytes(6))];
  const reads = all.map((one, i) => ({ bytes: join(udpSegment(one), behind[i]!), ends: one }));
  const plain = await decodeEach(learner, all.map((ends) => ({ bytes: udpSegment(ends), ends })));
  const outcomes = await decodeEach(learner, reads);
  all.forEach(({ payload, sourcePort, destinationPort }, i) => {
    const what = {
      en: `a segment of ${8 + payload.length} bytes, and ${behind[i]!.length} more behind it`,
      ko: `${8 + payload.length}바이트 세그먼트와 그 뒤의 ${behind[i]!.length}바이트`,
    };
    const notes = input(reads[i]!.bytes);
    // Who refuses it without the bytes behind it is not misled by these.
    const mistake = isRefused(plain[i]!) ? undefined : "padding-as-payload";
    const value = returned(outcomes[i]!, { what, notes, mistake });
    expectFields(value, { sourcePort, destinationPort, payload, checksum: "good" }, {
      what,
      notes,
      mistakes: { payload: "padding-as-payload" },
    });
  });
}, { catches: ["padding-as-payload"] });

task(3, {
  en: "decodeUdp() believes no length: cut segments and wrong length fields",
  ko: "decodeUdp()는 길이를 그대로 믿지 않습니다: 잘린 세그먼트와 틀린 길이 필드",
}, async ({ learner, random }) => {
  const parts = udp(random, ends4(random), 14);
  const whole = udpSegment(parts);
  // Without a checksum nothing but the lengths can tell.
  const none = udpSegment({ ...parts, checksum: 0 });
  const lengths = [0, 1, 7, whole.length + 1, whole.length + 200, 65_535];
  const reads = [
    ...lengths.map((length) => udpSegment({ ...parts, checksum: 0, length })),
    ...Array.from(none, (_, length) => none.slice(0, length)),
    ...Array.from(whole, (_, length) => whole.slice(0, length)),
    ...Array.from({ length: 8 }, (_, length) => udpSegment({ ...parts, length })),
  ];
  await sweep(learner, {
    name: "decodeUdp",
    calls: reads.map((bytes) => [bytes, addressesOf(parts)]),
    know: (i) => reads[i]!,
    judge: (outcome, bytes) => {
      if (isRefused(outcome)) return;
      const length = bytes.length < 6 ? undefined : wordAt(bytes, 4);
      expectRefused(outcome, {
        what: bytes.length < 8
          ? {
            en: `${bytes.length} bytes are no header`,
            ko: `${bytes.length}바이트는 헤더가 될 수 없음`,
          }
          : {
            en: `the length field says ${length}, there are ${bytes.length} bytes`,
            ko: `길이 필드는 ${length}, 실제로는 ${bytes.length}바이트`,
          },
        notes: input(bytes),
        mistake: bytes.length < 8 ? "no-bounds-check" : "length-trusted",
      });
    },
  });
}, { catches: ["length-trusted", "no-bounds-check"] });

task(3, {
  en: "decodeUdp() returns a copy of the payload",
  ko: "decodeUdp()는 페이로드의 복사본을 반환합니다",
}, async ({ learner, random }) => {
  const parts = udp(random, ends4(random), 24);
  const calls = [udpSegment(parts), new View(udpSegment(parts), random.integer(3, 20))]
    .map((bytes) => [bytes, addressesOf(parts)]);
  const outcomes = await callEach(learner, "decodeUdp", calls, { spoil: true });
  const what = {
    en: "a segment whose bytes are overwritten once decodeUdp() has returned",
    ko: "decodeUdp()가 반환한 뒤 바이트를 덮어쓴 세그먼트",
  };
  outcomes.forEach((outcome, i) => {
    const notes = input(udpSegment(parts));
    const mistake = i === 1 ? "subarray-offset-ignored" : undefined;
    const value = returned(outcome, { what, notes, mistake });
    const { payload } = parts;
    const got = asRecord(value, what).payload;
    const isSpoilt = got instanceof Uint8Array && payload.length > 0 &&
      got.every((byte) => byte === got[0]);
    expectFields(value, { payload, sourcePort: parts.sourcePort }, {
      what,
      notes,
      mistakes: { payload: isSpoilt ? "payload-aliased" : mistake, sourcePort: mistake },
    });
  });
  expectKept("decodeUdp", outcomes);
}, {
  catches: ["payload-aliased", "subarray-offset-ignored", "input-changed", "result-overwritten"],
});

task(3, {
  en: "decodeUdp() is right about every segment with one bit turned over",
  ko: "decodeUdp()는 비트 하나가 뒤집힌 모든 세그먼트를 바르게 판단합니다",
}, async ({ learner, random }) => {
  const reads = [ends4, ends6].flatMap((ends) => {
    const parts = udp(random, ends(random), 9);
    const whole = join(udpSegment(parts), new Uint8Array(3));
    return Array.from({ length: whole.length * 8 }, (_, bit) => ({
      bytes: flipped(whole, bit),
      ends: parts,
    }));
  });
  const what = { en: "one bit was turned over", ko: "비트 하나가 뒤집힘" };
  await sweep(learner, {
    name: "decodeUdp",
    calls: reads.map(({ bytes, ends }) => [bytes, addressesOf(ends)]),
    know: (i) => readUdp(reads[i]!.bytes, reads[i]!.ends),
    judge: (outcome, right, i) => {
      if (isRefused(outcome) && !right) return;
      const notes = input(reads[i]!.bytes);
      if (!right) return expectRefused(outcome, { what, notes, mistake: "checksum-unverified" });
      expectFields(returned(outcome, { what, notes }), { ...right }, { what, notes });
    },
  });
}, { catches: ["checksum-unverified", "no-bounds-check"] });

// --- task 4 ---

interface Case {
  sockets: Record<string, unknown>[];
  tuple: Record<string, unknown>;
  socket: string | null;
  mistake?: string | undefined;
  /** The answer that shows the mistake, if not any does. */
  shows?: string;
}

const tupleOf = (parts: Ends & { sourcePort: number; destinationPort: number }) => ({
  sourceAddress: parts.source,
  sourcePort: parts.sourcePort,
  destinationAddress: parts.destination,
  destinationPort: parts.destinationPort,
});

function arrow(tuple: Record<string, unknown>): string {
  return `${tuple.sourceAddress} ${tuple.sourcePort} → ${tuple.destinationAddress} ${tuple.destinationPort}`;
}

function socketText(socket: Record<string, unknown>): string {
  const { id, address, port, localAddress, localPort, remoteAddress, remotePort } = socket;
  const remote = remoteAddress === undefined ? "" : ` ↔ ${remoteAddress} ${remotePort}`;
  return `${id}: ${address ?? localAddress} ${port ?? localPort}${remote}`;
}

async function expectDemux(learner: Learner, name: string, cases: Case[]): Promise<void> {
  const outcomes = await callEach(
    learner,
    name,
    cases.map(({ sockets, tuple }) => [sockets, tuple]),
    { watch: true },
  );
  cases.forEach(({ sockets, tuple, socket, shows, ...rest }, i) => {
    const outcome = outcomes[i]!;
    const mistake = shows === undefined || shows === outcome.value ? rest.mistake : undefined;
    const be = socket === null ? "null" : `"${socket}"`;
    const what = {
      en: `${name}() for ${arrow(tuple)}: ${be}`,
      ko: `${arrow(tuple)} 에 대한 ${name}(): ${be}`,
    };
    const notes = [{
      en: `Sockets: ${sockets.map(socketText).join("; ")}`,
      ko: `소켓: ${sockets.map(socketText).join("; ")}`,
    }];
    const value = returned(outcome, { what, notes, mistake });
    if (value === socket) return;
    fail({ expected: what, received: showValue(value), notes, mistake });
  });
  expectKept(name, outcomes);
}

/** Both orders of a list. */
const bothWays = <T>(list: T[]) => [list, list.toReversed()];

/** Other texts for one IPv6 address. */
function spellings(address: string): string[] {
  const groups = Array.from({ length: 8 }, (_, i) => wordAt(ipBytes(address)!, 2 * i));
  const full = groups.map((group) => group.toString(16));
  return [
    full.join(":"),
    full.map((group) => group.padStart(4, "0")).join(":").toUpperCase(),
    [...full.slice(0, 6), ipBytes(address)!.subarray(12).join(".")].join(":"),
  ];
}

/** An address of the same family that differs in one bit: the first or the last. */
function near(address: string, bit: "first" | "last"): string {
  const bytes = flipped(ipBytes(address)!, bit === "first" ? 0 : ipBytes(address)!.length * 8 - 1);
  if (bytes.length === 4) return bytes.join(".");
  return Array.from({ length: 8 }, (_, i) => wordAt(bytes, 2 * i).toString(16)).join(":");
}

/** The IPv6 address that begins with the bytes of an IPv4 address, and has zeros behind them. */
function asSix(address: string): string {
  const bytes = ipBytes(address)!;
  return `${wordAt(bytes, 0).toString(16)}:${wordAt(bytes, 2).toString(16)}::`;
}

task(4, {
  en: "demuxUdp() goes by destination address and port",
  ko: "demuxUdp()는 목적지 주소와 포트로 소켓을 찾습니다",
}, async ({ learner, random }) => {
  const cases = [ends4, ends6].flatMap((make): Case[] => {
    const [ends, others] = [make(random), make(random)];
    const [mine, theirs] = [port(random), port(random)];
    const sockets = [
      { id: "one", address: ends.destination, port: mine },
      { id: "two", address: ends.destination, port: mine ^ 1 },
      { id: "three", address: others.destination, port: mine },
    ];
    const to = (
      id: string | null,
      tuple: Partial<Record<string, unknown>>,
      mistake = id === null ? undefined : "udp-by-source",
    ) =>
      bothWays(sockets).map((sockets) => ({
        sockets,
        tuple: { ...tupleOf({ ...ends, sourcePort: theirs, destinationPort: mine }), ...tuple },
        socket: id,
        ...(mistake && { mistake }),
      }));
    return [
      ...to("one", {}),
      ...to("one", { sourceAddress: others.source }),
      ...to("one", { sourcePort: theirs ^ 1 }),
      ...to("two", { destinationPort: mine ^ 1 }),
      ...to("three", { destinationAddress: others.destination }),
      ...to(null, { destinationPort: mine ^ 2 }),
      ...to(null, { destinationAddress: others.source }),
      // The source is the sockets' own address and port: a reader that mixes the two ends up is misled.
      ...to(null, {
        sourceAddress: ends.destination,
        sourcePort: mine,
        destinationAddress: others.source,
        destinationPort: mine ^ 2,
      }, "udp-by-source"),
    ];
  });
  await expectDemux(learner, "demuxUdp", cases);
  const [a, b] = [ends4(random), ends4(random)];
  const [mine, theirs] = [port(random), port(random)];
  // Two clients in a row: what the first has taught must not matter.
  const sockets = [{ id: "server", address: a.destination, port: mine }];
  await expectDemux(
    learner,
    "demuxUdp",
    [a.source, b.source, a.source].flatMap((sourceAddress) =>
      [theirs, theirs ^ 1].map((sourcePort) => ({
        sockets,
        tuple: {
          sourceAddress,
          sourcePort,
          destinationAddress: a.destination,
          destinationPort: mine,
        },
        socket: "server",
        mistake: "udp-by-source",
      }))
    ),
  );
  const tuple = tupleOf({ ...a, sourcePort: theirs, destinationPort: mine });
  await expectDemux(learner, "demuxUdp", [
    { sockets: [], tuple, socket: null },
    ...[a, ends6(random)].flatMap(({ source, destination }) =>
      (["first", "last"] as const).map((bit) => ({
        sockets: [{ id: "near", address: near(destination, bit), port: mine }],
        tuple: { ...tuple, sourceAddress: source, destinationAddress: destination },
        socket: null,
        mistake: "addresses-compared-in-part",
      }))
    ),
    ...bothWays([a.destination, asSix(a.destination)]).map(([address, destinationAddress]) => ({
      sockets: [{ id: "other", address, port: mine }],
      tuple: { ...tuple, sourceAddress: destinationAddress, destinationAddress },
      socket: null,
      mistake: "addresses-compared-in-part",
    })),
  ]);
}, { catches: ["udp-by-source", "addresses-compared-in-part"] });

task(4, {
  en: "demuxUdp() prefers the exact address to any, of the same family",
  ko: "demuxUdp()는 같은 계열 안에서 정확한 주소를 와일드카드보다 먼저 고릅니다",
}, async ({ learner, random }) => {
  const [a, b, c] = [ends4(random), ends4(random), ends6(random)];
  const [mine, theirs] = [port(random), port(random)];
  const tuple = (ends: Ends) => tupleOf({ ...ends, sourcePort: theirs, destinationPort: mine });
  const sockets = [
    { id: "any", address: "0.0.0.0", port: mine },
    { id: "exact", address: a.destination, port: mine },
  ];
  const sockets6 = [
    { id: "any", address: random.pick(["::", "0:0:0:0:0:0:0:0"]), port: mine },
    { id: "exact", address: c.destination, port: mine },
  ];
  const mistake = "wildcard-before-exact";
  await expectDemux(learner, "demuxUdp", [
    ...bothWays(sockets).flatMap((sockets) => [
      { sockets, tuple: tuple(a), socket: "exact", mistake, shows: "any" },
      { sockets, tuple: tuple(b), socket: "any" },
      { sockets, tuple: { ...tuple(b), destinationPort: mine ^ 1 }, socket: null },
    ]),
  ]);
  // "0:0:…:0" is any address, too.
  await expectDemux(
    learner,
    "demuxUdp",
    bothWays(sockets6).flatMap((sockets) => [
      { sockets, tuple: tuple(c), socket: "exact", mistake, shows: "any" },
      { sockets, tuple: tuple(ends6(random)), socket: "any", mistake: "addresses-as-text" },
    ]),
  );
  await expectDemux(learner, "demuxUdp", [
    {
      sockets: [sockets[0]!],
      tuple: tuple(c),
      socket: null,
      mistake: "wildcard-of-other-family",
    },
    {
      sockets: [sockets6[0]!],
      tuple: tuple(a),
      socket: null,
      mistake: "wildcard-of-other-family",
    },
    ...bothWays([sockets[0]!, { ...sockets6[0]!, address: "::", id: "any6" }]).map((sockets) => ({
      sockets,
      tuple: tuple(c),
      socket: "any6",
      mistake: "wildcard-of-other-family",
    })),
  ]);
}, {
  catches: [
    "wildcard-before-exact",
    "wildcard-of-other-family",
    "addresses-as-text",
    "input-changed",
  ],
});

task(4, {
  en: "demuxTcp() goes by all four: each connection is a socket of its own",
  ko: "demuxTcp()는 네 값을 모두 봅니다: 연결마다 소켓이 따로 있습니다",
}, async ({ learner, random }) => {
  const cases = [ends4, ends6].flatMap((make): Case[] => {
    const [ends, others] = [make(random), make(random)];
    const [mine, theirs] = [port(random), port(random)];
    const local = { localAddress: ends.destination, localPort: mine };
    const sockets = [
      { id: "listener", ...local },
      { id: "first", ...local, remoteAddress: ends.source, remotePort: theirs },
      { id: "second", ...local, remoteAddress: ends.source, remotePort: theirs ^ 1 },
      { id: "third", ...local, remoteAddress: others.source, remotePort: theirs },
      {
        id: "fourth",
        localAddress: others.destination,
        localPort: mine,
        remoteAddress: ends.source,
        remotePort: theirs,
      },
    ];
    const tuple = tupleOf({ ...ends, sourcePort: theirs, destinationPort: mine });
    const mistake = "tcp-by-destination-only";
    return bothWays(sockets).flatMap((sockets) => [
      { sockets, tuple: { ...tuple, sourcePort: theirs ^ 1 }, socket: "second", mistake },
      { sockets, tuple: { ...tuple, sourceAddress: others.source }, socket: "third", mistake },
      { sockets, tuple, socket: "first", mistake },
      {
        sockets,
        tuple: { ...tuple, destinationAddress: others.destination },
        socket: "fourth",
        mistake,
      },
      // A fresh client, and one that has only an address or only a port in common with somebody.
      { sockets, tuple: { ...tuple, sourcePort: theirs ^ 2 }, socket: "listener", mistake },
      {
        sockets,
        tuple: { ...tuple, sourceAddress: others.source, sourcePort: theirs ^ 1 },
        socket: "listener",
        mistake,
      },
      { sockets, tuple: { ...tuple, destinationPort: mine ^ 1 }, socket: null },
      {
        sockets,
        tuple: { ...tuple, destinationAddress: others.destination, sourcePort: theirs ^ 1 },
        socket: null,
        mistake,
      },
      { sockets: [], tuple, socket: null },
    ]);
  });
  // Where it is always the listener that gets it, the connections are not asked first.
  const outcomes = await callEach(
    learner,
    "demuxTcp",
    cases.map(({ sockets, tuple }) => [sockets, tuple]),
  );
  const listenerFirst = cases.every(({ socket }, i) =>
    outcomes[i]!.value === socket ||
    (outcomes[i]!.value === "listener" && socket !== null && socket !== "fourth")
  ) && outcomes.some(({ value }, i) => cases[i]!.socket === "fourth" && value === "fourth");
  await expectDemux(
    learner,
    "demuxTcp",
    cases.map((one) => listenerFirst ? { ...one, mistake: "listener-first" } : one),
  );
}, { catches: ["tcp-by-destination-only", "listener-first"] });

task(4, {
  en: "demuxTcp() asks connections, then the exact listener, then the one for any",
  ko: "demuxTcp()는 연결, 정확한 주소의 리스너, 와일드카드 리스너 순서로 찾습니다",
}, async ({ learner, random }) => {
  const cases = ([[ends4, "0.0.0.0"], [ends6, "::"]] as const).flatMap(([make, any]): Case[] => {
    const [ends, others] = [make(random), make(random)];
    const [mine, theirs] = [port(random), port(random)];
    const anyListener = { id: "any", localAddress: any, localPort: mine };
    const exact = { id: "exact", localAddress: ends.destination, localPort: mine };
    const connection = {
      id: "connection",
      localAddress: ends.destination,
      localPort: mine,
      remoteAddress: ends.source,
      remotePort: theirs,
    };
    const tuple = tupleOf({ ...ends, sourcePort: theirs, destinationPort: mine });
    const fresh = { ...tuple, sourcePort: theirs ^ 1 };
    return [
      ...bothWays([anyListener, exact]).flatMap((sockets) => [
        { sockets, tuple: fresh, socket: "exact", mistake: "wildcard-before-exact" },
        { sockets, tuple: { ...fresh, destinationAddress: others.destination }, socket: "any" },
      ]),
      ...bothWays([anyListener, connection]).flatMap((sockets) => [
        { sockets, tuple, socket: "connection", mistake: "listener-first" },
        { sockets, tuple: fresh, socket: "any", mistake: "tcp-by-destination-only" },
      ]),
      ...bothWays([anyListener, exact, connection]).map((sockets) => ({
        sockets,
        tuple,
        socket: "connection",
        mistake: "listener-first",
      })),
      // The connection has gone, the listener with it: nobody.
      { sockets: [connection], tuple: fresh, socket: null, mistake: "tcp-by-destination-only" },
    ];
  });
  await expectDemux(learner, "demuxTcp", cases);
  const [four, six] = [ends4(random), ends6(random)];
  const [mine, theirs] = [port(random), port(random)];
  await expectDemux(
    learner,
    "demuxTcp",
    ([[six, "0.0.0.0"], [four, "::"]] as const).map(([ends, localAddress]) => ({
      sockets: [{ id: "any", localAddress, localPort: mine }],
      tuple: tupleOf({ ...ends, sourcePort: theirs, destinationPort: mine }),
      socket: null,
      mistake: "wildcard-of-other-family",
    })),
  );
  const connected = ({ source, destination }: Ends) => ({
    id: "near",
    localAddress: destination,
    localPort: mine,
    remoteAddress: source,
    remotePort: theirs,
  });
  await expectDemux(
    learner,
    "demuxTcp",
    [four, six].flatMap((ends) =>
      (["first", "last"] as const).flatMap((bit) => [
        connected({ ...ends, source: near(ends.source, bit) }),
        connected({ ...ends, destination: near(ends.destination, bit) }),
      ]).map((socket) => ({
        sockets: [socket],
        tuple: tupleOf({ ...ends, sourcePort: theirs, destinationPort: mine }),
        socket: null,
        mistake: "addresses-compared-in-part",
      }))
    ),
  );
}, {
  catches: [
    "listener-first",
    "wildcard-before-exact",
    "tcp-by-destination-only",
    "wildcard-of-other-family",
    "addresses-compared-in-part",
  ],
});

task(4, {
  en: "demuxUdp() and demuxTcp() compare addresses, not their spelling",
  ko: "demuxUdp()와 demuxTcp()는 표기가 아니라 주소를 비교합니다",
}, async ({ learner, random }) => {
  const ends = ends6(random);
  const [mine, theirs] = [port(random), port(random)];
  const pairs = [ends, { source: "::1", destination: "::1" }];
  const mistake = "addresses-as-text";
  const udpCases = pairs.flatMap(({ source, destination }) =>
    spellings(destination).flatMap((spelling): Case[] => {
      const tuple = tupleOf({ source, destination, sourcePort: theirs, destinationPort: mine });
      return [
        { sockets: [{ id: "it", address: spelling, port: mine }], tuple, socket: "it", mistake },
        {
          sockets: [{ id: "it", address: destination, port: mine }],
          tuple: { ...tuple, destinationAddress: spelling },
          socket: "it",
          mistake,
        },
      ];
    })
  );
  const toUs = tupleOf({ ...ends, sourcePort: theirs, destinationPort: mine });
  const anyCases = spellings("::").map((address): Case => ({
    sockets: [{ id: "any", address, port: mine }],
    tuple: toUs,
    socket: "any",
    mistake,
  }));
  await expectDemux(learner, "demuxUdp", [...udpCases, ...anyCases]);
  const listening = [...spellings("::"), ...spellings(ends.destination)].map((
    localAddress,
  ): Case => ({
    sockets: [{ id: "listening", localAddress, localPort: mine }],
    tuple: toUs,
    socket: "listening",
    mistake,
  }));
  const spelledOut = spellings(ends.destination).map((destinationAddress): Case => ({
    sockets: [{ id: "listening", localAddress: ends.destination, localPort: mine }],
    tuple: { ...toUs, destinationAddress },
    socket: "listening",
    mistake,
  }));
  const tcpCases = pairs.flatMap(({ source, destination }) =>
    spellings(source).flatMap((spelling, i): Case[] => {
      const connection = {
        id: "connection",
        localAddress: spellings(destination)[i]!,
        localPort: mine,
        remoteAddress: spelling,
        remotePort: theirs,
      };
      const tuple = tupleOf({ source, destination, sourcePort: theirs, destinationPort: mine });
      const plain = { ...connection, localAddress: destination, remoteAddress: source };
      const spelled = {
        ...tuple,
        sourceAddress: spelling,
        destinationAddress: connection.localAddress,
      };
      return [[connection, tuple], [plain, spelled]].map(([socket, tuple]) => ({
        sockets: [socket!],
        tuple: tuple!,
        socket: "connection",
        mistake,
      }));
    })
  );
  await expectDemux(learner, "demuxTcp", [...tcpCases, ...listening, ...spelledOut]);
}, { catches: ["addresses-as-text", "input-changed"] });

// --- task 5 ---

const sentOf = (random: Random, ends: Ends, payload: Uint8Array | number): Sent => ({
  ...udp(random, ends, payload),
  ...macs(random),
});

function packetOf({ source, destination, sourcePort, destinationPort, payload }: Sent) {
  return { source, destination, sourcePort, destinationPort, payload };
}

const frameFields = ({ sourceMac, destinationMac }: Sent) => ({ sourceMac, destinationMac });

async function expectFrames(learner: Learner, all: Sent[]): Promise<void> {
  const outcomes = await callEach(
    learner,
    "encapsulate",
    all.map((sent) => [packetOf(sent), frameFields(sent)]),
    { spoil: true, watch: true },
  );
  const checksums = all.map((sent, i) => {
    const { value } = outcomes[i]!;
    const at = etherType(sent.source) === 0x0800 ? 40 : 60;
    return value instanceof Uint8Array && value.length >= at + 2 ? wordAt(value, at) : -1;
  });
  const known = mistakeOfUdpChecksums(all, checksums);
  all.forEach((sent, i) => {
    const what = {
      en: `the frame with a datagram of ${sent.payload.length} bytes to ${sent.destination}`,
      ko: `${sent.destination} 앞으로 가는 ${sent.payload.length}바이트 데이터그램의 프레임`,
    };
    const value = returned(outcomes[i]!, { what });
    expectArray(value, what);
    expectFrame(value, sent, { what, known });
  });
  expectKept("encapsulate", outcomes);
}

/** Fails unless `frame` is the one that carries this datagram, and tells which part is not. */
function expectFrame(
  frame: Bytes,
  sent: Sent,
  { what, known }: { what: Text; known: string | undefined },
): void {
  const right = frameOf(sent);
  if (isSame(frame, right)) return;
  const notes = input(frame, { en: "The frame", ko: "받은 프레임" });
  const isV4 = ipBytes(sent.source)!.length === 4;
  const at = (from: number, to: number, mistake?: string) => {
    const part = { en: `bytes ${from}–${to - 1}`, ko: `${from}–${to - 1}번 바이트` };
    named(
      what,
      part.en,
      notes,
      () => expectBytes(frame.slice(from, to), right.slice(from, to), mistake),
    );
  };
  const isSwapped = frame.slice(0, 6).toHex() === right.slice(6, 12).toHex();
  at(0, 12, isSwapped ? "mac-order-swapped" : undefined);
  at(12, 15);
  if (!isV4) at(15, 18);
  const [ip, udpAt] = [14, isV4 ? 34 : 54];
  const segmentLength = 8 + sent.payload.length;
  if (isV4) {
    const header = frame.slice(ip, udpAt);
    const length = wordAt(header, 2);
    at(16, 18, length === segmentLength ? "length-without-header" : undefined);
    at(18, 20);
    const flags = wordAt(header, 6);
    expectThat(
      flags === 0 || flags === 0x4000,
      {
        en: "flags and fragment offset 0x0000 or 0x4000 (DF)",
        ko: "플래그와 조각 오프셋: 0x0000 또는 0x4000(DF)",
      },
      hex(flags),
    );
    at(22, 24);
    const sum = wordAt(header, 10);
    const without = join(header.subarray(0, 10), [0, 0], header.subarray(12));
    const like = Object.entries(WRONG_CHECKSUMS).find(([, wrong]) => wrong(without) === sum)?.[0]
      .trim();
    expectNumber(sum, checksum(without), {
      what: { en: "bytes 24 and 25, the header checksum", ko: "24–25번 바이트, 헤더 체크섬" },
      notes,
      mistake: sum === 0 ? "header-checksum-missing" : like,
    });
    at(26, 34);
  } else {
    at(18, 20);
    at(20, 54);
  }
  expectSegment(frame.slice(udpAt, udpAt + segmentLength), sent, { notes, known });
  const isShort = frame.length === udpAt + segmentLength && frame.length < 60;
  named(what, "the end", notes, () =>
    expectBytes(
      frame.slice(udpAt + segmentLength),
      right.slice(udpAt + segmentLength),
      isShort ? "frame-not-padded" : undefined,
    ));
}

task(5, {
  en: "encapsulate() puts a datagram into an IPv4 packet and a frame",
  ko: "encapsulate()는 데이터그램을 IPv4 패킷과 프레임에 넣습니다",
}, async ({ learner, random }) => {
  const lengths = [19, 40, 333, 1_401];
  await expectFrames(learner, lengths.map((length) => sentOf(random, ends4(random), length)));
}, {
  catches: [
    ...UDP_MISTAKES,
    "mac-order-swapped",
    "header-checksum-missing",
    "result-overwritten",
    "input-changed",
  ],
});

task(5, {
  en: "encapsulate() puts a datagram into an IPv6 packet and a frame",
  ko: "encapsulate()는 데이터그램을 IPv6 패킷과 프레임에 넣습니다",
}, async ({ learner, random }) => {
  const lengths = [0, 40, 333, 1_401];
  const dotted = { source: "64:ff9b::10.1.2.3", destination: "64:ff9b::10.1.2.4" };
  await expectFrames(learner, [
    ...lengths.map((length) => sentOf(random, ends6(random), length)),
    sentOf(random, dotted, 9),
  ]);
}, { catches: [...UDP_MISTAKES, "mac-order-swapped", "ipv6-pseudo-header-wrong"] });

task(5, {
  en: "encapsulate() pads short frames with zeros to 60 bytes",
  ko: "encapsulate()는 짧은 프레임을 0으로 채워 60바이트로 만듭니다",
}, async ({ learner, random }) => {
  const lengths = [0, 1, 5, 17, 18];
  const zero = sentOf(random, ends4(random), 6);
  await expectFrames(learner, [
    ...lengths.map((length) => sentOf(random, ends4(random), length)),
    { ...zero, ...withChecksumZero(zero) },
  ]);
}, { catches: ["frame-not-padded", "zero-checksum-sent", ...UDP_MISTAKES] });

task(5, {
  en: "encapsulate() refuses what fits in no packet",
  ko: "encapsulate()는 패킷에 들어갈 수 없는 것을 거부합니다",
}, async ({ learner, random }) => {
  const sent = sentOf(random, ends4(random), 5);
  const frame = frameFields(sent);
  const long = new Pattern(random.integer(1, 1_000_000), 65_508);
  const longer = new Pattern(random.integer(1, 1_000_000), 65_528);
  const calls = [
    [{ ...packetOf(sent), sourcePort: 65_536 + 80 }, frame],
    [{ ...packetOf(sent), destinationPort: -1 }, frame],
    [{ ...packetOf(sent), payload: long }, frame],
    [{ ...packetOf(sent), ...ends6(random), payload: longer }, frame],
    [{ ...packetOf(sent), source: ends6(random).source }, frame],
    [packetOf(sent), { ...frame, sourceMac: "02:00:00:00:00" }],
    [packetOf(sent), { ...frame, destinationMac: "02:00:00:00:00:zz" }],
    [packetOf(sent), { ...frame, sourceMac: "02:00:00:00:00:01:02" }],
  ];
  const whats = [
    { en: "65616 is no port", ko: "65616은 포트가 아님" },
    { en: "-1 is no port", ko: "-1은 포트가 아님" },
    {
      en: "an IPv4 packet has at most 65,535 bytes, 65,507 of them payload of UDP",
      ko: "IPv4 패킷은 65,535바이트까지이고 UDP 페이로드는 65,507바이트까지임",
    },
    {
      en: "the length field has 16 bits, and 65,527 bytes of payload fill it",
      ko: "길이 필드는 16비트라서 페이로드는 65,527바이트까지임",
    },
    {
      en: "no packet goes from an IPv6 address to an IPv4 address",
      ko: "IPv6 주소에서 IPv4 주소로 가는 패킷은 없음",
    },
    { en: "a MAC address has six bytes", ko: "MAC 주소는 6바이트임" },
    { en: "a MAC address is written in hexadecimal digits", ko: "MAC 주소는 16진수로 씀" },
    { en: "a MAC address has no seventh byte", ko: "MAC 주소에는 7번째 바이트가 없음" },
  ];
  const limit = "payload-limit-ignored";
  const mistakes = ["port-truncated", "port-truncated", limit, limit];
  const outcomes = await callEach(learner, "encapsulate", calls);
  outcomes.forEach((outcome, i) => {
    const mistake = mistakes[i];
    expectArgumentsRefused(outcome, { what: whats[i]!, ...(mistake && { mistake }) });
  });
  // What fits to the last byte is sent: IPv6's length does not count its own header.
  await expectFrames(learner, [
    sentOf(random, ends4(random), 65_507),
    sentOf(random, ends6(random), 65_527),
  ]);
}, { catches: ["port-truncated", "payload-limit-ignored", ...UDP_MISTAKES] });

/** What `decapsulate()` says to frames that carry a datagram. */
async function expectPackets(
  learner: Learner,
  frames: { frame: Uint8Array; what: Text; mistake?: string | undefined; arg?: View }[],
): Promise<void> {
  const outcomes = await callEach(
    learner,
    "decapsulate",
    frames.map(({ frame, arg }) => [arg ?? frame]),
    { watch: true },
  );
  frames.forEach(({ frame, what, mistake }, i) => {
    const { sourceMac, destinationMac, ...right } = readFrame(frame)!;
    const notes = input(frame);
    const value = returned(outcomes[i]!, { what, notes, mistake });
    const { sourceMac: is } = asRecord(value, what);
    const isSwapped = is !== sourceMac && is === destinationMac;
    expectFields(value, { sourceMac, destinationMac, ...right }, {
      what,
      notes,
      mistakes: {
        sourceMac: isSwapped ? "mac-order-swapped" : mistake,
        ...Object.fromEntries(
          ["source", "destination", "sourcePort", "destinationPort", "payload"]
            .map((field) => [field, mistake]),
        ),
      },
    });
  });
  expectKept("decapsulate", outcomes);
}

/** What `decapsulate()` says to frames in which there is none. */
async function expectNoPackets(
  learner: Learner,
  frames: { frame: Uint8Array; what: Text; mistake?: string; whole?: number }[],
): Promise<void> {
  const outcomes = await callEach(learner, "decapsulate", frames.map(({ frame }) => [frame]));
  frames.forEach(({ frame, what, mistake, whole }, i) => {
    const { payload } = (outcomes[i]!.value ?? {}) as { payload?: Uint8Array };
    // IP's length was heeded, and UDP's, which says more, believed.
    const isClipped = whole !== undefined && payload instanceof Uint8Array &&
      payload.length < whole;
    const shown = isClipped ? "length-trusted" : mistake;
    expectRefused(outcomes[i]!, { what, notes: input(frame), mistake: shown });
  });
}

task(5, {
  en: "decapsulate() takes datagrams out of frames from a real network",
  ko: "decapsulate()는 실제 네트워크의 프레임에서 데이터그램을 꺼냅니다",
}, async ({ learner }) => {
  const files = {
    udp4: undefined,
    udp6: undefined,
    padded: "padding-as-payload",
    udp_no_checksum: "zero-means-bad",
    udp_options: "header-length-fixed",
    vlan: "vlan-tag-not-skipped",
  };
  const captures = await capturesOf(...Object.keys(files));
  for (const [i, [name, mistake]] of Object.entries(files).entries()) {
    const records = pcapRecords(captures[i]!.file);
    const what = { en: `the frames of ${name}.pcap`, ko: `${name}.pcap의 프레임` };
    await expectPackets(learner, records.map(({ bytes }) => ({ frame: bytes, what, mistake })));
  }
}, {
  catches: [
    "mac-order-swapped",
    "padding-as-payload",
    "zero-means-bad",
    "header-length-fixed",
    "vlan-tag-not-skipped",
  ],
});

task(5, {
  en: "decapsulate() finds each header where the one before it says",
  ko: "decapsulate()는 앞 헤더가 말하는 자리에서 다음 헤더를 찾습니다",
}, async ({ learner, random }) => {
  const all = [ends4, ends6, ends4, ends4, ends4, ends6, ends4]
    .map((ends, i) => sentOf(random, ends(random), 10 + i));
  const [four, six] = all as [Sent, Sent];
  const options = [1, 1, 1, 0, ...random.bytes(4 * random.integer(0, 9))];
  const tag = random.integer(1, 4_094) | random.integer(0, 7) << 13;
  const plain = { en: "a frame without padding", ko: "패딩 없는 프레임" };
  const view = frameOf(four, { padTo: 0 });
  const tagged = { en: "a frame with a VLAN tag", ko: "VLAN 태그가 있는 프레임" };
  const zero = { ...four, ...withChecksumZero(four) };
  await expectPackets(learner, [
    // Who refuses these is not misled by what is special about the others.
    ...all.map((sent) => ({ frame: frameOf(sent, { padTo: 0 }), what: plain })),
    {
      frame: frameOf(sentOf(random, ends4(random), 8_958)),
      what: { en: "a frame of 9,000 bytes", ko: "9,000바이트짜리 프레임" },
    },
    {
      frame: frameOf(zero),
      what: { en: "a datagram whose checksum is 0xFFFF", ko: "체크섬이 0xFFFF인 데이터그램" },
      mistake: "checksum-recomputed",
    },
    {
      frame: view,
      arg: new View(view, random.integer(3, 40)),
      what: { en: "a frame in a longer buffer", ko: "더 긴 버퍼 안의 프레임" },
      mistake: "subarray-offset-ignored",
    },
    {
      frame: frameOf(all[2]!, { padTo: random.integer(90, 120) }),
      what: { en: "a frame with padding", ko: "패딩이 있는 프레임" },
      mistake: "padding-as-payload",
    },
    {
      frame: frameOf(all[3]!, { ip: { options } }),
      what: {
        en: `a packet with ${options.length} bytes of IPv4 options`,
        ko: `IPv4 옵션이 ${options.length}바이트인 패킷`,
      },
      mistake: "header-length-fixed",
    },
    ...[four, six].map((sent) => ({
      frame: frameOf(sent, { tag }),
      what: tagged,
      mistake: "vlan-tag-not-skipped",
    })),
  ]);
}, {
  catches: [
    "header-length-fixed",
    "vlan-tag-not-skipped",
    "padding-as-payload",
    "subarray-offset-ignored",
    "mac-order-swapped",
    "checksum-recomputed",
    "input-changed",
    "result-overwritten",
  ],
});

task(5, {
  en: "decapsulate() refuses what is no datagram: other types, versions and protocols",
  ko: "decapsulate()는 데이터그램이 아닌 것을 거부합니다: 다른 타입, 버전, 프로토콜",
}, async ({ learner, random }) => {
  const [four, six] = [sentOf(random, ends4(random), 12), sentOf(random, ends6(random), 12)];
  const tcp = tcpSegment({ ...four, payload: random.bytes(5) });
  const type = (type: number) => ({ en: `EtherType ${hex(type)}`, ko: `EtherType ${hex(type)}` });
  await expectNoPackets(learner, [
    ...[0x0806, 0x88b5, 0x0801].map((one) => ({
      frame: frameOf(four, { type: one }),
      what: type(one),
      mistake: "ethertype-unchecked",
    })),
    { frame: frameOf(six, { type: 0x88b5 }), what: type(0x88b5), mistake: "ethertype-unchecked" },
    {
      frame: frameOf(four, { type: 0x0806, tag: 7 }),
      what: type(0x0806),
      mistake: "ethertype-unchecked",
    },
    {
      frame: frameOf(six, { type: 0x0800 }),
      what: {
        en: "an IPv6 packet under the EtherType of IPv4",
        ko: "IPv4의 EtherType을 단 IPv6 패킷",
      },
      mistake: "ethertype-unchecked",
    },
    {
      frame: frameOf(four, { type: 0x86dd }),
      what: {
        en: "an IPv4 packet under the EtherType of IPv6",
        ko: "IPv6의 EtherType을 단 IPv4 패킷",
      },
      mistake: "ethertype-unchecked",
    },
    ...[4, 6].map((version) => ({
      frame: frameOf(version === 4 ? four : six, {
        ip: { firstByte: version === 4 ? 0x55 : 0x50 },
      }),
      what: { en: "IP version 5", ko: "IP 버전 5" },
    })),
    ...[1, 6, 58].map((protocol) => ({
      frame: frameOf(four, { ip: { protocol } }),
      what: { en: `protocol ${protocol}`, ko: `프로토콜 ${protocol}` },
    })),
    {
      frame: frameOf(four, { ip: { protocol: 6, content: tcp } }),
      what: { en: "a TCP segment", ko: "TCP 세그먼트" },
    },
    {
      frame: frameOf(six, { ip: { protocol: 58 } }),
      what: { en: "ICMPv6", ko: "ICMPv6" },
    },
  ]);
}, { catches: ["ethertype-unchecked", "no-bounds-check"] });

task(5, {
  en: "decapsulate() refuses fragments",
  ko: "decapsulate()는 조각(fragment)을 거부합니다",
}, async ({ learner, random }) => {
  const sent = sentOf(random, ends4(random), 24);
  const pieces = [0x2000, 0x2000 | random.integer(1, 0x1fff), 1, random.integer(2, 0x1fff)];
  const records = pcapRecords((await captureOf("fragments")).file).map(({ bytes }) => bytes);
  const real = records.filter((frame) => (wordAt(frame, 20) & 0x3fff) !== 0);
  const frames = [...pieces.map((fragment) => frameOf(sent, { ip: { fragment } })), ...real];
  await expectNoPackets(
    learner,
    frames.map((frame) => ({
      frame,
      what: {
        en: `a fragment (flags and offset ${hex(wordAt(frame, 20))})`,
        ko: `조각(플래그와 오프셋 ${hex(wordAt(frame, 20))})`,
      },
      mistake: "fragment-taken-for-segment",
    })),
  );
  const six = sentOf(random, ends6(random), 24);
  await expectNoPackets(
    learner,
    ([[0, 1], [3, 1], [3, 0]] as const).map(([offset, more]) => ({
      frame: fragment6(six, offset, more),
      what: { en: "a fragment of an IPv6 packet", ko: "IPv6 패킷의 조각" },
      mistake: "fragment-taken-for-segment",
    })),
  );
  // Do not fragment is no fragment.
  await expectPackets(learner, [{
    frame: frameOf(sent, { ip: { fragment: 0x4000 } }),
    what: { en: "a packet with the flag DF", ko: "DF 플래그가 있는 패킷" },
  }]);
}, { catches: ["fragment-taken-for-segment", "no-bounds-check"] });

/** A frame with a fragment of IPv6: a header of its own, 8 bytes, says so (RFC 8200, section 4.5). */
function fragment6(sent: Sent, offset: number, more: 0 | 1): Bytes {
  const header = join([17, 0], u16(offset << 3 | more), [0, 0, 0, 7]);
  return frameOf(sent, { ip: { protocol: 44, content: join(header, udpSegment(sent)) } });
}

/** A frame whose IPv4 header ends before the destination, and is right otherwise. */
function fourWords(sent: Sent): Bytes {
  const segment = udpSegment({ ...sent, checksum: 0 });
  const header = join([0x44, 0], u16(16 + segment.length), [0, 0, 0, 0, 64, 17, 0, 0]);
  const content = join(header, ipBytes(sent.source)!, segment);
  content.set(u16(checksum(content.subarray(0, 16))), 10);
  const { sourceMac, destinationMac } = sent;
  return etherFrame({ sourceMac, destinationMac, type: 0x0800, content });
}

task(5, {
  en: "decapsulate() refuses wrong checksums and lengths",
  ko: "decapsulate()는 틀린 체크섬과 길이를 거부합니다",
}, async ({ learner, random }) => {
  const [four, six] = [sentOf(random, ends4(random), 24), sentOf(random, ends6(random), 24)];
  const right = frameOf(four);
  const later = join(right);
  // As a router does that forgets the checksum.
  later[22]!--;
  const none = { ...four, checksum: 0 };
  const header = {
    en: "the IPv4 header checksum does not fit",
    ko: "IPv4 헤더 체크섬이 맞지 않음",
  };
  const lengths = (totalLength: number) => ({
    en: `the IP length field says ${totalLength}, which contradicts what is there`,
    ko: `IP 길이 필드가 ${totalLength}이라서 실제와 맞지 않음`,
  });
  const wrongLength = (sent: Sent, totalLength: number) => ({
    frame: frameOf(sent, { ip: { totalLength } }),
    what: lengths(totalLength),
    mistake: "total-length-ignored",
    whole: sent.payload.length,
  });
  const damaged = flipped(right, 8 * (right.length - 3));
  await expectNoPackets(learner, [
    ...[later, frameOf(four, { ip: { headerChecksum: 0 } })].map((frame) => ({
      frame,
      what: header,
      mistake: "header-checksum-unverified",
    })),
    {
      frame: damaged,
      what: { en: "the UDP checksum does not fit", ko: "UDP 체크섬이 맞지 않음" },
      mistake: "checksum-unverified",
    },
    {
      frame: frameOf({ ...six, checksum: 0 }),
      what: { en: "no checksum over IPv6", ko: "IPv6에서 체크섬이 없음" },
      mistake: "none-accepted-over-ipv6",
    },
    // 52 bytes are there; UDP's own length agrees with all of them.
    ...[53, 400, 65_535, 51, 28, 19, 0].map((length) => wrongLength(four, length)),
    ...[51, 28, 60].map((length) => wrongLength(none, length)),
    ...[31, 8, 0, 33, 4_000].map((length) => wrongLength(six, length)),
    ...[0x40, 0x44].map((firstByte) => ({
      frame: frameOf(none, { ip: { firstByte } }),
      what: {
        en: `a header length of ${firstByte & 15} words, under the five there must be`,
        ko: `헤더 길이 ${firstByte & 15}워드: 최소 5워드여야 함`,
      },
      mistake: "header-length-fixed",
    })),
    {
      frame: fourWords(four),
      what: {
        en: "a header of 4 words whose checksum fits, under the five there must be",
        ko: "체크섬은 맞지만 4워드인 헤더: 최소 5워드여야 함",
      },
      mistake: "header-length-fixed",
    },
  ]);
}, {
  catches: [
    "header-checksum-unverified",
    "total-length-ignored",
    "length-trusted",
    "checksum-unverified",
    "none-accepted-over-ipv6",
    "header-length-fixed",
    "no-bounds-check",
  ],
});

task(5, {
  en: "decapsulate() is right about every cut frame, and every one with a bit turned over",
  ko: "decapsulate()는 모든 잘린 프레임과 비트 하나가 뒤집힌 프레임을 바르게 판단합니다",
}, async ({ learner, random }) => {
  const whole = [
    frameOf(sentOf(random, ends4(random), 2), { padTo: 46 }),
    frameOf(sentOf(random, ends6(random), 2), { tag: 9 }),
    frameOf(sentOf(random, ends4(random), 1), { ip: { options: [1, 1, 1, 0] }, padTo: 0 }),
  ];
  const frames = whole.flatMap((frame, which) => [
    ...Array.from(frame, (_, length) => frame.slice(0, length)),
    ...(which === 2
      ? []
      : Array.from({ length: frame.length * 8 }, (_, bit) => flipped(frame, bit))),
  ]);
  const what = {
    en: "a frame that was cut or has one bit turned over",
    ko: "잘렸거나 비트 하나가 뒤집힌 프레임",
  };
  await sweep(learner, {
    name: "decapsulate",
    calls: frames.map((frame) => [frame]),
    know: (i) => readFrame(frames[i]!),
    judge: (outcome, right: FrameRead | undefined, i) => {
      if (isRefused(outcome) && !right) return;
      const notes = input(frames[i]!);
      if (!right) return expectRefused(outcome, { what, notes, mistake: undefined });
      expectFields(returned(outcome, { what, notes }), { ...right }, { what, notes });
    },
  });
}, { catches: ["no-bounds-check"] });

// --- task 6 ---

interface Capture {
  name: string;
  file: Bytes;
  /** What tshark finds in it. */
  segments: Captured[];
}

const captures = new URL("captures/08_segments/", import.meta.url);

/** A capture and what tshark finds in it. Every file is read once. */
function captureOf(name: string): Promise<Capture> {
  let capture = read.get(name);
  if (!capture) read.set(name, capture = readCaptureOf(name));
  return capture;
}

const read = new Map<string, Promise<Capture>>();

async function readCaptureOf(name: string): Promise<Capture> {
  const [file, found] = await Promise.all([
    Deno.readFile(new URL(`${name}.pcap`, captures)),
    Deno.readTextFile(new URL(`${name}.tshark.json`, captures)),
  ]);
  type Found = Omit<Captured, "payload" | "timeMs"> & { payload: string; time: string };
  const segments = (JSON.parse(found) as Found[]).map(({ payload, time, ...rest }) => ({
    ...rest,
    timeMs: Number(time) * 1000,
    payload: Uint8Array.fromHex(payload),
  }));
  return { name: `${name}.pcap`, file, segments };
}

/** The datagrams that tshark finds in a capture. */
async function tsharkOf(name: string): Promise<UdpParts[]> {
  const { segments } = await captureOf(name);
  return segments.map(({ source, destination, sourcePort, destinationPort, payload }) => ({
    ...{ source, destination, sourcePort, destinationPort, payload },
  }));
}

/** A capture with all its packets, written in another way. */
function rewritten(
  { name, file, segments }: Capture,
  style: Partial<PcapStyle>,
  change: (record: PcapRecord) => PcapRecord = (record) => record,
): Capture {
  const linkType = new DataView(file.buffer).getUint32(20, true);
  const records = pcapRecords(file).map(change);
  const how = [
    style.littleEndian === false ? "big-endian" : "",
    style.nano ? "nanoseconds" : "",
    style.linkType === undefined ? "" : `link type ${style.linkType}`,
  ].filter(Boolean).join(", ");
  return { name: `${name} (${how})`, file: pcapFile(records, { linkType, ...style }), segments };
}

/** An IP packet behind the four bytes of an address family instead of an Ethernet header. */
function loopbackRecord(linkType: 0 | 108, littleEndian: boolean, family: number) {
  return (record: PcapRecord): PcapRecord => {
    const packet = record.bytes.slice(14);
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, family, linkType === 0 && littleEndian);
    return { ...record, bytes: join(header, packet), original: packet.length + 4 };
  };
}

/** How far apart two times may be, in milliseconds: less than any clock of a capture tells. */
const CLOSE_MS = 0.002;

function segmentText(segment: Partial<Record<string, unknown>>): string {
  const { protocol, source, sourcePort, destination, destinationPort, payload, checksum } = segment;
  const length = payload instanceof Uint8Array ? `${payload.length} bytes` : showValue(payload);
  return `${protocol} ${source} ${sourcePort} → ${destination} ${destinationPort}, ${length}, ${checksum}`;
}

const timeIsClose = (is: unknown, be: number) =>
  typeof is === "number" && Math.abs(is - be) <= CLOSE_MS;

/** The mistake that makes `got` of what is in a capture. */
function mistakeOfCapture(
  segments: Captured[],
  got: Record<string, unknown>[],
  ownMistake: string | undefined,
): string | undefined {
  const has = (all: { protocol?: unknown }[], protocol: string) =>
    all.some((one) => one.protocol === protocol);
  const hasBad = segments.some((one) => one.checksum === "bad");
  if (hasBad && got.length < segments.length && !got.some((one) => one.checksum === "bad")) {
    return "bad-checksum-dropped";
  }
  const isUdpOnly = has(got, "udp") || (ownMistake === undefined && !has(segments, "udp"));
  if (has(segments, "tcp") && !has(got, "tcp") && isUdpOnly) return "udp-only";
  if (got.length !== segments.length) return ownMistake;
  for (const [i, be] of segments.entries()) {
    const is = got[i]!;
    const data = is.payload instanceof Uint8Array ? is.payload.toHex() : "";
    const right = be.payload.toHex();
    if (
      data.length > right.length && /^0*$/.test(data.slice(right.length)) && data.startsWith(right)
    ) {
      return be.protocol === "tcp" ? "total-length-ignored" : "padding-as-payload";
    }
    if (be.protocol === "tcp" && data.length > right.length && data.endsWith(right)) {
      return "data-offset-ignored";
    }
    if (ownMistake !== "cut-record-judged" || is.checksum !== "bad") continue;
    if (be.checksum === "none") return "cut-record-judged";
  }
  return ownMistake;
}

/** Why a reader calls checksums bad that are good: the mistake whose checksums it calls good. */
async function mistakeOfVerdicts(
  learner: Learner,
  segments: Captured[],
  got: Record<string, unknown>[],
): Promise<string | undefined> {
  if (got.length !== segments.length) return undefined;
  const isGoodUdp = ({ protocol, checksum }: Captured) => protocol === "udp" && checksum === "good";
  const refused = got.filter((_, i) => isGoodUdp(segments[i]!)).map((one) =>
    one.checksum === "bad"
  );
  if (!refused.includes(true)) return undefined;
  const datagrams = segments.filter(isGoodUdp).map(({ checksum: _, ...rest }): UdpParts => rest);
  const mac = { sourceMac: "02:00:00:00:00:01", destinationMac: "02:00:00:00:00:02" };
  return await mistakeOfReader(datagrams, refused, async (laid) => {
    const records = laid.map((parts) => ({
      seconds: 1,
      nanoseconds: 0,
      bytes: frameOf({ ...parts, ...mac }),
    }));
    const [outcome] = await callEach(learner, "readCapture", [[pcapFile(records)]]);
    const told = Array.isArray(outcome?.value) ? outcome.value : [];
    return laid.map((_, i) => told[i]?.checksum === "good");
  });
}

/** The mistakes that a wrong verdict on a checksum can show. */
const OF_CHECKSUMS = new Set([
  ...UDP_MISTAKES,
  "ipv6-pseudo-header-wrong",
  "zero-means-bad",
  "cut-record-judged",
  "bad-checksum-dropped",
  "checksum-recomputed",
  "tcp-zero-as-none",
]);

/** Fails unless `readCapture()` finds in each file what is there. */
async function expectCaptures(
  learner: Learner,
  files: Capture[],
  mistake?: string,
  as: (file: Bytes) => Bytes | View = (file) => file,
): Promise<void> {
  const outcomes = await callEach(learner, "readCapture", files.map(({ file }) => [as(file)]), {
    watch: true,
  });
  await judgeCaptures(learner, { files, outcomes, mistake });
  expectKept("readCapture", outcomes);
}

async function judgeCaptures(
  learner: Learner,
  { files, outcomes, mistake }: {
    files: Capture[];
    outcomes: Outcome[];
    mistake: string | undefined;
  },
): Promise<void> {
  for (const [i, { name, file, segments }] of files.entries()) {
    const what = { en: `the segments of ${name}`, ko: `${name}의 세그먼트` };
    const notes = file.length <= MOST_SHOWN * 4 ? input(file) : [];
    const value = returned(outcomes[i]!, {
      what,
      notes,
      mistake: mistakeOfRefusal(segments, mistake),
    });
    expectList(value, what);
    const got = value.map((one) => asRecord(one, what));
    const known = await mistakeOfVerdicts(learner, segments, got) ??
      mistakeOfCapture(segments, got, mistake);
    expectCaptured(got, segments, { what, notes, mistake: known });
  }
}

/** A capture that is refused as a whole. */
function mistakeOfRefusal(segments: Captured[], mistake: string | undefined): string | undefined {
  return segments.some((one) => one.checksum === "bad") ? "bad-checksum-dropped" : mistake;
}

function expectCaptured(
  got: Record<string, unknown>[],
  segments: Captured[],
  { what, notes = [], mistake }: Expected & { mistake?: string | undefined },
): void {
  segments.forEach(({ timeMs, orChecksum, ...segment }, i) => {
    const known = got[i];
    if (known && !differing(known, segment, orChecksum) && timeIsClose(known.timeMs, timeMs)) {
      return;
    }
    const fields = {
      protocol: segment.protocol,
      source: segment.source,
      sourcePort: segment.sourcePort,
      destination: segment.destination,
      destinationPort: segment.destinationPort,
      payload: segment.payload,
      checksum: segment.checksum,
    };
    const nth = {
      en: `${what.en}: number ${i + 1} of ${segments.length}, ${segmentText(fields)}`,
      ko: `${what.ko}: ${segments.length}개 중 ${i + 1}번째, ${segmentText(fields)}`,
    };
    const is = got[i];
    if (!is) {
      fail({
        expected: nth,
        received: { en: `only ${got.length} segments`, ko: `세그먼트 ${got.length}개뿐` },
        notes,
        mistake,
      });
    }
    const wrong = differing(is, fields, orChecksum);
    if (wrong && !["payload", "checksum"].includes(wrong)) {
      fail({ expected: nth, received: segmentText(is), notes, mistake });
    }
    expectFields(is, fields, {
      what: nth,
      notes,
      orChecksum,
      mistakes: {
        payload: mistake,
        checksum: mistake && OF_CHECKSUMS.has(mistake) ? mistake : undefined,
      },
    });
    if (timeIsClose(is.timeMs, timeMs)) return;
    fail({
      expected: { en: `${nth.en}, timeMs: ${timeMs}`, ko: `${nth.ko}, timeMs: ${timeMs}` },
      received: showValue(is.timeMs),
      mistake,
    });
  });
  if (got.length === segments.length) return;
  fail({
    expected: {
      en: `${what.en}: ${segments.length} of them`,
      ko: `${what.ko}: ${segments.length}개`,
    },
    received: {
      en: `${got.length}, with ${segmentText(got.at(-1) ?? {})}`,
      ko: `${got.length}개, 마지막은 ${segmentText(got.at(-1) ?? {})}`,
    },
    mistake,
  });
}

const capturesOf = (...names: string[]) => Promise.all(names.map(captureOf));

task(6, {
  en: "readCapture() finds the datagrams in a capture of a real network",
  ko: "readCapture()는 실제 네트워크의 캡처에서 데이터그램을 찾습니다",
}, async ({ learner, random }) => {
  const [empty] = await capturesOf("udp4");
  const none = { name: "empty.pcap", file: empty!.file.slice(0, 24), segments: [] };
  const files = await capturesOf("udp4", "udp6");
  await expectCaptures(learner, [...files, none]);
  const view = new View(files[0]!.file, random.integer(3, 40));
  await expectCaptures(learner, [files[0]!], "subarray-offset-ignored", () => view);
  await expectCaptures(learner, await capturesOf("udp_no_checksum"), "zero-means-bad");
}, {
  catches: [
    ...UDP_MISTAKES,
    "zero-means-bad",
    "padding-as-payload",
    "result-overwritten",
    "subarray-offset-ignored",
  ],
});

task(6, {
  en: "readCapture() finds TCP segments, with their options and without",
  ko: "readCapture()는 옵션이 있든 없든 TCP 세그먼트를 찾습니다",
}, async ({ learner }) => {
  await expectCaptures(learner, await capturesOf("tcp4", "tcp6"));
}, { catches: ["udp-only", "data-offset-ignored", "total-length-ignored"] });

task(6, {
  en: "readCapture() keeps segments whose checksum is bad, and says so",
  ko: "readCapture()는 체크섬이 틀린 세그먼트도 남기고 그렇다고 알립니다",
}, async ({ learner, random }) => {
  await expectCaptures(learner, await capturesOf("loopback"), "bad-checksum-dropped");
  const [ends, payload] = [ends4(random), random.bytes(9)];
  const sent = sentOf(random, ends, 8);
  const odd = tcpFrame(random, ends, payload);
  const zero = frameOf({ ...sent, ...withChecksumZero(sent) });
  const file = (...frames: Bytes[]) => frames.map((frame) => recordOf(random, frame));
  await expectCaptures(
    learner,
    [madeUp("other-zero.pcap", file(odd, zero))],
    "checksum-recomputed",
  );
  await expectCaptures(
    learner,
    [madeUp("tcp-checksum-0.pcap", file(odd, tcpFrame(random, ends, payload, { checksum: 0 })))],
    "tcp-zero-as-none",
  );
}, {
  catches: [
    "bad-checksum-dropped",
    "checksum-recomputed",
    "tcp-zero-as-none",
    "udp-only",
    "data-offset-ignored",
  ],
});

task(6, {
  en: "readCapture() reads files of both byte orders",
  ko: "readCapture()는 두 바이트 순서의 파일을 모두 읽습니다",
}, async ({ learner }) => {
  const files = await capturesOf("udp4", "loopback");
  await expectCaptures(
    learner,
    files.map((file) => rewritten(file, { littleEndian: false })),
    "endianness-assumed",
  );
}, { catches: ["endianness-assumed", "udp-only", "bad-checksum-dropped", "input-changed"] });

task(6, {
  en: "readCapture() tells nanoseconds from microseconds",
  ko: "readCapture()는 나노초와 마이크로초를 구분합니다",
}, async ({ learner }) => {
  const [file] = await capturesOf("nanoseconds");
  await expectCaptures(learner, [file!], "nanoseconds-as-microseconds");
  await expectCaptures(
    learner,
    [rewritten(file!, { nano: true, littleEndian: false })],
    "endianness-assumed",
  );
}, { catches: ["nanoseconds-as-microseconds", "endianness-assumed"] });

task(6, {
  en: "readCapture() goes by the link type: cooked, raw IP and loopback",
  ko: "readCapture()는 링크 타입을 따릅니다: cooked, raw IP, 루프백",
}, async ({ learner, random }) => {
  const real = await capturesOf("cooked_v1", "cooked_v2", "raw_ip");
  await expectCaptures(learner, real, "link-type-assumed");
  await expectLoopback(learner, await capturesOf("udp4", "tcp6"));
  const files = [1, 0, 108, 101, 113, 276].map((linkType) => ofLinkType(random, linkType));
  await expectCaptures(learner, files, "link-type-assumed");
}, {
  catches: [
    "link-type-assumed",
    "family-number-assumed",
    "endianness-assumed",
    "udp-only",
    "data-offset-ignored",
    "no-bounds-check",
  ],
});

/** Packets of both families and protocols behind a link header, whole and cut. Only what says the type is not random. */
function ofLinkType(random: Random, linkType: number): Capture {
  const header = (type: number): Bytes => {
    const family = type === 0x0800 ? 2 : 30;
    if (linkType === 1) return join(random.bytes(12), u16(0x8100), random.bytes(2), u16(type));
    if (linkType === 0) return Uint8Array.of(family, 0, 0, 0);
    if (linkType === 108) return Uint8Array.of(0, 0, 0, family);
    if (linkType === 113) return join(random.bytes(14), u16(type));
    return linkType === 276 ? join(u16(type), random.bytes(18)) : new Uint8Array();
  };
  const packets = [ends4(random), ends6(random)].flatMap((ends) => {
    const behind = (frame: Bytes) => join(header(etherType(ends.source)), frame.subarray(14));
    return [
      behind(tcpFrame(random, ends, random.bytes(7))),
      behind(frameOf(sentOf(random, ends, 20))),
    ];
  });
  const { length } = header(0x86dd);
  const cuts = new Set([1, length - 1, length, length + 1, length + 39, length + 47]);
  const last = packets.at(-1)!;
  const cut = [...cuts].filter((at) => at > 0)
    .map((at) => recordOf(random, last.slice(0, at), last.length));
  const whole = packets.map((packet) => recordOf(random, packet));
  // Behind the last record there is nothing that could be read by mistake.
  const end = recordOf(random, last.slice(0, 3), last.length);
  return madeUp(`link-type-${linkType}.pcap`, [...whole, ...cut, whole[0]!, end], { linkType });
}

/** IPv4 packets and IPv6 packets behind every number that stands for their family, in both byte orders. */
async function expectLoopback(learner: Learner, [four, six]: Capture[]): Promise<void> {
  const variants = ([0, 108] as const).flatMap((linkType) =>
    [true, false].flatMap((littleEndian) =>
      [2, 10, 24, 28, 30].map((family) => {
        const capture = family === 2 ? four! : six!;
        const change = loopbackRecord(linkType, littleEndian, family);
        const file = rewritten(capture, { linkType, littleEndian }, change);
        return { linkType, littleEndian, family, file };
      })
    )
  );
  const outcomes = await callEach(
    learner,
    "readCapture",
    variants.map(({ file }) => [file.file]),
  );
  const fails = variants.filter(({ file }, i) => {
    const { value } = outcomes[i]!;
    return !Array.isArray(value) || value.length < file.segments.length;
  });
  const of = <T>(get: (one: typeof variants[number]) => T) => new Set(fails.map(get));
  // Who reads one number of IPv6 in every file knows what there is to know of files, and not the other numbers.
  const families = of(({ family }) => family);
  const isFamily = families.size > 0 && families.size < 4 && !families.has(2);
  const isOrder = of(({ littleEndian }) => littleEndian).size === 1;
  const mistake = isFamily
    ? "family-number-assumed"
    : isOrder
    ? "endianness-assumed"
    : "link-type-assumed";
  await judgeCaptures(learner, { files: variants.map(({ file }) => file), outcomes, mistake });
}

task(6, {
  en: "readCapture() leaves out what is no UDP or TCP segment",
  ko: "readCapture()는 UDP나 TCP 세그먼트가 아닌 것을 뺍니다",
}, async ({ learner, random }) => {
  await expectCaptures(learner, await capturesOf("mixed"), "ethertype-unchecked");
  await expectCaptures(learner, await capturesOf("fragments"), "fragment-taken-for-segment");
  const sent = () => sentOf(random, ends4(random), 20);
  const pieces = [0x2000, 0x2000 | random.integer(1, 0x1fff), random.integer(1, 0x1fff)]
    .flatMap((fragment) => [frameOf(sent(), { ip: { fragment } }), frameOf(sent())]);
  const six = sentOf(random, ends6(random), 20);
  pieces.push(fragment6(six, 0, 1), frameOf(six), fragment6(six, 3, 0), frameOf(sent()));
  await expectCaptures(
    learner,
    [madeUp("whole-looking-fragments.pcap", pieces.map((frame) => recordOf(random, frame)))],
    "fragment-taken-for-segment",
  );
  const others = [
    frameOf(six, { type: 0x88b5 }),
    frameOf(sent(), { type: 0x88b5 }),
    frameOf(six, { type: 0x0800 }),
    frameOf(sent(), { type: 0x86dd }),
    frameOf(six),
  ];
  await expectCaptures(
    learner,
    [madeUp("other-types.pcap", others.map((frame) => recordOf(random, frame)))],
    "ethertype-unchecked",
  );
  await expectCaptures(learner, await capturesOf("udp_options"), "header-length-fixed");
  await expectCaptures(learner, await capturesOf("vlan"), "vlan-tag-not-skipped");
}, {
  catches: [
    "ethertype-unchecked",
    "fragment-taken-for-segment",
    "header-length-fixed",
    "vlan-tag-not-skipped",
    "no-bounds-check",
  ],
});

/** A record of a file that the suite makes up. */
const recordOf = (random: Random, bytes: Uint8Array, original?: number): PcapRecord => ({
  seconds: random.integer(1_000_000_000, 2_000_000_000),
  nanoseconds: random.integer(0, 999_999) * 1_000,
  bytes,
  ...(original !== undefined && { original }),
});

/** A capture of the suite's own, with what is in it. */
function madeUp(name: string, records: PcapRecord[], style?: Partial<PcapStyle>): Capture {
  const file = pcapFile(records, style);
  const read = readPcap(file);
  const known = typeof read === "number" ? [] : read.records;
  return { name, file, segments: known.flatMap(({ segment }) => segment ?? []) };
}

/** The frame of a TCP segment. */
function tcpFrame(
  random: Random,
  ends: Ends,
  payload: Uint8Array,
  { options = [], padTo = 0, ...rest }: { options?: number[]; padTo?: number; checksum?: number } =
    {},
): Bytes {
  const parts = { ...udp(random, ends, payload), options, ...rest };
  const content = ipPacket({ ...addressesOf(ends), protocol: 6, content: tcpSegment(parts) });
  return etherFrame({ ...macs(random), type: etherType(ends.source), content, padTo });
}

task(6, {
  en:
    "readCapture() takes padding for no payload, and leaves out headers that contradict themselves",
  ko: "readCapture()는 패딩을 페이로드로 보지 않고, 앞뒤가 맞지 않는 헤더는 뺍니다",
}, async ({ learner, random }) => {
  const ends = ends4(random);
  const sent = () => sentOf(random, ends, random.integer(1, 9));
  const padded = [
    tcpFrame(random, ends, new Uint8Array(), { padTo: 60 }),
    tcpFrame(random, ends, random.bytes(2), { padTo: 64 }),
    frameOf(sent()),
  ];
  await expectCaptures(
    learner,
    [madeUp("padded-tcp.pcap", padded.map((frame) => recordOf(random, frame)))],
    "total-length-ignored",
  );
  const good = () => frameOf(sent());
  const none = { ...sent(), payload: random.bytes(30), checksum: 0 };
  const broken = [
    frameOf(none, { ip: { totalLength: 1_000 } }),
    frameOf(none, { ip: { totalLength: 12 } }),
    frameOf({ ...none, length: 300 }),
    ...[0, 4, 7].map((length) => frameOf({ ...none, length })),
    good().slice(0, 30),
    good().slice(0, 9),
    frameOf(none, { ip: { content: random.bytes(5) }, padTo: 0 }),
  ];
  const frames = broken.flatMap((frame) => [good(), frame]);
  await expectCaptures(
    learner,
    [madeUp("contradictions.pcap", [...frames, good()].map((frame) => recordOf(random, frame)))],
    "length-trusted",
  );
  // A header checksum that was left to the network card says nothing of the segment.
  const offload = frameOf(sent(), { ip: { headerChecksum: 0 } });
  await expectCaptures(
    learner,
    [madeUp("ip-offload.pcap", [offload, good()].map((frame) => recordOf(random, frame)))],
    "bad-checksum-dropped",
  );
  const short = [0x40, 0x44].map((firstByte) => frameOf(none, { ip: { firstByte } }));
  const headers = [...short, fourWords(none), good()].map((frame) => recordOf(random, frame));
  await expectCaptures(learner, [madeUp("short-headers.pcap", headers)], "header-length-fixed");
}, {
  catches: [
    "header-length-fixed",
    "total-length-ignored",
    "padding-as-payload",
    "length-trusted",
    "bad-checksum-dropped",
    "no-bounds-check",
    "udp-only",
    "data-offset-ignored",
  ],
});

task(6, {
  en: "readCapture() does not judge the checksum of a record that was cut",
  ko: "readCapture()는 잘린 레코드의 체크섬을 판단하지 않습니다",
}, async ({ learner, random }) => {
  await expectCaptures(learner, await capturesOf("cut"), "cut-record-judged");
  const ends = ends6(random);
  const whole = frameOf(sentOf(random, ends, 80));
  const tcp = tcpFrame(random, ends, random.bytes(80), { options: [1, 1, 1, 0] });
  const cut = [
    ...[62, 63, 70, 141].map((length) => recordOf(random, whole.slice(0, length), whole.length)),
    ...[74, 78, 90].map((length) => recordOf(random, tcp.slice(0, length), tcp.length)),
    // Without even a header there is nothing to tell.
    ...[13, 40, 61].map((length) => recordOf(random, whole.slice(0, length), whole.length)),
    recordOf(random, tcp.slice(0, 73), tcp.length),
    recordOf(random, whole),
    // Nothing at all was captured, and the file ends with it.
    recordOf(random, new Uint8Array(), 60),
  ];
  const empty = madeUp("nothing-captured.pcap", [recordOf(random, new Uint8Array(), 60)], {
    linkType: 101,
  });
  await expectCaptures(learner, [madeUp("cut-anywhere.pcap", cut), empty], "cut-record-judged");
}, { catches: ["cut-record-judged", "udp-only", "data-offset-ignored", "no-bounds-check"] });

/** Fails unless each of these files is refused, naming its record. */
async function expectNoCaptures(
  learner: Learner,
  files: { file: Uint8Array; what: Text; record?: number; mistake?: string; says?: RegExp }[],
): Promise<void> {
  const outcomes = await callEach(learner, "readCapture", files.map(({ file }) => [file]));
  files.forEach(({ file, what, record, mistake, says }, i) => {
    const outcome = outcomes[i]!;
    const notes = input(file);
    expectRefused(outcome, { what, notes, mistake });
    const { message } = outcome.error!;
    const numbers = message.match(/\d+/g)?.map(Number) ?? [];
    if (record !== undefined && !numbers.includes(record)) {
      fail({
        expected: {
          en: `a SegmentError whose message names record ${record}: ${what.en}`,
          ko: `메시지에 레코드 번호 ${record}이(가) 있는 SegmentError: ${what.ko}`,
        },
        received: showError(outcome.error!),
        notes,
        mistake: "error-without-record",
      });
    }
    if (says && !says.test(message)) {
      fail({
        expected: { en: `a message about it: ${what.en}`, ko: `그것을 알리는 메시지: ${what.ko}` },
        received: showError(outcome.error!),
        notes,
      });
    }
  });
}

task(6, {
  en: "readCapture() checks every record's lengths, and says which record is wrong",
  ko: "readCapture()는 레코드의 길이를 모두 확인하고 어느 레코드가 틀렸는지 알립니다",
}, async ({ learner, random }) => {
  const frames = Array.from({ length: 13 }, () => frameOf(sentOf(random, ends4(random), 3)));
  const at = (record: number, change: (frame: Uint8Array) => Partial<PcapRecord>) =>
    frames.map((frame, i) => ({
      ...recordOf(random, frame),
      ...(i === record - 1 && change(frame)),
    }));
  const long = (snaplen: number) => ({
    en: `a captured length over the snaplen of ${snaplen}`,
    ko: `스냅 길이 ${snaplen}보다 긴 captured length`,
  });
  const mistake = "record-length-trusted";
  // Numbers that no length here has, so that the message can mean nothing else.
  const which = random.pick([11, 12]);
  const huge = join(frames[0]!, new Uint8Array(262_085));
  const file = pcapFile(frames.map((frame) => recordOf(random, frame)));
  const lied = (length: number) => {
    const other = join(file);
    new DataView(other.buffer).setUint32(24 + (which - 1) * 76 + 8, length, true);
    new DataView(other.buffer).setUint32(24 + (which - 1) * 76 + 12, length, true);
    return other;
  };
  const beyond = {
    en: "a record that says it is longer than the rest of the file",
    ko: "파일의 남은 부분보다 길다고 하는 레코드",
  };
  const hugest = huge.slice(0, 262_144);
  await expectCaptures(
    learner,
    [0, 0x7fffffff, 262_144].map((snaplen) =>
      madeUp(`snaplen-${snaplen}.pcap`, [
        recordOf(random, frames[0]!),
        ...(snaplen === 0x7fffffff ? [recordOf(random, hugest)] : []),
      ], { snaplen })
    ),
    "snaplen-taken-literally",
  );
  await expectNoCaptures(learner, [
    {
      file: pcapFile(at(which, (frame) => ({ original: frame.length - 1 }))),
      what: {
        en: "a captured length over the original length",
        ko: "original length보다 긴 captured length",
      },
      record: which,
      mistake,
    },
    ...[2_000, 200_000, 262_144].map((length) => ({
      file: lied(length),
      what: beyond,
      record: which,
      mistake,
    })),
    ...[262_145, 0x7fffffff, 0xffffffff, 0x80000000].map((length) => ({
      file: lied(length),
      what: beyond,
      record: which,
      mistake,
    })),
    {
      file: file.slice(0, 24 + (which - 1) * 76 + 7),
      what: {
        en: "a file that ends within the header of a record",
        ko: "레코드 헤더 중간에서 끝나는 파일",
      },
      record: which,
      mistake,
    },
    {
      file: pcapFile(at(which, (frame) => ({ bytes: join(frame, [0]), original: 61 })), {
        snaplen: 60,
      }),
      what: long(60),
      record: which,
      mistake,
    },
    {
      file: pcapFile(at(which, (frame) => ({ bytes: join(frame, [0]), original: 61 })), {
        snaplen: 60,
        littleEndian: false,
      }),
      what: long(60),
      record: which,
      mistake,
    },
    {
      file: pcapFile([recordOf(random, frames[0]!), recordOf(random, huge)], {
        snaplen: 0x7fffffff,
      }),
      what: {
        en: "a captured length over 262,144, whatever the snaplen",
        ko: "스냅 길이와 상관없이 262,144보다 긴 captured length",
      },
      record: 2,
      mistake,
    },
  ]);
}, {
  catches: [
    "record-length-trusted",
    "error-without-record",
    "snaplen-taken-literally",
    "no-bounds-check",
  ],
});

task(6, {
  en: "readCapture() says what a file is that it cannot read",
  ko: "readCapture()는 읽을 수 없는 파일이 무엇인지 알립니다",
}, async ({ learner, random }) => {
  const frame = frameOf(sentOf(random, ends4(random), 3));
  const file = (style: Partial<PcapStyle>) => pcapFile([recordOf(random, frame)], style);
  // Section header block of a pcapng file, little-endian and big-endian.
  const ng = [
    "0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000",
    "0a0d0d0a0000001c1a2b3c4d00010000ffffffffffffffff0000001c",
  ];
  await expectNoCaptures(learner, [
    ...ng.map((one) => ({
      file: Uint8Array.fromHex(one),
      what: {
        en:
          "a pcapng file, and how to convert it (tcpdump -r in.pcapng -w out.pcap, editcap -F pcap)",
        ko: "pcapng 파일이라는 것과 변환 방법(tcpdump -r in.pcapng -w out.pcap, editcap -F pcap)",
      },
      says:
        /^(?=[^]*pcapng)([^]*(tcpdump|editcap|tshark)|(?=[^]*wireshark)[^]*(save|convert|export|저장|변환|내보))/i,
    })),
    ...[105, 147, 2].map((linkType) => ({
      file: file({ linkType }),
      what: { en: `link type ${linkType}`, ko: `링크 타입 ${linkType}` },
      mistake: "link-type-assumed",
    })),
    {
      file: pcapFile([], { linkType: 147 }),
      what: {
        en: "link type 147, in a file without records",
        ko: "레코드가 없는 파일의 링크 타입 147",
      },
      mistake: "link-type-assumed",
    },
    ...[true, false].map((littleEndian) => ({
      file: modified(file({ littleEndian }), littleEndian),
      what: {
        en: "the magic 0xA1B2CD34 of another format, whose records have a header of 24 bytes",
        ko: "레코드 헤더가 24바이트인 다른 형식의 매직 0xA1B2CD34",
      },
      mistake: "magic-unchecked",
    })),
    { file: new Uint8Array(), what: { en: "an empty file", ko: "빈 파일" } },
    {
      file: join([0x50, 0x4b, 3, 4], random.bytes(60)),
      what: { en: "a file with another magic", ko: "매직이 다른 파일" },
    },
  ]);
}, { catches: ["link-type-assumed", "magic-unchecked", "no-bounds-check"] });

/** The same file with the magic of Alexey Kuznetzov's variant, which tcpdump once wrote. */
function modified(file: Bytes, littleEndian: boolean): Bytes {
  new DataView(file.buffer).setUint32(0, 0xa1b2cd34, littleEndian);
  return file;
}

task(6, {
  en: "readCapture() is right about every cut file, and every one with a bit turned over",
  ko: "readCapture()는 모든 잘린 파일과 비트 하나가 뒤집힌 파일을 바르게 판단합니다",
}, async ({ learner, random }) => {
  const ends = ends4(random);
  const whole = pcapFile([
    recordOf(random, frameOf(sentOf(random, ends, 1), { padTo: 0 })),
    recordOf(random, tcpFrame(random, ends, random.bytes(1), { options: [1, 1, 1, 0] })),
  ], { snaplen: 96 });
  const files = [
    ...Array.from(whole, (_, length) => whole.slice(0, length)),
    ...Array.from({ length: whole.length * 8 }, (_, bit) => flipped(whole, bit)),
  ];
  const what = {
    en: "a file that was cut or has one bit turned over",
    ko: "잘렸거나 비트 하나가 뒤집힌 파일",
  };
  await sweep(learner, {
    name: "readCapture",
    calls: files.map((file) => [file]),
    know: (i) => readPcap(files[i]!),
    judge: (outcome, read, i) =>
      expectRight(outcome, read, { what, notes: () => input(files[i]!) }),
  });
}, { catches: ["no-bounds-check", "record-length-trusted"] });

/** Fails unless this is what there is to say of a file that may be anything. */
function expectRight(
  outcome: Outcome,
  read: ReturnType<typeof readPcap>,
  { what, notes: noted }: { what: Text; notes: () => Text[] },
): void {
  if (typeof read === "number") {
    if (isRefused(outcome)) return;
    const mistake = read > 0 ? "record-length-trusted" : undefined;
    return expectRefused(outcome, { what, notes: noted(), mistake });
  }
  if (read.mayRefuse && isRefused(outcome)) return;
  const value = outcome.error ? undefined : outcome.value;
  const got = Array.isArray(value) ? value.map((one) => asRecord(one, what)) : [];
  // What may be left out is expected if it is there.
  const expected: Captured[] = [];
  let found = 0;
  for (const { segment, maySkip } of read.records) {
    if (!segment) continue;
    const { timeMs, orChecksum, ...fields } = segment;
    const is = got[expected.length];
    const isThere = is !== undefined && !differing(is, fields, orChecksum) &&
      timeIsClose(is.timeMs, timeMs);
    if (isThere) found++;
    if (isThere || !maySkip) expected.push(segment);
  }
  if (Array.isArray(value) && found === expected.length && found === got.length) return;
  const notes = noted();
  expectList(returned(outcome, { what, notes }), what);
  expectCaptured(got, expected, { what, notes });
}
