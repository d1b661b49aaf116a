import { assert, assertEquals, assertRejects } from "@std/assert";
import { hasIpv6 } from "./machine.ts";
import { NodeListener, NodePeer } from "./node_peer.ts";
import { Peers } from "./peer.ts";
import { canReset, resetNow } from "./rst.ts";
import { Transcript } from "./transcript.ts";

/** A server of Node's goes on listening. */
const LEAVES = { sanitizeOps: false, sanitizeResources: false };

/** Two ends of a connection. */
async function pair(hostname = "127.0.0.1"): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname, port: 0 });
  const conn = await Deno.connect({ hostname, port: listener.addr.port });
  return [conn, await listener.accept()];
}

function read(conn: Deno.Conn): Promise<number | null> {
  return conn.read(new Uint8Array(10));
}

Deno.test("Linux has a way to reset connections", () => {
  if (Deno.build.os === "linux") assert(canReset());
});

for (const hostname of ["127.0.0.1", ...hasIpv6 ? ["::1"] : []]) {
  Deno.test({
    name: `resetNow() ends that connection by RST, and no other: ${hostname}`,
    ignore: !canReset(),
    fn: async () => {
      const [before, a, b, after] = [await pair(hostname), ...await pair(hostname), await pair()];
      const reading = read(a);
      resetNow(b);
      b.close();
      await assertRejects(() => reading, Deno.errors.ConnectionReset);
      a.close();
      for (const [one, other] of [before, after]) {
        await one.write(new Uint8Array(3));
        assertEquals(await read(other), 3);
        one.close();
        assertEquals(await read(other), null);
        other.close();
      }
    },
  });
}

Deno.test({
  name:
    "resetNow() ends a connection by RST whose own direction has ended, and finds nothing to do where it has ended",
  ignore: !canReset(),
  fn: async () => {
    const [a, b] = await pair();
    await b.closeWrite();
    assertEquals(await read(a), null);
    resetNow(b);
    b.close();
    await assertRejects(async () => {
      for (let i = 0; i < 1_000; i++) await a.write(new Uint8Array(1));
    }, Deno.errors.BrokenPipe);
    // The other side has no connection any more, and says so without being asked.
    resetNow(a);
    a.close();
  },
});

const transcript = new Transcript();
const kinds = {
  "the suite's": new Peers(transcript),
  "Node's": {
    connectToReset: (to: Deno.NetAddr) => NodePeer.connect(to, transcript),
    listenToReset: () => NodeListener.listen(transcript, (peer) => peer),
  },
};

for (const [whose, peers] of Object.entries(kinds)) {
  Deno.test(`${whose} peers send, receive and reset, dialled or accepted`, LEAVES, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const client = await peers.connectToReset(listener.addr);
    const accepted = await listener.accept();
    assertEquals(accepted.remoteAddr.port, client.port);
    const listening = await peers.listenToReset();
    const { hostname, port } = listening.addr;
    const dialled = await Deno.connect({ hostname, port });
    const server = await listening.accept();
    for (const [peer, conn] of [[client, accepted], [server, dialled]] as const) {
      await peer.send(new Uint8Array([1, 2, 3]));
      assertEquals(await read(conn), 3);
      await conn.write(new Uint8Array([4, 5]));
      assertEquals([...await peer.receive(2)], [4, 5]);
      await peer.reset();
      await assertRejects(() => read(conn), Deno.errors.ConnectionReset);
      conn.close();
    }
  });
}
