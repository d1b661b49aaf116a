// Fails task 2, 3, 4: names-without-self — makes the list of names before the newcomer is on it.

/** What a client asks for. */
export type Command =
  | { type: "join"; room: string; name: string }
  | { type: "say"; text: string }
  | { type: "tell"; name: string; text: string }
  | { type: "who" }
  | { type: "leave" }
  | { type: "quit" };

/** What the server tells a client. */
export type Event =
  | { type: "joined" | "left"; room: string; name: string }
  | { type: "said"; room: string; name: string; text: string }
  | { type: "told"; name: string; text: string }
  | { type: "names"; room: string; names: string[] }
  | { type: "error" | "bye"; code: string; text: string };

export class ChatError extends Error {
  override readonly name: string = "ChatError";

  constructor(readonly code: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** A line whose bytes are wrong, whatever it says. */
export class BadLine extends ChatError {
  override readonly name = "BadLine";
}

/** A command that is understood and cannot be obeyed. */
export class Refused extends ChatError {
  override readonly name = "Refused";
}

export interface ChatOptions {
  maxLineBytes?: number;
  queueBytes?: number;
  idleMs?: number;
  lingerMs?: number;
  /** Not part of the exercise: where to listen. */
  hostname?: string;
}

export interface ChatServer {
  readonly addr: Deno.NetAddr;
  stop(): Promise<void>;
}

export const NAME_PATTERN = /^[\p{Letter}\p{Number}_-]{1,32}$/u;

function toText(line: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch (cause) {
    throw new BadLine("not-utf8", "This is not UTF-8", { cause });
  }
}

const isControl = (code: number) => (code < 32 && code !== 9) || (code > 126 && code < 160);

function take(text: string): { word: string; rest: string; more: boolean } {
  const at = text.indexOf(" ");
  if (at === -1) return { word: text, rest: "", more: false };
  return { word: text.substring(0, at), rest: text.substring(at + 1), more: true };
}

function normalName(text: string): string {
  const name = text.normalize("NFC");
  if (!NAME_PATTERN.test(name)) throw new Refused("bad-name", `Not a name: ${text}`);
  return name;
}

export function parseCommand(line: Uint8Array): Command {
  let text = toText(line);
  if (text.endsWith("\r")) text = text.slice(0, -1);
  for (let i = 0; i < text.length; i++) {
    if (isControl(text.charCodeAt(i))) {
      throw new BadLine("control-character", `A control character at ${i}`);
    }
  }
  const { word, rest, more } = take(text);
  const name = word.toUpperCase();
  const bad = new Refused("bad-arguments", `Not the arguments of ${name}`);
  if (name === "SAY") {
    if (rest.length === 0) throw bad;
    return { type: "say", text: rest };
  }
  if (name === "TELL") {
    const to = take(rest);
    if (to.rest.length === 0) throw bad;
    return { type: "tell", name: normalName(to.word), text: to.rest };
  }
  if (name === "JOIN") {
    const { word: room, rest: person, more: both } = take(rest);
    if (!both || person.includes(" ") || !room || !person) throw bad;
    return { type: "join", room: normalName(room), name: normalName(person) };
  }
  if (name === "WHO" || name === "LEAVE" || name === "QUIT") {
    if (more) throw bad;
    return { type: name.toLowerCase() } as Command;
  }
  throw new Refused("unknown-command", `No such command`);
}

function clean(field: string): string {
  return Array.from(field, (char) => isControl(char.codePointAt(0)!) ? "\u{fffd}" : char).join("");
}

export function formatEvent(event: Event): Uint8Array<ArrayBuffer> {
  const line = (...words: string[]) =>
    new TextEncoder().encode(`${words.map(clean).join(" ")}\n`) as Uint8Array<ArrayBuffer>;
  switch (event.type) {
    case "joined":
      return line("JOINED", event.room, event.name);
    case "left":
      return line("LEFT", event.room, event.name);
    case "said":
      return line("SAID", event.room, event.name, event.text);
    case "told":
      return line("TOLD", event.name, event.text);
    case "names":
      return line("NAMES", event.room, ...event.names);
    default:
      return line(event.type.toUpperCase(), event.code, event.text);
  }
}

/** What comes into the chat, from all connections, in the order in which it came. */
type Item =
  | { kind: "line"; from: Session; line: Uint8Array }
  | { kind: "end"; from: Session; bye?: [code: string, text: string] }
  | { kind: "stop" };

/** An unbounded queue between those who put and one who iterates. */
class Inbox implements AsyncIterable<Item> {
  #items: Item[] = [];
  #wake = Promise.withResolvers<void>();
  #isClosed = false;

  put(item: Item): void {
    this.#items.push(item);
    this.#wake.resolve();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    for (;;) {
      const items = this.#items;
      this.#items = [];
      yield* items;
      if (this.#items.length > 0) continue;
      if (this.#isClosed) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}

/** One connection. It knows lines and bytes, and nothing of rooms. */
class Session {
  readonly seat: { room?: string; name?: string } = {};
  readonly closed: Promise<void>;
  heardAt = performance.now();
  forceAt = Infinity;
  #outbox: Uint8Array[] = [];
  #outBytes = 0;
  #hasLastLine = false;
  #more = Promise.withResolvers<void>();
  readonly #isClosed = Promise.withResolvers<void>();

  constructor(readonly conn: Deno.Conn, readonly inbox: Inbox, readonly maxLineBytes: number) {
    this.closed = this.#isClosed.promise;
    Promise.allSettled([this.#readAll(), this.#writeAll()]).then(() => this.close());
  }

  get isEnding(): boolean {
    return this.#hasLastLine;
  }

  get outBytes(): number {
    return this.#outBytes;
  }

  async #readAll(): Promise<void> {
    let parts: Uint8Array[] = [];
    let size = 0;
    try {
      for (;;) {
        const buffer = new Uint8Array(32 * 1024);
        const n = await this.conn.read(buffer);
        if (n === null) break;
        let rest = buffer.subarray(0, n);
        while (rest.length > 0 && !this.isEnding && size <= this.maxLineBytes) {
          const end = rest.indexOf(0x0a);
          const piece = end === -1 ? rest : rest.subarray(0, end);
          parts.push(piece);
          size += piece.length;
          if (size > this.maxLineBytes) {
            const bye: [string, string] = ["too-long", "That line does not end"];
            this.inbox.put({ kind: "end", from: this, bye });
          } else if (end !== -1) {
            const line = new Uint8Array(size);
            let at = 0;
            for (const part of parts) {
              line.set(part, at);
              at += part.length;
            }
            this.heardAt = performance.now();
            this.inbox.put({ kind: "line", from: this, line });
            parts = [];
            size = 0;
          }
          rest = end === -1 ? new Uint8Array(0) : rest.subarray(end + 1);
        }
      }
    } catch {
      this.close();
    } finally {
      this.inbox.put({ kind: "end", from: this });
    }
  }

  async #writeAll(): Promise<void> {
    try {
      for (;;) {
        const line = this.#outbox[0];
        if (!line) {
          if (this.#hasLastLine) break;
          await this.#more.promise;
          this.#more = Promise.withResolvers();
          continue;
        }
        let rest = line;
        while (rest.length > 0) {
          const n = await this.conn.write(rest);
          rest = rest.subarray(n);
          this.#outBytes -= n;
        }
        this.#outbox.shift();
      }
      await this.conn.closeWrite();
    } catch {
      this.close();
    }
  }

  /** Puts a line in the queue. */
  write(line: Uint8Array): void {
    if (this.#hasLastLine) return;
    this.#outbox.push(line);
    this.#outBytes += line.length;
    this.#more.resolve();
  }

  /** Forgets what waits, but for the line that is being written. */
  forget(): void {
    this.#outbox = this.#outbox.slice(0, 1);
  }

  /** After this line, if there is one, comes nothing. */
  finish(lingerMs: number, line?: Uint8Array): void {
    if (this.#hasLastLine) return;
    if (line) this.write(line);
    this.#hasLastLine = true;
    this.forceAt = performance.now() + lingerMs;
    this.#more.resolve();
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // Once is enough.
    }
    this.#hasLastLine = true;
    this.#outbox = [];
    this.#more.resolve();
    this.#isClosed.resolve();
  }
}

export function startChat(options: ChatOptions = {}, ..._ignored: unknown[]): ChatServer {
  const settings = {
    hostname: "127.0.0.1",
    maxLineBytes: 1024,
    queueBytes: 64 * 1024,
    idleMs: 60_000,
    lingerMs: 1000,
    ...options,
  };
  const listener = Deno.listen({ hostname: settings.hostname, port: 0 });
  const inbox = new Inbox();
  const sessions = new Set<Session>();
  const byName = new Map<string, Session>();
  const stopped = Promise.withResolvers<void>();
  let isStopping = false;

  const members = (room: string) => Array.from(sessions).filter((one) => one.seat.room === room);

  const deliver = (event: Event, ...to: Session[]) => {
    const line = formatEvent(event);
    for (const session of to) session.write(line);
    for (const session of to) {
      if (session.isEnding || session.outBytes <= settings.queueBytes) continue;
      session.forget();
      dismiss(session, ["too-slow", "Others cannot wait"]);
    }
  };

  const dismiss = (session: Session, bye?: [string, string]) => {
    const { room, name } = session.seat;
    const last = bye && formatEvent({ type: "bye", code: bye[0], text: bye[1] });
    session.finish(settings.lingerMs, last);
    delete session.seat.room;
    delete session.seat.name;
    if (room === undefined || name === undefined) return;
    byName.delete(name);
    if (!isStopping) deliver({ type: "left", room, name }, ...members(room));
  };

  const names = (room: string): Event => {
    const all = members(room).map((one) => one.seat.name!);
    return { type: "names", room, names: all.toSorted() };
  };

  const obey = (session: Session, command: Command): void => {
    const { room, name } = session.seat;
    if (command.type === "quit") return dismiss(session, ["quit", "As you like"]);
    if (command.type === "join") {
      if (room !== undefined) throw new Refused("already-joined", `You are in ${room}`);
      if (byName.has(command.name)) throw new Refused("name-taken", "Another has that name");
      const others = members(command.room);
      const present = names(command.room);
      byName.set(command.name, session);
      session.seat.room = command.room;
      session.seat.name = command.name;
      deliver({ type: "joined", room: command.room, name: command.name }, ...others);
      return deliver(present, session);
    }
    if (room === undefined || name === undefined) throw new Refused("not-joined", "JOIN first");
    if (command.type === "who") return deliver(names(room), session);
    if (command.type === "say") {
      return deliver({ type: "said", room, name, text: command.text }, ...members(room));
    }
    if (command.type === "tell") {
      const to = byName.get(command.name);
      if (!to) throw new Refused("no-such-name", `No ${command.name}`);
      return deliver({ type: "told", name, text: command.text }, to);
    }
    const all = members(room);
    byName.delete(name);
    delete session.seat.room;
    delete session.seat.name;
    deliver({ type: "left", room, name }, ...all);
  };

  const work = async () => {
    for await (const item of inbox) {
      if (item.kind === "stop") {
        isStopping = true;
        for (const session of sessions) dismiss(session, ["stopping", "We are closing"]);
      } else if (item.kind === "end") dismiss(item.from, item.bye);
      else if (!item.from.isEnding) {
        try {
          obey(item.from, parseCommand(item.line));
        } catch (error) {
          if (!(error instanceof ChatError)) throw error;
          deliver({ type: "error", code: error.code, text: error.message }, item.from);
        }
      }
    }
  };

  const accept = async () => {
    while (!isStopping) {
      const conn = await listener.accept().catch(() => undefined);
      if (!conn) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        continue;
      }
      conn.setNoDelay();
      const session = new Session(conn, inbox, settings.maxLineBytes);
      sessions.add(session);
      session.closed.then(() => {
        dismiss(session);
        sessions.delete(session);
      });
    }
  };

  const sweepMs = Math.max(5, Math.min(settings.idleMs, settings.lingerMs, 1000) / 10);
  const sweeper = setInterval(() => {
    const now = performance.now();
    for (const session of sessions) {
      if (now > session.forceAt) session.close();
      else if (now - session.heardAt > settings.idleMs && !session.isEnding) {
        inbox.put({ kind: "end", from: session, bye: ["idle", "Nobody there"] });
      }
    }
  }, sweepMs);

  const working = work();
  const accepting = accept();

  const end = async () => {
    listener.close();
    isStopping = true;
    await accepting;
    inbox.put({ kind: "stop" });
    while (sessions.size > 0) await Promise.all(Array.from(sessions, ({ closed }) => closed));
    clearInterval(sweeper);
    inbox.close();
    await working;
  };

  let ending: Promise<void> | undefined;
  return {
    addr: listener.addr as Deno.NetAddr,
    stop(): Promise<void> {
      if (!ending) {
        ending = stopped.promise;
        end().then(stopped.resolve, stopped.reject);
      }
      return ending;
    },
  };
}
