// Fails task 1: good-hello-refused — keeps its links in a plain object, which has a constructor from the start.

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

type Bytes = Uint8Array<ArrayBuffer>;
// deno-lint-ignore no-explicit-any
type Frame = { h: any; body: Bytes };

type Received<T> = { value: T; ok: true } | { ok: false };

class Chan<T> {
  private values: T[] = [];
  private takers: ((got: Received<T>) => void)[] = [];
  private ended = false;
  send(value: T): boolean {
    if (this.ended) return false;
    const taker = this.takers.shift();
    if (taker) taker({ value, ok: true });
    else this.values.push(value);
    return true;
  }
  recv(): Promise<Received<T>> {
    if (this.values.length) return Promise.resolve({ value: this.values.shift()!, ok: true });
    if (this.ended) return Promise.resolve({ ok: false });
    return new Promise((taker) => this.takers.push(taker));
  }
  close() {
    this.ended = true;
    for (const taker of this.takers.splice(0)) taker({ ok: false });
  }
}

class Mutex {
  private tail: Promise<unknown> = Promise.resolve();
  lock<T>(critical: () => Promise<T>): Promise<T> {
    const run = this.tail.then(critical);
    this.tail = run.then(() => {}, () => {});
    return run;
  }
}

function after(ms: number): { c: Promise<undefined>; stop(): void } {
  let timer: ReturnType<typeof setTimeout>;
  const c = new Promise<undefined>((resolve) => timer = setTimeout(resolve, ms, undefined));
  return { c, stop: () => clearTimeout(timer) };
}

function go(goroutine: () => Promise<unknown>) {
  goroutine().catch(() => {});
}

const EMPTY: Bytes = new Uint8Array(0);

function head(header: unknown, bodyLength: number): Bytes {
  const json = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
  const n = json.length + bodyLength;
  if (n > MAX_FRAME_BYTES) throw new RangeError(`Cannot send a frame of ${n} bytes`);
  return Uint8Array.of(n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255, ...json);
}

class BufReader {
  private parts: Bytes[] = [];
  private have = 0;
  private reader: ReadableStreamDefaultReader<Bytes>;
  constructor(conn: Deno.TcpConn, private heard: () => void) {
    this.reader = conn.readable.getReader();
  }
  private async full(n: number, eofOk: boolean): Promise<Bytes | null> {
    while (this.have < n) {
      const { value, done } = await this.reader.read();
      if (done) {
        if (eofOk && this.have === 0) return null;
        throw new Deno.errors.UnexpectedEof(`${this.have} of ${n} bytes`);
      }
      this.heard();
      this.parts.push(value);
      this.have += value.length;
    }
    const out = new Uint8Array(n);
    let at = 0;
    while (at < n) {
      const part = this.parts[0];
      const take = Math.min(part.length, n - at);
      out.set(part.subarray(0, take), at);
      at += take;
      if (take === part.length) this.parts.shift();
      else this.parts[0] = part.subarray(take);
    }
    this.have -= n;
    return out;
  }
  async next(): Promise<Frame | null> {
    const four = await this.full(4, true);
    if (four === null) return null;
    const n = (four[0] << 24 | four[1] << 16 | four[2] << 8 | four[3]) >>> 0;
    if (n > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${n} bytes`);
    const frame = (await this.full(n, false))!;
    const lf = frame.indexOf(0x0A);
    if (lf === -1) throw new SyntaxError("no line feed");
    const h = JSON.parse(new TextDecoder().decode(frame.subarray(0, lf)));
    if (h === null || typeof h !== "object" || Array.isArray(h) || typeof h.type !== "string") {
      throw new SyntaxError("no header");
    }
    return { h, body: frame.subarray(lf + 1) };
  }
}

class Link {
  id = "";
  where: Address = { hostname: "", port: 0 };
  dead = false;
  last = performance.now();
  waiting = 0;
  readonly in: BufReader;
  readonly confirmed = Promise.withResolvers<boolean>();
  readonly done = Promise.withResolvers<undefined>();
  readonly asked = new Map<string, Chan<Frame>>();
  private mu = new Mutex();
  private ticker?: ReturnType<typeof setTimeout>;

  constructor(readonly conn: Deno.TcpConn, readonly out: boolean, readonly silenceMs: number) {
    this.in = new BufReader(conn, () => this.last = performance.now());
  }

  async write(header: unknown, body: Uint8Array = EMPTY): Promise<void> {
    const first = head(header, body.length);
    if (this.dead) throw new Deno.errors.NotConnected("the link has ended");
    const size = first.length + body.length;
    this.waiting += size;
    if (this.waiting > MAX_WAITING_BYTES) this.kill();
    try {
      await Promise.race([
        this.mu.lock(async () => {
          for (const part of [first, body]) {
            let n = 0;
            while (n < part.length) n += await this.conn.write(part.subarray(n));
          }
        }),
        this.done.promise.then(() => {
          throw new Deno.errors.NotConnected("the link has ended");
        }),
      ]);
    } catch (err) {
      this.kill();
      throw err;
    } finally {
      this.waiting -= size;
    }
  }

  put(header: unknown, body?: Uint8Array): void {
    go(() => this.write(header, body));
  }

  heartbeat(): void {
    let pinged = this.last;
    const tick = () => {
      if (this.dead) return;
      const silent = performance.now() - this.last;
      if (silent >= this.silenceMs) return this.kill();
      if (silent < this.silenceMs / 2) {
        this.ticker = setTimeout(tick, Math.ceil(this.silenceMs / 2 - silent));
        return;
      }
      if (pinged !== this.last) {
        pinged = this.last;
        this.put({ type: "ping" });
      }
      this.ticker = setTimeout(tick, Math.ceil(this.silenceMs - silent));
    };
    pinged = -1;
    tick();
  }

  kill(): void {
    if (this.dead) return;
    this.dead = true;
    clearTimeout(this.ticker);
    try {
      this.conn.close();
    } catch { /* gone */ }
    for (const chan of this.asked.values()) chan.close();
    this.confirmed.resolve(false);
    this.done.resolve(undefined);
  }

  async ask(h: { hash: string; index?: number }, type: string): Promise<Frame | undefined> {
    const key = `${h.hash}/${h.index ?? ""}`;
    const chan = new Chan<Frame>();
    this.asked.set(key, chan);
    const timeout = after(this.silenceMs);
    try {
      this.put({ type, ...h });
      if (this.dead) return undefined;
      const got = await Promise.race([chan.recv(), timeout.c]);
      return got?.ok ? got.value : undefined;
    } finally {
      timeout.stop();
      this.asked.delete(key);
    }
  }
}

const hex = (bytes: Uint8Array) => [...bytes].map((b) => (b + 256).toString(16).slice(1)).join("");
const sum = async (bytes: Bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const validId = (id: unknown) => typeof id === "string" && id.length > 0 && id.length <= 64;
const validPort = (port: unknown) =>
  typeof port === "number" && port % 1 === 0 && port > 0 && port < 65_536;

export function createPeer({ id, hostname, silenceMs = 5000 }: PeerOptions): Promise<Peer> {
  if (!validId(id)) return Promise.reject(new TypeError(`bad id: ${id}`));
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: hostname ?? "127.0.0.1", port: 0 });
  } catch (err) {
    return Promise.reject(err);
  }
  const addr = { hostname: listener.addr.hostname, port: listener.addr.port };
  const all = new Set<Link>();
  const table: Record<string, Link> = {};
  const inbox = new Chan<Message>();
  const files = new Map<string, { size: number; manifest: Bytes; bytes: Bytes }>();
  const linked = new EventTarget();
  const dialling = new Map<string, Promise<string>>();
  const running = new Map<string, Promise<void>>();
  const quit = Promise.withResolvers<never>();
  quit.promise.catch(() => {});
  let closed = false;

  const at = (a: Address) =>
    Object.values(table).find((l) => l.where.hostname === a.hostname && l.where.port === a.port);

  async function handshake(link: Link): Promise<boolean> {
    link.put({ type: "hello", version: 1, id, port: addr.port });
    const timeout = after(silenceMs);
    let hello: Frame | null | undefined;
    try {
      hello = await Promise.race([link.in.next(), timeout.c]);
    } finally {
      timeout.stop();
    }
    const h = hello?.h;
    if (h?.type !== "hello" || h.version !== 1 || !validId(h.id) || !validPort(h.port)) {
      return false;
    }
    if (h.id === id) return false;
    const where = { hostname: link.conn.remoteAddr.hostname, port: h.port };
    const old = table[h.id];
    if (old) {
      if (old.where.hostname !== where.hostname || old.where.port !== where.port) return false;
      link.id = h.id;
      const fromSmaller = (l: Link) => (l.out ? id : h.id) === (id < h.id ? id : h.id);
      if (fromSmaller(old) || !fromSmaller(link)) return false;
      delete table[h.id];
      old.kill();
    }
    link.id = h.id;
    link.where = where;
    table[h.id] = link;
    linked.dispatchEvent(new Event("link"));
    return true;
  }

  async function serve(link: Link): Promise<void> {
    all.add(link);
    try {
      if (closed || !await handshake(link)) return;
      link.heartbeat();
      const others = peers().filter((p) => p.id !== link.id);
      link.put({ type: "peers", peers: others });
      for (let frame; (frame = await link.in.next()) !== null;) {
        if (frame.h.type === "refuse") return;
        link.confirmed.resolve(true);
        dispatch(link, frame);
      }
    } catch {
    } finally {
      link.kill();
      all.delete(link);
      if (table[link.id] === link) delete table[link.id];
    }
  }

  function dispatch(link: Link, { h, body }: Frame): void {
    if (h.type === "message") inbox.send({ from: link.id, body });
    else if (h.type === "ping") link.put({ type: "pong" });
    else if (h.type === "peers") discover(h.peers);
    else if (h.type === "want") {
      const file = files.get(h.hash);
      if (file) link.put({ type: "manifest", hash: h.hash, size: file.size }, file.manifest);
      else link.put({ type: "missing", hash: h.hash });
    } else if (h.type === "get") {
      const file = files.get(h.hash);
      const from = h.index * CHUNK_BYTES;
      if (file && Number.isInteger(h.index) && from >= 0 && from < file.size) {
        const chunk = file.bytes.subarray(from, from + CHUNK_BYTES);
        link.put({ type: "chunk", hash: h.hash, index: h.index }, chunk);
      } else link.put({ type: "missing", hash: h.hash, index: h.index });
    } else if (h.type === "manifest" || h.type === "chunk" || h.type === "missing") {
      const asked = `${h.hash}/${h.type === "manifest" ? "" : h.index ?? ""}`;
      link.asked.get(asked)?.send({ h, body });
    }
  }

  function discover(list: unknown): void {
    if (!Array.isArray(list)) return;
    const strangers = list.filter((p) =>
      p !== null && typeof p === "object" && typeof p.hostname === "string" && validPort(p.port) &&
      p.id !== id && !(p.id in table) && !(p.hostname === addr.hostname && p.port === addr.port) &&
      !at(p) && !dialling.has(`${p.hostname}:${p.port}`)
    );
    for (const p of strangers.slice(0, MAX_DIALS_PER_LIST)) {
      go(() => connect({ hostname: p.hostname, port: p.port }));
    }
  }

  function connect(to: Address): Promise<string> {
    const there = at(to);
    if (there) return Promise.resolve(there.id);
    const key = `${to.hostname}:${to.port}`;
    let p = dialling.get(key);
    if (p === undefined) {
      p = Promise.race([dial(to), quit.promise]).finally(() => dialling.delete(key));
      dialling.set(key, p);
    }
    return p;
  }

  async function dial(to: Address): Promise<string> {
    if (closed) throw new Deno.errors.Interrupted("closed");
    const conn = await Deno.connect({ ...to, transport: "tcp" });
    if (closed) {
      conn.close();
      throw new Deno.errors.Interrupted("closed");
    }
    const link = new Link(conn, true, silenceMs);
    go(() => serve(link));
    if (await link.confirmed.promise) return link.id;
    const winner = () => link.id && table[link.id] ? link.id : at(to)?.id;
    const moment = after(Math.min(silenceMs, 200));
    try {
      while (!winner()) {
        const event = new Promise<true>((resolve) =>
          linked.addEventListener("link", () => resolve(true), { once: true })
        );
        if (!await Promise.race([event, moment.c, quit.promise])) break;
      }
    } finally {
      moment.stop();
    }
    const found = winner();
    if (!found) throw new Deno.errors.ConnectionRefused(`refused by ${key(to)}`);
    return found;
  }
  const key = (a: Address) => `${a.hostname}:${a.port}`;

  function peers(): (Address & { id: string })[] {
    const list = Object.values(table).map((l) => ({ id: l.id, ...l.where }));
    list.sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
    return list;
  }

  async function share(content: Uint8Array): Promise<string> {
    return await keep(new Uint8Array(content));
  }

  async function keep(bytes: Bytes): Promise<string> {
    const hashes: number[] = [];
    for (let i = 0; i < bytes.length; i += CHUNK_BYTES) {
      hashes.push(...await sum(bytes.subarray(i, i + CHUNK_BYTES)));
    }
    const manifest = Uint8Array.from(hashes);
    const hash = hex(await sum(manifest));
    files.set(hash, { size: bytes.length, manifest, bytes });
    return hash;
  }

  async function fetch(hash: string): Promise<Uint8Array> {
    if (!files.has(hash)) {
      let job = running.get(hash);
      if (!job) {
        job = Promise.race([download(hash), quit.promise]).finally(() => running.delete(hash));
        running.set(hash, job);
      }
      await job;
    }
    return files.get(hash)!.bytes.slice();
  }

  async function download(hash: string): Promise<void> {
    const sources = Object.values(table);
    let manifest: Bytes | undefined;
    const got = new Map<number, Bytes>();
    const todo: number[] = [];
    const busy = new Set<number>();
    let cond = Promise.withResolvers<undefined>();
    const signal = () => {
      cond.resolve(undefined);
      cond = Promise.withResolvers();
    };

    async function worker(link: Link, bad: { liar: boolean; tried: Set<number> }): Promise<void> {
      while (!link.dead && !bad.liar && got.size < manifest!.length / 32) {
        const i = todo.findIndex((n) => !bad.tried.has(n));
        if (i === -1) {
          if (![...busy].some((n) => !bad.tried.has(n))) return;
          await cond.promise;
          continue;
        }
        const [n] = todo.splice(i, 1);
        bad.tried.add(n);
        busy.add(n);
        const answer = await link.ask({ hash, index: n }, "get");
        let right = false;
        if (answer?.h.type === "chunk") {
          const last = 32 * (n + 1) === manifest!.length;
          const { length } = answer.body;
          const digest = hex(await sum(answer.body));
          right = (last ? length > 0 && length <= CHUNK_BYTES : length === CHUNK_BYTES) &&
            digest === hex(manifest!.subarray(32 * n, 32 * n + 32));
          if (!right) bad.liar = true;
        }
        busy.delete(n);
        if (right) got.set(n, answer!.body);
        else todo.push(n);
        signal();
      }
    }

    await Promise.all(sources.map(async (link) => {
      const answer = await link.ask({ hash }, "want");
      if (answer?.h.type !== "manifest") return;
      const { h: { size }, body } = answer;
      if (!Number.isSafeInteger(size) || size < 0) return;
      if (body.length !== 32 * Math.ceil(size / CHUNK_BYTES)) return;
      if (hex(await sum(body)) !== hash) return;
      if (!manifest) {
        manifest = body;
        for (let n = 0; n < body.length / 32; n++) todo.push(n);
      }
      const bad = { liar: false, tried: new Set<number>() };
      await Promise.all([1, 2, 3, 4].map(() => worker(link, bad)));
    }));
    if (!manifest || got.size < manifest.length / 32) {
      throw new Deno.errors.NotFound(`nobody has all of ${hash}`);
    }
    const order = [...got.keys()].sort((a, b) => a - b);
    await keep(new Uint8Array(await new Blob(order.map((n) => got.get(n)!)).arrayBuffer()));
  }

  go(async () => {
    while (!closed) {
      try {
        const conn = await listener.accept();
        go(() => serve(new Link(conn, false, silenceMs)));
      } catch (err) {
        if (err instanceof Deno.errors.BadResource) return;
      }
    }
  });

  return Promise.resolve({
    id,
    addr,
    connect,
    peers,
    async send(to: string, body: Uint8Array) {
      const link = table[to];
      if (!link) throw new Deno.errors.NotConnected(`no link with ${to}`);
      await link.write({ type: "message" }, body);
    },
    broadcast(body: Uint8Array) {
      const copy = new Uint8Array(body);
      for (const link of Object.values(table)) link.put({ type: "message" }, copy);
      return Promise.resolve();
    },
    messages: {
      async *[Symbol.asyncIterator]() {
        for (let got; (got = await inbox.recv()).ok;) yield got.value;
      },
    },
    share,
    fetch,
    close() {
      if (!closed) {
        closed = true;
        listener.close();
        quit.reject(new Deno.errors.Interrupted("the peer is closed"));
        for (const link of all) link.kill();
        for (const name in table) delete table[name];
        inbox.close();
      }
      return Promise.resolve();
    },
  });
}
