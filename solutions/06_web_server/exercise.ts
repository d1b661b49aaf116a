/**
 * Lesson 6, solved: a web server on a TCP socket.
 *
 * Why it has this shape: HTTP/1.1 is a way to find the end of things in a stream, the end of a line, of
 * the headers, of a body. So everything that reads goes through one {@linkcode Incoming} per connection,
 * which keeps what came too early for whoever asks next. Everything in a request is a stranger's:
 * each length has a limit before it is believed, each wait has an end, and a path is judged by
 * where the file system says it leads, not by how it is spelt.
 *
 * @module
 */

import { STATUS_TEXT, type StatusCode } from "@std/http/status";

/** A request, as it was read. */
export interface HttpRequest {
  method: string;
  /** The second word of the request line, as it came. */
  target: string;
  /** `HTTP/1.1` or `HTTP/1.0`. */
  version: string;
  headers: Headers;
  body: Uint8Array;
}

/** A response, to be written. A body that is a string is sent as UTF-8. */
export interface HttpResponse {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

/** How much a request may take, in bytes. */
export interface Limits {
  requestLineBytes: number;
  /** All header lines together. */
  headerBytes: number;
  bodyBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  requestLineBytes: 8192,
  headerBytes: 16_384,
  bodyBytes: 1024 * 1024,
};

/** What a request deserves that cannot be served: 400, 408, 413, 414, 431, 501 or 505. */
export class HttpError extends Error {
  override name = "HttpError";
  constructor(readonly status: number, message?: string) {
    super(message);
  }
}

// --- bytes in ---

const LF = 0x0a;
const CR = 0x0d;
/** The buffer of a connection begins with so many bytes, and is given back when it has grown. */
const BUFFER_BYTES = 8 * 1024;

/** What has come on a connection and has not been used yet. */
class Incoming {
  readonly #conn: Deno.Conn;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #reading: Promise<number | null> | undefined;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Bytes that are here. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Waits for more bytes, at most until `deadline`; `false` at the end of the stream. */
  async more(deadline?: Deadline): Promise<boolean> {
    this.#reading ??= this.#conn.read(this.#room());
    // A read cannot be taken back. One that took too long goes on, and the next caller waits for it.
    const size = await (deadline ? deadline.limit(this.#reading) : this.#reading);
    this.#reading = undefined;
    this.#end += size ?? 0;
    return size !== null;
  }

  /** A place for the next bytes. It grows as bytes come: an announced length takes no memory. */
  #room(): Uint8Array {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end < this.#buffer.length) return this.#buffer.subarray(this.#end);
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    const isHalfFull = bytes.length > this.#buffer.length / 2;
    const next = isHalfFull ? new Uint8Array(this.#buffer.length * 2) : this.#buffer;
    next.set(bytes);
    this.#buffer = next;
    this.#end = bytes.length;
    this.#start = 0;
    return next.subarray(this.#end);
  }

  /** Where a line ends, counted from the first byte that is here; −1 if its LF has not come. */
  endOfLine(from: number): number {
    const at = this.#buffer.subarray(0, this.#end).indexOf(LF, this.#start + from);
    return at < 0 ? -1 : at - this.#start;
  }

  /** Takes a line that is here up to `end`, where its LF stands. The CR before it is dropped. */
  takeLine(end: number): string {
    const at = this.#start + end;
    const line = this.#buffer.subarray(this.#start, this.#buffer[at - 1] === CR ? at - 1 : at);
    this.#start = at + 1;
    // One character for each byte: header values may hold any (RFC 9110, section 5.5).
    let text = "";
    for (let i = 0; i < line.length; i++) text += String.fromCharCode(line[i]!);
    return text;
  }

  /** Takes `count` bytes that are here. They are the caller's. */
  take(count: number): Uint8Array {
    const bytes = this.#buffer.slice(this.#start, this.#start + count);
    this.#start += count;
    if (this.size === 0 && this.#buffer.length > BUFFER_BYTES) {
      this.#buffer = new Uint8Array(BUFFER_BYTES);
      this.#start = this.#end = 0;
    }
    return bytes;
  }

  /** Throws away what is here. */
  drop(): void {
    this.#start = this.#end;
  }
}

/** What was read too far on a connection stays with it, for the next call. */
const incomings = new WeakMap<Deno.Conn, Incoming>();

function incomingOf(conn: Deno.Conn): Incoming {
  const incoming = incomings.get(conn) ?? new Incoming(conn);
  incomings.set(conn, incoming);
  return incoming;
}

/** A moment at which waiting ends. {@linkcode stop} it, or its timer goes on. */
class Deadline {
  readonly #late = Promise.withResolvers<never>();
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number) {
    // Nobody may be waiting when it rings.
    this.#late.promise.catch(() => {});
    this.#timer = setTimeout(() => this.#late.reject(new HttpError(408, "Too slow")), ms);
  }

  /** The same as `promise`, unless the time is over first. */
  limit<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#late.promise]);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

// --- task 1 ---

/**
 * Part A: shows a request as it came, to you and to the client.
 *
 * Reads until the empty line that ends the head, however the bytes are cut; prints the head, which is
 * UTF-8, with `console.log()`, answers it as `text/plain; charset=utf-8` with status 200, its
 * Content-Length and `Connection: close`, closes, and returns it: request line, header lines and the
 * empty line, each with its CRLF. If the client leaves before the empty line: closes, and returns what came.
 */
export async function dumpRequest(conn: Deno.Conn): Promise<string> {
  try {
    const { head, isWhole } = await readHead(conn);
    const body = new TextEncoder().encode(head);
    console.log(head);
    if (isWhole) {
      const headers = { "Content-Type": "text/plain; charset=utf-8" };
      await writeResponse(conn, { status: 200, headers, body }, { close: true });
    }
    return head;
  } finally {
    close(conn);
  }
}

/** Reads up to the empty line, or to the end of the stream. */
async function readHead(conn: Deno.Conn): Promise<{ head: string; isWhole: boolean }> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  const decoder = new TextDecoder();
  let head = "";
  // The classic mistake avoided: one read is not one request. The head has ended when its last line
  // is empty, in whichever read that comes.
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    head += decoder.decode(buffer.subarray(0, n), { stream: true });
    const end = /\r?\n\r?\n/.exec(head);
    if (end) return { head: head.slice(0, end.index + end[0].length), isWhole: true };
  }
  return { head, isWhole: false };
}

// --- task 2 ---

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Reads the next request of the connection, with a body of Content-Length bytes.
 *
 * - What came after the request is kept for the next call with the same `conn`.
 * - `null` if the peer ends, or is gone, between two requests; `Deno.errors.UnexpectedEof` if it ends
 *   in the middle of one.
 * - Lines end with CRLF, a bare LF is accepted; empty lines before the request line are skipped.
 * - `HttpError` 400: a request line that is not method, target and version with one space between
 *   them; a header line without a name, with a space before its colon, or folded (it begins with a
 *   space); control characters; HTTP/1.1 without exactly one Host, be it empty; a Content-Length
 *   that is not digits, or several that differ. 505: a version other than HTTP/1.0 and HTTP/1.1. 501: any
 *   Transfer-Encoding.
 * - `HttpError` 414, 431: the request line, the header lines are longer than the limit, as soon as
 *   that is clear. 413: the Content-Length is, before any of the body is read.
 * - With `Expect: 100-continue` it sends `HTTP/1.1 100 Continue` and an empty line before it reads
 *   the body.
 * - Repeated headers are joined, in their order. Memory is taken as bytes come, not as announced.
 * - The body is the caller's: what is read later does not change it.
 */
export async function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
): Promise<HttpRequest | null> {
  const incoming = incomingOf(conn);
  return await hasMore(incoming) ? await readStarted(conn, incoming, limits) : null;
}

/** Waits for the first byte of a request; `false` if the peer ends, or is gone, before. */
async function hasMore(incoming: Incoming, deadline?: Deadline): Promise<boolean> {
  try {
    return incoming.size > 0 || await incoming.more(deadline);
  } catch (error) {
    // A peer that breaks off between two requests has left, in its own way.
    if (isGone(error)) return false;
    throw error;
  }
}

/** Reads a request of which a byte is here. */
async function readStarted(
  conn: Deno.Conn,
  incoming: Incoming,
  limits: Limits,
  deadline?: Deadline,
): Promise<HttpRequest | null> {
  const budget = { left: limits.requestLineBytes, status: 414 };
  let line = "";
  // A client may end a body with a CRLF that is not part of it (RFC 9112, section 2.2).
  while (line === "") {
    if (incoming.size === 0 && !await hasMore(incoming, deadline)) return null;
    line = await readLine(incoming, budget, deadline);
  }
  const { method, target, version } = parseRequestLine(line);
  const headers = await readHeaders(incoming, limits, { version, deadline });
  const length = bodyLength(headers, limits);
  if (length > incoming.size && headers.get("Expect")?.toLowerCase() === "100-continue") {
    const sent = writeAll(conn, encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
    await (deadline ? deadline.limit(sent) : sent);
  }
  // The classic mistake avoided: the length counts bytes, and what comes after them is the next request.
  while (incoming.size < length) await moreOrEof(incoming, deadline);
  return { method, target, version, headers, body: incoming.take(length) };
}

async function moreOrEof(incoming: Incoming, deadline?: Deadline): Promise<void> {
  if (await incoming.more(deadline)) return;
  throw new Deno.errors.UnexpectedEof("The stream ended in the middle of a request");
}

/** Reads a line of at most as many bytes as the budget has left, its end included. */
async function readLine(
  incoming: Incoming,
  budget: { left: number; status: number },
  deadline?: Deadline,
): Promise<string> {
  for (let searched = 0;;) {
    const end = incoming.endOfLine(searched);
    const size = end < 0 ? incoming.size : end + 1;
    // The classic mistake avoided: whoever waits for the line's end before looking at its length
    // keeps whatever a stranger sends.
    if (size > budget.left) throw new HttpError(budget.status, "The head is too long");
    if (end >= 0) {
      budget.left -= size;
      const line = incoming.takeLine(end);
      // deno-lint-ignore no-control-regex
      if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) throw new HttpError(400, "A control character");
      return line;
    }
    searched = incoming.size;
    await moreOrEof(incoming, deadline);
  }
}

function parseRequestLine(line: string): { method: string; target: string; version: string } {
  const words = line.split(" ");
  const [method = "", target = "", version = ""] = words;
  const isVersion = /^HTTP\/\d\.\d$/.test(version);
  if (words.length !== 3 || !TOKEN.test(method) || !/^[!-~]+$/.test(target) || !isVersion) {
    throw new HttpError(400, `Not a request line: ${JSON.stringify(line.slice(0, 80))}`);
  }
  if (!["HTTP/1.0", "HTTP/1.1"].includes(version)) throw new HttpError(505, version);
  return { method, target, version };
}

/** Reads header lines up to the empty one. */
async function readHeaders(
  incoming: Incoming,
  limits: Limits,
  { version, deadline }: { version: string; deadline: Deadline | undefined },
): Promise<Headers> {
  const headers = new Headers();
  const budget = { left: limits.headerBytes, status: 431 };
  let hosts = 0;
  for (;;) {
    const line = await readLine(incoming, budget, deadline);
    if (line === "") break;
    // At the first colon: values have colons of their own, as in `Host: localhost:8080`.
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    // A space before the colon, or at the beginning of a folded line, makes the name no token. Two
    // servers that read such a line differently can be played off (RFC 9112, section 5.1).
    if (!TOKEN.test(name)) throw new HttpError(400, "Not a header line");
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (name.toLowerCase() === "host") hosts++;
    headers.append(name, value);
  }
  if (hosts > 1 || (hosts === 0 && version === "HTTP/1.1")) throw new HttpError(400, "No Host");
  return headers;
}

/** How many bytes of body the headers announce. */
function bodyLength(headers: Headers, limits: Limits): number {
  // Ignored, it would make the chunks of this body the next request (RFC 9112, section 11.2).
  if (headers.has("Transfer-Encoding")) throw new HttpError(501, "No transfer codings here");
  const announced = headers.get("Content-Length") ?? "0";
  const [first = "", ...others] = announced.split(",").map((value) => value.trim());
  // The classic mistake avoided: parseInt() would take "5abc" and "-1" and the first of two.
  if (!/^\d+$/.test(first) || others.some((other) => other !== first)) {
    throw new HttpError(400, "Not a Content-Length");
  }
  const length = Number(first);
  if (length > limits.bodyBytes) throw new HttpError(413, `A body of ${first} bytes`);
  return length;
}

// --- task 3 ---

const encoder = new TextEncoder();

/**
 * Writes a response, every byte of it; the connection stays open.
 *
 * - Status line with the words of `STATUS_TEXT` (`@std/http/status`), headers, empty line, body. All
 *   lines end with CRLF.
 * - `Content-Length` is always there, in bytes, also when it is 0; but not with 1xx, 204 and 304.
 * - No body with 204, with 304, and with `head` (the answer to HEAD, which has the Content-Length that
 *   the body would have).
 * - `close` adds `Connection: close`.
 * - A header name that is no token, or a value with CR, LF or NUL: `TypeError`, and nothing is written.
 */
export async function writeResponse(
  conn: Deno.Conn,
  { status, headers = {}, body = "" }: HttpResponse,
  { head = false, close = false }: { head?: boolean; close?: boolean } = {},
): Promise<void> {
  // The classic mistake avoided: "한글".length is 2, and 6 bytes are sent. Bytes first, then the length.
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const withBody = !head && mayHaveBody(status);
  const text = formatHead(status, headers, { length: bytes.length, close });
  await writeAll(conn, joined(text, withBody ? bytes : new Uint8Array()));
}

/** Whether a response of that status has a body at all (RFC 9112, section 6.3). */
function mayHaveBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

/** Status line, headers and empty line. */
function formatHead(
  status: number,
  headers: Record<string, string>,
  { length, close }: { length: number; close: boolean },
): string {
  let text = `HTTP/1.1 ${status} ${STATUS_TEXT[status as StatusCode] ?? ""}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    // The classic mistake avoided: a line end in a value would end the header, and what comes after it
    // would be a header, or a whole response, of whoever chose the value.
    // deno-lint-ignore no-control-regex
    if (!TOKEN.test(name) || /[\r\n\x00]/.test(value)) {
      throw new TypeError(`Not a header: ${JSON.stringify(`${name}: ${value}`)}`);
    }
    const isOurs = /^content-length$/i.test(name) || (close && /^connection$/i.test(name));
    if (!isOurs) text += `${name}: ${value}\r\n`;
  }
  if (mayHaveBody(status)) text += `Content-Length: ${length}\r\n`;
  if (close) text += "Connection: close\r\n";
  return `${text}\r\n`;
}

/** The bytes of both in one array: one write, one segment, instead of two. */
function joined(text: string, bytes: Uint8Array): Uint8Array {
  const head = encoder.encode(text);
  if (bytes.length === 0) return head;
  const all = new Uint8Array(head.length + bytes.length);
  all.set(head);
  all.set(bytes, head.length);
  return all;
}

/** Sends every byte: `write()` may take fewer than it is given (lesson 3). */
async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

// --- tasks 4, 5 and 6 ---

/** How a server treats its clients. */
export interface ServeOptions {
  /** {@linkcode DEFAULT_LIMITS} unless told otherwise. */
  limits?: Limits;
  /** So long a connection may be silent before a request, in milliseconds; 5000 unless told otherwise. */
  idleMs?: number;
  /**
   * So long a request may take from its first byte to its last, and a client may take nothing of its
   * response, in milliseconds; 10000 unless told otherwise.
   */
  requestMs?: number;
}

/** The same with nothing left open, and where the files are. */
interface Settings extends Required<ServeOptions> {
  /** The root as the file system names it, without symbolic links. */
  root: string;
}

/**
 * Part B: answers GET and HEAD with the files under `root`. Resolves when the listener is closed.
 *
 * Task 4
 * - Accepts for ever; clients are independent; what goes wrong with one harms nobody else (500).
 * - The path is the target up to `?`, percent-decoded once. One that ends in `/` means its
 *   `index.html`; a directory without the slash is redirected (301) or answered so.
 * - Content-Type by extension: .html, .txt, .css, .js (`text/…; charset=utf-8`), .json, .svg, .png,
 *   .jpg, .ico (image/x-icon), else application/octet-stream. Last-Modified; If-Modified-Since: 304.
 * - 404: not there; 400: bad percent-encoding, NUL; 405 with `Allow: GET, HEAD`: other methods that
 *   HTTP knows; 501: methods it does not. What `readRequest()` throws is answered with its status.
 * - Nothing outside of `root`, whatever the target says, and wherever symbolic links lead.
 * - No more of a file is sent than was announced, and it is closed whatever becomes of the response.
 * - `GET http://host/path` is `GET /path`.
 *
 * Task 5
 * - HTTP/1.1 connections stay open until the client says `Connection: close` (any case, in a list);
 *   HTTP/1.0 ones close unless it says `keep-alive`. Requests that came together are answered in order.
 * - The last response says `Connection: close`; so does the answer to a request that cannot be read.
 *
 * Task 6
 * - Silent for `idleMs` before a request: closed without a word. A request not whole after
 *   `requestMs`: 408, and closed. A client that takes nothing of its response for `requestMs`: closed.
 * - An error response arrives although the client still sends. No timer is left behind.
 */
export async function serveFiles(
  listener: Deno.Listener,
  root: string,
  { limits = DEFAULT_LIMITS, idleMs = 5_000, requestMs = 10_000 }: ServeOptions = {},
): Promise<void> {
  const settings = { limits, idleMs, requestMs, root: await Deno.realPath(root) };
  while (true) {
    let conn: Deno.Conn;
    try {
      conn = await listener.accept();
    } catch (error) {
      // The listener was closed: that is how a server is told to stop.
      if (error instanceof Deno.errors.BadResource) return;
      if (error instanceof Deno.errors.Interrupted) return;
      // A client left before it was accepted (lesson 2).
      if (isGone(error)) continue;
      throw error;
    }
    // Not awaited: the next client does not wait for this one. It never rejects.
    serveClient(conn, settings);
  }
}

/** Serves one connection to its end. Whatever happens ends here. */
async function serveClient(conn: Deno.Conn, settings: Settings): Promise<void> {
  try {
    const incoming = incomingOf(conn);
    // One after another: the answers have to come in the order of the requests (RFC 9112, section 9.3.2).
    while (await serveNext(conn, incoming, settings));
  } catch (error) {
    if (!isGone(error)) console.error(`A client failed: ${error}`);
  } finally {
    close(conn);
  }
}

/** Answers the next request. `false`: it was the last. */
async function serveNext(
  conn: Deno.Conn,
  incoming: Incoming,
  settings: Settings,
): Promise<boolean> {
  if (!await isAwake(incoming, settings.idleMs)) return false;
  const stays = await answerNext(conn, incoming, settings);
  if (!stays) await linger(conn, incoming);
  return stays;
}

/** Waits for the next request to begin; `false` if the client leaves, or stays silent for too long. */
async function isAwake(incoming: Incoming, idleMs: number): Promise<boolean> {
  if (incoming.size > 0) return true;
  const deadline = new Deadline(idleMs);
  try {
    return await hasMore(incoming, deadline);
  } catch (error) {
    // Nothing was asked, so nothing is answered: a 408 could be taken for the answer to a request
    // that is on its way.
    if (error instanceof HttpError) return false;
    throw error;
  } finally {
    deadline.stop();
  }
}

/** Reads and answers one request. Returns whether the connection stays open. */
async function answerNext(
  conn: Deno.Conn,
  incoming: Incoming,
  settings: Settings,
): Promise<boolean> {
  const out = new Outgoing(conn, settings.requestMs);
  // The classic mistake avoided: one deadline for the whole request. One for each read would let a
  // client that sends a byte now and then stay for ever.
  const deadline = new Deadline(settings.requestMs);
  let request: HttpRequest | null;
  try {
    request = await readStarted(conn, incoming, settings.limits, deadline);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    // Where the next request would begin is not known any more: this response is the last.
    await out.respond({ status: error.status }, { close: true });
    return false;
  } finally {
    deadline.stop();
  }
  if (!request) return false;
  const stays = wantsMore(request);
  try {
    await answer(request, out, { close: !stays, root: settings.root });
  } catch (error) {
    // In the middle of a response there is no other way to say it than to break off.
    if (out.hasBegun || isGone(error)) throw error;
    console.error(`${request.method} ${request.target} failed: ${error}`);
    await out.respond({ status: 500 }, { close: true });
    return false;
  }
  return stays;
}

/** Whether the client may send another request on this connection (RFC 9112, section 9.3). */
function wantsMore({ version, headers }: HttpRequest): boolean {
  const words = (headers.get("Connection") ?? "").toLowerCase().split(",").map((w) => w.trim());
  if (words.includes("close")) return false;
  return version === "HTTP/1.1" || words.includes("keep-alive");
}

/** After the last response, so long and so much is still read and thrown away. */
const LINGER_MS = 500;
const LINGER_BYTES = 256 * 1024;

/**
 * Ends a connection whose client may still be sending.
 *
 * The classic mistake avoided: close() with unread bytes makes the kernel send a reset (RFC 2525,
 * section 2.17), and a reset may destroy the response before the client has read it. So: say that
 * we are done, and take what comes until the client has seen it.
 */
async function linger(conn: Deno.Conn, incoming: Incoming): Promise<void> {
  const deadline = new Deadline(LINGER_MS);
  try {
    await conn.closeWrite();
    let dropped = incoming.size;
    incoming.drop();
    while (dropped <= LINGER_BYTES && await incoming.more(deadline)) {
      dropped += incoming.size;
      incoming.drop();
    }
  } catch {
    // Late, or gone: either way it is over.
  } finally {
    deadline.stop();
  }
}

const TEXT = { "Content-Type": "text/plain; charset=utf-8" };

/** The way to a client that may take nothing of what it is sent. */
class Outgoing {
  readonly #conn: Deno.Conn;
  readonly #patienceMs: number;
  /** Something of a response was sent. */
  hasBegun = false;

  constructor(conn: Deno.Conn, patienceMs: number) {
    this.#conn = conn;
    this.#patienceMs = patienceMs;
  }

  /** Sends a short response, whose body is its status in words. */
  async respond(
    { status, headers = {} }: { status: number; headers?: Record<string, string> },
    options: { head?: boolean; close: boolean },
  ): Promise<void> {
    const words = STATUS_TEXT[status as StatusCode];
    const response = mayHaveBody(status)
      ? { status, headers: { ...TEXT, ...headers }, body: `${status} ${words}\n` }
      : { status, headers };
    await this.#inTime(() => writeResponse(this.#conn, response, options));
  }

  /** Sends all of `bytes`. The client has to take something of them in time, not everything. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#inTime(() => this.#conn.write(bytes.subarray(sent)));
    }
  }

  async #inTime<T>(write: () => Promise<T>): Promise<T> {
    this.hasBegun = true;
    // A write that waits ends only with its connection.
    const timer = setTimeout(() => close(this.#conn), this.#patienceMs);
    try {
      return await write();
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Methods that HTTP knows and this server does not (RFC 9110, section 9; RFC 5789). */
const OTHER_METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];

async function answer(
  request: HttpRequest,
  out: Outgoing,
  { close, root }: { close: boolean; root: string },
): Promise<void> {
  const { method, version, headers } = request;
  const head = method === "HEAD";
  // HTTP/1.0 has to be told that its wish was heard.
  const keeps = version === "HTTP/1.0" && !close;
  const connection: Record<string, string> = keeps ? { Connection: "keep-alive" } : {};
  const say = (status: number, more: Record<string, string> = {}) =>
    out.respond({ status, headers: { ...connection, ...more } }, { head, close });

  if (!head && method !== "GET") {
    const isKnown = OTHER_METHODS.includes(method);
    return await (isKnown ? say(405, { Allow: "GET, HEAD" }) : say(501));
  }
  const path = pathOf(request.target);
  if (path === undefined) return await say(400);
  const found = await find(root, path);
  if (!found) return await say(404);
  if (found.isDirectory) {
    const location = `${path.split("/").map(encodeURIComponent).join("/")}/`;
    return await say(301, { Location: location });
  }
  const fresh: Record<string, string> = {
    ...connection,
    ...(found.mtime && { "Last-Modified": found.mtime.toUTCString() }),
  };
  if (isUnchanged(headers, found.mtime)) return await say(304, fresh);
  fresh["Content-Type"] = typeOf(found.path);
  const options = { head, close, headers: fresh };
  if (found.size <= PIECE_BYTES) await sendWhole(out, found.path, options);
  else await sendInPieces(out, found.path, options);
}

/** The path that a target asks for, decoded, with one slash at its beginning. Nothing: a bad request. */
function pathOf(target: string): string | undefined {
  // A client that takes us for a proxy names the host as well (RFC 9112, section 3.2.2).
  const origin = target.replace(/^https?:\/\/[^/?]*/i, "");
  const [encoded = ""] = origin.split("?");
  if (!encoded.startsWith("/") && origin === target) return undefined;
  try {
    // Once: `%2561` is the name `%61`, and no a.
    const path = decodeURIComponent(encoded);
    // Two slashes at the beginning would be a host in the Location of a redirect.
    return path.includes("\0") ? undefined : path.replace(/^\/*/, "/");
  } catch {
    return undefined;
  }
}

/** A file or folder under the root. */
interface Found {
  path: string;
  size: number;
  mtime: Date | null;
  isDirectory: boolean;
}

/** Finds what `path` names under `root`, or nothing. */
async function find(root: string, path: string): Promise<Found | undefined> {
  try {
    const wanted = path.endsWith("/") ? `${path}index.html` : path;
    // The classic mistake avoided: `..`, its encodings and links have many spellings, but what they
    // lead to has one name, and only that is judged. The separator is part of the test, or
    // /srv/site-secret would lie in /srv/site.
    const real = await Deno.realPath(root + wanted);
    const fence = root.endsWith(SEPARATOR) ? root : root + SEPARATOR;
    if (real !== root && !real.startsWith(fence)) return undefined;
    const { isFile, isDirectory, size, mtime } = await Deno.stat(real);
    // Whoever opens a pipe waits for its writer.
    if (!isFile && !isDirectory) return undefined;
    if (isDirectory && path.endsWith("/")) return undefined;
    return { path: real, size, mtime, isDirectory };
  } catch (error) {
    // Anything else, a permission for example, is the server's fault, and a 500.
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Nothing has that name: it is not there, a file stands where a folder should, links run in a circle. */
function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.FilesystemLoop ||
    // A name that is too long for any file has no class of its own.
    (error instanceof Error && "code" in error && error.code === "ENAMETOOLONG");
}

const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";

/** Whether the client has this version of the file (RFC 9110, section 13.1.3). */
function isUnchanged(headers: Headers, mtime: Date | null): boolean {
  const since = Date.parse(headers.get("If-Modified-Since") ?? "");
  if (Number.isNaN(since) || !mtime || headers.has("If-None-Match")) return false;
  // The classic mistake avoided: the date was sent without the file's milliseconds.
  return Math.floor(mtime.getTime() / 1000) * 1000 <= since;
}

/** A Map has these keys and no other; an object would have a `constructor`, too. */
const TYPES = new Map([
  ["html", "text/html; charset=utf-8"],
  ["txt", "text/plain; charset=utf-8"],
  ["css", "text/css; charset=utf-8"],
  ["js", "text/javascript; charset=utf-8"],
  ["json", "application/json"],
  ["svg", "image/svg+xml"],
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["ico", "image/x-icon"],
]);

function typeOf(path: string): string {
  const extension = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  return TYPES.get(extension) ?? "application/octet-stream";
}

/** Longer files are read and sent in pieces of this size, so that memory does not depend on their length. */
const PIECE_BYTES = 64 * 1024;

/** How a file is sent. */
interface SendOptions {
  head: boolean;
  close: boolean;
  headers: Record<string, string>;
}

/** Sends a small file. Its length is that of the bytes that were read, whatever it was before. */
async function sendWhole(
  out: Outgoing,
  path: string,
  { head, close, headers }: SendOptions,
): Promise<void> {
  const bytes = await Deno.readFile(path);
  const text = formatHead(200, headers, { length: bytes.length, close });
  await out.send(joined(text, head ? new Uint8Array() : bytes));
}

async function sendInPieces(
  out: Outgoing,
  path: string,
  { head, close, headers }: SendOptions,
): Promise<void> {
  using file = await Deno.open(path);
  // The size of the file that is open, whatever the name has come to mean.
  const { size } = await file.stat();
  const text = formatHead(200, headers, { length: size, close });
  await out.send(encoder.encode(text));
  if (head) return;
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let left = size; left > 0;) {
    // No more than was announced: the file may have grown.
    const n = await file.read(buffer.subarray(0, Math.min(left, PIECE_BYTES)));
    // It has become shorter. The length is announced; breaking off is the only way to tell.
    if (n === null) throw new Error(`"${path}" ended ${left} bytes early`);
    await out.send(buffer.subarray(0, n));
    left -= n;
  }
}

// --- what they share ---

/** The peer is not there any more, or the connection was closed from our side. */
function isGone(error: unknown): boolean {
  return [
    Deno.errors.ConnectionReset,
    Deno.errors.ConnectionAborted,
    Deno.errors.BrokenPipe,
    Deno.errors.NotConnected,
    Deno.errors.UnexpectedEof,
    Deno.errors.BadResource,
    Deno.errors.Interrupted,
  ].some((gone) => error instanceof gone);
}

/** Closes a connection that may be closed already. */
function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // BadResource: that is what was wanted.
  }
}

// Run as a program, this file serves the folder that is named, or the one it is run in.
if (import.meta.main) {
  const root = Deno.args[0] ?? ".";
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 8080 });
  console.log(`http://127.0.0.1:8080 serves ${root}`);
  await serveFiles(listener, root);
}
