// Valid: streams throughout: a reader of conn.readable, a writer of conn.writable, file.readable; everything waits for its clients at the end.

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
  headerBytes: 16384,
  bodyBytes: 1048576,
};

export class HttpError extends Error {
  constructor(readonly status: number, message?: string) {
    super(message);
    this.name = "HttpError";
  }
}

export interface ServeOptions {
  limits?: Limits;
  idleMs?: number;
  requestMs?: number;
}

interface Pipe {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  writer: WritableStreamDefaultWriter<Uint8Array>;
  held: Uint8Array;
  next?: Promise<ReadableStreamReadResult<Uint8Array>>;
}

const pipes = new WeakMap<Deno.Conn, Pipe>();

function pipeOf(conn: Deno.Conn): Pipe {
  if (!pipes.has(conn)) {
    pipes.set(conn, {
      reader: conn.readable.getReader(),
      writer: conn.writable.getWriter(),
      held: new Uint8Array(),
    });
  }
  return pipes.get(conn)!;
}

const utf8 = (text: string) => new TextEncoder().encode(text);

function concat(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

async function pull(pipe: Pipe, stop?: Promise<never>): Promise<Uint8Array | undefined> {
  pipe.next ??= pipe.reader.read();
  pipe.next.catch(() => {});
  const { value } = await (stop ? Promise.race([pipe.next, stop]) : pipe.next);
  delete pipe.next;
  return value;
}

const endOfHead = (text: string) => /\n\r?\n/.exec(text);
const toText = (bytes: Uint8Array) => [...bytes].map((b) => String.fromCharCode(b)).join("");

export async function dumpRequest(conn: Deno.Conn): Promise<string> {
  const pipe = pipeOf(conn);
  const decoder = new TextDecoder();
  let text = "";
  for (let chunk; (chunk = await pull(pipe)) !== undefined;) {
    text += decoder.decode(chunk, { stream: true });
    const end = endOfHead(text);
    if (!end) continue;
    text = text.slice(0, end.index + end[0].length);
    const headers = { "Content-Type": "text/plain; charset=utf-8" };
    await writeResponse(conn, { status: 200, headers, body: text }, { close: true });
    await pipe.writer.close();
    console.info(text);
    return text;
  }
  // The end of the stream has closed the connection.
  console.log(text);
  return text;
}

export const readRequest = (conn: Deno.Conn, limits: Limits = DEFAULT_LIMITS) =>
  receive(conn, limits);

async function receive(
  conn: Deno.Conn,
  limits: Limits,
  { stop, begun = () => {} }: { stop?: Promise<never>; begun?: () => void } = {},
): Promise<HttpRequest | null> {
  const pipe = pipeOf(conn);
  const early = async () => {
    const chunk = await pull(pipe, stop);
    if (!chunk) throw new Deno.errors.UnexpectedEof("unexpected end of file");
    pipe.held = concat(pipe.held, chunk);
  };
  for (;;) {
    if (pipe.held.length === 0) {
      const chunk = await pull(pipe, stop).catch((error) => {
        if (error instanceof Deno.errors.ConnectionReset) return undefined;
        throw error;
      });
      if (!chunk) return null;
      pipe.held = chunk;
    }
    begun();
    // Empty lines, as they come.
    while (pipe.held[0] === 10 || (pipe.held[0] === 13 && pipe.held[1] === 10)) {
      pipe.held = pipe.held.slice(pipe.held[0] === 10 ? 1 : 2);
    }
    if (pipe.held.length > 1 || (pipe.held.length === 1 && pipe.held[0] !== 13)) break;
    if (pipe.held.length === 1) await early();
  }
  let head: string;
  for (;;) {
    const text = toText(pipe.held);
    const line = text.indexOf("\n");
    if ((line < 0 ? text.length : line) > limits.requestLineBytes) throw new HttpError(414);
    const end = endOfHead(text);
    const size = end ? end.index + end[0].length : text.length;
    if (line >= 0 && size - line > limits.headerBytes) throw new HttpError(431);
    if (end) {
      head = text.slice(0, size);
      pipe.held = pipe.held.slice(size);
      break;
    }
    await early();
  }
  const { length, expects, ...request } = parse(head, limits);
  if (expects) await pipe.writer.write(utf8("HTTP/1.1 100 Continue\r\n\r\n"));
  const parts = [pipe.held];
  let size = pipe.held.length;
  pipe.held = new Uint8Array();
  while (size < length) {
    await early();
    parts.push(pipe.held);
    size += pipe.held.length;
    pipe.held = new Uint8Array();
  }
  const all = concat(...parts);
  pipe.held = all.slice(length);
  return { ...request, body: all.slice(0, length) };
}

function parse(head: string, limits: Limits) {
  const bad = (why: string) => new HttpError(400, why);
  const lines = head.split(/\r?\n/).slice(0, -2);
  const [first = "", ...fields] = lines;
  // deno-lint-ignore no-control-regex
  if (lines.some((line) => /[\x00-\x08\x0b-\x1f\x7f]/.test(line))) throw bad("control character");
  const [method = "", target = "", version = "", ...more] = first.split(" ");
  if (!/^[!#-'*+.^-z|~\w-]+$/.test(method) || !target || more.length) throw bad("request line");
  if (!/^HTTP\/\d\.\d$/.test(version)) throw bad("version");
  if (!/^HTTP\/1\.[01]$/.test(version)) throw new HttpError(505, version);
  const headers = new Headers();
  const count: Record<string, Set<string>> = {};
  let hosts = 0;
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon);
    if (colon < 0 || !/^[!#-'*+.^-z|~\w-]+$/.test(name)) throw bad("header");
    const value = field.slice(colon + 1).trim();
    headers.append(name, value);
    (count[name.toLowerCase()] ??= new Set()).add(value);
    hosts += name.toLowerCase() === "host" ? 1 : 0;
  }
  if (version === "HTTP/1.1" ? hosts !== 1 : hosts > 1) throw bad("Host");
  if (count["transfer-encoding"]) throw new HttpError(501);
  const lengths = [...count["content-length"] ?? ["0"]];
  if (lengths.length > 1 || !/^\d+$/.test(lengths[0]!)) throw bad("Content-Length");
  const length = Number(lengths[0]);
  if (length > limits.bodyBytes) throw new HttpError(413);
  const expects = length > 0 && headers.get("expect") === "100-continue";
  return { method, target, version, headers, length, expects };
}

export async function writeResponse(
  conn: Deno.Conn,
  { status, headers = {}, body = "" }: HttpResponse,
  { head, close }: { head?: boolean; close?: boolean } = {},
): Promise<void> {
  const data = typeof body === "string" ? utf8(body) : body;
  const top = topOf(status, headers, { size: data.length, close: close ?? false });
  const { writer } = pipeOf(conn);
  await writer.write(utf8(top));
  if (!head && status >= 200 && ![204, 304].includes(status) && data.length) {
    await writer.write(data);
  }
}

function topOf(
  status: number,
  headers: Record<string, string>,
  { size, close }: { size: number; close: boolean },
): string {
  const fields = { ...headers };
  if (status >= 200 && ![204, 304].includes(status)) fields["Content-Length"] = `${size}`;
  if (close) fields["Connection"] = "close";
  const lines = Object.entries(fields).map(([name, value]) => {
    const isSafe = /^[!#-'*+.^-z|~\w-]+$/.test(name) && !/\r|\n|\0/.test(value);
    if (!isSafe) throw new TypeError(`unsafe header ${JSON.stringify(name)}`);
    return `${name}: ${value}`;
  });
  return [`HTTP/1.1 ${status} ${STATUS_TEXT[status as StatusCode]}`, ...lines, "", ""].join("\r\n");
}

export async function serveFiles(
  listener: Deno.Listener,
  root: string,
  options: ServeOptions = {},
): Promise<void> {
  const base = await Deno.realPath(root);
  const clients = new Set<Promise<void>>();
  for (;;) {
    try {
      const conn = await listener.accept();
      const client = new Visit(conn, base, options).run().finally(() => clients.delete(client));
      clients.add(client);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotConnected)) break;
    }
  }
  await Promise.all(clients);
}

class Visit {
  #stop = Promise.withResolvers<never>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #close = false;

  constructor(
    readonly conn: Deno.Conn,
    readonly base: string,
    readonly options: ServeOptions,
  ) {}

  #after(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }

  async run(): Promise<void> {
    const { conn } = this;
    const { limits = DEFAULT_LIMITS, idleMs = 5e3, requestMs = 1e4 } = this.options;
    try {
      while (!this.#close) {
        this.#stop = Promise.withResolvers();
        this.#stop.promise.catch(() => {});
        const idle = Symbol();
        this.#after(idleMs, () => this.#stop.reject(idle));
        let begun = false;
        let head = false;
        try {
          const request = await receive(conn, limits, {
            stop: this.#stop.promise,
            begun: () => {
              if (!begun) this.#after(requestMs, () => this.#stop.reject(new HttpError(408)));
              begun = true;
            },
          });
          if (!request) break;
          head = request.method === "HEAD";
          const tokens = (request.headers.get("connection") ?? "").toLowerCase().split(/[\s,]+/);
          this.#close = tokens.includes("close") ||
            (request.version === "HTTP/1.0" && !tokens.includes("keep-alive"));
          this.#after(requestMs, () => conn.close());
          await this.#answer(request, () => this.#after(requestMs, () => conn.close()));
        } catch (error) {
          if (error === idle) break;
          if (!(error instanceof HttpError)) throw error;
          this.#close ||= !begun || ![404, 405].includes(error.status);
          this.#after(requestMs, () => conn.close());
          await writeResponse(conn, {
            status: error.status,
            headers: {
              "Content-Type": "text/html; charset=utf-8",
              ...(error.status === 405 && { Allow: "GET, HEAD" }),
              ...(this.#close ? {} : { Connection: "keep-alive" }),
            },
            body: `<h1>${error.status}</h1>`,
          }, { head, close: this.#close });
        }
      }
      if (this.#close) await this.#drain();
    } catch {
      // Broken off.
    } finally {
      clearTimeout(this.#timer);
      try {
        conn.close();
      } catch {
        // The streams have closed it.
      }
    }
  }

  async #drain(): Promise<void> {
    await this.conn.closeWrite();
    this.#after(250, () => this.conn.close());
    while (await pull(pipeOf(this.conn)));
  }

  async #answer(request: HttpRequest, progress: () => void): Promise<void> {
    const { method, target, headers } = request;
    if (["POST", "PUT", "DELETE", "PATCH", "OPTIONS"].includes(method)) throw new HttpError(405);
    if (method !== "GET" && method !== "HEAD") throw new HttpError(501);
    const [, path = "/"] = /^(?:https?:\/\/[^/]+)?(\/[^?]*)?/.exec(target)!;
    let name: string;
    try {
      name = decodeURIComponent(path);
    } catch {
      throw new HttpError(400);
    }
    if (name.includes("\0")) throw new HttpError(400);
    const file = await this.#open(name);
    if (!file) throw new HttpError(404);
    using _open = file.handle;
    const { mtime, size } = await file.handle.stat();
    const modified = mtime?.toUTCString() ?? "";
    const since = Date.parse(headers.get("if-modified-since") ?? "");
    if (since >= Date.parse(modified)) {
      return await writeResponse(this.conn, {
        status: 304,
        headers: { "Last-Modified": modified },
      }, { close: this.#close });
    }
    const { writer } = pipeOf(this.conn);
    await writer.write(utf8(topOf(200, {
      "last-modified": modified,
      "content-type": KINDS[file.name.match(/\.([a-z]+)$/)?.[1] ?? ""] ??
        "application/octet-stream",
      "connection": this.#close ? "close" : "keep-alive",
    }, { size, close: false })));
    if (method === "HEAD") return;
    let left = size;
    for await (const chunk of file.handle.readable) {
      const part = chunk.subarray(0, left);
      await writer.write(part);
      progress();
      left -= part.length;
      if (left === 0) break;
    }
    if (left > 0) throw new Error("the file is shorter than it was");
  }

  async #open(name: string): Promise<{ handle: Deno.FsFile; name: string } | undefined> {
    let path = this.base + name;
    try {
      // A folder without its slash is answered with its page.
      if ((await Deno.stat(path)).isDirectory) path = `${path}/index.html`;
      const real = await Deno.realPath(path);
      if (!`${real}/`.startsWith(`${this.base}/`)) return undefined;
      if (!(await Deno.lstat(real)).isFile) return undefined;
      return { handle: await Deno.open(real), name: real };
    } catch {
      return undefined;
    }
  }
}

const KINDS: Record<string, string> = {
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
