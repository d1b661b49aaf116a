/**
 * The other end of the learner's connections: scripted, on real sockets, and closed when the test is over.
 *
 * @module
 */

import { same, type Text } from "../../workbook/text.ts";
import { escapeBytes, expectBytes } from "./bytes.ts";
import { fail } from "./failure.ts";
import type { Endpoint } from "./learner.ts";
import { canReset, resetNow } from "./rst.ts";
import { bytesAsTheyAre, type Detail, showAddr, showBytes, type Transcript } from "./transcript.ts";

const MOST_TO_READ = 256 * 1024;

/** A peer's end of a connection that it can end by RST. It reads nothing until it is told to receive. */
export interface ResettingPeer {
  /** The port of this end. */
  readonly port: number;
  /** Sends all of `data`. */
  send(data: Uint8Array): Promise<void>;
  /** Receives bytes until there are `count`, or the stream ends. */
  receive(count: number): Promise<Uint8Array>;
  /** Ends its own direction of the stream. */
  closeWrite(): Promise<void>;
  /** Ends the connection by RST. */
  reset(): Promise<void>;
  /** Closes the connection without a line in the story. */
  release(): void;
}

/** A listener whose connections can be reset. */
export interface ResettingListener {
  readonly addr: Endpoint;
  /** Accepts one connection. */
  accept(): Promise<ResettingPeer>;
}

/** A peer's end of one connection. */
export class PeerConn implements ResettingPeer {
  readonly #conn: Deno.TcpConn;
  readonly #transcript: Transcript;
  #readBytes = 4 * 1024;

  constructor(conn: Deno.TcpConn, transcript: Transcript) {
    this.#conn = conn;
    this.#transcript = transcript;
  }

  /** The port of this end. */
  get port(): number {
    return this.#conn.localAddr.port;
  }

  get localAddr(): Deno.NetAddr {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Deno.NetAddr {
    return this.#conn.remoteAddr;
  }

  /** Sends all of `data`. */
  async send(data: Uint8Array): Promise<void> {
    this.#transcript.peer("send", bytesAsTheyAre(data));
    for (let done = 0; done < data.length;) done += await this.#conn.write(data.subarray(done));
  }

  /** Receives bytes until there are `count`, or the stream ends. */
  async receive(count: number): Promise<Uint8Array> {
    const data = new Uint8Array(count);
    let size = 0;
    while (size < count) {
      const n = await this.#conn.read(data.subarray(size)).catch((error) => {
        this.#transcript.peer("read", `✗ ${error.name}`);
        return null;
      });
      if (n === null) break;
      size += n;
    }
    this.#transcript.peer("receive", bytesAsTheyAre(data.subarray(0, size)));
    return data.subarray(0, size);
  }

  /** Receives what has come, without a line in the story; nothing at the end of the stream. */
  async read(): Promise<Uint8Array | undefined> {
    const buffer = new Uint8Array(this.#readBytes);
    const n = await this.#conn.read(buffer).catch((error) => {
      this.#transcript.peer("read", `✗ ${error.name}`);
      return null;
    });
    // Most of what comes is short. Where more is there, fewer and larger reads take it.
    if (n === buffer.length) this.#readBytes = Math.min(n * 8, MOST_TO_READ);
    return n === null ? undefined : buffer.subarray(0, n);
  }

  /** Notes what was made of the bytes that {@linkcode read} gave. */
  note(event: string, detail: string): void {
    this.#transcript.peer(event, detail);
  }

  /** Receives exactly `expected`, or ends the test. */
  async expect(expected: Uint8Array, mistake?: string): Promise<void> {
    const received = await this.receive(expected.length);
    if (received.length === 0 && expected.length > 0) {
      fail({
        expected: escapeBytes(expected),
        received: { en: "the connection was closed", ko: "연결이 닫혔습니다" },
        mistake,
      });
    }
    expectBytes(received, expected, mistake);
  }

  /** Waits until the other side has ended the stream (end of file or reset); more bytes end the test. */
  async expectEnd(what: Text, mistake?: string): Promise<void> {
    const more = await this.receive(1);
    if (more.length > 0) fail({ expected: what, received: same(escapeBytes(more)), mistake });
  }

  /** Ends its own direction of the stream. */
  async closeWrite(): Promise<void> {
    this.#transcript.peer("closeWrite");
    await this.#conn.closeWrite();
  }

  /** Ends the connection by RST, if it was made by a way that can. */
  // deno-lint-ignore require-await -- another system takes its time
  async reset(): Promise<void> {
    this.#transcript.peer("reset", "RST");
    resetNow(this.#conn);
    closeQuietly(this.#conn);
  }

  /** Closes the connection. */
  close(): void {
    this.#transcript.peer("close", showAddr(this.localAddr));
    closeQuietly(this.#conn);
  }

  /** Closes the connection without a line in the story. */
  release(): void {
    closeQuietly(this.#conn);
  }
}

/** A peer's UDP socket. */
export class PeerSocket {
  readonly #socket: Deno.DatagramConn;
  readonly #transcript: Transcript;
  readonly #buffer = new Uint8Array(65_536);

  constructor(socket: Deno.DatagramConn, transcript: Transcript) {
    this.#socket = socket;
    this.#transcript = transcript;
  }

  get addr(): Deno.NetAddr {
    return this.#socket.addr as Deno.NetAddr;
  }

  /** Sends one datagram. */
  async send(data: Uint8Array, { hostname, port }: Endpoint): Promise<void> {
    const to = { transport: "udp", hostname, port } as const;
    this.#transcript.peer("send", `${showBytes(data)} → ${showAddr(to)}`);
    await this.#socket.send(data, to);
  }

  /** Receives the next datagram. */
  async receive(): Promise<{ data: Uint8Array; from: Deno.NetAddr }> {
    const [data, from] = await this.#socket.receive(this.#buffer);
    this.#transcript.peer("receive", `${showBytes(data)} ← ${showAddr(from as Deno.NetAddr)}`);
    return { data: data.slice(), from: from as Deno.NetAddr };
  }

  release(): void {
    closeQuietly(this.#socket);
  }
}

/** Makes a test's peers and closes them all at its end. */
export class Peers {
  readonly #transcript: Transcript;
  readonly #open: { release(): void }[] = [];

  constructor(transcript: Transcript) {
    this.#transcript = transcript;
  }

  #track<T extends { release(): void }>(thing: T): T {
    this.#open.push(thing);
    return thing;
  }

  /** Keeps something of the test's own to be closed at its end. */
  track<T extends { close(): void }>(thing: T): T {
    this.#open.push({ release: () => closeQuietly(thing) });
    return thing;
  }

  /** Connects to the learner's listener. A refusal is thrown as it comes. */
  async connect(to: Endpoint): Promise<PeerConn> {
    this.#transcript.peer("connect", `→ ${showAddr({ transport: "tcp", ...to })}`);
    const conn = await Deno.connect({ hostname: to.hostname, port: to.port });
    return this.#track(new PeerConn(conn, this.#transcript));
  }

  /** A listener that accepts when told. */
  listen(
    hostname = "127.0.0.1",
    { backlog, port = 0 }: { backlog?: number; port?: number } = {},
  ): PeerListener {
    const options = { hostname, port, ...(backlog !== undefined && { tcpBacklog: backlog }) };
    const listener = Deno.listen(options);
    this.#transcript.peer("listen", showAddr(listener.addr));
    return this.#track(
      new PeerListener(listener, this.#transcript, (conn) => this.#track(conn)),
    );
  }

  /**
   * An address that neither accepts nor refuses: its queue is full, so the kernel drops what knocks.
   *
   * A host that is down looks the same to a client.
   */
  async silent(hostname = "127.0.0.1"): Promise<{ address: Endpoint; listener: PeerListener }> {
    const listener = this.listen(hostname, { backlog: 1 });
    const { port } = listener.addr;
    // With a backlog of 1 Linux completes two connections that nobody accepts.
    for (let i = 0; i < 2; i++) this.track(await Deno.connect({ hostname, port }));
    return { address: { hostname, port }, listener };
  }

  /** Connects and resets at once (RST, not FIN): what a crashed client or a port scanner looks like. */
  async connectAndReset(to: Endpoint): Promise<void> {
    await (await this.connectToReset(to)).reset();
  }

  /** Connects as a client that can reset. */
  async connectToReset(to: Endpoint): Promise<ResettingPeer> {
    if (canReset()) return await this.connect(to);
    const { NodePeer } = await import("./node_peer.ts");
    return this.#track(await NodePeer.connect(to, this.#transcript));
  }

  /** A listener whose connections can be reset. */
  async listenToReset(): Promise<ResettingListener> {
    if (canReset()) return this.listen();
    const { NodeListener } = await import("./node_peer.ts");
    return this.#track(await NodeListener.listen(this.#transcript, (peer) => this.#track(peer)));
  }

  /** A UDP socket of the suite's. */
  datagram(hostname = "127.0.0.1"): Deno.DatagramConn {
    return this.track(Deno.listenDatagram({ hostname, port: 0, transport: "udp" }));
  }

  /** A UDP socket that sends and receives as told, on `port` or one that the OS chooses. */
  udp(hostname = "127.0.0.1", port = 0): PeerSocket {
    const socket = Deno.listenDatagram({ hostname, port, transport: "udp" });
    return this.#track(new PeerSocket(socket, this.#transcript));
  }

  /** Notes in the story what a test does by itself. */
  note(event: string, detail: Detail = ""): void {
    this.#transcript.peer(event, detail);
  }

  /** Closes everything. */
  release(): void {
    for (const thing of this.#open.splice(0).reverse()) thing.release();
  }
}

/** A listener of the suite's. */
export class PeerListener {
  readonly #listener: Deno.TcpListener;
  readonly #transcript: Transcript;
  readonly #track: (conn: PeerConn) => PeerConn;

  constructor(
    listener: Deno.TcpListener,
    transcript: Transcript,
    track: (conn: PeerConn) => PeerConn,
  ) {
    this.#listener = listener;
    this.#transcript = transcript;
    this.#track = track;
  }

  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Accepts one connection. */
  async accept(): Promise<PeerConn> {
    const conn = await this.#listener.accept();
    this.#transcript.peer("accept", `${showAddr(conn.localAddr)} ← ${showAddr(conn.remoteAddr)}`);
    return this.#track(new PeerConn(conn, this.#transcript));
  }

  release(): void {
    closeQuietly(this.#listener);
  }
}

function closeQuietly(thing: { close(): void }): void {
  try {
    thing.close();
  } catch {
    // Closed already.
  }
}
