// Fails task 3: everyone-gets-private — sends TOLD to everybody, since the client can tell by the name.

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

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
// deno-lint-ignore no-control-regex
const control = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/;

const parsers: Record<string, (args: string) => Command> = {
  JOIN(args) {
    const match = /^([^ ]+) ([^ ]+)$/.exec(args) ?? wrong("JOIN <room> <name>");
    return { type: "join", room: nameFrom(match[1]!), name: nameFrom(match[2]!) };
  },
  SAY(args) {
    return { type: "say", text: args || wrong("SAY <text>") };
  },
  TELL(args) {
    const match = /^([^ ]+) (.+)$/.exec(args) ?? wrong("TELL <name> <text>");
    return { type: "tell", name: nameFrom(match[1]!), text: match[2]! };
  },
};

function wrong(usage: string): never {
  throw new ChatError("bad-arguments", `Usage: ${usage}`);
}

function nameFrom(word: string): string {
  const name = word.normalize();
  if (!/^[\p{L}\p{N}_-]{1,32}$/u.test(name)) throw new ChatError("bad-name", "Bad name");
  return name;
}

export function parseCommand(line: Uint8Array): Command {
  let text;
  try {
    text = decoder.decode(line).replace(/\r$/, "");
  } catch {
    throw new ChatError("not-utf8", "Not UTF-8");
  }
  if (control.test(text)) throw new ChatError("control-character", "Control character");
  const [, word, , args] = /^([^ ]*)( (.*))?$/u.exec(text)!;
  const key = word!.toUpperCase();
  if (["WHO", "LEAVE", "QUIT"].includes(key)) {
    if (args !== undefined) wrong(key);
    return { type: key.toLowerCase() as "who" | "leave" | "quit" };
  }
  if (!Object.hasOwn(parsers, key)) throw new ChatError("unknown-command", "Unknown command");
  return parsers[key]!(args ?? "");
}

export function formatEvent(event: Event): Uint8Array {
  const { type, ...fields } = event;
  const order = ["room", "code", "name", "names", "text"] as const;
  const words = order.flatMap((key) => (fields as Record<string, string | string[]>)[key] ?? []);
  const line = [type.toUpperCase(), ...words].join(" ");
  return encoder.encode(line.replace(new RegExp(control, "g"), "\ufffd") + "\n");
}

/** What comes, as a stream. The end of `conn.readable` would close the connection, with lines still waiting to go out. */
function bytesOf(conn: Deno.TcpConn): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const buffer = new Uint8Array(16384);
      const n = await conn.read(buffer);
      if (n === null) controller.close();
      else controller.enqueue(buffer.subarray(0, n));
    },
  });
}

/** Cuts chunks into lines, as bytes. What is left at the end is no line. */
function linesOf(maxBytes: number): TransformStream<Uint8Array, Uint8Array | "too-long"> {
  let rest = new Uint8Array(0);
  let isOver = false;
  return new TransformStream({
    transform(chunk, controller) {
      if (isOver) return;
      const all = new Uint8Array(rest.length + chunk.length);
      all.set(rest);
      all.set(chunk, rest.length);
      let from = 0;
      for (let at; (at = all.indexOf(10, from)) >= 0 && at - from <= maxBytes; from = at + 1) {
        controller.enqueue(all.slice(from, at));
      }
      rest = all.slice(from);
      if (rest.length <= maxBytes) return;
      isOver = true;
      controller.enqueue("too-long");
    },
  });
}

type Client = ReturnType<typeof makeClient>;

/** A connection with a queue before its writer. */
function makeClient(conn: Deno.TcpConn, queueBytes: number, lingerMs: number) {
  const writer = conn.writable.getWriter();
  const queue: Uint8Array[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let waiting = 0;
  let busy = false;
  let pumping = Promise.resolve();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const client = {
    room: "",
    name: "",
    ending: false,
    closed,
    leave: () => {},
    get tooSlow() {
      return waiting > queueBytes && !client.ending;
    },
    add(line: Uint8Array) {
      if (!client.ending) put(line);
    },
    drop() {
      queue.length = 0;
      client.end("too-slow", "Too slow");
    },
    end(code: string, text: string) {
      if (client.ending) return;
      client.ending = true;
      timer = setTimeout(client.close, lingerMs);
      client.leave();
      put(formatEvent({ type: "bye", code, text }));
    },
    /** Nothing more comes from it; what waits for it goes out, if that does not take too long. */
    async writeOut() {
      if (!client.ending) timer = setTimeout(client.close, lingerMs);
      client.ending = true;
      client.leave();
      if (busy) await Promise.race([pumping, closed]);
    },
    close() {
      client.ending = true;
      clearTimeout(timer);
      try {
        conn.close();
      } catch {
        // The streams have closed it.
      }
      client.leave();
      resolve();
    },
  };

  function put(line: Uint8Array) {
    queue.push(line);
    waiting += line.length;
    if (!busy) pumping = pump();
  }

  async function pump() {
    busy = true;
    try {
      for (let line; (line = queue.shift());) {
        await writer.write(line);
        waiting -= line.length;
      }
      busy = false;
      if (client.ending) await conn.closeWrite();
    } catch {
      client.close();
    }
  }
  writer.closed.catch(() => {});
  return client;
}

export function startChat(
  { maxLineBytes = 1024, queueBytes = 65536, idleMs = 60000, lingerMs = 1000 }: ChatOptions = {},
): ChatServer {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const clients = new Set<Client>();
  const seated = () => [...clients].filter(({ name }) => name !== "");
  let stopping: Promise<void> | undefined;

  function publish(event: Event, to: Client[]) {
    const line = formatEvent(event);
    to.forEach((client) => client.add(line));
    to.filter((client) => client.tooSlow).forEach((client) => client.drop());
  }

  const roommates = (room: string) => seated().filter((client) => client.room === room);
  const list = (room: string): Event => ({
    type: "names",
    room,
    names: roommates(room).map(({ name }) => name).sort(),
  });

  function run(client: Client, command: Command) {
    const { room, name } = client;
    if (command.type === "quit") return client.end("quit", "Bye");
    if (command.type === "join") {
      if (name) throw new ChatError("already-joined", "Leave first");
      if (seated().some((other) => other.name === command.name)) {
        throw new ChatError("name-taken", "Taken");
      }
      const others = roommates(command.room);
      client.room = command.room;
      client.name = command.name;
      publish(list(command.room), [client]);
      return publish({ ...command, type: "joined" }, others);
    }
    if (!name) throw new ChatError("not-joined", "Join first");
    switch (command.type) {
      case "say":
        return publish({ type: "said", room, name, text: command.text }, roommates(room));
      case "tell": {
        const to = seated().filter((other) => other.name === command.name);
        if (to.length === 0) throw new ChatError("no-such-name", "Nobody of that name");
        return publish({ type: "told", name, text: command.text }, seated());
      }
      case "who":
        return publish(list(room), [client]);
      case "leave":
        publish({ type: "left", room, name }, [client]);
        client.leave();
    }
  }

  async function serve(conn: Deno.TcpConn) {
    conn.setNoDelay(true);
    const client = makeClient(conn, queueBytes, lingerMs);
    clients.add(client);
    client.leave = () => {
      const { room, name } = client;
      if (!name) return;
      client.name = "";
      if (!stopping) publish({ type: "left", room, name }, roommates(room));
    };
    if (stopping) client.end("stopping", "Stopping");
    let idle = setTimeout(() => client.end("idle", "Idle"), idleMs);
    client.closed.then(() => clearTimeout(idle));
    try {
      // After a BYE the lines are read all the same, and nothing is done with them.
      for await (const line of bytesOf(conn).pipeThrough(linesOf(maxLineBytes))) {
        if (client.ending) continue;
        if (line === "too-long") {
          client.end("too-long", "Too long");
          continue;
        }
        clearTimeout(idle);
        idle = setTimeout(() => client.end("idle", "Idle"), idleMs);
        try {
          run(client, parseCommand(line));
        } catch (error) {
          if (!(error instanceof ChatError)) throw error;
          publish({ type: "error", code: error.code, text: error.message }, [client]);
        }
      }
      await client.writeOut();
    } catch {
      // Reset.
    } finally {
      clearTimeout(idle);
      client.close();
      clients.delete(client);
    }
  }

  async function accept() {
    for (;;) {
      try {
        for await (const conn of listener) serve(conn);
      } catch {
        // One client has failed before it was accepted.
      }
      if (stopping) return;
    }
  }
  const accepted = accept();

  async function end() {
    const all = [...clients].map(({ closed }) => closed);
    for (const client of [...clients]) client.end("stopping", "Stopping");
    await accepted;
    await Promise.all(all);
  }

  return {
    addr: listener.addr,
    stop: () => {
      if (!stopping) {
        const { promise, resolve } = Promise.withResolvers<void>();
        stopping = promise;
        listener.close();
        end().then(resolve);
      }
      return stopping;
    },
  };
}
