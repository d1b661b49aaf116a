// Fails task 2, 5: name-kept — gives a name back on LEAVE only, not when its owner quits or is gone.

export type Command =
  | { type: "join"; room: string; name: string }
  | { type: "say"; text: string }
  | { type: "tell"; name: string; text: string }
  | { type: "who" }
  | { type: "leave" }
  | { type: "quit" };

export type Event =
  | { type: "joined" | "left"; room: string; name: string }
  | { type: "said"; room: string; name: string; text: string }
  | { type: "told"; name: string; text: string }
  | { type: "names"; room: string; names: string[] }
  | { type: "error" | "bye"; code: string; text: string };

export class ChatError extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
    this.name = "ChatError";
  }
}

export interface ChatOptions {
  maxLineBytes?: number;
  queueBytes?: number;
  idleMs?: number;
  lingerMs?: number;
}

export interface ChatServer {
  readonly addr: Deno.NetAddr;
  stop(): Promise<void>;
}

const CONTROL = /[\p{Cc}]/gu;

const hasControl = (text: string) => text.replaceAll("\t", " ").search(CONTROL) >= 0;

function checked(word: string): string {
  const name = word.normalize("NFC");
  if (/^[\p{L}\p{N}_-]{1,32}$/u.test(name)) return name;
  throw new ChatError("bad-name", "Only letters, digits, - and _, at most 32");
}

export function parseCommand(line: Uint8Array): Command {
  if (line.at(-1) === 0x0d) line = line.slice(0, -1);
  let text = "";
  try {
    text = new TextDecoder("utf8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    throw new ChatError("not-utf8", "UTF-8 please");
  }
  if (hasControl(text)) throw new ChatError("control-character", "No control characters please");
  const usage = (how: string) => new ChatError("bad-arguments", `Like this: ${how}`);
  const words = text.split(" ");
  const word = words[0]!.toUpperCase();
  const after = text.slice(word.length + 1);
  if (word === "JOIN") {
    if (words.length !== 3 || !words[1] || !words[2]) throw usage("JOIN lobby kim");
    return { type: "join", room: checked(words[1]), name: checked(words[2]) };
  }
  if (word === "SAY") {
    if (after === "") throw usage("SAY hello");
    return { type: "say", text: after };
  }
  if (word === "TELL") {
    const said = after.slice((words[1] ?? "").length + 1);
    if (said === "") throw usage("TELL kim hello");
    return { type: "tell", name: checked(words[1]!), text: said };
  }
  if (!["WHO", "LEAVE", "QUIT"].includes(word)) {
    throw new ChatError("unknown-command", "I know JOIN, SAY, TELL, WHO, LEAVE and QUIT");
  }
  if (words.length > 1) throw usage(word);
  return { type: word.toLowerCase() } as Command;
}

export function formatEvent(event: Event): Uint8Array {
  const head = event.type.toUpperCase();
  const body = () => {
    switch (event.type) {
      case "joined":
      case "left":
        return `${event.room} ${event.name}`;
      case "said":
        return `${event.room} ${event.name} ${event.text}`;
      case "told":
        return `${event.name} ${event.text}`;
      case "names":
        return `${event.room} ${event.names.join(" ")}`;
      case "error":
      case "bye":
        return `${event.code} ${event.text}`;
    }
  };
  const safe = body().replace(CONTROL, (char) => char === "\t" ? char : "\ufffd");
  return new TextEncoder().encode(`${head} ${safe}\n`);
}

/** Those who hear each other. */
class Room {
  readonly members: Guest[] = [];

  constructor(readonly name: string) {}

  namesEvent(): Event {
    const names = this.members.map((guest) => guest.nick!);
    return { type: "names", room: this.name, names: names.sort((a, b) => a < b ? -1 : 1) };
  }

  say(event: Event): void {
    Guest.sendToAll([...this.members], event);
  }

  remove(guest: Guest): void {
    const at = this.members.indexOf(guest);
    if (at >= 0) this.members.splice(at, 1);
  }
}

/** A client. */
class Guest {
  nick: string | null = null;
  room: Room | null = null;
  readonly gone: Promise<void>;
  private setGone: () => void = () => {};
  private chain: Promise<void> = Promise.resolve();
  private inChain = 0;
  private waiting = 0;
  private epoch = 0;
  private isLeaving = false;
  private isClosed = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private pieces: Uint8Array[] = [];
  private pieceBytes = 0;

  constructor(
    private readonly house: House,
    private readonly conn: Deno.TcpConn,
    private readonly options: Required<ChatOptions>,
  ) {
    this.gone = new Promise((resolve) => this.setGone = resolve);
    this.restartTimer();
  }

  start(): Promise<void> {
    const buffer = new Uint8Array(8192);
    const next = (): Promise<void> =>
      this.conn.read(buffer).then((n) => {
        if (n === null) return;
        if (!this.isLeaving) this.take(buffer.slice(0, n));
        return next();
      });
    return next().then(
      () => this.inChain > 0 && !this.isLeaving ? this.leaveBy(null) : undefined,
      () => this.close(),
    ).then(() => this.chain).then(() => this.close());
  }

  private take(bytes: Uint8Array): void {
    const end = bytes.indexOf(10);
    const piece = end < 0 ? bytes : bytes.subarray(0, end);
    this.pieces.push(piece);
    this.pieceBytes += piece.length;
    if (this.pieceBytes > this.options.maxLineBytes) {
      this.pieces = [];
      return this.leaveBy("too-long");
    }
    if (end < 0) return;
    const line = new Uint8Array(this.pieceBytes);
    this.pieces.reduce((at, part) => (line.set(part, at), at + part.length), 0);
    this.pieces = [];
    this.pieceBytes = 0;
    this.restartTimer();
    this.house.obey(this, line);
    if (!this.isLeaving && end + 1 < bytes.length) this.take(bytes.subarray(end + 1));
  }

  private restartTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.leaveBy("idle"), this.options.idleMs);
  }

  static sendToAll(guests: Guest[], event: Event): void {
    const line = formatEvent(event);
    guests.forEach((guest) => guest.isLeaving || guest.write(line));
    guests
      .filter((guest) => !guest.isLeaving && guest.waiting > guest.options.queueBytes)
      .forEach((guest) => guest.leaveBy("too-slow"));
  }

  send(event: Event): void {
    Guest.sendToAll([this], event);
  }

  /** Hangs a line on the chain. Lines of an epoch that is over are not written, unless they have begun. */
  private write(line: Uint8Array): void {
    const epoch = this.epoch;
    this.waiting += line.length;
    this.inChain++;
    const rest = (done: number): Promise<void> =>
      this.conn.write(line.subarray(done)).then((n) => {
        this.waiting -= n;
        return done + n < line.length ? rest(done + n) : undefined;
      });
    this.chain = this.chain
      .then(() => epoch === this.epoch ? rest(0) : undefined)
      .then(() => void this.inChain--)
      .catch(() => this.close());
  }

  /** Says BYE, if there is a reason to tell, and goes. */
  leaveBy(reason: string | null): void {
    if (this.isLeaving) return;
    this.isLeaving = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.close(), this.options.lingerMs);
    if (reason === "too-slow") this.epoch++;
    this.house.forget(this);
    if (reason !== null) {
      this.write(formatEvent({ type: "bye", code: reason, text: `the reason is ${reason}` }));
    }
    this.chain = this.chain.then(() => this.conn.closeWrite()).catch(() => {});
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isLeaving = true;
    this.epoch++;
    if (this.timer !== null) clearTimeout(this.timer);
    this.conn.close();
    this.house.forget(this);
    this.setGone();
  }
}

/** The rooms, the names and the door. */
class House implements ChatServer {
  readonly addr: Deno.NetAddr;
  private readonly options: Required<ChatOptions>;
  private readonly listener: Deno.TcpListener;
  private readonly guests = new Set<Guest>();
  private readonly nicks = new Map<string, Guest>();
  private readonly rooms = new Map<string, Room>();
  private readonly doorClosed: Promise<void>;
  private ended: Promise<void> | null = null;

  constructor(options: ChatOptions) {
    this.options = {
      maxLineBytes: options.maxLineBytes ?? 1024,
      queueBytes: options.queueBytes ?? 1024 * 64,
      idleMs: options.idleMs ?? 1000 * 60,
      lingerMs: options.lingerMs ?? 1000,
    };
    this.listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.addr = this.listener.addr;
    this.doorClosed = this.acceptNext();
  }

  private acceptNext(): Promise<void> {
    return this.listener.accept().then((conn) => {
      conn.setNoDelay(true);
      const guest = new Guest(this, conn, this.options);
      this.guests.add(guest);
      guest.start();
      guest.gone.then(() => this.guests.delete(guest));
      if (this.ended) guest.leaveBy("stopping");
    }).catch(() => this.ended ? undefined : new Promise((resolve) => setTimeout(resolve, 3)))
      .then(() => this.ended ? undefined : this.acceptNext());
  }

  obey(guest: Guest, line: Uint8Array): void {
    try {
      const command = parseCommand(line);
      this[command.type](guest, command as never);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      guest.send({ type: "error", code: error.code, text: error.message });
    }
  }

  private join(guest: Guest, { room: place, name }: { room: string; name: string }): void {
    if (guest.room) throw new ChatError("already-joined", "You cannot be in two rooms");
    if (this.nicks.has(name)) throw new ChatError("name-taken", "Choose another name");
    const room = this.rooms.get(place) ?? new Room(place);
    this.rooms.set(place, room);
    this.nicks.set(name, guest);
    guest.nick = name;
    guest.room = room;
    room.say({ type: "joined", room: place, name });
    room.members.push(guest);
    guest.send(room.namesEvent());
  }

  private inside(guest: Guest): { room: Room; name: string } {
    if (!guest.room) throw new ChatError("not-joined", "You are in no room");
    return { room: guest.room, name: guest.nick! };
  }

  private say(guest: Guest, { text }: { text: string }): void {
    const { room, name } = this.inside(guest);
    room.say({ type: "said", room: room.name, name, text });
  }

  private tell(guest: Guest, { name: to, text }: { name: string; text: string }): void {
    const { name } = this.inside(guest);
    const other = this.nicks.get(to);
    if (!other) throw new ChatError("no-such-name", "Who is that?");
    other.send({ type: "told", name, text });
  }

  private who(guest: Guest): void {
    guest.send(this.inside(guest).room.namesEvent());
  }

  private leave(guest: Guest): void {
    const { room, name } = this.inside(guest);
    this.nicks.delete(name);
    this.forget(guest);
    guest.send({ type: "left", room: room.name, name });
  }

  private quit(guest: Guest): void {
    guest.leaveBy("quit");
  }

  forget(guest: Guest): void {
    const { room, nick } = guest;
    if (!room || !nick) return;
    guest.room = guest.nick = null;
    room.remove(guest);
    if (room.members.length === 0) this.rooms.delete(room.name);
    if (!this.ended) room.say({ type: "left", room: room.name, name: nick });
  }

  stop(): Promise<void> {
    if (this.ended) return this.ended;
    const all = [...this.guests];
    this.ended = Promise.all([this.doorClosed, ...all.map((guest) => guest.gone)]).then(() => {});
    this.listener.close();
    all.forEach((guest) => guest.leaveBy("stopping"));
    return this.ended;
  }
}

export function startChat(options: ChatOptions = {}): ChatServer {
  return new House(options);
}
