import { assertEquals, assertRejects } from "@std/assert";
import { bytes } from "./bytes.ts";
import { ChatClient, coded, showLine } from "./chat_client.ts";
import { TaskFailure } from "./failure.ts";
import type { TestContext } from "./run.ts";

/** A client, and the server's end of its connection. */
async function connected(): Promise<{ client: ChatClient; conn: Deno.TcpConn; end(): void }> {
  const tracked: { close(): void }[] = [];
  const context = {
    peers: { note() {}, track: (thing: { close(): void }) => void tracked.push(thing) },
    step: (_expected: unknown, run: () => Promise<unknown>) => run(),
  } as unknown as TestContext;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = await ChatClient.connect(context, listener.addr, "A");
  const conn = await listener.accept();
  return {
    client,
    conn,
    end() {
      conn.close();
      for (const thing of tracked) thing.close();
    },
  };
}

/** The mistake that a failing check tells. */
async function mistakeOf(check: Promise<unknown>): Promise<string | undefined> {
  const error = await assertRejects(() => check, TaskFailure);
  return error.facts.mistake;
}

Deno.test("ChatClient gives lines, however they were cut, and what is left at the end", async () => {
  const { client, conn, end } = await connected();
  const text = bytes("SAID r a 안녕\nNAMES r a\nhalf a li");
  for (const byte of text) await conn.write(Uint8Array.of(byte));
  assertEquals(await client.line(), "SAID r a 안녕");
  assertEquals(await client.line(), "NAMES r a");
  await conn.closeWrite();
  assertEquals(await client.line(), "half a li");
  assertEquals(await client.line(), null);
  end();
});

Deno.test("ChatClient.expect() skips what it is told, and names the mistake of what came instead", async () => {
  const { client, conn, end } = await connected();
  await conn.write(bytes("JOINED r b\nSAID r b hi\nERROR bad-name no\nBYE quit\n"));
  const skip = /^JOINED /;
  assertEquals(await client.expect("SAID r b hi", { skip }), "SAID r b hi");
  const mistake = (line?: string) => line?.startsWith("ERROR ") ? "an-error" : "another";
  assertEquals(await mistakeOf(client.expect("SAID r b hi", { mistake })), "an-error");
  await client.expect(coded("BYE", "quit"));
  await conn.closeWrite();
  assertEquals(await mistakeOf(client.expect("SAID r b hi", { mistake })), "another");
  await client.expectEnd();
  end();
});

Deno.test("ChatClient.expectEnd() fails when a line comes", async () => {
  const { client, conn, end } = await connected();
  await conn.write(bytes("LEFT r a\n"));
  assertEquals(await mistakeOf(client.expectEnd({ mistake: "left-twice" })), "left-twice");
  end();
});

Deno.test("coded() matches the code alone or with a text, and no longer code", () => {
  assertEquals(
    ["BYE quit", "BYE quit so long", "BYE quitting", "ERROR quit"].map((line) =>
      coded("BYE", "quit").test(line)
    ),
    [true, true, false, false],
  );
});

Deno.test("showLine() cuts long lines", () => {
  assertEquals(showLine('a "b"'), '"a \\"b\\""');
  assertEquals(showLine("x".repeat(100)), `"${"x".repeat(60)}…" (100 characters)`);
});
