// Valid: an emitter that reads ahead all the time, up to a mark, Buffer and node:fs; a timeout around each promise.

import { EventEmitter, once } from "node:events";
import { Buffer } from "node:buffer";
import { promises as fs } from "node:fs";
import * as path from "node:path";
import { STATUS_TEXT } from "@std/http/status";

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

export interface ServeOptions {
  limits?: Limits;
  idleMs?: number;
  requestMs?: number;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;

class Inbox extends EventEmitter {
  data = Buffer.alloc(0);
  ended = false;
  error: unknown = null;
  mark = 65536;
  constructor(readonly conn: Deno.Conn) {
    super();
    this.pump();
  }
  async pump(): Promise<void> {
    const chunk = Buffer.alloc(65536);
    try {
      for (;;) {
        while (this.data.length >= this.mark) await once(this, "taken");
        const n = await this.conn.read(chunk);
        if (n === null) break;
        this.data = Buffer.concat([this.data, chunk.subarray(0, n)]);
        this.emit("change");
      }
    } catch (e) {
      this.error = e;
    }
    this.ended = true;
    this.emit("change");
  }
  take(n: number): Buffer {
    const b = this.data.subarray(0, n);
    this.data = this.data.subarray(n);
    this.emit("taken");
    return b;
  }
  async more(): Promise<boolean> {
    if (this.ended) return false;
    const length = this.data.length;
    if (length >= this.mark) {
      this.mark = length + 65536;
      this.emit("taken");
    }
    await once(this, "change");
    return this.data.length > length;
  }
  async line(max: number, status: number): Promise<string | null> {
    let i;
    while ((i = this.data.indexOf("\n")) < 0) {
      if (this.data.length > max + 1) throw new HttpError(status);
      if (await this.more()) continue;
      if (this.data.length === 0) return null;
      throw new Deno.errors.UnexpectedEof();
    }
    let s = this.take(i + 1).toString("latin1").slice(0, -1);
    if (s.endsWith("\r")) s = s.slice(0, -1);
    if (s.length > max) throw new HttpError(status);
    for (let j = 0; j < s.length; j++) {
      const c = s.charCodeAt(j);
      if (c === 127 || c < 32 && c !== 9) throw new HttpError(400);
    }
    return s;
  }
}
const inboxes = new WeakMap<Deno.Conn, Inbox>();
const inbox = (conn: Deno.Conn) => {
  if (!inboxes.has(conn)) inboxes.set(conn, new Inbox(conn));
  return inboxes.get(conn)!;
};
async function write(conn: Deno.Conn, bytes: Uint8Array) {
  let n = 0;
  do n += bytes.length ? await conn.write(bytes.subarray(n)) : 0; while (n < bytes.length);
}

export async function dumpRequest(conn: Deno.Conn): Promise<string> {
  const box = inbox(conn);
  let end;
  while ((end = box.data.indexOf("\r\n\r\n")) < 0) {
    if (!await box.more()) break;
  }
  const text = box.data.subarray(0, end < 0 ? undefined : end + 4).toString("utf8");
  if (end >= 0) {
    console.log(text);
    await writeResponse(conn, {
      status: 200,
      headers: { "Content-Type": "text/plain; charset=utf-8" },
      body: text,
    }, { close: true });
  }
  conn.close();
  return text;
}

export async function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
): Promise<HttpRequest | null> {
  const box = inbox(conn);
  let start: string | null = "";
  while (start === "") start = await box.line(limits.requestLineBytes, 414);
  if (start === null) return null;
  const m = /^(\S+) (\S+) HTTP\/(\d)\.(\d)$/.exec(start);
  if (!m || !TOKEN.test(m[1]!)) throw new HttpError(400);
  if (m[3] !== "1" || +m[4]! > 1) throw new HttpError(505);
  const headers = new Headers();
  let bytes = 0;
  const count: Record<string, number> = {};
  const lengths: string[] = [];
  for (;;) {
    const l = await box.line(limits.headerBytes - bytes, 431);
    if (l === null) throw new Deno.errors.UnexpectedEof();
    if (l === "") break;
    bytes += l.length + 2;
    const i = l.indexOf(":");
    const k = l.substring(0, i).toLowerCase();
    if (i <= 0 || !TOKEN.test(k)) throw new HttpError(400);
    const v = l.substring(i + 1).replace(/^[\t ]*|[\t ]*$/g, "");
    headers.append(k, v);
    count[k] = (count[k] ?? 0) + 1;
    if (k === "content-length") lengths.push(v);
  }
  if (count["transfer-encoding"]) throw new HttpError(501);
  if (m[4] === "1" && count["host"] !== 1) throw new HttpError(400);
  if (lengths.some((x) => /\D/.test(x) || x === "" || x !== lengths[0])) throw new HttpError(400);
  const n = Number(lengths[0] ?? "0");
  if (n > limits.bodyBytes) throw new HttpError(413);
  if (n > box.data.length && headers.get("expect")?.toLowerCase() === "100-continue") {
    await write(conn, Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"));
  }
  while (box.data.length < n) if (!await box.more()) throw new Deno.errors.UnexpectedEof();
  return {
    method: m[1]!,
    target: m[2]!,
    version: `HTTP/1.${m[4]}`,
    headers,
    body: new Uint8Array(box.take(n)),
  };
}

export async function writeResponse(
  conn: Deno.Conn,
  response: HttpResponse,
  options: { head?: boolean; close?: boolean } = {},
): Promise<void> {
  const { status, headers = {}, body = new Uint8Array(0) } = response;
  const b = Buffer.from(body as string);
  const h = new Map(
    Object.entries(headers).map(([k, v]) => {
      if (!TOKEN.test(k) || ["\r", "\n", "\0"].some((c) => v.includes(c))) {
        throw new TypeError("header");
      }
      return [k.toLowerCase(), v];
    }),
  );
  const without = status < 200 || [204, 304].includes(status);
  if (without) h.delete("content-length");
  else h.set("content-length", `${b.length}`);
  if (options.close) h.set("connection", "close");
  const lines = [...h].map(([k, v]) => `${k}: ${v}\r\n`).join("");
  await write(
    conn,
    Buffer.from(`HTTP/1.1 ${status} ${STATUS_TEXT[status as 200] ?? "Unknown"}\r\n${lines}\r\n`),
  );
  if (!without && !options.head) await write(conn, b);
}

const types: Record<string, string> = {
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".ico": "image/x-icon",
};
for (const [k, v] of [["html", "html"], ["txt", "plain"], ["css", "css"], ["js", "javascript"]]) {
  types["." + k] = `text/${v}; charset=utf-8`;
}

async function respond(request: HttpRequest, root: string): Promise<HttpResponse> {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") {
    if (!"CONNECT DELETE OPTIONS PATCH POST PUT TRACE".split(" ").includes(method)) {
      return { status: 501, body: "?" };
    }
    return { status: 405, headers: { Allow: "GET, HEAD" }, body: "GET or HEAD" };
  }
  const target = request.target.replace(/^http:\/\/[^/?#]+/i, "") || "/";
  if (!target.startsWith("/")) return { status: 400 };
  let name;
  try {
    name = decodeURIComponent(target.replace(/\?.*$/s, ""));
  } catch {
    return { status: 400 };
  }
  if (name.includes("\0")) return { status: 400 };
  if (name.endsWith("/")) name += "index.html";
  const base = await fs.realpath(root);
  let real: string;
  let stat;
  try {
    real = await fs.realpath(path.join(base, name));
    stat = await fs.stat(real);
    if (!(real + path.sep).startsWith(base + path.sep)) return { status: 404 };
    if (stat.isDirectory()) {
      real = await fs.realpath(path.join(real, "index.html"));
      stat = await fs.stat(real);
    }
  } catch (e) {
    const code = (e as { code?: string }).code;
    return { status: ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(code!) ? 404 : 500 };
  }
  if (!(real + path.sep).startsWith(base + path.sep) || !stat.isFile()) return { status: 404 };
  const headers = {
    "Content-Type": types[path.extname(real)] ?? "application/octet-stream",
    "Last-Modified": stat.mtime.toUTCString(),
  };
  if (
    new Date(request.headers.get("If-Modified-Since") ?? NaN).valueOf() >=
      Math.floor(stat.mtimeMs / 1000) * 1000
  ) return { status: 304, headers };
  return { status: 200, headers, body: await fs.readFile(real) };
}

export async function serveFiles(
  listener: Deno.Listener,
  root: string,
  options: ServeOptions = {},
): Promise<void> {
  const server = new EventEmitter();
  server.on("connection", async (conn: Deno.Conn) => {
    try {
      await serve(conn, root, options);
    } catch {
      /* its own affair */
    } finally {
      try {
        conn.close();
      } catch { /* closed */ }
    }
  });
  // Who leaves before it is accepted makes accept() fail, and with it the iteration: it is begun again.
  for (let open = true; open;) {
    try {
      for await (const conn of listener) server.emit("connection", conn);
      open = false;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotConnected)) throw error;
    }
  }
}
async function serve(
  conn: Deno.Conn,
  root: string,
  { idleMs = 5000, requestMs = 10000, limits = DEFAULT_LIMITS }: ServeOptions,
): Promise<void> {
  const box = inbox(conn);
  const timeout = <T>(p: Promise<T>, ms: number): Promise<T> => {
    let id: ReturnType<typeof setTimeout>;
    return Promise.race([
      p,
      new Promise<never>((_, no) => id = setTimeout(() => no(new HttpError(408)), ms)),
    ]).finally(() => clearTimeout(id));
  };
  const out = {
    write: (b: Uint8Array) => timeout(conn.write(b), requestMs),
  } as unknown as Deno.Conn;
  for (;;) {
    while (box.data.length === 0) if (!await timeout(box.more(), idleMs)) return;
    const reading = readRequest(conn, limits);
    reading.catch(() => {});
    let request;
    try {
      request = await timeout(reading, requestMs);
    } catch (e) {
      if (!(e instanceof HttpError)) return;
      await writeResponse(out, { status: e.status, body: `${e.status}` }, { close: true });
      await conn.closeWrite();
      const end = Date.now() + 500;
      await timeout(
        (async () => {
          while (box.take(box.data.length), await box.more());
        })(),
        end - Date.now(),
      );
      return;
    }
    if (!request) return;
    const words = request.headers.get("connection")?.toLowerCase().split(/\s*,\s*/) ?? [];
    const close = words.includes("close") ||
      request.version === "HTTP/1.0" && !words.includes("keep-alive");
    const response = await respond(request, root).catch((): HttpResponse => ({ status: 500 }));
    await writeResponse(out, response, { close, head: request.method === "HEAD" });
    if (close) return;
  }
}
