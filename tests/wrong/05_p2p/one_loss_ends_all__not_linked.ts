// Fails task 5: one-loss-ends-all — throws on the reset of somebody who has not said hello yet, where nobody catches it.

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
const MAX_DIALS_PER_LIST = 64;
const CHUNK_BYTES = 65_536;
const HASH_BYTES = 32;
const CHUNKS_IN_FLIGHT = 4;

const SHORT_MS = 200;

export interface Address {
  hostname: string;
  port: number;
}

export interface Message {
  from: string;
  body: Uint8Array;
}

export interface PeerOptions {
  id: string;
  hostname?: string;
  silenceMs?: number;
}

export interface Peer {
  readonly id: string;
  readonly addr: Address;
  connect(address: Address): Promise<string>;
  peers(): (Address & { id: string })[];
  send(id: string, body: Uint8Array): Promise<void>;
  broadcast(body: Uint8Array): Promise<void>;
  readonly messages: AsyncIterable<Message>;
  share(content: Uint8Array): Promise<string>;
  fetch(hash: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

// deno-lint-ignore require-await -- async, so that what the constructor throws is a rejection
export async function createPeer(options: PeerOptions): Promise<Peer> {
  return new LocalPeer(options);
}

type Bytes = Uint8Array<ArrayBuffer>;
type Header = { type: string } & Record<string, unknown>;
type Frame = { header: Header; body: Bytes };

function encodeFrame(header: Header, body: Uint8Array = new Uint8Array(0)): Bytes {
  const line = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
  const length = line.length + body.length;
  if (length > MAX_FRAME_BYTES) {
    throw new RangeError(
      `Cannot send ${body.length} bytes: a frame has ${MAX_FRAME_BYTES} at most`,
    );
  }
  const frame = new Uint8Array(4 + length);
  new DataView(frame.buffer).setUint32(0, length);
  frame.set(line, 4);
  frame.set(body, 4 + line.length);
  return frame;
}

async function* readFrames(conn: Deno.Conn, heard: () => void): AsyncGenerator<Frame> {
  async function fill(bytes: Uint8Array): Promise<boolean> {
    for (let came = 0; came < bytes.length;) {
      const count = await conn.read(bytes.subarray(came));
      if (count === null) return false;
      came += count;
      heard();
    }
    return true;
  }
  const prefix = new Uint8Array(4);
  while (await fill(prefix)) {
    const length = new DataView(prefix.buffer).getUint32(0);
    if (length > MAX_FRAME_BYTES) throw new RangeError(`A frame of ${length} bytes was announced`);
    const payload = new Uint8Array(length);
    if (!await fill(payload)) return;
    const lineEnd = payload.indexOf(0x0a);
    if (lineEnd < 0) throw new TypeError("A frame without header line");
    const line = new TextDecoder("utf-8", { fatal: true }).decode(payload.subarray(0, lineEnd));
    const header = JSON.parse(line);
    if (typeof header?.type !== "string") throw new TypeError("A header without type");
    yield { header, body: payload.subarray(lineEnd + 1) };
  }
}

class Link {
  id = "";
  readonly address: Address;
  readonly frames: AsyncGenerator<Frame>;
  questions = new Map<string, (answer?: Frame) => void>();
  readonly accepted = Promise.withResolvers<void>();
  readonly over = Promise.withResolvers<void>();
  error?: Error;
  readonly #queue: { bytes: Bytes; resolve: () => void; reject: (error: Error) => void }[] = [];
  #waitingBytes = 0;
  #writing = false;
  #retired = false;
  #timer?: ReturnType<typeof setTimeout>;
  #heardAt = performance.now();
  #pinged = false;
  #paused = false;

  constructor(
    readonly conn: Deno.TcpConn,
    readonly dialled: boolean,
    readonly silenceMs: number,
    readonly onEnd: (link: Link) => void,
  ) {
    this.address = { hostname: conn.remoteAddr.hostname, port: 0 };
    this.frames = readFrames(conn, () => this.#heard());
    conn.setNoDelay();
  }

  send(header: Header, body?: Uint8Array): Promise<void> {
    return this.queue(encodeFrame(header, body));
  }

  queue(bytes: Bytes): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.end(new Error("The peer reads too slowly"));
    if (this.error || this.#retired) {
      reject(this.error ?? new Deno.errors.NotConnected("The link has ended"));
    } else {
      this.#queue.push({ bytes, resolve, reject });
      this.#write();
    }
    return promise;
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    try {
      for (let next; (next = this.#queue[0]); this.#queue.shift()) {
        for (let sent = 0; sent < next.bytes.length;) {
          const count = await this.conn.write(next.bytes.subarray(sent));
          sent += count;
          this.#waitingBytes -= count;
        }
        next.resolve();
      }
      if (this.#retired) await this.conn.closeWrite();
    } catch (error) {
      if (this.#retired) return;
      this.end(error);
    }
    this.#writing = false;
  }

  watch(): void {
    const quietMs = performance.now() - this.#heardAt;
    const isQuiet = quietMs >= this.silenceMs / 2;
    if (isQuiet && this.#pinged && !this.#paused) return this.end(new Error("The peer is silent"));
    if (isQuiet) this.send({ type: "ping" });
    this.#pinged = isQuiet;
    this.#timer = setTimeout(() => this.watch(), this.silenceMs / 2 - (isQuiet ? 0 : quietMs));
  }

  #heard(): void {
    this.#heardAt = performance.now();
    this.#pinged = false;
  }

  async pause(promise: Promise<void>): Promise<void> {
    this.#paused = true;
    await promise;
    this.#paused = false;
    this.#heard();
  }

  retire(): void {
    this.#retired = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), this.silenceMs);
    this.over.resolve();
    this.#write();
  }

  end(cause?: unknown): void {
    if (this.error) return;
    this.error = new Deno.errors.NotConnected(`The link with "${this.id}" has ended`, { cause });
    clearTimeout(this.#timer);
    this.conn.close();
    for (const { reject } of this.#queue) reject(this.error);
    for (const answer of this.questions.values()) answer();
    this.over.resolve();
    this.onEnd(this);
  }
}

class LocalPeer implements Peer {
  readonly id: string;
  readonly addr: Deno.NetAddr;
  readonly messages = new Inbox();
  readonly #silenceMs: number;
  readonly #listener: Deno.TcpListener;
  readonly #links = new Map<string, Link>();
  readonly #open = new Set<Link>();
  readonly #dials = new Map<string, Promise<string>>();
  readonly #files = new Files();
  readonly #fetches = new Map<string, Promise<Uint8Array>>();
  readonly #tasks = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  #closed?: Promise<void>;

  constructor({ id, hostname = "127.0.0.1", silenceMs = 5000 }: PeerOptions) {
    if (!isId(id)) throw new TypeError(`Cannot be called "${id}": an id has 1 to 64 characters`);
    this.id = id;
    this.#silenceMs = silenceMs;
    this.#listener = Deno.listen({ hostname, port: 0 });
    this.addr = this.#listener.addr;
    this.#run(this.#accept());
  }

  #run(task: Promise<unknown>): void {
    const quiet = task.catch(() => {}).finally(() => this.#tasks.delete(quiet));
    this.#tasks.add(quiet);
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        const greeting = this.#greet(await this.#listener.accept(), false);
        this.#run(greeting);
        greeting.catch((error) => {
          if (error instanceof Deno.errors.ConnectionReset) throw error;
        });
      } catch {
        if (!this.#closed) await pause(1);
      }
    }
  }

  connect(address: Address): Promise<string> {
    const key = keyOf(address);
    const linked = this.#linkedAt(address);
    let dial = this.#dials.get(key);
    if (!dial && linked) return Promise.resolve(linked.id);
    if (!dial) {
      dial = this.#dial(address).finally(() => this.#dials.delete(key));
      this.#dials.set(key, dial);
      this.#run(dial);
    }
    return dial;
  }

  async #dial({ hostname, port }: Address): Promise<string> {
    this.#closing.signal.throwIfAborted();
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#silenceMs)]);
    const conn = await Deno.connect({ hostname, port, signal });
    if (conn.remoteAddr.hostname !== hostname) {
      conn.close();
      return await this.connect(conn.remoteAddr);
    }
    const link = await this.#greet(conn, true);
    await within(SHORT_MS, Promise.race([link.accepted.promise, link.over.promise]));
    if (!this.#links.has(link.id)) await pause(SHORT_MS);
    if (this.#links.has(link.id)) return link.id;
    throw link.error ?? new Deno.errors.NotConnected(`The link with "${link.id}" has ended`);
  }

  async #greet(conn: Deno.TcpConn, dialled: boolean): Promise<Link> {
    const link = new Link(conn, dialled, this.#silenceMs, (link) => this.#forget(link));
    this.#open.add(link);
    link.send({ type: "hello", version: 1, id: this.id, port: this.addr.port });
    const first = await within(
      this.#silenceMs,
      link.frames.next().catch((error) => {
        if (error instanceof Deno.errors.ConnectionReset) throw error;
        return undefined;
      }),
    );
    const hello: Header | undefined = first?.value?.header;
    const reason = this.#closed ? "closed" : this.#refusal(link, hello);
    if (reason) {
      if (hello?.type !== "refuse") await link.send({ type: "refuse", reason }).catch(() => {});
      link.end();
      throw new Deno.errors.ConnectionRefused(`Refused: ${reason}`);
    }
    this.#settle(link);
    this.#run(this.#read(link));
    return link;
  }

  #refusal(link: Link, hello: Header | undefined): string | undefined {
    if (hello?.type === "refuse") return String(hello.reason);
    if (hello?.type !== "hello" || hello.version !== 1) return "hello";
    if (!isId(hello.id) || !isPort(hello.port)) return "hello";
    if (hello.id === this.id) return "self";
    link.id = hello.id;
    link.address.port = hello.port;
    const known = this.#links.get(link.id);
    if (known && keyOf(known.address) !== keyOf(link.address)) return "id taken";
  }

  #settle(link: Link): void {
    const other = this.#links.get(link.id);
    const isBetter = link.dialled !== other?.dialled && link.dialled === (this.id < link.id);
    const loser = other && !isBetter ? link : other;
    if (loser !== link) {
      this.#links.set(link.id, link);
      link.watch();
      link.send({ type: "peers", peers: this.peers().filter(({ id }) => id !== link.id) });
    }
    if (!loser) return;
    if (loser !== link) [link.questions, loser.questions] = [loser.questions, link.questions];
    loser.send({ type: "refuse", reason: "duplicate" });
    loser.retire();
  }

  async #read(link: Link): Promise<void> {
    let error: unknown;
    try {
      for await (const { header, body } of link.frames) {
        if (header.type !== "refuse") {
          link.accepted.resolve();
          this.#take(link, header, body);
          if (this.messages.isFull) await link.pause(this.messages.room());
        } else if (header.reason === "duplicate" && !this.#closed) {
          await within(this.#silenceMs, link.over.promise);
        } else {
          throw new Deno.errors.ConnectionRefused(`Refused: ${header.reason}`);
        }
      }
    } catch (cause) {
      error = cause;
    }
    link.end(error);
  }

  #take(link: Link, header: Header, body: Bytes): void {
    const current = this.#links.get(link.id) ?? link;
    switch (header.type) {
      case "message":
        return this.messages.put({ from: link.id, body });
      case "peers":
        return this.#discover(header.peers);
      case "ping":
        return void current.send({ type: "pong" });
      case "want":
      case "get":
        return void current.send(...this.#files.answer(header));
      case "manifest":
      case "chunk":
      case "missing":
        return current.questions.get(questionKey(header))?.({ header, body });
    }
  }

  #discover(entries: unknown): void {
    const strangers = (Array.isArray(entries) ? entries : []).filter((entry) =>
      isId(entry?.id) && isPort(entry.port) && typeof entry.hostname === "string" &&
      entry.id !== this.id && keyOf(entry) !== keyOf(this.addr) && !this.#links.has(entry.id) &&
      !this.#linkedAt(entry) && !this.#dials.has(keyOf(entry))
    );
    for (const { hostname, port } of strangers.slice(0, MAX_DIALS_PER_LIST)) {
      this.connect({ hostname, port }).catch(() => {});
    }
  }

  #linkedAt(address: Address): Link | undefined {
    return this.#links.values().find((link) => keyOf(link.address) === keyOf(address));
  }

  #forget(link: Link): void {
    this.#open.delete(link);
    if (this.#links.get(link.id) === link) this.#links.delete(link.id);
  }

  peers(): (Address & { id: string })[] {
    const peers = this.#links.values().map(({ id, address }) => ({ id, ...address }));
    return [...peers].sort((a, b) => a.id < b.id ? -1 : 1);
  }

  async send(id: string, body: Uint8Array): Promise<void> {
    const link = this.#links.get(id);
    if (!link) throw new Deno.errors.NotConnected(`There is no link with "${id}"`);
    await link.send({ type: "message" }, body);
  }

  // deno-lint-ignore require-await -- no link is waited for, and that is the point
  async broadcast(body: Uint8Array): Promise<void> {
    const frame = encodeFrame({ type: "message" }, body);
    for (const link of this.#links.values()) link.queue(frame);
  }

  share(content: Uint8Array): Promise<string> {
    return this.#files.add(content);
  }

  async fetch(hash: string): Promise<Uint8Array> {
    let content: Uint8Array | undefined = this.#files.get(hash);
    if (!content) {
      const fetching = this.#fetches.get(hash) ??
        this.#download(hash).finally(() => this.#fetches.delete(hash));
      this.#fetches.set(hash, fetching);
      content = await fetching;
    }
    return content.slice();
  }

  async #download(hash: string): Promise<Uint8Array> {
    const download = new Download(hash, (id, question) => this.#ask(id, question));
    const chunks = await download.run([...this.#links.keys()]);
    if (!chunks) throw new Deno.errors.NotFound(`No linked peer delivers ${hash}`);
    const content = await new Blob(chunks).bytes();
    await this.#files.add(content);
    return content;
  }

  async #ask(id: string, question: Header): Promise<Frame | undefined> {
    const link = this.#links.get(id);
    if (!link) return undefined;
    const { promise, resolve } = Promise.withResolvers<Frame | undefined>();
    const key = questionKey(question);
    link.questions.set(key, resolve);
    link.send(question);
    const answer = await within(this.#silenceMs, promise);
    link.questions.delete(key);
    return answer;
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#closing.abort(new Deno.errors.BadResource("The peer is closed"));
    this.#listener.close();
    this.messages.close();
    this.#links.clear();
    for (const link of this.#open) link.retire();
    await within(SHORT_MS, Promise.all(this.#tasks));
    for (const link of this.#open) link.end();
    await Promise.all(this.#tasks);
  }
}

class Inbox implements AsyncIterable<Message> {
  #controller!: ReadableStreamDefaultController<Message>;
  #room = Promise.withResolvers<void>();
  #closed = false;
  readonly #reader = new ReadableStream<Message>({
    start: (controller) => void (this.#controller = controller),
    pull: () => this.#makeRoom(),
  }, { highWaterMark: MAX_UNREAD_BYTES, size: ({ body }) => body.length }).getReader();

  get isFull(): boolean {
    return !this.#closed && this.#controller.desiredSize! <= 0;
  }

  room(): Promise<void> {
    return this.#room.promise;
  }

  #makeRoom(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  put(message: Message): void {
    if (!this.#closed) this.#controller.enqueue(message);
  }

  close(): void {
    this.#closed = true;
    this.#controller.close();
    this.#makeRoom();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message> {
    return { next: () => this.#reader.read() as Promise<IteratorResult<Message>> };
  }
}

const keyOf = ({ hostname, port }: Address): string => `${hostname} ${port}`;

const isId = (id: unknown): id is string =>
  typeof id === "string" && id.length >= 1 && id.length <= 64;

const isPort = (port: unknown): port is number =>
  Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timeout.resolve(undefined), ms);
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function sha256(bytes: Bytes): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

const questionKey = ({ hash, index }: Header): string => `${hash} ${index ?? "manifest"}`;

class Files {
  readonly #contents = new Map<unknown, { bytes: Bytes; manifest: Bytes }>();

  async add(content: Uint8Array): Promise<string> {
    const bytes = content.slice();
    const hashes: Promise<string>[] = [];
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      hashes.push(sha256(bytes.subarray(at, at + CHUNK_BYTES)));
    }
    const manifest = Uint8Array.fromHex((await Promise.all(hashes)).join(""));
    const hash = await sha256(manifest);
    this.#contents.set(hash, { bytes, manifest });
    return hash;
  }

  get(hash: string): Bytes | undefined {
    return this.#contents.get(hash)?.bytes;
  }

  answer({ type, hash, index }: Header): [Header, Bytes?] {
    const content = this.#contents.get(hash);
    if (type === "want" && content) {
      return [{ type: "manifest", hash, size: content.bytes.length }, content.manifest];
    }
    const start = Number.isInteger(index) ? Number(index) * CHUNK_BYTES : -1;
    if (!content || start < 0 || start >= content.bytes.length) {
      return [{ type: "missing", hash, index }];
    }
    return [{ type: "chunk", hash, index }, content.bytes.subarray(start, start + CHUNK_BYTES)];
  }
}

type Source = { id: string; size: number; inFlight: number; lacks: Set<number> };

class Download {
  #hashes?: string[];
  readonly #chunks = new Map<number, Bytes>();
  #open = new Set<number>();
  readonly #sources = new Set<Source>();
  #started = false;
  #unanswered = 0;
  readonly #result = Promise.withResolvers<Bytes[] | undefined>();

  constructor(
    readonly hash: string,
    readonly ask: (id: string, question: Header) => Promise<Frame | undefined>,
  ) {}

  async run(ids: string[]): Promise<Bytes[] | undefined> {
    const offers = ids.map((id) => this.#offer(id));
    await within(SHORT_MS, Promise.all(offers));
    this.#started = true;
    this.#assign();
    return await this.#result.promise;
  }

  async #offer(id: string): Promise<void> {
    this.#unanswered++;
    const answer = await this.ask(id, { type: "want", hash: this.hash });
    const size = Number(answer?.header.size);
    if (
      answer?.header.type === "manifest" && Number.isSafeInteger(size) &&
      answer.body.length === HASH_BYTES * Math.ceil(size / CHUNK_BYTES) &&
      await sha256(answer.body) === this.hash
    ) {
      if (!this.#hashes) {
        this.#hashes = answer.body.toHex().match(/.{64}/g) ?? [];
        this.#open = new Set(this.#hashes.keys());
      }
      this.#sources.add({ id, size, inFlight: 0, lacks: new Set() });
    }
    this.#unanswered--;
    this.#assign();
  }

  #assign(): void {
    if (!this.#started) return;
    for (let next; (next = this.#next());) this.#get(...next);
    if (this.#hashes && this.#chunks.size === this.#hashes.length) {
      this.#result.resolve(this.#hashes.map((_, index) => this.#chunks.get(index)!));
    } else if (this.#unanswered === 0) {
      this.#result.resolve(undefined);
    }
  }

  #next(): [Source, number] | undefined {
    for (const source of [...this.#sources].sort((a, b) => a.inFlight - b.inFlight)) {
      if (source.inFlight === CHUNKS_IN_FLIGHT) return;
      for (const index of this.#open) if (!source.lacks.has(index)) return [source, index];
    }
  }

  async #get(source: Source, index: number): Promise<void> {
    this.#open.delete(index);
    this.#unanswered++;
    source.inFlight++;
    const answer = await this.ask(source.id, { type: "get", hash: this.hash, index });
    if (
      answer?.header.type === "chunk" &&
      answer.body.length === Math.min(CHUNK_BYTES, source.size - index * CHUNK_BYTES) &&
      await sha256(answer.body) === this.#hashes![index]
    ) {
      this.#chunks.set(index, answer.body);
    } else {
      this.#open.add(index);
      if (answer?.header.type === "missing") source.lacks.add(index);
      else this.#sources.delete(source);
    }
    source.inFlight--;
    this.#unanswered--;
    this.#assign();
  }
}
