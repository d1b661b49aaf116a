// Fails task 1, 3, 4, 5, 6: close-leaves-links — closes the listener only, and its links stay.

type Address = { hostname: string; port: number };
type Known = Address & { id: string };
type Header = Record<string, unknown> & { type: string };
type Frame = { header: Header; body: Uint8Array<ArrayBuffer> };
type Message = { from: string; body: Uint8Array };
type Stored = { bytes: Uint8Array<ArrayBuffer>; manifest: Uint8Array<ArrayBuffer> };

const MAX_FRAME = 16_777_216;
const MAX_QUEUE = 2 * MAX_FRAME;
const MAX_UNREAD = 4 * MAX_FRAME;
const CHUNK = 65_536;

const nothing = (): undefined => undefined;
const keyOf = (address: Address) => `${address.hostname}:${address.port}`;
const isId = (id: unknown): id is string => typeof id === "string" && /^[^]{1,64}$/.test(id);
const isPort = (port: unknown): port is number =>
  Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
const isCount = (size: unknown): size is number => Number.isSafeInteger(size) && Number(size) >= 0;

/** Whatever is first: the promise, or `undefined` after that time. */
const orAfter = <T>(ms: number, promise: Promise<T>): Promise<T | undefined> => {
  let timer: ReturnType<typeof setTimeout>;
  const time = new Promise<undefined>((resolve) =>
    timer = setTimeout(() => resolve(undefined), ms)
  );
  return Promise.race([promise, time]).finally(() => clearTimeout(timer));
};

const joinBytes = (parts: Uint8Array[], length: number): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

const sha256 = (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  crypto.subtle.digest("SHA-256", bytes).then((digest) => new Uint8Array(digest).toHex());

const encode = (header: Header, body: Uint8Array = new Uint8Array()): Uint8Array => {
  const line = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
  const length = line.length + body.length;
  if (length > MAX_FRAME) throw new RangeError(`Frame too long: ${length} bytes`);
  const prefix = new Uint8Array([length >>> 24, length >>> 16, length >>> 8, length]);
  return joinBytes([prefix, line, body], 4 + length);
};

const decode = (bytes: Uint8Array<ArrayBuffer>): Frame => {
  const end = bytes.indexOf(0x0a);
  if (end === -1) throw new TypeError("No header line");
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end));
  const header = JSON.parse(text);
  if (Object(header) !== header || typeof header.type !== "string") throw new TypeError("No type");
  return { header, body: bytes.subarray(end + 1) };
};

/** Bytes in, frames out. */
const frameParser = (): TransformStream<Uint8Array, Frame> => {
  let parts: Uint8Array[] = [];
  let length = 0;
  let needed = 4;
  let inPrefix = true;
  return new TransformStream({
    transform(part, controller) {
      parts.push(part);
      length += part.length;
      while (length >= needed) {
        const all = joinBytes(parts, length);
        const piece = all.slice(0, needed);
        parts = [all.subarray(needed)];
        length -= needed;
        if (inPrefix) {
          needed = new DataView(piece.buffer).getUint32(0);
          if (needed > MAX_FRAME) throw new RangeError(`Frame too long: ${needed} bytes`);
        } else {
          controller.enqueue(decode(piece));
          needed = 4;
        }
        inPrefix = !inPrefix;
      }
    },
  });
};

/** One connection. */
function openLink(conn: Deno.TcpConn, dialled: boolean, silenceMs: number) {
  conn.setNoDelay();
  const buffer = new Uint8Array(CHUNK);
  const accepted = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let heardAt = performance.now();
  let hasPinged = false;
  let waiting = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const incoming = new ReadableStream<Uint8Array>({
    pull: (controller) =>
      conn.read(buffer).then((count) => {
        heardAt = performance.now();
        hasPinged = false;
        if (count === null) controller.close();
        else controller.enqueue(buffer.slice(0, count));
      }),
  }, { highWaterMark: 0 });
  const frames = incoming.pipeThrough(frameParser()).getReader();

  const writeFrom = (bytes: Uint8Array): Promise<void> =>
    conn.write(bytes).then((count) => {
      waiting -= count;
      return count < bytes.length ? writeFrom(bytes.subarray(count)) : undefined;
    });
  // A stream writes one thing after the other.
  const outgoing = new WritableStream<Uint8Array>({
    write: (bytes) => writeFrom(bytes),
    close: () => conn.closeWrite(),
  }).getWriter();
  outgoing.closed.catch((error) => link.leaving || link.end(error));

  const link = {
    id: "",
    address: { hostname: conn.remoteAddr.hostname, port: 0 },
    dialled,
    leaving: false,
    resting: false,
    ended: false,
    error: undefined as unknown,
    questions: new Map<string, (frame?: Frame) => void>(),
    accepted,
    over,
    gone,
    next: (): Promise<Frame | undefined> => frames.read().then(({ value }) => value),

    send(header: Header, body?: Uint8Array): Promise<void> {
      const bytes = encode(header, body);
      waiting += bytes.length;
      if (waiting > MAX_QUEUE) link.end(new Error("Too slow"));
      const written = link.ended || link.leaving
        ? Promise.reject(new Deno.errors.NotConnected(`No link with ${link.id}`))
        : outgoing.write(bytes);
      written.catch(nothing);
      return written;
    },

    watch(): void {
      const quiet = performance.now() - heardAt;
      if (quiet >= silenceMs / 2) {
        if (hasPinged && !link.resting) return link.end(new Error("Silent"));
        link.send({ type: "ping" });
        hasPinged = true;
      }
      const rest = quiet >= silenceMs / 2 ? silenceMs / 2 : silenceMs / 2 - quiet;
      timer = setTimeout(link.watch, Math.ceil(rest));
    },

    rest(until: Promise<void>): Promise<void> {
      link.resting = true;
      return until.then(() => {
        link.resting = false;
        heardAt = performance.now();
        hasPinged = false;
      });
    },

    leave(): void {
      if (link.leaving) return;
      link.leaving = true;
      over.resolve();
      clearTimeout(timer);
      timer = setTimeout(() => link.end(new Error("Still there")), silenceMs);
      outgoing.close().catch(nothing);
    },

    end(error?: unknown): void {
      if (link.ended) return;
      link.ended = true;
      link.error = error;
      clearTimeout(timer);
      conn.close();
      outgoing.abort(new Deno.errors.NotConnected(`Lost ${link.id}`)).catch(nothing);
      frames.cancel().catch(nothing);
      link.questions.forEach((answer) => answer());
      over.resolve();
      gone.resolve();
    },
  };
  return link;
}

type Link = ReturnType<typeof openLink>;

/** Messages for one reader. */
function openInbox() {
  const unread: Message[] = [];
  const readers: ((result: IteratorResult<Message>) => void)[] = [];
  let bytes = 0;
  let closed = false;
  let room = Promise.withResolvers<void>();
  const madeRoom = () => {
    room.resolve();
    room = Promise.withResolvers();
  };
  const next = (): Promise<IteratorResult<Message>> => {
    const value = unread.shift();
    if (value) {
      bytes -= value.body.length;
      if (bytes < MAX_UNREAD) madeRoom();
      return Promise.resolve({ done: false, value });
    }
    if (closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => readers.push(resolve));
  };
  return {
    messages: { [Symbol.asyncIterator]: () => ({ next }) },
    isFull: () => bytes >= MAX_UNREAD && !closed,
    room: () => room.promise,
    put(value: Message): void {
      const reader = closed ? nothing : readers.shift();
      if (reader) return reader({ done: false, value });
      if (closed) return;
      unread.push(value);
      bytes += value.body.length;
    },
    close(): void {
      closed = true;
      readers.forEach((reader) => reader({ done: true, value: undefined }));
      madeRoom();
    },
  };
}

/** The content, or a rejection. `ask` never rejects. */
function download(
  hash: string,
  ids: string[],
  ask: (id: string, header: Header) => Promise<Frame | undefined>,
): Promise<Uint8Array> {
  type Source = { id: string; size: number; busy: number; asked: Set<number>; bad: boolean };
  const sources: Source[] = [];
  const chunks = new Map<number, Uint8Array>();
  const inFlight = new Set<number>();
  let hashes: string[] | undefined;
  let started = false;
  let offersLeft = ids.length;
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();

  const assign = (): void => {
    if (!started) return;
    if (hashes && chunks.size === hashes.length) {
      const parts = hashes.map((_, index) => chunks.get(index)!);
      return resolve(joinBytes(parts, parts.reduce((sum, part) => sum + part.length, 0)));
    }
    // One each, then another one each, while they have less than four to do.
    for (let given = true; given;) {
      given = false;
      for (const source of sources) {
        if (source.bad || source.busy >= 4) continue;
        const index = (hashes ?? []).findIndex((_, index) =>
          !chunks.has(index) && !inFlight.has(index) && !source.asked.has(index)
        );
        if (index === -1) continue;
        given = true;
        get(source, index);
      }
    }
    if (inFlight.size === 0 && offersLeft === 0) {
      reject(new Deno.errors.NotFound(`Nobody delivers ${hash}`));
    }
  };

  const get = (source: Source, index: number): void => {
    source.busy++;
    source.asked.add(index);
    inFlight.add(index);
    ask(source.id, { type: "get", hash, index }).then((answer) => {
      if (answer?.header.type === "missing") return;
      const body = answer?.body ?? new Uint8Array();
      const length = Math.min(CHUNK, source.size - index * CHUNK);
      return sha256(body).then((found) => {
        const isRight = answer?.header.type === "chunk" && body.length === length &&
          found === hashes![index];
        if (isRight) chunks.set(index, body);
        else source.bad = true;
      });
    }).then(() => {
      source.busy--;
      inFlight.delete(index);
      assign();
    });
  };

  const offers = ids.map((id) =>
    ask(id, { type: "want", hash }).then((answer) => {
      if (answer?.header.type !== "manifest") return;
      const { header: { size }, body } = answer;
      if (!isCount(size) || body.length !== 32 * Math.ceil(size / CHUNK)) return;
      return sha256(body).then((found) => {
        if (found !== hash) return;
        hashes ??= body.toHex().match(/.{64}/g) ?? [];
        sources.push({ id, size, busy: 0, asked: new Set(), bad: false });
      });
    }).then(() => {
      offersLeft--;
      assign();
    })
  );
  // A moment for all to answer, so that all can take part.
  orAfter(100, Promise.all(offers)).then(() => {
    started = true;
    assign();
  });
  return promise;
}

function startPeer(id: string, hostname: string, silenceMs: number) {
  if (!isId(id)) throw new TypeError("An id has 1 to 64 characters");
  const listener = Deno.listen({ hostname, port: 0 });
  const links = new Map<string, Link>();
  const open = new Set<Link>();
  const dials = new Map<string, Promise<string>>();
  const stored = new Map<unknown, Stored>();
  const inbox = openInbox();
  const stopping = new AbortController();
  let closing: Promise<void> | undefined;

  const peers = (): Known[] =>
    [...links.values()]
      .map((link) => ({ id: link.id, ...link.address }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));

  const refusal = (link: Link, header?: Header): string | undefined => {
    if (closing || header?.type !== "hello" || header["version"] !== 1) return "hello";
    const { id: name, port } = header;
    if (!isId(name) || !isPort(port)) return "hello";
    if (name === id) return "self";
    link.id = name;
    link.address.port = port;
    const known = links.get(name);
    return known && keyOf(known.address) !== keyOf(link.address) ? "id taken" : undefined;
  };

  /** Resolves when the connection has become a link, or has lost to another one. */
  const greet = (conn: Deno.TcpConn, dialled: boolean): Promise<Link> => {
    const link = openLink(conn, dialled, silenceMs);
    open.add(link);
    link.gone.promise.then(() => {
      open.delete(link);
      if (links.get(link.id) === link) links.delete(link.id);
    });
    link.send({ type: "hello", version: 1, id, port: listener.addr.port });
    return orAfter(silenceMs, link.next()).catch(nothing).then((frame) => {
      const reason = refusal(link, frame?.header);
      if (!reason) {
        settle(link);
        readAll(link);
        return link;
      }
      const error = new Deno.errors.ConnectionRefused(`Refused: ${reason}`);
      return link.send({ type: "refuse", reason }).catch(nothing).then(() => {
        link.end(error);
        throw error;
      });
    });
  };

  const settle = (link: Link): void => {
    const known = links.get(link.id);
    const wanted = id < link.id;
    const keepsKnown = known && (known.dialled === link.dialled || known.dialled === wanted);
    if (!keepsKnown) {
      const others = peers().filter((other) => other.id !== link.id);
      links.set(link.id, link);
      link.send({ type: "peers", peers: others });
      link.watch();
    }
    const loser = keepsKnown ? link : known;
    if (!loser) return;
    if (loser === known) {
      link.questions = known.questions;
      known.questions = new Map();
    }
    loser.send({ type: "refuse", reason: "duplicate" });
    loser.leave();
  };

  const readAll = (link: Link): void => {
    let replaced = false;
    const finish = (error?: unknown): void => {
      const patience = replaced && !closing
        ? orAfter<unknown>(silenceMs, link.over.promise)
        : Promise.resolve();
      patience.then(() => link.end(error));
    };
    const step = (): void => {
      link.next().then((frame) => {
        if (!frame) return finish(new Error("It left"));
        if (frame.header.type === "refuse") {
          replaced = frame.header["reason"] === "duplicate";
          if (!replaced) throw new Error(`Refused: ${frame.header["reason"]}`);
          return step();
        }
        link.accepted.resolve();
        take(link, frame);
        if (inbox.isFull()) link.rest(inbox.room()).then(step);
        else step();
      }).catch(finish);
    };
    step();
  };

  const take = (link: Link, { header, body }: Frame): void => {
    const back = links.get(link.id) ?? link;
    const { type, hash, index } = header;
    if (type === "message") inbox.put({ from: link.id, body });
    if (type === "ping") back.send({ type: "pong" });
    if (type === "peers") meet(header["peers"]);
    const content = stored.get(hash);
    if (type === "want" && content) {
      back.send({ type: "manifest", hash, size: content.bytes.length }, content.manifest);
    } else if (type === "want") {
      back.send({ type: "missing", hash });
    }
    if (type === "get") {
      const at = isCount(index) ? index * CHUNK : Infinity;
      const chunk = content?.bytes.subarray(at, at + CHUNK);
      if (chunk?.length) back.send({ type: "chunk", hash, index }, chunk);
      else back.send({ type: "missing", hash, index });
    }
    if (type === "manifest" || type === "chunk" || type === "missing") {
      back.questions.get(`${hash}/${index}`)?.({ header, body });
    }
  };

  const meet = (list: unknown): void => {
    const entries: Partial<Known>[] = Array.isArray(list) ? list : [];
    const known = [{ id, ...listener.addr }, ...peers()];
    const strangers = entries.flatMap((entry) => {
      const { id, hostname, port } = entry ?? {};
      if (!isId(id) || !isPort(port) || typeof hostname !== "string") return [];
      const address = { hostname, port };
      if (known.some((peer) => peer.id === id || keyOf(peer) === keyOf(address))) return [];
      return dials.has(keyOf(address)) ? [] : [address];
    });
    strangers.slice(0, 64).forEach((address) => connect(address).catch(nothing));
  };

  const dial = ({ hostname, port }: Address): Promise<string> =>
    Deno.connect({ hostname, port, signal: stopping.signal })
      .then((conn) => greet(conn, true))
      .then((link) =>
        orAfter(200, Promise.race([link.accepted.promise, link.over.promise]))
          .then(() => links.has(link.id) ? undefined : orAfter(50, new Promise(nothing)))
          .then(() => {
            if (links.has(link.id)) return link.id;
            throw link.error ?? new Deno.errors.NotConnected(`Lost ${link.id}`);
          })
      );

  const connect = (address: Address): Promise<string> => {
    if (closing) return Promise.reject(new Deno.errors.BadResource("Closed"));
    const key = keyOf(address);
    const known = peers().find((peer) => keyOf(peer) === key);
    const running = dials.get(key) ?? (known && Promise.resolve(known.id));
    if (running) return running;
    const started = dial(address).finally(() => dials.delete(key));
    dials.set(key, started);
    return started;
  };

  const ask = (to: string, header: Header): Promise<Frame | undefined> => {
    const link = links.get(to);
    if (!link) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<Frame | undefined>();
    const key = `${header["hash"]}/${header["index"]}`;
    link.questions.set(key, resolve);
    link.send(header);
    return orAfter(silenceMs, promise).finally(() => link.questions.delete(key));
  };

  const share = (content: Uint8Array): Promise<string> => {
    const bytes = content.slice();
    const count = Math.ceil(bytes.length / CHUNK);
    const hashes = Array.from(
      { length: count },
      (_, index) => sha256(bytes.subarray(index * CHUNK, (index + 1) * CHUNK)),
    );
    return Promise.all(hashes)
      .then((all) => Uint8Array.fromHex(all.join("")))
      .then((manifest) =>
        sha256(manifest).then((hash) => {
          stored.set(hash, { bytes, manifest });
          return hash;
        })
      );
  };

  const fetches = new Map<string, Promise<unknown>>();
  const fetch = (hash: string): Promise<Uint8Array> => {
    const content = stored.get(hash);
    if (content) return Promise.resolve(content.bytes.slice());
    const running = fetches.get(hash) ??
      download(hash, [...links.keys()], ask).then(share).finally(() => fetches.delete(hash));
    fetches.set(hash, running);
    return running.then(() => fetch(hash));
  };

  const accepting = new Promise<void>((resolve) => {
    const acceptNext = (): void => {
      listener.accept().then((conn) => {
        greet(conn, false).catch(nothing);
        acceptNext();
      }, () => {
        if (closing) resolve();
        else setTimeout(acceptNext, 1);
      });
    };
    acceptNext();
  });

  const stop = (): Promise<unknown> => {
    stopping.abort(new Deno.errors.BadResource("Closed"));
    listener.close();
    inbox.close();
    return Promise.all([accepting, ...[...dials.values()].map((one) => one.catch(nothing))]);
  };

  return {
    id,
    addr: listener.addr,
    messages: inbox.messages,
    connect,
    peers,
    share,
    fetch,
    send: (to: string, body: Uint8Array): Promise<void> =>
      Promise.try(() => {
        const link = links.get(to);
        if (!link) throw new Deno.errors.NotConnected(`No link with ${to}`);
        return link.send({ type: "message" }, body);
      }),
    broadcast: (body: Uint8Array): Promise<void> =>
      Promise.try(() => links.forEach((link) => void link.send({ type: "message" }, body))),
    close: (): Promise<void> => closing ??= Promise.resolve().then(stop).then(nothing),
  };
}

export const createPeer = (
  { id, hostname = "127.0.0.1", silenceMs = 5000 }: {
    id: string;
    hostname?: string;
    silenceMs?: number;
  },
) => Promise.try(() => startPeer(id, hostname, silenceMs));
