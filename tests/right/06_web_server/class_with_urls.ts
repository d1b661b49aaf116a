// Valid: a class for each connection, requests that are objects of a class, URL for paths, ETag, own subclasses of errors.

import { STATUS_TEXT } from "@std/http";

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

export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  requestLineBytes: 8 << 10,
  headerBytes: 16 << 10,
  bodyBytes: 1 << 20,
});

export interface ServeOptions {
  limits?: Limits;
  idleMs?: number;
  requestMs?: number;
}

export class HttpError extends Error {
  constructor(readonly status: number, message?: string) {
    super(message ?? STATUS_TEXT[status as keyof typeof STATUS_TEXT]);
  }
}

class BadRequest extends HttpError {
  constructor(what: string) {
    super(400, `Bad request: ${what}`);
  }
}

/** A request; its words can be read and not changed. */
export class HttpRequest {
  constructor(
    readonly method: string,
    readonly target: string,
    readonly version: string,
    readonly headers: Headers,
    public body: Uint8Array = new Uint8Array(0),
  ) {}

  get isHead(): boolean {
    return this.method === "HEAD";
  }

  get keepsAlive(): boolean {
    const words = this.headers.get("Connection")?.toLowerCase().split(/\s*,\s*/) ?? [];
    return !words.includes("close") &&
      (this.version !== "HTTP/1.0" || words.includes("keep-alive"));
  }
}

class Stopwatch {
  #timer?: ReturnType<typeof setTimeout>;
  start(ms: number, ring: () => void): void {
    this.stop();
    if (Number.isFinite(ms)) this.#timer = setTimeout(ring, ms);
  }
  stop(): void {
    clearTimeout(this.#timer);
  }
}

class Connection {
  static readonly #all = new WeakMap<Deno.Conn, Connection>();

  static of(conn: Deno.Conn): Connection {
    let connection = this.#all.get(conn);
    if (!connection) this.#all.set(conn, connection = new Connection(conn));
    return connection;
  }

  #chunks: Uint8Array[] = [];
  #size = 0;
  #pending: Promise<Uint8Array | null> | null = null;
  #alarm: PromiseWithResolvers<never> | null = null;

  private constructor(readonly conn: Deno.Conn) {}

  /** Whatever waits for bytes gets `error` from now on. */
  interrupt(error: Error): void {
    this.#alarm?.reject(error);
  }

  arm(): void {
    this.#alarm = Promise.withResolvers<never>();
    this.#alarm.promise.catch(() => {});
  }

  async #readChunk(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(4096);
    const n = await this.conn.read(buffer);
    return n === null ? null : buffer.slice(0, n);
  }

  async fill(): Promise<boolean> {
    this.#pending ??= this.#readChunk();
    const waits: Promise<Uint8Array | null>[] = [this.#pending];
    if (this.#alarm) waits.push(this.#alarm.promise);
    const chunk = await Promise.race(waits);
    this.#pending = null;
    if (chunk) {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
    }
    return chunk !== null;
  }

  get buffered(): number {
    return this.#size;
  }

  #flat(): Uint8Array {
    if (this.#chunks.length > 1) {
      const flat = new Uint8Array(this.#size);
      let offset = 0;
      for (const chunk of this.#chunks) {
        flat.set(chunk, offset);
        offset += chunk.length;
      }
      this.#chunks = [flat];
    }
    return this.#chunks[0] ?? new Uint8Array(0);
  }

  shift(count: number): Uint8Array {
    const flat = this.#flat();
    this.#chunks = [flat.slice(count)];
    this.#size = flat.length - count;
    return flat.slice(0, count);
  }

  async line(allowed: { bytes: number }, status: number): Promise<string> {
    while (true) {
      const at = this.#flat().indexOf(10);
      if (at > allowed.bytes || (at < 0 && this.#size > allowed.bytes)) throw new HttpError(status);
      if (at >= 0) {
        allowed.bytes -= at + 1;
        const raw = String.fromCharCode(...this.shift(at + 1).subarray(0, at));
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if ([...line].some((c) => c !== "\t" && (c < " " || c === "\x7f"))) {
          throw new BadRequest("control character");
        }
        return line;
      }
      if (!await this.fill()) throw new Deno.errors.UnexpectedEof("The head was cut off");
    }
  }

  /** The next request; `begun` is called when its first byte has come. */
  async request(limits: Limits, begun: () => void = () => {}): Promise<HttpRequest | null> {
    const allowed = { bytes: limits.requestLineBytes };
    let first: string;
    do {
      try {
        if (this.#size === 0 && !await this.fill()) return null;
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionReset) return null;
        throw error;
      }
      begun();
      first = await this.line(allowed, 414);
    } while (first === "");
    const match = /^([\w!#$%&'*+.^`|~-]+) (\S+) HTTP\/(\d)\.(\d)$/.exec(first);
    if (!match) throw new BadRequest("request line");
    const [, method, target, major, minor] = match;
    if (major !== "1" || !"01".includes(minor!)) throw new HttpError(505);
    const request = new HttpRequest(
      method!,
      target!,
      `HTTP/${major}.${minor}`,
      await this.#headers(limits, minor === "1"),
    );
    const length = this.#lengthOf(request.headers, limits);
    if (/100-continue/i.test(request.headers.get("Expect") ?? "") && length > this.#size) {
      await this.write(new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    while (this.#size < length) {
      if (!await this.fill()) throw new Deno.errors.UnexpectedEof("The body was cut off");
    }
    request.body = this.shift(length);
    return request;
  }

  async #headers(limits: Limits, needsHost: boolean): Promise<Headers> {
    const allowed = { bytes: limits.headerBytes };
    const headers = new Headers();
    const hosts: string[] = [];
    for (let line; (line = await this.line(allowed, 431)) !== "";) {
      const match = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*)$/.exec(line);
      if (!match) throw new BadRequest("header");
      headers.append(match[1]!, match[2]!.trim());
      if (/^host$/i.test(match[1]!)) hosts.push(match[2]!);
    }
    if (hosts.length !== 1 && (needsHost || hosts.length > 1)) throw new BadRequest("Host");
    return headers;
  }

  #lengthOf(headers: Headers, limits: Limits): number {
    const text = headers.get("Content-Length");
    if (headers.has("Transfer-Encoding")) throw new HttpError(text === null ? 501 : 400);
    if (text === null) return 0;
    // One number and nothing else: the same one twice is refused, too.
    if (!/^[0-9]+$/.test(text)) throw new BadRequest("Content-Length");
    if (BigInt(text) > BigInt(limits.bodyBytes)) throw new HttpError(413);
    return Number(text);
  }

  async write(bytes: Uint8Array): Promise<void> {
    let n = 0;
    do n += bytes.length > n ? await this.conn.write(bytes.subarray(n)) : 0; while (
      n < bytes.length
    );
  }
}

/** Part A. */
export async function dumpRequest(conn: Deno.Conn): Promise<string> {
  const connection = Connection.of(conn);
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (!/\n\r?\n$/.test(text)) {
      if (connection.buffered === 0 && !await connection.fill()) return text;
      text += decoder.decode(connection.shift(1), { stream: true });
    }
    console.log(`${conn.remoteAddr.transport} request:\n${text}`);
    await writeResponse(conn, {
      status: 200,
      body: text,
      headers: { "CONTENT-TYPE": "text/plain; charset=UTF-8" },
    }, { close: true });
    return text;
  } finally {
    conn.close();
  }
}

export function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
): Promise<HttpRequest | null> {
  return Connection.of(conn).request(limits);
}

export function writeResponse(
  conn: Deno.Conn,
  { status, headers, body = new Uint8Array(0) }: HttpResponse,
  { head = false, close = false }: { head?: boolean; close?: boolean } = {},
): Promise<void> {
  // Headers checks names and values by itself, but trims a line end at the end of a value.
  const fields = new Headers();
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (/[\r\n\0]/.test(value)) return Promise.reject(new TypeError(`Bad value of ${name}`));
    try {
      fields.set(name, value);
    } catch (cause) {
      return Promise.reject(new TypeError(`Bad header ${name}`, { cause }));
    }
  }
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const bodiless = status === 204 || status === 304 || status < 200;
  fields.delete("content-length");
  if (!bodiless) fields.set("content-length", `${bytes.length}`);
  if (close) fields.set("connection", "close");
  const words = STATUS_TEXT[status as keyof typeof STATUS_TEXT] ?? "Unknown";
  const lines = [...fields].map(([name, value]) => `${name}: ${value}\r\n`);
  const top = new TextEncoder().encode(`HTTP/1.1 ${status} ${words}\r\n${lines.join("")}\r\n`);
  const whole = new Uint8Array([...top, ...(head || bodiless ? [] : bytes)]);
  return Connection.of(conn).write(whole);
}

export async function serveFiles(
  listener: Deno.Listener,
  root: string,
  options: ServeOptions = {},
): Promise<void> {
  const server = new FileServer(await Deno.realPath(root), options);
  for (;;) {
    try {
      const conn = await listener.accept();
      server.serve(Connection.of(conn)).catch((error) => console.warn(error));
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) return;
    }
  }
}

class FileServer {
  constructor(readonly root: string, readonly options: ServeOptions) {}

  async serve(connection: Connection): Promise<void> {
    const { limits = DEFAULT_LIMITS, idleMs = 5000, requestMs = 10_000 } = this.options;
    const watch = new Stopwatch();
    const { conn } = connection;
    try {
      for (let open = true; open;) {
        connection.arm();
        watch.start(idleMs, () => connection.interrupt(new Deno.errors.TimedOut("Idle")));
        let begun = false;
        let request: HttpRequest | null = null;
        let answer: { response: HttpResponse; file?: Deno.FsFile; size?: number };
        try {
          request = await connection.request(limits, () => {
            if (begun) return;
            begun = true;
            watch.start(requestMs, () => connection.interrupt(new HttpError(408)));
          });
          watch.stop();
          if (!request) return;
          answer = await this.answer(request);
          open = request.keepsAlive;
        } catch (error) {
          if (error instanceof Deno.errors.TimedOut) {
            // Nobody has asked anything; HTTP allows to say why the connection ends.
            answer = { response: { status: 408 } };
          } else if (error instanceof HttpError) answer = { response: { status: error.status } };
          else throw error;
          open = false;
        }
        watch.start(requestMs, () => conn.close());
        const { response, file, size } = answer;
        response.headers = { Server: "workbook", ...response.headers };
        if (open && request?.version === "HTTP/1.0") response.headers["Connection"] = "Keep-Alive";
        response.body ??= `${response.status}`;
        if (!file) {
          await writeResponse(conn, response, { head: request?.isHead ?? false, close: !open });
        } else {
          await this.stream(connection, { response, file, size: size! }, {
            head: request!.isHead,
            close: !open,
            progress: () => watch.start(requestMs, () => conn.close()),
          });
        }
        watch.stop();
      }
      await this.partWith(connection, watch);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    } finally {
      watch.stop();
      try {
        conn.close();
      } catch { /* closed by the watch */ }
    }
  }

  async stream(
    connection: Connection,
    { response, file, size }: { response: HttpResponse; file: Deno.FsFile; size: number },
    { head, close, progress }: { head: boolean; close: boolean; progress: () => void },
  ): Promise<void> {
    using _ = file;
    const fields = Object.entries({ ...response.headers, "Content-Length": `${size}` });
    if (close) fields.push(["Connection", "close"]);
    const text = fields.map(([name, value]) => `${name}: ${value}`).join("\r\n");
    await connection.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${text}\r\n\r\n`));
    if (head) return;
    const buffer = new Uint8Array(10_000);
    while (size > 0) {
      const n = await file.read(buffer.subarray(0, Math.min(size, buffer.length)));
      if (n === null) return connection.conn.close();
      await connection.write(buffer.subarray(0, n));
      progress();
      size -= n;
    }
  }

  async partWith(connection: Connection, watch: Stopwatch): Promise<void> {
    connection.arm();
    watch.start(300, () => connection.interrupt(new Error("Enough")));
    await connection.conn.closeWrite();
    do connection.shift(connection.buffered); while (await connection.fill());
  }

  async answer(
    request: HttpRequest,
  ): Promise<{ response: HttpResponse; file?: Deno.FsFile; size?: number }> {
    if (/^(POST|PUT|DELETE|PATCH|OPTIONS|TRACE|CONNECT)$/.test(request.method)) {
      return { response: { status: 405, headers: { allow: "HEAD,GET" } } };
    }
    if (!/^(GET|HEAD)$/.test(request.method)) throw new HttpError(501);
    let url: URL;
    let name: string;
    try {
      // Takes dots away by itself, also those that are percent-encoded.
      url = new URL(request.target, "http://host.invalid");
      name = decodeURIComponent(url.pathname);
      if (name.includes("\0")) throw new URIError("NUL");
    } catch {
      throw new HttpError(400);
    }
    if (name.endsWith("/")) name += "index.html";
    try {
      const path = await Deno.realPath(this.root + name);
      const info = await Deno.stat(path);
      if (!path.startsWith(this.root + "/") && path !== this.root) throw new HttpError(404);
      if (info.isDirectory) {
        const to = `${url.pathname.replace(/^\/+/, "/")}/${url.search}`;
        return { response: { status: 301, headers: { Location: to }, body: "" } };
      }
      if (!info.isFile) throw new HttpError(404);
      const seconds = Math.trunc(info.mtime!.valueOf() / 1000);
      const headers = {
        ETag: `W/"${seconds}-${info.size}"`,
        "Last-Modified": new Date(seconds * 1000).toUTCString(),
      };
      const since = request.headers.get("If-Modified-Since");
      const known = request.headers.get("If-None-Match");
      const same = known !== null
        ? known.includes(headers.ETag)
        : since !== null && Date.parse(since) / 1000 >= seconds;
      if (same) return { response: { status: 304, headers, body: "" } };
      const file = await Deno.open(path);
      const { size } = await file.stat();
      return {
        response: { status: 200, headers: { ...headers, "Content-Type": typeOf(path) } },
        file,
        size,
      };
    } catch (error) {
      if (error instanceof HttpError) throw error;
      return { response: { status: 404 } };
    }
  }
}

function typeOf(path: string): string {
  switch (path.split("/").at(-1)!.split(".").slice(1).at(-1)) {
    case "html":
      return "text/html; charset=utf-8";
    case "txt":
      return "text/plain; charset=utf-8";
    case "css":
      return "text/css; charset=utf-8";
    case "js":
      return "text/javascript; charset=utf-8";
    case "json":
      return "application/json";
    case "svg":
      return "image/svg+xml";
    case "png":
      return "image/png";
    case "jpg":
      return "image/jpeg";
    case "ico":
      return "image/x-icon";
  }
  return "application/octet-stream";
}
