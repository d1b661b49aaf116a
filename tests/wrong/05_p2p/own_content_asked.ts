// Fails task 6: own-content-asked — looks for links first, and rejects if there is none.

export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const MAX_WAITING_BYTES = 32 * 1024 * 1024;
export const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
export const CHUNK_BYTES = 65_536;
export const MAX_DIALS_PER_LIST = 64;

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

type Json = Record<string, unknown>;
interface Frame {
  header: Json;
  body: Uint8Array<ArrayBuffer>;
}
interface Content {
  manifest: Uint8Array<ArrayBuffer>;
  chunks: Uint8Array<ArrayBuffer>[];
  size: number;
}

class RefusedError extends Error {
  override name = "RefusedError";
  constructor(readonly reason: string) {
    super(`The other side refused: ${reason}`);
  }
}

const utf8 = new TextEncoder();

function encode(header: Json, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const line = utf8.encode(JSON.stringify(header) + "\n");
  const length = line.length + body.length;
  if (length > MAX_FRAME_BYTES) {
    throw new RangeError(`Cannot send frame: ${length} bytes are too many`);
  }
  const frame = new Uint8Array(4 + length);
  new DataView(frame.buffer).setUint32(0, length);
  frame.set(line, 4);
  frame.set(body, 4 + line.length);
  return frame;
}

function decode(frame: Uint8Array<ArrayBuffer>): Frame {
  const end = frame.indexOf(10);
  if (end < 0) throw new SyntaxError("Frame has no header line");
  const text = new TextDecoder("utf-8", { fatal: true }).decode(frame.subarray(0, end));
  const header = JSON.parse(text);
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new SyntaxError("Header is no object");
  }
  if (typeof header.type !== "string") throw new SyntaxError("Header has no type");
  return { header, body: frame.subarray(end + 1) };
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65535;
}
function isId(value: unknown): value is string {
  return typeof value === "string" && value.length >= 1 && value.length <= 64;
}

/** A queue for one reader. */
class Inbox implements AsyncIterable<Message> {
  #items: Message[] = [];
  #bytes = 0;
  #done = false;
  #wake = Promise.withResolvers<void>();
  #room = Promise.withResolvers<void>();

  put(message: Message): void {
    if (this.#done) return;
    this.#items.push(message);
    this.#bytes += message.body.length;
    this.#wake.resolve();
  }
  get full(): boolean {
    return this.#bytes >= MAX_UNREAD_BYTES && !this.#done;
  }
  async room(): Promise<void> {
    while (this.full) await this.#room.promise;
  }
  end(): void {
    this.#done = true;
    this.#wake.resolve();
    this.#room.resolve();
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<Message> {
    while (true) {
      const item = this.#items.shift();
      if (item) {
        this.#bytes -= item.body.length;
        this.#room.resolve();
        this.#room = Promise.withResolvers();
        yield item;
      } else if (this.#done) return;
      else {
        await this.#wake.promise;
        if (!this.#done) this.#wake = Promise.withResolvers();
      }
    }
  }
}

/** One connection, from its first byte to its end. */
class Connection implements Disposable {
  readonly aborter = new AbortController();
  readonly started = Promise.withResolvers<void>();
  id = "";
  address: Address = { hostname: "", port: 0 };
  heard = performance.now();
  paused = false;
  banned = new Set<string>();
  #questions = new Map<string, (answer: Frame | undefined) => void>();
  #buffer = new Uint8Array(CHUNK_BYTES);
  #start = 0;
  #end = 0;
  #queue: { frame: Uint8Array; done: PromiseWithResolvers<void> }[] = [];
  #waiting = 0;
  #writing = false;
  #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(readonly conn: Deno.TcpConn, readonly dialled: boolean) {
    this.started.promise.catch(() => {});
  }

  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  async #fill(n: number): Promise<boolean> {
    if (this.#buffer.length - this.#start < n) {
      const bigger = this.#buffer.length >= n ? this.#buffer : new Uint8Array(
        Math.min(n, Math.max(this.#buffer.length * 2, 2 * (this.#end - this.#start))),
      );
      bigger.set(this.#buffer.subarray(this.#start, this.#end));
      this.#end -= this.#start;
      this.#start = 0;
      this.#buffer = bigger;
    }
    while (this.#end - this.#start < n) {
      if (this.#end === this.#buffer.length) {
        const bigger = new Uint8Array(Math.min(n, this.#buffer.length * 2));
        bigger.set(this.#buffer.subarray(0, this.#end));
        this.#buffer = bigger;
      }
      const count = await this.conn.read(this.#buffer.subarray(this.#end));
      if (count === null) {
        if (this.#end > this.#start) throw new Deno.errors.UnexpectedEof("Frame is cut off");
        return false;
      }
      this.heard = performance.now();
      this.#end += count;
    }
    return true;
  }

  /** The next frame, or nothing at the end of the stream. */
  async frame(): Promise<Frame | undefined> {
    if (!await this.#fill(4)) return undefined;
    const length = new DataView(this.#buffer.buffer).getUint32(this.#start);
    if (length > MAX_FRAME_BYTES) throw new RangeError(`Frame of ${length} bytes is too long`);
    await this.#fill(4 + length);
    const bytes = this.#buffer.slice(this.#start + 4, this.#start + 4 + length);
    this.#start += 4 + length;
    if (this.#buffer.length > 4 * CHUNK_BYTES && this.#start === this.#end) {
      this.#buffer = new Uint8Array(CHUNK_BYTES);
      this.#start = this.#end = 0;
    }
    return decode(bytes);
  }

  /** Puts a frame into the queue. The promise is for those who want to know. */
  put(frame: Uint8Array): Promise<void> {
    const done = Promise.withResolvers<void>();
    done.promise.catch(() => {});
    if (this.signal.aborted) {
      done.reject(this.signal.reason);
      return done.promise;
    }
    this.#queue.push({ frame, done });
    this.#waiting += frame.length;
    if (this.#waiting > MAX_WAITING_BYTES) this.end(new Error("The peer reads too slowly"));
    else if (!this.#writing) this.#drain();
    return done.promise;
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#queue.length > 0) {
        const { frame, done } = this.#queue[0];
        for (let sent = 0; sent < frame.length;) {
          const count = await this.conn.write(frame.subarray(sent));
          sent += count;
          this.#waiting -= count;
        }
        this.#queue.shift();
        done.resolve();
      }
    } catch (error) {
      this.end(error);
    } finally {
      this.#writing = false;
    }
  }

  ask(header: Json, ms: number): Promise<Frame | undefined> {
    const key = `${header.hash} ${header.index ?? "manifest"}`;
    const { promise, resolve } = Promise.withResolvers<Frame | undefined>();
    if (this.signal.aborted) return Promise.resolve(undefined);
    const timer = setTimeout(() => settle(undefined), ms);
    this.#timers.add(timer);
    const settle = (answer: Frame | undefined) => {
      if (this.#questions.get(key) === settle) this.#questions.delete(key);
      clearTimeout(timer);
      this.#timers.delete(timer);
      resolve(answer);
    };
    this.#questions.set(key, settle);
    this.put(encode(header));
    return promise;
  }

  answer(frame: Frame): void {
    const { type, hash, index } = frame.header;
    if (type === "manifest" || type === "missing" && index === undefined) {
      this.#questions.get(`${hash} manifest`)?.(frame);
    } else {
      this.#questions.get(`${hash} ${index}`)?.(frame);
    }
  }

  every(ms: number, act: () => void): void {
    const timer = setInterval(act, ms);
    this.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Refuses politely: the word, our end of the stream, and what still comes. */
  async refuse(reason: string, ms: number): Promise<void> {
    const timer = setTimeout(() => this.end(new RefusedError(reason)), ms);
    try {
      await this.put(encode({ type: "refuse", reason }));
      await this.conn.closeWrite();
      while (await this.conn.read(this.#buffer) !== null);
    } catch {
    } finally {
      clearTimeout(timer);
      this.end(new RefusedError(reason));
    }
  }

  end(error: unknown): void {
    if (this.signal.aborted) return;
    this.aborter.abort(error instanceof Error ? error : new Error(String(error)));
    try {
      this.conn.close();
    } catch {
    }
    for (const { done } of this.#queue.splice(0)) done.reject(this.signal.reason);
    for (const settle of [...this.#questions.values()]) settle(undefined);
    this.started.reject(this.signal.reason);
  }

  [Symbol.dispose](): void {
    this.end(new Deno.errors.NotConnected("The link has ended"));
  }
}

class Node implements Peer {
  readonly #inbox = new Inbox();
  readonly messages: AsyncIterable<Message> = this.#inbox;
  readonly addr: Address;
  readonly #links = new Map<string, Connection>();
  readonly #connections = new Set<Connection>();
  readonly #dials = new Map<string, Promise<string>>();
  readonly #contents = new Map<string, Content>();
  readonly #fetches = new Map<string, Promise<Uint8Array>>();
  readonly #closing = new AbortController();
  readonly #waiters = new Set<() => void>();
  #closed?: Promise<void>;

  constructor(
    readonly id: string,
    readonly listener: Deno.TcpListener,
    readonly silenceMs: number,
  ) {
    this.addr = { hostname: listener.addr.hostname, port: listener.addr.port };
    this.#accept();
  }

  async #accept(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        const conn = await this.listener.accept();
        this.#run(new Connection(conn, false));
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
  }

  /** The whole life of a connection. */
  async #run(connection: Connection): Promise<void> {
    using link = connection;
    if (this.#closing.signal.aborted) return;
    this.#connections.add(link);
    try {
      if (!await this.#greet(link)) return;
      link.every(this.silenceMs / 8, this.#watch(link));
      link.put(encode({
        type: "peers",
        peers: this.peers().filter((peer) => peer.id !== link.id),
      }));
      while (true) {
        const frame = await link.frame();
        if (!frame) break;
        if (frame.header.type === "refuse") throw new RefusedError(String(frame.header.reason));
        link.started.resolve();
        this.#take(link, frame);
        if (this.#inbox.full) {
          link.paused = true;
          await this.#inbox.room();
          link.paused = false;
          link.heard = performance.now();
        }
      }
    } catch (error) {
      link.end(error);
    } finally {
      link.end(new Deno.errors.NotConnected("The link has ended"));
      this.#connections.delete(link);
      if (this.#links.get(link.id) === link) this.#links.delete(link.id);
    }
  }

  async #greet(link: Connection): Promise<boolean> {
    const { id, addr: { port } } = this;
    link.put(encode({ type: "hello", version: 1, id, port }));
    let header: Json | undefined;
    {
      const timer = setTimeout(
        () => link.end(new Deno.errors.TimedOut("No hello")),
        this.silenceMs,
      );
      try {
        header = (await link.frame())?.header;
      } catch {
      } finally {
        clearTimeout(timer);
      }
    }
    if (header?.type === "refuse") throw new RefusedError(String(header.reason));
    if (
      !header || header.type !== "hello" || header.version !== 1 || !isId(header.id) ||
      !isPort(header.port)
    ) {
      await link.refuse("hello", this.silenceMs);
      return false;
    }
    if (header.id === id) {
      await link.refuse("self", this.silenceMs);
      return false;
    }
    const address = { hostname: link.conn.remoteAddr.hostname, port: header.port };
    const known = this.#links.get(header.id);
    if (known) {
      if (known.address.hostname !== address.hostname || known.address.port !== address.port) {
        await link.refuse("id taken", this.silenceMs);
        return false;
      }
      const smaller = id < header.id;
      const knownStays = known.dialled === smaller || link.dialled !== smaller;
      if (knownStays) {
        link.id = header.id;
        await link.refuse("duplicate", this.silenceMs);
        return false;
      }
    }
    link.id = header.id;
    link.address = address;
    this.#links.set(link.id, link);
    if (known) known.refuse("duplicate", this.silenceMs);
    for (const wake of this.#waiters) wake();
    return true;
  }

  #watch(link: Connection): () => void {
    let pinged = 0;
    return () => {
      const now = performance.now();
      if (link.paused) return;
      if (now - link.heard >= this.silenceMs) {
        link.end(new Deno.errors.TimedOut("The peer is silent"));
      } else if (now - link.heard >= this.silenceMs / 2 && pinged < link.heard) {
        pinged = now;
        link.put(encode({ type: "ping" }));
      }
    };
  }

  #take(link: Connection, frame: Frame): void {
    const { header, body } = frame;
    switch (header.type) {
      case "message":
        this.#inbox.put({ from: link.id, body });
        break;
      case "ping":
        link.put(encode({ type: "pong" }));
        break;
      case "peers":
        this.#meet(header.peers);
        break;
      case "want": {
        const content = this.#contents.get(String(header.hash));
        const { hash } = header;
        if (!content) link.put(encode({ type: "missing", hash }));
        else link.put(encode({ type: "manifest", hash, size: content.size }, content.manifest));
        break;
      }
      case "get": {
        const { hash, index } = header;
        const chunk = this.#contents.get(String(hash))?.chunks[Number(index)];
        if (!chunk) link.put(encode({ type: "missing", hash, index }));
        else link.put(encode({ type: "chunk", hash, index }, chunk));
        break;
      }
      case "manifest":
      case "chunk":
      case "missing":
        link.answer(frame);
    }
  }

  #meet(list: unknown): void {
    if (!Array.isArray(list)) return;
    let dials = 0;
    for (const entry of list) {
      if (dials >= MAX_DIALS_PER_LIST) break;
      if (typeof entry !== "object" || entry === null) continue;
      const { id, hostname, port } = entry;
      if (!isId(id) || typeof hostname !== "string" || hostname === "" || !isPort(port)) continue;
      if (id === this.id || this.#links.has(id)) continue;
      if (hostname === this.addr.hostname && port === this.addr.port) continue;
      if (this.#linkAt({ hostname, port }) || this.#dials.has(`${hostname} ${port}`)) continue;
      dials++;
      this.connect({ hostname, port }).catch(() => {});
    }
  }

  #linkAt({ hostname, port }: Address): Connection | undefined {
    return this.#links.values().find((link) =>
      link.address.hostname === hostname && link.address.port === port
    );
  }

  async connect({ hostname, port }: Address): Promise<string> {
    const known = this.#linkAt({ hostname, port });
    if (known) return known.id;
    const key = `${hostname} ${port}`;
    let dial = this.#dials.get(key);
    if (!dial) {
      dial = this.#dial({ hostname, port }).finally(() => this.#dials.delete(key));
      this.#dials.set(key, dial);
    }
    return await dial;
  }

  async #dial(address: Address): Promise<string> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    const dialling = Deno.connect(address);
    const gone = Promise.withResolvers<never>();
    const stop = () => gone.reject(signal.reason);
    signal.addEventListener("abort", stop);
    let conn: Deno.TcpConn;
    try {
      conn = await Promise.race([dialling, gone.promise]);
    } catch (error) {
      dialling.then((late) => late.close(), () => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    const link = new Connection(conn, true);
    const life = this.#run(link);
    try {
      await link.started.promise;
      return link.id;
    } catch (error) {
      await life;
      const duplicate = link.id !== "" ||
        error instanceof RefusedError && error.reason === "duplicate";
      const found = () =>
        (link.id !== "" && this.#links.has(link.id) ? link.id : undefined) ??
          this.#linkAt({ hostname: address.hostname, port: address.port })?.id;
      if (duplicate && !found()) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(finish, this.silenceMs);
          const wake = () => found() && finish();
          const done = () => finish();
          const waiters = this.#waiters;
          function finish() {
            clearTimeout(timer);
            waiters.delete(wake);
            signal.removeEventListener("abort", done);
            resolve();
          }
          if (signal.aborted) return finish();
          waiters.add(wake);
          signal.addEventListener("abort", done);
        });
      }
      const id = found();
      if (id !== undefined) return id;
      throw error;
    }
  }

  peers(): (Address & { id: string })[] {
    return [...this.#links.values()]
      .map(({ id, address }) => ({ id, ...address }))
      .sort((a, b) => a.id < b.id ? -1 : 1);
  }

  async send(id: string, body: Uint8Array): Promise<void> {
    const link = this.#links.get(id);
    if (!link) throw new Deno.errors.NotConnected(`Cannot send: no link with "${id}"`);
    await link.put(encode({ type: "message" }, body));
  }

  // deno-lint-ignore require-await
  async broadcast(body: Uint8Array): Promise<void> {
    const frame = encode({ type: "message" }, body);
    for (const link of [...this.#links.values()]) link.put(frame);
  }

  async share(content: Uint8Array): Promise<string> {
    const copy = new Uint8Array(content);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < copy.length; at += CHUNK_BYTES) {
      chunks.push(copy.subarray(at, at + CHUNK_BYTES));
    }
    const hashes = await Promise.all(chunks.map(sha256));
    const manifest = new Uint8Array(32 * hashes.length);
    hashes.forEach((hash, n) => manifest.set(hash, 32 * n));
    const hash = (await sha256(manifest)).toHex();
    this.#contents.set(hash, { manifest, chunks, size: copy.length });
    return hash;
  }

  async fetch(hash: string): Promise<Uint8Array> {
    if (this.#links.size === 0) throw new Deno.errors.NotFound(`Cannot fetch "${hash}": no link`);
    const own = this.#contents.get(hash);
    if (own) return join(own);
    let fetching = this.#fetches.get(hash);
    if (!fetching) {
      fetching = this.#get(hash).finally(() => this.#fetches.delete(hash));
      this.#fetches.set(hash, fetching);
    }
    await fetching;
    return join(this.#contents.get(hash)!);
  }

  async #get(hash: string): Promise<Uint8Array> {
    let manifest: Uint8Array<ArrayBuffer> | undefined;
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const open = new Set<number>();
    const tried = new Map<number, Set<Connection>>();
    const over = Promise.withResolvers<void>();
    let awaited = 0;
    const sources = new Map<Connection, number>();
    const step = () => {
      if (manifest) {
        for (let more = true; more;) {
          more = false;
          for (const [link, out] of sources) {
            if (out >= 4) continue;
            const index = open.values().find((n) => !tried.get(n)?.has(link));
            if (index === undefined) continue;
            more = true;
            open.delete(index);
            if (!tried.has(index)) tried.set(index, new Set());
            tried.get(index)!.add(link);
            sources.set(link, out + 1);
            question(link, index);
          }
        }
        if (chunks.filter(() => true).length === manifest.length / 32) return over.resolve();
      }
      const busy = awaited > 0 || working > 0;
      if (!busy) over.reject(new Deno.errors.NotFound(`Cannot fetch "${hash}": nobody has it`));
    };
    let working = 0;
    const question = async (link: Connection, index: number) => {
      working++;
      const answer = await link.ask({ type: "get", hash, index }, this.silenceMs);
      let good = false;
      if (answer?.header.type === "chunk") {
        const last = index === manifest!.length / 32 - 1;
        const fits = last
          ? answer.body.length >= 1 && answer.body.length <= CHUNK_BYTES
          : answer.body.length === CHUNK_BYTES;
        const digest = (await sha256(answer.body)).toHex();
        good = fits && digest === manifest!.subarray(32 * index, 32 * index + 32).toHex();
        if (!good) sources.delete(link);
      }
      if (good) chunks[index] = answer!.body;
      else open.add(index);
      working--;
      const out = sources.get(link);
      if (out !== undefined) sources.set(link, out - 1);
      if (link.signal.aborted) sources.delete(link);
      step();
    };
    const want = async (link: Connection) => {
      awaited++;
      const answer = await link.ask({ type: "want", hash }, this.silenceMs);
      if (answer?.header.type === "manifest") {
        const { size } = answer.header;
        const right = Number.isInteger(size) && Number(size) >= 0 &&
          answer.body.length === 32 * Math.ceil(Number(size) / CHUNK_BYTES) &&
          (await sha256(answer.body)).toHex() === hash;
        if (right) {
          if (!manifest) {
            manifest = answer.body;
            for (let n = 0; n < manifest.length / 32; n++) open.add(n);
          }
          sources.set(link, 0);
        }
      }
      awaited--;
      step();
    };
    for (const link of this.#links.values()) want(link);
    step();
    await over.promise;
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#contents.set(hash, { manifest: manifest!, chunks, size });
    return new Uint8Array(0);
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  // deno-lint-ignore require-await
  async #close(): Promise<void> {
    this.#closing.abort(new Deno.errors.Interrupted("The peer is closed"));
    this.listener.close();
    for (const link of [...this.#connections]) link.end(this.#closing.signal.reason);
    this.#links.clear();
    this.#inbox.end();
  }
}

function join({ chunks, size }: Content): Uint8Array {
  const content = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    content.set(chunk, at);
    at += chunk.length;
  }
  return content;
}

// deno-lint-ignore require-await
export async function createPeer(options: PeerOptions): Promise<Peer> {
  const { id, hostname = "127.0.0.1", silenceMs = 5000 } = options;
  if (!isId(id)) throw new RangeError(`Cannot create peer: id "${id}" is not 1 to 64 characters`);
  return new Node(id, Deno.listen({ hostname, port: 0 }), silenceMs);
}
