/**
 * Lesson 5: every node is client and server.
 *
 * No server in the middle: each peer calls `listen()` *and* `connect()`, and once two of them are
 * linked nobody can tell who dialled. What they say to each other is the wire format of README.md
 * (README.ko.md) beside this file, in frames as in lesson 3.
 *
 * Fill in `createPeer()`; helpers and classes of your own are welcome. Grade it with
 * `deno task lesson5`, one task alone with `deno task lesson5 --task 1`.
 *
 * @module
 */

/** A longer frame ends the link. The four bytes of the length are not counted. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** A link that has more than this waiting to be written is ended: its peer reads too slowly. */
export const MAX_WAITING_BYTES = 32 * 1024 * 1024;

/** With this much that the application has not read, the peer may stop reading from its links. */
export const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** Content is cut into chunks of this size; the last one may be shorter. */
export const CHUNK_BYTES = 65_536;

/** How many unknown peers of one `peers` frame are dialled. */
export const MAX_DIALS_PER_LIST = 64;

/** What the header line of a frame can be. Other types, and other fields, are ignored. */
export type Header =
  | { type: "hello"; version: 1; id: string; port: number }
  | { type: "refuse"; reason: "self" | "id taken" | "duplicate" | "hello" }
  | { type: "peers"; peers: { id: string; hostname: string; port: number }[] }
  | { type: "message" } // body: the application's bytes
  | { type: "ping" }
  | { type: "pong" }
  | { type: "want"; hash: string }
  | { type: "manifest"; hash: string; size: number } // body: the SHA-256 of every chunk, in order
  | { type: "get"; hash: string; index: number }
  | { type: "chunk"; hash: string; index: number } // body: the chunk
  | { type: "missing"; hash: string; index?: number };

/** Where somebody listens. */
export interface Address {
  hostname: string;
  port: number;
}

/** What came, and the id of the peer at the other end of the link on which it came. */
export interface Message {
  from: string;
  body: Uint8Array;
}

export interface PeerOptions {
  /** 1 to 64 characters. */
  id: string;
  /** Where to listen, 127.0.0.1 by default. The port is for the OS to choose. */
  hostname?: string;
  /** After how many milliseconds without a byte a link is given up, 5000 by default. */
  silenceMs?: number;
}

/** A node of the network: it listens and it dials, and both give the same kind of link. */
export interface Peer {
  readonly id: string;
  /** Where it listens, with the real port. */
  readonly addr: Address;
  /**
   * Links with the peer that listens at `address` and resolves with its id, at once if there is a
   * link already. Rejects if nobody listens there, if either side refuses, or if it is this peer.
   */
  connect(address: Address): Promise<string>;
  /** Who is linked, and where each of them *listens*, sorted by id as `<` compares. */
  peers(): (Address & { id: string })[];
  /**
   * Resolves when the kernel has taken the whole frame. Rejects with `Deno.errors.NotConnected` if
   * there is no link with that peer, with any error if the link ends first or the frame gets too long.
   */
  send(id: string, body: Uint8Array): Promise<void>;
  /** Resolves when the message is in the queue of every link. None of them is waited for. */
  broadcast(body: Uint8Array): Promise<void>;
  /** What arrives, for one reader. Ends when the peer is closed. */
  readonly messages: AsyncIterable<Message>;
  /** Offers content to all peers. Resolves with its hash. */
  share(content: Uint8Array): Promise<string>;
  /**
   * Gets content in chunks from all linked peers that have it, and then offers it, too. Rejects with
   * `Deno.errors.NotFound` if they do not deliver it right.
   */
  fetch(hash: string): Promise<Uint8Array>;
  /** Closes the listener and all links, and leaves no timer. A second call is the first. */
  close(): Promise<void>;
}

/**
 * Makes a peer and listens for others. Resolves when it can be reached.
 *
 * Rejects if the id is not 1 to 64 characters long, or if it cannot listen.
 */
export function createPeer(options: PeerOptions): Promise<Peer> {
  // TODO(task 1): listen; on each connection, dialled or accepted, say hello at once, then read theirs.
  // TODO(task 2): one loop reads each link whatever else goes on; one queue writes its frames.
  // TODO(task 3): two connections with one peer: which of them do both sides keep, without asking?
  // TODO(task 4): tell each new link whom you know, once; dial whom you are told of and do not know.
  // TODO(task 5): a link ends by itself: end, reset, bad frame, silence, a full queue. What else ends?
  // TODO(task 6): chunks from everyone who has them. Of what a peer sends, what can you check?
  throw new Error(`Not implemented: createPeer() of "${options.id}"`);
}
