/**
 * Time as a learner's process gets it: what the machine kept from it does not count against its deadline.
 *
 * On a busy machine a process may wait longer for a processor than it runs. The clock ticks in the suite; a tick
 * that came late, because the whole machine stood still, counts as one tick, and time that the process spent ready
 * to run but not running (proc(5), schedstat; Linux) is taken off.
 *
 * @module
 */

import { MOST_STRETCH } from "../../workbook/records.ts";
import { every } from "./timers.ts";

const TICK_MS = 50;

/** Calls each of `alarms` when its time, in milliseconds as process `pid` got them, is over. Returns how to stop. */
export function startFairClock(
  pid: number,
  alarms: { atMs: number; ring: () => void }[],
): () => void {
  const waiting = alarms.toSorted((a, b) => a.atMs - b.atMs);
  const begin = performance.now();
  let counted = 0;
  let last = begin;
  let lastStarved = starvedMs(pid);
  const stop = every(TICK_MS, () => {
    const now = performance.now();
    // It only grows; of a process that has ended nobody tells.
    const starved = Math.max(lastStarved, starvedMs(pid));
    counted += Math.max(0, Math.min(now - last, TICK_MS * 1.2) - (starved - lastStarved));
    last = now;
    lastStarved = starved;
    const due = Math.max(counted, (now - begin) / MOST_STRETCH);
    while (waiting[0] && waiting[0].atMs <= due + TICK_MS / 2) waiting.shift()!.ring();
    if (waiting.length === 0) stop();
  });
  return stop;
}

/** How long the process has been ready to run without a processor, in milliseconds; 0 where nobody tells. */
function starvedMs(pid: number): number {
  if (Deno.build.os !== "linux") return 0;
  try {
    const [, waited = "0"] = Deno.readTextFileSync(`/proc/${pid}/schedstat`).split(" ");
    return Number(waited) / 1e6;
  } catch {
    return 0;
  }
}
