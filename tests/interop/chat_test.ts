/**
 * The model solution of lesson 7 and programs that nobody here wrote: nc, curl and Python's socket module; and the
 * lesson's measurement, run small.
 *
 * A program that is not on this machine is named in the test that is ignored for it.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type ChatServer, startChat } from "../../solutions/07_chat/exercise.ts";
import { measure, plot, quantile, table, type Way } from "../../lessons/07_chat/measure.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (text: string) => new TextEncoder().encode(text);

/** Whether `name` can be started here. */
function has(name: string, ...args: string[]): boolean {
  try {
    new Deno.Command(name, { args, stdout: "null", stderr: "null", stdin: "null" }).outputSync();
    return true;
  } catch {
    return false;
  }
}

const present: Record<string, boolean> = {
  nc: has("nc", "-h"),
  curl: has("curl", "--version"),
  python3: has("python3", "--version"),
};

/** A test that needs a program; without it, it is ignored, and its name says why. */
function withProgram(program: string, name: string, fn: () => Promise<void>): void {
  const ignore = !present[program];
  const why = ignore ? ` (ignored: there is no ${program} here)` : "";
  Deno.test({ name: `${name}${why}`, ignore, timeout: 20_000, sanitizeResources: true, fn });
}

/** Runs a program to its end with `input`, and gives the lines that it printed. */
async function run(program: string, args: string[], input = ""): Promise<string[]> {
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that has its answer need not read all of its input.
  const fed = writer.write(bytes(input)).then(() => writer.close()).catch(() => {});
  const { stdout, stderr, success } = await child.output();
  await fed;
  if (!success) throw new Error(`${program} failed: ${text(stderr)}`);
  return text(stdout).trimEnd().split("\n");
}

const python = (code: string, ...args: (string | number)[]) =>
  run("python3", ["-c", CHAT_IN_PYTHON + code, ...args.map(String)]);

/** What the Python programs have in common. */
const CHAT_IN_PYTHON = `
import socket, struct, sys

def join(name, room="lobby"):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=15)
    f = s.makefile("rb")
    s.sendall(f"JOIN {room} {name}\\n".encode())
    assert f.readline().startswith(b"NAMES ")
    return s, f
`;

/** A person at the other end of a plain connection, in the lobby. */
class Person {
  #lines: AsyncGenerator<string>;

  private constructor(readonly conn: Deno.TcpConn) {
    this.#lines = this.#read();
  }

  static async join({ addr }: ChatServer, name: string): Promise<Person> {
    const { hostname, port } = addr;
    const person = new Person(await Deno.connect({ hostname, port }));
    await person.conn.write(bytes(`JOIN lobby ${name}\n`));
    assertMatch(await person.line(), /^NAMES lobby /);
    return person;
  }

  async line(): Promise<string> {
    return (await this.#lines.next()).value;
  }

  async *#read(): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(4096);
    let rest = "";
    for (let n = await this.conn.read(buffer); n !== null; n = await this.conn.read(buffer)) {
      const lines = (rest + decoder.decode(buffer.subarray(0, n), { stream: true })).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  }
}

withProgram("nc", "lesson 7: nc joins, speaks and quits", async () => {
  const chat = startChat();
  const alice = await Person.join(chat, "alice");
  const printed = await run(
    "nc",
    ["-N", "127.0.0.1", `${chat.addr.port}`],
    "JOIN lobby 넷캣\nSAY  안녕,  여러분 \nTELL alice psst\nQUIT\n",
  );
  assertEquals(printed.slice(0, 2), ["NAMES lobby alice 넷캣", "SAID lobby 넷캣  안녕,  여러분 "]);
  assertMatch(printed[2]!, /^BYE quit \S/);
  assertEquals(printed.length, 3);
  assertEquals(await alice.line(), "JOINED lobby 넷캣");
  assertEquals(await alice.line(), "SAID lobby 넷캣  안녕,  여러분 ");
  assertEquals(await alice.line(), "TOLD 넷캣 psst");
  assertEquals(await alice.line(), "LEFT lobby 넷캣");
  alice.conn.close();
  await chat.stop();
});

withProgram(
  "nc",
  "lesson 7: nc that only half-closes gets what was said, and has left",
  async () => {
    const chat = startChat();
    const alice = await Person.join(chat, "alice");
    // The last line is not ended, so it is no command.
    const input = "JOIN lobby nc\nSAY one\nSAY two";
    const printed = await run("nc", ["-N", "127.0.0.1", `${chat.addr.port}`], input);
    assertEquals(printed, ["NAMES lobby alice nc", "SAID lobby nc one"]);
    assertEquals(await alice.line(), "JOINED lobby nc");
    assertEquals(await alice.line(), "SAID lobby nc one");
    assertEquals(await alice.line(), "LEFT lobby nc");
    alice.conn.close();
    await chat.stop();
  },
);

withProgram(
  "curl",
  "lesson 7: curl's telnet mode, with CRLF, until the server says BYE",
  async () => {
    const chat = startChat();
    const child = new Deno.Command("curl", {
      args: ["--silent", "--no-buffer", `telnet://127.0.0.1:${chat.addr.port}`],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(bytes("join lobby curl\r\nsay hello\r\nhello\r\nquit\r\n"));
    // The end of its input is not handed on; curl ends when the server does.
    await writer.close();
    const [names, said, error, bye, ...more] = text((await child.output()).stdout).split("\n");
    assertEquals([names, said], ["NAMES lobby curl", "SAID lobby curl hello"]);
    assertMatch(error!, /^ERROR unknown-command \S/);
    assertMatch(bye!, /^BYE quit \S/);
    assertEquals(more, [""]);
    await chat.stop();
  },
);

withProgram("python3", "lesson 7: two rooms in Python, and a character cut in two", async () => {
  const chat = startChat();
  const printed = await python(
    `
alice, from_alice = join("alice")
bob, from_bob = join("bob")
carol, from_carol = join("carol", "kitchen")
line = "SAY 소켓\\n".encode()
for i in range(len(line)):
    alice.sendall(line[i:i + 1])
print(from_bob.readline() == "SAID lobby alice 소켓\\n".encode())
carol.sendall("TELL bob 비밀\\nWHO\\n".encode())
print(from_bob.readline().decode(), end="")
print(from_carol.readline().decode(), end="")
alice.sendall(b"WHO\\n")
print([from_alice.readline().decode() for _ in range(3)])
`,
    chat.addr.port,
  );
  assertEquals(printed, [
    "True",
    "TOLD carol 비밀",
    "NAMES kitchen carol",
    "['JOINED lobby bob\\n', 'SAID lobby alice 소켓\\n', 'NAMES lobby alice bob\\n']",
  ]);
  await chat.stop();
});

withProgram("python3", "lesson 7: a reset in Python (SO_LINGER 0) is a leave", async () => {
  const chat = startChat();
  const alice = await Person.join(chat, "alice");
  await python(
    `
s, f = join("crash")
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
f.close()
s.close()
`,
    chat.addr.port,
  );
  assertEquals(await alice.line(), "JOINED lobby crash");
  assertEquals(await alice.line(), "LEFT lobby crash");
  alice.conn.close();
  await chat.stop();
});

withProgram("python3", "lesson 7: one that does not read is told why it was dropped", async () => {
  const chat = startChat({ lingerMs: 15_000 });
  const printed = await python(
    `
sleeper, from_sleeper = join("sleeper")
talker, from_talker = join("talker")
line = b"SAY " + b"x" * 1000 + b"\\n"
said, gone = 0, False
# The talker reads what it says, or it would be too slow itself. The kernel takes some MB for the sleeper.
while not gone and said < 30000:
    talker.sendall(line * 20)
    said += 20
    heard = 0
    while heard < 20:
        event = from_talker.readline()
        assert event and not event.startswith(b"BYE"), event
        heard += event.startswith(b"SAID ")
        gone = gone or event == b"LEFT lobby sleeper\\n"
print(gone)
got = from_sleeper.readlines()
whole = b"SAID lobby talker " + line[4:]
print(got[0] == b"JOINED lobby talker\\n", all(heard == whole for heard in got[1:-1]))
print(got[-1].decode().split(" ")[:2], 0 < len(got) < said)
`,
    chat.addr.port,
  );
  assertEquals(printed, ["True", "True True", "['BYE', 'too-slow'] True"]);
  await chat.stop();
});

// ------------------------------------------------------------------------------ the measurement

const plan = {
  exercise: new URL("../../solutions/07_chat/exercise.ts", import.meta.url).href,
  clients: 3,
  messages: 5,
  seed: 1,
  talkMs: 60,
  countedMs: 100,
};
const ways: Way[] = [{ name: "polling", everyMs: 20 }, { name: "long polling" }, { name: "push" }];

Deno.test({
  name: "lesson 7: the measurement's numbers agree with each other",
  timeout: 20_000,
  sanitizeResources: true,
  async fn() {
    const runs = [];
    for (const way of ways) runs.push(await measure(way, plan));
    for (const { delaysMs, seconds } of runs) {
      // Each message reached each client once.
      assertEquals(delaysMs.length, plan.clients * plan.messages);
      assert(delaysMs.every((ms) => ms >= 0 && ms <= seconds * 1000));
      assert(quantile(delaysMs, 0.5) <= quantile(delaysMs, 0.95));
    }
    const [polling, long, push] = runs as [typeof runs[0], typeof runs[0], typeof runs[0]];
    assert(polling.emptyAnswers < polling.questions);
    assertEquals(long.emptyAnswers, 0);
    assertEquals([push.questions, push.emptyAnswers], [0, 0]);
    // What is said travels once to the server and once to each client, as "SAY …" and "SAID lobby clientN …".
    const more = bytes("SAID lobby client0 ").length - bytes("SAY ").length;
    assertEquals(push.receivedBytes, plan.clients * (push.sentBytes + plan.messages * more));
    for (const run of [polling, long]) {
      assert(run.sentBytes > push.sentBytes && run.receivedBytes > push.receivedBytes);
    }
    assertEquals(table(runs).split("\n").length, 2 + ways.length);
    assertEquals(plot(runs, "a caption").match(/<rect class="(polling|long|push)"/g)?.length, 6);
  },
});

Deno.test({
  name: "lesson 7: the measurement notices a chat that says everything twice",
  timeout: 20_000,
  sanitizeResources: true,
  async fn() {
    // Enough of a chat for two: who comes in gets NAMES, and everything else is echoed, twice.
    const twice = `
      export function startChat() {
        const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        (async () => {
          for await (const conn of listener) serve(conn);
        })();
        const serve = async (conn) => {
          let name = "";
          const chunks = conn.readable.pipeThrough(new TextDecoderStream());
          const writer = conn.writable.getWriter();
          for await (const line of chunks) {
            const said = line.replace(/^SAY (.*\\n)/, "SAID lobby client0 $1");
            const answer = said === line ? "NAMES lobby client0\\n" : said + said;
            await writer.write(new TextEncoder().encode(answer));
          }
        };
        return { addr: listener.addr, stop: async () => listener.close() };
      }`;
    const exercise = `data:text/javascript,${encodeURIComponent(twice)}`;
    await assertRejects(
      () => measure({ name: "push" }, { ...plan, clients: 1, messages: 2, exercise }),
      Error,
      "heard something else",
    );
  },
});
