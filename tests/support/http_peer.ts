/**
 * A client of the learner's web server: sends bytes as told, and reads responses as a strict client does.
 *
 * @module
 */

import type { Text } from "../../workbook/text.ts";
import { bytes, escapeBytes } from "./bytes.ts";
import { fail } from "./failure.ts";
import type { PeerConn } from "./peer.ts";

/** A response as it came. */
export interface HttpAnswer {
  status: number;
  /** The words after the status. */
  words: string;
  /** The fields in their order, names in lower case. */
  fields: [name: string, value: string][];
  body: Uint8Array;
}

/** What a test knows beforehand of a response. */
export interface Awaited {
  /** It answers a HEAD: there is no body. */
  head?: boolean;
  /** The mistake that it shows if none comes. */
  mistake?: string | undefined;
  /** The mistakes that its form may show. */
  noLength?: string;
  lfOnly?: string;
  form?: string;
  /** The mistake that it shows if it is cut off. */
  cut?: string | undefined;
}

/** More than any response of the suites has: a server that sends without end must not fill the memory. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const MAX_HEAD_BYTES = 1024 * 1024;

/** One connection to the learner's server. */
export class HttpPeer {
  /** Has room for more than what is there, which is {@linkcode #came}. */
  #buffer = new Uint8Array(4 * 1024);
  #size = 0;
  #ended = false;

  constructor(readonly conn: PeerConn) {}

  /** Sends a text as UTF-8, or bytes. */
  async send(data: string | Uint8Array): Promise<void> {
    await this.conn.send(typeof data === "string" ? bytes(data) : data);
  }

  async #more(): Promise<boolean> {
    const piece = this.#ended ? undefined : await this.conn.read();
    if (!piece) {
      this.#ended = true;
      return false;
    }
    if (this.#size + piece.length > MAX_WAITING_BYTES) {
      fail({
        expected: {
          en: `no more than ${MAX_WAITING_BYTES} bytes that nobody asked for`,
          ko: `아무도 요청하지 않은 데이터는 ${MAX_WAITING_BYTES}바이트 이하`,
        },
        received: escapeBytes(this.#came.subarray(0, 64)),
      });
    }
    if (this.#size + piece.length > this.#buffer.length) {
      const larger = new Uint8Array((this.#size + piece.length) * 2);
      larger.set(this.#came);
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#size);
    this.#size += piece.length;
    return true;
  }

  /** What has come and was not taken. */
  get #came(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  #take(count: number): Uint8Array {
    const taken = this.#came.slice(0, count);
    this.#buffer.copyWithin(0, taken.length, this.#size);
    this.#size -= taken.length;
    return taken;
  }

  /** Reads the next response, or ends the test. */
  async response(awaited: Awaited = {}): Promise<HttpAnswer> {
    const head = await this.#head(awaited);
    const answer = parseHead(head, awaited);
    const length = lengthOf(answer);
    if (!mayHaveBody(answer.status, awaited.head ?? false)) {
      this.conn.note("receive", `response ${answer.status}`);
      return answer;
    }
    if (length === undefined) {
      fail({
        expected: {
          en: "the response has a Content-Length, the number of bytes of its body",
          ko: "응답에 본문의 바이트 수인 Content-Length가 있음",
        },
        received: escapeBytes(head),
        mistake: awaited.noLength,
      });
    }
    while (this.#came.length < length && await this.#more());
    const body = this.#take(length);
    this.conn.note("receive", `response ${answer.status}, ${body.length} bytes of body`);
    if (body.length < length) {
      fail({
        expected: {
          en: `a body of ${length} bytes, as Content-Length says`,
          ko: `Content-Length가 말하는 대로 ${length}바이트인 본문`,
        },
        received: {
          en: `the connection ended after ${body.length}: ${escapeBytes(body.subarray(-32))}`,
          ko: `${body.length}바이트 뒤에 연결이 끝났습니다: ${escapeBytes(body.subarray(-32))}`,
        },
        mistake: awaited.cut,
      });
    }
    return { ...answer, body };
  }

  /** Reads up to the empty line. */
  async #head({ mistake, lfOnly }: Awaited): Promise<Uint8Array> {
    for (;;) {
      const end = endOfHead(this.#came);
      if (end >= 0) return this.#take(end);
      if (this.#came.length < MAX_HEAD_BYTES && await this.#more()) continue;
      const received: Text = this.#came.length > 0
        ? {
          en: `the end, after ${escapeBytes(this.#came.subarray(0, 200))}`,
          ko: `${escapeBytes(this.#came.subarray(0, 200))} 뒤에 끝남`,
        }
        : { en: "the connection was closed", ko: "연결이 닫혔습니다" };
      fail({
        expected: { en: "a response, with its empty line", ko: "빈 줄까지 갖춘 응답" },
        received,
        mistake: this.#came.length > 0 && this.#came.includes(10) &&
            !this.#came.includes(13)
          ? lfOnly
          : mistake,
      });
    }
  }

  /** Reads to the end of the stream; what is left of it. */
  async rest(): Promise<Uint8Array> {
    while (await this.#more());
    const left = this.#take(this.#came.length);
    this.conn.note("receive", left.length > 0 ? escapeBytes(left.subarray(0, 64)) : "end of file");
    return left;
  }

  /** Throws away what has come, or comes next; how many bytes, 0 at the end of the stream. */
  async drop(): Promise<number> {
    if (this.#size === 0) await this.#more();
    const dropped = this.#size;
    this.#size = 0;
    return dropped;
  }

  /** Reads at least `count` further bytes, unless the stream ends; how many came. */
  async atLeast(count: number): Promise<number> {
    while (this.#came.length < count && await this.#more());
    return this.#came.length;
  }
}

/** Whether there is a body (RFC 9112, section 6.3). */
function mayHaveBody(status: number, head: boolean): boolean {
  return !head && status >= 200 && status !== 204 && status !== 304;
}

/** Where the head ends, its empty line included; −1 if that has not come. Bare LFs are judged later. */
function endOfHead(data: Uint8Array): number {
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) {
    if (data[at + 1] === 10) return at + 2;
    if (data[at + 1] === 13 && data[at + 2] === 10) return at + 3;
  }
  return -1;
}

/** Without the spaces and tabs around it. */
function withoutBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text[from])) from++;
  while (to > from && isBlank(text[to - 1])) to--;
  return text.slice(from, to);
}

function isBlank(char: string | undefined): boolean {
  return char === " " || char === "\t";
}

/** Reads a response's head, or ends the test. */
export function parseHead(head: Uint8Array, { lfOnly, form }: Awaited = {}): HttpAnswer {
  const text = Array.from(head, (byte) => String.fromCharCode(byte)).join("");
  if (/(^|[^\r])\n/.test(text)) {
    fail({
      expected: { en: "every line ends with CRLF", ko: "모든 줄이 CRLF로 끝남" },
      received: escapeBytes(head.subarray(0, 200)),
      mistake: lfOnly,
    });
  }
  const [first = "", ...lines] = text.slice(0, -4).split("\r\n");
  const [, status, words = ""] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(first) ?? [];
  if (status === undefined) {
    fail({
      expected: { en: "a status line: HTTP/1.1 200 OK", ko: "상태 줄: HTTP/1.1 200 OK" },
      received: escapeBytes(bytes(first.slice(0, 200))),
      mistake: form,
    });
  }
  const fields = lines.map((line): [string, string] => {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~\w]+):([^]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      fail({
        expected: { en: "header lines: Name: value", ko: "헤더 줄: Name: value" },
        received: escapeBytes(bytes(line.slice(0, 200))),
        mistake: form,
      });
    }
    // Not by a pattern: it would look for the end of each run of blanks from each of them.
    return [name.toLowerCase(), withoutBlanks(value)];
  });
  return { status: Number(status), words, fields, body: new Uint8Array() };
}

/** The value of a field; several are joined. */
export function fieldOf(answer: HttpAnswer, name: string): string | undefined {
  const values = answer.fields.filter(([n]) => n === name).map(([, value]) => value);
  return values.length > 0 ? values.join(", ") : undefined;
}

/** The length that a response announces, if it announces one. */
export function lengthOf(answer: HttpAnswer): number | undefined {
  const value = fieldOf(answer, "content-length");
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) {
    fail({
      expected: { en: "Content-Length is one number", ko: "Content-Length는 숫자 하나" },
      received: JSON.stringify(value),
    });
  }
  return Number(value);
}

/** Whether a response says that it is the last. */
export function saysClose(answer: HttpAnswer): boolean {
  const words = (fieldOf(answer, "connection") ?? "").toLowerCase().split(",");
  return words.some((word) => word.trim() === "close");
}
