/**
 * Measures what the lecture claims: one chat by HTTP, where clients have to ask, and by sockets, where the server speaks.
 *
 * ```sh
 * deno run --allow-net --allow-read --allow-write lessons/07_chat/measure.ts
 * ```
 *
 * The same clients say the same messages at the same moments (drawn from a seed), in each of these ways:
 *
 * - **polling**: each client asks `GET /rooms/lobby?since=N` every so many ms, over one connection that is
 *   kept open, and says its own with a `POST`, over a second one.
 * - **long polling**: the same, but the server answers only when it has something, and the client asks
 *   again at once (RFC 6202).
 * - **push**: `startChat()` of your exercise. A client says `SAY`, the server sends `SAID` to everybody.
 *
 * The HTTP server is `Deno.serve()`; the clients are the same sockets in all ways, and send the least
 * that HTTP allows. Messages travel as the same lines, so that only the way there is compared.
 *
 * Bytes are counted where the clients call `write()` and `read()`, after all have joined. What TCP and IP
 * add, 40 bytes and more for each segment and each acknowledgement, is not in there. A delay is the time from
 * before the speaker's `write()` until the whole message was read by one client; each message counts once
 * for each client, its speaker included. A message that is missing, doubled or out of order is an error.
 *
 * Options: `--solution` (measure the model), `--clients 10`, `--messages 16`, `--every 20,100,500` (ms between
 * the questions of one client), `--seed S`, `--svg FILE` (the plot; else `polling.svg` beside this program).
 *
 * @module
 */

import { parseArgs } from "node:util";

const ROOM = "lobby";
/** In how many ms all messages are said. */
const TALK_MS = 1_200;
/** Longer than any client may need for what it waits for. */
const PATIENCE_MS = 10_000;

/** How messages come to the clients. */
export type Way = { name: "polling"; everyMs: number } | { name: "long polling" | "push" };

/** What is measured. */
export interface Plan {
  /** The URL of the module with `startChat()`. */
  exercise: string;
  clients: number;
  messages: number;
  seed: number;
  /** How long all messages take to be said. */
  talkMs: number;
  /** How long bytes are counted, from the first moment on: the same for each way. */
  countedMs: number;
}

/** What one way took. */
export interface Run {
  way: Way;
  seconds: number;
  /** By all clients together. */
  sentBytes: number;
  receivedBytes: number;
  /** Questions of the clients for new messages; `emptyAnswers` brought none. */
  questions: number;
  emptyAnswers: number;
  /** One for each message and client, in ms, the shortest first. */
  delaysMs: number[];
}

/** One thing that is said. */
interface Message {
  atMs: number;
  speaker: number;
  text: string;
}

/** A person in the room, however it is connected. */
interface Client {
  readonly traffic: Traffic;
  say(text: string): Promise<void>;
  close(): void;
}

interface Server {
  /** A new client in the room. `hear` is called with each message, as `name text`. */
  join(name: string, hear: (said: string) => void): Promise<Client>;
  /** Resolves when nothing is on its way to any client; called after all have joined. */
  settle(): Promise<void>;
  /** Begins to ask, where clients have to ask. */
  begin(): void;
  close(): Promise<void>;
}

/** What one client has sent and received. */
class Traffic {
  sentBytes = 0;
  receivedBytes = 0;
  questions = 0;
  emptyAnswers = 0;
}

// ------------------------------------------------------------------------------- one way, measured

/** Lets all clients talk in one way. */
export async function measure(way: Way, plan: Plan): Promise<Run> {
  const random = randomFrom(plan.seed);
  const messages = makeMessages(plan, random);
  const server = way.name === "push"
    ? await startPushing(plan.exercise)
    : startPolling(way.name === "polling" ? way.everyMs : "when there is news", random);
  const clients: Client[] = [];
  const timers: ReturnType<typeof setTimeout>[] = [];
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const later = (ms: number, then: () => void) => timers.push(setTimeout(then, ms));

  const run = async (): Promise<Run> => {
    /** What each client heard, and when each message was said. */
    const heard: string[][] = [];
    const saidAt: number[] = [];
    const delaysMs: number[] = [];
    const everybody = Promise.withResolvers<void>();
    for (let i = 0; i < plan.clients; i++) {
      const lines: string[] = heard[i] = [];
      clients.push(
        await server.join(`client${i}`, (said) => {
          // The number of the message stands in front of its words.
          const number = parseInt(said.split(" ")[1] ?? "");
          delaysMs.push(performance.now() - (saidAt[number] ?? NaN));
          lines.push(said);
          if (delaysMs.length === plan.clients * plan.messages) everybody.resolve();
        }),
      );
    }
    await server.settle();
    for (const { traffic } of clients) Object.assign(traffic, new Traffic());

    const begin = performance.now();
    server.begin();
    const counted = Promise.withResolvers<void>();
    later(plan.countedMs, counted.resolve);
    for (const [number, { atMs, speaker, text }] of messages.entries()) {
      later(atMs, () => {
        saidAt[number] = performance.now();
        clients[speaker]!.say(text).catch(failed.reject);
      });
    }
    await Promise.all([everybody.promise, counted.promise]);
    const seconds = (performance.now() - begin) / 1000;
    const totals = new Traffic();
    for (const { traffic } of clients) {
      for (const key of Object.keys(totals) as (keyof Traffic)[]) totals[key] += traffic[key];
    }
    checkHeard(heard, messages);
    return { way, seconds, ...totals, delaysMs: delaysMs.toSorted((a, b) => a - b) };
  };

  later(plan.countedMs + PATIENCE_MS, () => {
    failed.reject(new Error(`${nameOf(way)}: not everybody heard everything in time`));
  });
  try {
    return await Promise.race([run(), failed.promise]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    for (const client of clients) client.close();
    await server.close();
  }
}

/** Who says what and when: drawn from the seed, and so the same for each way. */
function makeMessages({ clients, messages, talkMs }: Plan, random: () => number): Message[] {
  const words = ["hello", "소켓", "who", "is", "there", "now", "yes", "me", "점심", "when"];
  const moments = Array.from({ length: messages }, () => random() * talkMs);
  return moments.toSorted((a, b) => a - b).map((atMs, number) => {
    const length = 3 + Math.floor(random() * 6);
    const text = Array.from({ length }, () => words[Math.floor(random() * words.length)]);
    const speaker = Math.floor(random() * clients);
    return { atMs, speaker, text: [number, ...text].join(" ") };
  });
}

/** Everybody heard everything, once, and in the order of everybody else. */
function checkHeard(heard: string[][], messages: Message[]): void {
  const expected = messages.map(({ speaker, text }) => `client${speaker} ${text}`).toSorted();
  for (const lines of heard) {
    if (lines.toSorted().join("\n") !== expected.join("\n")) {
      throw new Error("A client heard something else than was said");
    }
    if (lines.join("\n") !== heard[0]!.join("\n")) {
      throw new Error("Two clients heard the messages in different orders");
    }
  }
}

// ------------------------------------------------------------------------------------------ push

/** The chat of the exercise: the server speaks first. */
async function startPushing(exercise: string): Promise<Server> {
  const { startChat } = await import(exercise);
  const chat: { addr: Deno.NetAddr; stop(): Promise<void> } = startChat();
  /** Resolved by the next `NAMES` for each client. */
  const asked: (() => Promise<void>)[] = [];
  return {
    async join(name, hear) {
      const traffic = new Traffic();
      const conn = await connect(chat.addr.port, traffic);
      let names = Promise.withResolvers<void>();
      const reading = (async () => {
        for await (const line of linesOf(conn)) {
          const [, event, rest] = /^(\S+) \S+ ?(.*)$/.exec(line) ?? [];
          if (event === "SAID") hear(rest!);
          if (event === "NAMES") names.resolve();
        }
      })();
      reading.catch(() => {}).finally(() => names.reject(new Error("The server has hung up")));
      names.promise.catch(() => {});
      await conn.send(`JOIN ${ROOM} ${name}\n`);
      await names.promise;
      asked.push(async () => {
        names = Promise.withResolvers();
        await conn.send("WHO\n");
        await names.promise;
      });
      return { traffic, say: (text) => conn.send(`SAY ${text}\n`), close: () => conn.close() };
    },
    // Events come in order: with the answer to WHO everything before it has come as well.
    settle: async () => void await Promise.all(asked.map((ask) => ask())),
    begin() {},
    close: () => chat.stop(),
  };
}

// --------------------------------------------------------------------------------------- polling

/** The same chat by HTTP: the server can only answer. */
function startPolling(every: number | "when there is news", random: () => number): Server {
  const said: string[] = [];
  let news = Promise.withResolvers<void>();
  let closed = false;
  const hangUp = new AbortController();

  const answer = async (request: Request): Promise<Response> => {
    const { searchParams } = new URL(request.url);
    if (request.method === "POST") {
      said.push(`SAID ${ROOM} ${searchParams.get("name")} ${await request.text()}\n`);
      news.resolve();
      news = Promise.withResolvers();
      return new Response(null, { status: 204 });
    }
    const since = Number(searchParams.get("since"));
    while (every === "when there is news" && said.length === since && !closed) await news.promise;
    const lines = said.slice(since);
    // An answer without content is the shortest there is.
    return lines.length > 0 ? new Response(lines.join("")) : new Response(null, { status: 204 });
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, signal: hangUp.signal },
    answer,
  );
  const { port } = server.addr;
  const loops: (() => void)[] = [];

  return {
    async join(name, hear) {
      const traffic = new Traffic();
      const asking = await connect(port, traffic);
      // As a browser does: a question that waits must not hold up what is said meanwhile.
      const speaking = await connect(port, traffic);
      const offset = typeof every === "number" ? random() * every : 0;
      let open = true;
      let timer: ReturnType<typeof setTimeout> | undefined;

      const poll = async () => {
        let since = 0;
        for (let next = performance.now() + offset; open; next += every as number) {
          if (typeof every === "number") {
            const wait = Math.max(0, next - performance.now());
            await new Promise((resolve) => timer = setTimeout(resolve, wait));
          }
          const body = await exchange(asking, `GET /rooms/${ROOM}?since=${since}`, port);
          traffic.questions++;
          if (body === "") traffic.emptyAnswers++;
          for (const line of body.split("\n").slice(0, -1)) {
            since++;
            hear(line.slice(`SAID ${ROOM} `.length));
          }
        }
      };
      // At the end the connection is closed in the middle of a question.
      loops.push(() => void poll().catch(() => {}));
      return {
        traffic,
        say: async (text) =>
          void await exchange(speaking, `POST /rooms/${ROOM}?name=${name}`, port, text),
        close() {
          open = false;
          clearTimeout(timer);
          asking.close();
          speaking.close();
        },
      };
    },
    settle: () => Promise.resolve(),
    begin: () => loops.forEach((loop) => loop()),
    async close() {
      closed = true;
      news.resolve();
      hangUp.abort();
      await server.finished;
    },
  };
}

/** One request and its response (RFC 9112), with no header that is not needed. Gives the content. */
async function exchange(conn: CountedConn, line: string, port: number, content = "") {
  const bytes = new TextEncoder().encode(content).length;
  const length = bytes > 0 ? `Content-Length: ${bytes}\r\n` : "";
  await conn.send(`${line} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${length}\r\n${content}`);
  const head = await conn.readUntil("\r\n\r\n");
  const announced = /^content-length: (\d+)/im.exec(head)?.[1];
  return await conn.readBytes(Number(announced ?? 0));
}

// ----------------------------------------------------------------------------------------- tools

/** A connection whose bytes are counted. */
class CountedConn {
  #rest: Uint8Array = new Uint8Array();
  #end = false;

  constructor(readonly conn: Deno.TcpConn, readonly traffic: Traffic) {}

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) {
      const count = await this.conn.write(bytes.subarray(done));
      this.traffic.sentBytes += count;
      done += count;
    }
  }

  /** What comes up to `mark`, with it; less at the end of the stream. `mark` is of ASCII. */
  async readUntil(mark: string): Promise<string> {
    for (let searched = 0;;) {
      const at = indexOf(this.#rest, mark, searched);
      if (at >= 0) return this.#take(at + mark.length);
      searched = Math.max(0, this.#rest.length - mark.length + 1);
      if (!await this.#readMore()) return this.#take(this.#rest.length);
    }
  }

  async readBytes(count: number): Promise<string> {
    while (this.#rest.length < count && await this.#readMore());
    return this.#take(count);
  }

  close(): void {
    this.conn.close();
  }

  #take(count: number): string {
    const text = new TextDecoder().decode(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return text;
  }

  async #readMore(): Promise<boolean> {
    const buffer = new Uint8Array(16_384);
    const count = this.#end ? null : await this.conn.read(buffer);
    if (count === null) {
      this.#end = true;
      return false;
    }
    this.traffic.receivedBytes += count;
    const joined = new Uint8Array(this.#rest.length + count);
    joined.set(this.#rest);
    joined.set(buffer.subarray(0, count), this.#rest.length);
    this.#rest = joined;
    return true;
  }
}

function indexOf(bytes: Uint8Array, mark: string, from: number): number {
  const codes = [...mark].map((char) => char.charCodeAt(0));
  for (let at = from; at + codes.length <= bytes.length; at++) {
    if (codes.every((code, i) => bytes[at + i] === code)) return at;
  }
  return -1;
}

async function connect(port: number, traffic: Traffic): Promise<CountedConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay();
  return new CountedConn(conn, traffic);
}

async function* linesOf(conn: CountedConn): AsyncGenerator<string> {
  for (;;) {
    const line = await conn.readUntil("\n");
    if (!line.endsWith("\n")) return;
    yield line.slice(0, -1);
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

// --------------------------------------------------------------------------------------- results

/** The value below which a part of all values lies. `sorted` holds the smallest first. */
export function quantile(sorted: number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN;
}

const nameOf = (way: Way) => way.name === "polling" ? `every ${way.everyMs} ms` : way.name;
const count = (value: number) => value.toLocaleString("en");

function formatMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

/** Markdown: a row for each way. */
export function table(runs: Run[]): string {
  const rows = runs.map(({ way, sentBytes, receivedBytes, questions, emptyAnswers, delaysMs }) => {
    const asked = way.name === "push" ? "–" : count(questions);
    const empty = way.name === "push" ? "–" : count(emptyAnswers);
    const [median, most] = [0.5, 0.95].map((part) => formatMs(quantile(delaysMs, part)));
    return `| ${nameOf(way)} | ${asked} | ${empty} | ${count(sentBytes)} | ` +
      `${count(receivedBytes)} | ${median} ms | ${most} ms |`;
  });
  return [
    "| way | questions | answered with nothing | bytes sent | bytes received | delay, median | 95 % below |",
    "| :--- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows,
  ].join("\n");
}

/** Two bars for each way, bytes and delay. The picture brings its own background, for any page. */
export function plot(runs: Run[], caption: string): string {
  const bottom = 74 + 44 * runs.length;
  const bytes = runs.map(({ sentBytes, receivedBytes }) => (sentBytes + receivedBytes) / 1024);
  const marks = [
    ...runs.map(({ way }, i) =>
      `<text x="118" y="${86 + 44 * i}" text-anchor="end">${nameOf(way)}</text>`
    ),
    ...panel(
      130,
      "Sent and received by all clients (KiB)",
      runs,
      bytes,
      bytes.map((kib) => {
        return kib < 10 ? kib.toFixed(1) : kib.toFixed(0);
      }),
    ),
    ...panel(
      490,
      "Delay of a message (ms): median, and 95 % below",
      runs,
      runs.map(({ delaysMs }) => quantile(delaysMs, 0.5)),
      runs.map(({ delaysMs }) =>
        `${formatMs(quantile(delaysMs, 0.5))}, ${formatMs(quantile(delaysMs, 0.95))}`
      ),
      runs.map(({ delaysMs }) => quantile(delaysMs, 0.95)),
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 ${bottom + 66}" role="img">
  <title>One chat by polling and by push: bytes and delay</title>
  <style>
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .title { font-weight: 600 }
    .value { paint-order: stroke; stroke: #ffffff; stroke-width: 5px }
    .back { fill: #ffffff }
    .grid { stroke: #d0d7de }
    .axis { stroke: #24292f }
    .polling { fill: #c2410c; stroke: #c2410c }
    .long { fill: #1a7f53; stroke: #1a7f53 }
    .push { fill: #0b66c3; stroke: #0b66c3 }
    .most { stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .value { stroke: #0d1117 }
      .back { fill: #0d1117 }
      .grid { stroke: #3d444d }
      .axis { stroke: #e6edf3 }
      .polling { fill: #ff9a5c; stroke: #ff9a5c }
      .long { fill: #57d39b; stroke: #57d39b }
      .push { fill: #6cb6ff; stroke: #6cb6ff }
    }
  </style>
  <rect class="back" width="860" height="${bottom + 66}" rx="8"/>
${marks.map((mark) => `  ${mark}`).join("\n")}
  <text x="430" y="${bottom + 50}" text-anchor="middle">${caption}</text>
</svg>
`;
}

function panel(
  left: number,
  title: string,
  runs: Run[],
  values: number[],
  labels: string[],
  most: number[] = values,
): string[] {
  const [top, width] = [56, 270];
  const bottom = top + 18 + 44 * runs.length;
  const step = niceStep(Math.max(...most) / 4);
  const x = (value: number) => round(left + width * value / Math.max(...most));
  const marks = [`<text class="title" x="${left}" y="32">${title}</text>`];
  for (let value = 0; value <= Math.max(...most); value += step) {
    const at = x(value);
    marks.push(`<path class="grid" d="M${at} ${top}V${bottom}"/>`);
    marks.push(
      `<text x="${at}" y="${bottom + 18}" text-anchor="middle">${round(value)}</text>`,
    );
  }
  for (const [i, value] of values.entries()) {
    const [style, y] = [runs[i]!.way.name.split(" ")[0]!, top + 13 + 44 * i];
    marks.push(
      `<rect class="${style}" x="${left}" y="${y}" width="${round(x(value) - left)}" height="24"/>`,
    );
    const end = x(most[i]!);
    if (most[i]! > value) {
      marks.push(
        `<path class="most ${style}" d="M${x(value)} ${y + 12}H${end}M${end} ${y + 6}v12"/>`,
      );
    }
    marks.push(`<text class="value" x="${round(end + 8)}" y="${y + 17}">${labels[i]}</text>`);
  }
  marks.push(`<path class="axis" d="M${left} ${top}V${bottom}"/>`);
  return marks;
}

/** The next of 1, 2, 5, 10, … that is not less. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least)!;
}

const round = (value: number) => Math.round(value * 100) / 100;

// --------------------------------------------------------------------------------------- program

/** What the options say, or a sentence about what is wrong with them. */
function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      solution: { type: "boolean", default: false },
      clients: { type: "string", default: "10" },
      messages: { type: "string", default: "16" },
      every: { type: "string", default: "20,100,500" },
      seed: { type: "string", default: "7" },
      svg: { type: "string" },
    },
  });
  const whole = (name: "clients" | "messages" | "seed", least: number, most: number) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new RangeError(`Cannot use --${name} ${values[name]}: ${least} to ${most}`);
  };
  const every = values.every.split(",").map(Number);
  if (!every.every((ms) => Number.isInteger(ms) && ms >= 5 && ms <= 2_000)) {
    throw new RangeError(`Cannot use --every ${values.every}: from 5 to 2000 ms, as in 20,100`);
  }
  const folder = values.solution ? "../../solutions/07_chat/" : "./";
  const plan: Plan = {
    exercise: new URL(`${folder}exercise.ts`, import.meta.url).href,
    clients: whole("clients", 1, 100),
    messages: whole("messages", 1, 1_000),
    seed: whole("seed", 0, 2 ** 32 - 1),
    talkMs: TALK_MS,
    countedMs: TALK_MS + Math.max(...every) + 50,
  };
  const ways: Way[] = [
    ...every.map((everyMs) => ({ name: "polling" as const, everyMs })),
    { name: "long polling" },
    { name: "push" },
  ];
  return { plan, ways, svg: values.svg ?? new URL("polling.svg", import.meta.url) };
}

async function main(args: string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  const { plan, ways, svg } = options;
  const runs: Run[] = [];
  try {
    for (const way of ways) {
      console.error(`${nameOf(way)} …`);
      runs.push(await measure(way, plan));
    }
  } catch (error) {
    console.error(`${(error as Error).message}\nNext: deno task lesson7, or --solution here`);
    return 1;
  }
  const seconds = (plan.countedMs / 1000).toFixed(2);
  const caption = `${plan.clients} clients, ${plan.messages} messages, ${seconds} s`;
  const cores = navigator.hardwareConcurrency;
  console.log(`${caption}. Deno ${Deno.version.deno}, ${Deno.build.os}, ${cores} cores.\n`);
  console.log(table(runs));
  await Deno.writeTextFile(svg, plot(runs, caption));
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
