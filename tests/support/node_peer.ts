/**
 * Peers that can reset where `rst.ts` cannot: through `node:net`, the only one of Deno's APIs that offers SO_LINGER with
 * 0 seconds, of which the kernel makes an RST (socket(7)). In `deno test` it takes 30 ms to load.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import type { Endpoint } from "./learner.ts";
import type { ResettingListener, ResettingPeer } from "./peer.ts";
import { showAddr, showBytes, type Transcript } from "./transcript.ts";

/** A peer's end of a connection that it can reset. It reads nothing until it is told to receive. */
export class NodePeer implements ResettingPeer {
  readonly #socket: Socket;
  readonly #transcript: Transcript;
  #received = new Uint8Array(0);
  #reads = false;
  #ended = false;
  #news = Promise.withResolvers<void>();

  constructor(socket: Socket, transcript: Transcript) {
    this.#socket = socket;
    this.#transcript = transcript;
    socket.setNoDelay(true);
    socket.pause();
    for (const event of ["end", "close"]) socket.on(event, () => this.#end());
    // What an error means is seen by what arrived.
    socket.on("error", () => this.#end());
  }

  /** Connects to `to`. */
  static async connect(to: Endpoint, transcript: Transcript): Promise<NodePeer> {
    transcript.peer("connect", `→ ${showAddr({ transport: "tcp", ...to })}`);
    const socket = connect(to.port, to.hostname);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new NodePeer(socket, transcript);
  }

  /** The port of this end. */
  get port(): number {
    return this.#socket.localPort!;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  #end(): void {
    this.#ended = true;
    this.#tell();
  }

  /** Sends `data`. */
  async send(data: Uint8Array): Promise<void> {
    this.#transcript.peer("send", showBytes(data));
    await new Promise<void>((resolve) => this.#socket.write(data, () => resolve()));
  }

  #read(): void {
    if (this.#reads) return;
    this.#reads = true;
    this.#socket.on("data", (data: Uint8Array) => {
      const all = new Uint8Array(this.#received.length + data.length);
      all.set(this.#received);
      all.set(data, this.#received.length);
      this.#received = all;
      this.#tell();
    });
    this.#socket.resume();
  }

  /** Receives bytes until there are `count`, or the stream ends. */
  async receive(count: number): Promise<Uint8Array> {
    this.#read();
    while (this.#received.length < count && !this.#ended) await this.#news.promise;
    const data = this.#received.subarray(0, count);
    this.#received = this.#received.slice(count);
    this.#transcript.peer("receive", showBytes(data));
    return data;
  }

  /** Ends its own direction of the stream. */
  // deno-lint-ignore require-await -- what it ends is still on its way
  async closeWrite(): Promise<void> {
    this.#transcript.peer("closeWrite");
    this.#socket.end();
  }

  /** Ends the connection by RST. */
  async reset(): Promise<void> {
    this.#transcript.peer("reset", "RST");
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.resetAndDestroy();
    await closed;
  }

  release(): void {
    this.#socket.destroy();
  }
}

/** A listener whose connections can be reset. */
export class NodeListener implements ResettingListener {
  readonly #server: Server;
  readonly #transcript: Transcript;
  readonly #track: (peer: NodePeer) => NodePeer;
  readonly #accepted: Socket[] = [];
  #news = Promise.withResolvers<void>();

  private constructor(
    server: Server,
    transcript: Transcript,
    track: (peer: NodePeer) => NodePeer,
  ) {
    this.#server = server;
    this.#transcript = transcript;
    this.#track = track;
    server.on("connection", (socket) => {
      this.#accepted.push(socket);
      this.#news.resolve();
    });
  }

  static async listen(
    transcript: Transcript,
    track: (peer: NodePeer) => NodePeer,
  ): Promise<NodeListener> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const listener = new NodeListener(server, transcript, track);
    transcript.peer("listen", showAddr({ transport: "tcp", ...listener.addr }));
    return listener;
  }

  get addr(): Endpoint {
    const { address, port } = this.#server.address() as { address: string; port: number };
    return { hostname: address, port };
  }

  /** Accepts one connection. */
  async accept(): Promise<NodePeer> {
    while (this.#accepted.length === 0) {
      await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
    this.#transcript.peer("accept", showAddr({ transport: "tcp", ...this.addr }));
    return this.#track(new NodePeer(this.#accepted.shift()!, this.#transcript));
  }

  release(): void {
    this.#server.close();
  }
}
