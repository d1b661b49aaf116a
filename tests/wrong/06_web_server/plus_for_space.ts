// Fails task 4: plus-for-space — decodes a path as if it were a form.

import { STATUS_TEXT, type StatusCode } from "@std/http/status";

export interface HttpRequest {
  method: string;
  target: string;
  version: string;
  headers: Headers;
  body: Uint8Array;
}

export interface HttpResponse {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

export interface Limits {
  requestLineBytes: number;
  headerBytes: number;
  bodyBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  requestLineBytes: 8192,
  headerBytes: 16_384,
  bodyBytes: 1024 * 1024,
};

export class HttpError extends Error {
  override name = "HttpError";
  constructor(readonly status: number, message?: string) {
    super(message);
  }
}

const LF = 0x0a;
const CR = 0x0d;
const BUFFER_BYTES = 8 * 1024;

class Incoming {
  readonly #conn: Deno.Conn;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #reading: Promise<number | null> | undefined;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  get size(): number {
    return this.#end - this.#start;
  }

  async more(deadline?: Deadline): Promise<boolean> {
    this.#reading ??= this.#conn.read(this.#room());
    const size = await (deadline ? deadline.limit(this.#reading) : this.#reading);
    this.#reading = undefined;
    this.#end += size ?? 0;
    return size !== null;
  }

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

  endOfLine(from: number): number {
    const at = this.#buffer.subarray(0, this.#end).indexOf(LF, this.#start + from);
    return at < 0 ? -1 : at - this.#start;
  }

  takeLine(end: number): string {
    const at = this.#start + end;
    const line = this.#buffer.subarray(this.#start, this.#buffer[at - 1] === CR ? at - 1 : at);
    this.#start = at + 1;
    let text = "";
    for (let i = 0; i < line.length; i++) text += String.fromCharCode(line[i]!);
    return text;
  }

  take(count: number): Uint8Array {
    const bytes = this.#buffer.slice(this.#start, this.#start + count);
    this.#start += count;
    if (this.size === 0 && this.#buffer.length > BUFFER_BYTES) {
      this.#buffer = new Uint8Array(BUFFER_BYTES);
      this.#start = this.#end = 0;
    }
    return bytes;
  }

  drop(): void {
    this.#start = this.#end;
  }
}

const incomings = new WeakMap<Deno.Conn, Incoming>();

function incomingOf(conn: Deno.Conn): Incoming {
  const incoming = incomings.get(conn) ?? new Incoming(conn);
  incomings.set(conn, incoming);
  return incoming;
}

class Deadline {
  readonly #late = Promise.withResolvers<never>();
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number) {
    this.#late.promise.catch(() => {});
    this.#timer = setTimeout(() => this.#late.reject(new HttpError(408, "Too slow")), ms);
  }

  limit<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#late.promise]);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

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

async function readHead(conn: Deno.Conn): Promise<{ head: string; isWhole: boolean }> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  const decoder = new TextDecoder();
  let head = "";
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    head += decoder.decode(buffer.subarray(0, n), { stream: true });
    const end = /\r?\n\r?\n/.exec(head);
    if (end) return { head: head.slice(0, end.index + end[0].length), isWhole: true };
  }
  return { head, isWhole: false };
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export async function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
): Promise<HttpRequest | null> {
  const incoming = incomingOf(conn);
  return await hasMore(incoming) ? await readStarted(conn, incoming, limits) : null;
}

async function hasMore(incoming: Incoming, deadline?: Deadline): Promise<boolean> {
  try {
    return incoming.size > 0 || await incoming.more(deadline);
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

async function readStarted(
  conn: Deno.Conn,
  incoming: Incoming,
  limits: Limits,
  deadline?: Deadline,
): Promise<HttpRequest | null> {
  const budget = { left: limits.requestLineBytes, status: 414 };
  let line = "";
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
  while (incoming.size < length) await moreOrEof(incoming, deadline);
  return { method, target, version, headers, body: incoming.take(length) };
}

async function moreOrEof(incoming: Incoming, deadline?: Deadline): Promise<void> {
  if (await incoming.more(deadline)) return;
  throw new Deno.errors.UnexpectedEof("The stream ended in the middle of a request");
}

async function readLine(
  incoming: Incoming,
  budget: { left: number; status: number },
  deadline?: Deadline,
): Promise<string> {
  for (let searched = 0;;) {
    const end = incoming.endOfLine(searched);
    const size = end < 0 ? incoming.size : end + 1;
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
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!TOKEN.test(name)) throw new HttpError(400, "Not a header line");
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (name.toLowerCase() === "host") hosts++;
    headers.append(name, value);
  }
  if (hosts > 1 || (hosts === 0 && version === "HTTP/1.1")) throw new HttpError(400, "No Host");
  return headers;
}

function bodyLength(headers: Headers, limits: Limits): number {
  if (headers.has("Transfer-Encoding")) throw new HttpError(501, "No transfer codings here");
  const announced = headers.get("Content-Length") ?? "0";
  const [first = "", ...others] = announced.split(",").map((value) => value.trim());
  if (!/^\d+$/.test(first) || others.some((other) => other !== first)) {
    throw new HttpError(400, "Not a Content-Length");
  }
  const length = Number(first);
  if (length > limits.bodyBytes) throw new HttpError(413, `A body of ${first} bytes`);
  return length;
}

const encoder = new TextEncoder();

export async function writeResponse(
  conn: Deno.Conn,
  { status, headers = {}, body = "" }: HttpResponse,
  { head = false, close = false }: { head?: boolean; close?: boolean } = {},
): Promise<void> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const withBody = !head && mayHaveBody(status);
  const text = formatHead(status, headers, { length: bytes.length, close });
  await writeAll(conn, joined(text, withBody ? bytes : new Uint8Array()));
}

function mayHaveBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

function formatHead(
  status: number,
  headers: Record<string, string>,
  { length, close }: { length: number; close: boolean },
): string {
  let text = `HTTP/1.1 ${status} ${STATUS_TEXT[status as StatusCode] ?? ""}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
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

function joined(text: string, bytes: Uint8Array): Uint8Array {
  const head = encoder.encode(text);
  if (bytes.length === 0) return head;
  const all = new Uint8Array(head.length + bytes.length);
  all.set(head);
  all.set(bytes, head.length);
  return all;
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

export interface ServeOptions {
  limits?: Limits;
  idleMs?: number;
  requestMs?: number;
}

interface Settings extends Required<ServeOptions> {
  root: string;
}

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
      if (error instanceof Deno.errors.BadResource) return;
      if (error instanceof Deno.errors.Interrupted) return;
      if (isGone(error)) continue;
      throw error;
    }
    serveClient(conn, settings);
  }
}

async function serveClient(conn: Deno.Conn, settings: Settings): Promise<void> {
  try {
    const incoming = incomingOf(conn);
    while (await serveNext(conn, incoming, settings));
  } catch (error) {
    if (!isGone(error)) console.error(`A client failed: ${error}`);
  } finally {
    close(conn);
  }
}

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

async function isAwake(incoming: Incoming, idleMs: number): Promise<boolean> {
  if (incoming.size > 0) return true;
  const deadline = new Deadline(idleMs);
  try {
    return await hasMore(incoming, deadline);
  } catch (error) {
    if (error instanceof HttpError) return false;
    throw error;
  } finally {
    deadline.stop();
  }
}

async function answerNext(
  conn: Deno.Conn,
  incoming: Incoming,
  settings: Settings,
): Promise<boolean> {
  const out = new Outgoing(conn, settings.requestMs);
  const deadline = new Deadline(settings.requestMs);
  let request: HttpRequest | null;
  try {
    request = await readStarted(conn, incoming, settings.limits, deadline);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
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
    if (out.hasBegun || isGone(error)) throw error;
    console.error(`${request.method} ${request.target} failed: ${error}`);
    await out.respond({ status: 500 }, { close: true });
    return false;
  }
  return stays;
}

function wantsMore({ version, headers }: HttpRequest): boolean {
  const words = (headers.get("Connection") ?? "").toLowerCase().split(",").map((w) => w.trim());
  if (words.includes("close")) return false;
  return version === "HTTP/1.1" || words.includes("keep-alive");
}

const LINGER_MS = 500;
const LINGER_BYTES = 256 * 1024;

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
    // it is over
  } finally {
    deadline.stop();
  }
}

const TEXT = { "Content-Type": "text/plain; charset=utf-8" };

class Outgoing {
  readonly #conn: Deno.Conn;
  readonly #patienceMs: number;
  hasBegun = false;

  constructor(conn: Deno.Conn, patienceMs: number) {
    this.#conn = conn;
    this.#patienceMs = patienceMs;
  }

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

  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#inTime(() => this.#conn.write(bytes.subarray(sent)));
    }
  }

  async #inTime<T>(write: () => Promise<T>): Promise<T> {
    this.hasBegun = true;
    const timer = setTimeout(() => close(this.#conn), this.#patienceMs);
    try {
      return await write();
    } finally {
      clearTimeout(timer);
    }
  }
}

const OTHER_METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];

async function answer(
  request: HttpRequest,
  out: Outgoing,
  { close, root }: { close: boolean; root: string },
): Promise<void> {
  const { method, version, headers } = request;
  const head = method === "HEAD";
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

function pathOf(target: string): string | undefined {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, "");
  const [encoded = ""] = origin.split("?");
  if (!encoded.startsWith("/") && origin === target) return undefined;
  try {
    const path = decodeURIComponent(encoded.replaceAll("+", " "));
    return path.includes("\0") ? undefined : path.replace(/^\/*/, "/");
  } catch {
    return undefined;
  }
}

interface Found {
  path: string;
  size: number;
  mtime: Date | null;
  isDirectory: boolean;
}

async function find(root: string, path: string): Promise<Found | undefined> {
  try {
    const wanted = path.endsWith("/") ? `${path}index.html` : path;
    const real = await Deno.realPath(root + wanted);
    const fence = root.endsWith(SEPARATOR) ? root : root + SEPARATOR;
    if (real !== root && !real.startsWith(fence)) return undefined;
    const { isFile, isDirectory, size, mtime } = await Deno.stat(real);
    if (!isFile && !isDirectory) return undefined;
    if (isDirectory && path.endsWith("/")) return undefined;
    return { path: real, size, mtime, isDirectory };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.FilesystemLoop ||
    (error instanceof Error && "code" in error && error.code === "ENAMETOOLONG");
}

const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";

function isUnchanged(headers: Headers, mtime: Date | null): boolean {
  const since = Date.parse(headers.get("If-Modified-Since") ?? "");
  if (Number.isNaN(since) || !mtime || headers.has("If-None-Match")) return false;
  return Math.floor(mtime.getTime() / 1000) * 1000 <= since;
}

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  txt: "text/plain; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml",
  png: "image/png",
  jpg: "image/jpeg",
  ico: "image/x-icon",
};

function typeOf(path: string): string {
  const extension = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  return TYPES[extension] ?? "application/octet-stream";
}

const PIECE_BYTES = 64 * 1024;

interface SendOptions {
  head: boolean;
  close: boolean;
  headers: Record<string, string>;
}

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
  const { size } = await file.stat();
  const text = formatHead(200, headers, { length: size, close });
  await out.send(encoder.encode(text));
  if (head) return;
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let left = size; left > 0;) {
    const n = await file.read(buffer.subarray(0, Math.min(left, PIECE_BYTES)));
    if (n === null) throw new Error(`"${path}" ended ${left} bytes early`);
    await out.send(buffer.subarray(0, n));
    left -= n;
  }
}

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

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // already closed
  }
}
