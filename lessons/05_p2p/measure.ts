/**
 * Measures what the lecture claims: one server that serves all, against nodes that serve each other.
 *
 * ```sh
 * deno run --allow-net --allow-read --allow-write --allow-run lessons/05_p2p/measure.ts
 * ```
 *
 * For each number of nodes a file is brought from one node, the source, to all others at the same time:
 *
 * - **server**: every node fetches the file from the source. It can reach nobody else: the permission
 *   of its process, `--allow-net`, names the source's port only, so that discovery leads nowhere.
 * - **swarm**: the file is shared in parts of 128 KiB, whose hashes all nodes know. Each part is brought
 *   from the source by one node, which shares it with the others and tells them so, by a message. Two
 *   peers run in each node for that: one has a link with the source, one with the other nodes. In one
 *   swarm with the source, `fetch()` would ask the source for its share of every part, every time.
 *
 * Every node is a process of its own, with `createPeer()` of your exercise. Outside of your code, its
 * `Deno.connect()` and `Deno.listen()` are wrapped: what is written to connections is counted, and is
 * held up to the rate of an access link, since loopback has upload without end and the claim is about
 * links that have not. What a node receives is compared with the file by SHA-256.
 *
 * Options: `--solution` (measure the model), `--mib 8` (size of the file), `--nodes 2,4,6,8` (with the
 * source), `--rate 8` (MiB a second that a node can upload; 0: no limit), `--svg FILE` (the plot; else
 * `swarm.svg` beside this program).
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const MIB = 1024 * 1024;
const PART_BYTES = 128 * 1024;
/** Parts that a node fetches from other nodes at the same time. */
const TRADES_AT_ONCE = 6;
/** Written at once at most, so that a node's connections share its uplink evenly. */
const SLICE_BYTES = 16 * 1024;
/** A capped link answers late; that is not silence. */
const SILENCE_MS = 60_000;

type Way = "server" | "swarm";

interface Address {
  hostname: string;
  port: number;
}

/** What this program uses of the lesson's interface. */
interface Peer {
  readonly addr: Address;
  readonly messages: AsyncIterable<{ from: string; body: Uint8Array }>;
  connect(addr: Address): Promise<string>;
  peers(): { id: string }[];
  broadcast(body: Uint8Array): Promise<void>;
  share(content: Uint8Array): Promise<string>;
  fetch(hash: string): Promise<Uint8Array>;
}

/** How a node's process is started. */
interface NodeSetup {
  id: string;
  exercise: string;
  rate: number;
  /** Whether it has a second peer, to trade with the other nodes. */
  trades: boolean;
}

/** What a node is told to do, a line of JSON each. It answers each with a line. */
type Order =
  | { do: "share"; bytes: number; partBytes: number }
  | { do: "dial"; source: Address; trader?: Address }
  | { do: "link"; peers: number; traders: number }
  | { do: "fetch"; hashes: string[]; own: string[] }
  | { do: "report" };

interface Answer {
  error?: string;
  /** Where its peer listens, and the one that trades. */
  addr?: Address;
  trader?: Address;
  hashes?: string[];
  digest?: string;
  sentBytes?: number;
}

/** What was measured with one number of nodes in one way. */
interface Run {
  seconds: number;
  /** What each node sent; the source is the first. */
  sentMib: number[];
}

interface Row extends Record<Way, Run> {
  nodes: number;
}

// ------------------------------------------------------------------------------------ one node

/** A node: wraps the sockets, starts the exercise's peers, and does what it is told. */
async function runNode({ id, exercise, rate, trades }: NodeSetup): Promise<void> {
  const write = (answer: Answer) => {
    const line = new TextEncoder().encode(`${JSON.stringify(answer)}\n`);
    for (let done = 0; done < line.length;) done += Deno.stdout.writeSync(line.subarray(done));
  };
  // Standard output is for the answers; what the exercise prints goes to standard error.
  console.log = console.info = console.debug = console.error;
  const uplink = new Uplink(rate * MIB);
  uplink.install();
  try {
    const { createPeer } = await import(exercise);
    const peer: Peer = await createPeer({ id, silenceMs: SILENCE_MS });
    const trader: Peer | undefined = trades
      ? await createPeer({ id: `${id}-trader`, silenceMs: SILENCE_MS })
      : undefined;
    const where = ({ addr: { hostname, port } }: Peer) => ({ hostname, port });
    write({ addr: where(peer), ...(trader && { trader: where(trader) }) });
    for await (const line of linesOf(Deno.stdin.readable)) {
      write(await obey(peer, trader, uplink, JSON.parse(line)));
    }
  } catch (error) {
    write({ error: `${error}` });
  }
}

async function obey(
  peer: Peer,
  trader: Peer | undefined,
  uplink: Uplink,
  order: Order,
): Promise<Answer> {
  switch (order.do) {
    case "share": {
      const content = randomBytes(order.bytes);
      const hashes: string[] = [];
      for (let at = 0; at < content.length; at += order.partBytes) {
        hashes.push(await peer.share(content.subarray(at, at + order.partBytes)));
      }
      return { hashes, digest: await digestOf([content]) };
    }
    case "dial":
      await peer.connect(order.source);
      if (order.trader) await trader?.connect(order.trader);
      return {};
    case "link":
      while (peer.peers().length < order.peers) await pause(5);
      while (trader && trader.peers().length < order.traders) await pause(5);
      // Only the file is counted, not how the nodes found each other.
      uplink.sentBytes = 0;
      return {};
    case "fetch":
      return { digest: await digestOf(await fetchParts(peer, trader, order.hashes, order.own)) };
    case "report":
      return { sentBytes: uplink.sentBytes };
  }
}

/**
 * Brings all parts, in their order: `own` from the source, one after another; the others from the other
 * nodes, as soon as one of them tells that it has them.
 */
async function fetchParts(
  peer: Peer,
  trader: Peer | undefined,
  hashes: string[],
  own: string[],
): Promise<Uint8Array[]> {
  const parts = new Map<string, Uint8Array>();
  const offered: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let trades = 0;

  const put = (hash: string, part: Uint8Array) => {
    parts.set(hash, part);
    if (parts.size === hashes.length) resolve();
  };
  const bring = async () => {
    for (const hash of own) {
      const part = await peer.fetch(hash);
      await trader?.share(part);
      await trader?.broadcast(new TextEncoder().encode(hash));
      put(hash, part);
    }
  };
  const trade = (from: Peer) => {
    while (trades < TRADES_AT_ONCE && offered.length > 0) {
      const hash = offered.shift()!;
      trades++;
      from.fetch(hash).then((part) => {
        put(hash, part);
        trades--;
        trade(from);
      }).catch(reject);
    }
  };
  const listen = async (to: Peer) => {
    for await (const { body } of to.messages) {
      offered.push(new TextDecoder().decode(body));
      trade(to);
    }
  };
  if (trader) listen(trader).catch(reject);
  bring().catch(reject);
  await promise;
  return hashes.map((hash) => parts.get(hash)!);
}

/** What a node can upload: counts the bytes, and holds them up to a rate. */
class Uplink {
  sentBytes = 0;
  #freeAt = 0;

  constructor(readonly bytesPerSecond: number) {}

  /** Wraps every connection that is made from now on. */
  install(): void {
    const { connect, listen } = Deno;
    const calls = Deno as unknown as Record<string, unknown>;
    calls.connect = async (options: Deno.ConnectOptions) => this.#wrap(await connect(options));
    calls.listen = (options: Deno.TcpListenOptions) => {
      const listener = listen(options);
      const accept = listener.accept.bind(listener);
      listener.accept = async () => this.#wrap(await accept());
      return listener;
    };
  }

  #wrap(conn: Deno.TcpConn): Deno.TcpConn {
    // Else the end of a slice could wait for the acknowledgement of what was before (Nagle, RFC 896).
    conn.setNoDelay();
    const write = conn.write.bind(conn);
    conn.write = async (bytes) => {
      // A short write, as any write(2) may be one.
      const slice = bytes.subarray(0, SLICE_BYTES);
      await this.#turn(slice.length);
      const count = await write(slice);
      this.sentBytes += count;
      return count;
    };
    let writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;
    Object.defineProperty(conn, "writable", {
      get: () =>
        writable ??= new WritableStream({
          async write(bytes) {
            for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
          },
          close: () => conn.close(),
          abort: () => conn.close(),
        }),
    });
    return conn;
  }

  /** Waits until the link has carried what was written before. */
  async #turn(bytes: number): Promise<void> {
    if (this.bytesPerSecond === 0) return;
    const now = performance.now();
    // A timer may be a little late. What the link could have carried in these few ms is not lost.
    this.#freeAt = Math.max(this.#freeAt, now - 4) + bytes / this.bytesPerSecond * 1000;
    if (this.#freeAt - now >= 1) await pause(this.#freeAt - now);
  }
}

// --------------------------------------------------------------------------------- the measurement

/** A node, seen from the program that measures. */
class NodeProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<string>;

  constructor(readonly setup: NodeSetup, allowNet: string) {
    const folder = fileURLToPath(new URL(".", setup.exercise));
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-check",
        "--no-lock",
        "--no-prompt",
        `--allow-net=${allowNet}`,
        `--allow-read=${folder.replaceAll(",", ",,")}`,
        fileURLToPath(import.meta.url),
        "--node",
        JSON.stringify(setup),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#orders = this.#child.stdin.getWriter();
    this.#answers = linesOf(this.#child.stdout);
  }

  async answer(): Promise<Answer> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`Node ${this.setup.id} ended: see what it printed`);
    const answer: Answer = JSON.parse(value);
    if (answer.error) throw new Error(`Node ${this.setup.id} failed: ${answer.error}`);
    return answer;
  }

  async order(order: Order): Promise<Answer> {
    await this.#orders.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
    return await this.answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    this.#orders.abort().catch(() => {});
    await this.#answers.return(undefined);
    await this.#child.status;
  }
}

interface Options {
  exercise: string;
  mib: number;
  rate: number;
}

async function measure(way: Way, count: number, options: Options): Promise<Run> {
  const { exercise, rate } = options;
  const bytes = Math.round(options.mib * MIB);
  await using stack = new AsyncDisposableStack();
  const start = (id: string, allowNet: string) =>
    stack.use(
      new NodeProcess(
        { id, exercise, rate, trades: way === "swarm" && id !== "source" },
        allowNet,
      ),
    );

  // Long enough for a machine that is busy; only a node that hangs takes it all.
  const seconds = 30 + 4 * (rate === 0 ? 0 : (count - 1) * options.mib / rate);
  const hangs = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    hangs.reject(new Error(`The ${way} of ${count} nodes is not done after ${seconds} s`));
  }, seconds * 1000);
  stack.defer(() => clearTimeout(timer));

  const run = async (): Promise<Run> => {
    const source = start("source", "127.0.0.1");
    const { addr } = await source.answer();
    // Port 0: to listen on a port that the OS chooses.
    const allowNet = way === "server" ? `127.0.0.1:0,127.0.0.1:${addr!.port}` : "127.0.0.1";
    const others = Array.from({ length: count - 1 }, (_, i) => start(`node${i + 1}`, allowNet));
    const places = await Promise.all(others.map((node) => node.answer()));
    const nodes = [source, ...others];

    const partBytes = way === "server" ? bytes : PART_BYTES;
    const shared = await source.order({ do: "share", bytes, partBytes });
    const hashes = shared.hashes!;
    for (const [i, node] of others.entries()) {
      // Who knows one trader learns of all; the first has nobody to dial.
      const trader = i > 0 ? places[0]!.trader : undefined;
      await node.order({ do: "dial", source: addr!, ...(trader && { trader }) });
    }
    await Promise.all(nodes.map((node) => {
      const peers = way === "swarm" || node === source ? count - 1 : 1;
      return node.order({ do: "link", peers, traders: count - 2 });
    }));

    const begin = performance.now();
    const fetched = await Promise.all(others.map((node, i) => {
      const own = hashes.filter((_, part) => way === "server" || part % others.length === i);
      return node.order({ do: "fetch", hashes, own });
    }));
    const seconds = (performance.now() - begin) / 1000;
    if (fetched.some(({ digest }) => digest !== shared.digest)) {
      throw new Error(
        `In the ${way} of ${count} nodes a node received another file than was shared`,
      );
    }
    const reports = await Promise.all(nodes.map((node) => node.order({ do: "report" })));
    return { seconds, sentMib: reports.map(({ sentBytes }) => sentBytes! / MIB) };
  };
  return await Promise.race([run(), hangs.promise]);
}

// -------------------------------------------------------------------------------------- results

const busiest = ({ sentMib }: Run) => Math.max(...sentMib);
const average = ({ sentMib }: Run) => sentMib.reduce((sum, mib) => sum + mib, 0) / sentMib.length;

function table(rows: Row[]): string {
  const lines = [
    "| nodes | server: its upload | time | swarm: busiest upload | average upload | time |",
    "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows.map(({ nodes, server, swarm }) =>
      `| ${nodes} | ${server.sentMib[0]!.toFixed(1)} MiB | ${server.seconds.toFixed(1)} s | ` +
      `${busiest(swarm).toFixed(1)} MiB | ${average(swarm).toFixed(1)} MiB | ` +
      `${swarm.seconds.toFixed(1)} s |`
    ),
  ];
  return lines.join("\n");
}

interface Line {
  name: string;
  style: Way | "average";
  /** One value for each row. */
  values: number[];
}

/** Two plots side by side. They bring their own background, so they can be read on any page. */
function plot(rows: Row[], caption: string): string {
  const nodes = rows.map((row) => row.nodes);
  const upload = panel(70, "Upload of one node (MiB)", nodes, [
    { name: "the server", style: "server", values: rows.map((row) => row.server.sentMib[0]!) },
    { name: "busiest of the swarm", style: "swarm", values: rows.map((row) => busiest(row.swarm)) },
    {
      name: "average of the swarm",
      style: "average",
      values: rows.map((row) => average(row.swarm)),
    },
  ]);
  const time = panel(470, "Until all nodes have the file (s)", nodes, [
    { name: "one server", style: "server", values: rows.map((row) => row.server.seconds) },
    { name: "swarm", style: "swarm", values: rows.map((row) => row.swarm.seconds) },
  ]);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 400" role="img">
  <title>One server against a swarm: upload and time by number of nodes</title>
  <style>
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .title { font-weight: 600 }
    .back, circle { fill: #ffffff }
    .grid { stroke: #d0d7de }
    .axis { stroke: #24292f }
    .line { fill: none; stroke-width: 2.5 }
    circle { stroke-width: 2.5 }
    .server { stroke: #c2410c }
    .swarm { stroke: #0b66c3 }
    .average { stroke: #1a7f53 }
    path.average { stroke-dasharray: 6 4 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .back, circle { fill: #0d1117 }
      .grid { stroke: #3d444d }
      .axis { stroke: #e6edf3 }
      .server { stroke: #ff9a5c }
      .swarm { stroke: #6cb6ff }
      .average { stroke: #57d39b }
    }
  </style>
  <rect class="back" width="820" height="400" rx="8"/>
${upload}
${time}
  <text x="410" y="384" text-anchor="middle">${caption}</text>
</svg>
`;
}

function panel(left: number, title: string, nodes: number[], lines: Line[]): string {
  const [top, width, height] = [60, 310, 250];
  const bottom = top + height;
  const step = niceStep(Math.max(...lines.flatMap(({ values }) => values)) / 5);
  const most = step * Math.ceil(Math.max(...lines.flatMap(({ values }) => values)) / step);
  const last = Math.max(...nodes);
  const x = (count: number) => round(left + width * count / (last + 0.5));
  const y = (value: number) => round(bottom - height * value / most);
  const marks: string[] = [`<text class="title" x="${left}" y="32">${title}</text>`];
  for (let i = 0; i * step <= most + step / 2; i++) {
    const [value, at] = [round(i * step), y(i * step)];
    marks.push(`<line class="grid" x1="${left}" y1="${at}" x2="${left + width}" y2="${at}"/>`);
    marks.push(`<text x="${left - 8}" y="${round(at + 4)}" text-anchor="end">${value}</text>`);
  }
  marks.push(`<path class="axis" fill="none" d="M${left} ${top}V${bottom}H${left + width}"/>`);
  for (const count of nodes) {
    const at = x(count);
    marks.push(`<line class="axis" x1="${at}" y1="${bottom}" x2="${at}" y2="${bottom + 5}"/>`);
    marks.push(`<text x="${at}" y="${bottom + 20}" text-anchor="middle">${count}</text>`);
  }
  marks.push(
    `<text x="${left + width / 2}" y="${
      bottom + 40
    }" text-anchor="middle">nodes, source included</text>`,
  );
  for (const [i, { name, style, values }] of lines.entries()) {
    const points = values.map((value, at) => [x(nodes[at]!), y(value)]);
    const path = points.map(([px, py]) => `${px} ${py}`).join("L");
    marks.push(`<path class="line ${style}" d="M${path}"/>`);
    for (const [px, py] of points) {
      marks.push(`<circle class="${style}" cx="${px}" cy="${py}" r="4"/>`);
    }
    // The key stands in the upper left corner, where growing lines are not.
    const key = top + 12 + 20 * i;
    marks.push(`<path class="line ${style}" d="M${left + 14} ${key}h28"/>`);
    marks.push(`<text x="${left + 50}" y="${key + 4}">${name}</text>`);
  }
  return marks.map((mark) => `  ${mark}`).join("\n");
}

/** The next of 1, 2, 5, 10, … that is not less. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least)!;
}

const round = (value: number) => Math.round(value * 100) / 100;

// ---------------------------------------------------------------------------------------- tools

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

async function digestOf(parts: Uint8Array[]): Promise<string> {
  const whole = await new Blob(parts as BlobPart[]).arrayBuffer();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole)).toHex();
}

/** What the options say, or a sentence about what is wrong with them. */
function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      solution: { type: "boolean", default: false },
      mib: { type: "string", default: "8" },
      nodes: { type: "string", default: "2,4,6,8" },
      rate: { type: "string", default: "8" },
      svg: { type: "string" },
    },
  });
  const [mib, rate] = [Number(values.mib), Number(values.rate)];
  const nodes = values.nodes.split(",").map(Number);
  if (!(mib >= 1 && mib <= 1024)) throw new RangeError(`Cannot use --mib ${values.mib}: 1 to 1024`);
  if (!(rate >= 0)) {
    throw new RangeError(`Cannot use --rate ${values.rate}: 0 or more MiB a second`);
  }
  if (!nodes.every((count) => Number.isInteger(count) && count >= 2 && count <= 32)) {
    throw new RangeError(`Cannot use --nodes ${values.nodes}: numbers from 2 to 32, as in 2,4,8`);
  }
  const folder = values.solution ? "../../solutions/05_p2p/" : "./";
  const exercise = new URL(`${folder}exercise.ts`, import.meta.url).href;
  const svg = values.svg ?? new URL("swarm.svg", import.meta.url);
  return { mib, rate, nodes: nodes.toSorted((a, b) => a - b), exercise, svg };
}

async function main(args: string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  const { mib, rate, nodes, svg } = options;
  const rows: Row[] = [];
  try {
    for (const count of nodes) {
      console.error(`${count} nodes …`);
      const server = await measure("server", count, options);
      rows.push({ nodes: count, server, swarm: await measure("swarm", count, options) });
    }
  } catch (error) {
    console.error(`${(error as Error).message}\nNext: deno task lesson5, or --solution here`);
    return 1;
  }
  const cap = rate === 0 ? "upload not limited" : `each node uploads at most ${rate} MiB/s`;
  const caption = `A file of ${mib} MiB; ${cap}`;
  const cores = navigator.hardwareConcurrency;
  console.log(`${caption}. Deno ${Deno.version.deno}, ${Deno.build.os}, ${cores} cores.\n`);
  console.log(table(rows));
  await Deno.writeTextFile(svg, plot(rows, caption));
  return 0;
}

if (import.meta.main) {
  if (Deno.args[0] === "--node") {
    await runNode(JSON.parse(Deno.args[1]!));
    // The orders have ended, so whoever gave them has, too.
    Deno.exit();
  }
  Deno.exit(await main(Deno.args));
}
