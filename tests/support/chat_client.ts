/**
 * A client of lesson 7's chat that does what a test tells it: it says lines or parts of them, and reads a line only
 * when asked to.
 *
 * @module
 */

import type { Text } from "../../workbook/text.ts";
import { bytes } from "./bytes.ts";
import { fail } from "./failure.ts";
import type { Endpoint } from "./learner.ts";
import type { TestContext } from "./run.ts";
import { bytesAsTheyAre, showAddr } from "./transcript.ts";

/** The mistake that a line shows; undefined stands for a line that never comes. */
export type MistakeOf = string | ((received: string | undefined) => string | undefined);

/** What a client waits for. */
export interface Waiting {
  mistake?: MistakeOf | undefined;
  /** Lines that the test does not look at. */
  skip?: RegExp;
}

/** So much is read at a time: little at first, since most clients get little, and more where reads fill it. */
const FIRST_CHUNK_BYTES = 2 * 1024;
const CHUNK_BYTES = 256 * 1024;
const SHOWN_CHARS = 60;
const LF = 10;

/** A line as a person reads it. */
export function showLine(line: string): string {
  return line.length > SHOWN_CHARS
    ? `${JSON.stringify(line.slice(0, SHOWN_CHARS)).slice(0, -1)}…" (${line.length} characters)`
    : JSON.stringify(line);
}

/** One client. */
export class ChatClient {
  readonly #context: TestContext;
  readonly #conn: Deno.TcpConn;
  readonly label: string;
  /** What was read and not yet given. */
  #rest: Uint8Array = new Uint8Array(0);
  #chunk = new Uint8Array(0);

  private constructor(context: TestContext, label: string, conn: Deno.TcpConn) {
    this.#context = context;
    this.label = label;
    this.#conn = conn;
    // Two small lines one after the other go one after the other, without the 40 ms of a delayed acknowledgement.
    conn.setNoDelay();
    context.peers.track(conn);
  }

  /** Connects to the learner's server. */
  static async connect(context: TestContext, to: Endpoint, label: string): Promise<ChatClient> {
    const where = showAddr({ transport: "tcp", ...to });
    context.peers.note("connect", `${label} → ${where}`);
    const conn = await context.step(
      { en: `client ${label} can connect`, ko: `클라이언트 ${label} 쪽에서 연결할 수 있음` },
      () => Deno.connect({ hostname: to.hostname, port: to.port }),
    );
    return new ChatClient(context, label, conn);
  }

  get localAddr(): Deno.NetAddr {
    return this.#conn.localAddr;
  }

  /** Sends one line. */
  async say(line: string): Promise<void> {
    await this.send(bytes(`${line}\n`));
  }

  /** Sends bytes, all of them. */
  async send(data: Uint8Array): Promise<void> {
    this.#note("send", data);
    for (let done = 0; done < data.length;) done += await this.#conn.write(data.subarray(done));
  }

  /** The next line without its LF, or null at the end of the stream. What has no LF at the end is a line, too. */
  async line(): Promise<string | null> {
    let end = this.#rest.indexOf(LF);
    while (end < 0) {
      const more = await this.#read();
      if (!more) break;
      end = this.#rest.indexOf(LF);
    }
    if (end < 0 && this.#rest.length === 0) {
      this.#context.peers.note("receive", `${this.label}: end of file`);
      return null;
    }
    const line = this.#rest.subarray(0, end < 0 ? undefined : end);
    this.#note("receive", line);
    this.#rest = end < 0 ? new Uint8Array(0) : this.#rest.subarray(end + 1);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(line);
  }

  #note(event: string, data: Uint8Array): void {
    const shown = bytesAsTheyAre(data);
    this.#context.peers.note(event, () => `${this.label}: ${shown()}`);
  }

  async #read(): Promise<boolean> {
    if (this.#chunk.length === 0) this.#chunk = new Uint8Array(FIRST_CHUNK_BYTES);
    // Whether a reset or an end of file comes is for the kernel to say: both are the end of what was said.
    const size = await this.#conn.read(this.#chunk).catch(() => null);
    if (size === null) return false;
    const rest = new Uint8Array(this.#rest.length + size);
    rest.set(this.#rest);
    rest.set(this.#chunk.subarray(0, size), this.#rest.length);
    this.#rest = rest;
    if (size === this.#chunk.length && size < CHUNK_BYTES) {
      this.#chunk = new Uint8Array(Math.min(4 * size, CHUNK_BYTES));
    }
    return true;
  }

  /** The next line that `skip` does not match, which has to be `expected`. */
  async expect(expected: string | RegExp, { mistake, skip }: Waiting = {}): Promise<string> {
    const shown = typeof expected === "string" ? showLine(expected) : showPattern(expected);
    const wanted: Text = {
      en: `client ${this.label} gets ${shown}`,
      ko: `클라이언트 ${this.label} 쪽에 ${shown} 도착`,
    };
    const mistakeOf = (received?: string) =>
      typeof mistake === "function" ? mistake(received) : mistake;
    return await this.#context.step(wanted, async () => {
      for (;;) {
        const line = await this.line();
        if (line !== null && skip?.test(line)) continue;
        const fits = line !== null &&
          (typeof expected === "string" ? line === expected : expected.test(line));
        if (fits) return line;
        fail({
          expected: wanted,
          received: line === null
            ? { en: "the connection was closed", ko: "연결이 닫혔습니다" }
            : showLine(line),
          mistake: mistakeOf(line ?? undefined),
        });
      }
    }, mistakeOf());
  }

  /** Does something that may take until the deadline; then `mistake` is what it looks like. */
  during<T>(expected: Text, mistake: string, run: () => Promise<T>): Promise<T> {
    return this.#context.step(expected, run, mistake);
  }

  /** Waits for the end of the stream. A line ends the test. */
  async expectEnd({ mistake, skip }: Waiting = {}): Promise<void> {
    const wanted: Text = {
      en: `the connection of client ${this.label} is closed`,
      ko: `클라이언트 ${this.label} 의 연결이 닫힘`,
    };
    const mistakeOf = (received?: string) =>
      typeof mistake === "function" ? mistake(received) : mistake;
    await this.#context.step(wanted, async () => {
      for (;;) {
        const line = await this.line();
        if (line === null) return;
        if (skip?.test(line)) continue;
        fail({ expected: wanted, received: showLine(line), mistake: mistakeOf(line) });
      }
    }, mistakeOf());
  }

  /** Ends its own direction of the stream. */
  async closeWrite(): Promise<void> {
    this.#context.peers.note("closeWrite", this.label);
    await this.#conn.closeWrite();
  }

  /** Closes the connection. */
  close(): void {
    this.#context.peers.note("close", this.label);
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }
}

/** `"ERROR name-taken …"` for the pattern of a line whose last words are free. */
function showPattern({ source }: RegExp): string {
  return `"${source.replace(/^\^/, "").replace(/\(\?: \|\$\)$/, " …")}"`;
}

/** Matches `ERROR <code> <text>` or `BYE <code> <text>`, whatever the text. */
export function coded(word: "ERROR" | "BYE", code: string): RegExp {
  return new RegExp(`^${word} ${code}(?: |$)`);
}
