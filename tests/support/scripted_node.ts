/**
 * A peer of lesson 5 that does what a test tells it, on real sockets: it listens and dials, says a hello or a lie,
 * notes every frame that comes, answers or does not, and can stop reading.
 *
 * @module
 */

import type { Text } from "../../workbook/text.ts";
import { fail } from "./failure.ts";
import { encodeFrame, type Frame, FrameParser, type Header } from "./frames.ts";
import type { Endpoint } from "./learner.ts";
import type { TestContext } from "./run.ts";
import { showAddr } from "./transcript.ts";

/** More than any test receives: who sends without end must not fill the memory. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;
/** A frame without a body takes so much, too. */
const LEAST_FRAME_BYTES = 500;

/** How many bytes a link asks for at first, and how many at most. */
const LEAST_READ_BYTES = 16_384;
const MOST_READ_BYTES = 262_144;

/** What a node does with a frame of one type. */
export type Answer = (link: NodeLink, frame: Frame) => unknown;

/** How a node behaves where the test does not act itself. */
export interface NodeOptions {
  /** Says hello on every connection, and sends its list after the other's hello. True by default. */
  greets?: boolean;
  /** Reads what comes. True by default; a link can begin to later. */
  reads?: boolean;
  /** So much is kept of each frame, for tests that care for the length of longer ones only. */
  keptBytes?: number;
  /** What it says of itself, over what is true. */
  hello?: Record<string, unknown>;
  /** The list that it sends after the hello. */
  knows?: unknown;
  /** What is done with frames that come, by type. Pings are answered, content is missing by default. */
  answers?: Record<string, Answer>;
  hostname?: string;
  /** Where it listens; the OS chooses unless it is given. */
  port?: number;
}

const missing: Answer = (link, { header: { hash, index } }) =>
  link.send({ type: "missing", hash, ...(index !== undefined && { index }) });

/** A scripted peer. */
export class ScriptedNode {
  readonly #context: TestContext;
  readonly #listener: Deno.TcpListener;
  readonly #accepted: NodeLink[] = [];
  #news = Promise.withResolvers<void>();
  /** Every connection that it has had. */
  readonly links: NodeLink[] = [];
  readonly answers: Record<string, Answer>;

  constructor(context: TestContext, readonly id: string, readonly options: NodeOptions = {}) {
    this.#context = context;
    const { hostname = "127.0.0.1", port = 0 } = options;
    this.#listener = Deno.listen({ hostname, port });
    context.peers.note("listen", `${id}: ${showAddr(this.#listener.addr)}`);
    context.peers.track({ close: () => this.close() });
    this.answers = {
      ping: (link) => link.send({ type: "pong" }),
      want: missing,
      get: missing,
      ...options.answers,
    };
    this.#acceptAll();
  }

  /** Where it listens. */
  get addr(): Endpoint {
    const { hostname, port } = this.#listener.addr;
    return { hostname, port };
  }

  /** How peers() shows it. */
  get entry(): { id: string; hostname: string; port: number } {
    return { id: this.id, ...this.addr };
  }

  /** Its hello. */
  get hello(): Header {
    return {
      type: "hello",
      version: 1,
      id: this.id,
      port: this.addr.port,
      ...this.options.hello,
    };
  }

  async #acceptAll(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        this.#context.peers.note("accept", `${this.id} ← ${showAddr(conn.remoteAddr)}`);
        this.#accepted.push(this.#link(conn, false));
        this.#news.resolve();
      }
    } catch {
      // The test is over.
    }
  }

  #link(conn: Deno.TcpConn, dialled: boolean): NodeLink {
    const link = new NodeLink(this.#context, this, conn, dialled);
    this.links.push(link);
    if (this.options.reads ?? true) link.startReading();
    if (this.options.greets ?? true) {
      link.send(this.hello);
      // The other's hello is not read by a node that reads nothing.
      if (this.options.reads ?? true) {
        link.first("hello").then(() => link.sendList(), () => {});
      } else link.sendList();
    }
    return link;
  }

  /** The next connection that came. */
  async accept(expected: Text, mistake?: string): Promise<NodeLink> {
    return await this.#context.step(
      expected,
      async () => {
        while (this.#accepted.length === 0) {
          await this.#news.promise;
          this.#news = Promise.withResolvers();
        }
        return this.#accepted.shift()!;
      },
      mistake,
      () => ({
        en: `${this.id} has not been dialled`,
        ko: `${this.id}에게 걸려 온 연결이 없습니다`,
      }),
    );
  }

  /** Dials a peer of the learner's. */
  async dial(to: Endpoint): Promise<NodeLink> {
    const { hostname, port } = to;
    this.#context.peers.note("connect", `${this.id} → ${showAddr({ transport: "tcp", ...to })}`);
    return this.#link(await Deno.connect({ hostname, port }), true);
  }

  /** Closes everything. */
  close(): void {
    closeQuietly(this.#listener);
    for (const link of this.links) link.close();
  }
}

/** A node's end of one connection. */
export class NodeLink {
  readonly #context: TestContext;
  readonly #conn: Deno.TcpConn;
  readonly #taken = new Map<string, number>();
  #news = Promise.withResolvers<void>();
  #ended = Promise.withResolvers<void>();
  #sent: Promise<void> = Promise.resolve();
  #isReading = false;
  /** How often {@linkcode heard} has asked. */
  #pings = 0;
  /** Every frame that came. */
  readonly frames: Frame[] = [];
  /** What came that is no frame. */
  broken: string | undefined;
  /** The other side has ended the stream, by FIN or RST. */
  isOver = false;
  /** Bytes that were sent so far. */
  sentBytes = 0;
  /** About what the frames take that came so far. */
  #keptBytes = 0;
  /** Resolves with that. */
  readonly over: Promise<void> = this.#ended.promise;

  constructor(
    context: TestContext,
    readonly node: ScriptedNode,
    conn: Deno.TcpConn,
    readonly dialled: boolean,
  ) {
    this.#context = context;
    this.#conn = conn;
    conn.setNoDelay();
  }

  /** This end of the connection. */
  get addr(): Deno.NetAddr {
    return this.#conn.localAddr;
  }

  /** Begins to read. */
  async startReading(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    const parser = new FrameParser(this.node.options.keptBytes);
    let buffer = new Uint8Array(LEAST_READ_BYTES);
    try {
      for (let count; (count = await this.#conn.read(buffer)) !== null;) {
        for (const frame of this.broken ? [] : parser.push(buffer.subarray(0, count))) {
          this.#take(frame);
        }
        // Most links carry a few short frames, and few carry megabytes.
        if (count === buffer.length && count < MOST_READ_BYTES) buffer = new Uint8Array(4 * count);
      }
      this.#context.peers.note("end", this.node.id);
    } catch (error) {
      if (error instanceof RangeError || error instanceof TypeError) this.broken = error.message;
      else if (error instanceof Deno.errors.ConnectionReset) {
        this.#context.peers.note("reset", this.node.id);
      }
    }
    // Nobody waits for a node to close its end.
    this.isOver = true;
    this.#ended.resolve();
    this.#tell();
    this.#sent.then(() => closeQuietly(this.#conn));
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  #take(frame: Frame): void {
    const { header, bodyBytes } = frame;
    this.#context.peers.note("receive", `${this.node.id} ← ${describe(header, bodyBytes)}`);
    this.#keptBytes += frame.body.length + LEAST_FRAME_BYTES;
    if (this.#keptBytes > MAX_KEPT_BYTES) throw new RangeError("frames without end");
    this.frames.push(frame);
    this.#tell();
    this.node.answers[frame.header.type]?.(this, frame);
  }

  /** Sends a frame after those before it. Whether it arrives is another matter. */
  send(header: Header, body?: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#context.peers.note("send", `${this.node.id} → ${describe(header, body?.length)}`);
    return this.#write(encodeFrame(header, body));
  }

  /** Sends bytes, whatever they are; several pieces one after the other. */
  sendRaw(bytes: Uint8Array | Uint8Array[], what: string): Promise<void> {
    this.#context.peers.note("send", `${this.node.id} → ${what}`);
    return this.#write(bytes);
  }

  #write(pieces: Uint8Array | Uint8Array[]): Promise<void> {
    const written = this.#sent.then(async () => {
      for (const bytes of [pieces].flat()) {
        for (let done = 0; done < bytes.length;) {
          const count = await this.#conn.write(bytes.subarray(done));
          done += count;
          this.sentBytes += count;
        }
      }
    });
    // The learner's end may have closed it: what the test waits for tells.
    return this.#sent = written.catch(() => {});
  }

  /** Sends its hello. */
  sendHello(): Promise<void> {
    return this.send(this.node.hello);
  }

  /** Sends the list of the peers that it knows. */
  sendList(peers: unknown = this.node.options.knows ?? []): Promise<void> {
    return this.send({ type: "peers", peers });
  }

  /** The frames of that type that came so far. */
  all(type: string): Frame[] {
    return this.frames.filter(({ header }) => header.type === type);
  }

  /** The first frame of that type. Rejects if the link ends before. */
  async first(type: string): Promise<Frame> {
    for (;;) {
      const [frame] = this.all(type);
      if (frame) return frame;
      if (this.isOver) throw new Error(`no ${type}`);
      await this.#news.promise;
    }
  }

  /** Resolves when the other side has read what this end sent until now, as the answer to a ping tells, or is gone. */
  async heard(): Promise<void> {
    const count = ++this.#pings;
    this.send({ type: "ping" });
    while (this.all("pong").length < count && !this.isOver) await this.#news.promise;
  }

  /** The next frame of one of those types; others may come between. */
  async next(
    type: string | string[],
    { expected, mistake }: { expected?: Text; mistake?: string | undefined } = {},
  ): Promise<Frame> {
    const types = [type].flat();
    const key = types.join();
    const taken = this.#taken.get(key) ?? 0;
    this.#taken.set(key, taken + 1);
    const names = types.join(", ");
    const wanted = expected ?? {
      en: `${this.node.id} receives a frame of type ${names}`,
      ko: `${this.node.id}에게 ${names} 프레임이 도착함`,
    };
    return await this.#context.step(
      wanted,
      async () => {
        for (;;) {
          const frame = this.frames.filter(({ header }) => types.includes(header.type))[taken];
          if (frame) return frame;
          if (this.isOver) fail({ expected: wanted, received: this.#howItEnded(), mistake });
          await this.#news.promise;
        }
      },
      mistake,
      () => ({
        en: `${this.node.id} has not received it`,
        ko: `${this.node.id}에게 아직 오지 않았습니다`,
      }),
    );
  }

  #howItEnded(): Text {
    if (this.broken !== undefined) {
      return {
        en: `what came is no frame: ${this.broken}`,
        ko: `도착한 바이트는 프레임이 아닙니다: ${this.broken}`,
      };
    }
    return { en: "the connection was closed", ko: "연결이 닫혔습니다" };
  }

  /** Waits until the learner's end has ended the stream. */
  async expectEnd(expected: Text, mistake?: string): Promise<void> {
    await this.#context.step(
      expected,
      () => this.over,
      mistake,
      () => ({ en: "it is still open", ko: "아직 열려 있습니다" }),
    );
  }

  /** The address of its own end. */
  get localAddr(): Deno.NetAddr {
    return this.#conn.localAddr;
  }

  /** Closes the connection, after what it sends. */
  async end(): Promise<void> {
    this.#context.peers.note("close", this.node.id);
    await this.#sent;
    this.close();
  }

  /** Closes the connection at once. */
  close(): void {
    closeQuietly(this.#conn);
  }
}

function describe(header: Header, bodyBytes = 0): string {
  const line = JSON.stringify(header);
  const shown = line.length > 90 ? `${line.slice(0, 89)}…` : line;
  return bodyBytes > 0 ? `${shown} + ${bodyBytes} bytes` : shown;
}

function closeQuietly(thing: { close(): void }): void {
  try {
    thing.close();
  } catch {
    // Closed already.
  }
}
