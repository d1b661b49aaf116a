/**
 * Measures your web server beside `Deno.serve()`, on the same file, in turn.
 *
 * ```sh
 * deno task bench web
 * ```
 *
 * Each server is a process of its own. This program is the client: it opens some connections, asks for
 * one small file on each again and again without closing it, and counts the answers. Every answer is
 * looked at: status 200, and the whole body. Four servers are compared:
 *
 * - **yours**: `serveFiles()` of your exercise, on raw TCP.
 * - **Deno.serve, file**: the handler that one writes in a hurry: opens what the path says, asks for its
 *   date, and sends it as a stream.
 * - **Deno.serve, same checks**: a handler that treats the path as this lesson asks: it is decoded and
 *   judged by where it really leads, then the file is opened, and its date and type are sent.
 * - **Deno.serve, memory**: answers the same bytes from a variable. What is left is HTTP and TCP.
 *
 * The machine does both, the asking and the answering, so the numbers are those of one machine that is
 * busy with itself. What can be compared is their ratio.
 *
 * Options: `--solution` (measure the model), `--seconds 1` (each time), `--rounds 5` (how often each
 * server is measured), `--connections 1,8,32`, `--bytes 1024` (the file), `--json`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const KINDS = ["yours", "file", "same checks", "memory"] as const;
type Kind = typeof KINDS[number];

/** What a server's process is told, as its argument. */
interface Setup {
  kind: Kind;
  exercise: string;
  root: string;
}

// ---------------------------------------------------------------------------------- the servers

/** A process that serves: prints its port, and ends when its input does. */
async function runServer({ kind, exercise, root }: Setup): Promise<void> {
  const tell = (port: number) => Deno.stdout.writeSync(new TextEncoder().encode(`${port}\n`));
  // Standard output is for the port; what an exercise prints goes to standard error.
  console.log = console.info = console.debug = console.error;
  Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => Deno.exit(0));
  if (kind === "yours") {
    const { serveFiles } = await import(exercise);
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    tell(listener.addr.port);
    return await serveFiles(listener, root);
  }
  const handler = await { "memory": fromMemory, "file": fromFile, "same checks": withChecks }[kind](
    root,
  );
  const onListen = ({ port }: { port: number }) => {
    tell(port);
  };
  await Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, handler).finished;
}

const FILE = "page.html";
const TYPE = "text/html; charset=utf-8";

async function fromMemory(root: string): Promise<Deno.ServeHandler> {
  const body = await Deno.readFile(`${root}/${FILE}`);
  const { mtime } = await Deno.stat(`${root}/${FILE}`);
  const headers = { "Content-Type": TYPE, "Last-Modified": mtime!.toUTCString() };
  return () => new Response(body, { headers });
}

function fromFile(root: string): Deno.ServeHandler {
  return async (request) => {
    try {
      const file = await Deno.open(root + decodeURIComponent(new URL(request.url).pathname));
      const { size, mtime } = await file.stat();
      const headers = {
        "Content-Type": TYPE,
        "Content-Length": `${size}`,
        "Last-Modified": mtime!.toUTCString(),
      };
      return new Response(file.readable, { headers });
    } catch {
      return new Response("404 Not Found\n", { status: 404 });
    }
  };
}

/** The same questions to the file system as in task 4, and the same headers. */
async function withChecks(folder: string): Promise<Deno.ServeHandler> {
  const root = await Deno.realPath(folder);
  return async (request) => {
    try {
      const path = decodeURIComponent(new URL(request.url).pathname);
      const real = await Deno.realPath(root + path);
      if (!real.startsWith(`${root}/`) || !(await Deno.stat(real)).isFile) throw new Error("No");
      using file = await Deno.open(real);
      const { size, mtime } = await file.stat();
      const body = new Uint8Array(size);
      for (let n = 0; n < size;) n += await file.read(body.subarray(n)) ?? size;
      const headers = { "Content-Type": TYPE, "Last-Modified": mtime!.toUTCString() };
      return new Response(body, { headers });
    } catch {
      return new Response("404 Not Found\n", { status: 404 });
    }
  };
}

/** A server's process, seen from the one that measures. */
class Server implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;

  constructor(readonly setup: Setup) {
    const importMap = Deno.env.get("WORKBOOK_SUITE_IMPORT_MAP");
    const folders = [fileURLToPath(new URL(".", setup.exercise)), setup.root];
    // Where JSR is not to be had, the standard library is in the folder of this map.
    if (importMap) folders.push(importMap.replace(/[^/\\]+$/, ""));
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-check",
        "--no-lock",
        "--no-prompt",
        ...(importMap ? [`--import-map=${importMap}`] : []),
        "--allow-net=127.0.0.1",
        `--allow-read=${folders.map((path) => path.replaceAll(",", ",,")).join(",")}`,
        fileURLToPath(import.meta.url),
        "--server",
        JSON.stringify(setup),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#output = this.#child.stdout.getReader();
  }

  async port(): Promise<number> {
    const { value } = await this.#output.read();
    const port = Number(new TextDecoder().decode(value));
    if (!port) {
      throw new Error(`The server "${this.setup.kind}" did not start: see what it printed`);
    }
    return port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 2_000);
    await this.#child.status;
    clearTimeout(timer);
    await this.#output.cancel();
  }
}

// ---------------------------------------------------------------------------------- the clients

/** What one server did in one round. */
interface Round {
  perSecond: number;
  /** How long an answer took, in ms. */
  medianMs: number;
  p99Ms: number;
}

async function ask(port: number, connections: number, seconds: number): Promise<Round> {
  const times: number[] = [];
  const begin = performance.now();
  const until = begin + seconds * 1000;
  await Promise.all(
    Array.from({ length: connections }, () => askOnOne(port, until, times)),
  );
  const elapsed = (performance.now() - begin) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { perSecond: times.length / elapsed, medianMs: at(0.5), p99Ms: at(0.99) };
}

/** One connection: a request, its whole answer, the next request. */
async function askOnOne(port: number, until: number, times: number[]): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay();
  const request = new TextEncoder().encode(
    `GET /${FILE} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
  );
  const buffer = new Uint8Array(64 * 1024);
  let answerBytes = 0;
  for (let begin = performance.now(); begin < until; begin = performance.now()) {
    for (let sent = 0; sent < request.length;) sent += await conn.write(request.subarray(sent));
    for (let came = 0; answerBytes === 0 || came < answerBytes;) {
      const n = await conn.read(came < buffer.length ? buffer.subarray(came) : buffer);
      if (n === null) throw new Error("The server closed a connection in the middle");
      came += n;
      // Later answers are as long as the first: the head is only taken apart once.
      if (answerBytes === 0) answerBytes = wholeLength(buffer.subarray(0, came));
      if (answerBytes > 0 && came > answerBytes) throw new Error("More came than was asked for");
    }
    if (String.fromCharCode(...buffer.subarray(9, 12)) !== "200") {
      throw new Error(`The server answered ${String.fromCharCode(...buffer.subarray(0, 12))}`);
    }
    times.push(performance.now() - begin);
  }
}

/** How long the answer is of which these are the first bytes; 0 if its head is not whole yet. */
function wholeLength(bytes: Uint8Array): number {
  const text = new TextDecoder("latin1").decode(bytes);
  const head = text.indexOf("\r\n\r\n") + 4;
  if (head < 4 && bytes.length < 32 * 1024) return 0;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1];
  if (length === undefined) throw new Error("The server sent a head without a Content-Length");
  return head + Number(length);
}

// ----------------------------------------------------------------------------------- the result

interface Options {
  exercise: string;
  seconds: number;
  rounds: number;
  connections: number[];
  bytes: number;
}

interface Row {
  connections: number;
  servers: Record<Kind, Round>;
}

async function measure(options: Options): Promise<Row[]> {
  const root = await Deno.makeTempDir({ prefix: "workbook_web_" });
  try {
    await Deno.writeTextFile(`${root}/${FILE}`, "<p>소켓</p>\n".padEnd(options.bytes - 4, "-"));
    await using stack = new AsyncDisposableStack();
    const ports = new Map<Kind, number>();
    for (const kind of KINDS) {
      const server = stack.use(new Server({ kind, exercise: options.exercise, root }));
      ports.set(kind, await server.port());
      // Not counted: the code has to be compiled first.
      await ask(ports.get(kind)!, 4, Math.min(1, options.seconds));
    }
    const rows: Row[] = [];
    for (const connections of options.connections) {
      const rounds: Round[][] = KINDS.map(() => []);
      for (let round = 0; round < options.rounds; round++) {
        for (const [i, kind] of KINDS.entries()) {
          rounds[i]!.push(await ask(ports.get(kind)!, connections, options.seconds));
        }
      }
      const servers = KINDS.map((kind, i) => [kind, middle(rounds[i]!)]);
      rows.push({ connections, servers: Object.fromEntries(servers) });
    }
    return rows;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** The round with the median number of answers. */
function middle(rounds: Round[]): Round {
  return rounds.toSorted((a, b) => a.perSecond - b.perSecond)[rounds.length >> 1]!;
}

function table(rows: Row[]): string {
  const shown = ({ servers }: Row, kind: Kind) => {
    const rate = servers[kind].perSecond;
    const ratio = servers.yours.perSecond / rate;
    return Math.round(rate).toLocaleString("en") +
      (kind === "yours" ? "" : ` (${ratio.toFixed(2)})`);
  };
  const titles = KINDS.map((kind) => kind === "yours" ? kind : `Deno.serve, ${kind}`);
  return [
    `| connections | ${titles.join(" | ")} |`,
    `| ---: | ${KINDS.map(() => "---:").join(" | ")} |`,
    ...rows.map((row) =>
      `| ${row.connections} | ${KINDS.map((kind) => shown(row, kind)).join(" | ")} |`
    ),
  ].join("\n");
}

function positive(text: string, name: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new Error(`--${name} takes a number above 0, not "${text}"`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      server: { type: "string" },
      solution: { type: "boolean", default: false },
      seconds: { type: "string", default: "1" },
      rounds: { type: "string", default: "5" },
      connections: { type: "string", default: "1,8,32" },
      bytes: { type: "string", default: "1024" },
      json: { type: "boolean", default: false },
    },
  });
  if (values.server) return await runServer(JSON.parse(values.server));
  const path = values.solution ? "../../solutions/06_web_server/exercise.ts" : "./exercise.ts";
  const options: Options = {
    exercise: new URL(path, import.meta.url).href,
    seconds: positive(values.seconds, "seconds"),
    rounds: Math.ceil(positive(values.rounds, "rounds")),
    connections: values.connections.split(",").map((n) => Math.ceil(positive(n, "connections"))),
    bytes: Math.max(64, Math.ceil(positive(values.bytes, "bytes"))),
  };
  const rows = await measure(options);
  if (values.json) return console.log(JSON.stringify(rows));
  console.log(
    `Answers per second, and yours as a part of them; one file of ${options.bytes} bytes, connections kept open;\n` +
      `medians of ${options.rounds} rounds of ${options.seconds} s, in turn; ` +
      `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}.\n`,
  );
  console.log(table(rows));
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
