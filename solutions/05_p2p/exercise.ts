/**
 * Lesson 5, solved: every node is client and server.
 *
 * Why it has this shape: there are four parts, and each trusts no stranger. *Frames* cut the stream. A
 * *link* is one connection that reads and writes at the same time and may end at any moment. The *peer*
 * decides who is linked. *Files* are believed only as far as their hashes go. Whatever goes wrong on a
 * link ends that link, and is thrown nowhere but at those who wait for it.
 *
 * @module
 */

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
const MAX_DIALS_PER_LIST = 64;
const CHUNK_BYTES = 65_536;
const HASH_BYTES = 32;
const CHUNKS_IN_FLIGHT = 4;

/** How long to wait for what a good peer does at once: its first word, its offer, its last word. */
const SHORT_MS = 200;

/** Where somebody listens. */
export interface Address {
  hostname: string;
  port: number;
}

/** What came, and the id of the peer at the other end of the link on which it came. */
export interface Message {
  from: string;
  body: Uint8Array;
}

export interface PeerOptions {
  /** 1 to 64 characters. */
  id: string;
  /** Where to listen, 127.0.0.1 by default. The port is for the OS to choose. */
  hostname?: string;
  /** After how many milliseconds without a byte a link is given up, 5000 by default. */
  silenceMs?: number;
}

/** A node of the network: it listens and it dials, and both give the same kind of link. */
export interface Peer {
  readonly id: string;
  /** Where it listens, with the real port. */
  readonly addr: Address;
  /**
   * Links with the peer that listens at `address` and resolves with its id, at once if there is a
   * link already. Rejects if nobody listens there, or if either side refuses.
   */
  connect(address: Address): Promise<string>;
  /** Who is linked, and where each of them *listens*, sorted by id. */
  peers(): (Address & { id: string })[];
  /**
   * Resolves when the kernel has taken the whole frame. Rejects with `Deno.errors.NotConnected` if
   * there is no link with that peer, and with any error if the link ends first.
   */
  send(id: string, body: Uint8Array): Promise<void>;
  /** Resolves when the message is in the queue of every link. None of them is waited for. */
  broadcast(body: Uint8Array): Promise<void>;
  /** What arrives, for one reader. Ends when the peer is closed. */
  readonly messages: AsyncIterable<Message>;
  /** Offers content to all peers. Resolves with its hash. */
  share(content: Uint8Array): Promise<string>;
  /**
   * Gets content in chunks from all linked peers that have it, and then offers it, too. Rejects with
   * `Deno.errors.NotFound` if they do not deliver it right.
   */
  fetch(hash: string): Promise<Uint8Array>;
  /** Closes the listener and all links, and leaves no timer. A second call is the first. */
  close(): Promise<void>;
}

/** Makes a peer and listens for others. Rejects if the id is not 1 to 64 characters long. */
// deno-lint-ignore require-await -- async, so that what the constructor throws is a rejection
export async function createPeer(options: PeerOptions): Promise<Peer> {
  return new LocalPeer(options);
}

// ------------------------------------------------------------------------------------------ frames
//
// A frame is a length, a line of JSON, and bytes. The line says what the frame is; as the length says
// where it ends, the bytes may be any, line feeds included.

type Bytes = Uint8Array<ArrayBuffer>;
type Header = { type: string } & Record<string, unknown>;
type Frame = { header: Header; body: Bytes };

/** What stands before the body. */
function encodeHead(header: Header, bodyBytes: number): Bytes {
  const line = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
  const length = line.length + bodyBytes;
  if (length > MAX_FRAME_BYTES) {
    throw new RangeError(`Cannot send ${bodyBytes} bytes: a frame has ${MAX_FRAME_BYTES} at most`);
  }
  const head = new Uint8Array(4 + line.length);
  new DataView(head.buffer).setUint32(0, length);
  head.set(line, 4);
  return head;
}

/** Yields frames until the stream ends; throws at the first that is none. `heard` is told of each read. */
async function* readFrames(conn: Deno.Conn, heard: () => void): AsyncGenerator<Frame> {
  // As in lesson 3: one read gives what has arrived, not what was asked for.
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
    // The length is a stranger's word: first the limit, then the memory.
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

// -------------------------------------------------------------------------------------------- link
//
// Two things go on at a link at the same time, and neither waits for the other: `#write()` empties the
// queue, and whoever iterates `frames` reads. That is all it takes for both directions at once.

/** One frame that is to be written: its head, and its body, which is not copied for that. */
interface Waiting {
  parts: Uint8Array[];
  resolve: () => void;
  reject: (error: Error) => void;
}

/** One connection, whoever dialled it, and the queue of what is to be written to it. */
class Link {
  id = "";
  readonly address: Address;
  readonly frames: AsyncGenerator<Frame>;
  /** Who waits for which answer of this peer. */
  questions = new Map<string, (answer?: Frame) => void>();
  /** After its hello came another frame: the other side accepts this connection, too. */
  readonly accepted = Promise.withResolvers<void>();
  /** This connection is the link no more: it has ended, or a better one is there. */
  readonly over = Promise.withResolvers<void>();
  error?: Error;
  readonly #queue: Waiting[] = [];
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
    // Small frames go at once: Nagle's algorithm would keep the second back until the first is
    // acknowledged, which takes some 40 ms (RFC 9293, section 3.7.4).
    conn.setNoDelay();
  }

  /**
   * Queues a frame, whose body has to stay as it is until the promise is settled. That is for whom it concerns: nobody
   * has to await or catch it.
   */
  send(header: Header, body: Uint8Array = new Uint8Array(0)): Promise<void> {
    const parts = [encodeHead(header, body.length), body];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    this.#waitingBytes += parts[0]!.length + body.length;
    // Who does not read costs memory here: so much of it, and no more.
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.end(new Error("The peer reads too slowly"));
    if (this.error || this.#retired) {
      reject(this.error ?? new Deno.errors.NotConnected("The link has ended"));
    } else {
      this.#queue.push({ parts, resolve, reject });
      this.#write();
    }
    return promise;
  }

  /** The only place that writes. So frames never mix, and no other link waits for this one. */
  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    try {
      for (let next; (next = this.#queue[0]); this.#queue.shift()) {
        for (const bytes of next.parts) {
          for (let sent = 0; sent < bytes.length;) {
            const count = await this.conn.write(bytes.subarray(sent));
            sent += count;
            this.#waitingBytes -= count;
          }
        }
        next.resolve();
      }
      if (this.#retired) await this.conn.closeWrite();
    } catch (error) {
      // What the other side sent before it left may still arrive.
      if (this.#retired) return;
      this.end(error);
    }
    this.#writing = false;
  }

  /** From here on silence counts. A ping asks for a sign of life before it is too late. */
  watch(): void {
    const quietMs = performance.now() - this.#heardAt;
    const isQuiet = quietMs >= this.silenceMs / 2;
    // Only after a ping, so that time in which this process stood still is not the other's silence.
    if (isQuiet && this.#pinged && !this.#paused) return this.end(new Error("The peer is silent"));
    if (isQuiet) this.send({ type: "ping" });
    this.#pinged = isQuiet;
    this.#timer = setTimeout(() => this.watch(), this.silenceMs / 2 - (isQuiet ? 0 : quietMs));
  }

  /** Any byte is a sign of life, also one in the middle of a long frame. */
  #heard(): void {
    this.#heardAt = performance.now();
    this.#pinged = false;
  }

  /** Until `promise` is settled nothing is read, so hearing nothing says nothing. */
  async pause(promise: Promise<void>): Promise<void> {
    this.#paused = true;
    await promise;
    this.#paused = false;
    this.#heard();
  }

  /** Ends its own direction after what is waiting; what the other side has sent still arrives. */
  retire(): void {
    this.#retired = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), this.silenceMs);
    this.over.resolve();
    this.#write();
  }

  /** Ends it at once. Nobody is told but who waits for it. */
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

// -------------------------------------------------------------------------------------------- peer
//
// A map from id to link is the whole of a peer's knowledge of the network. It changes in two places:
// in `#settle()`, when hellos were exchanged, and in `#forget()`, when a link has ended.

class LocalPeer implements Peer {
  readonly id: string;
  readonly addr: Deno.NetAddr;
  readonly messages = new Inbox();
  readonly #silenceMs: number;
  readonly #listener: Deno.TcpListener;
  readonly #links = new Map<string, Link>();
  /** Every open connection, also before its hello and after another became the link. */
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

  /** Lets something go on by itself. What it throws was told to whom it concerns. */
  #run(task: Promise<unknown>): void {
    const quiet = task.catch(() => {}).finally(() => this.#tasks.delete(quiet));
    this.#tasks.add(quiet);
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        // The greeting is not awaited: who connects and says nothing holds up nobody.
        this.#run(this.#greet(await this.#listener.accept(), false));
      } catch {
        // A client that has gone already, or no descriptors: no reason to stop, or to spin.
        if (!this.#closed) await pause(1);
      }
    }
  }

  connect(address: Address): Promise<string> {
    // Whoever asks twice, or is told of the same address by two peers, shares one connection.
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

  /** Resolves when both sides have accepted, by this connection or by another one. */
  async #dial({ hostname, port }: Address): Promise<string> {
    this.#closing.signal.throwIfAborted();
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#silenceMs)]);
    const conn = await Deno.connect({ hostname, port, signal });
    if (conn.remoteAddr.hostname !== hostname) {
      // A name was given. Addresses can be compared, and this may be one that we know.
      conn.close();
      return await this.connect(conn.remoteAddr);
    }
    const link = await this.#greet(conn, true);
    // Hellos cross. That theirs is fine for us does not say that ours is fine for them.
    await within(SHORT_MS, Promise.race([link.accepted.promise, link.over.promise]));
    // If they gave it up for one of theirs, without a word, that one may be a moment behind.
    const isRefused = link.error?.cause instanceof Deno.errors.ConnectionRefused;
    if (!isRefused && !this.#links.has(link.id)) await pause(SHORT_MS);
    if (this.#links.has(link.id)) return link.id;
    throw link.error ?? new Deno.errors.NotConnected(`The link with "${link.id}" has ended`);
  }

  /** Exchanges hellos on a new connection, dialled or accepted, and decides what becomes of it. */
  async #greet(conn: Deno.TcpConn, dialled: boolean): Promise<Link> {
    const link = new Link(conn, dialled, this.#silenceMs, (link) => this.#forget(link));
    this.#open.add(link);
    // The classic mistakes avoided: to wait for the other's hello first, as then both may wait for
    // ever; and to take the connection's own port for the one where somebody listens.
    link.send({ type: "hello", version: 1, id: this.id, port: this.addr.port });
    const first = await within(this.#silenceMs, link.frames.next().catch(() => undefined));
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

  /** Why this hello will not do. A name belongs to whoever came first: nothing here proves it. */
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

  /** Makes a connection the link, unless the one that there is stays. */
  #settle(link: Link): void {
    const other = this.#links.get(link.id);
    // The classic mistake avoided: if each side keeps its own, two links stay, or none. This rule says
    // the same on both: the one that the smaller id dialled; of two that one side dialled, the first.
    const isBetter = link.dialled !== other?.dialled && link.dialled === (this.id < link.id);
    const loser = other && !isBetter ? link : other;
    if (loser !== link) {
      this.#links.set(link.id, link);
      link.watch();
      // Once per link and never passed on: whoever comes later is sent a list of its own.
      link.send({ type: "peers", peers: this.peers().filter(({ id }) => id !== link.id) });
    }
    if (!loser) return;
    if (loser !== link) [link.questions, loser.questions] = [loser.questions, link.questions];
    loser.send({ type: "refuse", reason: "duplicate" });
    loser.retire();
  }

  /** Reads a link to its end, whatever waits to be written: two full pipes cannot lock each other. */
  async #read(link: Link): Promise<void> {
    let error: unknown;
    try {
      for await (const { header, body } of link.frames) {
        if (header.type !== "refuse") {
          link.accepted.resolve();
          this.#take(link, header, body);
          if (this.messages.isFull) await link.pause(this.messages.room());
        } else if (header.reason === "duplicate" && !this.#closed) {
          // They know of a better connection and we do not yet: until then this one keeps the place.
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

  /** Does what a frame asks for. Types that are not known here are for peers that are newer. */
  #take(link: Link, header: Header, body: Bytes): void {
    // What came on a connection that was given up is answered on the one that stayed.
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

  /** Dials whom we do not know. Whether they are there and who they are, only their hello tells. */
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

  /** By where they listen, which is what a list, or a user, can tell of somebody before the hello. */
  #linkedAt(address: Address): Link | undefined {
    return this.#links.values().find((link) => keyOf(link.address) === keyOf(address));
  }

  /** Called by every link when it ends, for whatever reason. All others go on. */
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
    // One copy for all: when this resolves, the bytes are the caller's again.
    const copy = new Uint8Array(body);
    for (const link of this.#links.values()) link.send({ type: "message" }, copy);
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
    // Whoever has it serves it, too: with each peer that wants it there is one more to give it.
    await this.#files.add(content);
    return content;
  }

  /** A peer's answer, or `undefined` if there is none in time or the peer is lost. */
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
    // A half-close first, as in lesson 4, so that what was sent arrives. Soon after, the end.
    for (const link of this.#open) link.retire();
    await within(SHORT_MS, Promise.all(this.#tasks));
    for (const link of this.#open) link.end();
    await Promise.all(this.#tasks);
  }
}

/** Messages that have come and are not read. A stream is a queue that knows when it is full. */
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

  /** Resolves when it is full no more. */
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
    // No `return()`: who leaves a loop may come back with another one.
    return { next: () => this.#reader.read() as Promise<IteratorResult<Message>> };
  }
}

const keyOf = ({ hostname, port }: Address): string => `${hostname} ${port}`;

const isId = (id: unknown): id is string =>
  typeof id === "string" && id.length >= 1 && id.length <= 64;

const isPort = (port: unknown): port is number =>
  Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What `promise` gives, or `undefined` if it takes longer than `ms`. Leaves no timer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timeout.resolve(undefined), ms);
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

// ------------------------------------------------------------------------------------------- files
//
// Content is cut into chunks; the SHA-256 of each, one after the other, are its manifest, and the
// SHA-256 of the manifest is its name. Who knows the name can check the manifest, and with that every
// chunk. So it may come from anybody, and it does not matter whether they are honest.

async function sha256(bytes: Bytes): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** The same for a question and for its answer. */
const questionKey = ({ hash, index }: Header): string => `${hash} ${index ?? "manifest"}`;

/** What this peer can serve. */
class Files {
  readonly #contents = new Map<unknown, { bytes: Bytes; manifest: Bytes }>();

  async add(content: Uint8Array): Promise<string> {
    // A copy, as the caller may change its own.
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

  /** The answer to `want` or `get`. */
  answer({ type, hash, index }: Header): [Header, Bytes?] {
    const content = this.#contents.get(hash);
    if (type === "want" && content) {
      return [{ type: "manifest", hash, size: content.bytes.length }, content.manifest];
    }
    // An index is a stranger's word, too.
    const start = Number.isInteger(index) ? Number(index) * CHUNK_BYTES : -1;
    if (!content || start < 0 || start >= content.bytes.length) {
      return [{ type: "missing", hash, index }];
    }
    return [{ type: "chunk", hash, index }, content.bytes.subarray(start, start + CHUNK_BYTES)];
  }
}

/** A peer that says that it has what we want. */
type Source = { id: string; size: number; inFlight: number; lacks: Set<number> };

/** Gets one content from many peers. After every answer `#assign()` asks for what is left. */
class Download {
  /** The SHA-256 of every chunk, once any peer has sent a manifest that is right. */
  #hashes?: string[];
  readonly #chunks = new Map<number, Bytes>();
  /** What is neither here nor asked of anybody. */
  #open = new Set<number>();
  readonly #sources = new Set<Source>();
  #started = false;
  #unanswered = 0;
  readonly #result = Promise.withResolvers<Bytes[] | undefined>();

  constructor(
    readonly hash: string,
    readonly ask: (id: string, question: Header) => Promise<Frame | undefined>,
  ) {}

  /** Resolves with the content, in pieces, or `undefined` if those peers do not deliver it. */
  async run(ids: string[]): Promise<Bytes[] | undefined> {
    const offers = ids.map((id) => this.#offer(id));
    // Some patience, or the first to answer would deliver it all. Later ones join when they come.
    await within(SHORT_MS, Promise.all(offers));
    this.#started = true;
    this.#assign();
    return await this.#result.promise;
  }

  async #offer(id: string): Promise<void> {
    this.#unanswered++;
    const answer = await this.ask(id, { type: "want", hash: this.hash });
    const size = Number(answer?.header.size);
    // The hash that we want proves the hashes of the chunks. The size is only this peer's word.
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
      // In the order of the content, which is not that of arrival.
      this.#result.resolve(this.#hashes.map((_, index) => this.#chunks.get(index)!));
    } else if (this.#unanswered === 0) {
      this.#result.resolve(undefined);
    }
  }

  /** What to ask of whom: the least busy first, so that each does a share, and a few at a time. */
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
    // The classic mistake avoided: that it was asked for does not make it what was asked for.
    if (
      answer?.header.type === "chunk" &&
      answer.body.length === Math.min(CHUNK_BYTES, source.size - index * CHUNK_BYTES) &&
      await sha256(answer.body) === this.#hashes![index]
    ) {
      this.#chunks.set(index, answer.body);
    } else {
      this.#open.add(index);
      // Who lacks one chunk may have others. Who lies, is silent or is gone is asked no more.
      if (answer?.header.type === "missing") source.lacks.add(index);
      else this.#sources.delete(source);
    }
    source.inFlight--;
    this.#unanswered--;
    this.#assign();
  }
}
