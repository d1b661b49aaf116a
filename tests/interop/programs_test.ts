/**
 * The model solutions of lessons 3 and 4 and programs that nobody here wrote: nc, curl and Python's socket module.
 *
 * A program that is not on this machine is named in the test that is ignored for it.
 */

import { assertEquals, assertMatch } from "@std/assert";
import {
  echo,
  readFrame,
  readLines,
  udpEcho,
  udpRequest,
  writeAll,
} from "../../solutions/03_send_recv/exercise.ts";
import {
  answerAfterEnd,
  relay,
  requestReply,
  startServer,
} from "../../solutions/04_teardown/exercise.ts";

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
  Deno.test({ name: `${name}${why}`, ignore, timeout: 20_000, fn });
}

/** Runs a program to its end with `input`, and gives what it printed. */
async function run(program: string, args: string[], input = ""): Promise<string> {
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
  return text(stdout);
}

const python = (code: string, ...args: (string | number)[]) =>
  run("python3", ["-c", code, ...args.map(String)]);

function listen(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}

withProgram("nc", "lesson 3: echo() and nc", async () => {
  using listener = listen();
  const echoed = listener.accept().then(echo);
  const printed = await run("nc", ["-N", "127.0.0.1", `${listener.addr.port}`], "소켓\nhello\n");
  assertEquals(printed, "소켓\nhello\n");
  assertEquals(await echoed, bytes(printed).length);
});

withProgram("curl", "lesson 3: readLines() and curl's telnet mode", async () => {
  using listener = listen();
  const served = listener.accept().then(async (conn) => {
    using own = conn;
    for await (const line of readLines(own)) {
      await writeAll(own, bytes(`${line}, you said\n`));
      if (line === "bye") return;
    }
  });
  const child = new Deno.Command("curl", {
    args: ["--silent", "--no-buffer", `telnet://127.0.0.1:${listener.addr.port}`],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes("one\r\nbye\n"));
  // The end of its input is not handed on; curl ends when the server does.
  await writer.close();
  const { stdout } = await child.output();
  assertEquals(text(stdout), "one, you said\nbye, you said\n");
  await served;
});

withProgram("python3", "lesson 3: frames from Python's struct and socket", async () => {
  using listener = listen();
  const received = listener.accept().then(async (conn) => {
    using own = conn;
    const frames: string[] = [];
    for (let frame = await readFrame(own, 100); frame; frame = await readFrame(own, 100)) {
      frames.push(text(frame));
    }
    return frames;
  });
  await python(
    `
import socket, struct, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
    for part in [b"hello", b"", "소켓".encode()]:
        s.sendall(struct.pack("!I", len(part)) + part)
`,
    listener.addr.port,
  );
  assertEquals(await received, ["hello", "", "소켓"]);
});

withProgram("python3", "lesson 3: udpEcho() and Python's recvfrom()", async () => {
  const socket = Deno.listenDatagram({ hostname: "127.0.0.1", port: 0, transport: "udp" });
  const echoing = udpEcho(socket);
  const printed = await python(
    `
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(10)
    for data in [b"one", b"", b"x" * 60000]:
        s.sendto(data, ("127.0.0.1", int(sys.argv[1])))
        print(s.recvfrom(65536)[0] == data)
`,
    (socket.addr as Deno.NetAddr).port,
  );
  assertEquals(printed, "True\nTrue\nTrue\n");
  socket.close();
  await echoing;
});

withProgram("python3", "lesson 3: udpRequest() and a server in Python", async () => {
  const child = new Deno.Command("python3", {
    args: [
      "-c",
      `
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(10)
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1], flush=True)
    data, client = s.recvfrom(65536)
    s.sendto(data[:2] + b"pong", client)
`,
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const port = Number(text((await reader.read()).value!));
  const socket = Deno.listenDatagram({ hostname: "127.0.0.1", port: 0, transport: "udp" });
  const to = { hostname: "127.0.0.1", port };
  const options = { timeoutMs: 5_000, attempts: 2 };
  assertEquals(text(await udpRequest(socket, to, bytes("7:ping"), options)), "7:pong");
  socket.close();
  await child.status;
  await reader.cancel();
});

withProgram("nc", "lesson 4: answerAfterEnd() and nc that half-closes", async () => {
  using listener = listen();
  const answered = listener.accept()
    .then((conn) => answerAfterEnd(conn, (request) => bytes(`${request.length} bytes\n`)));
  const printed = await run("nc", ["-N", "127.0.0.1", `${listener.addr.port}`], "a question");
  assertEquals(printed, "10 bytes\n");
  await answered;
});

withProgram(
  "python3",
  "lesson 4: requestReply() and a server in Python that waits for the end",
  async () => {
    const child = new Deno.Command("python3", {
      args: [
        "-c",
        `
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    conn, _ = server.accept()
    with conn:
        data = b""
        while part := conn.recv(4096):
            data += part
        conn.sendall(data[::-1])
`,
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const port = Number(text((await reader.read()).value!));
    assertEquals(text(await requestReply("127.0.0.1", port, bytes("stressed"))), "desserts");
    await child.status;
    await reader.cancel();
  },
);

withProgram("python3", "lesson 4: startServer() and a client in Python", async () => {
  const server = startServer((line) => line.toUpperCase());
  const printed = await python(
    `
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
    s.sendall(b"one\\r\\ntwo\\n")
    f = s.makefile("rb")
    print(f.readline(), f.readline())
`,
    server.addr.port,
  );
  assertMatch(printed, /b'ONE\\n' b'TWO\\n'/);
  await server.stop(1_000);
  Deno.listen({ hostname: "127.0.0.1", port: server.addr.port }).close();
});

withProgram("nc", "lesson 4: relay() between nc and answerAfterEnd()", async () => {
  using front = listen();
  using back = listen();
  const answered = back.accept()
    .then((conn) => answerAfterEnd(conn, (request) => bytes(text(request).toUpperCase())));
  const relayed = front.accept().then(async (a) => {
    const { hostname, port } = back.addr;
    return await relay(a, await Deno.connect({ hostname, port }));
  });
  const printed = await run("nc", ["-N", "127.0.0.1", `${front.addr.port}`], "through");
  assertEquals(printed, "THROUGH");
  assertEquals(await relayed, { aToB: 7, bToA: 7 });
  await answered;
});
