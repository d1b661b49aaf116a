/**
 * What stands between the learner's code and its sockets: cuts, limits and faults, for read() and write() and for the
 * streams made of them; and what a suite can hand to that code.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Child, spawnChild } from "../../tests/support/child.ts";
import { decodeValue, encodeArg, Pattern, Remote, View } from "../../tests/support/wire.ts";
import { patternBytes } from "../pattern.ts";
import type { Answer, WireEvent } from "../protocol.ts";

const EXERCISE = `
export const reads = async (conn: Deno.Conn) => {
  const sizes: number[] = [];
  const buffer = new Uint8Array(100);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) sizes.push(n);
  return sizes;
};
export const streams = async (conn: Deno.Conn) => {
  const sizes: number[] = [];
  for await (const chunk of conn.readable) sizes.push(chunk.length);
  return sizes;
};
export const exactly = async (conn: Deno.Conn) => {
  const reader = conn.readable.getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(3), { min: 3 });
  reader.releaseLock();
  return value;
};
export const same = (conn: Deno.Conn) =>
  conn.readable === conn.readable && conn.writable === conn.writable;
export const write = (conn: Deno.Conn, data: Uint8Array) => conn.write(data);
export const closeUnder = (conn: Deno.Conn, data: Uint8Array) => {
  const writing = conn.write(data).catch((error) => error.name);
  conn.close();
  return writing;
};
export const writeAndEnd = (conn: Deno.TcpConn, data: Uint8Array) =>
  Promise.all([conn.write(data), conn.closeWrite()]).then(([size]) => size);
export const listen = () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.accept().then((conn) => conn.close());
  return listener;
};
export const streamOut = async (conn: Deno.Conn, data: Uint8Array) => {
  const writer = conn.writable.getWriter();
  await writer.write(data);
  await writer.close();
};
export const failOut = (conn: Deno.Conn, data: Uint8Array) =>
  conn.writable.getWriter().write(data).then(() => "sent", (error) => error.name);
export const view = (data: Uint8Array) => [data.byteOffset, data.buffer.byteLength, data];
export const collect = (items: AsyncIterable<unknown>) => Array.fromAsync(items);
export const first = async (items: AsyncIterable<unknown>) => {
  for await (const item of items) return item;
};
export async function* count(to: number) { for (let i = 0; i < to; i++) yield i; }
export const list = () => ({ items: count(3), n: 7 });
export const held = new Uint8Array(8 << 20);
export const keep = () => held.fill(1).length;
export const ask = (url: string) => fetch(url).then((response) => response.body?.cancel());
export const open = (url: string) => { new WebSocket(url); };
export const serve = () => { Deno.serve({ port: 0, hostname: "127.0.0.1" }, () => new Response()); };
export const gone = () => typeof (globalThis as { gc?: unknown }).gc;
`;

/** A process with the exercise above, and the suite's end of a connection to it. */
class Session implements AsyncDisposable {
  readonly events: WireEvent[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #peers: Deno.Conn[] = [];

  private constructor(readonly dir: string, readonly child: Child) {
    child.listen((event) => void this.events.push(event));
  }

  static async start(rawOnly?: boolean): Promise<Session> {
    const dir = await Deno.makeTempDir({ prefix: "workbook sockets 소켓 " });
    await Deno.writeTextFile(`${dir}/exercise.ts`, EXERCISE);
    const session = new Session(dir, new Child(spawnChild(dir)));
    await session.child.ready;
    const url = new URL(`file://${encodeURI(dir)}/exercise.ts`).href;
    await session.child.order({ op: "load", url, ...(rawOnly !== undefined && { rawOnly }) });
    return session;
  }

  value(answer: Answer): unknown {
    assert("value" in answer, JSON.stringify(answer));
    return decodeValue(answer.value);
  }

  async call(name: string, args: unknown[], hold = false): Promise<unknown> {
    const order = { op: "call", name, args: args.map(encodeArg), hold } as const;
    return this.value(await this.child.order(order));
  }

  /** A connection in the process, and its other end. */
  async link(cuts?: number[]): Promise<{ conn: Remote; peer: Deno.Conn }> {
    const { hostname, port } = this.#listener.addr;
    const order = { op: "dial", hostname, port, ...(cuts && { cuts }) } as const;
    const conn = this.value(await this.child.order(order)) as Remote;
    const peer = await this.#listener.accept();
    this.#peers.push(peer);
    return { conn, peer };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer.close();
    this.#listener.close();
    await this.child.kill();
    await Deno.remove(this.dir, { recursive: true });
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function sendAndEnd(peer: Deno.Conn, text: string): Promise<void> {
  await peer.write(bytes(text));
  await peer.closeWrite();
}

async function rest(peer: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(100);
  for (let n = await peer.read(buffer); n !== null; n = await peer.read(buffer)) {
    text += new TextDecoder().decode(buffer.subarray(0, n));
  }
  return text;
}

for (const name of ["reads", "streams"]) {
  Deno.test(`no read of a connection crosses a cut: ${name}`, async () => {
    await using session = await Session.start();
    const { conn, peer } = await session.link([2, 5]);
    await sendAndEnd(peer, "0123456789");
    assertEquals(await session.call(name, [conn]), [2, 3, 5]);
  });

  Deno.test(`a limit holds for every read: ${name}`, async () => {
    await using session = await Session.start();
    const { conn, peer } = await session.link();
    await session.child.order({ op: "limits", limits: { readBytes: 4 } });
    await sendAndEnd(peer, "0123456789");
    assertEquals(await session.call(name, [conn]), [4, 4, 2]);
  });
}

Deno.test("the readable stream of a connection reads no more than is asked for, and is the same each time", async () => {
  await using session = await Session.start();
  const { conn, peer } = await session.link();
  await sendAndEnd(peer, "0123456789");
  assertEquals(await session.call("same", [conn]), true);
  assertEquals(await session.call("exactly", [conn]), bytes("012"));
  assertEquals(await session.call("exactly", [conn]), bytes("345"));
  assertEquals(await session.call("reads", [conn]), [4]);
});

Deno.test("the end of the readable stream closes the connection, as in Deno", async () => {
  await using session = await Session.start();
  const { conn, peer } = await session.link();
  await sendAndEnd(peer, "x");
  await session.call("streams", [conn]);
  const answer = await session.child.order({ op: "state" });
  assert("state" in answer);
  assertEquals(answer.state.open, []);
  assertEquals(await peer.read(new Uint8Array(1)), null);
});

Deno.test("the writable stream sends every byte through the limits, and its end closes the connection", async () => {
  await using session = await Session.start();
  const { conn, peer } = await session.link();
  await session.child.order({ op: "limits", limits: { writeBytes: 3 } });
  await session.call("streamOut", [conn, bytes("0123456789")]);
  assertEquals(await rest(peer), "0123456789");
  const sizes = session.events.filter(({ event }) => event === "write").map(({ size }) => size);
  assertEquals(sizes, [3, 3, 3, 1]);
  assert(session.events.some(({ event }) => event === "close"));
});

Deno.test("a write of the stream that fails rejects, and closes the connection, as in Deno", async () => {
  await using session = await Session.start();
  const { conn } = await session.link();
  const faults = [{ api: ["write" as const], times: 1, error: "BrokenPipe" as const }];
  await session.child.order({ op: "faults", faults });
  assertEquals(await session.call("failOut", [conn, bytes("lost")]), "BrokenPipe");
  assert(session.events.some(({ event }) => event === "close"));
});

Deno.test("a limited write takes only so much", async () => {
  await using session = await Session.start();
  const { conn } = await session.link();
  await session.child.order({ op: "limits", limits: { writeBytes: 3 } });
  assertEquals(await session.call("write", [conn, bytes("01234")]), 3);
});

Deno.test("a connection looks full when the room that is left is used up, until the limits change", async () => {
  await using session = await Session.start();
  const { conn, peer } = await session.link();
  const { port } = peer.localAddr as Deno.NetAddr;
  const limits = { writeBytes: 3, room: [{ port, bytes: 4 }] };
  await session.child.order({ op: "limits", limits });
  assertEquals(await session.call("write", [conn, bytes("0123")]), 3);
  assertEquals(await session.call("write", [conn, bytes("3456")]), 1);
  const full = session.call("write", [conn, bytes("45")]);
  const state = await session.child.order({ op: "rest", timersWithinMs: 0 });
  assert("state" in state);
  assert(state.state.pending.some(({ api }) => api === "write"));
  await session.child.order({ op: "limits", limits: {} });
  assertEquals(await full, 2);
  const buffer = new Uint8Array(10);
  assertEquals(buffer.subarray(0, await peer.read(buffer) ?? 0), bytes("012345"));
});

Deno.test("a write that waits for room ends with its connection, and an end of file stands behind it", async () => {
  await using session = await Session.start();
  const links = [await session.link(), await session.link()] as const;
  const room = links.map(({ peer }) => ({
    port: (peer.localAddr as Deno.NetAddr).port,
    bytes: 0,
  }));
  // The host dialled: what it calls the remote port is the listener's, the same for both.
  await session.child.order({ op: "limits", limits: { room } });
  assertEquals(await session.call("closeUnder", [links[0].conn, bytes("x")]), "Interrupted");
  const ended = session.call("writeAndEnd", [links[1].conn, bytes("last")]);
  await session.child.order({ op: "rest", timersWithinMs: 0 });
  await session.child.order({ op: "limits", limits: {} });
  assertEquals(await rest(links[1].peer), "last");
  assertEquals(await ended, 4);
});

Deno.test("a connection that was accepted can be held back", async () => {
  await using session = await Session.start();
  await session.child.order({ op: "limits", limits: { holdAccepted: true } });
  const { addr } = await session.call("listen", []) as Remote;
  const { port } = addr as Deno.NetAddr;
  using peer = await Deno.connect({ hostname: "127.0.0.1", port });
  const end = peer.read(new Uint8Array(1));
  for (;;) {
    const answer = await session.child.order({ op: "rest", timersWithinMs: 0 });
    assert("state" in answer);
    const { open, pending } = answer.state;
    assert(pending.some(({ api }) => api === "accept"));
    if (open.some(({ kind }) => kind === "conn")) break;
  }
  await session.child.order({ op: "limits", limits: {} });
  assertEquals(await end, null);
});

Deno.test("bytes can be handed over as a view into a longer buffer, or by their seed", async () => {
  await using session = await Session.start();
  const data = bytes("view");
  assertEquals(await session.call("view", [new View(data, 5)]), [5, 14, data]);
  const pattern = new Pattern(7, 70_000);
  const [, , received] = await session.call("view", [pattern]) as [number, number, Uint8Array];
  assertEquals(received.length, 70_000);
  assertEquals(received, pattern.bytes);
});

Deno.test("patternBytes() of seed 0 are zeros", () => {
  assertEquals(patternBytes(0, 100_000), new Uint8Array(100_000));
});

Deno.test("patternBytes() is the same for a seed, another for another, and its parts differ", () => {
  const long = patternBytes(3, 200_000);
  assertEquals(patternBytes(3, 100), long.slice(0, 100));
  assertNotEquals(patternBytes(4, 100), long.slice(0, 100));
  assertNotEquals(long.slice(0, 100), long.slice(65_536, 65_636));
});

Deno.test("a feed yields what the suite gives, and tells that it was given up", async () => {
  await using session = await Session.start();
  for (const name of ["collect", "first"]) {
    const pair = session.value(await session.child.order({ op: "feed" }));
    const [calls, feed] = pair as [Remote, Remote];
    const called: unknown[] = [];
    session.child.listen((event) => {
      if (event.event !== "callback" || event.handle !== calls.handle) return;
      called.push(decodeValue(event.args![0]!));
      const call = event.call!;
      const value = encodeArg({ done: call > 2, value: bytes(`${call}`) });
      session.child.order({ op: "settle", handle: calls.handle, call, value });
    });
    const result = await session.call(name, [feed]);
    if (name === "collect") {
      assertEquals(result, [bytes("1"), bytes("2")]);
      assertEquals(called, ["next", "next", "next"]);
    } else {
      assertEquals(result, bytes("1"));
      assertEquals(called, ["next", "return"]);
    }
  }
});

Deno.test("what a function returns can stay in the process, be asked for, and be iterated", async () => {
  await using session = await Session.start();
  const list = await session.call("list", [], true) as Remote;
  assert(list instanceof Remote);
  const { handle } = list;
  assertEquals(session.value(await session.child.order({ op: "get", handle, name: "n" })), 7);
  const iterate = { op: "iterate", handle, name: "items" } as const;
  const items = session.value(await session.child.order(iterate)) as Remote;
  const collect = { op: "collect", handle: items.handle, most: 2 } as const;
  assertEquals(session.value(await session.child.order(collect)), [0, 1]);
  assertEquals(session.value(await session.child.order({ ...collect, most: 9 })), [2]);
  const answer = await session.child.order({ op: "iterate", handle, name: "n" });
  assert(!answer.ok);
});

Deno.test("memory in use is told without garbage, by a collector that the exercise does not see", async () => {
  await using session = await Session.start();
  const memory = async () => session.value(await session.child.order({ op: "memory" })) as number;
  await session.call("keep", []);
  const before = await memory();
  await session.call("gone", [new Pattern(1, 16 << 20)]);
  const after = await memory();
  assert(before > 8 << 20, `${before}`);
  assert(after - before < 4 << 20, `${before} → ${after}`);
  assertEquals(await session.call("gone", []), "undefined");
});

Deno.test("where only raw sockets are allowed, servers and clients of the runtime are told, and throw", async () => {
  await using session = await Session.start(true);
  for (
    const [name, shown] of [["ask", "fetch()"], ["open", "WebSocket()"], ["serve", "Deno.serve()"]]
  ) {
    const args = name === "serve" ? [] : ["ws://127.0.0.1:1/"].map(encodeArg);
    const answer = await session.child.order({ op: "call", name: name!, args });
    assert(!answer.ok && answer.error.message.includes("raw TCP only"), JSON.stringify(answer));
    const event = session.events.findLast(({ event }) => event === "forbidden");
    assertEquals(event?.names, [shown!]);
    assertEquals(event?.error?.at?.split(":")[0], "exercise.ts");
  }
});

Deno.test("elsewhere they are what they are", async () => {
  await using session = await Session.start();
  const args = ["data:text/plain,hello"].map(encodeArg);
  const answer = await session.child.order({ op: "call", name: "ask", args });
  assert(answer.ok, JSON.stringify(answer));
  assert(!session.events.some(({ event }) => event === "forbidden"));
});
