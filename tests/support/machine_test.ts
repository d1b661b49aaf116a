import { assertEquals } from "@std/assert";
import { listensAt } from "./kernel.ts";
import { isGivenBack } from "./machine.ts";

/** A process that listens, and its port; it ends with the test. */
async function listeningProcess(): Promise<{ pid: number; port: number } & AsyncDisposable> {
  const program = `const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log(listener.addr.port);
    await Deno.stdin.read(new Uint8Array(1));`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  return {
    pid: process.pid,
    port: Number(new TextDecoder().decode(value)),
    [Symbol.asyncDispose]: async () => {
      await process.stdin.close();
      await reader.cancel();
      await process.status;
    },
  };
}

Deno.test({
  name: "listensAt() goes by what a process has itself, whoever else listens",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using other = await listeningProcess();
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    assertEquals(
      [
        listensAt(Deno.pid, port),
        listensAt(Deno.pid, other.port),
        listensAt(other.pid, other.port),
        listensAt(other.pid, port),
      ],
      [true, false, true, false],
    );
  },
});

Deno.test("isGivenBack() is false as long as the owner listens, and true when it does no more", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  const taken = await isGivenBack({ hostname, port }, Deno.pid);
  listener.close();
  assertEquals([taken, await isGivenBack({ hostname, port }, Deno.pid)], [false, true]);
});

Deno.test({
  name: "isGivenBack() is true when a stranger has been given the port",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using stranger = await listeningProcess();
    const endpoint = { hostname: "127.0.0.1", port: stranger.port };
    assertEquals(await isGivenBack(endpoint, Deno.pid), true);
  },
});
