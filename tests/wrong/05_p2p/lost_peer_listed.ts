// Fails task 4, 5, 6: lost-peer-listed — lists everybody with whom it was ever linked, also those who have left.

export interface Endpoint {
  hostname: string;
  port: number;
}

interface Head extends Record<string, unknown> {
  type: string;
}

interface Packet {
  head: Head;
  body: Uint8Array<ArrayBuffer>;
}

interface Delivery {
  from: string;
  body: Uint8Array;
}

export class NoLink extends Deno.errors.NotConnected {
  override name = "NoLink";
}

export class Refused extends Error {
  override name = "Refused";
  constructor(readonly reason: string) {
    super(`Refused: ${reason}`);
  }
}

const LIMITS = {
  frame: 2 ** 24,
  waiting: 2 ** 25,
  unread: 2 ** 26,
  chunk: 2 ** 16,
  inFlight: 4,
  dials: 64,
} as const;

/** A promise that is settled from outside, and whose rejection nobody has to catch. */
class Deferred<T = void> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}

/** A timer that is gone at the end of its block. */
class Timer implements Disposable {
  readonly #id;
  readonly over = new Deferred<undefined>();

  constructor(ms: number) {
    this.#id = setTimeout(() => this.over.resolve(undefined), ms);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#id);
  }
}

async function atMost<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  using timer = new Timer(ms);
  return await Promise.race([promise, timer.over.promise]);
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= 64;
const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 0xffff;
const same = (a: Endpoint, b: Endpoint) => a.port === b.port && a.hostname === b.hostname;

/** A connection as a sequence of packets, in both directions. */
class Link implements Disposable, AsyncIterable<Packet> {
  name = "";
  readonly endpoint: Endpoint;
  readonly confirmed = new Deferred();
  readonly superseded = new Deferred();
  waiters = new Map<string, Deferred<Packet | undefined>>();
  isOpen = true;
  isLeaving = false;
  failure: unknown;
  #outbox: { bytes: Uint8Array; offset: number; done: Deferred }[] = [];
  #waiting = 0;
  #isWriting = false;
  #lastRead = performance.now();
  #asked = false;
  #resting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #packets: AsyncGenerator<Packet>;

  constructor(readonly conn: Deno.TcpConn, readonly isDialled: boolean, readonly silence: number) {
    this.endpoint = { hostname: conn.remoteAddr.hostname, port: 0 };
    this.#packets = this.#parse();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Packet> {
    return this.#packets;
  }

  async #take(size: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = new Uint8Array(size);
    let rest = bytes;
    while (rest.length > 0) {
      const count = await this.conn.read(rest);
      if (count === null) return undefined;
      rest = rest.subarray(count);
      this.#touch();
    }
    return bytes;
  }

  async *#parse(): AsyncGenerator<Packet> {
    for (let prefix; (prefix = await this.#take(4));) {
      const size = prefix.reduce((sum, byte) => sum * 256 + byte, 0);
      if (size > LIMITS.frame) throw new RangeError(`Frame of ${size} bytes`);
      const bytes = await this.#take(size);
      if (!bytes) return;
      const end = bytes.indexOf("\n".charCodeAt(0));
      if (end < 0) throw new SyntaxError("Frame without header");
      const line = bytes.subarray(0, end);
      const head = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
      if (typeof head?.type !== "string") throw new SyntaxError("Header without type");
      yield { head, body: bytes.subarray(end + 1) };
    }
  }

  write(head: Head, body?: Uint8Array): Promise<void> {
    const line = new TextEncoder().encode(JSON.stringify(head));
    const size = line.length + 1 + (body?.length ?? 0);
    if (size > LIMITS.frame) throw new RangeError(`Frame of ${size} bytes`);
    const bytes = new Uint8Array(4 + size);
    new DataView(bytes.buffer).setUint32(0, size);
    bytes.set(line, 4);
    bytes[4 + line.length] = 10;
    if (body) bytes.set(body, 5 + line.length);

    const done = new Deferred();
    if (!this.isOpen || this.isLeaving) {
      done.reject(new NoLink(`No link with ${this.name}`));
      return done.promise;
    }
    this.#outbox.push({ bytes, offset: 0, done });
    this.#waiting += bytes.length;
    if (this.#waiting > LIMITS.waiting) this.drop(new Error("Too slow"));
    else this.#flush();
    return done.promise;
  }

  async #flush(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      while (this.#outbox.length > 0) {
        const first = this.#outbox[0]!;
        const count = await this.conn.write(first.bytes.subarray(first.offset));
        first.offset += count;
        this.#waiting -= count;
        if (first.offset < first.bytes.length) continue;
        first.done.resolve();
        this.#outbox.shift();
      }
      if (this.isLeaving) await this.conn.closeWrite();
      this.#isWriting = false;
    } catch (error) {
      if (!this.isLeaving) this.drop(error);
    }
  }

  #touch(): void {
    this.#lastRead = performance.now();
    this.#asked = false;
  }

  /** Asks for a sign of life after half the silence, and gives up after all of it. */
  guard(): void {
    const quiet = performance.now() - this.#lastRead;
    const half = this.silence / 2;
    let next = half - quiet;
    if (next <= 0) {
      if (this.#asked && !this.#resting) return this.drop(new Error("Silent"));
      this.#asked = true;
      this.write({ type: "ping" });
      next = half;
    }
    this.#timer = setTimeout(() => this.guard(), next);
  }

  async rest(until: Promise<void>): Promise<void> {
    this.#resting = true;
    await until;
    this.#resting = false;
    this.#touch();
  }

  leave(): void {
    this.isLeaving = true;
    this.superseded.resolve();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.drop(new Error("Did not leave")), this.silence);
    this.#flush();
  }

  drop(failure?: unknown): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.failure = failure;
    clearTimeout(this.#timer);
    this.conn.close();
    for (const { done } of this.#outbox) done.reject(new NoLink(`Lost ${this.name}`));
    for (const waiter of this.waiters.values()) waiter.resolve(undefined);
    this.superseded.resolve();
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}

/** What came and was not fetched. */
class Mailbox implements AsyncIterable<Delivery> {
  readonly #items: Delivery[] = [];
  #size = 0;
  #event = new Deferred();
  #isClosed = false;

  #signal(): void {
    this.#event.resolve();
    this.#event = new Deferred();
  }

  get isFull(): boolean {
    return this.#size >= LIMITS.unread && !this.#isClosed;
  }

  async room(): Promise<void> {
    while (this.isFull) await this.#event.promise;
  }

  put(item: Delivery): void {
    if (this.#isClosed) return;
    this.#items.push(item);
    this.#size += item.body.length;
    this.#signal();
  }

  close(): void {
    this.#isClosed = true;
    this.#signal();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery> {
    while (true) {
      const item = this.#items.shift();
      if (item) {
        this.#size -= item.body.length;
        this.#signal();
        yield item;
      } else if (this.#isClosed) {
        return;
      } else {
        await this.#event.promise;
      }
    }
  }
}

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function* slices(bytes: Uint8Array<ArrayBuffer>, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Content, in chunks, with what proves it. */
class Piecework {
  private constructor(
    readonly hash: string,
    readonly size: number,
    readonly manifest: Uint8Array<ArrayBuffer>,
    readonly chunks: Uint8Array<ArrayBuffer>[],
  ) {}

  static async of(content: Uint8Array): Promise<Piecework> {
    const chunks = [...slices(content.slice(), LIMITS.chunk)];
    const hashes = await Promise.all(chunks.map(hashOf));
    const manifest = Uint8Array.fromHex(hashes.join(""));
    return new Piecework(await hashOf(manifest), content.length, manifest, chunks);
  }

  whole(): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.chunks.forEach((chunk, index) => bytes.set(chunk, index * LIMITS.chunk));
    return bytes;
  }
}

type Ask = (name: string, question: Head) => Promise<Packet | undefined>;

class Source {
  readonly lacks = new Set<number>();
  isBad = false;
  constructor(readonly name: string, readonly size: number) {}
}

/** Gets content in rounds: what is missing is dealt out to all who have it, until nothing is. */
class Harvest {
  readonly #sources: Source[] = [];
  readonly #offers = new Set<Promise<void>>();
  #hashes: string[] | undefined;
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(readonly hash: string, readonly ask: Ask) {}

  async from(names: Iterable<string>): Promise<Uint8Array | undefined> {
    for (const name of names) {
      const offer: Promise<void> = this.#offer(name).finally(() => this.#offers.delete(offer));
      this.#offers.add(offer);
    }
    await atMost(150, Promise.all(this.#offers));
    while (true) {
      const missing = this.#hashes?.map((_, index) => index).filter((i) => !this.#chunks.has(i));
      if (missing?.length === 0) return this.#joined();
      const plan = this.#deal(missing ?? []);
      if (plan.size > 0) {
        await Promise.all([...plan].map(([source, indexes]) => this.#collect(source, indexes)));
      } else if (this.#offers.size > 0) {
        await Promise.race(this.#offers);
      } else {
        return undefined;
      }
    }
  }

  async #offer(name: string): Promise<void> {
    const answer = await this.ask(name, { type: "want", hash: this.hash });
    if (answer?.head.type !== "manifest") return;
    const size = answer.head["size"];
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return;
    if (answer.body.length !== Math.ceil(size / LIMITS.chunk) * 32) return;
    if (await hashOf(answer.body) !== this.hash) return;
    this.#hashes ??= [...slices(answer.body, 32)].map((bytes) => bytes.toHex());
    this.#sources.push(new Source(name, size));
  }

  #deal(missing: number[]): Map<Source, number[]> {
    const plan = new Map<Source, number[]>();
    for (const [turn, index] of missing.entries()) {
      const able = this.#sources.filter((source) => !source.isBad && !source.lacks.has(index));
      const source = able[turn % able.length];
      if (source) plan.set(source, [...plan.get(source) ?? [], index]);
    }
    return plan;
  }

  async #collect(source: Source, indexes: number[]): Promise<void> {
    const queue = indexes.values();
    const lane = async () => {
      for (const index of queue) {
        await this.#get(source, index);
        if (source.isBad) return;
      }
    };
    await Promise.all(Array.from({ length: LIMITS.inFlight }, lane));
  }

  async #get(source: Source, index: number): Promise<void> {
    const answer = await this.ask(source.name, { type: "get", hash: this.hash, index });
    const size = Math.min(LIMITS.chunk, source.size - index * LIMITS.chunk);
    if (answer?.head.type === "missing") {
      source.lacks.add(index);
    } else if (
      answer?.head.type === "chunk" && answer.body.length === size &&
      await hashOf(answer.body) === this.#hashes?.[index]
    ) {
      this.#chunks.set(index, answer.body);
    } else {
      source.isBad = true;
    }
  }

  #joined(): Uint8Array {
    const chunks = this.#hashes!.map((_, index) => this.#chunks.get(index)!);
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    chunks.forEach((chunk, index) => bytes.set(chunk, index * LIMITS.chunk));
    return bytes;
  }
}

export class SocketPeer implements AsyncDisposable {
  readonly id: string;
  readonly addr: Deno.NetAddr;
  readonly messages = new Mailbox();
  readonly #silence: number;
  readonly #listener: Deno.TcpListener;
  readonly #links = new Map<string, Link>();
  readonly #met = new Map<string, Endpoint>();
  readonly #open = new Set<Link>();
  readonly #running = new Set<Promise<void>>();
  readonly #dials: { endpoint: Endpoint; result: Promise<string> }[] = [];
  readonly #shelf = new Map<unknown, Piecework>();
  readonly #abort = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(id: string, hostname: string, silence: number) {
    this.id = id;
    this.#silence = silence;
    this.#listener = Deno.listen({ hostname, port: 0 });
    this.addr = this.#listener.addr;
    this.#start(this.#accept());
  }

  #start(work: Promise<void>): void {
    const running: Promise<void> = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #accept(): Promise<void> {
    while (!this.#closing) {
      try {
        const conn = await this.#listener.accept();
        this.#start(this.#serve(conn, false, new Deferred<Link>()));
      } catch {
        using pause = new Timer(1);
        if (!this.#closing) await pause.over.promise;
      }
    }
  }

  /** All of a connection's life; never rejects. `greeted` is told what came of the hellos. */
  async #serve(conn: Deno.TcpConn, isDialled: boolean, greeted: Deferred<Link>): Promise<void> {
    using link = new Link(conn, isDialled, this.#silence);
    this.#open.add(link);
    try {
      link.write({ type: "hello", version: 1, id: this.id, port: this.addr.port });
      const packets = link[Symbol.asyncIterator]();
      const first = await atMost(this.#silence, packets.next().catch(() => undefined));
      const reason = this.#objection(link, first?.value?.head);
      if (reason) {
        if (!this.#closing) await link.write({ type: "refuse", reason });
        throw new Refused(reason);
      }
      this.#enter(link);
      greeted.resolve(link);
      let isReplaced = false;
      for await (const { head, body } of link) {
        if (head.type === "refuse") {
          if (head["reason"] !== "duplicate") throw new Refused(String(head["reason"]));
          isReplaced = true;
          continue;
        }
        link.confirmed.resolve();
        this.#handle(link, head, body);
        if (this.messages.isFull) await link.rest(this.messages.room());
      }
      if (isReplaced && !this.#closing) await atMost(this.#silence, link.superseded.promise);
      link.drop(new NoLink(`${link.name} left`));
    } catch (error) {
      greeted.reject(error);
      link.drop(error);
    } finally {
      this.#open.delete(link);
      this.#sweep();
    }
  }

  /** Links end by themselves; here they are taken out of the list. */
  #sweep(): void {
    for (const [name, link] of this.#links) if (!link.isOpen) this.#links.delete(name);
  }

  #objection(link: Link, head: Head | undefined): string | undefined {
    if (this.#closing || head?.type !== "hello" || head["version"] !== 1) return "hello";
    const { id, port } = head;
    if (!isName(id) || !isPort(port)) return "hello";
    if (id === this.id) return "self";
    link.name = id;
    link.endpoint.port = port;
    this.#sweep();
    const known = this.#links.get(id);
    return known && !same(known.endpoint, link.endpoint) ? "id taken" : undefined;
  }

  #enter(link: Link): void {
    const known = this.#links.get(link.name);
    const dialler = (one: Link) => one.isDialled ? this.id : one.name;
    const smaller = this.id < link.name ? this.id : link.name;
    let loser = known;
    if (known && (dialler(link) !== smaller || dialler(known) === smaller)) loser = link;
    if (loser !== link) {
      const peers = this.#linked()
        .map((other) => ({ id: other.name, ...other.endpoint }))
        .filter(({ id }) => id !== link.name);
      if (known) [link.waiters, known.waiters] = [known.waiters, link.waiters];
      this.#links.set(link.name, link);
      this.#met.set(link.name, link.endpoint);
      link.write({ type: "peers", peers });
      link.guard();
    }
    if (loser) {
      loser.write({ type: "refuse", reason: "duplicate" });
      loser.leave();
    }
  }

  #handle(link: Link, head: Head, body: Uint8Array<ArrayBuffer>): void {
    const back = this.#links.get(link.name) ?? link;
    const { hash, index } = head;
    switch (head.type) {
      case "message":
        this.messages.put({ from: link.name, body });
        break;
      case "ping":
        back.write({ type: "pong" });
        break;
      case "peers":
        this.#explore(head["peers"]);
        break;
      case "want": {
        const work = this.#shelf.get(hash);
        if (work) back.write({ type: "manifest", hash, size: work.size }, work.manifest);
        else back.write({ type: "missing", hash });
        break;
      }
      case "get": {
        const chunk = this.#shelf.get(hash)?.chunks[Number.isInteger(index) ? Number(index) : -1];
        if (chunk) back.write({ type: "chunk", hash, index }, chunk);
        else back.write({ type: "missing", hash, index });
        break;
      }
      case "manifest":
      case "chunk":
      case "missing":
        back.waiters.get(`${hash}#${index}`)?.resolve({ head, body });
    }
  }

  #explore(list: unknown): void {
    if (!Array.isArray(list)) return;
    let left: number = LIMITS.dials;
    for (const entry of list) {
      if (typeof entry !== "object" || entry === null) continue;
      const { id, hostname, port } = entry;
      if (!isName(id) || !isPort(port) || typeof hostname !== "string") continue;
      const endpoint = { hostname, port };
      if (id === this.id || same(endpoint, this.addr)) continue;
      if (this.#linked().some((link) => link.name === id || same(link.endpoint, endpoint))) {
        continue;
      }
      if (this.#dials.some((dial) => same(dial.endpoint, endpoint))) continue;
      if (left-- === 0) return;
      this.connect(endpoint).catch(() => {});
    }
  }

  connect(endpoint: Endpoint): Promise<string> {
    const busy = this.#dials.find((dial) => same(dial.endpoint, endpoint));
    if (busy) return busy.result;
    const link = this.#linked().find((link) => same(link.endpoint, endpoint));
    if (link) return Promise.resolve(link.name);
    const dial = { endpoint, result: this.#dial(endpoint) };
    this.#dials.push(dial);
    const forget = () => void this.#dials.splice(this.#dials.indexOf(dial), 1);
    this.#start(dial.result.then(forget, forget));
    return dial.result;
  }

  async #dial({ hostname, port }: Endpoint): Promise<string> {
    this.#abort.signal.throwIfAborted();
    const conn = await Deno.connect({ hostname, port, signal: this.#abort.signal });
    const greeted = new Deferred<Link>();
    this.#start(this.#serve(conn, true, greeted));
    const link = await greeted.promise;
    await atMost(200, Promise.race([link.confirmed.promise, link.superseded.promise]));
    if (!link.isOpen) {
      using pause = new Timer(50);
      if (!this.#links.has(link.name)) await pause.over.promise;
      if (!this.#links.has(link.name)) throw link.failure ?? new NoLink(`Lost ${link.name}`);
    }
    return link.name;
  }

  #linked(): Link[] {
    return [...this.#links.values()].filter((link) => link.isOpen);
  }

  peers(): ({ id: string } & Endpoint)[] {
    const names = [...this.#met.keys()].sort((a, b) => a === b ? 0 : a < b ? -1 : 1);
    return names.map((id) => ({ id, ...this.#met.get(id)! }));
  }

  async send(id: string, body: Uint8Array): Promise<void> {
    const link = this.#links.get(id);
    if (!link?.isOpen) throw new NoLink(`No link with ${id}`);
    await link.write({ type: "message" }, body);
  }

  // deno-lint-ignore require-await
  async broadcast(body: Uint8Array): Promise<void> {
    for (const link of this.#links.values()) link.write({ type: "message" }, body);
  }

  async share(content: Uint8Array): Promise<string> {
    const work = await Piecework.of(content);
    this.#shelf.set(work.hash, work);
    return work.hash;
  }

  async fetch(hash: string): Promise<Uint8Array> {
    if (!this.#shelf.has(hash)) {
      const harvest = new Harvest(hash, (name, question) => this.#ask(name, question));
      const content = await harvest.from(this.#linked().map(({ name }) => name));
      if (!content) throw new Deno.errors.NotFound(`Nobody delivers ${hash}`);
      await this.share(content);
    }
    return this.#shelf.get(hash)!.whole();
  }

  async #ask(name: string, question: Head): Promise<Packet | undefined> {
    const link = this.#links.get(name);
    if (!link?.isOpen) return undefined;
    const key = `${question["hash"]}#${question["index"]}`;
    const waiter = new Deferred<Packet | undefined>();
    // Two that want the same at the same time are both told.
    link.waiters.get(key)?.promise.then(waiter.resolve);
    if (!link.waiters.has(key)) link.waiters.set(key, waiter);
    link.write(question);
    const answer = await atMost(this.#silence, waiter.promise);
    if (link.waiters.get(key) === waiter) link.waiters.delete(key);
    return answer;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#abort.abort(new Deno.errors.BadResource("The peer is closed"));
    this.#listener.close();
    this.messages.close();
    this.#links.clear();
    for (const link of this.#open) link.leave();
    await atMost(100, Promise.all(this.#running));
    for (const link of this.#open) link.drop(new NoLink("The peer is closed"));
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export function createPeer(
  options: { id: string; hostname?: string; silenceMs?: number },
): Promise<SocketPeer> {
  return Promise.try(() => {
    const { id, hostname = "127.0.0.1", silenceMs = 5000 } = options;
    if (!isName(id)) throw new RangeError(`Not an id: ${id}`);
    return new SocketPeer(id, hostname, silenceMs);
  });
}
