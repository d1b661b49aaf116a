// Valid: puts what comes together by spreading arrays of numbers, which takes its time.

const LF = 0x0a;
const CR = 0x0d;
const CHUNK_BYTES = 4096;
const ACCEPT_PAUSE_MS = 10;

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

/** A command that cannot be obeyed. The client gets `ERROR <code> <message>`, and stays. */
export class ChatError extends Error {
  override name = "ChatError";

  /** `code` is one of the ERROR codes of the wire format, such as "bad-name". */
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

export interface ChatOptions {
  /** A longer line ends the connection: bytes without the LF. 1024 by default. */
  maxLineBytes?: number;
  /** A client for which more bytes than this wait is dropped. 65536 by default. */
  queueBytes?: number;
  /** A client that sends no whole line for so long is dropped. 60000 by default. */
  idleMs?: number;
  /** So long a client may take to read its BYE, then it is closed by force. 1000 by default. */
  lingerMs?: number;
}

export interface ChatServer {
  /** Where it listens, with the real port. */
  readonly addr: Deno.NetAddr;
  /**
   * Ends the chat: nobody new comes in, and everybody gets `BYE stopping` after what was queued
   * before, but no LEFT. Who does not read has `lingerMs`. Resolves when every connection is closed
   * and the port can be bound again; no timer is left. A second call is the first.
   */
  stop(): Promise<void>;
}

// --------------------------------------------------------------------------------- task 1: the lines

const NAME = /^[\p{L}\p{N}_-]{1,32}$/u;
// deno-lint-ignore no-control-regex -- control characters are what it is about
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/**
 * Reads one line, without its LF; a CR at its end is dropped.
 *
 * Throws a {@linkcode ChatError} that names what is wrong with it.
 */
export function parseCommand(line: Uint8Array): Command {
  const text = decode(line.at(-1) === CR ? line.subarray(0, -1) : line);
  if (text.search(CONTROL) >= 0) {
    throw new ChatError("control-character", "Control characters are not allowed");
  }
  const [word, rest] = cutWord(text);
  switch (word.toUpperCase()) {
    case "JOIN": {
      const words = rest?.split(" ") ?? [];
      if (words.length !== 2) throw new ChatError("bad-arguments", "Usage: JOIN <room> <name>");
      return { type: "join", room: checkName(words[0]!), name: checkName(words[1]!) };
    }
    case "SAY":
      // Everything after the first space, untouched: spaces are part of what somebody says.
      if (!rest) throw new ChatError("bad-arguments", "Usage: SAY <text>");
      return { type: "say", text: rest };
    case "TELL": {
      const [name, said] = cutWord(rest ?? "");
      if (!said) throw new ChatError("bad-arguments", "Usage: TELL <name> <text>");
      return { type: "tell", name: checkName(name), text: said };
    }
    case "WHO":
    case "LEAVE":
    case "QUIT": {
      const type = word.toLowerCase() as "who" | "leave" | "quit";
      if (rest !== undefined) throw new ChatError("bad-arguments", `Usage: ${word.toUpperCase()}`);
      return { type };
    }
    default:
      throw new ChatError("unknown-command", "Commands: JOIN, SAY, TELL, WHO, LEAVE, QUIT");
  }
}

/** The first word, and what follows the space after it, if there is one. */
function cutWord(text: string): [word: string, rest?: string] {
  const space = text.indexOf(" ");
  return space < 0 ? [text] : [text.slice(0, space), text.slice(space + 1)];
}

function decode(line: Uint8Array): string {
  try {
    // Fatal: by default a decoder makes U+FFFD of what is no UTF-8. And it swallows a U+FEFF at the
    // beginning, so that two different lines would become one.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    throw new ChatError("not-utf8", "Lines are UTF-8");
  }
}

/** One name has many spellings in Unicode: "é" is one character or two. Here it has one (UAX #15). */
function checkName(name: string): string {
  const normal = name.normalize("NFC");
  if (NAME.test(normal)) return normal;
  throw new ChatError("bad-name", "A name has 1 to 32 letters, digits, - or _");
}

/** Writes one event as its line, with the LF. Always exactly one line, whatever the fields hold. */
export function formatEvent(event: Event): Uint8Array {
  const words = wordsOf(event).join(" ");
  // The classic mistake is to leave this out: then "hi\nSAID room boss you are fired" is two events.
  return new TextEncoder().encode(`${words.replace(CONTROL, "\ufffd")}\n`);
}

function wordsOf(event: Event): string[] {
  const word = event.type.toUpperCase();
  switch (event.type) {
    case "joined":
    case "left":
      return [word, event.room, event.name];
    case "said":
      return [word, event.room, event.name, event.text];
    case "told":
      return [word, event.name, event.text];
    case "names":
      return [word, event.room, ...event.names];
    case "error":
    case "bye":
      return [word, event.code, event.text];
  }
}

// --------------------------------------------------------------------- tasks 2 to 4: rooms and names

/** Starts a chat on 127.0.0.1, on a port that the OS chooses. It listens before this returns. */
export function startChat(options: ChatOptions = {}): ChatServer {
  return new Chat(options);
}

class Chat implements ChatServer {
  readonly addr: Deno.NetAddr;
  readonly options: Required<ChatOptions>;
  readonly #listener: Deno.TcpListener;
  readonly #clients = new Set<Client>();
  /** Who has which name. A Map: an object has names of its own, such as "constructor". */
  readonly #names = new Map<string, Client>();
  readonly #rooms = new Map<string, Set<Client>>();
  readonly #accepting: Promise<void>;
  /** Some queue is half full: the kernel should be asked before more is said. */
  crowded = false;
  #stopped?: Promise<void>;

  constructor(options: ChatOptions) {
    const { maxLineBytes = 1024, queueBytes = 65_536, idleMs = 60_000, lingerMs = 1000 } = options;
    this.options = { maxLineBytes, queueBytes, idleMs, lingerMs };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.addr = this.#listener.addr;
    this.#accepting = this.#accept();
  }

  async #accept(): Promise<void> {
    while (!this.#stopped) {
      try {
        const conn = await this.#listener.accept();
        const client = new Client(this, conn);
        this.#clients.add(client);
        client.closed.then(() => this.#clients.delete(client));
        if (this.#stopped) client.end("stopping", "The chat is over");
      } catch {
        // A client that was gone before it was accepted, or no descriptors left: not the end of the
        // chat. The pause keeps the second from becoming a busy loop.
        if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  /** Obeys one line. There is no `await` from here to the last queue: nothing can come in between. */
  obey(client: Client, line: Uint8Array): void {
    try {
      this.#run(client, parseCommand(line));
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.#send([client], { type: "error", code: error.code, text: error.message });
    }
  }

  #run(client: Client, command: Command): void {
    if (command.type === "join") return this.#join(client, command);
    if (command.type === "quit") return client.end("quit", "Goodbye");
    const { seat } = client;
    if (!seat) throw new ChatError("not-joined", "JOIN a room first");
    const { room, name } = seat;
    switch (command.type) {
      case "say":
        return this.#send(this.#members(room), { type: "said", room, name, text: command.text });
      case "tell": {
        const other = this.#names.get(command.name);
        if (!other) throw new ChatError("no-such-name", `Nobody here is ${command.name}`);
        return this.#send([other], { type: "told", name, text: command.text });
      }
      case "who":
        return this.#tellNames(client, room);
      case "leave":
        this.#send([client], { type: "left", room, name });
        return this.leave(client);
    }
  }

  #join(client: Client, { room, name }: { room: string; name: string }): void {
    if (client.seat) throw new ChatError("already-joined", `You are in ${client.seat.room}`);
    // Looked and taken in one go. With an await between the two, both of two clients get the name.
    if (this.#names.has(name)) throw new ChatError("name-taken", `Somebody else is ${name}`);
    this.#names.set(name, client);
    const members = this.#rooms.get(room) ?? new Set();
    const others = [...members];
    this.#rooms.set(room, members.add(client));
    client.seat = { room, name };
    this.#tellNames(client, room);
    this.#send(others, { type: "joined", room, name });
  }

  /** Takes a client out of its room, however it goes, and tells the others. The second time is nothing. */
  leave(client: Client): void {
    if (!client.seat) return;
    const { room, name } = client.seat;
    client.seat = undefined;
    this.#names.delete(name);
    const members = this.#rooms.get(room)!;
    members.delete(client);
    if (members.size === 0) this.#rooms.delete(room);
    if (!this.#stopped) this.#send(members, { type: "left", room, name });
  }

  #members(room: string): Iterable<Client> {
    return this.#rooms.get(room) ?? [];
  }

  #tellNames(client: Client, room: string): void {
    const names = [...this.#members(room)].map(({ seat }) => seat!.name).sort();
    this.#send([client], { type: "names", room, names });
  }

  /** Queues one event for all of them. No socket is waited for. */
  #send(clients: Iterable<Client>, event: Event): void {
    const line = formatEvent(event);
    const receivers = [...clients];
    for (const client of receivers) client.queue(line);
    this.crowded = receivers.some((client) => client.waitingBytes * 2 > this.options.queueBytes);
    // Only now: a drop tells the room LEFT, which must not overtake this line on its way to others.
    for (const client of receivers) client.dropIfSlow();
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    await Promise.resolve(); // `#stopped` is set before anything else happens.
    this.#listener.close();
    for (const client of this.#clients) client.end("stopping", "The chat is over");
    // The port is free when the accept() that was waiting has ended, not before.
    await this.#accepting;
    await Promise.all([...this.#clients].map(({ closed }) => closed));
  }
}

// ------------------------------------------------------------------------- tasks 5 and 6: one client

/** One connection: a loop that reads, a loop that writes, and a queue between it and the chat. */
class Client {
  /** Where it sits, while it does. */
  seat: { room: string; name: string } | undefined;
  readonly #chat: Chat;
  readonly #conn: Deno.TcpConn;
  readonly #closed = Promise.withResolvers<void>();
  readonly closed = this.#closed.promise;
  #queue: Uint8Array[] = [];
  /** Bytes that the kernel has not taken. */
  waitingBytes = 0;
  #writing = false;
  /** What waits is not to be written any more, other than the rest of a line that has begun. */
  #dropped = false;
  /** The last line is in the queue: nothing is obeyed and nothing queued any more. */
  #ending = false;
  /** The client has sent its end of file. */
  #endRead = false;
  #timer?: ReturnType<typeof setTimeout>;

  constructor(chat: Chat, conn: Deno.TcpConn) {
    this.#chat = chat;
    this.#conn = conn;
    // Many small lines: Nagle's algorithm would keep the second back until the first is acknowledged,
    // which takes some 40 ms (RFC 9293, section 3.7.4).
    conn.setNoDelay();
    this.#resetIdleTimer();
    this.#read();
  }

  // Reading

  async #read(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    let rest = new Uint8Array(0);
    try {
      for (let n = await this.#conn.read(chunk); n !== null; n = await this.#conn.read(chunk)) {
        // After the BYE it is still read, and thrown away: closing with data unread makes the kernel
        // send a reset, and a reset may destroy the BYE on its way (RFC 1122, section 4.2.2.13).
        if (this.#ending) continue;
        rest = Uint8Array.from([...rest, ...chunk.subarray(0, n)]);
        rest = await this.#take(rest);
      }
    } catch {
      // A reset. What it means for the chat is the same as an end.
      return this.#close();
    }
    // The end of file. What is left in `lines` has no LF and is no command.
    this.#endRead = true;
    if (this.#writing) this.end();
    else this.#close();
  }

  /** Obeys the lines, and gives what is left behind the last. */
  async #take(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const { maxLineBytes } = this.#chat.options;
    while (!this.#ending) {
      const end = bytes.indexOf(LF);
      if ((end < 0 ? bytes.length : end) > maxLineBytes) {
        this.end("too-long", `A line has ${maxLineBytes} bytes at most`);
        break;
      }
      if (end < 0) return bytes;
      this.#resetIdleTimer();
      this.#chat.obey(this, bytes.slice(0, end));
      bytes = Uint8Array.from([...bytes].slice(end + 1));
      if (this.#chat.crowded) await new Promise((resolve) => setTimeout(resolve));
    }
    return new Uint8Array(0);
  }

  #resetIdleTimer(): void {
    clearTimeout(this.#timer);
    const { idleMs } = this.#chat.options;
    this.#timer = setTimeout(() => this.end("idle", "Nothing was heard of you"), idleMs);
  }

  // Writing

  queue(line: Uint8Array): void {
    if (this.#ending) return;
    this.#push(line);
  }

  #push(line: Uint8Array): void {
    this.#queue.push(line);
    this.waitingBytes += line.length;
    if (!this.#writing) this.#write();
  }

  /** The only place that writes to this socket, so lines never mix. */
  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#queue.length > 0) {
        // All that waits goes in one write(): a reader gets it as fast as it can be said.
        const lines = this.#queue.splice(0);
        const batch = join(lines);
        for (let sent = 0, end = batch.length; sent < end;) {
          const n = await this.#conn.write(batch.subarray(sent, end));
          sent += n;
          this.waitingBytes -= n;
          // Dropped meanwhile: up to the end of the line that has begun, or else a BYE stands within it.
          if (this.#dropped) end = sent === 0 ? 0 : batch.indexOf(LF, sent - 1) + 1;
        }
      }
      this.#writing = false;
      if (!this.#ending) return;
      if (this.#endRead) this.#close();
      else await this.#conn.closeWrite();
    } catch {
      this.#close();
    }
  }

  /** What waits counts, not what was ever said: a client that reads is never dropped. */
  dropIfSlow(): void {
    if (this.#ending || this.waitingBytes <= this.#chat.options.queueBytes) return;
    // What the writing loop has in hand it cuts itself, behind a whole line.
    this.#queue.length = 0;
    this.#dropped = true;
    this.end("too-slow", "You do not read what is said");
  }

  // Ending

  /** Leaves the chat, says a last word, and closes when that is taken, or after `lingerMs`. */
  end(code?: string, text = ""): void {
    if (this.#ending) return;
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#close(), this.#chat.options.lingerMs);
    // First the others, at once: nobody waits until this one has read.
    this.#chat.leave(this);
    if (code) this.#push(formatEvent({ type: "bye", code, text }));
  }

  /** Closes now. */
  #close(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    try {
      this.#conn.close();
    } catch {
      // Closed already: reading and writing may both find out.
    }
    this.#chat.leave(this);
    this.#closed.resolve();
  }
}

function join(lines: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(lines.reduce((size, line) => size + line.length, 0));
  let at = 0;
  for (const line of lines) {
    joined.set(line, at);
    at += line.length;
  }
  return joined;
}
