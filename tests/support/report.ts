/**
 * The suite's line to the runner.
 *
 * @module
 */

import { RECORD_MARK } from "../../workbook/protocol.ts";
import { SUITE_ENV, type SuiteRecord } from "../../workbook/records.ts";

const word = Deno.env.get(SUITE_ENV.word);

/** Whether somebody hears what is reported; without, the test runner alone tells the verdicts. */
export const hasRunner = word !== undefined;

/** Writes one record to standard output. Without a runner, nothing is written. */
export function report(record: SuiteRecord): void {
  if (word === undefined) return;
  const line = new TextEncoder().encode(`\n${RECORD_MARK}${word} ${JSON.stringify(record)}\n`);
  for (let done = 0; done < line.length;) done += Deno.stdout.writeSync(line.subarray(done));
}
