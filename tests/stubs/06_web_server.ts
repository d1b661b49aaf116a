/**
 * Lesson 6: a web server on a TCP socket.
 *
 * Only `Deno.Listener` and `Deno.Conn`: no `Deno.serve()`, no `fetch()`, no `node:http`. What a browser
 * sends is text in a stream of bytes, and so is what it wants back (RFC 9110, RFC 9112).
 *
 * Fill in the four functions below. Grade them with `deno task lesson6`, one task alone with
 * `deno task lesson6 --task 1`. The lesson is in README.md (README.ko.md) beside this file.
 *
 * @module
 */

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

/**
 * Part A: shows a request as it came, to you and to the client.
 *
 * Reads until the empty line that ends the head, however the bytes are cut; prints the head, which is
 * UTF-8, with `console.log()`, answers it as `text/plain; charset=utf-8` with status 200, its
 * Content-Length and `Connection: close`, closes, and returns it: request line, header lines and the
 * empty line, each with its CRLF. If the client leaves before the empty line: closes, and returns what came.
 */
export function dumpRequest(conn: Deno.Conn): Promise<string> {
  // TODO(task 1): a head ends with an empty line, not with the end of a read.
  throw new Error(`Not implemented: dumpRequest() from ${name(conn)}`);
}

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
export function readRequest(
  conn: Deno.Conn,
  limits: Limits = DEFAULT_LIMITS,
): Promise<HttpRequest | null> {
  // TODO(task 2): where does a request end? Who keeps the bytes that came after it?
  throw new Error(
    `Not implemented: readRequest() of ${limits.bodyBytes} bytes at most from ${name(conn)}`,
  );
}

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
export function writeResponse(
  conn: Deno.Conn,
  response: HttpResponse,
  options: { head?: boolean; close?: boolean } = {},
): Promise<void> {
  // TODO(task 3): the length that the client counts is in bytes. Who else can end a header line?
  throw new Error(
    `Not implemented: writeResponse() of ${response.status} to ${name(conn)}, ${options.head}`,
  );
}

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
export function serveFiles(
  listener: Deno.Listener,
  root: string,
  options: ServeOptions = {},
): Promise<void> {
  // TODO(task 4): a target is a stranger's. Where does it lead when the file system has had its say?
  // TODO(task 5): one connection, many requests: who says which is the last?
  // TODO(task 6): whoever waits for a client needs a way to stop waiting.
  throw new Error(
    `Not implemented: serveFiles() of ${root} at ${listener.addr.transport}, ${options.idleMs}`,
  );
}

/** Tells which connection a message is about. */
function name(conn: Deno.Conn): string {
  return conn.remoteAddr.transport;
}

// Run as a program, this file serves the folder that is named, or the one it is run in.
if (import.meta.main) {
  const root = Deno.args[0] ?? ".";
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 8080 });
  console.log(`http://127.0.0.1:8080 serves ${root}`);
  await serveFiles(listener, root);
}
