// Valid: async generators for lines and queues, a disposable timer, and names found by a look at everybody.

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
const fail = (code: string, m = code): never => {
  throw new ChatError(code, m);
};
const W = /^[\p{L}\p{N}_-]{1,32}$/u;
// deno-lint-ignore no-control-regex -- control characters are what it is about
const C = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;
const word = (s: string) => W.test(s = s.normalize("NFC")) ? s : fail("bad-name");

export function parseCommand(line: Uint8Array): Command {
  if (line.at(-1) === 13) line = line.subarray(0, -1);
  let s = "";
  try {
    s = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    fail("not-utf8");
  }
  if (s.search(C) >= 0) fail("control-character");
  const [, cmd, sp, rest] = /^([^ ]*)( ?)(.*)$/s.exec(s)!;
  const w = rest!.split(" ");
  switch (cmd!.toLowerCase()) {
    case "join":
      return sp && w.length === 2
        ? { type: "join", room: word(w[0]!), name: word(w[1]!) }
        : fail("bad-arguments");
    case "say":
      return rest ? { type: "say", text: rest } : fail("bad-arguments");
    case "tell": {
      const text = rest!.slice(w[0]!.length + 1);
      return text ? { type: "tell", name: word(w[0]!), text } : fail("bad-arguments");
    }
    case "who":
    case "leave":
    case "quit":
      return sp ? fail("bad-arguments") : { type: cmd!.toLowerCase() as "who" };
  }
  return fail("unknown-command");
}

export function formatEvent(event: Event): Uint8Array {
  return new TextEncoder().encode(
    Object.values({ ...event, type: event.type.toUpperCase() }).flat().join(" ").replace(
      C,
      "\ufffd",
    ) +
      "\n",
  );
}
/** An endless mailbox that is read with `for await`. */
class Mailbox<T> {
  #items: T[] = [];
  #wake = Promise.withResolvers<void>();
  #ended = false;
  post(item: T): void {
    this.#items.push(item);
    this.#wake.resolve();
  }
  end(): void {
    this.#ended = true;
    this.#wake.resolve();
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    while (true) {
      while (this.#items.length > 0) yield this.#items.shift()!;
      if (this.#ended) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}
const TOO_LONG = Symbol();

async function* chunks(conn: Deno.TcpConn): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(16384);
  try {
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      yield buffer.slice(0, n);
    }
  } catch { /* the same as an end */ }
}
async function* linesOf(
  conn: Deno.TcpConn,
  max: number,
): AsyncGenerator<Uint8Array | typeof TOO_LONG, void, void> {
  let line: number[] = [];
  let throwAway = false;
  for await (const chunk of chunks(conn)) {
    if (throwAway) continue;
    for (const byte of chunk) {
      if (byte === 10) {
        yield Uint8Array.from(line);
        line = [];
      } else if (line.push(byte) > max) {
        throwAway = true;
        line = [];
        yield TOO_LONG;
        break;
      }
    }
  }
}

class Timer implements Disposable {
  #id: ReturnType<typeof setTimeout> | undefined;
  set(ms: number, what: () => void): void {
    clearTimeout(this.#id);
    this.#id = setTimeout(what, ms);
  }
  [Symbol.dispose](): void {
    clearTimeout(this.#id);
  }
}
type Out = { bytes: Uint8Array } | "drain";

export function startChat(options: ChatOptions = {}): ChatServer {
  const o = { maxLineBytes: 1024, queueBytes: 65536, idleMs: 60000, lingerMs: 1000, ...options };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const everybody = new Set<Client>();
  const sessions: Promise<void>[] = [];

  class Client {
    room?: string;
    name?: string;
    state: "here" | "leaving" = "here";
    pending: Uint8Array[] = [];
    waiting = 0;
    bell = new Mailbox<null>();
    timer = new Timer();
    constructor(readonly conn: Deno.TcpConn) {}
    put(bytes: Uint8Array): void {
      this.pending.push(bytes);
      this.waiting += bytes.length;
      this.bell.post(null);
    }
    async write(): Promise<void> {
      try {
        for await (const _ of this.bell) {
          while (this.pending.length > 0) {
            const line = this.pending[0]!;
            for (let at = 0; at < line.length;) {
              const n = await this.conn.write(line.subarray(at, at + 50000));
              at += n;
              this.waiting -= n;
            }
            this.pending.shift();
          }
        }
        await this.conn.closeWrite();
      } catch { /* not there any more */ }
    }
    finish(code?: string): void {
      if (this.state === "leaving") return;
      this.state = "leaving";
      if (code === "too-slow") this.pending.length = Math.min(1, this.pending.length);
      if (code) this.put(formatEvent({ type: "bye", code, text: "Bye" }));
      this.bell.end();
      this.timer.set(o.lingerMs, () => this.shut());
    }
    shut(): void {
      try {
        this.conn.close();
      } catch { /* was */ }
    }
  }
  const inRoom = (room: string) => [...everybody].filter((c) => c.room === room);
  const deliver = (to: Client[], event: Event) => {
    const bytes = formatEvent(event);
    to = to.filter((c) => c.state === "here");
    to.forEach((c) => c.put(bytes));
    for (const c of to) if (c.waiting > o.queueBytes) goodbye(c, "too-slow");
  };
  const goodbye = (client: Client, code?: string) => {
    client.finish(code);
    if (code !== "stopping") depart(client);
  };
  const depart = (client: Client) => {
    const { room, name } = client;
    delete client.room;
    delete client.name;
    if (room && name) deliver(inRoom(room), { type: "left", room, name });
  };
  const listRoom = (c: Client, room: string) =>
    deliver([c], { type: "names", room, names: inRoom(room).map((x) => x.name!).toSorted() });
  const handle = (c: Client, cmd: Command) => {
    const { room, name } = c;
    switch (cmd.type) {
      case "quit":
        goodbye(c, "quit");
        return;
      case "join":
        if (name) fail("already-joined", "again?");
        if ([...everybody].some((x) => x.name === cmd.name)) fail("name-taken", "no");
        c.room = cmd.room;
        c.name = cmd.name;
        listRoom(c, cmd.room);
        deliver(inRoom(cmd.room).filter((x) => x !== c), { ...cmd, type: "joined" } as Event);
        return;
    }
    if (!name || !room) return fail("not-joined", "JOIN");
    switch (cmd.type) {
      case "say":
        return deliver(inRoom(room), { type: "said", room, name, text: cmd.text });
      case "tell": {
        const to = [...everybody].find((x) => x.name === cmd.name) ?? fail("no-such-name", "who?");
        return deliver([to], { type: "told", name, text: cmd.text });
      }
      case "who":
        return listRoom(c, room);
      case "leave":
        deliver([c], { type: "left", room, name });
        return depart(c);
    }
  };
  async function session(conn: Deno.TcpConn): Promise<void> {
    const client = new Client(conn);
    using timer = client.timer;
    everybody.add(client);
    const writing = client.write();
    const wait = () => timer.set(o.idleMs, () => goodbye(client, "idle"));
    wait();
    if (stopped) goodbye(client, "stopping");
    for await (const line of linesOf(conn, o.maxLineBytes)) {
      if (client.state !== "here") continue;
      if (line === TOO_LONG) {
        goodbye(client, "too-long");
        continue;
      }
      wait();
      try {
        handle(client, parseCommand(line));
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        deliver([client], { type: "error", code: error.code, text: error.message });
      }
    }
    goodbye(client);
    await writing;
    client.shut();
    everybody.delete(client);
  }
  async function accepting(): Promise<void> {
    while (!stopped) {
      try {
        sessions.push(session(await listener.accept()));
      } catch { /* that one has gone already, or stop() */ }
    }
  }
  let stopped: Promise<void> | undefined;
  const doors = accepting();
  async function stop(): Promise<void> {
    await null;
    listener.close();
    everybody.forEach((c) => goodbye(c, "stopping"));
    await doors;
    await Promise.all(sessions);
  }
  return { addr: listener.addr, stop: () => stopped ??= stop() };
}
