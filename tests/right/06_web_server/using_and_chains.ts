// Valid: disposables for connections, files and timers; a generator of requests; promise chains; extra exports and parameters.

import { STATUS_TEXT, type StatusCode } from "@std/http/status";

export interface HttpRequest {
  method: string;
  target: string;
  version: string;
  headers: Headers;
  body: Uint8Array;
  /** When it was read; nobody asked for it. */
  at?: number;
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
export interface ServeOptions {
  limits?: Limits;
  idleMs?: number;
  requestMs?: number;
}

export const DEFAULT_LIMITS: Limits = {
  requestLineBytes: 8192,
  headerBytes: 16_384,
  bodyBytes: 1024 ** 2,
};

export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message = "") {
    super(`${status} ${message}`);
    this.status = status;
  }
}

/** A timer that ends with its block. */
function alarm(ms: number | undefined, ring: () => void): Disposable {
  const id = ms === undefined ? undefined : setTimeout(ring, ms);
  return { [Symbol.dispose]: () => clearTimeout(id) };
}

/** A connection that is closed with its block, unless it was before. */
function owned(conn: Deno.Conn): Disposable {
  return {
    [Symbol.dispose]() {
      try {
        conn.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
    },
  };
}

/** Bytes that have come; `resizable` buffers grow with them. */
interface Store {
  bytes: Uint8Array;
  reading?: Promise<boolean> | undefined;
}
const stores = new WeakMap<Deno.Conn, Store>();
const storeOf = (conn: Deno.Conn): Store => {
  const store = stores.get(conn) ?? { bytes: new Uint8Array() };
  stores.set(conn, store);
  return store;
};

function more(conn: Deno.Conn, until?: Promise<never>): Promise<boolean> {
  const store = storeOf(conn);
  const buffer = new Uint8Array(2048);
  store.reading ??= conn.read(buffer).then((n) => {
    if (n !== null) store.bytes = new Uint8Array([...store.bytes, ...buffer.subarray(0, n)]);
    return n !== null;
  }).finally(() => store.reading = undefined);
  return until ? Promise.race([store.reading, until]) : store.reading;
}

function need(conn: Deno.Conn, until?: Promise<never>): Promise<void> {
  return more(conn, until).then((came) => {
    if (!came) throw new Deno.errors.UnexpectedEof("The client has left in the middle");
  });
}

async function write(conn: Deno.Conn, bytes: Uint8Array, patienceMs?: number): Promise<void> {
  while (bytes.length > 0) {
    using _timer = alarm(patienceMs, () => conn.close());
    bytes = bytes.subarray(await conn.write(bytes.subarray(0, 60_000)));
  }
}

export async function dumpRequest(
  conn: Deno.Conn,
  print: (text: string) => void = (text) => console.log("%s", text),
): Promise<string> {
  using _conn = owned(conn);
  const store = storeOf(conn);
  const text = () => new TextDecoder().decode(store.bytes);
  while (text().search(/\n\r?\n/) < 0) {
    if (!await more(conn)) {
      print(text());
      return text();
    }
  }
  const [, head = ""] = /^([^]*?\n\r?\n)/.exec(text())!;
  print(head);
  await writeResponse(conn, {
    status: 200,
    headers: { "content-Type": "text/plain; charset=utf-8", "content-length": "12345" },
    body: new TextEncoder().encode(head),
  }, { close: true });
  return head;
}

export function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
): Promise<HttpRequest | null> {
  return awaken(conn).then((isAwake) => isAwake ? take(conn, limits) : null);
}

/** Waits for a byte that is not an empty line. */
async function awaken(conn: Deno.Conn, until?: Promise<never>): Promise<boolean> {
  const store = storeOf(conn);
  while (true) {
    while (store.bytes[0] === 13 || store.bytes[0] === 10) store.bytes = store.bytes.slice(1);
    if (store.bytes.length > 0) return true;
    try {
      if (!await more(conn, until)) return false;
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    }
  }
}

async function take(
  conn: Deno.Conn,
  limits: Limits,
  until?: Promise<never>,
): Promise<HttpRequest> {
  const store = storeOf(conn);
  async function* lines(): AsyncGenerator<string> {
    let room = limits.requestLineBytes;
    for (let status = 414;; status = 431) {
      let end: number;
      while ((end = store.bytes.indexOf(10)) < 0 && store.bytes.length <= room) {
        await need(conn, until);
      }
      if (end < 0 || end > room) throw new HttpError(status);
      const line = store.bytes.subarray(0, store.bytes[end - 1] === 13 ? end - 1 : end);
      store.bytes = store.bytes.slice(end + 1);
      room = status === 414 ? limits.headerBytes : room - end;
      if (line.some((byte) => (byte < 32 && byte !== 9) || byte === 127)) throw new HttpError(400);
      yield Array.from(line, (byte) => String.fromCodePoint(byte)).join("");
    }
  }
  const all = lines();
  const first: string = (await all.next()).value;
  const { groups } =
    /^(?<method>[A-Za-z0-9!#$%&'*+.^_`|~-]+) (?<target>[^ ]+) (?<version>HTTP\/[0-9]\.[0-9])$/
      .exec(first) ?? {};
  if (!groups) throw new HttpError(400, "request line");
  const { method, target, version } = groups as Record<"method" | "target" | "version", string>;
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") throw new HttpError(505);
  const pairs: [string, string][] = [];
  for await (const line of all) {
    if (line === "") break;
    const pair = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[\t ]*(.*?)[\t ]*$/.exec(line);
    if (!pair) throw new HttpError(400, "header");
    pairs.push([pair[1]!, pair[2]!]);
  }
  const named = (name: string) => pairs.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v);
  const hosts = named("host").length;
  if (hosts > 1 || (hosts === 0 && version.endsWith("1"))) throw new HttpError(400, "Host");
  if (named("transfer-encoding").length > 0) throw new HttpError(501);
  const sizes = new Set(named("content-length"));
  const [size = "0"] = sizes;
  if (sizes.size > 1 || size === "" || /[^0-9]/.test(size)) throw new HttpError(400, "length");
  if (+size > limits.bodyBytes) throw new HttpError(413);
  if (named("expect").some((word) => word.toLowerCase() === "100-continue")) {
    await write(conn, new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n"), 1000);
  }
  while (store.bytes.length < +size) await need(conn, until);
  const body = store.bytes.slice(0, +size);
  store.bytes = store.bytes.slice(+size);
  return { method, target, version, headers: new Headers(pairs), body, at: Date.now() };
}

export function writeResponse(
  conn: Deno.Conn,
  response: HttpResponse,
  options?: { head?: boolean; close?: boolean },
): Promise<void> {
  return respond(conn, response, options);
}

async function respond(
  conn: Deno.Conn,
  { status, headers = {}, body = new Uint8Array() }: HttpResponse,
  { head = false, close = false, patienceMs }: {
    head?: boolean;
    close?: boolean;
    patienceMs?: number;
  } = {},
): Promise<void> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const hasBody = status !== 204 && status !== 304 && status >= 200;
  const fields = Object.entries(headers)
    .filter(([name]) => !["content-length", "connection"].includes(name.toLowerCase()));
  for (const [name, value] of fields) {
    const bad = !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) ||
      ["\r", "\n", "\0"].some((c) => value.includes(c));
    if (bad) throw new TypeError(`Header "${name}" cannot be sent`);
  }
  fields.push(["Date", new Date().toUTCString()]);
  fields.push(["Connection", close ? "close" : "keep-alive"]);
  if (hasBody) fields.push(["Content-Length", bytes.length.toString()]);
  const head1 = `HTTP/1.1 ${status} ${STATUS_TEXT[status as StatusCode]}\r\n` +
    `${fields.map((field) => field.join(": ")).join("\r\n")}\r\n\r\n`;
  await write(conn, new TextEncoder().encode(head1), patienceMs);
  if (hasBody && !head) await write(conn, bytes, patienceMs);
}

export function serveFiles(
  listener: Deno.Listener,
  root: string,
  options: ServeOptions = {},
): Promise<void> {
  const rootPath = Deno.realPathSync(root);
  const next = (): Promise<void> =>
    listener.accept().then(
      (conn) => {
        setTimeout(() => void attend(conn, rootPath, options).catch(() => {}));
        return next();
      },
      (error) => error instanceof Deno.errors.BadResource ? undefined : next(),
    );
  return next();
}

class Silence extends Error {}

/** Rejects after so long; the timer ends with its block. */
function limit(ms: number, error: Error): Disposable & { promise: Promise<never> } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  return { promise, [Symbol.dispose]: alarm(ms, () => reject(error))[Symbol.dispose] };
}

async function* requestsOf(
  conn: Deno.Conn,
  { limits = DEFAULT_LIMITS, idleMs = 5000, requestMs = 10_000 }: ServeOptions,
): AsyncGenerator<HttpRequest> {
  while (true) {
    {
      using silence = limit(idleMs, new Silence());
      if (!await awaken(conn, silence.promise)) return;
    }
    let request: HttpRequest;
    {
      using time = limit(requestMs, new HttpError(408));
      request = await take(conn, limits, time.promise);
    }
    yield request;
  }
}

async function attend(conn: Deno.Conn, root: string, options: ServeOptions): Promise<void> {
  const patienceMs = options.requestMs ?? 10_000;
  using _conn = owned(conn);
  try {
    for await (const request of requestsOf(conn, options)) {
      const close = !isPersistent(request);
      const head = request.method === "HEAD";
      const response = await make(request, root).catch((error): HttpResponse => ({
        status: error instanceof HttpError ? error.status : 500,
      }));
      await respond(conn, response, { head, close, patienceMs });
      if (close) break;
    }
  } catch (error) {
    if (!(error instanceof HttpError)) return;
    const body = `Sorry: ${error.message}\n`;
    await respond(conn, { status: error.status, body }, { close: true, patienceMs });
  }
  await conn.closeWrite();
  using _end = alarm(300, () => conn.close());
  while (await more(conn)) storeOf(conn).bytes = new Uint8Array();
}

function isPersistent({ headers, version }: HttpRequest): boolean {
  const wishes = (headers.get("connection") ?? "").toLowerCase();
  return !/(^|,)\s*close\s*(,|$)/.test(wishes) &&
    (version === "HTTP/1.1" || /(^|,)\s*keep-alive\s*(,|$)/.test(wishes));
}

const CONTENT_TYPES = {
  ".html": "text/html;charset=utf-8",
  ".txt": "text/plain;charset=utf-8",
  ".css": "text/css;charset=utf-8",
  ".js": "text/javascript;charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".ico": "image/x-icon",
};

async function make({ method, target, headers }: HttpRequest, root: string): Promise<HttpResponse> {
  if (!["GET", "HEAD"].includes(method)) {
    return { status: 405, headers: { Allow: "GET, HEAD" }, body: "GET or HEAD, please\n" };
  }
  const [, path] = /^(?:http:\/\/[^/]*)?(\/[^?]*)/.exec(target) ?? [];
  if (path === undefined) throw new HttpError(400);
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw new HttpError(400);
  }
  if (/\0/.test(decoded)) throw new HttpError(400);
  // Every segment on the way is looked at: a way out is refused where it begins.
  let place = root;
  for (const segment of decoded.split(/[/\\]/)) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") throw new HttpError(404);
    place = await Deno.realPath(`${place}/${segment}`).catch(() => {
      throw new HttpError(404);
    });
    if (place !== root && !place.startsWith(`${root}/`)) throw new HttpError(404);
  }
  const info = await Deno.stat(place);
  if (info.isDirectory) {
    if (decoded.endsWith("/")) {
      return await make({ method, target: `${path}index.html`, headers } as HttpRequest, root);
    }
    return { status: 308, headers: { Location: `${path.replace(/^\/+/, "/")}/` } };
  }
  if (!info.isFile) throw new HttpError(404);
  using file = await Deno.open(place);
  const { mtime, size } = await file.stat();
  const stamp = { "Last-Modified": mtime!.toUTCString() };
  const since = headers.get("if-modified-since");
  if (since && new Date(stamp["Last-Modified"]) <= new Date(since)) {
    return { status: 304, headers: stamp };
  }
  const bytes = new Uint8Array(size);
  let read = 0;
  for (let n: number | null; (n = await file.read(bytes.subarray(read))); read += n);
  const [, extension = ""] = /(\.[a-z]+)$/i.exec(place) ?? [];
  const type = CONTENT_TYPES[extension.toLowerCase() as ".html"] ?? "application/octet-stream";
  return {
    status: 200,
    headers: { ...stamp, "Content-Type": type },
    body: bytes.subarray(0, read),
  };
}
