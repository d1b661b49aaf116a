/**
 * Lesson 7: the server speaks first.
 *
 * @module
 */

import type { ChildState, WireError } from "../workbook/protocol.ts";
import { same, type Text } from "../workbook/text.ts";
import { bytes, escapeBytes, expectBytes } from "./support/bytes.ts";
import { ChatClient, coded, type MistakeOf, showLine } from "./support/chat_client.ts";
import { showError, showValue } from "./support/explain.ts";
import { expectEqual, expectThat } from "./support/expect.ts";
import { fail, TaskFailure } from "./support/failure.ts";
import type { Endpoint, Learner } from "./support/learner.ts";
import { isGivenBack, secondLoopback } from "./support/machine.ts";
import { task, type TestContext } from "./support/suite.ts";
import { pause } from "./support/timers.ts";
import { showAddr } from "./support/transcript.ts";
import { Remote } from "./support/wire.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Nobody waits for this. */
const LONG_MS = 60_000;
/** This is waited for. */
const SHORT_MS = 50;
/** After this time without a line a client is idle; the time doubles where the machine is too busy for it. */
const IDLE_MS = 100;

// --- task 1 ---

type Fields = Record<string, unknown>;

/** A line as a learner would write it in code. */
function showArgument(line: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
    return showLine(text);
  } catch {
    return escapeBytes(line);
  }
}

/** Calls parseCommand() and looks at each field of the command. */
async function expectCommand(
  learner: Learner,
  line: string,
  command: Fields,
  mistake?: string,
): Promise<void> {
  const data = bytes(line);
  const shown = showValue(command);
  const expected: Text = {
    en: `parseCommand(${showArgument(data)}) returns ${shown}`,
    ko: `parseCommand(${showArgument(data)}) 호출의 반환값: ${shown}`,
  };
  const value = await learner.callSync("parseCommand", [data], {
    expected,
    ...(mistake && { mistake }),
  });
  const fields = (typeof value === "object" && value !== null ? value : {}) as Fields;
  const fits = Object.entries(command).every(([key, field]) => fields[key] === field);
  expectThat(fits, expected, same(showValue(value)), mistake);
}

/** Calls parseCommand(), which has to throw a ChatError of that code, or of one of those. */
async function expectRefusal(
  learner: Learner,
  line: string | Uint8Array,
  codes: string | string[],
  mistake?: string,
): Promise<void> {
  const allowed = [codes].flat();
  const shown = allowed.map((one) => `"${one}"`);
  const data = typeof line === "string" ? bytes(line) : line;
  const expected: Text = {
    en: `parseCommand(${showArgument(data)}) throws a ChatError with code ${shown.join(" or ")}`,
    ko: `parseCommand(${showArgument(data)}) 호출이 code ${
      shown.join(" 또는 ")
    } 인 ChatError를 던짐`,
  };
  const error: WireError = await learner.throws("parseCommand", [data], {
    expected,
    ...(mistake && { mistake }),
  });
  const fits = error.classes.includes("ChatError") && allowed.some((one) => error.code === one);
  const received = error.code === undefined ? showError(error) : `code "${error.code}"`;
  expectThat(fits, expected, same(received), mistake);
}

task(1, {
  en: "parseCommand() reads each command, in any case, and keeps the text as it is",
  ko: "parseCommand()는 대소문자와 관계없이 명령을 읽고 글을 그대로 둡니다",
}, async ({ learner, random }) => {
  const word = random.word();
  const trimmed = "text-trimmed";
  const decoding = "characters-for-bytes";
  await expectCommand(learner, `JOIN lobby ${word}`, { type: "join", room: "lobby", name: word });
  await expectCommand(learner, "join Room_1 a-B", { type: "join", room: "Room_1", name: "a-B" });
  await expectCommand(learner, `SAY ${word}`, { type: "say", text: word });
  await expectCommand(learner, "TELL bob hi", { type: "tell", name: "bob", text: "hi" });
  await expectCommand(learner, "who", { type: "who" });
  await expectCommand(learner, "Leave", { type: "leave" });
  await expectCommand(learner, "QUIT", { type: "quit" });
  await expectCommand(learner, "SAY a  b   c", { type: "say", text: "a  b   c" }, trimmed);
  await expectCommand(learner, "Say  two before, one after ", {
    type: "say",
    text: " two before, one after ",
  }, trimmed);
  await expectCommand(learner, "TELL bob  a\tb ", {
    type: "tell",
    name: "bob",
    text: " a\tb ",
  }, trimmed);
  // A single space is a text.
  await expectCommand(learner, "SAY  ", { type: "say", text: " " }, trimmed);
  // And a text is not normalised, as names are. No screen shows the difference.
  const apart = "Zoé".normalize("NFD");
  const said = await learner.callSync("parseCommand", [bytes(`SAY ${apart}`)]) as Fields;
  const { length } = typeof said?.text === "string" ? said.text : "";
  expectEqual(length, apart.length, {
    what: {
      en: "length of the text that came in NFD: only names and rooms are normalised",
      ko: "NFD로 온 글의 길이: 이름과 방만 정규화함",
    },
    mistake: trimmed,
  });
  await expectCommand(learner, `SAY ${word}\r`, { type: "say", text: word });
  await expectCommand(learner, "WHO\r", { type: "who" });
  await expectCommand(learner, "SAY 안녕, 세상", { type: "say", text: "안녕, 세상" }, decoding);
  await expectCommand(learner, "JOIN 로비 민지", {
    type: "join",
    room: "로비",
    name: "민지",
  }, "ascii-names");
}, { catches: ["text-trimmed", "characters-for-bytes", "ascii-names"] });

task(1, {
  en: "parseCommand() refuses lines that are no command, with the code that says why",
  ko: "parseCommand()는 명령이 아닌 줄을 거절하고 이유를 code로 알립니다",
}, async ({ learner, random }) => {
  for (const line of ["", "HELLO", `${random.word()} a b`, "SAYS hi", "SAY\thi", "WHO\u00a0"]) {
    await expectRefusal(learner, line, "unknown-command");
  }
  const incomplete = ["JOIN", "JOIN lobby", "JOIN a b c", "SAY", "SAY ", "TELL", "TELL bob"];
  for (const line of [...incomplete, "TELL bob ", "WHO is there", "LEAVE now", "QUIT now"]) {
    await expectRefusal(learner, line, "bad-arguments");
  }
  // No space but the space separates words.
  await expectRefusal(learner, "JOIN a\tb", "bad-arguments");
  await expectRefusal(learner, "JOIN a\tb c", "bad-name", "name-unchecked");
  await expectRefusal(learner, "JOIN a\u3000b c", "bad-name", "name-unchecked");
  for (
    const line of ["WHO\r\r", "SAY a\0b", "SAY a\x1b[2J", "SAY a\rb", "SAY a\u0085b", "SAY a\x7f"]
  ) {
    await expectRefusal(learner, line, "control-character", "injection");
  }
}, { catches: ["injection", "name-unchecked"] });

task(1, {
  en: "parseCommand() refuses what is not UTF-8, and swallows nothing",
  ko: "parseCommand()는 UTF-8이 아닌 바이트를 거절하고 아무것도 삼키지 않습니다",
}, async ({ learner }) => {
  const mistake = "utf8-lenient";
  const say = [...bytes("SAY ")];
  // A byte that is never UTF-8, a character cut in half, one too long, half of a surrogate pair.
  for (const bad of [[0xff], [0xea, 0xb0], [0xc0, 0xaf], [0xed, 0xa0, 0x80]]) {
    await expectRefusal(learner, Uint8Array.from([...say, ...bad]), "not-utf8", mistake);
  }
  await expectRefusal(learner, "\ufeffWHO", "unknown-command", "bom-swallowed");
  const text = "\ufeffnot the first";
  await expectCommand(learner, `SAY ${text}`, { type: "say", text }, "bom-swallowed");
}, { catches: ["utf8-lenient", "bom-swallowed"] });

task(1, {
  en: "parseCommand() takes names of 1 to 32 letters, digits, - and _ of any script",
  ko: "parseCommand()는 모든 문자의 글자와 숫자, -, _ 로 된 1~32자의 이름을 받습니다",
}, async ({ learner }) => {
  for (const name of ["ñ", "가", "я", "٣", "𠮷"]) {
    await expectCommand(learner, `JOIN ${name} a`, { type: "join", room: name }, "ascii-names");
  }
  // 32 characters each: 32 bytes, 96 bytes, 128 bytes.
  for (const letter of ["x", "가", "𠮷"]) {
    const name = letter.repeat(32);
    const mistake = "characters-for-bytes";
    await expectCommand(learner, `JOIN r ${name}`, { type: "join", room: "r", name }, mistake);
  }
  const mistake = "name-unchecked";
  for (const name of ["x".repeat(33), "가".repeat(33), "a.b", "a/b", "a,b", "<b>", "a\u200bb"]) {
    await expectRefusal(learner, `JOIN r ${name}`, "bad-name", mistake);
    await expectRefusal(learner, `JOIN ${name} a`, "bad-name", mistake);
    await expectRefusal(learner, `TELL ${name} hi`, "bad-name", mistake);
  }
  // A word of no letters is a bad name, or a word that is missing.
  for (const line of ["JOIN  a", "JOIN r ", "TELL  hi"]) {
    await expectRefusal(learner, line, ["bad-name", "bad-arguments"], mistake);
  }
}, { catches: ["name-unchecked", "characters-for-bytes", "ascii-names"] });

task(1, {
  en: "parseCommand() gives names and rooms NFC-normalised",
  ko: "parseCommand()는 이름과 방을 NFC로 정규화해서 돌려줍니다",
}, async ({ learner }) => {
  const mistake = "names-not-normalised";
  for (const name of ["Zoé", "민지", "ñandú"]) {
    const apart = name.normalize("NFD");
    await expectCommand(learner, `JOIN ${apart} ${apart}`, {
      type: "join",
      room: name,
      name,
    }, mistake);
    await expectCommand(learner, `TELL ${apart} hi`, { type: "tell", name, text: "hi" }, mistake);
  }
  // NFC joins what belongs together. NFKC goes further, and makes other letters of these.
  for (const name of ["ﬁn", "x²", "ｱ"].filter((name) => /^[\p{L}\p{N}]+$/u.test(name))) {
    await expectCommand(learner, `JOIN r ${name}`, { type: "join", room: "r", name }, mistake);
  }
}, { catches: ["names-not-normalised"] });

/** Calls formatEvent() and compares the bytes. */
async function expectFormat(
  learner: Learner,
  event: Fields,
  line: string,
  mistake?: string,
): Promise<void> {
  const value = await learner.callSync("formatEvent", [event]);
  if (!(value instanceof Uint8Array)) {
    fail({
      expected: {
        en: "formatEvent() returns a Uint8Array",
        ko: "formatEvent()의 결과는 Uint8Array",
      },
      received: showValue(value),
    });
  }
  expectBytes(value, bytes(line), mistake);
}

task(1, {
  en: "formatEvent() writes each event as one line",
  ko: "formatEvent()는 이벤트마다 한 줄을 씁니다",
}, async ({ learner, random }) => {
  const name = random.word();
  const mistake = "characters-for-bytes";
  await expectFormat(learner, { type: "joined", room: "r", name }, `JOINED r ${name}\n`);
  await expectFormat(learner, { type: "left", room: "r", name }, `LEFT r ${name}\n`);
  const said = { type: "said", room: "r", name, text: " a  b " };
  await expectFormat(learner, said, `SAID r ${name}  a  b \n`, "text-trimmed");
  await expectFormat(learner, { type: "told", name, text: "a\tb" }, `TOLD ${name} a\tb\n`);
  await expectFormat(
    learner,
    { type: "names", room: "r", names: ["a", name] },
    `NAMES r a ${name}\n`,
  );
  const error = { type: "error", code: "bad-name", text: "no such letters" };
  await expectFormat(learner, error, "ERROR bad-name no such letters\n");
  await expectFormat(learner, { type: "bye", code: "quit", text: "so long" }, "BYE quit so long\n");
  const korean = { type: "said", room: "로비", name: "민지", text: "안녕 𠮷" };
  await expectFormat(learner, korean, "SAID 로비 민지 안녕 𠮷\n", mistake);
}, { catches: ["text-trimmed", "characters-for-bytes"] });

task(1, {
  en: "formatEvent() writes never more than one line",
  ko: "formatEvent()는 결코 두 줄을 쓰지 않습니다",
}, async ({ learner, random }) => {
  const mistake = "injection";
  const name = random.word();
  const text = "hi\nSAID r boss you are fired";
  await expectFormat(
    learner,
    { type: "told", name, text },
    `TOLD ${name} ${text.replace("\n", "\ufffd")}\n`,
    mistake,
  );
  const said = { type: "said", room: "a\rb", name: "c\nd", text: "e\r\nf\0g\x9fh\x1b[2J\n" };
  const line = "SAID a\ufffdb c\ufffdd e\ufffd\ufffdf\ufffdg\ufffdh\ufffd[2J\ufffd\n";
  await expectFormat(learner, said, line, mistake);
  await expectFormat(
    learner,
    { type: "bye", code: "quit", text: "a\nb" },
    "BYE quit a\ufffdb\n",
    mistake,
  );
  const names = { type: "names", room: "r", names: ["a\nb", "c"] };
  await expectFormat(learner, names, "NAMES r a\ufffdb c\n", mistake);
}, { catches: ["injection"] });

// --- tasks 2 to 6: a server of the learner's, and clients of the suite's ---

/** The chat that the learner's code has started. */
class Chat {
  readonly #context: TestContext;
  readonly #server: Remote;
  readonly addr: Endpoint;
  /** What the process held before: chats of other tests, which are nothing to this one. */
  readonly before: ChildState;

  private constructor(context: TestContext, server: Remote, addr: Endpoint, before: ChildState) {
    this.#context = context;
    this.#server = server;
    this.addr = addr;
    this.before = before;
  }

  static async start(context: TestContext, options?: Fields): Promise<Chat> {
    const { learner } = context;
    const args = options ? [options] : [];
    const before = await learner.state();
    const server = await learner.callSync("startChat", args, { hold: true }).catch((error) => {
      // Refused by permission, under the name that lesson 1 has for it.
      const everywhere = error instanceof TaskFailure && error.facts.mistake === "every-interface";
      if (everywhere) error.facts.mistake = "listens-everywhere";
      throw error;
    });
    const expected: Text = {
      en: "startChat() returns { addr, stop } when it listens",
      ko: "startChat()은 듣기 시작한 뒤 { addr, stop }을 반환함",
    };
    if (!(server instanceof Remote)) fail({ expected, received: showValue(server) });
    const addr = await learner.get(server, "addr") as Partial<Endpoint> | undefined;
    const { hostname, port } = addr ?? {};
    if (typeof hostname !== "string" || typeof port !== "number" || port === 0) {
      fail({
        expected: { en: "addr: the address with its port", ko: "addr: 주소와 포트" },
        received: showValue(addr),
      });
    }
    return new Chat(context, server, { hostname, port }, before);
  }

  /** A client that is connected. */
  connect(label: string): Promise<ChatClient> {
    const { port } = this.addr;
    return ChatClient.connect(this.#context, { hostname: "127.0.0.1", port }, label);
  }

  /** A client that has joined `room` under its own label. What NAMES and JOINED tell is not looked at. */
  async joined(label: string, room = "r", mistake?: string): Promise<ChatClient> {
    const client = await this.connect(label);
    await client.say(`JOIN ${room} ${label}`);
    await client.expect(new RegExp(`^NAMES ${room}(?: |$)`), { skip: /^JOINED /, mistake });
    return client;
  }

  /** From now on the kernel has room for so many bytes for each of these clients; then a write waits. */
  async room(...room: [client: ChatClient, bytes: number][]): Promise<void> {
    for (const [{ label }, bytes] of room) {
      this.#context.peers.note("full", `${label}: room for ${bytes} bytes more`);
    }
    await this.#context.learner.limit({
      room: room.map(([{ localAddr }, bytes]) => ({ port: localAddr.port, bytes })),
    });
  }

  /** Calls stop(). */
  stop(mistake: string): Promise<unknown> {
    const expected = STOPS;
    return this.#context.learner.method(this.#server, "stop", [], { expected, mistake });
  }

  /** Whether the learner's end of the client's connection is open. */
  async isOpen(client: ChatClient): Promise<boolean> {
    const { open } = await this.#context.learner.rest();
    const theirs = showAddr(client.localAddr);
    return open.some(({ kind, remoteAddr }) => kind === "conn" && showAddr(remoteAddr) === theirs);
  }

  /** Waits until the learner's code has closed the client's connection. */
  async expectClosed(client: ChatClient, mistake?: string): Promise<void> {
    const what: Text = {
      en: `the server closes its end of the connection of client ${client.label}`,
      ko: `서버가 클라이언트 ${client.label} 의 연결을 자기 쪽에서 닫음`,
    };
    await this.#context.step(what, async () => {
      while (await this.isOpen(client)) await pause(1);
    }, mistake);
  }
}

const STOPS: Text = {
  en: "stop() resolves when every connection is closed",
  ko: "모든 연결이 닫히면 stop()이 끝남",
};

/** Chats of tasks 2 to 5 are not stopped: that is graded in task 6. They end with their process. */
const running = { leak: false } as const;

/** Presence, for tests that look at messages only. */
const PRESENCE = /^(JOINED|LEFT|NAMES) /;

// --- task 2 ---

task(2, {
  en: "startChat() tells the newcomer all names, and the others of the newcomer",
  ko: "startChat()은 새로 온 사람에게 모든 이름을, 다른 사람에게 새 이름을 알립니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const self = "names-without-self";
  const a = await chat.connect("A");
  await a.say("JOIN lobby adam");
  await a.expect("NAMES lobby adam", { mistake: self });
  const b = await chat.connect("B");
  await b.say("join lobby 가온");
  await b.expect("NAMES lobby adam 가온", {
    mistake: (line) => line === "NAMES lobby adam" ? self : undefined,
  });
  await a.expect("JOINED lobby 가온");
  const c = await chat.connect("C");
  await c.say("JOIN lobby Zoe");
  // By code unit capitals come first.
  await c.expect("NAMES lobby Zoe adam 가온", {
    mistake: (line) => line?.includes("Zoe") === false ? self : undefined,
  });
  await a.expect("JOINED lobby Zoe");
  await b.expect("JOINED lobby Zoe");
  await c.say("WHO");
  await c.expect("NAMES lobby Zoe adam 가온", { mistake: self });
}, { ...running, catches: ["names-without-self"] });

task(2, {
  en: "startChat() keeps rooms apart",
  ko: "startChat()은 방을 서로 나눕니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const mistake = (line?: string) =>
    line === undefined || /^(JOINED|LEFT) /.test(line) ? "joined-told-to-all-rooms" : undefined;
  // Capitals count, in rooms as well.
  const a = await chat.joined("a", "r");
  const b = await chat.joined("b", "R");
  const c = await chat.joined("c", "r");
  await b.say("WHO");
  await b.expect("NAMES R b", { mistake });
  await a.expect("JOINED r c", { mistake });
  await c.say("LEAVE");
  await c.expect("LEFT r c");
  await a.expect("LEFT r c", { mistake });
  await c.say("JOIN R c");
  await c.expect("NAMES R b c");
  await b.expect("JOINED R c", { mistake });
  await a.say("WHO");
  await a.expect("NAMES r a", { mistake });
}, { ...running, catches: ["joined-told-to-all-rooms"] });

const TAKEN = coded("ERROR", "name-taken");

task(2, {
  en: "startChat() gives a name once in the whole server",
  ko: "startChat()은 이름 하나를 서버 전체에서 한 사람에게만 줍니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const a = await chat.connect("A");
  await a.say("JOIN r Zoé");
  await a.expect("NAMES r Zoé");
  const b = await chat.connect("B");
  await b.say("JOIN r Zoé");
  await b.expect(TAKEN);
  const d = await chat.joined("d", "q");
  await b.say("JOIN q Zoé");
  await b.expect(TAKEN, { mistake: "name-per-room" });
  // Who was refused is in no room.
  await chat.joined("e", "q");
  await d.expect("JOINED q e");
  await b.say(`JOIN r ${"Zoé".normalize("NFD")}`);
  await b.expect(TAKEN, {
    mistake: (line) =>
      /^(JOINED|NAMES) q /.test(line ?? "") ? "half-joined" : "names-not-normalised",
  });
  // And leaves nothing, when it goes.
  const thief = await chat.connect("thief");
  await thief.say("JOIN r Zoé");
  await thief.expect(TAKEN);
  thief.close();
  await chat.expectClosed(thief);
  await b.say("JOIN r Zoé");
  await b.expect(TAKEN, { mistake: "name-lost" });
  // Case counts, and who was refused may try another name.
  await b.say("JOIN r zoé");
  await b.expect("NAMES r Zoé zoé");
  await a.expect("JOINED r zoé");
  // Another server has other names, and other rooms.
  const other = await Chat.start(context);
  const c = await other.connect("C (of a second server)");
  await c.say("JOIN r Zoé");
  await c.expect("NAMES r Zoé");
}, { ...running, catches: ["name-per-room", "names-not-normalised", "half-joined", "name-lost"] });

task(2, {
  en: "startChat() knows who has joined and who has not",
  ko: "startChat()은 누가 들어왔고 누가 들어오지 않았는지 압니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const a = await chat.connect("A");
  const isOut = async () => {
    for (const line of ["SAY hi", "TELL a hi", "WHO", "LEAVE"]) {
      await a.say(line);
      await a.expect(coded("ERROR", "not-joined"));
    }
  };
  await isOut();
  await a.say("JOIN r a");
  await a.expect("NAMES r a");
  await a.say("JOIN q b");
  await a.expect(coded("ERROR", "already-joined"));
  await a.say("WHO");
  await a.expect("NAMES r a", { mistake: "half-joined" });
  const c = await chat.connect("C");
  await c.say("JOIN s b");
  await c.expect("NAMES s b", { mistake: "half-joined" });
  await c.say("LEAVE");
  await c.expect("LEFT s b");
  await a.say("LEAVE");
  await a.expect("LEFT r a");
  await isOut();
  await a.say("JOIN q b");
  await a.expect("NAMES q b");
}, { ...running, catches: ["half-joined"] });

task(2, {
  en: "startChat() frees a name as soon as its owner has gone",
  ko: "startChat()은 주인이 떠나면 이름을 곧바로 풀어 줍니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const mistake = "name-kept";
  const leaves: [string, (client: ChatClient) => Promise<void>][] = [
    ["leaves", async (client) => {
      await client.say("LEAVE");
      await client.expect("LEFT r kim");
    }],
    ["quits", async (client) => {
      await client.say("QUIT");
      await client.expect(coded("BYE", "quit"));
    }],
    ["ends", async (client) => {
      client.close();
      await chat.expectClosed(client);
    }],
  ];
  for (const [label, leave] of leaves) {
    const owner = await chat.connect(label);
    await owner.say("JOIN r kim");
    await owner.expect("NAMES r kim", { mistake });
    await leave(owner);
  }
  const heir = await chat.connect("the next");
  await heir.say("JOIN r kim");
  await heir.expect("NAMES r kim", { mistake });
}, { ...running, catches: ["name-kept"] });

task(2, {
  en: "startChat() gives a name to one of many that ask at the same moment",
  ko: "startChat()은 같은 순간에 요청한 여럿 가운데 하나에게만 이름을 줍니다",
}, async (context) => {
  const { learner, step } = context;
  const chat = await Chat.start(context);
  const clients: ChatClient[] = [];
  for (let i = 1; i <= 8; i++) {
    const client = await chat.connect(`${i}`);
    // It has been accepted, and is read from.
    await client.say("WHO");
    await client.expect(coded("ERROR", "not-joined"));
    clients.push(client);
  }
  await learner.asleep(async () => {
    for (const client of clients) await client.say("JOIN r kim");
  });
  const expected: Text = {
    en: "one of 8 clients gets the name, and 7 get ERROR name-taken",
    ko: "클라이언트 8개 중 하나만 이름을 얻고 7개는 ERROR name-taken을 받음",
  };
  await step(expected, async () => {
    let owners = 0;
    for (const client of clients) {
      const line = await client.line();
      if (line === "NAMES r kim") owners++;
      else if (!TAKEN.test(line ?? "")) {
        const received = line === null ? "the end" : showLine(line);
        fail({ expected, received, mistake: "check-then-await" });
      }
    }
    expectEqual(owners, 1, {
      what: { en: "clients that got the name", ko: "이름을 얻은 클라이언트 수" },
      mistake: "check-then-await",
    });
  }, "check-then-await");
}, { ...running, catches: ["check-then-await"] });

// --- task 3 ---

task(3, {
  en: "SAY reaches everybody in the room, the speaker included, and nobody else",
  ko: "SAY는 말한 사람을 포함해 방 안의 모두에게만 갑니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const text = context.random.word();
  const a = await chat.joined("a");
  const b = await chat.joined("b");
  const c = await chat.joined("c");
  const other = await chat.joined("d", "q");
  await a.say(`SAY ${text}`);
  for (const client of [b, c]) await client.expect(`SAID r a ${text}`, { skip: PRESENCE });
  await a.say("WHO");
  await a.expect(`SAID r a ${text}`, { skip: /^JOINED /, mistake: "speaker-left-out" });
  await other.say("SAY alone");
  await other.expect("SAID q d alone", { skip: PRESENCE, mistake: "other-rooms-hear" });
  await b.say("SAY done");
  for (const client of [a, b, c]) {
    await client.expect("SAID r b done", { skip: PRESENCE, mistake: "other-rooms-hear" });
  }
}, { ...running, catches: ["speaker-left-out", "other-rooms-hear"] });

task(3, {
  en: "TELL reaches one person, in whatever room",
  ko: "TELL은 어느 방에 있든 한 사람에게만 갑니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const secret = context.random.word();
  const a = await chat.joined("a");
  const b = await chat.joined("b");
  const far = await chat.joined("far", "q");
  const mistake = (line?: string) =>
    line?.startsWith("TOLD ") ? "everyone-gets-private" : undefined;
  await a.say(`TELL far ${secret}`);
  await far.expect(`TOLD a ${secret}`, { skip: PRESENCE });
  await a.say("TELL b hello");
  await b.expect("TOLD a hello", { skip: PRESENCE, mistake });
  await b.say("TELL nobody hello");
  await b.expect(coded("ERROR", "no-such-name"), { skip: PRESENCE });
  await b.say("TELL b note to self");
  await b.expect("TOLD b note to self", { skip: PRESENCE });
  // Whoever was told of something else would have got it before this.
  await b.say("SAY done");
  await a.expect("SAID r b done", { skip: PRESENCE, mistake });
  await far.say("SAY done");
  await far.expect("SAID q far done", { skip: PRESENCE, mistake: "everyone-gets-private" });
}, { ...running, catches: ["everyone-gets-private"] });

task(3, {
  en: "startChat() finds its commands in the stream, however it is cut",
  ko: "startChat()은 스트림이 어떻게 나뉘어도 명령을 찾아냅니다",
}, async (context) => {
  const { learner } = context;
  const chat = await Chat.start(context);
  const commands = (name: string, text: string) =>
    [`JOIN r ${name}\n`, `SAY ${text}\r\n`, `TELL ${name} ${text}\n`, "WHO\r\n", "LEAVE\n"].join(
      "",
    );
  const replies = (name: string, text: string) => [
    `NAMES r ${name}`,
    `SAID r ${name} ${text}`,
    `TOLD ${name} ${text}`,
    `NAMES r ${name}`,
    `LEFT r ${name}`,
  ];
  for (
    const [label, name, text, mistake, limit] of [
      ["all in one piece", "one", "all at once", "line-per-read", undefined],
      ["byte by byte", "two", "one by one", "line-per-read", 1],
      ["cut in characters", "민지", "안녕하세요", "utf8-per-chunk", 2],
    ] as const
  ) {
    await learner.limit(limit === undefined ? {} : { readBytes: limit });
    const client = await chat.connect(label);
    await client.send(bytes(commands(name, text)));
    for (const reply of replies(name, text)) await client.expect(reply, { mistake });
    client.close();
  }
  await learner.limit({});
  // Far more than maxLineBytes, but no line of it is long.
  const talker = await chat.joined("talker");
  const texts = Array.from({ length: 80 }, (_, i) => `${i} of eighty short lines`);
  await learner.asleep(() => talker.send(bytes(texts.map((text) => `SAY ${text}\n`).join(""))));
  for (const text of texts) {
    await talker.expect(`SAID r talker ${text}`, {
      mistake: (line) => line?.startsWith("BYE ") ? "limit-per-read" : "line-per-read",
    });
  }
}, { ...running, catches: ["line-per-read", "utf8-per-chunk", "limit-per-read"] });

task(3, {
  en: "startChat() takes any word for a room or a name, also those that objects have of their own",
  ko: "startChat()은 객체가 원래 가진 이름이라도 방이나 사람의 이름으로 받습니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const mistake = "object-as-map";
  const words = ["constructor", "__proto__", "toString"];
  const a = await chat.joined("a");
  for (const word of words) {
    await a.say(`TELL ${word} hi`);
    await a.expect(coded("ERROR", "no-such-name"), { mistake });
  }
  for (const word of words) {
    const client = await chat.connect(word);
    await client.say(`JOIN ${word} ${word}`);
    await client.expect(`NAMES ${word} ${word}`, { mistake });
    await client.say("SAY hi");
    await client.expect(`SAID ${word} ${word} hi`, { mistake });
    await a.say(`TELL ${word} hi`);
    await client.expect("TOLD a hi", { mistake });
    await client.say("LEAVE");
    await client.expect(`LEFT ${word} ${word}`, { mistake });
  }
}, { ...running, catches: ["object-as-map"], unhandled: "object-as-map" });

const CLIENTS = 200;
const ROOMS = 20;

task(3, {
  en: `startChat() serves ${CLIENTS} clients at once`,
  ko: `startChat()은 클라이언트 ${CLIENTS}개를 동시에 섬깁니다`,
}, async (context) => {
  const chat = await Chat.start(context);
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => chat.joined(`n${i}`, `room${i % ROOMS}`)),
  );
  const speakers = clients.slice(0, ROOMS);
  await Promise.all(speakers.map((client) => client.say(`SAY from ${client.label}`)));
  await Promise.all(clients.map((client, i) => {
    const { label } = speakers[i % ROOMS]!;
    return client.expect(`SAID room${i % ROOMS} ${label} from ${label}`, { skip: PRESENCE });
  }));
  for (const client of clients) client.close();
}, running);

// --- task 4 ---

/** Waits for the one LEFT of `name`, and for a line of the witness's own after it. */
async function expectLeftOnce(
  witness: ChatClient,
  name: string,
  { mistake, closed }: { mistake: MistakeOf; closed: () => Promise<void> },
): Promise<void> {
  await witness.expect(`LEFT r ${name}`, { mistake });
  await closed();
  await witness.say(`SAY ${name} has gone`);
  await witness.expect(`SAID r ${witness.label} ${name} has gone`, {
    mistake: (line) => line?.startsWith("LEFT ") ? "left-twice" : undefined,
  });
}

task(4, {
  en: "everybody gets one LEFT, however somebody goes",
  ko: "어떻게 떠나든 모두에게 LEFT가 한 번 갑니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const a = await chat.joined("a");
  const arrived = async (name: string) => {
    const client = await chat.joined(name);
    await a.expect(`JOINED r ${name}`);
    return client;
  };
  const noMistake = () => undefined;

  const leaver = await arrived("leaver");
  await leaver.say("LEAVE");
  await leaver.expect("LEFT r leaver");
  leaver.close();
  const leaverClosed = () => chat.expectClosed(leaver);
  await expectLeftOnce(a, "leaver", { mistake: noMistake, closed: leaverClosed });

  const quitter = await arrived("quitter");
  // Whoever has quit asks for nothing more.
  await quitter.say("QUIT\nJOIN r again");
  await quitter.expect(coded("BYE", "quit"), {
    mistake: (line) => line?.startsWith("LEFT ") ? "left-twice" : undefined,
  });
  await quitter.expectEnd();
  quitter.close();
  const quitterClosed = () => chat.expectClosed(quitter);
  await expectLeftOnce(a, "quitter", { mistake: noMistake, closed: quitterClosed });

  const ended = await arrived("ended");
  await ended.closeWrite();
  await expectLeftOnce(a, "ended", {
    mistake: noMistake,
    closed: async () => {
      await ended.expectEnd();
      ended.close();
      await chat.expectClosed(ended);
    },
  });
}, { ...running, catches: ["left-twice"], unhandled: "left-twice" });

task(4, {
  en: "a reset is a LEFT like any other",
  ko: "재설정(reset)도 여느 떠남과 같이 LEFT가 됩니다",
}, async (context) => {
  const { learner, peers } = context;
  const chat = await Chat.start(context);
  const mistake = "reset-without-left";
  const a = await chat.joined("a");
  for (const name of ["b", "c", "d"]) {
    const peer = await peers.connectToReset({ hostname: "127.0.0.1", port: chat.addr.port });
    await peer.send(bytes(`JOIN r ${name}\n`));
    await a.expect(`JOINED r ${name}`);
    if (name === "d") {
      // Of this one a write hears first that it has gone.
      const { port } = peer;
      await learner.faults({ api: ["write"], times: 1, error: "ConnectionReset", peerPort: port });
      await a.say("SAY are you there?");
      while (!learner.saw("fault")) await learner.rest();
    }
    await peer.reset();
    // Something is written to it, perhaps before its end is read.
    if (name === "c") await a.say("SAY are you there?");
    const skip = /^SAID r a are you there\?$/;
    await a.expect(`LEFT r ${name}`, { mistake, skip });
    await a.say(`SAY bye ${name}`);
    await a.expect(`SAID r a bye ${name}`, {
      skip,
      mistake: (line) => line?.startsWith("LEFT ") ? "left-twice" : mistake,
    });
  }
}, {
  ...running,
  catches: ["reset-without-left", "left-twice"],
  unhandled: "reset-without-left",
});

task(4, {
  en: "half a line before the end is no command",
  ko: "끝나기 전의 반 줄은 명령이 아닙니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const mistake = (line?: string) =>
    line?.startsWith("SAID r b") || line === "JOINED r c" ? "half-line-executed" : undefined;
  const a = await chat.joined("a");
  const b = await chat.connect("b");
  await b.send(bytes("JOIN r b\nSAY I would nev"));
  await a.expect("JOINED r b");
  await b.closeWrite();
  await a.expect("LEFT r b", { mistake });
  const c = await chat.connect("c");
  await c.send(bytes("JOIN r c"));
  await c.closeWrite();
  await c.expectEnd({ mistake });
  await a.say("SAY done");
  await a.expect("SAID r a done", { mistake });
}, { ...running, catches: ["half-line-executed"] });

/** What a client has seen of room r, between its NAMES and its LEFT or the end of the test. */
interface Stay {
  names: string[];
  events: string[];
}

const EVENT = /^(JOINED r [a-z]\d?|LEFT r [a-z]\d?|SAID r [a-z]\d? [a-z0-9 ]+)$/;
const LAST = "SAID r o that was all";

/** Reads until the last line of the test, and gives the stays of that client. */
async function readStays(client: ChatClient, first: Stay): Promise<Stay[]> {
  const stays = [first];
  const mine = `LEFT r ${client.label}`;
  const expected: Text = {
    en: `client ${client.label} gets whole lines, up to "${LAST}"`,
    ko: `클라이언트 ${client.label} 쪽에 "${LAST}"까지 온전한 줄이 도착함`,
  };
  await client.during(expected, "order-differs", async () => {
    for (;;) {
      const line = await client.line();
      const stay = stays.at(-1)!;
      if (line !== null && line.startsWith("NAMES r ") && stay.events.at(-1) === mine) {
        stays.push({ names: line.split(" ").slice(2), events: [] });
        continue;
      }
      if (line === null || !EVENT.test(line)) {
        const received = line === null ? "the end" : showLine(line);
        fail({ expected, received, mistake: "mixed-lines" });
      }
      stay.events.push(line);
      if (line === LAST) return;
    }
  });
  return stays;
}

/** Clients that talk, leave and come again at the same time; everybody's view has to be the same. */
async function expectOneOrder(
  context: TestContext,
  chat: Chat,
  names: string[],
  mistake?: string,
): Promise<void> {
  const { learner } = context;
  const observer = await chat.joined("o", "r", mistake);
  const clients: ChatClient[] = [];
  for (const name of names) {
    const client = await chat.joined(name);
    for (const other of [observer, ...clients]) await other.expect(`JOINED r ${name}`);
    clients.push(client);
  }
  const members = ["o", ...names].toSorted();
  await learner.asleep(async () => {
    for (const client of clients) {
      const { label } = client;
      const lines = ["SAY one", "SAY two", "LEAVE", `JOIN r ${label}`, "SAY three"];
      await client.send(bytes(lines.map((line) => `${line}\n`).join("")));
    }
  });
  // What the observer sees is the order; when it has seen everything, it says so.
  const first = { names: members, events: [] as string[] };
  const all = names.length * 5;
  const expected: Text = {
    en: `client o gets ${all} events, each once`,
    ko: `클라이언트 o 쪽에 이벤트 ${all}개가 한 번씩 도착함`,
  };
  await observer.during(expected, "order-differs", async () => {
    while (first.events.length < all) {
      const line = await observer.line();
      const isNew = line !== null && EVENT.test(line) && !first.events.includes(line);
      if (!isNew) {
        const received = line === null ? "the end" : showLine(line);
        const mistake = line !== null && first.events.includes(line)
          ? "order-differs"
          : "mixed-lines";
        fail({ expected, received, mistake });
      }
      first.events.push(line);
    }
  });
  await observer.say("SAY that was all");
  const [{ events: order }] = await readStays(observer, first) as [Stay];
  for (const client of clients) {
    const stays = await readStays(client, { names: members, events: [] });
    expectSameOrder(client.label, stays, order, members);
  }
}

/** Fails unless the stays of a client are pieces of `order`, from where it came to where it left. */
function expectSameOrder(name: string, stays: Stay[], order: string[], members: string[]): void {
  let from = 0;
  for (const stay of stays) {
    const leaves = order.indexOf(`LEFT r ${name}`, from);
    const to = leaves < 0 ? order.length : leaves + 1;
    const piece = order.slice(from, to);
    const at = piece.findIndex((line, i) => line !== stay.events[i]);
    if (at >= 0 || stay.events.length !== piece.length) {
      const i = at < 0 ? piece.length : at;
      const before = i > 0 ? piece[i - 1]! : "NAMES";
      fail({
        expected: {
          en: `client ${name} gets, as client o did, after "${before}": ${showNext(piece[i])}`,
          ko: `클라이언트 ${name} 쪽에도 o와 같이 "${before}" 다음에 도착: ${showNext(piece[i])}`,
        },
        received: showNext(stay.events[i]),
        mistake: "order-differs",
      });
    }
    const present = new Set(members);
    for (const line of order.slice(0, from)) {
      const [word, , who] = line.split(" ") as [string, string, string];
      if (word === "JOINED") present.add(who);
      if (word === "LEFT") present.delete(who);
    }
    expectEqual(stay.names.toSorted().join(" "), [...present].toSorted().join(" "), {
      what: {
        en: `names for ${name} when it came`,
        ko: `${name} 쪽이 들어올 때의 이름`,
      },
      mistake: "order-differs",
    });
    from = order.indexOf(`JOINED r ${name}`, to) + 1;
  }
}

function showNext(line: string | undefined): string {
  return line === undefined ? "(nothing)" : showLine(line);
}

task(4, {
  en: "everybody sees the same events in the same order",
  ko: "모두가 같은 이벤트를 같은 순서로 봅니다",
}, async (context) => {
  const chat = await Chat.start(context);
  await expectOneOrder(context, chat, ["a", "b", "c", "d"]);
}, { ...running, catches: ["order-differs", "mixed-lines"] });

task(4, {
  en: "lines arrive whole, however little each write takes",
  ko: "한 번의 write가 조금씩만 받아들여도 줄이 온전히 도착합니다",
}, async (context) => {
  const chat = await Chat.start(context);
  await context.learner.limit({ writeBytes: 3 });
  await expectOneOrder(context, chat, ["a", "b", "c", "d"], "mixed-lines");
  await context.learner.limit({});
}, { ...running, catches: ["order-differs", "mixed-lines"] });

// --- task 5 ---

/** What client a says as its `i`th line, and how it comes to the others. */
const TEXT = "0123456789abcdef".repeat(16);
const nthLine = (i: number) => `${i} ${TEXT}`;
const nthSaid = (i: number) => `SAID r a ${nthLine(i)}`;
const SAID_BYTES = bytes(`${nthSaid(0)}\n`).length;

/** Long lines, so that few of them fill the kernel's buffers, and not so long that it costs much to put one together. */
const FAT_BYTES = 8 * KIB;
const FAT = "0123456789abcdef".repeat(FAT_BYTES / 16);
/** So many of them come at once, and are given to a client that does not read, at most: more than any kernel keeps. */
const FAT_LINES = 64;
const MOST_FAT_LINES = 64 * MIB / FAT_BYTES;

/** Whether a write to that client is waiting: the kernel takes no more for it. */
async function isBlocked({ learner }: TestContext, client: ChatClient): Promise<boolean> {
  const { pending } = await learner.state();
  const theirs = showAddr(client.localAddr);
  return pending.some(({ api, remoteAddr }) => api === "write" && showAddr(remoteAddr) === theirs);
}

/**
 * Lets client a speak, line after line, until `done` says so. A line is said when the one before has come to all
 * `readers`: whoever reads is never behind.
 */
async function speak(
  [a, ...others]: [ChatClient, ...ChatClient[]],
  { from = 0, done, before, arrived, mistake }: {
    from?: number;
    done: (i: number) => Promise<boolean>;
    /** What client a sends with its `i`th line. */
    before?: (i: number) => string[];
    /** Called for each line that a client gets before its own of that round. */
    arrived?: (client: ChatClient, line: string) => void;
    mistake: string;
  },
): Promise<number> {
  let i = from;
  for (; !await done(i); i++) {
    const expected: Text = {
      en: `line ${i} comes to everybody who reads`,
      ko: `읽고 있는 모두에게 ${i}번째 줄이 도착함`,
    };
    await a.during(expected, mistake, async () => {
      await a.say([...before?.(i) ?? [], `SAY ${nthLine(i)}`].join("\n"));
      for (const client of [a, ...others]) {
        for (;;) {
          const line = await client.line();
          if (line === nthSaid(i)) break;
          // Whom TELL reaches is for task 3 to say.
          if (line !== null && (PRESENCE.test(line) || line.startsWith("TOLD "))) {
            arrived?.(client, line);
            continue;
          }
          fail({
            expected: {
              en: `client ${client.label} gets ${showLine(nthSaid(i))}`,
              ko: `클라이언트 ${client.label} 쪽에 ${showLine(nthSaid(i))} 도착`,
            },
            received: line === null
              ? { en: "the connection was closed", ko: "연결이 닫혔습니다" }
              : showLine(line),
            mistake: line === null || coded("BYE", "too-slow").test(line)
              ? "fast-reader-dropped"
              : coded("BYE", "too-long").test(line)
              ? "limit-per-read"
              : "mixed-lines",
          });
        }
      }
    });
  }
  return i;
}

/** So many lines, and no more. */
const upTo = (count: number) => (i: number) => Promise.resolve(i >= count);

task(5, {
  en: "a client that does not read delays nobody, and misses nothing when it reads at last",
  ko: "읽지 않는 클라이언트는 아무도 늦추지 않고, 나중에 읽으면 빠진 것이 없습니다",
}, async (context) => {
  const mistake = "slow-reader-blocks";
  const chat = await Chat.start(context, {
    maxLineBytes: FAT_BYTES + KIB,
    queueBytes: 2 * MOST_FAT_LINES * FAT_BYTES,
    lingerMs: LONG_MS,
  });
  const b = await chat.joined("b");
  const slow = await chat.joined("slow");
  const a = await chat.joined("a");
  const due: string[] = [];
  let full = 0;
  // The kernel's own buffers are filled for client slow; then three more lines are said.
  await speak([a, b], {
    mistake,
    before: (i) => {
      const lines = Array.from({ length: full > 0 ? 0 : FAT_LINES }, (_, n) => `${i}.${n} ${FAT}`);
      due.push(...lines.map((line) => `TOLD a ${line}`), nthSaid(i));
      return lines.map((line) => `TELL slow ${line}`);
    },
    done: async (i) => {
      if (i * FAT_LINES > MOST_FAT_LINES || await isBlocked(context, slow)) full++;
      return full > 3;
    },
  });
  for (const line of due) {
    await slow.expect(line, { skip: PRESENCE, mistake: "mixed-lines" });
  }
  await a.say("SAY done");
  for (const client of [a, b, slow]) await client.expect("SAID r a done", { skip: PRESENCE });
}, {
  ...running,
  catches: ["slow-reader-blocks", "mixed-lines", "fast-reader-dropped", "limit-per-read"],
  deadlineMs: 5_000,
});

/** So many lines wait for a client before it is dropped. */
const QUEUED = 3;
const DROPS = { queueBytes: QUEUED * SAID_BYTES + 200, lingerMs: LONG_MS };

/** Lets client a speak until everybody has got the LEFT of `slow`; tells who got it before which line. */
async function speakUntilDropped(
  context: TestContext,
  readers: [ChatClient, ...ChatClient[]],
  slow: ChatClient,
): Promise<void> {
  const left = new Map<ChatClient, number>();
  let round = 0;
  const count = await speak(readers, {
    mistake: "slow-reader-blocks",
    arrived: (client, line) => {
      if (line === `LEFT r ${slow.label}`) left.set(client, round);
    },
    done: async (i) => {
      round = i;
      // What is due to be written is written, as far as there is room.
      await context.learner.rest();
      return left.size > 0 || i > 5 * QUEUED;
    },
  });
  if (left.size === 0) await failUndropped(context, slow, count);
  const [a] = readers;
  await a.say("SAY done");
  for (const client of readers) {
    let line = await client.expect(/^(SAID r a done|LEFT r slow)$/, { skip: /^JOINED / });
    if (line.startsWith("LEFT ")) {
      left.set(client, count);
      line = await client.expect("SAID r a done");
    }
    expectEqual(left.get(client), left.get(a), {
      what: {
        en: `the line before which LEFT r slow comes to client ${client.label}, as to client a`,
        ko: `클라이언트 ${client.label} 쪽에도 a와 같이 LEFT r slow 다음에 도착한 줄`,
      },
      mistake: "order-differs",
    });
  }
}

/** Fails: nobody got a LEFT. Either nobody was dropped, or the others have to wait for the one that was. */
async function failUndropped(
  { learner }: TestContext,
  slow: ChatClient,
  count: number,
): Promise<never> {
  const expected: Text = {
    en: "everybody else gets LEFT r slow at once when more than queueBytes wait for client slow",
    ko:
      "클라이언트 slow 앞으로 queueBytes보다 많이 쌓이면 나머지 모두에게 곧바로 LEFT r slow가 도착함",
  };
  await learner.limit({});
  let line = await slow.line();
  while (line !== null && line !== nthSaid(count - 1) && !line.startsWith("BYE ")) {
    line = await slow.line();
  }
  fail({
    expected,
    received: {
      en: `no LEFT, though the kernel takes no more for it and ${QUEUED * 3} lines were said since`,
      ko: `커널이 더 받아 주지 않게 된 뒤로 ${QUEUED * 3}줄을 더 말했지만 LEFT가 오지 않았습니다`,
    },
    mistake: line?.startsWith("BYE ") ? "drop-waits-for-slow" : "unbounded-queue",
  });
}

task(5, {
  en: "a client for which too much waits is dropped: a whole line, BYE too-slow, the end",
  ko: "너무 많이 쌓인 클라이언트는 내보냅니다: 온전한 줄, BYE too-slow, 그리고 끝",
}, async (context) => {
  const chat = await Chat.start(context, DROPS);
  const b = await chat.joined("b");
  const slow = await chat.joined("slow");
  const c = await chat.joined("c");
  const a = await chat.joined("a");
  await slow.expect("JOINED r a", { skip: /^JOINED r c$/ });
  // The kernel is full in the middle of a line, the third.
  const begun = 2;
  const bytesLeft = Math.floor((begun + 0.5) * SAID_BYTES);
  context.peers.note("full", `slow: room for ${bytesLeft} bytes more`);
  // And what it takes, it takes in small pieces, so that the rest of the line needs more than one.
  const { port } = slow.localAddr;
  const atOnce = 50;
  await context.learner.limit({ room: [{ port, bytes: bytesLeft, atOnce }] });
  await speakUntilDropped(context, [a, b, c], slow);
  // It is gone for the others, though it is still there: somebody else may have its name.
  const heir = await chat.joined("slow", "r", "name-kept");
  // Now it reads: whole lines, in order, and its last word.
  await context.learner.limit({ room: [{ port, bytes: MIB, atOnce }] });
  const bye = coded("BYE", "too-slow");
  for (let i = 0;; i++) {
    const expected: Text = {
      en: `client slow gets whole lines, and BYE too-slow as the last`,
      ko: `클라이언트 slow 쪽에 온전한 줄들이 오고 마지막은 BYE too-slow`,
    };
    const line = await slow.during(expected, "dropped-without-a-word", () => slow.line());
    if (line !== null && bye.test(line)) break;
    if (line === nthSaid(i) && i <= begun) continue;
    if (line === nthSaid(i)) {
      fail({
        expected: {
          en: `after line ${begun}, which had begun, client slow gets BYE too-slow`,
          ko: `이미 보내기 시작한 ${begun}번째 줄 다음에 클라이언트 slow 쪽에 BYE too-slow 도착`,
        },
        received: showLine(line),
        mistake: "dropped-queue-kept",
      });
    }
    fail({
      expected,
      received: line === null
        ? { en: "the connection was closed", ko: "연결이 닫혔습니다" }
        : line.length < TEXT.length || line.includes("BYE")
        ? { en: `a part of a line: ${showTail(line)}`, ko: `줄의 일부: ${showTail(line)}` }
        : showLine(line),
      mistake: line?.includes("BYE") ? "line-cut-in-half" : "dropped-without-a-word",
    });
  }
  await slow.expectEnd({ mistake: "dropped-not-closed" });
  slow.close();
  await chat.expectClosed(slow, "dropped-not-closed");
  // And it keeps it when the connection of the other ends.
  await a.say("TELL slow you have it");
  await heir.expect("TOLD a you have it", { mistake: "name-lost" });
}, {
  ...running,
  catches: [
    "slow-reader-blocks",
    "unbounded-queue",
    "drop-waits-for-slow",
    "dropped-without-a-word",
    "dropped-queue-kept",
    "line-cut-in-half",
    "dropped-not-closed",
    "order-differs",
    "mixed-lines",
    "fast-reader-dropped",
    "name-kept",
    "name-lost",
  ],
});

/** How a line ends. */
function showTail(line: string): string {
  return `"…${JSON.stringify(line.slice(-40)).slice(1)}`;
}

task(5, {
  en: "a dropped client that never reads is closed by force after lingerMs",
  ko: "내보낸 클라이언트가 끝내 읽지 않으면 lingerMs 뒤에 강제로 닫습니다",
}, async (context) => {
  const chat = await Chat.start(context, { ...DROPS, lingerMs: SHORT_MS });
  const slow = await chat.joined("slow");
  const a = await chat.joined("a");
  await chat.room([slow, 0]);
  await speakUntilDropped(context, [a], slow);
  await chat.expectClosed(slow, "dropped-not-closed");
}, {
  ...running,
  catches: [
    "slow-reader-blocks",
    "unbounded-queue",
    "drop-waits-for-slow",
    "dropped-not-closed",
    "order-differs",
    "mixed-lines",
    "fast-reader-dropped",
  ],
  waitsMs: SHORT_MS,
});

const QUEUE_BYTES = 64 * KIB;

task(5, {
  en: "what counts is bytes, whatever lines they are of: queueBytes may wait, one more may not",
  ko: "어떤 줄이든 바이트로 셉니다: queueBytes까지는 쌓여도 되고 한 바이트라도 넘으면 안 됩니다",
}, async (context) => {
  // Somebody comes into the room of one that reads nothing from then on, and says so many bytes in four lines.
  const fill = async (
    chat: Chat,
    label: string,
    { queueBytes, more, letter, mistake }: {
      queueBytes: number;
      more: number;
      letter: string;
      mistake: string;
    },
  ) => {
    const sum = queueBytes + more;
    const deaf = await chat.joined(label, label);
    const a = await chat.joined("a", label);
    await deaf.expect(`JOINED ${label} a`);
    await chat.room([deaf, 0]);
    const around = bytes(`SAID ${label} a \n`).length;
    const size = bytes(letter).length;
    const lines = [0, 1, 2, 3].map((n) => {
      const length = (n < 3 ? queueBytes / 4 : sum - 3 * queueBytes / 4) - around;
      return `SAY ${letter.repeat(length / size)}${"y".repeat(length % size)}`;
    });
    const left = `LEFT ${label} ${label}`;
    const expected: Text = more > 0
      ? {
        en: `${left}: ${sum} bytes wait for client ${label}`,
        ko: `${left}: 클라이언트 ${label} 앞으로 ${sum}바이트가 기다림`,
      }
      : {
        en: `client ${label} stays: ${sum} bytes wait for it`,
        ko: `클라이언트 ${label} 남음: ${sum}바이트가 기다림`,
      };
    await a.during(expected, "slow-reader-blocks", async () => {
      let isDropped = false;
      for (const line of [...lines, "LEAVE"]) {
        await a.say(line);
        const answer = line.replace("SAY", `SAID ${label} a`).replace("LEAVE", `LEFT ${label} a`);
        for (let line; (line = await a.line()) !== answer;) {
          isDropped ||= line === left;
          if (line !== null) continue;
          fail({
            expected,
            received: { en: "the connection was closed", ko: "연결이 닫혔습니다" },
            mistake: "fast-reader-dropped",
          });
        }
        await context.learner.rest();
      }
      if (isDropped === more > 0) return;
      fail({
        expected,
        received: isDropped ? left : { en: "it has not been dropped", ko: "내보내지 않았습니다" },
        mistake,
      });
    });
  };
  const mistake = "queue-miscounted";
  // As many as are allowed unless something else is given.
  const chat = await Chat.start(context, { maxLineBytes: QUEUE_BYTES / 2, lingerMs: LONG_MS });
  const latin = { queueBytes: QUEUE_BYTES, letter: "x", mistake };
  await fill(chat, "more", { ...latin, more: 1 });
  await fill(chat, "exact", { ...latin, more: 0 });
  const small = await Chat.start(context, { queueBytes: KIB, lingerMs: LONG_MS });
  const korean = { queueBytes: KIB, letter: "가", mistake: "characters-for-bytes" };
  await fill(small, "wide", { ...korean, more: 1 });
}, {
  ...running,
  catches: [
    "queue-miscounted",
    "characters-for-bytes",
    "slow-reader-blocks",
    "fast-reader-dropped",
  ],
});

task(5, {
  en: "a client that reads is never dropped, however much is said",
  ko: "읽는 클라이언트는 아무리 많이 말해도 내보내지 않습니다",
}, async (context) => {
  const chat = await Chat.start(context, DROPS);
  const b = await chat.joined("b");
  const a = await chat.joined("a");
  await speak([a, b], {
    done: upTo(4 * QUEUED),
    mistake: "fast-reader-dropped",
    arrived: (_, line) => {
      if (!line.startsWith("LEFT ")) return;
      fail({
        expected: {
          en: "both clients read, and stay",
          ko: "두 클라이언트 모두 읽고 있으므로 남아 있음",
        },
        received: showLine(line),
        mistake: "fast-reader-dropped",
      });
    },
  });
}, { ...running, catches: ["fast-reader-dropped", "mixed-lines"] });

task(5, {
  en: "answers wait in the queue, too: who asks and does not read is dropped",
  ko: "응답도 큐에서 기다립니다: 묻기만 하고 읽지 않으면 내보냅니다",
}, async (context) => {
  const chat = await Chat.start(context, { queueBytes: KIB, lingerMs: LONG_MS });
  const a = await chat.joined("a");
  const deaf = await chat.joined("deaf");
  await a.expect("JOINED r deaf");
  await chat.room([deaf, 0]);
  await deaf.send(bytes("WHO\n".repeat(150)));
  await a.expect("LEFT r deaf", { mistake: "unbounded-queue" });
}, { ...running, catches: ["unbounded-queue"] });

/** The next lines of a client, in whatever order. */
async function expectAll(client: ChatClient, lines: string[], mistake: string): Promise<void> {
  const due = new Set(lines);
  while (due.size > 0) {
    const [first] = due as Set<string>;
    const expected: Text = {
      en: `client ${client.label} gets ${showLine(first!)}`,
      ko: `클라이언트 ${client.label} 쪽에 ${showLine(first!)} 도착`,
    };
    await client.during(expected, mistake, async () => {
      const line = await client.line();
      if (due.delete(line ?? "")) return;
      const received = line === null
        ? { en: "the connection was closed", ko: "연결이 닫혔습니다" }
        : showLine(line);
      fail({ expected, received, mistake });
    });
  }
}

task(5, {
  en: "who goes has gone at once, and still gets what was queued before",
  ko: "떠나는 쪽은 곧바로 떠난 것이 되고, 그전에 쌓인 것은 그래도 받습니다",
}, async (context) => {
  const { learner } = context;
  const chat = await Chat.start(context, { lingerMs: LONG_MS });
  const ended = await chat.joined("ended");
  const quitter = await chat.joined("quitter");
  const a = await chat.joined("a");
  for (const client of [ended, quitter]) {
    await client.expect("JOINED r a", { skip: /^JOINED r quitter$/ });
  }
  await chat.room([ended, 0], [quitter, 0]);
  await a.say("SAY hello");
  await a.expect("SAID r a hello");
  await learner.rest();
  await ended.say("WHO");
  await ended.closeWrite();
  await a.expect("LEFT r ended", { mistake: "drop-waits-for-slow" });
  await quitter.say("QUIT");
  await a.expect("LEFT r quitter", { mistake: "drop-waits-for-slow" });
  await learner.limit({});
  const mistake = "queue-lost-at-end";
  await expectAll(ended, ["SAID r a hello", "NAMES r a ended quitter"], mistake);
  await ended.expectEnd({ mistake });
  await quitter.expect("SAID r a hello", { mistake });
  await quitter.expect(coded("BYE", "quit"), { mistake, skip: /^LEFT r ended$/ });
  await quitter.expectEnd({ mistake });
  ended.close();
  await chat.expectClosed(ended);
}, { ...running, catches: ["drop-waits-for-slow", "queue-lost-at-end"] });

// --- task 6 ---

/** Fails if anything is left of a chat after stop(). */
async function expectNothingLeft(
  { learner }: TestContext,
  { addr: { port }, before }: Chat,
): Promise<void> {
  const { open, timersMs } = await learner.state();
  const isOlder = (resource: number) => before.open.some((one) => one.resource === resource);
  const left = open.find(({ origin, resource }) => origin === "made" && !isOlder(resource));
  const where = left && showAddr(left.remoteAddr ?? left.addr);
  expectThat(
    !left,
    STOPS,
    {
      en: `it has resolved, and a ${left?.kind} is still open: ${where}`,
      ko: `끝났지만 ${left?.kind} 소켓이 아직 열려 있습니다: ${where}`,
    },
    "stop-leaves-clients",
  );
  expectThat(
    timersMs.length <= before.timersMs.length,
    { en: "no timer is left when stop() resolves", ko: "stop()이 끝나면 남은 타이머가 없음" },
    {
      en: `a timer of ${timersMs[0]} ms is still running`,
      ko: `${timersMs[0]} ms 타이머가 아직 돌고 있습니다`,
    },
    "timer-left",
  );
  if (await isGivenBack({ hostname: "127.0.0.1", port }, learner.pid)) return;
  fail({
    expected: {
      en: `port ${port} can be bound again when stop() resolves`,
      ko: `stop()이 끝나면 포트 ${port} 에 다시 바인드할 수 있음`,
    },
    received: "AddrInUse",
    mistake: "stop-leaves-clients",
  });
}

const STOP_CATCHES = [
  "stop-leaves-clients",
  "stop-hangs",
  "stop-drops-queue",
  "timer-left",
  "one-error-ends-server",
];
const stopping = coded("BYE", "stopping");

task(6, {
  en: "stop() says BYE to everybody, once, and leaves nothing behind",
  ko: "stop()은 모두에게 한 번 BYE를 보내고 아무것도 남기지 않습니다",
}, async (context) => {
  const chat = await Chat.start(context, { lingerMs: LONG_MS });
  const mistake = "stop-leaves-clients";
  const a = await chat.joined("a");
  const b = await chat.joined("b");
  const silent = await chat.connect("silent");
  const half = await chat.joined("half");
  await half.send(bytes("SAY half a li"));
  // It has been accepted, too.
  await silent.say("WHO");
  await silent.expect(coded("ERROR", "not-joined"));
  const stops = [chat.stop(mistake), chat.stop(mistake)];
  for (const client of [a, b, silent, half]) {
    // No LEFT: everybody goes.
    await client.expect(stopping, { skip: /^JOINED /, mistake });
    await client.expectEnd({ mistake });
    client.close();
  }
  await context.step(STOPS, () => Promise.all(stops), "stop-hangs");
  await expectNothingLeft(context, chat);
  await context.step(STOPS, () => chat.stop(mistake), "stop-hangs");
}, { ...running, unhandled: "one-error-ends-server", catches: STOP_CATCHES });

/** Reads to the end, on which there is nothing but perhaps a BYE. */
async function expectNotServed(client: ChatClient, mistake: string): Promise<void> {
  await client.expectEnd({ skip: stopping, mistake });
  client.close();
}

task(6, {
  en: "stop() ends a chat in which nobody is",
  ko: "stop()은 아무도 없는 채팅도 끝냅니다",
}, async (context) => {
  const chat = await Chat.start(context);
  await context.step(STOPS, () => chat.stop("stop-hangs"), "stop-hangs");
  await expectNothingLeft(context, chat);
}, { ...running, catches: STOP_CATCHES });

task(6, {
  en: "stop() does not forget a client that is being accepted",
  ko: "stop()은 막 수락되는 클라이언트를 잊지 않습니다",
}, async (context) => {
  const { learner, step } = context;
  const chat = await Chat.start(context, { lingerMs: LONG_MS });
  const mistake = "stop-leaves-clients";
  const a = await chat.joined("a");
  await learner.limit({ holdAccepted: true });
  const late = await chat.connect("late");
  const expected: Text = {
    en: "the server accepts client late",
    ko: "서버가 클라이언트 late를 수락함",
  };
  await step(expected, async () => {
    while (!await chat.isOpen(late)) await pause(1);
  });
  // accept() resolves in the moment in which stop() is called.
  const stopped = chat.stop("stop-hangs");
  await learner.limit({});
  await a.expect(stopping, { mistake });
  await expectNotServed(late, mistake);
  a.close();
  await step(STOPS, () => stopped, "stop-hangs");
  await expectNothingLeft(context, chat);
}, { ...running, unhandled: "one-error-ends-server", catches: STOP_CATCHES });

task(6, {
  en: "stop() waits lingerMs for clients that do not read, or do not go, and no longer",
  ko: "stop()은 읽지 않거나 떠나지 않는 클라이언트를 lingerMs 동안만 기다립니다",
}, async (context) => {
  const chat = await Chat.start(context, { lingerMs: SHORT_MS });
  const deaf = await chat.joined("deaf");
  const staying = await chat.joined("staying");
  // Two that get their BYE now, and stay connected.
  const lingering = [await chat.connect("quitter"), await chat.connect("endless")] as const;
  await lingering[0].say("QUIT");
  await lingering[0].expect(coded("BYE", "quit"));
  await lingering[1].send(new Uint8Array(KIB + 1).fill(0x79));
  await lingering[1].expect(coded("BYE", "too-long"), { mistake: "line-unbounded" });
  const a = await chat.joined("a");
  await chat.room([deaf, 0]);
  await speak([a, staying], { done: upTo(2), mistake: "slow-reader-blocks" });
  for (const client of lingering) await chat.expectClosed(client, "dropped-not-closed");
  const stopped = chat.stop("stop-hangs");
  await staying.expect(stopping, { skip: PRESENCE, mistake: "stop-leaves-clients" });
  await context.step(STOPS, () => stopped, "stop-hangs");
  await expectNothingLeft(context, chat);
}, {
  ...running,
  unhandled: "one-error-ends-server",
  catches: [
    ...STOP_CATCHES,
    "slow-reader-blocks",
    "mixed-lines",
    "fast-reader-dropped",
    "line-unbounded",
    "dropped-not-closed",
  ],
  waitsMs: SHORT_MS,
});

task(6, {
  en: "stop() sends what was queued before, to a client that reads late, too",
  ko: "stop()은 늦게 읽는 클라이언트에게도 먼저 쌓인 것을 다 보냅니다",
}, async (context) => {
  const chat = await Chat.start(context, { lingerMs: LONG_MS });
  const late = await chat.joined("late");
  const a = await chat.joined("a");
  await chat.room([late, Math.floor(2.5 * SAID_BYTES)]);
  const count = await speak([a], { done: upTo(5), mistake: "slow-reader-blocks" });
  a.close();
  await context.learner.rest();
  const stopped = chat.stop("stop-hangs");
  await context.learner.rest();
  await context.learner.limit({});
  const mistake = "stop-drops-queue";
  for (let i = 0; i < count; i++) {
    await late.expect(nthSaid(i), { skip: PRESENCE, mistake });
  }
  await late.expect(stopping, { skip: /^LEFT r a$/, mistake });
  await late.expectEnd({ mistake });
  late.close();
  await context.step(STOPS, () => stopped, "stop-hangs");
  await expectNothingLeft(context, chat);
}, {
  ...running,
  unhandled: "one-error-ends-server",
  catches: [...STOP_CATCHES, "slow-reader-blocks", "mixed-lines", "fast-reader-dropped"],
});

task(6, {
  en: "a line of more than maxLineBytes ends its connection, before its LF comes",
  ko: "maxLineBytes보다 긴 줄은 LF가 오기 전에 연결을 끝냅니다",
}, async (context) => {
  const chat = await Chat.start(context, { maxLineBytes: 64, lingerMs: LONG_MS });
  const tooLong = coded("BYE", "too-long");
  const b = await chat.joined("b");
  const a = await chat.joined("a");
  await b.expect("JOINED r a");
  // A line of just that length is no problem.
  const text = "x".repeat(60);
  await a.say(`SAY ${text}`);
  for (const client of [a, b]) await client.expect(`SAID r a ${text}`);
  await a.send(bytes("y".repeat(65)));
  await a.expect(tooLong, { mistake: "line-unbounded" });
  await b.expect("LEFT r a");
  await a.expectEnd({ mistake: "line-unbounded" });
  // What still comes is no command, whatever it looks like.
  await a.send(bytes("\nJOIN r zombie\n"));
  await context.learner.rest();
  a.close();
  // 26 characters, 70 bytes, and the LF is there.
  const c = await chat.joined("c");
  await b.expect("JOINED r c", { skip: /^LEFT r a$/, mistake: "line-unbounded" });
  await c.say(`SAY ${"가".repeat(22)}`);
  await c.expect(tooLong, {
    mistake: (line) => line?.startsWith("SAID ") ? "characters-for-bytes" : "line-unbounded",
  });
}, { ...running, catches: ["line-unbounded", "characters-for-bytes"] });

task(6, {
  en: "BYE arrives though the client is still sending",
  ko: "클라이언트가 아직 보내고 있어도 BYE가 도착합니다",
}, async (context) => {
  const chat = await Chat.start(context, { lingerMs: LONG_MS });
  const mistake = "bye-destroyed";
  const a = await chat.joined("a");
  const expected: Text = {
    en: "what client a still sends is read and thrown away, so that BYE too-long arrives",
    ko: "클라이언트 a가 더 보내는 것을 읽어서 버리므로 BYE too-long이 도착함",
  };
  await a.during(expected, mistake, async () => {
    try {
      await a.send(new Uint8Array(8 * MIB).fill(0x7a));
    } catch (error) {
      fail({
        expected,
        received: {
          en: `the connection was cut while it was sending: ${(error as Error).name}`,
          ko: `보내는 도중에 연결이 끊겼습니다: ${(error as Error).name}`,
        },
        mistake,
      });
    }
  });
  await a.expect(coded("BYE", "too-long"), { mistake });
  await a.expectEnd({ mistake });
  a.close();
  await chat.expectClosed(a, mistake);
}, { ...running, catches: ["bye-destroyed"], unhandled: "bye-destroyed" });

task(6, {
  en: "stop() waits for a client that has got its BYE before, and lets nobody in meanwhile",
  ko: "stop()은 먼저 BYE를 받은 클라이언트도 기다리고, 그동안 아무도 들이지 않습니다",
}, async (context) => {
  const chat = await Chat.start(context, { lingerMs: LONG_MS });
  const mistake = "stop-leaves-clients";
  const a = await chat.joined("a");
  const quitter = await chat.connect("quitter");
  await quitter.say("QUIT");
  await quitter.expect(coded("BYE", "quit"));
  await quitter.expectEnd();
  let isOver = false;
  const stopped = chat.stop("stop-hangs");
  stopped.then(() => isOver = true, () => {});
  await a.expect(stopping, { mistake });
  await a.expectEnd({ mistake });
  a.close();
  await chat.expectClosed(a);
  await context.learner.rest();
  expectThat(!isOver, STOPS, {
    en: "it has resolved, and client quitter has not closed its end",
    ko: "끝났지만 클라이언트 quitter가 자기 쪽을 아직 닫지 않았습니다",
  }, mistake);
  const newcomer = await chat.connect("newcomer").catch(() => undefined);
  await newcomer?.say("JOIN r newcomer").catch(() => {});
  quitter.close();
  if (newcomer) await expectNotServed(newcomer, mistake);
  await context.step(STOPS, () => stopped, "stop-hangs");
  await expectNothingLeft(context, chat);
}, { ...running, unhandled: "one-error-ends-server", catches: STOP_CATCHES });

task(6, {
  en: "a bad line gets its ERROR, and the client stays",
  ko: "잘못된 줄에는 ERROR가 오고 클라이언트는 남습니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const mistake = (line?: string) => {
    if (coded("BYE", "too-long").test(line ?? "")) return "limit-per-read";
    return line === undefined || line.startsWith("BYE ") ? "bad-line-ends-client" : undefined;
  };
  const b = await chat.joined("b");
  const a = await chat.joined("a");
  await b.expect("JOINED r a");
  const half = bytes("SAY 가").subarray(0, -1);
  const bad: [Uint8Array, string][] = [
    [bytes("HELLO"), "unknown-command"],
    [bytes(""), "unknown-command"],
    [bytes("TELL b"), "bad-arguments"],
    [bytes("TELL b.c hi"), "bad-name"],
    [Uint8Array.of(0x53, 0x41, 0x59, 0x20, 0xff, 0xfe), "not-utf8"],
    [half, "not-utf8"],
    [bytes("SAY \x1b[2J"), "control-character"],
  ];
  for (const [line, code] of bad) {
    await a.send(Uint8Array.from([...line, 0x0a]));
    await a.expect(coded("ERROR", code), { mistake });
  }
  // As long as a line may be, unless something else is given. The one before it has come with it.
  const text = `still here ${"x".repeat(KIB - 15)}`;
  await a.say(`HELLO\nSAY ${text}`);
  await a.expect(coded("ERROR", "unknown-command"), { mistake });
  for (const client of [a, b]) await client.expect(`SAID r a ${text}`, { mistake });
  // One byte more is too long.
  await b.send(bytes("z".repeat(KIB + 1)));
  await b.expect(coded("BYE", "too-long"), { mistake: "line-unbounded" });
  await a.expect("LEFT r b");
}, {
  ...running,
  catches: ["bad-line-ends-client", "line-unbounded", "limit-per-read"],
  unhandled: "bad-line-ends-client",
});

task(6, {
  en: "clients that go wrong end nobody else's chat",
  ko: "잘못되는 클라이언트가 있어도 나머지의 채팅은 계속됩니다",
}, async (context) => {
  const { learner, peers } = context;
  const mistake = "one-error-ends-server";
  // Who hears of another room is for task 2 to say.
  const skip = /^[A-Z]+ q x( hi)?$/;
  const chat = await Chat.start(context);
  const to = { hostname: "127.0.0.1", port: chat.addr.port };
  const witness = await chat.joined("w");
  // One that is gone before it is accepted: the server stands still meanwhile.
  if (Deno.build.os === "linux") {
    await learner.asleep(() => peers.connectAndReset(to));
    const expected: Text = {
      en: "the next client is accepted, though accept() rejected for one that had gone before it",
      ko: "수락되기 전에 떠난 클라이언트 때문에 accept()가 거부된 뒤에도 다음 클라이언트를 수락함",
    };
    await witness.during(expected, mistake, async () => {
      const next = await chat.connect("next");
      await next.say("WHO");
      if (coded("ERROR", "not-joined").test(await next.line() ?? "")) return;
      const received = { en: "the connection was closed", ko: "연결이 닫혔습니다" };
      fail({ expected, received, mistake });
    });
  }
  for (const sent of ["", "JOIN r half", "HELLO\nHELLO\n", "JOIN q x\nSAY hi\nWHO\n"]) {
    const gone = await peers.connectToReset(to);
    await gone.send(bytes(sent));
    await gone.reset();
    await witness.say("SAY still here");
    await witness.expect("SAID r w still here", { skip, mistake });
  }
  const late = await chat.joined("late", "r", mistake);
  await witness.expect("JOINED r late", { skip, mistake });
  await late.say("SAY hi");
  for (const client of [witness, late]) await client.expect("SAID r late hi", { mistake });
}, { ...running, catches: ["one-error-ends-server"], unhandled: "one-error-ends-server" });

/** Lets clients be idle in several ways while client a talks. False if a itself was taken for idle. */
async function expectIdle(context: TestContext, idleMs: number): Promise<boolean> {
  const chat = await Chat.start(context, { idleMs, lingerMs: LONG_MS });
  const bye = coded("BYE", "idle");
  const clients: ChatClient[] = [];
  try {
    clients.push(await chat.connect("silent"));
    for (const name of ["a", "listening", "dripping"]) clients.push(await chat.joined(name));
  } catch (error) {
    // So busy a machine that somebody was idle before all were there.
    if (error instanceof TaskFailure && error.facts.received?.en.includes("BYE idle")) return false;
    throw error;
  }
  const [silent, a, listening, dripping] = clients as [
    ChatClient,
    ChatClient,
    ChatClient,
    ChatClient,
  ];
  const log: string[] = [];
  let isOver = false;
  // Client a talks all the time; another sends a byte now and then, and never a line.
  const talk = async (): Promise<"idle" | undefined> => {
    for (let i = 0;; i++) {
      // What was told to all until then comes before the line that is said after it.
      const isLast = isOver;
      try {
        await a.say(`SAY tick ${i}`);
        if (!isOver) await dripping.send(bytes("x")).catch(() => {});
        for (let line; (line = await a.line()) !== `SAID r a tick ${i}`; log.push(line)) {
          if (line === null || bye.test(line)) return "idle";
        }
      } catch {
        return "idle";
      }
      if (isLast) return undefined;
      await pause(idleMs / 5);
    }
  };
  const story = async () => {
    for (const client of [silent, listening, dripping]) {
      const mistake = client === dripping ? "byte-resets-idle" : "idle-kept";
      await client.expect(bye, { skip: /^(JOINED|LEFT|SAID) /, mistake });
      await client.expectEnd({ mistake });
    }
    isOver = true;
  };
  const talking = talk();
  const told = story();
  told.catch(() => {});
  const first = await Promise.race([talking, told.then(() => "done" as const)]);
  if (first === "idle" || await talking === "idle") {
    for (const client of [a, silent, listening, dripping]) client.close();
    return false;
  }
  for (const name of ["listening", "dripping"]) {
    const times = log.filter((line) => line === `LEFT r ${name}`).length;
    expectEqual(times, 1, {
      what: {
        en: `times that client a got LEFT r ${name}`,
        ko: `클라이언트 a가 LEFT r ${name}을 받은 횟수`,
      },
      mistake: times > 1 ? "left-twice" : "idle-kept",
    });
  }
  return true;
}

task(6, {
  en: "who says no whole line for idleMs gets BYE idle, who talks stays",
  ko: "idleMs 동안 온전한 줄이 없으면 BYE idle을 받고, 말하는 쪽은 남습니다",
}, async (context) => {
  // On a busy machine the client that talks may be late with a line: then it has more time.
  for (const factor of [1, 4, 16]) {
    if (await expectIdle(context, IDLE_MS * factor)) return;
  }
  fail({
    expected: {
      en: "client a, which says a line five times in idleMs, stays",
      ko: "idleMs 동안 다섯 번 말하는 클라이언트 a는 남음",
    },
    received: { en: "it got BYE idle", ko: "BYE idle을 받았습니다" },
    mistake: "idle-not-reset",
  });
}, {
  ...running,
  catches: ["idle-kept", "byte-resets-idle", "idle-not-reset", "left-twice"],
  deadlineMs: 6_000,
  waitsMs: IDLE_MS + 30,
});

/** How often it is looked whether the clients of earlier chats are gone. */
const MOST_LOOKS = 100;

/** Delays of the timers of a chat, with one client that may be idle, and then with one that lingers, too. */
async function timersOf(context: TestContext, options?: Fields): Promise<number[][]> {
  const { learner } = context;
  // What is left of earlier chats comes to its end, and its timers with it, unless they leave clients.
  let left = await learner.rest();
  for (let i = 0; i < MOST_LOOKS && left.open.some(({ kind }) => kind === "conn"); i++) {
    await pause(1);
    left = await learner.rest();
  }
  const before = left.timersMs;
  const chat = await Chat.start(context, options);
  const samples: number[][] = [];
  const look = async () => {
    const { timersMs } = await learner.rest();
    for (const ms of before) {
      if (timersMs.includes(ms)) timersMs.splice(timersMs.indexOf(ms), 1);
    }
    samples.push(timersMs.filter((ms) => ms >= SHORT_MS).toSorted((a, b) => a - b));
  };
  const a = await chat.joined("a");
  await look();
  await a.say("QUIT");
  await a.expect(coded("BYE", "quit"));
  await a.expectEnd();
  await look();
  a.close();
  await chat.expectClosed(a);
  return samples;
}

task(6, {
  en: "idleMs is 60000 and lingerMs is 1000 unless something else is given",
  ko: "따로 주지 않으면 idleMs는 60000, lingerMs는 1000입니다",
}, async (context) => {
  // However somebody keeps the time: it has to be the same with these options as without.
  const given = await timersOf(context, { idleMs: 60_000, lingerMs: 1000 });
  const own = await timersOf(context);
  const isNear = (a: number, b: number) => Math.abs(a - b) <= Math.max(a, b) / 10;
  const same = given.every((sample, i) =>
    sample.length === own[i]!.length && sample.every((ms, j) => isNear(ms, own[i]![j]!))
  );
  const show = (samples: number[][]): Text => {
    const [here, gone] = samples.map((sample) =>
      sample.map((ms) => `${Math.round(ms)} ms`).join(", ") || "-"
    );
    return {
      en: `${here} for a client that is there, ${gone} for one that has quit`,
      ko: `있는 클라이언트에게 ${here}, 나간 클라이언트에게 ${gone}`,
    };
  };
  const expected = show(given);
  const received = show(own);
  expectThat(
    same,
    {
      en: `the same timers as with { idleMs: 60000, lingerMs: 1000 }: ${expected.en}`,
      ko: `{ idleMs: 60000, lingerMs: 1000 }을 줄 때와 같은 타이머: ${expected.ko}`,
    },
    {
      en: `without options: ${received.en}`,
      ko: `옵션 없이: ${received.ko}`,
    },
    "defaults-differ",
  );
}, { ...running, catches: ["defaults-differ"] });

task(6, {
  en: "startChat() is for this machine only",
  ko: "startChat()은 이 컴퓨터에서만 연결할 수 있습니다",
}, async (context) => {
  const chat = await Chat.start(context);
  const mistake = "listens-everywhere";
  expectEqual(chat.addr.hostname, "127.0.0.1", { what: same("addr.hostname"), mistake });
  if (secondLoopback === "127.0.0.1") return;
  const { port } = chat.addr;
  const came = await Deno.connect({ hostname: secondLoopback, port }).then((conn) => {
    conn.close();
    return true;
  }, () => false);
  expectThat(
    !came,
    { en: "only 127.0.0.1 can be connected to", ko: "127.0.0.1로만 연결할 수 있음" },
    { en: `${secondLoopback} can, too`, ko: `${secondLoopback} 로도 연결됩니다` },
    mistake,
  );
}, { ...running, catches: ["listens-everywhere"] });
