/**
 * The client with which suites read the learner's responses, and what explains a server that is none of the learner's.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { networkModuleIn } from "../tests/support/explain.ts";
import { TaskFailure } from "../tests/support/failure.ts";
import { type Awaited, fieldOf, HttpPeer, saysClose } from "../tests/support/http_peer.ts";
import { parseHead } from "../tests/support/http_peer.ts";
import { PeerConn } from "../tests/support/peer.ts";
import { Transcript } from "../tests/support/transcript.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** What the client makes of a server that sends `pieces`, and ends. */
async function received<T>(pieces: string[], use: (peer: HttpPeer) => Promise<T>): Promise<T> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connected = Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using server = await listener.accept();
  const conn = await connected;
  try {
    const sent = (async () => {
      for (const piece of pieces) {
        await server.write(bytes(piece));
        await new Promise((resolve) => setTimeout(resolve));
      }
      await server.closeWrite();
    })();
    return await use(new HttpPeer(new PeerConn(conn, new Transcript()))).finally(() => sent);
  } finally {
    conn.close();
  }
}

async function mistakeOf(text: string, awaited: Awaited): Promise<string | undefined> {
  try {
    await received([text], (peer) => peer.response(awaited));
  } catch (error) {
    if (error instanceof TaskFailure) return error.facts.mistake ?? "none";
    throw error;
  }
  return undefined;
}

Deno.test("responses are read one after another, however they are cut", async () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: a\r\nx: b\r\n\r\nabc" +
    "HTTP/1.1 304 Not Modified\r\n\r\n" +
    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nConnection: x, Close\r\n\r\n";
  for (const pieces of [[text], [...text]]) {
    await received(pieces, async (peer) => {
      const first = await peer.response();
      assertEquals([first.status, first.words, fieldOf(first, "x")], [200, "OK", "a, b"]);
      assertEquals(first.body, bytes("abc"));
      assertEquals((await peer.response()).status, 304);
      const last = await peer.response();
      assertEquals([last.status, saysClose(last), saysClose(first)], [404, true, false]);
      assertEquals(await peer.rest(), new Uint8Array());
    });
  }
});

Deno.test("an answer to HEAD has no body, whatever its length says", async () => {
  const rest = await received(["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"], async (peer) => {
    await peer.response({ head: true });
    return await peer.rest();
  });
  assertEquals(rest, bytes("abc"));
});

Deno.test("what is wrong with a response is told as the mistake that the test named", async () => {
  const names = {
    noLength: "length",
    lfOnly: "lf",
    cut: "cut",
    mistake: "none came",
    form: "form",
  };
  const cases = [
    ["HTTP/1.1 200 OK\r\n\r\nabc", "length"],
    ["HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", "lf"],
    ["HTTP/1.1 200 OK\nContent-Length: 3\n", "lf"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "cut"],
    ["HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\nabc", "none"],
    ["hello\r\n\r\n", "form"],
    ["HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "form"],
    ["", "none came"],
  ];
  for (const [text, mistake] of cases) assertEquals(await mistakeOf(text!, names), mistake, text);
  assertThrows(() => parseHead(bytes("HTTP/1.1 200 OK\r\nA : b\r\n\r\n")), TaskFailure);
});

Deno.test("a module of Node's network is found in code, not in comments", () => {
  const found: [source: string, name: string | undefined][] = [
    ['import { createServer } from "node:http";', "node:http"],
    ["import http from 'http';", "http"],
    ['const net = await import("node:net");', "node:net"],
    ['import express from "npm:express@4";', "npm:express@4"],
    ['// import { createServer } from "node:http";', undefined],
    ['/* from "node:http" */ const path = "a//b";', undefined],
    ['const url = "http://a"; // from "node:net"', undefined],
    ['import { STATUS_TEXT } from "@std/http/status";', undefined],
    ['import { join } from "node:path";', undefined],
  ];
  for (const [source, name] of found) assertEquals(networkModuleIn(source), name, source);
});

Deno.test("what is made to be searched without end is read at once", () => {
  const begin = performance.now();
  const blanks = " ".repeat(200_000);
  const { fields } = parseHead(bytes(`HTTP/1.1 200 OK\r\nA:${blanks}b${blanks}c\t\r\n\r\n`));
  assertEquals(fields, [["a", `b${blanks}c`]]);
  assertEquals(networkModuleIn("/*".repeat(200_000)), undefined);
  assertEquals(networkModuleIn(`import${blanks}`), undefined);
  assert(performance.now() - begin < 2_000);
});
