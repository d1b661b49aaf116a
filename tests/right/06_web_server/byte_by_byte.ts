// Valid: plain loops; the head is read one byte at a time, so that nothing is ever read too far.

import { STATUS_TEXT } from "@std/http/status";

export type HttpRequest = {
  method: string;
  target: string;
  version: string;
  headers: Headers;
  body: Uint8Array;
};
export type HttpResponse = {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
};
export type Limits = { requestLineBytes: number; headerBytes: number; bodyBytes: number };
export type ServeOptions = { limits?: Limits; idleMs?: number; requestMs?: number };

export const DEFAULT_LIMITS: Limits = {
  requestLineBytes: 8192,
  headerBytes: 16384,
  bodyBytes: 1048576,
};

export class HttpError extends Error {
  status: number;
  constructor(status: number, message = `HTTP ${status}`) {
    super(message);
    this.status = status;
  }
}

type Clock = { until: number; onTime: () => Error };

const never = new Promise<never>(() => {});

// Reads up to `size` bytes, but not after the clock has rung.
async function read(conn: Deno.Conn, size: number, clock?: Clock): Promise<Uint8Array | null> {
  const buffer = new Uint8Array(size);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let late: Promise<never> = never;
  if (clock) {
    late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(clock.onTime()), Math.max(0, clock.until - Date.now()));
    });
  }
  const reading = conn.read(buffer);
  reading.catch(() => {});
  try {
    const n = await Promise.race([reading, late]);
    return n === null ? null : buffer.subarray(0, n);
  } finally {
    clearTimeout(timer);
  }
}

async function send(conn: Deno.Conn, data: Uint8Array, patience?: number) {
  let done = 0;
  while (done < data.length) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (patience !== undefined) timer = setTimeout(() => conn.close(), patience);
    try {
      done += await conn.write(data.subarray(done, done + 32768));
    } finally {
      clearTimeout(timer);
    }
  }
}

export async function dumpRequest(conn: Deno.Conn): Promise<string> {
  const all: number[] = [];
  let dump = "";
  try {
    while (true) {
      const byte = await read(conn, 1);
      if (byte === null) break;
      all.push(byte[0]!);
      dump = new TextDecoder().decode(new Uint8Array(all));
      if (dump.endsWith("\r\n\r\n") || dump.endsWith("\n\n")) break;
    }
    for (const line of dump.split("\r\n")) console.log(line);
    if (dump.endsWith("\n\r\n") || dump.endsWith("\n\n")) {
      await writeResponse(conn, {
        status: 200,
        headers: { "content-type": "text/plain;charset=UTF-8", Connection: "close" },
        body: dump,
      });
    }
    return dump;
  } finally {
    conn.close();
  }
}

class Ended extends Error {}

// One line, as characters of one byte each; its end is not part of it.
async function readLine(
  conn: Deno.Conn,
  room: { bytes: number; status: number },
  clock: Clock | undefined,
  first?: number,
): Promise<string> {
  let line = "";
  let code = first;
  while (true) {
    if (code === undefined) {
      const byte = await read(conn, 1, clock);
      if (byte === null) throw new Ended();
      code = byte[0]!;
    }
    room.bytes--;
    if (room.bytes < 0) throw new HttpError(room.status);
    if (code === 10) break;
    line += String.fromCharCode(code);
    code = undefined;
  }
  if (line.endsWith("\r")) line = line.slice(0, -1);
  for (let i = 0; i < line.length; i++) {
    const c = line.charCodeAt(i);
    if ((c < 32 && c !== 9) || c === 127) throw new HttpError(400, "control character");
  }
  return line;
}

function isToken(word: string): boolean {
  if (word === "") return false;
  for (const c of word) {
    if (!"!#$%&'*+-.^_`|~".includes(c) && !/[0-9a-z]/i.test(c)) return false;
  }
  return true;
}

export async function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
  idleMs = 0,
  requestMs = 0,
): Promise<HttpRequest | null> {
  const room = { bytes: limits.requestLineBytes, status: 414 };
  let clock: Clock | undefined;
  const idle = idleMs > 0
    ? { until: Date.now() + idleMs, onTime: () => new Deno.errors.TimedOut("idle") }
    : undefined;
  let line = "";
  while (line === "") {
    let byte: Uint8Array | null;
    try {
      byte = await read(conn, 1, clock ?? idle);
    } catch (e) {
      if (e instanceof Deno.errors.ConnectionReset) return null;
      throw e;
    }
    if (byte === null) return null;
    if (requestMs > 0 && !clock) {
      clock = { until: Date.now() + requestMs, onTime: () => new HttpError(408) };
    }
    try {
      line = await readLine(conn, room, clock, byte[0]);
    } catch (e) {
      throw e instanceof Ended ? new Deno.errors.UnexpectedEof("in the request line") : e;
    }
  }
  try {
    return await readRest(conn, line, limits, clock);
  } catch (e) {
    throw e instanceof Ended ? new Deno.errors.UnexpectedEof("in the request") : e;
  }
}

async function readRest(
  conn: Deno.Conn,
  line: string,
  limits: Limits,
  clock: Clock | undefined,
): Promise<HttpRequest> {
  const words = line.split(" ");
  if (words.length !== 3) throw new HttpError(400);
  const method = words[0]!;
  const target = words[1]!;
  const version = words[2]!;
  if (!isToken(method) || target === "") throw new HttpError(400);
  if (!version.match(/^HTTP\/[0-9]\.[0-9]$/)) throw new HttpError(400);
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") throw new HttpError(505);

  const headers = new Headers();
  let hosts = 0;
  let length = -1;
  let chunked = false;
  const room = { bytes: limits.headerBytes, status: 431 };
  while (true) {
    const field = await readLine(conn, room, clock);
    if (field === "") break;
    if (field[0] === " " || field[0] === "\t") throw new HttpError(400, "folded");
    const colon = field.indexOf(":");
    if (colon < 1) throw new HttpError(400);
    const name = field.slice(0, colon);
    if (!isToken(name)) throw new HttpError(400);
    let value = field.slice(colon + 1);
    while (value.startsWith(" ") || value.startsWith("\t")) value = value.slice(1);
    while (value.endsWith(" ") || value.endsWith("\t")) value = value.slice(0, -1);
    headers.append(name, value);
    const known = name.toLowerCase();
    if (known === "host") hosts++;
    if (known === "transfer-encoding") chunked = true;
    if (known === "content-length") {
      for (const c of value) if (c < "0" || c > "9") throw new HttpError(400);
      if (value === "" || (length >= 0 && length !== +value)) throw new HttpError(400);
      length = +value;
    }
  }
  if (hosts > 1 || (version === "HTTP/1.1" && hosts < 1)) throw new HttpError(400, "host");
  if (chunked) throw new HttpError(length >= 0 ? 400 : 501);
  if (length > limits.bodyBytes) throw new HttpError(413);
  if (length > 0 && (headers.get("expect") ?? "").toLowerCase() === "100-continue") {
    await send(conn, new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n"));
  }
  const parts: Uint8Array[] = [];
  for (let left = length; left > 0;) {
    const part = await read(conn, Math.min(left, 16384), clock);
    if (part === null) throw new Ended();
    parts.push(part);
    left -= part.length;
  }
  const body = new Uint8Array(Math.max(length, 0));
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return { method, target, version, headers, body };
}

export async function writeResponse(
  conn: Deno.Conn,
  response: HttpResponse,
  options: { head?: boolean; close?: boolean; patience?: number } = {},
): Promise<void> {
  const { status } = response;
  let body = new Uint8Array();
  if (typeof response.body === "string") body = new TextEncoder().encode(response.body);
  else if (response.body) body = new Uint8Array(response.body);
  const lines = [`HTTP/1.1 ${status} ${STATUS_TEXT[status as 200]}`, `Date: ${now()}`];
  for (const [name, value] of Object.entries(response.headers ?? {})) {
    if (!isToken(name)) throw new TypeError(`bad header name ${name}`);
    for (const c of "\r\n\0") {
      if (value.includes(c)) throw new TypeError(`bad header value ${value}`);
    }
    lines.push(`${name}: ${value}`);
  }
  const none = status < 200 || status === 204 || status === 304;
  if (!none) lines.push(`Content-Length: ${body.length}`);
  if (options.close) lines.push("Connection: close");
  // The head first, in a write of its own, then the body in another.
  await send(conn, new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"), options.patience);
  if (!none && !options.head) await send(conn, body, options.patience);
}

function now(): string {
  return new Date().toUTCString();
}

export async function serveFiles(
  listener: Deno.Listener,
  root: string,
  options: ServeOptions = {},
): Promise<void> {
  const top = await Deno.realPath(root);
  while (true) {
    let conn: Deno.Conn;
    try {
      conn = await listener.accept();
    } catch (e) {
      if (e instanceof Deno.errors.BadResource) break;
      continue;
    }
    talk(conn, top, options);
  }
}

async function talk(conn: Deno.Conn, top: string, options: ServeOptions) {
  const patience = options.requestMs ?? 10000;
  try {
    for (let goesOn = true; goesOn;) {
      let request: HttpRequest | null;
      try {
        request = await readRequest(
          conn,
          options.limits ?? DEFAULT_LIMITS,
          options.idleMs ?? 5000,
          patience,
        );
      } catch (e) {
        if (!(e instanceof HttpError)) return;
        await writeResponse(conn, { status: e.status }, { close: true, patience });
        return await drain(conn);
      }
      if (request === null) return;
      goesOn = request.version === "HTTP/1.1";
      for (const word of (request.headers.get("connection") ?? "").split(",")) {
        if (word.trim().toLowerCase() === "close") goesOn = false;
        if (word.trim().toLowerCase() === "keep-alive") goesOn = true;
      }
      let response: HttpResponse;
      try {
        response = await look(request, top);
      } catch {
        response = { status: 500 };
      }
      if (request.version === "HTTP/1.0" && goesOn) {
        response.headers = { ...response.headers, Connection: "keep-alive" };
      }
      const head = request.method === "HEAD";
      await writeResponse(conn, response, { head, close: !goesOn, patience });
    }
    await drain(conn);
  } catch {
    // The client is gone.
  } finally {
    try {
      conn.close();
    } catch {
      // Closed by a timer.
    }
  }
}

async function drain(conn: Deno.Conn) {
  await conn.closeWrite();
  const clock = { until: Date.now() + 400, onTime: () => new Error("enough") };
  while (await read(conn, 65536, clock) !== null);
}

const types = new Map([
  [".html", "text/html; charset=utf-8"],
  [".txt", "text/plain; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".json", "application/json"],
  [".svg", "image/svg+xml"],
  [".png", "image/png"],
  [".jpg", "image/jpeg"],
  [".ico", "image/x-icon"],
]);

async function look(request: HttpRequest, top: string): Promise<HttpResponse> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    // Every other method is answered alike.
    return { status: 405, headers: { Allow: "GET, HEAD" } };
  }
  let path = request.target;
  if (path.toLowerCase().startsWith("http://")) {
    const slash = path.indexOf("/", 7);
    path = slash < 0 ? "/" : path.slice(slash);
  }
  const question = path.indexOf("?");
  if (question >= 0) path = path.slice(0, question);
  try {
    path = decodeURIComponent(path);
  } catch {
    return { status: 400 };
  }
  if (path.includes("\0") || !path.startsWith("/")) return { status: 400 };
  const segments = path.split("/").filter((s) => s !== "" && s !== ".");
  if (segments.some((s) => s === ".." || s.includes("\\"))) return { status: 403, body: "No.\n" };
  let place = `${top}/${segments.join("/")}`;
  let real: string;
  let info: Deno.FileInfo;
  try {
    if ((await Deno.stat(place)).isDirectory) place += "/index.html";
    else if (path.endsWith("/")) return { status: 404 };
    real = await Deno.realPath(place);
    info = await Deno.stat(real);
  } catch {
    return { status: 404, body: "Not found\n" };
  }
  if (!real.startsWith(`${top}/`) || !info.isFile) return { status: 404 };
  const headers: Record<string, string> = { "Last-Modified": info.mtime!.toUTCString() };
  const since = new Date(request.headers.get("if-modified-since") ?? "").getTime();
  if (since >= new Date(info.mtime!.toUTCString()).getTime()) return { status: 304, headers };
  const dot = real.lastIndexOf(".");
  const type = dot > real.lastIndexOf("/") ? types.get(real.slice(dot)) : undefined;
  headers["Content-Type"] = type ?? "application/octet-stream";
  return { status: 200, headers, body: await Deno.readFile(real) };
}
