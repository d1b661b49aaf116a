// Fails task 1, 2: names-not-normalised — compares names as they were typed: the same name in two spellings is two names.

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

const NAME = /^[\p{L}\p{M}\p{N}_-]{1,32}$/u;

function isControl(char: string): boolean {
  const code = char.codePointAt(0)!;
  return (code < 0x20 && code !== 9) || (code >= 0x7f && code <= 0x9f);
}

function validName(raw: string): string {
  if (!NAME.test(raw)) throw new ChatError("bad-name", `not a name: ${raw}`);
  return raw;
}

export function parseCommand(line: Uint8Array): Command {
  const end = line.length > 0 && line[line.length - 1] === 13 ? line.length - 1 : line.length;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line.subarray(0, end));
  } catch (cause) {
    throw new ChatError("not-utf8", `not UTF-8: ${cause}`);
  }
  for (const char of text) {
    if (isControl(char)) throw new ChatError("control-character", "control character");
  }
  const words = text.split(" ");
  const bad = () => new ChatError("bad-arguments", `wrong use of ${words[0]}`);
  const rest = (count: number) => {
    const said = words.slice(count).join(" ");
    if (said === "") throw bad();
    return said;
  };
  switch (words[0]!.toLowerCase()) {
    case "join":
      if (words.length !== 3) throw bad();
      return { type: "join", room: validName(words[1]!), name: validName(words[2]!) };
    case "say":
      return { type: "say", text: rest(1) };
    case "tell": {
      const said = rest(2);
      return { type: "tell", name: validName(words[1]!), text: said };
    }
    case "who":
      if (words.length > 1) throw bad();
      return { type: "who" };
    case "leave":
      if (words.length > 1) throw bad();
      return { type: "leave" };
    case "quit":
      if (words.length > 1) throw bad();
      return { type: "quit" };
  }
  throw new ChatError("unknown-command", `what is ${words[0]}?`);
}

export function formatEvent(event: Event): Uint8Array {
  const fields: string[] = [event.type.toUpperCase()];
  if ("room" in event) fields.push(event.room);
  if ("code" in event) fields.push(event.code);
  if ("name" in event) fields.push(event.name);
  if ("names" in event) fields.push(...event.names);
  if ("text" in event) fields.push(event.text);
  const line = [...fields.join(" ")].map((char) => isControl(char) ? "\ufffd" : char).join("");
  return new TextEncoder().encode(line + "\n");
}

interface Member {
  room: string;
  name: string;
}

interface Person {
  member: Member | null;
  lines: Uint8Array[];
  lineBytes: number;
  send(event: Event): void;
  checkQueue(): void;
  bye(code: string, text: string): void;
  closed: Promise<void>;
}

function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function startChat(options: ChatOptions = {}): ChatServer {
  const maxLineBytes = options.maxLineBytes ?? 1024;
  const queueBytes = options.queueBytes ?? 65536;
  const idleMs = options.idleMs ?? 60000;
  const lingerMs = options.lingerMs ?? 1000;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const people: Person[] = [];
  let stopped: Promise<void> | null = null;

  const inRoom = (room: string) => people.filter((person) => person.member?.room === room);
  const named = (name: string) => people.find((person) => person.member?.name === name);

  function tell(to: Person[], event: Event): void {
    for (const person of to) person.send(event);
    for (const person of to) person.checkQueue();
  }

  function goneFromRoom(person: Person): void {
    if (!person.member) return;
    const { room, name } = person.member;
    person.member = null;
    if (!stopped) tell(inRoom(room), { type: "left", room, name });
  }

  function handle(person: Person, command: Command): void {
    const me = person.member;
    if (command.type === "quit") return person.bye("quit", "see you");
    if (command.type === "join") {
      if (me) throw new ChatError("already-joined", `you are in ${me.room}`);
      if (named(command.name)) throw new ChatError("name-taken", `${command.name} is taken`);
      const { room, name } = command;
      const others = inRoom(room);
      person.member = { room, name };
      tell([person], { type: "names", room, names: namesOf(room) });
      return tell(others, { type: "joined", room, name });
    }
    if (!me) throw new ChatError("not-joined", "join first");
    if (command.type === "say") {
      return tell(inRoom(me.room), { type: "said", ...me, text: command.text });
    }
    if (command.type === "tell") {
      const other = named(command.name);
      if (!other) throw new ChatError("no-such-name", `no ${command.name} here`);
      return tell([other], { type: "told", name: me.name, text: command.text });
    }
    if (command.type === "who") {
      return tell([person], { type: "names", room: me.room, names: namesOf(me.room) });
    }
    tell([person], { type: "left", room: me.room, name: me.name });
    goneFromRoom(person);
  }

  function namesOf(room: string): string[] {
    return inRoom(room).map((person) => person.member!.name).sort();
  }

  function meet(conn: Deno.TcpConn): void {
    let isWriting = false;
    let isEnding = false;
    let isOpen = true;
    let hasEnded = false;
    let idle: ReturnType<typeof setTimeout> | undefined;
    let linger: ReturnType<typeof setTimeout> | undefined;
    let half = new Uint8Array(0);
    /** Bytes of the batch under way that are still to be written, and where its lines end. */
    let batch = new Uint8Array(0) as Uint8Array;
    let keep = 0;
    const done = Promise.withResolvers<void>();

    const person: Person = {
      member: null,
      lines: [],
      lineBytes: 0,
      closed: done.promise,
      send(event) {
        if (isEnding) return;
        push(formatEvent(event));
      },
      checkQueue() {
        if (isEnding || person.lineBytes + batch.length <= queueBytes) return;
        person.lines = [];
        // Of the batch the line that has begun is finished, and no other.
        keep = batch.length - (batch.indexOf(10) + 1);
        person.bye("too-slow", "you are too slow");
      },
      bye(code, text) {
        if (isEnding) return;
        isEnding = true;
        clearTimeout(idle);
        linger = setTimeout(close, lingerMs);
        goneFromRoom(person);
        push(formatEvent({ type: "bye", code, text }));
      },
    };

    function push(line: Uint8Array): void {
      person.lines.push(line);
      person.lineBytes += line.length;
      if (!isWriting) write();
    }

    async function write(): Promise<void> {
      isWriting = true;
      try {
        while (person.lines.length > 0) {
          batch = concat(person.lines);
          person.lines = [];
          person.lineBytes = 0;
          while (batch.length > 0) {
            const before = batch;
            const n = await conn.write(batch);
            batch = batch.subarray(n);
            if (keep > 0 && batch.length > 0) {
              // What was cut off begins after the first LF that the kernel has not taken.
              const begun = before[n - 1] === 10 ? 0 : batch.indexOf(10) + 1;
              batch = batch.subarray(0, begun);
            }
          }
          keep = 0;
        }
        isWriting = false;
        if (hasEnded) close();
        else if (isEnding) await conn.closeWrite();
      } catch {
        close();
      }
    }

    /** Its end of file: what waits for it goes out all the same. */
    function ended(): void {
      if (!isWriting) return close();
      hasEnded = true;
      if (isEnding) return;
      isEnding = true;
      clearTimeout(idle);
      linger = setTimeout(close, lingerMs);
      goneFromRoom(person);
    }

    function close(): void {
      if (!isOpen) return;
      isOpen = false;
      isEnding = true;
      clearTimeout(idle);
      clearTimeout(linger);
      conn.close();
      people.splice(people.indexOf(person), 1);
      goneFromRoom(person);
      done.resolve();
    }

    function heard(): void {
      clearTimeout(idle);
      idle = setTimeout(() => person.bye("idle", "are you still there?"), idleMs);
    }

    function onLine(line: Uint8Array): void {
      heard();
      try {
        handle(person, parseCommand(line));
      } catch (error) {
        const { code, message } = error as ChatError;
        tell([person], { type: "error", code, text: message });
      }
    }

    async function read(): Promise<void> {
      const buffer = new Uint8Array(16384);
      for (;;) {
        const n = await conn.read(buffer);
        if (n === null) break;
        if (isEnding) continue;
        let rest: Uint8Array = concat([half, buffer.subarray(0, n)]);
        for (let at; !isEnding && (at = rest.indexOf(10)) >= 0; rest = rest.subarray(at + 1)) {
          if (at > maxLineBytes) person.bye("too-long", "too long");
          else onLine(rest.subarray(0, at));
        }
        half = rest.slice();
        if (half.length > maxLineBytes && !isEnding) person.bye("too-long", "too long");
      }
    }

    people.push(person);
    heard();
    if (stopped) person.bye("stopping", "closing time");
    read().then(ended, close);
  }

  const accepting = (async () => {
    while (!stopped) {
      try {
        meet(await listener.accept());
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  })();

  return {
    addr: listener.addr as Deno.NetAddr,
    stop() {
      if (stopped) return stopped;
      const all = [...people];
      stopped = Promise.all([accepting, ...all.map(({ closed }) => closed)]).then(() => {});
      listener.close();
      for (const person of all) person.bye("stopping", "closing time");
      return stopped;
    },
  };
}
