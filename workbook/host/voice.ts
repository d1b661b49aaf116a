/**
 * How the learner's process speaks: answers and events on standard output, in lines that the exercise can neither read
 * nor imitate, and marks on standard error.
 *
 * @module
 */

import { bufferOf, lengthOf } from "./bytes.ts";
import { untilSealed } from "./seal.ts";
import { OUTPUT_LOST, RECORD_MARK, type Reply, type WireEvent } from "../protocol.ts";

const writeOutput = Deno.stdout.writeSync.bind(Deno.stdout);
const writeErrors = Deno.stderr.writeSync.bind(Deno.stderr);
const stringify = JSON.stringify;
const encoder = new TextEncoder();
const toBytes = encoder.encode.bind(encoder);
const bytesClass = Uint8Array;
const exit = Deno.exit;
const immediately = setImmediate;

/** What an exercise may do thousands of times in a test. Of anything else the suite hears at once. */
const OF_MANY: Partial<Record<WireEvent["event"], true>> = {
  listen: true,
  connect: true,
  accept: true,
  read: true,
  write: true,
  closeWrite: true,
  close: true,
  receive: true,
  send: true,
};
Object.setPrototypeOf(OF_MANY, null);
/** The story of a test shows no more events than these from its beginning. */
const TOLD_AT_ONCE = 16;
const MOST_HELD = 64;

/** The word that marks this process's own lines. */
let word = "";
/** Lines of events that are held back, and how many. */
let held = "";
let heldLines = 0;
/** Events of this test that there may be many of. */
let told = 0;

function setWord(value: string): void {
  word = value;
}

function lineOf(reply: Reply): string {
  return `\n${RECORD_MARK}${word} ${stringify(reply)}\n`;
}

/** Says it, after all that is held back. */
function say(reply: Reply): void {
  release(lineOf(reply));
}

/**
 * Tells an event: at once, or, of those that a busy exercise makes, with what comes next, or when the event loop turns.
 * To tell thousands one by one would take longer than all that the exercise does.
 */
function tell(event: WireEvent): void {
  if (OF_MANY[event.event] && ++told > TOLD_AT_ONCE && heldLines < MOST_HELD) {
    held += lineOf({ event });
    if (heldLines++ === 0) immediately(release);
  } else {
    say({ event });
  }
}

function release(more = ""): void {
  const text = held + more;
  held = "";
  heldLines = 0;
  try {
    writeAll(writeOutput, text);
  } catch {
    exit(OUTPUT_LOST);
  }
}

/** Marks where that which a test has printed ends. False if standard error is closed. */
function markEnd(): boolean {
  told = 0;
  try {
    writeAll(writeErrors, `${RECORD_MARK}${word}\n`);
    return true;
  } catch {
    return false;
  }
}

function writeAll(write: (bytes: Uint8Array) => number, text: string): void {
  const bytes = toBytes(text);
  // The bytes are not asked for anything: the exercise might answer, and read the word.
  for (let done = 0; done < lengthOf(bytes);) {
    done += write(done === 0 ? bytes : new bytesClass(bufferOf(bytes), done));
  }
}

/** What the rest of the host uses of this module. */
export const voiceTools = untilSealed({ setWord, say, tell, markEnd });
