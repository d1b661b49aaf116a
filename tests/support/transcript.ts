/**
 * What happened on the wire, step by step, seen from both ends.
 *
 * The suite notes what its own sockets do ("peer"), the learner's process reports its calls ("you"). Both use the
 * machine's clock; steps are sorted by it when a failure is told.
 *
 * @module
 */

import type { TranscriptStep } from "../../workbook/records.ts";
import type { WireAddr, WireEvent } from "../../workbook/protocol.ts";
import { countBytes, escapeBytes } from "./bytes.ts";
import { fromBase64 } from "./wire.ts";

/** A text, or how it is made: most stories are never told. */
export type Detail = string | (() => string);

interface Step {
  at: number;
  who: "you" | "peer";
  event: string;
  detail: Detail;
}

const MAX_STEPS = 30;
const SHOWN_BYTES = 24;
/** Bytes that are no text take four characters each: of those fewer are shown. */
const SHOWN_CHARS = 40;

/** The moment, in milliseconds since the epoch, on the clock that the learner's process uses too. */
export const now = () => performance.timeOrigin + performance.now();

/** Collects the steps of one test. */
export class Transcript {
  #steps: Step[] = [];
  /** The error that comes next is one that the test ordered. */
  #isMade = false;

  /** Notes what a peer of the suite's is about to do. */
  peer(event: string, detail: Detail = ""): void {
    this.#add("peer", event, detail);
  }

  /** Notes what the suite asks of the learner's code. */
  you(event: string, detail: Detail = ""): void {
    this.#add("you", event, detail);
  }

  #add(who: "you" | "peer", event: string, detail: Detail): void {
    this.#steps.push({ at: now(), who, event, detail });
  }

  /** Notes what the learner's code did. `label` tells which process it was, if there are several. */
  wire(event: WireEvent, label = ""): void {
    const made = this.#isMade && event.error ? " (made by the test)" : "";
    this.#isMade = event.event === "fault";
    if (UNTOLD.has(event.event)) return;
    const detail = () => `${label}${describeEvent(event)}${made}`;
    this.#steps.push({ at: event.at, who: "you", event: event.event, detail });
  }

  /** The steps in order; of a long story the beginning and the end. */
  steps(): TranscriptStep[] {
    const sorted = this.#steps.toSorted((a, b) => a.at - b.at);
    const numbered = sorted.map((step, i) => ({ ...step, number: i + 1 }));
    const told = numbered.length <= MAX_STEPS
      ? numbered
      : [...numbered.slice(0, 12), ...numbered.slice(12 - MAX_STEPS)];
    return told.map(({ number, who, event, detail }) => ({
      step: number,
      who,
      event,
      detail: typeof detail === "string" ? detail : detail(),
    }));
  }

  /** Forgets everything. */
  clear(): void {
    this.#steps = [];
  }
}

/** `127.0.0.1:8080`, `[::1]:8080` or a path. */
export function showAddr(addr: WireAddr | undefined): string {
  if (!addr) return "?";
  if (addr.path !== undefined) return addr.path;
  const host = addr.hostname?.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  return `${host}:${addr.port}`;
}

/** `5 bytes "hello"`. */
export function showBytes(bytes: Uint8Array, size = bytes.length): string {
  let shown = Math.min(bytes.length, SHOWN_BYTES);
  while (shown > 1 && escapeBytes(bytes.subarray(0, shown)).length > SHOWN_CHARS) shown--;
  const cut = size > shown ? "…" : "";
  return `${countBytes(size)} ${escapeBytes(bytes.subarray(0, shown))}${cut}`;
}

/** A story of `bytes` as they are now, to be told later. */
export function bytesAsTheyAre(bytes: Uint8Array): () => string {
  const { length } = bytes;
  const begin = bytes.slice(0, SHOWN_BYTES);
  return () => showBytes(begin, length);
}

/** Events that no story tells of. */
const UNTOLD = new Set<WireEvent["event"]>([
  "unhandled",
  "streams",
  "fault",
  "callback",
  "outcome",
  "replaced",
]);

function describeEvent(event: WireEvent): string | undefined {
  const { addr, remoteAddr, error } = event;
  const failed = error ? ` ${error.name}: ${error.message}` : "";
  const head = () => showBytes(fromBase64(event.head ?? ""), event.size ?? 0);
  switch (event.event) {
    case "listen": {
      const { hostname, port, backlog } = event.asked ?? {};
      const asked = `${
        showAddr({ transport: "", hostname: hostname ?? "0.0.0.0", port: port ?? 0 })
      }${backlog === undefined ? "" : ` backlog ${backlog}`}`;
      return error ? `${asked} ✗${failed}` : `${addr?.transport} ${asked} → ${showAddr(addr)}`;
    }
    case "connect":
      return error
        ? `${showAddr(remoteAddr)} ✗${failed}`
        : `${showAddr(addr)} → ${showAddr(remoteAddr)}`;
    case "accept":
      return error ? `✗${failed}` : `${showAddr(addr)} ← ${showAddr(remoteAddr)}`;
    case "read":
      return error ? `✗${failed}` : event.size === null ? "end of file" : head();
    case "write":
      return error ? `✗${failed}` : head();
    case "receive":
      return `${head()} ← ${showAddr(remoteAddr)}`;
    case "send":
      return `${head()} → ${showAddr(remoteAddr)}`;
    case "closeWrite":
      return showAddr(addr);
    case "close":
      return remoteAddr ? `${showAddr(addr)} ↔ ${showAddr(remoteAddr)}` : showAddr(addr);
    case "exit":
      return `status ${event.code}`;
    case "forbidden":
      return event.names?.join(", ");
  }
}
