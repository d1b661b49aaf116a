// Fails task 1: bad-hello-kills — awaits the greeting of each connection before it accepts the next.

type Address = { hostname: string; port: number };
type Message = { from: string; body: Uint8Array };
type Header = { type: string; [key: string]: unknown };
type Frame = { header: Header; body: Uint8Array };
type Content = { bytes: Uint8Array; manifest: Uint8Array };

interface Link {
  conn: Deno.TcpConn;
  dialled: boolean;
  id: string;
  hostname: string;
  port: number;
  tail: Promise<unknown>;
  waiting: number;
  heard: number;
  pinged: boolean;
  paused: boolean;
  leaving: number;
  error: Error | null;
  answers: Map<string, (frame: Frame | null) => void>;
  accepted: PromiseWithResolvers<void>;
  over: PromiseWithResolvers<void>;
  reading: Promise<void> | null;
}

interface Source {
  id: string;
  size: number;
  inFlight: number;
  lacks: Set<number>;
}

const MIB = 1024 * 1024;
const CHUNK = 65536;

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const ignore = () => {};
const where = (address: Address) => address.hostname + "|" + address.port;
const validId = (id: unknown) => typeof id === "string" && id.length > 0 && id.length <= 64;
const validPort = (port: unknown) =>
  typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65536;

// ---- frames

function pack(header: Header, body: Uint8Array = new Uint8Array()): Uint8Array {
  const line = new TextEncoder().encode(JSON.stringify(header) + "\n");
  const length = line.length + body.length;
  if (length > 16 * MIB) throw new RangeError("message too long: " + body.length + " bytes");
  const frame = new Uint8Array(4 + length);
  new DataView(frame.buffer).setUint32(0, length);
  frame.set(line, 4);
  frame.set(body, 4 + line.length);
  return frame;
}

function unpack(bytes: Uint8Array): Frame {
  const newline = bytes.indexOf(10);
  if (newline === -1) throw new Error("no header line");
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, newline));
  const header = JSON.parse(text);
  if (header === null || typeof header !== "object" || typeof header.type !== "string") {
    throw new Error("no type");
  }
  return { header, body: bytes.slice(newline + 1) };
}

async function readBytes(link: Link, n: number): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(n);
  let have = 0;
  while (have < n) {
    const count = await link.conn.read(bytes.subarray(have));
    if (count === null) return null;
    have += count;
    link.heard = Date.now();
    link.pinged = false;
  }
  return bytes;
}

async function readFrame(link: Link): Promise<Frame | null> {
  const prefix = await readBytes(link, 4);
  if (prefix === null) return null;
  const length = new DataView(prefix.buffer).getUint32(0);
  if (length > 16 * MIB) throw new RangeError("frame too long: " + length);
  const bytes = await readBytes(link, length);
  return bytes === null ? null : unpack(bytes);
}

async function writeAll(link: Link, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const count = await link.conn.write(bytes.subarray(done));
    done += count;
    link.waiting -= count;
  }
}

// ---- hashes

async function digest(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice())).toHex();
}

async function makeManifest(bytes: Uint8Array): Promise<Uint8Array> {
  let hex = "";
  for (let at = 0; at < bytes.length; at += CHUNK) hex += await digest(bytes.slice(at, at + CHUNK));
  return Uint8Array.fromHex(hex);
}

// ---- the peer

// deno-lint-ignore require-await
export async function createPeer(
  { id, hostname = "127.0.0.1", silenceMs = 5000 }: {
    id: string;
    hostname?: string;
    silenceMs?: number;
  },
) {
  if (!validId(id)) throw new TypeError("bad id");
  const listener = Deno.listen({ hostname, port: 0 });
  const addr = listener.addr;
  const links = new Map<string, Link>();
  const connections = new Set<Link>();
  const dialling = new Map<string, Promise<string>>();
  const store = new Map<unknown, Content>();
  const unread: Message[] = [];
  let unreadBytes = 0;
  let news = Promise.withResolvers<void>();
  let closed: Promise<void> | null = null;

  function changed(): void {
    news.resolve();
    news = Promise.withResolvers<void>();
  }

  // ---- links

  function kill(link: Link, error: Error): void {
    if (link.error) return;
    link.error = error;
    connections.delete(link);
    if (links.get(link.id) === link) links.delete(link.id);
    link.conn.close();
    for (const answer of link.answers.values()) answer(null);
    link.over.resolve();
  }

  function send(link: Link, header: Header, body?: Uint8Array): Promise<void> {
    const bytes = pack(header, body);
    if (link.error || link.leaving) {
      return Promise.reject(new Deno.errors.NotConnected("no link with " + link.id));
    }
    link.waiting += bytes.length;
    if (link.waiting > 32 * MIB) {
      kill(link, new Error("peer is too slow"));
      return Promise.reject(new Deno.errors.NotConnected("peer is too slow"));
    }
    // every frame waits for the one before
    const written = link.tail.then(() => writeAll(link, bytes));
    link.tail = written.catch((error) => {
      if (!link.leaving) kill(link, error);
    });
    return written;
  }

  function post(link: Link, header: Header, body?: Uint8Array): void {
    send(link, header, body).catch(ignore);
  }

  // stop writing, but go on reading until the other side has finished too
  function leave(link: Link): void {
    if (!link.leaving) link.leaving = Date.now();
    link.tail = link.tail.then(() => link.conn.closeWrite()).catch(ignore);
    link.over.resolve();
  }

  const watch = setInterval(() => {
    for (const link of connections) {
      const quiet = Date.now() - link.heard;
      if (link.leaving) {
        if (Date.now() - link.leaving > silenceMs) kill(link, new Error("does not leave"));
      } else if (links.get(link.id) === link && quiet >= silenceMs / 2) {
        if (quiet >= silenceMs && link.pinged && !link.paused) kill(link, new Error("silent"));
        else if (!link.pinged) post(link, { type: "ping" });
        link.pinged = !link.paused;
      }
    }
  }, silenceMs / 4);

  function judge(link: Link, header: Header | undefined): string | null {
    if (header?.type === "refuse") return String(header["reason"]);
    if (closed || header?.type !== "hello" || header["version"] !== 1) return "hello";
    if (!validId(header["id"]) || !validPort(header["port"])) return "hello";
    if (header["id"] === id) return "self";
    link.id = header["id"] as string;
    link.port = header["port"] as number;
    const known = links.get(link.id);
    return known && where(known) !== where(link) ? "id taken" : null;
  }

  async function greet(conn: Deno.TcpConn, dialled: boolean): Promise<Link> {
    const link: Link = {
      conn,
      dialled,
      id: "",
      hostname: conn.remoteAddr.hostname,
      port: 0,
      tail: Promise.resolve(),
      waiting: 0,
      heard: Date.now(),
      pinged: false,
      paused: false,
      leaving: 0,
      error: null,
      answers: new Map(),
      accepted: Promise.withResolvers<void>(),
      over: Promise.withResolvers<void>(),
      reading: null,
    };
    connections.add(link);
    conn.setNoDelay();
    post(link, { type: "hello", version: 1, id, port: addr.port });
    const timer = setTimeout(() => kill(link, new Error("no hello")), silenceMs);
    const frame = await readFrame(link).catch(() => null);
    clearTimeout(timer);
    const reason = judge(link, frame?.header);
    if (reason) {
      if (frame?.header.type !== "refuse") {
        await send(link, { type: "refuse", reason }).catch(ignore);
      }
      kill(link, new Error(reason));
      throw new Deno.errors.ConnectionRefused("refused: " + reason);
    }
    choose(link);
    link.reading = readOn(link);
    return link;
  }

  function choose(link: Link): void {
    const other = links.get(link.id);
    let loser: Link | undefined;
    if (other && other.dialled === link.dialled) loser = link;
    else if (other) loser = link.dialled === (id < link.id) ? other : link;
    if (loser !== link) {
      const others = peers().filter((known) => known.id !== link.id);
      links.set(link.id, link);
      post(link, { type: "peers", peers: others });
    }
    if (other && loser === other) {
      link.answers = other.answers;
      other.answers = new Map();
    }
    if (loser) {
      post(loser, { type: "refuse", reason: "duplicate" });
      leave(loser);
    }
  }

  async function readOn(link: Link): Promise<void> {
    let failure = new Error("link ended");
    let replaced = false;
    try {
      for (let frame = await readFrame(link); frame; frame = await readFrame(link)) {
        if (frame.header.type === "refuse") {
          replaced = frame.header["reason"] === "duplicate";
          if (replaced) continue;
          throw new Error("refused: " + frame.header["reason"]);
        }
        link.accepted.resolve();
        take(link, frame);
        if (unreadBytes >= 64 * MIB) await pause(link);
      }
    } catch (error) {
      failure = error as Error;
    }
    // the other side keeps another connection, of which we have not heard yet
    if (replaced && !closed) await patience(silenceMs, link.over.promise);
    kill(link, failure);
  }

  async function pause(link: Link): Promise<void> {
    link.paused = true;
    while (unreadBytes >= 64 * MIB && !closed) await news.promise;
    link.paused = false;
    link.heard = Date.now();
    link.pinged = false;
  }

  function take(link: Link, { header, body }: Frame): void {
    const current = links.get(link.id) ?? link;
    const { type, hash, index } = header;
    if (type === "message" && !closed) {
      unread.push({ from: link.id, body });
      unreadBytes += body.length;
      changed();
    } else if (type === "ping") {
      post(current, { type: "pong" });
    } else if (type === "peers") {
      discover(header["peers"]);
    } else if (type === "want") {
      const content = store.get(hash);
      if (!content) post(current, { type: "missing", hash });
      else post(current, { type: "manifest", hash, size: content.bytes.length }, content.manifest);
    } else if (type === "get") {
      const content = store.get(hash);
      const start = Number.isInteger(index) ? (index as number) * CHUNK : -1;
      if (!content || start < 0 || start >= content.bytes.length) {
        post(current, { type: "missing", hash, index });
      } else {
        const chunk = content.bytes.subarray(start, start + CHUNK);
        post(current, { type: "chunk", hash, index }, chunk);
      }
    } else if (type === "manifest" || type === "chunk" || type === "missing") {
      current.answers.get(hash + " " + index)?.({ header, body });
    }
  }

  // ---- finding each other

  function linkAt(address: Address): Link | undefined {
    for (const link of links.values()) if (where(link) === where(address)) return link;
  }

  function discover(list: unknown): void {
    if (!Array.isArray(list)) return;
    let dials = 0;
    for (const entry of list) {
      if (!entry || !validId(entry.id) || !validPort(entry.port)) continue;
      if (typeof entry.hostname !== "string") continue;
      if (entry.id === id || where(entry) === where(addr)) continue;
      if (links.has(entry.id) || linkAt(entry) || dialling.has(where(entry))) continue;
      if (++dials > 64) break;
      connect({ hostname: entry.hostname, port: entry.port }).catch(ignore);
    }
  }

  async function dial(address: Address): Promise<string> {
    if (closed) throw new Deno.errors.BadResource("peer is closed");
    const { hostname, port } = address;
    const conn = await Deno.connect({ hostname, port, signal: AbortSignal.timeout(silenceMs) });
    const link = await greet(conn, true);
    await patience(200, Promise.race([link.accepted.promise, link.over.promise]));
    if (!links.has(link.id)) await wait(50);
    if (!links.has(link.id)) throw link.error ?? new Deno.errors.NotConnected("link ended");
    return link.id;
  }

  async function connect(address: Address): Promise<string> {
    const busy = dialling.get(where(address));
    if (busy) return await busy;
    const link = linkAt(address);
    if (link) return link.id;
    const attempt = dial(address);
    dialling.set(where(address), attempt);
    try {
      return await attempt;
    } finally {
      dialling.delete(where(address));
    }
  }

  function peers() {
    const list = [...links.values()].map(({ id, hostname, port }) => ({ id, hostname, port }));
    return list.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async function patience<T>(ms: number, promise: Promise<T>): Promise<T | null> {
    let timer;
    const timeout = new Promise<null>((resolve) => timer = setTimeout(resolve, ms, null));
    const result = await Promise.race([promise, timeout]);
    clearTimeout(timer);
    return result;
  }

  // ---- files

  async function share(content: Uint8Array): Promise<string> {
    const bytes = content.slice();
    const manifest = await makeManifest(bytes);
    const hash = await digest(manifest);
    store.set(hash, { bytes, manifest });
    return hash;
  }

  async function ask(to: string, header: Header): Promise<Frame | null> {
    const link = links.get(to);
    if (!link) return null;
    const key = header["hash"] + " " + header["index"];
    const answer = new Promise<Frame | null>((resolve) => link.answers.set(key, resolve));
    post(link, header);
    const frame = await patience(silenceMs, answer);
    link.answers.delete(key);
    return frame;
  }

  function download(hash: string): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const sources: Source[] = [];
      const asked = [...links.keys()];
      let hashes: string[] | null = null;
      let open: number[] = [];
      let chunks: Uint8Array[] = [];
      let missing = 0;
      let pending = asked.length;
      let started = false;

      // called after everything that happens
      function next(): void {
        if (!started) return;
        if (hashes && missing === 0) {
          resolve(new Blob(chunks.map((chunk) => chunk.slice())).bytes());
          return;
        }
        for (;;) {
          sources.sort((a, b) => a.inFlight - b.inFlight);
          let source: Source | undefined;
          let index: number | undefined;
          for (source of sources) {
            const { inFlight, lacks } = source;
            index = inFlight < 4 ? open.find((index) => !lacks.has(index)) : undefined;
            if (index !== undefined) break;
          }
          if (source === undefined || index === undefined) break;
          get(source, index);
        }
        if (pending === 0) reject(new Deno.errors.NotFound("nobody has " + hash));
      }

      async function get(source: Source, index: number): Promise<void> {
        open = open.filter((other) => other !== index);
        source.inFlight++;
        pending++;
        const answer = await ask(source.id, { type: "get", hash, index });
        const length = Math.min(CHUNK, source.size - index * CHUNK);
        const good = answer?.header.type === "chunk" && answer.body.length === length &&
          await digest(answer.body) === hashes![index];
        source.inFlight--;
        pending--;
        if (good) {
          chunks[index] = answer.body;
          missing--;
        } else {
          open.push(index);
          if (answer?.header.type === "missing") source.lacks.add(index);
          else if (sources.includes(source)) sources.splice(sources.indexOf(source), 1);
        }
        next();
      }

      async function want(from: string): Promise<void> {
        const answer = await ask(from, { type: "want", hash });
        const size = answer?.header["size"];
        if (
          answer?.header.type === "manifest" && Number.isSafeInteger(size) &&
          answer.body.length === 32 * Math.ceil(size as number / CHUNK) &&
          await digest(answer.body) === hash
        ) {
          if (hashes === null) {
            hashes = answer.body.toHex().match(/.{64}/g) ?? [];
            open = hashes.map((_, index) => index);
            chunks = new Array(hashes.length);
            missing = hashes.length;
          }
          sources.push({ id: from, size: size as number, inFlight: 0, lacks: new Set() });
        }
        pending--;
        next();
      }

      // those who are a little later shall have their share
      patience(150, Promise.all(asked.map(want))).then(() => {
        started = true;
        next();
      });
    });
  }

  const fetches = new Map<string, Promise<unknown>>();

  async function fetch(hash: string): Promise<Uint8Array> {
    let content = store.get(hash);
    if (!content) {
      const fetching = fetches.get(hash) ??
        download(hash).then(share).finally(() => fetches.delete(hash));
      fetches.set(hash, fetching);
      await fetching;
      content = store.get(hash)!;
    }
    return content.bytes.slice();
  }

  // ---- accepting, messages, the end

  const accepting = (async () => {
    while (!closed) {
      try {
        await greet(await listener.accept(), false).catch(ignore);
      } catch {
        if (!closed) await wait(2);
      }
    }
  })();

  async function shutDown(): Promise<void> {
    clearInterval(watch);
    listener.close();
    links.clear();
    for (const link of connections) leave(link);
    changed();
    // what was sent is written, but nobody is waited for long
    await patience(100, Promise.all([...connections].map((link) => link.reading)));
    for (const link of connections) kill(link, new Deno.errors.BadResource("peer is closed"));
    await accepting;
  }

  return {
    id,
    addr,
    connect,
    peers,
    share,
    fetch,
    async send(to: string, body: Uint8Array): Promise<void> {
      const link = links.get(to);
      if (!link) throw new Deno.errors.NotConnected("no link with " + to);
      await send(link, { type: "message" }, body);
    },
    // deno-lint-ignore require-await
    async broadcast(body: Uint8Array): Promise<void> {
      for (const link of links.values()) post(link, { type: "message" }, body);
    },
    messages: {
      [Symbol.asyncIterator]() {
        return {
          async next(): Promise<IteratorResult<Message>> {
            while (unread.length === 0 && !closed) await news.promise;
            const message = unread.shift();
            if (!message) return { done: true, value: undefined };
            unreadBytes -= message.body.length;
            changed();
            return { done: false, value: message };
          },
        };
      },
    },
    close(): Promise<void> {
      closed ??= shutDown();
      return closed;
    },
  };
}
