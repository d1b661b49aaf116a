/**
 * Lesson 7: the server speaks first.
 *
 * A chat: what one client says, the server writes to others that asked nothing at that moment. The
 * commands and events are lines of UTF-8, as described in README.md (README.ko.md) beside this file.
 *
 * Fill in `parseCommand()`, `formatEvent()` and `startChat()`; helpers and classes of your own are
 * welcome. Grade it with `deno task lesson7`, one task alone with `deno task lesson7 --task 1`.
 *
 * @module
 */

/** What a client asks for. */
export type Command =
  | { type: "join"; room: string; name: string }
  | { type: "say"; text: string }
  | { type: "tell"; name: string; text: string }
  | { type: "who" }
  | { type: "leave" }
  | { type: "quit" };

/** What the server tells a client. */
export type Event =
  | { type: "joined" | "left"; room: string; name: string }
  | { type: "said"; room: string; name: string; text: string }
  | { type: "told"; name: string; text: string }
  | { type: "names"; room: string; names: string[] }
  | { type: "error" | "bye"; code: string; text: string };

/** A command that cannot be obeyed. The client gets `ERROR <code> <message>`, and stays. */
export class ChatError extends Error {
  override name = "ChatError";

  /** `code` is one of the ERROR codes of the wire format, such as "bad-name". */
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

export interface ChatOptions {
  /** A longer line ends the connection: bytes without the LF. 1024 by default. */
  maxLineBytes?: number;
  /** A client for which more bytes than this wait is dropped. 65536 by default. */
  queueBytes?: number;
  /** A client that sends no whole line for so long is dropped. 60000 by default. */
  idleMs?: number;
  /** So long a client may take to read its BYE, then it is closed by force. 1000 by default. */
  lingerMs?: number;
}

export interface ChatServer {
  /** Where it listens, with the real port. */
  readonly addr: Deno.NetAddr;
  /**
   * Ends the chat: nobody new comes in, and everybody gets `BYE stopping` after what was queued
   * before, but no LEFT. Who does not read has `lingerMs`. Resolves when every connection is closed
   * and the port can be bound again; no timer is left. A second call is the first.
   */
  stop(): Promise<void>;
}

/**
 * Reads one line, without its LF; a CR at its end is dropped.
 *
 * Words are separated by one space; a text is the rest of the line, with every space in it. Names and
 * rooms come back NFC-normalised (Unicode Standard Annex #15); then they have 1 to 32 characters:
 * `/^[\p{L}\p{N}_-]{1,32}$/u`.
 *
 * Throws a {@linkcode ChatError}: "not-utf8" for bytes that are no UTF-8; "control-character" for
 * U+0000 to U+001F other than tab, and U+007F to U+009F; "unknown-command" (also for a line that
 * begins with U+FEFF); "bad-arguments" for words missing or too many, or an empty text; "bad-name".
 */
export function parseCommand(line: Uint8Array): Command {
  // TODO(task 1): split off as many words as the command has; the text is what is left, untouched.
  throw new Error(`Not implemented: parseCommand() of ${line.length} bytes`);
}

/**
 * Writes one event as its line, with the LF.
 *
 * An event is always exactly one line: a control character in any field (as in a command: tab is
 * none) becomes U+FFFD.
 */
export function formatEvent(event: Event): Uint8Array {
  // TODO(task 1): what is in a field must never look like the end of a line.
  throw new Error(`Not implemented: formatEvent() of "${event.type}"`);
}

/**
 * Starts a chat on 127.0.0.1, on a port that the OS chooses. It listens before this returns.
 *
 * - JOIN gives the newcomer NAMES (sorted by code unit, itself included) and the others JOINED. A name
 *   is unique in the whole server and free again as soon as its owner has left.
 * - SAY reaches every member of the room, the speaker included; TELL one person, in whatever room.
 * - LEAVE gives LEFT to the client itself and to the others. Who goes in another way, by QUIT, an end
 *   of file, a reset or a drop, gets no LEFT of its own; the others get one, once, at that moment. What
 *   was queued for it before still goes out, for `lingerMs` at most.
 * - All members of a room see its JOINED, LEFT and SAID in one order.
 * - An error is told to the client that made it (`ERROR code …`), which stays. JOIN while joined is
 *   "already-joined"; SAY, TELL, WHO and LEAVE before JOIN are "not-joined".
 * - Each client has a queue of its own, and nobody waits for another's socket. When more than
 *   `queueBytes` wait for a client beyond what the kernel took, it is dropped: the others get its LEFT
 *   at once; a line that has begun is finished, what else waits is thrown away, then comes
 *   `BYE too-slow …`.
 * - More than `maxLineBytes` without an LF: `BYE too-long …`. No whole line for `idleMs`:
 *   `BYE idle …`. QUIT: `BYE quit …`. A half line before the end of file is no command.
 * - After its BYE a client is half-closed and what it still sends is thrown away, until it closes or
 *   `lingerMs` are over; then the connection is closed.
 */
export function startChat(options: ChatOptions = {}): ChatServer {
  // TODO(task 2): who is in which room, and under which name? Look and take without an await between.
  // TODO(task 3): cut the stream into lines before you decode; write an event to all it concerns.
  // TODO(task 4): one queue for each client, and one loop that writes it. Where does each way out end?
  // TODO(task 5): count what waits, not what was said. What may be thrown away, and what not?
  // TODO(task 6): a limit for each line, a timer for each client. How does a BYE survive the close?
  throw new Error(`Not implemented: startChat() with ${JSON.stringify(options)}`);
}
