/**
 * The model solution of lesson 5 and a peer in Python, `p2p_peer.py`, that knows only the wire format.
 *
 * Each Python peer is a process of its own. What it prints is what is waited for; what happens inside
 * `createPeer()` without an event is waited for with `until()`. Nothing is timed.
 */

import { assertEquals, assertRejects } from "@std/assert";
import { createPeer } from "../../solutions/05_p2p/exercise.ts";

type Peer = Awaited<ReturnType<typeof createPeer>>;
type Event = { event: string } & Record<string, unknown>;
interface Address {
  hostname: string;
  port: number;
}

const PROGRAM = decodeURIComponent(new URL("p2p_peer.py", import.meta.url).pathname);
const MIB = 1024 * 1024;
const CHUNK_BYTES = 65_536;

const hasPython = (() => {
  try {
    const args = ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"];
    return new Deno.Command("python3", { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** A test with Python, which says what it lacks where it is ignored. */
function interop(name: string, fn: () => Promise<void>): void {
  const why = hasPython ? "" : " (ignored: there is no python3 of version 3.9 or later)";
  Deno.test({
    name: name + why,
    ignore: !hasPython,
    timeout: 30_000,
    sanitizeResources: true,
    fn,
  });
}

/** A Python peer. It is told to end, and reaped, when the test ends. */
class PythonPeer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #errors: Promise<string>;
  readonly #reading: Promise<void>;
  readonly #events: Event[] = [];
  readonly #listening = Promise.withResolvers<Address>();
  #news = Promise.withResolvers<void>();
  #ended = false;

  private constructor(readonly id: string, args: string[]) {
    this.#child = new Deno.Command("python3", {
      args: [PROGRAM, "--id", id, ...args],
      env: { PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#orders = this.#child.stdin.getWriter();
    this.#errors = new Response(this.#child.stderr).text();
    this.#reading = this.#read();
    this.#listening.promise.catch(() => {});
  }

  /** Starts a peer; resolves when it listens. */
  static async start(
    id: string,
    { connect, share, silenceMs }: { connect?: Address; share?: string; silenceMs?: number } = {},
  ): Promise<PythonPeer & { addr: Address }> {
    const python = new PythonPeer(id, [
      ...(connect ? ["--connect", `${connect.hostname}:${connect.port}`] : []),
      ...(share ? ["--share", share] : []),
      ...(silenceMs ? ["--silence-ms", `${silenceMs}`] : []),
    ]);
    return Object.assign(python, { addr: await python.#listening.promise });
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const [, hostname, port] = /^Listening on (.+):(\d+)$/.exec(line) ?? [];
        if (hostname) this.#listening.resolve({ hostname, port: Number(port) });
        else this.#events.push(JSON.parse(line));
      }
      this.#wake();
    }
    this.#ended = true;
    this.#listening.reject(new Error(`Python peer ${this.id} ended: ${await this.#errors}`));
    this.#wake();
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async order(order: { do: string } & Record<string, unknown>): Promise<void> {
    await this.#orders.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
  }

  /** The next event of that name with these fields. Those before it stay for others to wait for. */
  async event(name: string, fields: Record<string, unknown> = {}): Promise<Event> {
    while (true) {
      const at = this.#events.findIndex((event) =>
        event.event === name &&
        Object.entries(fields).every(([key, value]) => `${event[key]}` === `${value}`)
      );
      if (at >= 0) return this.#events.splice(at, 1)[0]!;
      if (this.#ended) throw new Error(`Python peer ${this.id} ended before "${name}"`);
      await this.#news.promise;
    }
  }

  send(to: string, body: Uint8Array): Promise<void> {
    return this.order({ do: "send", to, body: body.toBase64() });
  }

  /** The next message that arrived. */
  async message(): Promise<{ from: string; body: Uint8Array }> {
    const { from, body } = await this.event("message");
    return { from: String(from), body: Uint8Array.fromBase64(String(body)) };
  }

  async share(body: Uint8Array): Promise<string> {
    await this.order({ do: "share", body: body.toBase64() });
    return String((await this.event("shared")).hash);
  }

  /** Fetches, and tells how it ended. */
  async fetch(hash: string): Promise<{ size: unknown; ok: unknown }> {
    await this.order({ do: "fetch", hash });
    const { size, ok } = await this.event("fetched", { hash });
    return { size, ok };
  }

  /** Sends that process, and no other, a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends standard input, which ends the peer. */
  async end(): Promise<Deno.CommandStatus> {
    await this.#orders.close().catch(() => {}); // It was killed, or ended before.
    return await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that neither ends nor can (it is stopped) is killed: nothing stays behind.
    const deadline = setTimeout(() => this.signal("SIGKILL"), 5_000);
    await this.end();
    clearTimeout(deadline);
    await this.#reading;
    assertEquals(await this.#errors, "", `What Python peer ${this.id} complained of`);
  }
}

/** A peer of the model solution. It is closed when the test ends. */
class DenoPeer implements AsyncDisposable {
  readonly #messages: AsyncIterator<{ from: string; body: Uint8Array }>;

  private constructor(readonly peer: Peer) {
    this.#messages = peer.messages[Symbol.asyncIterator]();
  }

  static async start(id: string, options: { silenceMs?: number } = {}): Promise<DenoPeer> {
    return new DenoPeer(await createPeer({ id, ...options }));
  }

  get addr(): Address {
    const { hostname, port } = this.peer.addr;
    return { hostname, port };
  }

  get ids(): string[] {
    return this.peer.peers().map(({ id }) => id);
  }

  async message(): Promise<{ from: string; body: Uint8Array }> {
    const { from, body } = (await this.#messages.next()).value!;
    return { from, body };
  }

  /** Waits until exactly those are linked. */
  async linked(...ids: string[]): Promise<void> {
    await until(() => `${this.ids}` === `${ids.toSorted()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer.close();
  }
}

/** Looks again and again. For what has no event; the test's own time limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Bytes without a pattern, all different from each other in every run. */
function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

/** Links the two, dialled by either. */
async function link(
  dialler: "Deno" | "Python",
  alice: DenoPeer,
  bob: PythonPeer & { addr: Address },
) {
  if (dialler === "Deno") assertEquals(await alice.peer.connect(bob.addr), bob.id);
  else await bob.order({ do: "connect", ...alice.addr });
  await bob.event("link", { id: alice.peer.id, dialled: dialler === "Python" });
  await alice.linked(bob.id);
}

for (const dialler of ["Deno", "Python"] as const) {
  interop(`Python and Deno exchange messages when ${dialler} dials`, async () => {
    await using alice = await DenoPeer.start("alice");
    await using bob = await PythonPeer.start("밥");
    await link(dialler, alice, bob);

    // Not the ephemeral port of the connection, whoever dialled: the port where it listens.
    assertEquals(alice.peer.peers(), [{ id: "밥", ...bob.addr }]);

    for (const body of [randomBytes(5), new Uint8Array(0), randomBytes(MIB), randomBytes(1)]) {
      await alice.peer.send("밥", body);
      assertEquals(await bob.message(), { from: "alice", body });
      await bob.send("alice", body);
      assertEquals(await alice.message(), { from: "밥", body });
    }
  });
}

interop("Python links with a peer that it is told of when it starts", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob", { connect: alice.addr });
  await bob.event("link", { id: "alice", dialled: true });
  await bob.order({ do: "broadcast", body: btoa("hello, all") });
  const body = new TextEncoder().encode("hello, all");
  assertEquals(await alice.message(), { from: "bob", body });
  await alice.peer.broadcast(body);
  assertEquals(await bob.message(), { from: "alice", body });
});

interop("8 MiB go each way at the same time, and stay in order", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob");
  await link("Deno", alice, bob);

  const bodies = Array.from({ length: 8 }, () => randomBytes(MIB));
  const sent = [
    ...bodies.map((body) => alice.peer.send("bob", body)),
    ...bodies.map((body) => bob.send("alice", body)),
  ];
  for (const body of bodies) assertEquals(await alice.message(), { from: "bob", body });
  for (const body of bodies) assertEquals(await bob.message(), { from: "alice", body });
  await Promise.all(sent);
});

interop("two Python peers learn of each other through Deno", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob", { connect: alice.addr });
  await bob.event("link", { id: "alice" });
  await alice.linked("bob");
  await using carol = await PythonPeer.start("carol", { connect: alice.addr });
  // Of the two, only the newcomer was told of the other.
  await carol.event("link", { id: "bob", dialled: true });
  await bob.event("link", { id: "carol", dialled: false });
  await bob.send("carol", new Uint8Array([1]));
  assertEquals(await carol.message(), { from: "bob", body: new Uint8Array([1]) });
});

interop("two Deno peers learn of each other through Python", async () => {
  await using bob = await PythonPeer.start("bob");
  await using alice = await DenoPeer.start("alice");
  await using carol = await DenoPeer.start("carol");
  await alice.peer.connect(bob.addr);
  await bob.event("link", { id: "alice" });
  await carol.peer.connect(bob.addr);
  await carol.linked("alice", "bob");
  await alice.linked("bob", "carol");
  assertEquals(carol.peer.peers(), [{ id: "alice", ...alice.addr }, { id: "bob", ...bob.addr }]);
});

interop("content of every size goes from Python to Deno, and from Deno to Python", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob");
  await link("Python", alice, bob);

  for (const size of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, MIB + 7]) {
    const content = randomBytes(size);
    assertEquals(await alice.peer.fetch(await bob.share(content)), content);

    const other = randomBytes(size);
    assertEquals(await bob.fetch(await alice.peer.share(other)), { size, ok: true });
  }
});

interop("Python and Deno give the same content the same hash", async () => {
  await using alice = await DenoPeer.start("alice");
  const content = randomBytes(3 * CHUNK_BYTES + 5);
  const path = await Deno.makeTempFile({ prefix: "workbook interop " });
  try {
    await Deno.writeFile(path, content);
    await using bob = await PythonPeer.start("bob", { share: path });
    const { hash, size } = await bob.event("shared");
    assertEquals(size, content.length);
    assertEquals(await alice.peer.share(content), hash);
  } finally {
    await Deno.remove(path);
  }
});

interop("what Python has fetched from both kinds of peers, it serves, too", async () => {
  await using alice = await DenoPeer.start("alice");
  await using carol = await PythonPeer.start("carol");
  const content = randomBytes(MIB);
  const hash = await alice.peer.share(content);
  assertEquals(await carol.share(content), hash);

  await using bob = await PythonPeer.start("bob", { connect: alice.addr });
  await bob.event("link", { id: "alice" });
  await bob.order({ do: "connect", ...carol.addr });
  await bob.event("link", { id: "carol" });
  assertEquals(await bob.fetch(hash), { size: content.length, ok: true });

  await alice.peer.close();
  await carol.end();
  await bob.event("peers", { ids: [] });
  await using dave = await DenoPeer.start("dave");
  await dave.peer.connect(bob.addr);
  assertEquals(await dave.peer.fetch(hash), content);
});

interop("content that nobody has is not found, here as there", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob");
  await link("Deno", alice, bob);
  const hash = randomBytes(32).toHex();
  await assertRejects(() => alice.peer.fetch(hash), Deno.errors.NotFound);
  assertEquals(await bob.fetch(hash), { size: 0, ok: false });
});

interop("a peer with the other's own id is refused", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("alice");
  await assertRejects(() => alice.peer.connect(bob.addr));
  await bob.order({ do: "connect", ...alice.addr });
  await bob.event("refused", { reason: "self" });
  assertEquals(alice.ids, []);
});

interop("a name that is taken is refused by either, and the first link stays", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob");
  await link("Deno", alice, bob);

  await using secondBob = await PythonPeer.start("bob", { connect: alice.addr });
  await secondBob.event("refused", { reason: "id taken" });
  await using secondAlice = await DenoPeer.start("alice");
  await assertRejects(() => secondAlice.peer.connect(bob.addr));

  await alice.peer.send("bob", new Uint8Array([1]));
  assertEquals(await bob.message(), { from: "alice", body: new Uint8Array([1]) });
  await bob.send("alice", new Uint8Array([2]));
  assertEquals(await alice.message(), { from: "bob", body: new Uint8Array([2]) });
  assertEquals(alice.peer.peers(), [{ id: "bob", ...bob.addr }]);
});

for (const [deno, python] of [["a", "b"], ["b", "a"]] as const) {
  interop(`Deno "${deno}" and Python "${python}" dial each other at once and agree`, async () => {
    for (let round = 0; round < 5; round++) {
      await using here = await DenoPeer.start(deno);
      await using there = await PythonPeer.start(python);
      await Promise.all([
        there.order({ do: "connect", ...here.addr }),
        here.peer.connect(there.addr),
      ]);
      // Before both agree a message may go with the connection that is given up, so it is told again.
      const arrived = { here: false, there: false };
      const heard = Promise.all([
        here.message().then(() => arrived.here = true),
        there.message().then(() => arrived.there = true),
      ]);
      while (!arrived.here || !arrived.there) {
        if (!arrived.there) await here.peer.send(python, new Uint8Array([1])).catch(() => {});
        if (!arrived.here) await there.send(deno, new Uint8Array([2]));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await heard;
      await here.linked(python);
    }
  });
}

interop("a killed Python peer is noticed, and the others go on", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob", { connect: alice.addr });
  await bob.event("link", { id: "alice" });
  await using carol = await PythonPeer.start("carol", { connect: alice.addr });
  await carol.event("link", { id: "bob" });
  await alice.linked("bob", "carol");

  bob.signal("SIGKILL");
  await alice.linked("carol");
  await assertRejects(() => alice.peer.send("bob", new Uint8Array(1)), Deno.errors.NotConnected);
  await carol.event("lost", { id: "bob" });
  await carol.send("alice", new Uint8Array([3]));
  assertEquals(await alice.message(), { from: "carol", body: new Uint8Array([3]) });
});

interop("Deno notices a Python peer that is silent, and keeps one that answers pings", async () => {
  await using alice = await DenoPeer.start("alice", { silenceMs: 1_000 });
  await using bob = await PythonPeer.start("bob", { connect: alice.addr });
  await alice.linked("bob");
  await using carol = await PythonPeer.start("carol", { connect: alice.addr });
  await alice.linked("bob", "carol");

  // It is stopped, not ended: its kernel goes on acknowledging, so only the silence tells.
  carol.signal("SIGSTOP");
  await until(() => !alice.ids.includes("carol"));
  carol.signal("SIGKILL");
  assertEquals(alice.ids, ["bob"]);
  await bob.send("alice", new Uint8Array([4]));
  assertEquals(await alice.message(), { from: "bob", body: new Uint8Array([4]) });
});

interop("Python notices who is silent, and keeps a Deno peer that answers pings", async () => {
  await using bob = await PythonPeer.start("bob", { silenceMs: 1_000 });
  await using alice = await DenoPeer.start("alice", { silenceMs: 60_000 });
  await alice.peer.connect(bob.addr);
  await bob.event("link", { id: "alice" });

  // A peer that says hello and no more, written by hand: 4 bytes of length, the header line, no body.
  using mute = await Deno.connect(bob.addr);
  const hello = '{"type":"hello","version":1,"id":"mute","port":9}\n';
  const frame = new TextEncoder().encode(`\0\0\0\0${hello}`);
  frame[3] = hello.length;
  await mute.write(frame);
  await bob.event("link", { id: "mute" });

  await bob.event("lost", { id: "mute" });
  await bob.event("peers", { ids: ["alice"] });
  await bob.send("alice", new Uint8Array([5]));
  assertEquals(await alice.message(), { from: "bob", body: new Uint8Array([5]) });
});

interop("Python ends when its orders end, and Deno sees it leave", async () => {
  await using alice = await DenoPeer.start("alice");
  await using bob = await PythonPeer.start("bob");
  await link("Python", alice, bob);
  await bob.send("alice", new Uint8Array([6]));
  assertEquals((await bob.end()).code, 0);
  // What it was told to send before has been sent.
  assertEquals(await alice.message(), { from: "bob", body: new Uint8Array([6]) });
  await alice.linked();
});
