// Valid: no await outside of one function: promise chains and callbacks, what came is kept as a string of one character a byte, and parsed anew with each read.

import { Buffer } from "node:buffer";
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

const token = /^[!#$%&'*+\-.^_`|~\w]+$/;
const enc = new TextEncoder();
const kept = new WeakMap<Deno.Conn, string>(); // as Latin-1: one character, one byte
const buffer = () => new Uint8Array(1 << 20);

function readSome(conn: Deno.Conn): Promise<string | null> {
  const b = buffer();
  return conn.read(b).then((n) =>
    n === null ? null : Buffer.from(b.buffer, 0, n).toString("latin1")
  );
}
function all(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  return bytes.length === 0
    ? Promise.resolve()
    : conn.write(bytes).then((n) => all(conn, bytes.subarray(n)));
}
export function dumpRequest(conn: Deno.Conn): Promise<string> {
  const step = (text: string): Promise<string> => {
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) {
      const body = Uint8Array.from(text.slice(0, end + 4), (c) => c.charCodeAt(0));
      const head = Buffer.from(body).toString();
      console.log(head);
      return writeResponse(conn, {
        status: 200,
        body,
        headers: { "Content-Type": "text/plain; charset=utf-8" },
      }, { close: true }).then(() => head);
    }
    return readSome(conn).then((more) => more === null ? text : step(text + more));
  };
  return step("").finally(() => conn.close());
}
type Parsed = { request: HttpRequest; length: number } | null;
function parse(text: string, limits: Limits): Parsed & { bytes: number } | null {
  const skipped = /^(\r?\n)*/.exec(text)![0].length;
  let at = skipped;
  const line = (max: number, status: number): string | null => {
    let i = text.indexOf("\n", at);
    const over = (i < 0 ? text.length : i) - at;
    if (over > max + 1 || over > max && text[at + over - 1] !== "\r") throw new HttpError(status);
    if (i < 0) return null;
    const next = i + 1;
    if (text[i - 1] === "\r" && i > at) i--;
    const l = text.slice(at, i);
    at = next;
    // deno-lint-ignore no-control-regex
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(l)) throw new HttpError(400);
    return l;
  };
  const start = line(limits.requestLineBytes, 414);
  if (start === null) return null;
  const m = start.match(/^([^ ]+) ([^ \t]+) HTTP\/(\d\.\d)$/);
  if (!m || !token.test(m[1]!)) throw new HttpError(400, start);
  if (m[3] !== "1.0" && m[3] !== "1.1") throw new HttpError(505);
  const headers = new Headers();
  const seen: Record<string, string[]> = { host: [], "content-length": [] };
  for (let left = limits.headerBytes;;) {
    const l = line(left, 431);
    if (l === null) return null;
    if (!l) break;
    if ((left -= l.length + 2) < 0) throw new HttpError(431);
    const colon = l.indexOf(":"),
      name = l.slice(0, Math.max(0, colon)),
      value = l.slice(colon + 1).replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
    if (!token.test(name)) throw new HttpError(400);
    headers.append(name, value);
    seen[name.toLowerCase()]?.push(value);
  }
  if (headers.has("transfer-encoding")) throw new HttpError(501);
  if (m[3] === "1.1" && seen.host!.length !== 1) throw new HttpError(400);
  const lengths = seen["content-length"]!;
  if (!lengths.every((x) => /^\d+$/.test(x) && x === lengths[0])) throw new HttpError(400);
  const length = +(lengths[0] ?? 0);
  if (length > limits.bodyBytes) throw new HttpError(413);
  return {
    bytes: at,
    length,
    request: {
      method: m[1]!,
      target: m[2]!,
      version: "HTTP/" + m[3],
      headers,
      body: new Uint8Array(),
    },
  };
}
export function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
): Promise<HttpRequest | null> {
  let asked = false;
  const gone = (error: Error) => {
    if (error instanceof Deno.errors.ConnectionReset) return null;
    throw error;
  };
  const step = (text: string): Promise<HttpRequest | null> => {
    let p;
    try {
      p = parse(text, limits);
    } catch (error) {
      return Promise.reject(error);
    }
    if (p && text.length >= p.bytes + p.length) {
      p.request.body = Uint8Array.from(
        text.slice(p.bytes, p.bytes + p.length),
        (c) => c.charCodeAt(0),
      );
      kept.set(conn, text.slice(p.bytes + p.length));
      return Promise.resolve(p.request);
    }
    const on = p && !asked && p.request.headers.get("expect")?.toLowerCase() === "100-continue"
      ? (asked = true, all(conn, enc.encode("HTTP/1.1 100 Continue\r\n\r\n")))
      : Promise.resolve();
    return on.then(() => readSome(conn)).catch(gone).then((more) => {
      if (more !== null) return step(text + more);
      kept.delete(conn);
      if (/^[\r\n]*$/.test(text)) return null;
      throw new Deno.errors.UnexpectedEof("half a request");
    });
  };
  return step(kept.get(conn) ?? "");
}
export async function writeResponse(
  conn: Deno.Conn,
  r: HttpResponse,
  o: { head?: boolean; close?: boolean } = {},
): Promise<void> {
  const body = typeof r.body === "string" ? enc.encode(r.body) : r.body ?? new Uint8Array();
  const none = r.status < 200 || r.status === 204 || r.status === 304;
  let head = `HTTP/1.1 ${r.status} ${STATUS_TEXT[r.status as 200] ?? ""}\r\n`;
  for (const [k, v] of Object.entries(r.headers ?? {})) {
    if (!token.test(k) || /[\r\n\0]/.test(v)) throw new TypeError(`Bad header ${k}`);
    if (/^content-length$/i.test(k)) continue;
    if (o.close && /^connection$/i.test(k)) continue;
    head += `${k}: ${v}\r\n`;
  }
  if (!none) head += `Content-Length: ${body.length}\r\n`;
  if (o.close) head += "Connection: close\r\n";
  await all(conn, enc.encode(head + "\r\n"));
  if (!none && !o.head) await all(conn, body);
}

const types: Record<string, string> = {
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

async function answer(r: HttpRequest, root: string): Promise<HttpResponse> {
  if (!["GET", "HEAD"].includes(r.method)) {
    if (["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"].includes(r.method)) {
      return { status: 405, headers: { Allow: "GET, HEAD" } };
    }
    return { status: 501 };
  }
  let t = r.target.replace(/^http:\/\/[^/?]*/i, "").split("?")[0]!;
  if (t === "" && r.target !== "") t = "/";
  if (!t.startsWith("/")) return { status: 400 };
  let path;
  try {
    path = decodeURIComponent(t);
  } catch {
    return { status: 400 };
  }
  if (path.includes("\0")) return { status: 400 };
  const base = await Deno.realPath(root);
  let file: string;
  try {
    file = await Deno.realPath(base + path);
  } catch {
    return { status: 404 };
  }
  const inside = (f: string) => f === base || f.startsWith(base.replace(/\/$/, "") + "/");
  if (!inside(file)) return { status: 404 };
  let st = await Deno.stat(file);
  if (st.isDirectory) {
    try {
      file = await Deno.realPath(file + "/index.html");
    } catch {
      return { status: 404 };
    }
    if (!inside(file)) return { status: 404 };
    st = await Deno.stat(file);
  } else if (path.endsWith("/")) return { status: 404 };
  if (!st.isFile) return { status: 404 };
  const mtime = Math.floor(st.mtime!.getTime() / 1000) * 1000;
  const headers = {
    "Content-Type":
      types[/\.(\w+)$/.exec(path.endsWith("/") || !/\.\w+$/.test(path) ? file : path)?.[1] ?? ""] ??
        "application/octet-stream",
    "Last-Modified": new Date(mtime).toUTCString(),
  };
  const since = Date.parse(r.headers.get("if-modified-since") ?? "");
  if (since >= mtime) return { status: 304, headers };
  return { status: 200, headers, body: await Deno.readFile(file) };
}

function client(conn: Deno.Conn, root: string, o: ServeOptions, done: () => void): void {
  const { idleMs = 5000, requestMs = 10000, limits = DEFAULT_LIMITS } = o;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    clearTimeout(timer);
    try {
      conn.close();
    } catch { /* */ }
    done();
  };
  const send = (r: HttpResponse, mode: { head?: boolean; close?: boolean }, then: () => void) => {
    // counts time only while nothing is taken
    const watched = {
      write: (
        b: Uint8Array,
      ) => (clearTimeout(timer), timer = setTimeout(end, requestMs), conn.write(b)),
    } as unknown as Deno.Conn;
    writeResponse(watched, r, mode).then(() => (clearTimeout(timer), then()), end);
  };
  const next = () => {
    if (kept.get(conn)) return request();
    timer = setTimeout(end, idleMs);
    readSome(conn).then((text) => {
      clearTimeout(timer);
      if (text === null) return end();
      kept.set(conn, text);
      request();
    }, end);
  };
  const request = () => {
    let answered = false;
    timer = setTimeout(() => fail(new HttpError(408)), requestMs);
    const fail = (error: unknown) => {
      clearTimeout(timer);
      if (answered) return;
      answered = true;
      if (!(error instanceof HttpError)) return end();
      send({ status: error.status }, { close: true }, () => {
        timer = setTimeout(end, 500);
        const drain = (): Promise<void> =>
          readSome(conn).then((x) => x === null ? undefined : drain());
        conn.closeWrite().then(() => error.status === 408 ? reading.catch(() => null) : null).then(
          drain,
        ).then(end, end);
      });
    };
    const reading = readRequest(conn, limits);
    reading.then((r) => {
      clearTimeout(timer);
      if (answered) return;
      if (!r) return end();
      const c = (r.headers.get("connection") ?? "").toLowerCase().split(",").map((s) => s.trim());
      const close = c.indexOf("close") >= 0 ||
        (r.version === "HTTP/1.0" && c.indexOf("keep-alive") < 0);
      answer(r, root).catch((): HttpResponse => ({ status: 500 })).then((a) =>
        send(a, { head: r.method === "HEAD", close }, close ? end : next)
      );
    }, fail);
  };
  next();
}
export function serveFiles(
  listener: Deno.Listener,
  root: string,
  options: ServeOptions = {},
): Promise<void> {
  return new Promise((resolve) => {
    let open = 0, closed = false;
    const loop = () => {
      listener.accept().then((conn) => {
        open++;
        client(conn, root, options, () => {
          open--;
          if (closed && open === 0) resolve();
        });
        loop();
      }, (e) => {
        if (!(e instanceof Deno.errors.BadResource)) return loop();
        closed = true;
        resolve();
      });
    };
    loop();
  });
}
