// Valid: promise chains, one growing byte buffer per client, and one timer for all deadlines.

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
  override name = "ChatError";
  constructor(readonly code: string, message: string) {
    super(message);
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
const NAME = /^[\p{L}\p{N}_-]{1,32}$/u;

function isControl(code: number): boolean {
  return (code < 0x20 && code !== 9) || (code >= 0x7f && code <= 0x9f);
}

class Words {
  #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  get empty(): boolean {
    return this.#text === "";
  }
  next(): string {
    const at = this.#text.indexOf(" ");
    const word = at < 0 ? this.#text : this.#text.slice(0, at);
    this.#text = at < 0 ? "" : this.#text.slice(at + 1);
    return word;
  }
  rest(): string {
    const all = this.#text;
    this.#text = "";
    return all;
  }
}

function checkedName(raw: string): string {
  const name = raw.normalize("NFC");
  if (!NAME.test(name)) throw new ChatError("bad-name", `"${raw}" is no name`);
  return name;
}

export function parseCommand(line: Uint8Array): Command {
  let end = line.length;
  if (end > 0 && line[end - 1] === 0x0d) end--;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line.slice(0, end));
  } catch {
    throw new ChatError("not-utf8", "please write UTF-8");
  }
  for (const char of text) {
    if (isControl(char.codePointAt(0)!)) {
      throw new ChatError("control-character", "there is a control character in it");
    }
  }
  const parts = text.split(" ");
  const bad = (usage: string) => new ChatError("bad-arguments", `usage: ${usage}`);
  const command = parts[0]!.toUpperCase();
  switch (command) {
    case "JOIN":
      // Empty words are words that are missing.
      if (parts.length !== 3 || parts[1] === "" || parts[2] === "") throw bad("JOIN room name");
      return { type: "join", room: checkedName(parts[1]!), name: checkedName(parts[2]!) };
    case "SAY": {
      const said = text.slice(4);
      if (said === "") throw bad("SAY text");
      return { type: "say", text: said };
    }
    case "TELL": {
      const words = new Words(text);
      words.next();
      const name = words.next();
      const told = words.rest();
      if (name === "" || told === "") throw bad("TELL name text");
      return { type: "tell", name: checkedName(name), text: told };
    }
    case "WHO":
    case "LEAVE":
    case "QUIT":
      if (parts.length > 1) throw bad(command);
      return { type: command.toLowerCase() as "who" | "leave" | "quit" };
    default:
      throw new ChatError("unknown-command", `I do not know ${parts[0]}`);
  }
}

function clean(field: string): string {
  let out = "";
  for (const char of field) out += isControl(char.codePointAt(0)!) ? "\ufffd" : char;
  return out;
}

export function formatEvent(event: Event): Uint8Array {
  let fields: string[];
  switch (event.type) {
    case "joined":
    case "left":
      fields = [event.room, event.name];
      break;
    case "said":
      fields = [event.room, event.name, event.text];
      break;
    case "told":
      fields = [event.name, event.text];
      break;
    case "names":
      fields = [event.room, ...event.names];
      break;
    default:
      fields = [event.code, event.text];
  }
  return new TextEncoder().encode(
    [event.type.toUpperCase(), ...fields].map(clean).join(" ") + "\n",
  );
}

const BAD = { room: "", name: "" };

interface Client {
  id: number;
  conn: Deno.TcpConn;
  /** What waits, all lines one after another, in a buffer that grows. */
  out: Uint8Array;
  outLength: number;
  busy: boolean;
  /** So many bytes of `out` are with the kernel in this moment. */
  busyLength: number;
  midLine: boolean;
  line: Uint8Array;
  lineLength: number;
  room: string;
  name: string;
  phase: "talking" | "ending" | "ended";
  deadline: number;
  resolve: () => void;
  closed: Promise<void>;
}

export function startChat(options: ChatOptions = {}): ChatServer {
  const maxLineBytes = options.maxLineBytes ?? 1024;
  const queueBytes = options.queueBytes ?? 65536;
  const idleMs = options.idleMs ?? 60000;
  const lingerMs = options.lingerMs ?? 1000;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clients: Client[] = [];
  let ids = 0;
  let stopping: Promise<void> | null = null;
  let alarm: ReturnType<typeof setTimeout> | undefined;

  // One timer for all: it is set to the first deadline of any client.
  function arm(): void {
    clearTimeout(alarm);
    alarm = undefined;
    const first = Math.min(...clients.map((c) => c.deadline));
    if (first !== Infinity) alarm = setTimeout(ring, Math.max(0, first - performance.now()));
  }
  function ring(): void {
    const now = performance.now();
    for (const c of [...clients]) {
      if (c.deadline > now) continue;
      if (c.phase === "talking") bye(c, "idle", "Nothing came for a while");
      else destroy(c);
    }
    arm();
  }
  function destroy(c: Client): void {
    if (c.phase === "ended") return;
    c.phase = "ended";
    clients.splice(clients.indexOf(c), 1);
    c.conn.close();
    arm();
    c.resolve();
  }
  function append(c: Client, data: Uint8Array): void {
    if (c.outLength + data.length > c.out.length) {
      const bigger = new Uint8Array(2 * (c.outLength + data.length));
      bigger.set(c.out.subarray(0, c.outLength));
      c.out = bigger;
    }
    c.out.set(data, c.outLength);
    c.outLength += data.length;
    flush(c);
  }
  function flush(c: Client): void {
    if (c.busy || c.phase === "ended") return;
    if (c.outLength === 0) {
      if (c.phase === "ending") {
        c.busy = true;
        c.conn.closeWrite().then(() => {}, () => {}).then(() => c.lineLength === -1 && destroy(c));
      }
      return;
    }
    c.busy = true;
    // A copy: what is in `out` moves.
    const piece = c.out.slice(0, Math.min(c.outLength, 65536));
    c.busyLength = piece.length;
    c.conn.write(piece).then((n) => {
      c.busy = false;
      c.midLine = piece[n - 1] !== 10;
      c.out.copyWithin(0, n, c.outLength);
      c.outLength -= n;
      flush(c);
    }, () => {
      leaveServer(c);
      destroy(c);
    });
  }
  /** Keeps what may have begun, up to the end of its line. */
  function cut(c: Client): void {
    if (c.outLength === 0) return;
    let end = 0;
    if (c.busy) end = c.busyLength;
    if (end > 0 ? c.out[end - 1] !== 10 : c.midLine) {
      end = c.out.subarray(0, c.outLength).indexOf(10, end) + 1;
    }
    c.outLength = end;
  }
  function send(to: Client[], event: Event): void {
    const data = formatEvent(event);
    for (const c of to) if (c.phase === "talking") append(c, data);
    for (const c of to) {
      if (c.phase === "talking" && c.outLength > queueBytes) {
        cut(c);
        bye(c, "too-slow", "You read too slowly");
      }
    }
  }
  function bye(c: Client, code: string, text: string): void {
    if (c.phase !== "talking") return;
    const data = formatEvent({ type: "bye", code, text });
    append(c, data);
    leaveServer(c);
  }
  function leaveServer(c: Client): void {
    if (c.phase !== "talking") return;
    c.phase = "ending";
    c.deadline = performance.now() + lingerMs;
    arm();
    flush(c);
    if (!stopping) leaveRoom(c);
  }
  function leaveRoom(c: Client): void {
    const { room, name } = c;
    if (room === "") return;
    Object.assign(c, BAD);
    send(members(room), { type: "left", room, name });
  }
  const members = (room: string) => clients.filter((c) => c.room === room && c.phase === "talking");
  const names = (c: Client) =>
    send([c], { type: "names", room: c.room, names: members(c.room).map((m) => m.name).sort() });

  function obey(c: Client, command: Command): void {
    if (command.type === "quit") {
      bye(c, "quit", "Until tomorrow");
    } else if (command.type === "join") {
      if (c.room !== "") throw new ChatError("already-joined", "One room at a time");
      if (clients.some((other) => other.name === command.name)) {
        throw new ChatError("name-taken", "That name is taken");
      }
      send(members(command.room), { type: "joined", room: command.room, name: command.name });
      c.room = command.room;
      c.name = command.name;
      names(c);
    } else if (c.room === "") {
      throw new ChatError("not-joined", "JOIN a room first");
    } else if (command.type === "who") {
      names(c);
    } else if (command.type === "say") {
      send(members(c.room), { type: "said", room: c.room, name: c.name, text: command.text });
    } else if (command.type === "tell") {
      const to = clients.filter((other) => other.name === command.name);
      if (to.length === 0) throw new ChatError("no-such-name", "Nobody has that name");
      send(to, { type: "told", name: c.name, text: command.text });
    } else {
      send([c], { type: "left", room: c.room, name: c.name });
      leaveRoom(c);
    }
  }
  function take(c: Client, chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (c.phase !== "talking") return;
      if (byte !== 10) {
        if (c.lineLength === maxLineBytes) return bye(c, "too-long", "Too long a line");
        if (c.lineLength === c.line.length) {
          const more = new Uint8Array(2 * c.lineLength);
          more.set(c.line);
          c.line = more;
        }
        c.line[c.lineLength++] = byte;
        continue;
      }
      const line = c.line.subarray(0, c.lineLength);
      c.lineLength = 0;
      c.deadline = performance.now() + idleMs;
      arm();
      try {
        obey(c, parseCommand(line));
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        send([c], { type: "error", code: error.code, text: error.message });
      }
    }
  }
  function readOn(c: Client, buffer: Uint8Array): void {
    c.conn.read(buffer).then((n) => {
      if (n === null) throw "end of file";
      take(c, buffer.subarray(0, n));
      readOn(c, buffer);
    }).catch((why) => {
      c.lineLength = -1;
      leaveServer(c);
      if (why !== "end of file" || (c.busy && c.outLength === 0)) destroy(c);
    });
  }
  function acceptOn(): Promise<void> {
    return listener.accept().then((conn) => {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const c: Client = {
        id: ids++,
        conn,
        out: new Uint8Array(128),
        outLength: 0,
        busy: false,
        busyLength: 0,
        midLine: false,
        line: new Uint8Array(64),
        lineLength: 0,
        ...BAD,
        phase: "talking",
        deadline: performance.now() + idleMs,
        resolve,
        closed,
      };
      clients.push(c);
      arm();
      readOn(c, new Uint8Array(500));
    }, (error) => {
      if (stopping) throw error;
    }).then(acceptOn);
  }
  const accepting = acceptOn().catch(() => {});
  return {
    addr: listener.addr,
    stop() {
      if (!stopping) {
        const doit = () => {
          const open = [...clients];
          for (const c of open) bye(c, "stopping", "The server stops");
          return Promise.all(open.map((c) => c.closed));
        };
        stopping = Promise.resolve().then(() => {
          listener.close();
          return Promise.all([doit(), accepting.then(doit)]);
        }).then(() => {});
      }
      return stopping;
    },
  };
}
