/**
 * Lesson 6: a web server on a TCP socket.
 *
 * @module
 */

import type { WireError } from "../workbook/protocol.ts";
import { same, type Text } from "../workbook/text.ts";
import { bytes, escapeBytes, expectBytes } from "./support/bytes.ts";
import { file, rawSocketsOnly } from "./support/exercise.ts";
import { networkModuleIn, outOfBounds, showError, showValue } from "./support/explain.ts";
import { expectEqual, expectThat } from "./support/expect.ts";
import { fail } from "./support/failure.ts";
import {
  type Awaited,
  fieldOf,
  type HttpAnswer,
  HttpPeer,
  lengthOf,
  parseHead,
  saysClose,
} from "./support/http_peer.ts";
import type { Learner, Running } from "./support/learner.ts";
import type { PeerConn, PeerListener } from "./support/peer.ts";
import { Random, seed } from "./support/random.ts";
import { Site } from "./support/site.ts";
import { task, type TestContext } from "./support/suite.ts";
import { pause } from "./support/timers.ts";
import { showAddr } from "./support/transcript.ts";
import { Remote, View } from "./support/wire.ts";

rawSocketsOnly();
const site = new Site();

/** Nobody waits for this. */
const LONG_MS = 60_000;
/** What is waited for by nature, in milliseconds: a client that stays silent, or is too slow. */
const SHORT_MS = 80;
/** Limits that requests of the tests reach easily. */
const LIMITS = { requestLineBytes: 256, headerBytes: 1024, bodyBytes: 4096 };

const t = (en: string, ko: string): Text => ({ en, ko });

/** A connection in the learner's process, and the suite's end of it. */
interface Link {
  conn: Remote;
  peer: PeerConn;
}

/** Where the connections of a test come from. */
const listeners = new WeakMap<TestContext, PeerListener>();

async function link(context: TestContext, cuts?: number[]): Promise<Link> {
  const listener = listeners.get(context) ?? context.peers.listen();
  listeners.set(context, listener);
  const conn = await context.learner.dial(listener.addr, cuts);
  return { conn, peer: await listener.accept() };
}

/** Fails unless the learner's code has closed `conn`. */
async function expectClosed(learner: Learner, conn: Remote, mistake: string): Promise<void> {
  const { open } = await learner.state();
  const where = `${showAddr(conn.addr)} ↔ ${showAddr(conn.remoteAddr)}`;
  expectThat(
    !open.some((socket) => socket.resource === conn.resource),
    t("the connection is closed", "연결이 닫혀 있음"),
    t(`${where} is still open`, `${where} 연결이 아직 열려 있습니다`),
    mistake,
  );
}

/** A header of a response, or the end of the test. */
function expectField(
  answer: HttpAnswer,
  name: string,
  expected: string,
  mistake?: string,
): void {
  const value = fieldOf(answer, name);
  const plain = (text: string | undefined) => text?.toLowerCase().replaceAll(/[\s"]/g, "");
  expectThat(
    plain(value) === plain(expected),
    same(`${name}: ${expected}`),
    value === undefined
      ? t("there is no such header", "그런 헤더가 없습니다")
      : same(`${name}: ${value}`),
    mistake,
  );
}

function expectStatus(answer: HttpAnswer, expected: number[], mistake?: string): void {
  expectThat(
    expected.includes(answer.status),
    t(`status ${expected.join(" or ")}`, `상태 코드 ${expected.join(" 또는 ")}`),
    t(
      `status ${answer.status} ${answer.words}, body ${escapeBytes(answer.body.subarray(0, 60))}`,
      `상태 코드 ${answer.status} ${answer.words}, 본문 ${
        escapeBytes(answer.body.subarray(0, 60))
      }`,
    ),
    mistake,
  );
}

// --- task 1 ---

task(1, {
  en: "dumpRequest() shows the whole head, however it is cut, and answers with it",
  ko: "dumpRequest()는 어떻게 나뉘어 오든 헤드 전체를 보여 주고 그것으로 응답합니다",
}, async (context) => {
  const { learner, random, step } = context;
  const head = [
    `GET /${random.word()}/index.html?q=${random.word()} HTTP/1.1`,
    `Host: 127.0.0.1:${random.integer(10_000, 60_000)}`,
    `User-Agent: Netscape/${random.integer(1, 9)}.0 (${random.word()})`,
    "Accept: text/html, */*",
    // As curl sends a header that was typed so.
    `X-From: 서울 ${random.word()}`,
    "",
    "",
  ].join("\r\n");
  const { length } = bytes(head);
  // In one piece; in the middle; at each place of the end; byte by byte.
  const every = Array.from({ length }, (_, i) => i);
  for (const cuts of [[], [40], [length - 3], [length - 2], [length - 1], every]) {
    const { conn, peer } = await link(context, cuts);
    const http = new HttpPeer(peer);
    const expected = t(
      "dumpRequest() returns the head as it came, up to and including the empty line",
      "dumpRequest()는 빈 줄까지 포함하여 받은 그대로의 헤드를 반환함",
    );
    const dumped = learner.call("dumpRequest", [conn], { expected });
    await peer.send(bytes(head));
    const answer = await step(
      t(
        "the response comes while the client keeps its end open",
        "클라이언트가 연결을 유지하는 동안 응답이 옴",
      ),
      () => http.response({ mistake: "one-read-one-request", noLength: "no-content-length" }),
      "waits-for-end",
    );
    expectStatus(answer, [200]);
    expectField(answer, "content-type", "text/plain; charset=utf-8", "content-type-missing");
    const shown = new TextDecoder().decode(answer.body);
    const isPart = answer.body.length < length && head.startsWith(shown);
    expectBytes(answer.body, bytes(head), isPart ? "one-read-one-request" : "bytes-as-text");
    expectThat(
      saysClose(answer),
      same("Connection: close"),
      t("the response does not say so", "응답에 그 헤더가 없습니다"),
      "close-not-announced",
    );
    const left = await step(
      t("the connection is closed after the response", "응답 뒤에 연결이 닫힘"),
      () => http.rest(),
      "connection-left-open",
    );
    expectBytes(left, new Uint8Array(), "no-content-length");
    peer.close();
    const value = await step(expected, () => dumped);
    expectThat(value === head, expected, showValue(value), "one-read-one-request");
    await expectClosed(learner, conn, "connection-left-open");
  }
}, {
  catches: [
    "one-read-one-request",
    "no-content-length",
    "content-type-missing",
    "connection-left-open",
    "close-not-announced",
    "waits-for-end",
    "bytes-as-text",
  ],
  leak: "connection-left-open",
});

task(1, {
  en: "dumpRequest() prints the head",
  ko: "dumpRequest()는 헤드를 출력합니다",
}, async (context) => {
  const { learner, random, step } = context;
  const line = `GET /${random.word(12)} HTTP/1.1`;
  const { conn, peer } = await link(context);
  const dumped = learner.call("dumpRequest", [conn]);
  await peer.send(bytes(`${line}\r\nHost: a\r\n\r\n`));
  await new HttpPeer(peer).rest();
  peer.close();
  await dumped;
  await step(
    t(
      `console.log() prints ${JSON.stringify(line)}`,
      `console.log()로 ${JSON.stringify(line)} 출력`,
    ),
    async () => {
      while (!learner.printed.includes(line)) await learner.rest();
    },
    "nothing-printed",
    () => t("it was not printed", "출력되지 않았습니다"),
  );
}, { catches: ["nothing-printed"] });

task(1, {
  en: "dumpRequest() ends at the empty line, however long the head is, and whatever follows",
  ko: "dumpRequest()는 헤드가 아무리 길어도, 뒤에 무엇이 이어져도 빈 줄에서 끝납니다",
}, async (context) => {
  const { learner, random, step } = context;
  const cases = [
    ["", "the body of a form"],
    [`Cookie: ${random.word(10)}=${"c".repeat(9_000)}\r\n`, ""],
  ];
  for (const [line, after] of cases) {
    const { conn, peer } = await link(context);
    const head = `POST /${random.word()} HTTP/1.1\r\nHost: a\r\n${line}\r\n`;
    const expected = t(
      `dumpRequest() returns the ${head.length} bytes up to and including the empty line`,
      `dumpRequest()는 빈 줄까지 ${head.length}바이트를 반환함`,
    );
    const dumped = learner.call("dumpRequest", [conn], { expected });
    await peer.send(bytes(head + after));
    const value = await step(expected, () => dumped, "one-read-one-request");
    const isText = typeof value === "string";
    expectThat(
      value === head,
      expected,
      isText
        ? t(
          `${value.length} characters, ${JSON.stringify(value.slice(-40))} at the end`,
          `${value.length}자, 끝은 ${JSON.stringify(value.slice(-40))}`,
        )
        : showValue(value),
      "one-read-one-request",
    );
  }
}, { catches: ["one-read-one-request"] });

task(1, {
  en: "dumpRequest() gives what came of a client that leaves early, and closes",
  ko: "dumpRequest()는 일찍 떠난 클라이언트에게서 온 것만 돌려주고 닫습니다",
}, async (context) => {
  const { learner, step } = context;
  for (const part of ["GET / HTTP/1.1\r\nHost: a\r\n", "GET / HT", ""]) {
    const { conn, peer } = await link(context);
    const dumped = learner.call("dumpRequest", [conn], { mistake: "end-taken-for-request" });
    if (part) await peer.send(bytes(part));
    await peer.closeWrite();
    const expected = t(
      `dumpRequest() returns ${JSON.stringify(part)}`,
      `dumpRequest()의 반환값 ${JSON.stringify(part)}`,
    );
    const value = await step(expected, () => dumped);
    expectThat(value === part, expected, showValue(value));
    await expectClosed(learner, conn, "connection-left-open");
  }
}, { catches: ["connection-left-open", "end-taken-for-request"], leak: "connection-left-open" });

// --- task 2 ---

/** A request as the learner's code returned it. */
interface Received {
  method: unknown;
  target: unknown;
  version: unknown;
  body: Uint8Array;
  headers: Remote;
  /** The request itself, if it was to stay in the learner's process. */
  held?: Remote;
}

const A_REQUEST = t(
  "readRequest() resolves to { method, target, version, headers, body }",
  "readRequest()의 결과는 { method, target, version, headers, body }",
);

/** Reads the next request of `conn`; the test ends if that fails. */
async function readOne(
  { learner, step }: TestContext,
  conn: Remote,
  { expected = A_REQUEST, mistake, limits = LIMITS, hold = false }: {
    expected?: Text;
    mistake?: string;
    limits?: typeof LIMITS;
    /** It stays in the learner's process, and its body can be looked at later. */
    hold?: boolean;
  } = {},
): Promise<Received | null> {
  const options = { expected, hold, ...(mistake && { mistake }) };
  const value = await step(
    expected,
    () => learner.call("readRequest", [conn, limits], options),
    mistake,
  );
  if (value === null) return null;
  // A plain object comes as it is; one of a class stays there.
  const get = (name: string) =>
    value instanceof Remote
      ? learner.get(value, name)
      : Promise.resolve((value as Record<string, unknown> | undefined)?.[name]);
  const [method, target, version, headers, body] = await Promise.all(
    ["method", "target", "version", "headers", "body"].map(get),
  );
  if (!(headers instanceof Remote) || !(body instanceof Uint8Array)) {
    fail({ expected, received: showValue(value), mistake });
  }
  const held = hold && value instanceof Remote ? value : undefined;
  return { method, target, version, headers, body, ...(held && { held }) };
}

/** Reads a request that has to be there. */
async function readNext(
  context: TestContext,
  conn: Remote,
  mistake: string,
  options: { limits?: typeof LIMITS; hold?: boolean } = {},
): Promise<Received> {
  const request = await readOne(context, conn, { mistake, ...options });
  if (!request) fail({ expected: A_REQUEST, received: "null", mistake });
  return request;
}

function header({ learner }: TestContext, { headers }: Received, name: string): Promise<unknown> {
  return learner.method(headers, "get", [name]);
}

/** Calls readRequest(), which has to throw, and gives the error. */
function refused(
  { learner, step }: TestContext,
  conn: Remote,
  { expected, mistake, limits = LIMITS }: {
    expected: Text;
    mistake: string;
    limits?: typeof LIMITS;
  },
): Promise<WireError> {
  return step(
    expected,
    () => learner.throws("readRequest", [conn, limits], { expected, mistake }),
    mistake,
  );
}

function expectHttpError(error: WireError, statuses: number[], mistake: string): void {
  const isOne = error.classes.includes("HttpError") && statuses.includes(error.status ?? 0);
  const shown = statuses.join(" or ");
  expectThat(
    isOne,
    t(`HttpError with status ${shown}`, `상태 코드가 ${shown} 인 HttpError`),
    same(`${showError(error)}${error.status === undefined ? "" : ` (status ${error.status})`}`),
    mistake,
  );
}

task(2, {
  en: "readRequest() reads a request, at whichever byte it is cut",
  ko: "readRequest()는 어느 바이트에서 나뉘어도 요청을 읽습니다",
}, async (context) => {
  const { random } = context;
  const body = new Uint8Array([...bytes("a=1\r\n\r\nGET 한 "), ...random.bytes(8)]);
  const request = new Uint8Array([
    ...bytes(
      `POST /${random.word()} HTTP/1.1\r\nHost: a\r\nX-Mark: ${random.word()}\r\n` +
        `Content-Length: ${body.length}\r\n\r\n`,
    ),
    ...body,
  ]);
  const [line = ""] = new TextDecoder().decode(request).split("\r\n");
  const size = request.length;
  // Copy number k is cut at byte k, and the last one everywhere.
  const cuts = [
    ...Array.from({ length: size }, (_, k) => k * size + k),
    ...Array.from({ length: size }, (_, k) => size * size + k),
  ];
  const { conn, peer } = await link(context, cuts);
  const all = new Uint8Array(size * (size + 1));
  for (let k = 0; k <= size; k++) all.set(request, k * size);
  await peer.send(all);
  for (let k = 0; k <= size; k++) {
    const mistake = k === 0 ? "one-read-one-request" : "leftover-dropped";
    const received = await readNext(context, conn, mistake);
    const { method, target, version } = received;
    expectEqual(`${method} ${target} ${version}`, line, { mistake });
    if (received.body.length === 0) expectBytes(received.body, body, "body-not-read");
    expectBytes(received.body, body, mistakenBody(received.body, body));
  }
}, {
  catches: [
    "one-read-one-request",
    "leftover-dropped",
    "body-not-read",
    "length-in-characters",
    "bytes-as-text",
  ],
});

/** What a body that is not the one sent looks like: as many bytes and other ones were letters on the way. */
function mistakenBody(received: Uint8Array, sent: Uint8Array): string {
  return received.length === sent.length ? "bytes-as-text" : "length-in-characters";
}

task(2, {
  en: "readRequest() keeps what came after a request, for each connection",
  ko: "readRequest()는 요청 뒤에 온 것을 연결마다 보관합니다",
}, async (context) => {
  const { random } = context;
  const [first, second] = [await link(context), await link(context)];
  const words = [first, second].map(() => [random.word(), random.word(), random.word()]);
  for (const [i, { peer }] of [first, second].entries()) {
    const [a, b, c] = words[i]!;
    await peer.send(bytes(
      `GET /${a} HTTP/1.1\r\nHost: a\r\n\r\n` +
        `GET /${b} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody` +
        `GET /${c} HTTP/1.0\r\n\r\n`,
    ));
    await peer.closeWrite();
  }
  for (let n = 0; n < 3; n++) {
    for (const [i, { conn }] of [first, second].entries()) {
      const mistake = n === 0 && i === 1 ? "leftover-shared" : "leftover-dropped";
      const request = await readNext(context, conn, mistake);
      const isOthers = words[1 - i]!.some((word) => request.target === `/${word}`);
      expectEqual(request.target, `/${words[i]![n]}`, {
        what: t("the target of the next request", "다음 요청의 대상(target)"),
        mistake: isOthers ? "leftover-shared" : "leftover-dropped",
      });
      expectEqual(request.version, n === 2 ? "HTTP/1.0" : "HTTP/1.1");
      if (n === 1 && request.body.length === 0) {
        expectBytes(request.body, bytes("body"), "body-not-read");
      }
      expectBytes(request.body, bytes(n === 1 ? "body" : ""));
    }
  }
  const expected = t(
    "readRequest() resolves to null, since the client has ended between requests",
    "요청과 요청 사이에서 클라이언트가 끝냈으므로 readRequest()의 결과는 null",
  );
  for (const { conn } of [first, second]) {
    const request = await readOne(context, conn, { expected, mistake: "end-taken-for-request" });
    if (request !== null) {
      fail({ expected, received: showValue(request.target), mistake: "end-taken-for-request" });
    }
  }
  // Some do not say goodbye: a listener that is closed resets those whom it has not accepted.
  const { learner, peers } = context;
  const listener = peers.listen();
  const conn = await learner.dial(listener.addr);
  listener.release();
  peers.note("reset", "RST");
  const gone = t(
    "readRequest() resolves to null, since the client is gone before a request (reset)",
    "요청이 오기 전에 클라이언트가 사라졌으므로(재설정) readRequest()의 결과는 null",
  );
  const error = await context.step(
    gone,
    () => learner.ends("readRequest", [conn, LIMITS]),
    "reset-taken-for-failure",
  );
  expectThat(!error, gone, error ? showError(error) : same("null"), "reset-taken-for-failure");
  const broken = await link(context);
  await broken.peer.send(bytes("GET /half HTTP/1.1\r\nHo"));
  await learner.faults({ api: ["read"], skip: 1, times: 1, error: "ConnectionReset" });
  const throws = t(
    "readRequest() throws, since the client is gone in the middle of a request (reset)",
    "요청 중간에 클라이언트가 사라졌으므로(재설정) readRequest()가 오류를 던짐",
  );
  await refused(context, broken.conn, { expected: throws, mistake: "end-taken-for-request" });
}, {
  catches: [
    "leftover-dropped",
    "leftover-shared",
    "body-not-read",
    "end-taken-for-request",
    "reset-taken-for-failure",
  ],
});

task(2, {
  en: "readRequest() counts the body in bytes, by a header of any spelling",
  ko: "readRequest()는 헤더 표기와 상관없이 본문을 바이트로 셉니다",
}, async (context) => {
  const { random } = context;
  const cases = [
    ["Content-Length", "length-in-characters", ""],
    ["content-length", "header-case-sensitive", ""],
    ["CONTENT-LENGTH", "header-case-sensitive", "00"],
  ] as const;
  for (const [name, mistake, zeros] of cases) {
    const body = new Uint8Array([...bytes("이름=홍길동&"), 0xff, 0x00, 0xc3, ...random.bytes(10)]);
    const { conn, peer } = await link(context);
    await peer.send(bytes(`POST / HTTP/1.1\r\nHost: a\r\n${name}: ${zeros}${body.length}\r\n\r\n`));
    await peer.send(body);
    await peer.send(bytes("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
    const request = await readNext(context, conn, zeros ? "length-unchecked" : mistake);
    const isNone = request.body.length === 0 && name === "Content-Length";
    const isText = request.body.length === body.length;
    const likely = isNone ? "body-not-read" : isText ? "bytes-as-text" : mistake;
    expectBytes(request.body, body, likely);
    const next = await readNext(context, conn, mistake);
    expectEqual(next.target, "/next", { mistake });
  }
}, {
  catches: [
    "length-in-characters",
    "header-case-sensitive",
    "length-unchecked",
    "body-not-read",
    "bytes-as-text",
  ],
});

task(2, {
  en: "readRequest() gives a body that stays as it is",
  ko: "readRequest()가 준 본문은 나중에도 그대로입니다",
}, async (context) => {
  const { learner, random } = context;
  const mistake = "body-overwritten";
  const { conn, peer } = await link(context);
  const limits = { ...LIMITS, bodyBytes: 20_000 };
  const held: { request: Remote; body: Uint8Array }[] = [];
  // As long as the last one, and then longer than most buffers.
  for (const length of [500, 500, 20_000]) {
    const body = random.bytes(length);
    await peer.send(bytes(`${SENT}Content-Length: ${length}\r\n\r\n`));
    await peer.send(body);
    const request = await readNext(context, conn, "body-not-read", { limits, hold: true });
    expectBytes(request.body, body, "body-not-read");
    if (request.held) held.push({ request: request.held, body });
  }
  for (const { request, body } of held) {
    const now = await learner.get(request, "body");
    expectBytes(now instanceof Uint8Array ? now : new Uint8Array(), body, mistake);
  }
}, { catches: ["body-overwritten", "body-not-read"] });

task(2, {
  en: "readRequest() gives the headers: names of any case, values as they are",
  ko: "readRequest()는 헤더를 돌려줍니다: 이름은 대소문자를 가리지 않고, 값은 그대로",
}, async (context) => {
  const { random } = context;
  const [port, word] = [random.integer(1024, 60_000), random.word()];
  const { conn, peer } = await link(context);
  await peer.send(bytes([
    "GET / HTTP/1.1",
    `HOST: localhost:${port}`,
    `X-Spaces: \t ${word} ${word}\t `,
    `X-Many: ${word}`,
    "X-Empty:",
    "x-tight:12:30:59",
    `x-many: 2`,
    "",
    "",
  ].join("\r\n")));
  const request = await readNext(context, conn, "colon-in-value");
  const expected = [
    ["host", `localhost:${port}`, "colon-in-value"],
    ["X-Tight", "12:30:59", "colon-in-value"],
    ["x-spaces", `${word} ${word}`],
    ["x-many", `${word}, 2`],
    ["x-empty", ""],
    ["x-absent", null],
  ] as const;
  for (const [name, value, mistake] of expected) {
    const options = { what: same(`headers.get("${name}")`), ...(mistake && { mistake }) };
    expectEqual(await header(context, request, name), value, options);
  }
}, { catches: ["colon-in-value"] });

task(2, {
  en: "readRequest() takes a bare LF for the end of a line, and skips empty lines before a request",
  ko: "readRequest()는 LF만 있어도 줄의 끝으로 보고, 요청 앞의 빈 줄은 건너뜁니다",
}, async (context) => {
  const cases = [
    ["GET /lf HTTP/1.1\nHost: a\n\n", "/lf", "bare-lf-refused"],
    ["GET /mixed HTTP/1.1\r\nHost: a\nX: b\r\n\n", "/mixed", "bare-lf-refused"],
    ["\r\n\r\n\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n", "/after", "empty-line-refused"],
    ["GET /empty HTTP/1.1\r\nHost:\r\n\r\n", "/empty", "missing-host-accepted"],
  ] as const;
  for (const [text, target, mistake] of cases) {
    const { conn, peer } = await link(context);
    await peer.send(bytes(text));
    const request = await readNext(context, conn, mistake);
    expectEqual(request.target, target, { mistake });
    const host = mistake === "missing-host-accepted" ? "" : "a";
    expectEqual(await header(context, request, "host"), host, { mistake });
  }
}, { catches: ["bare-lf-refused", "empty-line-refused", "missing-host-accepted"] });

const GOOD = "GET / HTTP/1.1\r\nHost: a\r\n";
const SENT = "POST / HTTP/1.1\r\nHost: a\r\n";

/** Requests that nobody may serve, with what they deserve. */
const REFUSED: [head: string, statuses: number[], mistake: string][] = [
  ["GET  / HTTP/1.1\r\nHost: a\r\n", [400], "bad-line-accepted"],
  ["GET /\r\nHost: a\r\n", [400], "bad-line-accepted"],
  ["GET / x HTTP/1.1\r\nHost: a\r\n", [400], "bad-line-accepted"],
  ["GET / http/1.1\r\nHost: a\r\n", [400], "bad-line-accepted"],
  ["GET / HTTP/1.1x\r\nHost: a\r\n", [400], "bad-line-accepted"],
  ["GET\t/\tHTTP/1.1\r\nHost: a\r\n", [400], "bad-line-accepted"],
  [" GET / HTTP/1.1\r\nHost: a\r\n", [400], "bad-line-accepted"],
  ["GET / HTTP/1.1 \r\nHost: a\r\n", [400], "bad-line-accepted"],
  ["G@T / HTTP/1.1\r\nHost: a\r\n", [400], "bad-line-accepted"],
  [`${GOOD}no colon here\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}: no name\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X-A: a\0b\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X-A: a\x1bb\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X-A: a\x7fb\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X-A: a\rX-B: b\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X@A: b\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X-이름: b\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X-A: a\r\n folded\r\n`, [400], "bad-line-accepted"],
  [`${GOOD}X-A: a\r\n X-B: folded\r\n`, [400], "bad-line-accepted"],
  ["GET / HTTP/1.1\r\nHost : a\r\n", [400], "space-before-colon"],
  [`${SENT}Content-Length : 5\r\n`, [400], "space-before-colon"],
  ["GET / HTTP/1.1\r\n", [400], "missing-host-accepted"],
  [`${GOOD}Host: b\r\n`, [400], "missing-host-accepted"],
  [`${GOOD}Host: a\r\n`, [400], "missing-host-accepted"],
  ["GET / HTTP/2.0\r\nHost: a\r\n", [505], "version-ignored"],
  ["GET / HTTP/1.2\r\nHost: a\r\n", [505], "version-ignored"],
  ["GET / HTTP/0.9\r\nHost: a\r\n", [505], "version-ignored"],
  [`${SENT}Content-Length: 5abc\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: -1\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: +5\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length:\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: 0x5\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: 5.0\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: 5\r\nContent-Length: 6\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: 5 5\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: 5,\r\n`, [400], "length-unchecked"],
  [`${SENT}Content-Length: 5, 6\r\n`, [400], "length-unchecked"],
  [
    `${SENT}Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 6\r\n`,
    [400],
    "length-unchecked",
  ],
  [`${SENT}Transfer-Encoding: chunked\r\n`, [501], "transfer-encoding-ignored"],
  [`${SENT}Transfer-Encoding: gzip, chunked\r\n`, [501], "transfer-encoding-ignored"],
  [`${SENT}Transfer-Encoding: identity\r\n`, [501], "transfer-encoding-ignored"],
  [
    `${SENT}Content-Length: 5\r\ntransfer-encoding: chunked\r\n`,
    [400, 501],
    "transfer-encoding-ignored",
  ],
];

task(2, {
  en: "readRequest() refuses what could be read in two ways",
  ko: "readRequest()는 두 가지로 읽힐 수 있는 요청을 거부합니다",
}, async (context) => {
  for (const [head, statuses, mistake] of REFUSED) {
    const { conn, peer } = await link(context);
    await peer.send(bytes(`${head}\r\n5\r\nhello\r\n0\r\n\r\n`));
    await peer.closeWrite();
    const shown = JSON.stringify(head);
    const expected = t(
      `${shown} ends in HttpError ${statuses.join(" or ")}`,
      `${shown} 요청은 HttpError ${statuses.join(" 또는 ")}`,
    );
    expectHttpError(await refused(context, conn, { expected, mistake }), statuses, mistake);
  }
}, {
  catches: [
    "bad-line-accepted",
    "space-before-colon",
    "missing-host-accepted",
    "version-ignored",
    "length-unchecked",
    "transfer-encoding-ignored",
  ],
});

task(2, {
  en: "readRequest() does not take an end in the middle for a request",
  ko: "readRequest()는 중간에 끝난 것을 요청으로 여기지 않습니다",
}, async (context) => {
  const parts = [
    "GE",
    "GET / HTTP/1.1\r\n",
    `${GOOD}X-A: b`,
    `${GOOD}X-A: b\r\n`,
    `${SENT}Content-Length: 10\r\n\r\n`,
    `${SENT}Content-Length: 10\r\n\r\n12345`,
  ];
  for (const part of parts) {
    const { conn, peer } = await link(context);
    await peer.send(bytes(part));
    await peer.closeWrite();
    const expected = t(
      `Deno.errors.UnexpectedEof when the client ends after ${JSON.stringify(part)}`,
      `클라이언트가 ${JSON.stringify(part)} 뒤에 끝내면 Deno.errors.UnexpectedEof`,
    );
    const mistake = "end-taken-for-request";
    const error = await refused(context, conn, { expected, mistake });
    expectThat(error.classes.includes("UnexpectedEof"), expected, showError(error), mistake);
  }
}, { catches: ["end-taken-for-request"] });

task(2, {
  en: "readRequest() refuses what is too long as soon as that is clear",
  ko: "readRequest()는 너무 긴 것을, 길다는 것이 분명해지는 즉시 거부합니다",
}, async (context) => {
  const many = Array.from({ length: 60 }, (_, i) => `X-Header-${i}: ${"v".repeat(20)}\r\n`).join(
    "",
  );
  const over: [sent: string, status: number][] = [
    [`GET /${"a".repeat(LIMITS.requestLineBytes + 100)}`, 414],
    [`${GOOD}X-Long: ${"a".repeat(LIMITS.headerBytes + 100)}`, 431],
    [`${GOOD}${many}`, 431],
    [`${SENT}Content-Length: ${LIMITS.bodyBytes + 1}\r\n\r\n`, 413],
    [`${SENT}Content-Length: 99999999999999999999999\r\n\r\n`, 413],
  ];
  for (const [sent, status] of over) {
    const { conn, peer } = await link(context);
    await peer.send(bytes(sent));
    const expected = t(
      `HttpError ${status}, without waiting for more to come`,
      `더 오기를 기다리지 않고 HttpError ${status}`,
    );
    const mistake = "limits-after-reading";
    const error = await refused(context, conn, { expected, mistake });
    expectHttpError(error, [status], mistake);
  }
  // What is within the limits is a request like any other.
  const { conn, peer } = await link(context);
  const body = context.random.bytes(LIMITS.bodyBytes);
  await peer.send(bytes(
    `PUT /${"a".repeat(LIMITS.requestLineBytes - 40)} HTTP/1.1\r\nHost: a\r\n` +
      `X-Long: ${"b".repeat(LIMITS.headerBytes - 100)}\r\nContent-Length: ${body.length}\r\n\r\n`,
  ));
  await peer.send(body);
  const request = await readNext(context, conn, "limits-after-reading");
  expectBytes(request.body, body);
  // And so is more than any one buffer holds, if the limits allow it.
  const large = context.random.bytes(100_000);
  await peer.send(bytes(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${large.length}\r\n\r\n`));
  const sending = peer.send(large);
  const again = await readNext(context, conn, "limits-after-reading", {
    limits: { ...LIMITS, bodyBytes: 200_000 },
  });
  await sending;
  expectBytes(again.body, large, "body-not-read");
}, { catches: ["limits-after-reading", "body-not-read"] });

task(2, {
  en: "readRequest() takes memory as bytes come, not as announced",
  ko: "readRequest()는 예고된 길이가 아니라 온 만큼만 메모리를 씁니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  const limits = { ...LIMITS, bodyBytes: 4_000_000_000 };
  await peer.send(bytes(`${SENT}Content-Length: 3000000000\r\n\r\nten bytes.`));
  await peer.closeWrite();
  const expected = t(
    "Deno.errors.UnexpectedEof: 3 GB were announced, and 10 bytes came",
    "Deno.errors.UnexpectedEof: 3 GB라고 했지만 온 것은 10바이트",
  );
  const mistake = "announced-length-allocated";
  const error = await step(expected, () => learner.ends("readRequest", [conn, limits]), mistake);
  if (!error?.classes.includes("UnexpectedEof")) {
    const received = error ? showError(error) : t("it returned", "반환되었습니다");
    const isMemory = error !== undefined && /alloc|memory|length/i.test(error.message);
    fail({ expected, received, mistake: isMemory ? mistake : "end-taken-for-request" });
  }
}, { catches: ["announced-length-allocated", "end-taken-for-request"] });

task(2, {
  en: "readRequest() tells a client that waits with its body to go on",
  ko: "readRequest()는 본문을 보내지 않고 기다리는 클라이언트에게 계속하라고 알립니다",
}, async (context) => {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  const mistake = "continue-not-sent";
  const reading = learner.call("readRequest", [conn, LIMITS]);
  await peer.send(bytes(`${SENT}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`));
  const expected = t("the client is told: 100 Continue", "클라이언트에게 100 Continue가 감");
  const interim = await step(expected, () => new HttpPeer(peer).response({ mistake }), mistake);
  expectStatus(interim, [100], mistake);
  expectEqual(interim.fields.length, 0, {
    what: t("header lines of the 100 (Continue)", "100 (Continue)의 헤더 줄 수"),
    mistake,
  });
  await peer.send(bytes("hello"));
  await step(A_REQUEST, () => reading, mistake);
  // A body that is too long is not asked for.
  const other = await link(context);
  await other.peer.send(
    bytes(`${SENT}Content-Length: ${LIMITS.bodyBytes + 1}\r\nExpect: 100-continue\r\n\r\n`),
  );
  const refusal = t("HttpError 413, and no 100 before it", "100 없이 HttpError 413");
  const error = await refused(context, other.conn, { expected: refusal, mistake });
  expectHttpError(error, [413], mistake);
  await learner.close(other.conn);
  expectBytes(await new HttpPeer(other.peer).rest(), new Uint8Array(), mistake);
}, { catches: ["continue-not-sent"] });

// --- task 3 ---

/** Lets the learner's code write responses on one connection, and gives what came of them all. */
async function written(
  context: TestContext,
  responses: [response: Record<string, unknown>, options?: Record<string, unknown>][],
): Promise<HttpPeer> {
  const { learner, step } = context;
  const { conn, peer } = await link(context);
  for (const [response, options] of responses) {
    await step(
      t("writeResponse() ends", "writeResponse()가 끝남"),
      () =>
        learner.call("writeResponse", options ? [conn, response, options] : [conn, response], {
          mistakeOf: closedMistake,
        }),
    );
  }
  await learner.close(conn);
  return new HttpPeer(peer);
}

/** What an error of writeResponse() looks like when the client is there and reads. */
function closedMistake({ classes }: WireError): string | undefined {
  const isClosed = ["BrokenPipe", "BadResource", "NotConnected"].some((c) => classes.includes(c));
  return isClosed ? "connection-closed" : undefined;
}

const FORM: Awaited = { noLength: "no-content-length", lfOnly: "lf-only", cut: "short-write" };

async function expectNoMore(http: HttpPeer, mistake?: string): Promise<void> {
  const left = await http.rest();
  expectThat(
    left.length === 0,
    t("nothing more", "더 오는 것이 없음"),
    same(escapeBytes(left.subarray(0, 100))),
    mistake,
  );
}

task(3, {
  en: "writeResponse() writes a response as it is defined, its length in bytes",
  ko: "writeResponse()는 정해진 형식대로, 길이는 바이트로 응답을 씁니다",
}, async (context) => {
  const { random } = context;
  const word = random.word();
  const texts = [`한글과 emoji 🙂 ${word}`, `plain ${word}`, ""];
  const data = random.bytes(300);
  const http = await written(context, [
    ...texts.map((body): [Record<string, unknown>] => [
      { status: 200, headers: { "X-Word": word }, body },
    ]),
    [{ status: 404, headers: { "Content-Type": "text/plain" }, body: new View(data, 9) }],
    [{ status: 500 }],
    [{ status: 431 }],
  ]);
  for (const text of texts) {
    const answer = await http.response({
      ...FORM,
      cut: "content-length-in-characters",
      mistake: "connection-closed",
    });
    expectStatus(answer, [200], "content-length-in-characters");
    expectEqual(answer.words, "OK", { what: t("the words of status 200", "상태 코드 200의 문구") });
    expectField(answer, "x-word", word);
    expectBytes(answer.body, bytes(text), "content-length-in-characters");
  }
  const missing = await http.response({ ...FORM, mistake: "connection-closed" });
  expectStatus(missing, [404], "content-length-in-characters");
  expectEqual(missing.words, "Not Found");
  expectField(missing, "content-type", "text/plain");
  expectBytes(missing.body, data, "buffer-sent");
  const failed = await http.response({ ...FORM, mistake: "connection-closed" });
  expectStatus(failed, [500]);
  expectEqual(lengthOf(failed), 0);
  const long = await http.response({ ...FORM, mistake: "connection-closed" });
  expectEqual(`${long.status} ${long.words}`, "431 Request Header Fields Too Large", {
    what: t("status and words", "상태 코드와 문구"),
  });
  await expectNoMore(http, "content-length-in-characters");
}, {
  catches: [
    "content-length-in-characters",
    "buffer-sent",
    "no-content-length",
    "lf-only",
    "short-write",
    "connection-closed",
  ],
});

task(3, {
  en: "writeResponse() sends every byte, however few are taken at a time",
  ko: "writeResponse()는 한 번에 조금씩만 나가도 모든 바이트를 보냅니다",
}, async (context) => {
  const { learner, random } = context;
  await learner.limit({ writeBytes: 7 });
  const body = random.bytes(500);
  const http = await written(context, [[{ status: 200, headers: { "X-A": "b" }, body }]]);
  const answer = await http.response({ ...FORM, mistake: "short-write" });
  expectStatus(answer, [200]);
  expectBytes(answer.body, body, "short-write");
}, { catches: ["short-write", "lf-only", "no-content-length"] });

task(3, {
  en: "writeResponse() sends no body where there is none",
  ko: "writeResponse()는 본문이 없어야 하는 응답에 본문을 보내지 않습니다",
}, async (context) => {
  const cases = [
    [{ status: 200, body: "twelve bytes" }, { head: true }, "body-with-head"],
    [{ status: 404, body: "not here" }, { head: true }, "body-with-head"],
    [{ status: 204 }, {}, "body-with-304"],
    [{ status: 204, body: "nothing" }, {}, "body-with-304"],
    [{ status: 304, body: "not modified" }, {}, "body-with-304"],
    [{ status: 103, headers: { Link: "</style.css>" } }, {}, "body-with-304"],
  ] as const;
  for (const [response, options, mistake] of cases) {
    const http = await written(context, [[response, options]]);
    const head = "head" in options;
    const answer = await http.response({ ...FORM, head });
    expectStatus(answer, [response.status]);
    if (head) {
      expectEqual(lengthOf(answer), ("body" in response ? response.body : "").length, {
        what: t("Content-Length of the answer to HEAD", "HEAD 응답의 Content-Length"),
        mistake,
      });
    }
    if (mistake === "body-with-304") {
      const { status } = response;
      expectThat(
        lengthOf(answer) === undefined,
        t(`${status} has no Content-Length`, `${status}에는 Content-Length가 없음`),
        same(`Content-Length: ${lengthOf(answer)}`),
        mistake,
      );
    }
    await expectNoMore(http, mistake);
  }
}, { catches: ["body-with-head", "body-with-304", "lf-only"] });

task(3, {
  en: "writeResponse() lets nobody end a header line from inside",
  ko: "writeResponse()는 헤더 값이 줄을 끝내지 못하게 합니다",
}, async (context) => {
  const { learner, step } = context;
  const bad: Record<string, string>[] = [
    { Location: "/\r\nSet-Cookie: admin=1" },
    { Location: "/\nSet-Cookie: admin=1" },
    { Location: "/\rSet-Cookie: admin=1" },
    { "X-A": "a\0b" },
    { "X-A: b\r\nSet-Cookie": "admin=1" },
    { "X A": "b" },
    { "X-A:": "b" },
    { "": "b" },
  ];
  const { conn, peer } = await link(context);
  for (const headers of bad) {
    const expected = t(
      `TypeError for the header ${JSON.stringify(headers)}`,
      `헤더 ${JSON.stringify(headers)} 에는 TypeError`,
    );
    const args = [conn, { status: 302, headers, body: "moved" }];
    const mistake = "response-splitting";
    const error = await step(
      expected,
      () => learner.throws("writeResponse", args, { expected, mistake }),
      mistake,
    );
    expectThat(error.classes.includes("TypeError"), expected, showError(error), mistake);
  }
  await learner.call("writeResponse", [conn, { status: 200, headers: { "X-A": 'b; c="d"' } }]);
  await learner.close(conn);
  const http = new HttpPeer(peer);
  const expected = t(
    "nothing was written of what was refused",
    "거부한 응답에서는 아무것도 쓰지 않음",
  );
  const answer = await http.response({ ...FORM, form: "response-splitting" });
  expectThat(answer.status === 200, expected, same(`${answer.status}`), "response-splitting");
  await expectNoMore(http, "response-splitting");
}, { catches: ["response-splitting", "lf-only", "no-content-length"] });

task(3, {
  en: "writeResponse() announces the end of the connection when it is asked to",
  ko: "writeResponse()는 요청받으면 연결이 끝남을 알립니다",
}, async (context) => {
  const http = await written(context, [
    [{ status: 200, body: "a" }, { close: false }],
    [{ status: 200, body: "b" }],
    [{ status: 200, body: "c" }, { close: true }],
  ]);
  for (const close of [false, false, true]) {
    const answer = await http.response({ ...FORM, mistake: "connection-closed" });
    expectThat(
      saysClose(answer) === close,
      close ? same("Connection: close") : t("no Connection: close", "Connection: close가 없음"),
      same(`Connection: ${fieldOf(answer, "connection") ?? "-"}`),
      "close-not-announced",
    );
  }
}, { catches: ["close-not-announced", "connection-closed", "no-content-length", "lf-only"] });

// --- tasks 4, 5 and 6: the site ---

const random = new Random(seed);
const WORD = random.word(10);
/** What nobody may be sent. */
const SECRET = `secret ${random.word(12)}`;
/** When every file was written, half a second after a whole one. */
const WRITTEN = new Date(Date.UTC(2020, 1, 3, 4, 5, 6, 500));
const HTTP_DATE = "Mon, 03 Feb 2020 04:05:06 GMT";
const MIB = 1024 * 1024;
/** What the kernel takes for a client that does not read: all that one write gets rid of. */
const KERNEL_BYTES = await kernelBytes();
/** More than that, and no round number. */
const BIG_BYTES = Math.ceil(KERNEL_BYTES * 1.5) + MIB + 1;
/** So much that it is still being sent after a client has taken something of it several times. */
const LONG_BYTES = KERNEL_BYTES * 4 + 8 * MIB;

async function kernelBytes(): Promise<number> {
  const hostname = "127.0.0.1";
  using listener = Deno.listen({ hostname, port: 0 });
  using conn = await Deno.connect({ hostname, port: listener.addr.port });
  return await conn.write(new Uint8Array(16 * MIB));
}

const PAGES: [name: string, type: string, content: Uint8Array][] = [
  ["index.html", "text/html; charset=utf-8", bytes(`<p>안녕 ${WORD}</p>`)],
  ["notes.txt", "text/plain; charset=utf-8", bytes(`메모 ${WORD}`)],
  ["style.css", "text/css; charset=utf-8", bytes(`p { color: teal } /* ${WORD} */`)],
  ["app.js", "text/javascript; charset=utf-8", bytes(`console.log("${WORD}")`)],
  ["data.json", "application/json", bytes(`{"word":"${WORD}"}`)],
  ["drawing.svg", "image/svg+xml", bytes(`<svg><!-- ${WORD} --></svg>`)],
  ["pixel.png", "image/png", new Uint8Array([0x89, 0x50, 0xff, 0, 10, 13, ...random.bytes(200)])],
  ["photo.jpg", "image/jpeg", new Uint8Array([0xff, 0xd8, 0xff, ...random.bytes(70_000)])],
  ["long.html", "text/html; charset=utf-8", bytes(`<p>${WORD}</p>\n`.repeat(4_000))],
  ["favicon.ico", "image/x-icon", random.bytes(60)],
  ["json", "application/octet-stream", random.bytes(50)],
  ["archive.html.xyz", "application/octet-stream", random.bytes(50)],
  ["empty.txt", "text/plain; charset=utf-8", new Uint8Array()],
];
const CONTENT = new Map(PAGES.map(([name, , content]) => [name, content]));

for (const [name, , content] of PAGES) site.write(name, content);
for (
  const name of [
    "sub/index.html",
    "c#/index.html",
    "a b.txt",
    "a+b.txt",
    "a..b.txt",
    ".hidden.txt",
    "한글.txt",
    "%61.txt",
    "a.txt",
    "sub/deep/x.txt",
  ]
) {
  site.write(name, `${name} ${WORD}`);
}
site.writeZeros("big.bin", BIG_BYTES);
site.writeZeros("long.bin", LONG_BYTES);
site.write("../secret.txt", SECRET);
site.write("../site-secret/secret.txt", SECRET);
site.write("../site-secret/index.html", SECRET);
site.link("out.txt", "../secret.txt");
site.link("out-absolute.txt", site.path("../secret.txt"));
site.link("out", "../site-secret");
site.write("leak/page.html", WORD);
site.link("leak/index.html", "../../secret.txt");
site.link("inside.txt", "sub/deep/x.txt");
site.link("circle", "circle");
for (const { name } of Deno.readDirSync(site.root)) {
  if (CONTENT.has(name)) Deno.utimeSync(site.path(name), WRITTEN, WRITTEN);
}

/** A server of the learner's that serves the site. */
class Serving {
  readonly #context: TestContext;
  readonly #listener: Remote;
  readonly #running: Running;

  private constructor(context: TestContext, listener: Remote, running: Running) {
    this.#context = context;
    this.#listener = listener;
    this.#running = running;
  }

  static async start(
    context: TestContext,
    { root = site.root, ...options }: {
      root?: string;
      idleMs?: number;
      requestMs?: number;
      limits?: typeof LIMITS;
    } = {},
  ): Promise<Serving> {
    const { learner } = context;
    const listener = await learner.listen();
    // A server that has the time of the tests' deadline waits for nobody unless it is told so.
    const times = { idleMs: LONG_MS, requestMs: LONG_MS, ...options };
    const running = learner.start("serveFiles", [listener, root, times], {
      whileItRuns: t(
        "serveFiles() serves until the listener is closed",
        "serveFiles()는 리스너가 닫힐 때까지 일함",
      ),
      mistake: () => "error-ends-server",
    });
    return new Serving(context, listener, running);
  }

  get addr(): { hostname: string; port: number } {
    return this.#listener.addr as { hostname: string; port: number };
  }

  async connect(): Promise<Client> {
    const { addr } = this;
    const { learner, peers } = this.#context;
    const peer = await peers.connect(addr).catch((error) => {
      throw rawOr(learner, error);
    });
    return new Client(this.#context, peer);
  }

  /** A request on a connection of its own. */
  async get(
    path: string,
    { method = "GET", headers = "", ...awaited }: Awaited & { method?: string; headers?: string } =
      {},
  ): Promise<HttpAnswer> {
    const client = await this.connect();
    await client.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
    const answer = await client.answer(`${method} ${path}`, {
      head: method === "HEAD",
      ...awaited,
    });
    client.close();
    return answer;
  }

  /** Closes the listener; serveFiles() has to resolve. */
  async stop(): Promise<void> {
    const { learner, step } = this.#context;
    this.#running.mayEnd();
    await learner.close(this.#listener);
    await step(
      t("serveFiles() resolves when the listener is closed", "리스너가 닫히면 serveFiles()가 끝남"),
      () => this.#running.returned,
    );
  }
}

/** Where another server does the work, nobody is accepted by the listener that was given: that explains the rest. */
function rawOr(learner: Learner, error: unknown): unknown {
  const name = networkModuleIn(file.source);
  return name !== undefined && !learner.saw("accept") ? outOfBounds({ name }) : error;
}

/** A client of such a server. */
class Client {
  readonly #context: TestContext;
  readonly http: HttpPeer;
  readonly peer: PeerConn;

  constructor(context: TestContext, peer: PeerConn) {
    this.#context = context;
    this.peer = peer;
    this.http = new HttpPeer(peer);
  }

  async send(data: string | Uint8Array): Promise<void> {
    await this.http.send(data).catch((error) => {
      throw rawOr(this.#context.learner, error);
    });
  }

  /** The next response, to a request that is called so. */
  async answer(shown: string, awaited: Awaited = {}): Promise<HttpAnswer> {
    const { learner } = this.#context;
    const expected = t(
      `an answer to ${showValue(shown)}`,
      `${showValue(shown)} 요청에 대한 응답`,
    );
    const answer = await this.#context.step(
      expected,
      () => this.http.response({ noLength: "no-content-length", lfOnly: "lf-only", ...awaited }),
      awaited.mistake,
    ).catch((error) => {
      throw rawOr(learner, error);
    });
    // What the learner's process tells may come later than what it sends.
    if (!learner.saw("accept")) await learner.state();
    if (!learner.saw("accept")) {
      throw outOfBounds({ name: networkModuleIn(file.source) ?? "another listener" });
    }
    return answer;
  }

  /** Waits for the end of the stream; what came before it. */
  async end(mistake: string, expected = CLOSED): Promise<Uint8Array> {
    return await this.#context.step(expected, () => this.http.rest(), mistake);
  }

  close(): void {
    this.peer.close();
  }
}

const CLOSED = t("the server closes the connection", "서버가 연결을 닫음");

/** Fails if a response carries what lies outside of the root. */
function expectNoSecret(answer: HttpAnswer, request: string, mistake: string): void {
  expectThat(
    !new TextDecoder().decode(answer.body).includes(SECRET),
    t(
      `${showValue(request)} gives nothing that lies outside of the root`,
      `${showValue(request)} 요청으로는 루트 밖의 것을 볼 수 없음`,
    ),
    t(
      `status ${answer.status} with the contents of a file beside the root`,
      `상태 코드 ${answer.status}, 루트 옆 파일의 내용`,
    ),
    mistake,
  );
}

// --- task 4 ---

task(4, {
  en: "serveFiles() sends files byte for byte, with their types",
  ko: "serveFiles()는 파일을 바이트 그대로, 알맞은 형식(Content-Type)으로 보냅니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  for (const [name, type, content] of PAGES) {
    const mistake = "text-read-as-string";
    const answer = await serving.get(`/${name}`, { cut: mistake });
    expectStatus(answer, [200], "every-error-404");
    expectBytes(answer.body, content, mistake);
    expectField(answer, "content-type", type, "wrong-type");
    expectField(answer, "last-modified", HTTP_DATE, "last-modified-missing");
  }
  // Another program would have to be on that port: only what this listener accepted is raw TCP.
  expectThat(
    learner.saw("accept"),
    t("clients are accepted by the listener that was given", "클라이언트는 받은 리스너로 수락됨"),
    t(
      "something answered, and this listener accepted nobody",
      "응답은 왔지만 이 리스너가 수락한 클라이언트는 없습니다",
    ),
    "not-raw-tcp",
  );
  for (const [path, name] of [["/", "index.html"], ["/sub/", "sub/index.html"]] as const) {
    const answer = await serving.get(path);
    expectStatus(answer, [200], "index-missing");
    expectBytes(answer.body, CONTENT.get(name) ?? bytes(`${name} ${WORD}`), "index-missing");
    expectField(answer, "content-type", "text/html; charset=utf-8", "wrong-type");
  }
  const folders = [
    ["/sub", "/sub/", "index-missing"],
    ["/sub?x=1", "/sub/", "index-missing"],
    ["/c%23", "/c%23/", "redirect-elsewhere"],
    ["//sub", "/sub/", "redirect-elsewhere"],
  ] as const;
  for (const [path, to, mistake] of folders) {
    const folder = await serving.get(path);
    // Two slashes may lead to nothing.
    const others = path.startsWith("//") ? [400, 404] : [];
    const missing = path.includes("%") ? "path-not-decoded" : "index-missing";
    expectStatus(folder, [200, 301, 302, 307, 308, ...others], missing);
    if (folder.status === 200 && others.length === 0) {
      const name = `${decodeURIComponent(to).slice(1)}index.html`;
      expectBytes(folder.body, bytes(`${name} ${WORD}`), "index-missing");
    } else if (folder.status > 300 && folder.status < 400) {
      const { host, pathname } = new URL(fieldOf(folder, "location") ?? "", `http://a${path}`);
      const onePath = pathname.replace(/^\/+/, "/");
      expectEqual(host === "a" ? onePath : `//${host}${onePath}`, to, {
        what: t("where Location leads to", "Location이 가리키는 경로"),
        mistake,
      });
    }
  }
  await serving.stop();
}, {
  catches: [
    "text-read-as-string",
    "wrong-type",
    "last-modified-missing",
    "index-missing",
    "path-not-decoded",
    "redirect-elsewhere",
    "every-error-404",
    "not-raw-tcp",
    "no-content-length",
    "lf-only",
    "error-ends-server",
  ],
});

task(4, {
  en: "serveFiles() answers HEAD as GET, without the body",
  ko: "serveFiles()는 HEAD에 GET과 같은 헤더로, 본문 없이 응답합니다",
}, async (context) => {
  const serving = await Serving.start(context);
  for (const name of ["photo.jpg", "index.html", "empty.txt", "nowhere"]) {
    const client = await serving.connect();
    await client.send(`HEAD /${name} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.peer.closeWrite();
    const answer = await client.answer(`HEAD /${name}`, { head: true, mistake: "body-with-head" });
    const content = CONTENT.get(name);
    expectStatus(answer, [content ? 200 : 404]);
    if (content) {
      expectEqual(lengthOf(answer), content.length, {
        what: t("Content-Length of the answer to HEAD", "HEAD 응답의 Content-Length"),
        mistake: "body-with-head",
      });
    }
    const left = await client.end("body-with-head");
    expectBytes(left, new Uint8Array(), "body-with-head");
    client.close();
  }
}, { catches: ["body-with-head", "no-content-length", "lf-only"] });

task(4, {
  en: "serveFiles() takes the path of a target, decoded once",
  ko: "serveFiles()는 대상(target)의 경로를 한 번만 디코딩합니다",
}, async (context) => {
  const serving = await Serving.start(context);
  const cases = [
    ["/a.txt?x=1&y=/../2?&z=100%", "a.txt", "query-in-path"],
    ["/?page=2", "index.html", "query-in-path"],
    ["/%61%2Etxt", "a.txt", "path-not-decoded"],
    ["/a%20b.txt", "a b.txt", "path-not-decoded"],
    ["/%ED%95%9C%EA%B8%80.txt", "한글.txt", "path-not-decoded"],
    ["/a+b.txt", "a+b.txt", "plus-for-space"],
    ["/a%2Bb.txt", "a+b.txt", "double-decoded"],
    ["/%2561.txt", "%61.txt", "double-decoded"],
    ["/a..b.txt", "a..b.txt", "inside-refused"],
    ["/.hidden.txt", ".hidden.txt", "inside-refused"],
    ["http://localhost:8080/a.txt", "a.txt", "absolute-form-refused"],
    ["http://localhost/sub/?x", "sub/index.html", "absolute-form-refused"],
  ] as const;
  for (const [target, name, mistake] of cases) {
    const answer = await serving.get(target, { mistake });
    expectStatus(answer, [200], mistake);
    expectBytes(answer.body, CONTENT.get(name) ?? bytes(`${name} ${WORD}`), mistake);
  }
}, {
  catches: [
    "query-in-path",
    "path-not-decoded",
    "plus-for-space",
    "double-decoded",
    "inside-refused",
    "absolute-form-refused",
  ],
});

task(4, {
  en: "serveFiles() says what is wrong with a request, and goes on",
  ko: "serveFiles()는 요청의 무엇이 잘못인지 알리고 계속 일합니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context, { limits: LIMITS });
  const body = "Content-Length: 5\r\n\r\nhello";
  const cases: [request: string, statuses: number[], mistake: string][] = [
    ["GET /nowhere.html HTTP/1.1\r\nHost: a\r\n\r\n", [404], "error-ends-server"],
    ["GET /sub/deep/ HTTP/1.1\r\nHost: a\r\n\r\n", [403, 404], "error-ends-server"],
    ["GET /a.txt%3Fx HTTP/1.1\r\nHost: a\r\n\r\n", [404], "query-in-path"],
    ["GET /a.txt/b HTTP/1.1\r\nHost: a\r\n\r\n", [404], "error-ends-server"],
    ["GET /a.txt/ HTTP/1.1\r\nHost: a\r\n\r\n", [200, 301, 404], "error-ends-server"],
    ["GET /circle HTTP/1.1\r\nHost: a\r\n\r\n", [403, 404, 500], "error-ends-server"],
    ["GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", [400], "every-error-404"],
    ["GET /% HTTP/1.1\r\nHost: a\r\n\r\n", [400], "every-error-404"],
    ["GET /a.txt%00 HTTP/1.1\r\nHost: a\r\n\r\n", [400], "every-error-404"],
    ["GET /%00.html HTTP/1.1\r\nHost: a\r\n\r\n", [400], "every-error-404"],
    ["BREW / HTTP/1.1\r\nHost: a\r\n\r\n", [405, 501], "every-error-404"],
    ["get / HTTP/1.1\r\nHost: a\r\n\r\n", [400, 405, 501], "method-case-ignored"],
    ["GET / HTTP/1.1\r\n\r\n", [400], "every-error-404"],
    ["GET /\r\n\r\n", [400], "every-error-404"],
    ["GET / HTTP/3.0\r\nHost: a\r\n\r\n", [505], "every-error-404"],
    [`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`, [501], "every-error-404"],
    [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n`, [413], "every-error-404"],
    [`GET /${"a".repeat(400)}`, [414], "every-error-404"],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(1400)}`, [431], "every-error-404"],
  ];
  for (const [request, statuses, mistake] of cases) {
    const client = await serving.connect();
    await client.send(request);
    const shown = request.slice(0, 60);
    const answer = await client.answer(shown, { mistake: "error-ends-server" });
    expectStatus(answer, statuses, mistake);
    client.close();
  }
  // One leaves before it is accepted: accept() throws, once.
  await learner.faults({ api: ["accept"], times: 1, error: "NotConnected" });
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const client = await serving.connect();
    await client.send(`${method} /a.txt HTTP/1.1\r\nHost: a\r\n${body}`);
    const answer = await client.answer(method, { mistake: "error-ends-server" });
    expectStatus(answer, [405], "every-error-404");
    const allow = (fieldOf(answer, "allow") ?? "").split(",").map((word) => word.trim());
    expectThat(
      allow.includes("GET") && allow.includes("HEAD"),
      same("Allow: GET, HEAD"),
      same(`Allow: ${fieldOf(answer, "allow") ?? "-"}`),
      "allow-missing",
    );
    client.close();
  }
  const answer = await serving.get("/a.txt", { mistake: "error-ends-server" });
  expectStatus(answer, [200], "error-ends-server");
}, {
  catches: [
    "error-ends-server",
    "every-error-404",
    "method-case-ignored",
    "allow-missing",
    "query-in-path",
  ],
  unhandled: "error-ends-server",
});

/** Targets that lead out of the root, if one lets them. */
function escapes(): [target: string, mistake: string][] {
  const outside = site.path("../secret.txt").replace("/site/../", "/");
  const up = site.root.split("/").length;
  return [
    ["/../secret.txt", "path-escape"],
    ["/../site-secret/secret.txt", "path-escape"],
    ["/../site-secret/", "path-escape"],
    ["/sub/../../secret.txt", "path-escape"],
    ["/./../secret.txt", "path-escape"],
    ["/%2e%2e/secret.txt", "path-escape"],
    ["/.%2E/site-secret/secret.txt", "path-escape"],
    ["/..%2fsecret.txt", "path-escape"],
    ["/sub%2f..%2f..%2fsecret.txt", "path-escape"],
    ["/..%5csecret.txt", "path-escape"],
    ["/..\\secret.txt", "path-escape"],
    ["/....//secret.txt", "path-escape"],
    ["/..;/secret.txt", "path-escape"],
    ["/%252e%252e/secret.txt", "double-decoded"],
    ["/..%252fsecret.txt", "double-decoded"],
    ["/%2e%2e%00/secret.txt", "path-escape"],
    ["/../secret.txt?x", "path-escape"],
    ["/../secret.txt%00.html", "path-escape"],
    ["http://a/../secret.txt", "path-escape"],
    ["http://a/%2e%2e/secret.txt", "path-escape"],
    [`/${"../".repeat(up)}${outside.slice(1)}`, "path-escape"],
    [`/${outside}`, "path-escape"],
    [`//${outside}`, "path-escape"],
    [`/%2f${outside.slice(1)}`, "path-escape"],
    [`http://a/${outside}`, "path-escape"],
    [`/file://${outside}`, "path-escape"],
    ["../secret.txt", "path-escape"],
    [outside, "path-escape"],
    ["/out.txt", "symlink-followed"],
    ["/out-absolute.txt", "symlink-followed"],
    ["/out/secret.txt", "symlink-followed"],
    ["/out/", "symlink-followed"],
    ["/leak/", "symlink-followed"],
    ["/out/../secret.txt", "symlink-followed"],
  ];
}

task(4, {
  en: "serveFiles() serves nothing outside of the root, and what links inside lead to",
  ko: "serveFiles()는 루트 밖의 것은 어떻게 해도 보내지 않고, 안을 가리키는 링크는 따라갑니다",
}, async (context) => {
  const roots: [root: string, served: [target: string, mistake: string][]][] = [
    [site.root, escapes()],
    [`${site.root}/`, [["/../secret.txt", "path-escape"], ["/../site-secret/", "path-escape"]]],
    [site.linkedRoot, [["/../secret.txt", "path-escape"], ["/out.txt", "symlink-followed"]]],
    [site.relativeRoot, [["/../secret.txt", "path-escape"], ["/out.txt", "symlink-followed"]]],
  ];
  for (const [root, targets] of roots) {
    const serving = await Serving.start(context, { root });
    for (const [target, mistake] of targets) {
      const answer = await serving.get(target, { mistake: "error-ends-server" });
      expectNoSecret(answer, `GET ${target}`, mistake);
      if (mistake === "symlink-followed") expectStatus(answer, [400, 403, 404], mistake);
    }
    for (const [target, name] of [["/inside.txt", "sub/deep/x.txt"], ["/a.txt", "a.txt"]]) {
      const answer = await serving.get(target!);
      expectStatus(answer, [200], "inside-refused");
      expectBytes(answer.body, bytes(`${name} ${WORD}`), "inside-refused");
    }
  }
}, {
  catches: [
    "path-escape",
    "double-decoded",
    "symlink-followed",
    "inside-refused",
    "error-ends-server",
  ],
  unhandled: "error-ends-server",
});

task(4, {
  en: "serveFiles() does not send again what the client has",
  ko: "serveFiles()는 클라이언트가 이미 가진 것을 다시 보내지 않습니다",
}, async (context) => {
  const serving = await Serving.start(context);
  const later = "Tue, 04 Feb 2020 00:00:00 GMT";
  const earlier = "Mon, 03 Feb 2020 04:05:05 GMT";
  const cases = [
    [later, 304],
    [HTTP_DATE, 304],
    [earlier, 200],
    ["yesterday, I think", 200],
  ] as const;
  for (const [since, status] of cases) {
    const client = await serving.connect();
    await client.send(
      `GET /notes.txt HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: ${since}\r\n\r\n`,
    );
    await client.peer.closeWrite();
    const answer = await client.answer(`If-Modified-Since: ${since}`);
    const mistake = since === HTTP_DATE ? "date-compared-with-milliseconds" : "condition-ignored";
    expectStatus(answer, [status], mistake);
    const left = await client.end("body-with-304");
    expectBytes(left, new Uint8Array(), "body-with-304");
    client.close();
  }
}, {
  catches: ["date-compared-with-milliseconds", "condition-ignored", "body-with-304"],
});

task(4, {
  en: "serveFiles() survives files that change, and resolves when the listener is closed",
  ko: "serveFiles()는 파일이 바뀌어도 견디고, 리스너가 닫히면 끝납니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  const download = async (name: string) => {
    site.writeZeros(name, BIG_BYTES);
    const client = await serving.connect();
    await client.send(`GET /${name} HTTP/1.1\r\nHost: a\r\n\r\n`);
    // It is being sent now, and the client does not read.
    await learner.waitsIn("write", new Promise(() => {}));
    return client;
  };
  const first = await download("growing.bin");
  await first.peer.closeWrite();
  Deno.truncateSync(site.path("growing.bin"), BIG_BYTES + 100_000);
  const answer = await first.answer("GET /growing.bin", { cut: "short-write" });
  expectEqual(answer.body.length, BIG_BYTES);
  const more = await first.end("more-than-announced");
  expectBytes(more.subarray(0, 100), new Uint8Array(), "more-than-announced");
  const client = await download("shrinking.bin");
  Deno.truncateSync(site.path("shrinking.bin"), 10);
  const came = await context.step(
    t("the whole file, or the end of the connection", "파일 전체, 또는 연결의 끝"),
    () => client.http.atLeast(BIG_BYTES),
    "waits-for-missing-bytes",
  );
  context.peers.note("receive", `${came >= BIG_BYTES ? "all of it" : "a part, and the end"}`);
  client.close();
  // A new file under an old name, and then none.
  for (const text of ["first", "second, and longer"]) {
    site.write("changing.txt", text);
    const answer = await serving.get("/changing.txt", { mistake: "error-ends-server" });
    expectBytes(answer.body, bytes(text), "stale-file");
  }
  Deno.removeSync(site.path("changing.txt"));
  const gone = await serving.get("/changing.txt", { mistake: "error-ends-server" });
  expectStatus(gone, [404], "stale-file");
  await serving.stop();
}, {
  catches: [
    "waits-for-missing-bytes",
    "more-than-announced",
    "short-write",
    "stale-file",
    "error-ends-server",
  ],
  unhandled: "error-ends-server",
});

task(4, {
  en: "serveFiles() closes its files, also when the client leaves in the middle",
  ko: "serveFiles()는 클라이언트가 도중에 떠나도 파일을 닫습니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  await serving.get("/photo.jpg");
  await serving.get("/big.bin", { method: "HEAD" });
  await serving.get("/photo.jpg", { headers: `If-Modified-Since: ${HTTP_DATE}\r\n` });
  await serving.get("/sub");
  await serving.get("/photo.jpg/");
  await serving.get("/photo.jpg", { method: "POST" });
  const client = await serving.connect();
  await client.send("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  await learner.waitsIn("write", new Promise(() => {}));
  client.close();
  await expectFilesClosed(context);
}, {
  catches: ["file-left-open", "connection-left-open"],
  leak: "connection-left-open",
  unhandled: "error-ends-server",
});

/** Waits until the learner's process holds no file of the site. */
async function expectFilesClosed({ learner, step }: TestContext): Promise<void> {
  const held = () => learner.openFiles(site.root);
  await step(
    t("each file is closed when its response is over", "응답이 끝난 파일은 모두 닫힘"),
    async () => {
      while (held().length > 0) await learner.rest();
    },
    "file-left-open",
    () => t(`still open: ${held().join(", ")}`, `아직 열려 있는 파일: ${held().join(", ")}`),
  );
}

// --- task 5 ---

task(5, {
  en: "serveFiles() answers several requests on one connection",
  ko: "serveFiles()는 한 연결에서 여러 요청에 응답합니다",
}, async (context) => {
  const serving = await Serving.start(context);
  const client = await serving.connect();
  const mistake = "closes-each-time";
  for (const name of ["index.html", "style.css", "nowhere", "long.html", "notes.txt"]) {
    await context.step(
      t(`request ${name} can be sent`, `${name} 요청을 보낼 수 있음`),
      // A word of its own, and not the one that closes.
      () => client.send(`GET /${name} HTTP/1.1\r\nHost: a\r\nConnection: x-close, closely\r\n\r\n`),
      mistake,
    );
    const answer = await client.answer(`GET /${name}`, { mistake, cut: mistake });
    expectStatus(answer, [CONTENT.has(name) ? 200 : 404]);
    if (CONTENT.has(name)) expectBytes(answer.body, CONTENT.get(name)!);
    expectThat(
      !saysClose(answer),
      t("the connection stays open", "연결은 열린 채로 있음"),
      same("Connection: close"),
      mistake,
    );
  }
}, { catches: ["closes-each-time"] });

task(5, {
  en: "serveFiles() answers requests that come together, in their order, each whole",
  ko: "serveFiles()는 한꺼번에 온 요청에 순서대로, 각각 온전하게 응답합니다",
}, async (context) => {
  const { learner } = context;
  const serving = await Serving.start(context);
  const requests: [request: string, status: number, body?: Uint8Array][] = [
    ["GET /long.html", 200, CONTENT.get("long.html")!],
    ["GET /nowhere", 404],
    ["HEAD /long.html", 200, new Uint8Array()],
    ["GET /index.html", 200, CONTENT.get("index.html")!],
    ["POST /a.txt", 405],
    ["GET /long.html", 200, CONTENT.get("long.html")!],
    ["GET /notes.txt", 200, CONTENT.get("notes.txt")!],
  ];
  const all = requests.map(([request]) =>
    `${request} HTTP/1.1\r\nHost: a\r\n${
      request.startsWith("POST") ? "Content-Length: 4\r\n" : ""
    }\r\n${request.startsWith("POST") ? "body" : ""}`
  ).join("");
  for (const way of ["at once", "cut"]) {
    const client = await serving.connect();
    if (way === "at once") await learner.asleep(() => client.send(all));
    else {
      await learner.limit({ readBytes: 13 });
      await client.send(all);
    }
    for (const [request, status, body] of requests) {
      const mistake = "pipelined-dropped";
      const answer = await client.answer(request, {
        head: request.startsWith("HEAD"),
        mistake,
        cut: "replies-out-of-order",
      });
      // Which error it is, another task asks.
      const statuses = status === 200 ? [200] : [400, 404, 405, 501];
      expectStatus(answer, statuses, "replies-out-of-order");
      if (body) expectBytes(answer.body, body, "replies-out-of-order");
    }
    client.close();
    await learner.limit({});
  }
}, { catches: ["pipelined-dropped", "replies-out-of-order"] });

task(5, {
  en: "serveFiles() closes when the client wishes it, and says so",
  ko: "serveFiles()는 클라이언트가 원하면 닫고, 닫는다고 알립니다",
}, async (context) => {
  const serving = await Serving.start(context);
  const closing = [
    // What is asked after the last request is not answered.
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /photo.jpg HTTP/1.1\r\nHost: a\r\nconnection: Close\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, CLOSE\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "HEAD /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /a.txt HTTP/1.0\r\n\r\n",
    "GET /a.txt HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n",
  ];
  for (const request of closing) {
    const client = await serving.connect();
    await client.send(request);
    const head = request.startsWith("HEAD");
    const answer = await client.answer(request, { head, cut: "short-write" });
    const left = await client.end("never-closes");
    expectBytes(left, new Uint8Array(), "never-closes");
    expectThat(
      saysClose(answer),
      t("the last response says Connection: close", "마지막 응답에 Connection: close가 있음"),
      same(`Connection: ${fieldOf(answer, "connection") ?? "-"}`),
      "close-not-announced",
    );
    client.close();
  }
  // HTTP/1.0 with keep-alive stays.
  const client = await serving.connect();
  for (let i = 0; i < 2; i++) {
    await client.send("GET /a.txt HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    const answer = await client.answer("GET /a.txt HTTP/1.0, keep-alive", {
      mistake: "closes-each-time",
    });
    expectStatus(answer, [200], "closes-each-time");
  }
}, { catches: ["never-closes", "close-not-announced", "closes-each-time", "short-write"] });

task(5, {
  en: "serveFiles() ends the connection after a request that cannot be read",
  ko: "serveFiles()는 읽을 수 없는 요청에 응답한 뒤 연결을 끝냅니다",
}, async (context) => {
  const serving = await Serving.start(context, { limits: LIMITS });
  const next = "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n";
  const cases: [request: string, status: number][] = [
    [`GET / HTTP/1.1\r\nHost : a\r\n\r\n${next}`, 400],
    [`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${next}`, 501],
    [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n${next}`, 413],
  ];
  for (const [request, status] of cases) {
    const client = await serving.connect();
    await client.send(`${next}${request}`);
    expectStatus(await client.answer(next, { mistake: "closes-each-time" }), [200]);
    const answer = await client.answer(request, { mistake: "error-ends-server" });
    expectStatus(answer, [status], "error-ends-server");
    await client.peer.closeWrite();
    const left = await client.end("never-closes");
    expectThat(
      left.length === 0,
      t("nothing more is answered on this connection", "이 연결에서는 더 응답하지 않음"),
      same(escapeBytes(left.subarray(0, 60))),
      "goes-on-after-error",
    );
    expectThat(
      saysClose(answer),
      t("the last response says Connection: close", "마지막 응답에 Connection: close가 있음"),
      same(`Connection: ${fieldOf(answer, "connection") ?? "-"}`),
      "close-not-announced",
    );
    client.close();
  }
}, {
  catches: [
    "goes-on-after-error",
    "close-not-announced",
    "closes-each-time",
    "never-closes",
    "error-ends-server",
  ],
});

// --- task 6 ---

task(6, {
  en: "serveFiles() serves others while clients are silent, slow, or do not read",
  ko:
    "serveFiles()는 말이 없거나 느리거나 읽지 않는 클라이언트가 있어도 다른 클라이언트에게 응답합니다",
}, async (context) => {
  const { learner, step } = context;
  const serving = await Serving.start(context);
  const silent = await serving.connect();
  const slow = await serving.connect();
  await slow.send("GET /a.txt HTTP/1.1\r\nHo");
  const deaf = await serving.connect();
  await deaf.send("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  const mistake = "one-client-at-a-time";
  for (let i = 0; i < 3; i++) {
    const answer = await serving.get("/notes.txt", { mistake });
    expectStatus(answer, [200], mistake);
    expectBytes(answer.body, CONTENT.get("notes.txt")!);
  }
  await slow.send("st: a\r\n\r\n");
  expectStatus(await slow.answer("GET /a.txt", { mistake }), [200], mistake);
  await silent.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
  expectStatus(await silent.answer("GET /a.txt", { mistake }), [200], mistake);
  // One leaves in the middle of a request, one is refused, and one takes half of its answer.
  const leaving = await serving.connect();
  await leaving.send("GET /a.txt HTTP/1.1\r\nHo");
  leaving.close();
  const refused = await serving.connect();
  await refused.send("GET /\r\n\r\n");
  await refused.answer("GET /", { mistake });
  refused.close();
  await deaf.http.atLeast(1000);
  for (const client of [silent, slow, deaf]) client.close();
  // The server has nobody to wait for any more.
  await step(
    t("no timer is left when the clients are gone", "클라이언트가 모두 떠나면 남은 타이머가 없음"),
    async () => {
      while ((await learner.rest()).timersMs.some((ms) => ms >= LONG_MS / 2));
    },
    "timer-left",
    () =>
      t(
        "a timer of a client that is gone still runs",
        "떠난 클라이언트의 타이머가 아직 돌고 있습니다",
      ),
  );
  await step(
    t(
      "no connection is left when the clients are gone",
      "클라이언트가 모두 떠나면 남은 연결이 없음",
    ),
    async () => {
      while ((await learner.rest()).open.some(({ kind }) => kind === "conn"));
    },
    "connection-left-open",
    () =>
      t(
        "the connection of a client that is gone is still open",
        "떠난 클라이언트의 연결이 아직 열려 있습니다",
      ),
  );
}, { catches: ["one-client-at-a-time", "timer-left", "connection-left-open"] });

task(6, {
  en: "serveFiles() waits for nobody longer than it was told",
  ko: "serveFiles()는 정해진 시간보다 오래 기다리지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const both = await Serving.start(context, { idleMs: SHORT_MS, requestMs: SHORT_MS });
  const idle = await Serving.start(context, { idleMs: SHORT_MS });
  const hasty = await Serving.start(context, { requestMs: SHORT_MS });

  /** A client that says nothing is left without a word; a 408 is a word that HTTP allows. */
  const silent = async (): Promise<void> => {
    const client = await idle.connect();
    const said = await client.end("silence-unbounded");
    expectOnly408(said);
  };
  const silentAfterRequest = async (): Promise<void> => {
    for (let tries = 0; tries < 3; tries++) {
      // It finds the request when it wakes: however busy the machine is, this client is not silent.
      const client = await learner.asleep(async () => {
        const client = await idle.connect();
        await client.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        return client;
      });
      if (await client.http.atLeast(1) === 0) continue;
      expectStatus(await client.answer("GET /a.txt"), [200]);
      expectOnly408(await client.end("silence-unbounded"));
      return;
    }
  };
  /** A client that sends a letter of its request now and then. */
  const trickling = async (part: string): Promise<void> => {
    // Where the time begins again with each byte, 408 comes only when a busy machine has kept the bytes back for
    // all of it: that can be seen, and says nothing. So it is tried again.
    for (let tries = 0; tries < 6; tries++) {
      if (await slow(part, "a letter at a time, ") < SHORT_MS * 0.9) return;
    }
    fail({
      expected: t(
        "408, though a byte comes now and then",
        "가끔 한 바이트씩 오더라도 408",
      ),
      received: t("408 only when no byte came for so long", "그만큼 아무것도 오지 않아야 408"),
      mistake: "slow-request-unbounded",
    });
  };
  /**
   * A client that begins a request, goes on with `rest` as slowly as it can, and does not end it. How long the
   * server had read nothing of it when it answered.
   */
  const slow = async (part: string, rest: string): Promise<number> => {
    const client = await hasty.connect();
    await client.send(part);
    let over = false;
    const trickle = async () => {
      for (let i = 0; rest && !over; i++) {
        await pause(SHORT_MS / 4);
        if (!over) await client.send(rest[i % rest.length]!).catch(() => over = true);
      }
    };
    const letters = trickle();
    const mistake = "slow-request-unbounded";
    const answer = await client.answer(part, { mistake }).finally(() => over = true);
    expectStatus(answer, [408], mistake);
    await letters;
    await client.peer.closeWrite();
    await client.end(mistake);
    client.close();
    const mine = showAddr(client.peer.localAddr);
    const events = learner.events.filter((e) => showAddr(e.remoteAddr) === mine);
    const answered = events.find(({ event }) => event === "write")?.at ?? 0;
    const read = events.findLast(({ event, size, at }) =>
      event === "read" && size && at < answered
    );
    return read ? answered - read.at : 0;
  };
  /** A client that does not read what it asked for. */
  const deaf = async (): Promise<void> => {
    const client = await learner.asleep(async () => {
      const client = await hasty.connect();
      await client.send("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
      return client;
    });
    const mine = showAddr(client.peer.localAddr);
    await step(
      t(
        "the connection of a client that does not read is closed",
        "읽지 않는 클라이언트의 연결이 닫힘",
      ),
      async () => {
        // It was accepted, and then it is not there any more.
        while (
          !learner.events.some((e) => e.event === "write" && showAddr(e.remoteAddr) === mine)
        ) {
          await learner.rest();
        }
        for (;;) {
          const { open } = await learner.rest();
          if (!open.some(({ remoteAddr }) => showAddr(remoteAddr) === mine)) return;
          await pause(5);
        }
      },
      "reader-unbounded",
    );
  };
  /**
   * A client that takes its response slowly and steadily, which takes longer than either time. On a busy machine it may
   * come to take nothing for too long, or the server to nothing that it could take: then it is tried again, and told by
   * nothing.
   */
  const steady = async (): Promise<void> => {
    for (let tries = 0; tries < 6; tries++) {
      const client = await both.connect();
      const mine = showAddr(client.peer.localAddr);
      const writes = () =>
        learner.events.filter((e) => e.event === "write" && showAddr(e.remoteAddr) === mine);
      await client.send("GET /long.bin HTTP/1.1\r\nHost: a\r\n\r\n");
      let came = 0;
      let isOpen = true;
      for (let rounds = 0; rounds < 4; rounds++) {
        await pause(SHORT_MS * 0.4);
        // It takes so much that the server can go on.
        const before = writes().length;
        while (isOpen && writes().length === before) {
          const count = await client.http.drop();
          came += count;
          isOpen = count > 0;
        }
      }
      client.close();
      if (isOpen || came >= LONG_BYTES) return;
      // What the server did is told a little later than its connection shows it.
      await learner.rest();
      const told = learner.events.filter(({ event, remoteAddr }) =>
        ["read", "write", "close"].includes(event) && showAddr(remoteAddr) === mine
      );
      const pauses = told.map(({ at }, i) => at - (told[i - 1]?.at ?? at));
      const isTold = told.length > 1 && told.some(({ event }) => event === "close");
      if (isTold && pauses.every((ms) => ms < SHORT_MS * 0.9)) {
        fail({
          expected: t(
            "a client that takes something of its response all the time gets all of it",
            "응답을 꾸준히 받아 가는 클라이언트는 응답을 모두 받음",
          ),
          received: t("the connection ended in the middle", "도중에 연결이 끝났습니다"),
          mistake: wrongClock,
        });
      }
    }
  };
  const head = "GET /a.txt HTTP/1.1\r\nHost: a\r\n";
  const stretch = () => pause(SHORT_MS * 1.5);
  const wrongClock = "wrong-clock";
  /**
   * A client whose request takes a while in the one way that is allowed. A busy machine may add to that: then it is
   * tried again.
   */
  const patient = async (
    server: Serving,
    ask: (client: Client) => Promise<false | void>,
    shown: string,
  ) => {
    for (let left = 3;; left--) {
      const client = await server.connect();
      try {
        if (await ask(client) === false) return;
        const answer = await client.answer(shown, { mistake: wrongClock });
        expectStatus(answer, [200], wrongClock);
        return;
      } catch (error) {
        if (left === 0) throw error;
      } finally {
        client.close();
      }
    }
  };
  /** Sends a request that is read in two pieces: whoever has it all at once has no time to be late. */
  const inTwo = async (client: Client, between = () => Promise.resolve<unknown>(undefined)) => {
    const mine = showAddr(client.peer.localAddr);
    const reads = () =>
      learner.events.filter((e) => e.event === "read" && showAddr(e.remoteAddr) === mine).length;
    const before = reads();
    await client.send(head).catch(() => {});
    const isAccepted = () =>
      learner.events.some((e) => e.event === "accept" && showAddr(e.remoteAddr) === mine);
    for (let isOpen = true; isOpen && reads() === before;) {
      const { open } = await learner.state();
      isOpen = !isAccepted() || open.some(({ remoteAddr }) => showAddr(remoteAddr) === mine);
    }
    await between();
    await client.send("\r\n").catch(() => {});
  };
  /** Whether the server has ended the connection along with its response, which is for another task to judge. */
  const isClosedEachTime = (client: Client): boolean => {
    const mine = showAddr(client.peer.localAddr);
    const told = learner.events.filter((e) => showAddr(e.remoteAddr) === mine);
    const end = told.find(({ event }) => event === "close" || event === "closeWrite");
    const written = told.findLast(({ event }) => event === "write");
    return end !== undefined && end.at - (written?.at ?? 0) < SHORT_MS / 2;
  };
  await Promise.all([
    silent(),
    // Silence before a request is not the time of a request, be it the first or a later one.
    patient(hasty, async (client) => {
      await stretch();
      await inTwo(client);
    }, "GET /a.txt, after a silence that idleMs allows"),
    patient(hasty, async (client) => {
      await client.send(`${head}\r\n`);
      await client.answer("GET /a.txt");
      await stretch();
      if (isClosedEachTime(client)) return false;
      await inTwo(client);
    }, "GET /a.txt, some time after another request"),
    // The time of a request is not silence before it.
    patient(
      idle,
      (client) => inTwo(client, stretch),
      "GET /a.txt, with a pause in its head that requestMs allows",
    ),
    silentAfterRequest(),
    slow("GE", ""),
    slow(head, ""),
    trickling(`${head}X-Slow: `),
    trickling("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"),
    deaf(),
    steady(),
  ]);
  await expectFilesClosed(context);
}, {
  catches: [
    "silence-unbounded",
    "slow-request-unbounded",
    "reader-unbounded",
    "wrong-clock",
    "file-left-open",
  ],
  waitsMs: SHORT_MS * 2,
});

/** Fails unless an idle client was told nothing, or at most that its time is over (RFC 9110, section 15.5.9). */
function expectOnly408(said: Uint8Array): void {
  if (said.length === 0) return;
  const end = new TextDecoder().decode(said).indexOf("\r\n\r\n");
  const status = end < 0 ? 0 : parseHead(said.subarray(0, end + 4)).status;
  expectThat(
    status === 408,
    t(
      "a client that was silent is left without a word",
      "말이 없던 클라이언트는 아무 말 없이 끊음",
    ),
    same(escapeBytes(said.subarray(0, 100))),
    "silence-unbounded",
  );
}

task(6, {
  en: "serveFiles() lets its error arrive although the client still sends",
  ko: "serveFiles()는 클라이언트가 아직 보내는 중이어도 오류 응답이 도착하게 합니다",
}, async (context) => {
  const { learner, random } = context;
  const serving = await Serving.start(context, { limits: LIMITS });
  // Few enough to be told one by one, should somebody read them so.
  const unread = random.bytes(250);
  const cases: [head: string, status: number][] = [
    [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n`, 413],
    [`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`, 501],
  ];
  for (const [head, status] of cases) {
    await learner.limit({ readBytes: 100 });
    // All of it is there before the server reads its first byte.
    const client = await learner.asleep(async () => {
      const client = await serving.connect();
      await client.send(head);
      await client.send(unread);
      return client;
    });
    const mistake = "error-destroyed";
    const answer = await client.answer(head, { mistake, cut: mistake });
    expectStatus(answer, [status], mistake);
    // Nothing more comes, and no end: the server waits for that as long as it likes, and not for ever.
    await context.step(
      t(
        "it stops reading after a while: a timer runs, or the connection is closed",
        "잠시 뒤에는 그만 읽음: 타이머가 돌고 있거나 연결이 닫힘",
      ),
      async () => {
        const port = client.peer.localAddr.port;
        for (;;) {
          const { open, timersMs } = await learner.rest();
          if (timersMs.length > 0) return;
          if (!open.some(({ remoteAddr }) => (remoteAddr as Deno.NetAddr)?.port === port)) return;
        }
      },
      "linger-unbounded",
      () => t("it reads on, and no timer runs", "타이머 없이 계속 읽습니다"),
    );
    await client.peer.closeWrite();
    await client.end("never-closes");
    const mine = showAddr(client.peer.localAddr);
    await context.step(CLOSED, async () => {
      for (;;) {
        const { open } = await learner.state();
        if (!open.some(({ remoteAddr }) => showAddr(remoteAddr) === mine)) return;
      }
    }, "never-closes");
    const read = learner.events
      .filter((e) => e.event === "read" && showAddr(e.remoteAddr) === mine)
      .reduce((sum, { size }) => sum + (size ?? 0), 0);
    const sent = head.length + unread.length;
    expectThat(
      read === sent,
      t(
        `all ${sent} bytes that the client sent are read before the close: unread ones make it a reset`,
        `클라이언트가 보낸 ${sent}바이트를 모두 읽은 뒤에 닫음: 읽지 않은 바이트가 있으면 재설정이 됨`,
      ),
      t(`${read} bytes were read`, `읽은 것은 ${read}바이트`),
      mistake,
    );
    client.close();
  }
}, { catches: ["error-destroyed", "never-closes", "linger-unbounded"] });
