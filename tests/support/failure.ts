/**
 * A test's way to say what is wrong, in the learner's terms.
 *
 * @module
 */

import type { FailureRecord } from "../../workbook/records.ts";
import { same, type Text } from "../../workbook/text.ts";

/** What a failing check knows; everything is shown to the learner. */
export interface FailureFacts {
  expected?: Text | string;
  received?: Text | string;
  mark?: { column: number; text: Text };
  notes?: Text[];
  /** The id of the mistake that this looks like. */
  mistake?: string | undefined;
  kind?: string;
}

/** Thrown by checks. Caught by the suite, which adds what was seen on the wire. */
export class TaskFailure extends Error {
  override name = "TaskFailure";
  readonly facts: FailureRecord;

  constructor({ expected, received, mark, notes = [], mistake, kind = "assert" }: FailureFacts) {
    const facts: FailureRecord = {
      kind,
      notes,
      ...(expected !== undefined && { expected: text(expected) }),
      ...(received !== undefined && { received: text(received) }),
      ...(mark && { mark }),
      ...(mistake && { mistake }),
    };
    super(
      [
        facts.expected && `expected  ${facts.expected.en}`,
        facts.received && `received  ${facts.received.en}`,
        ...notes.map((note) => note.en),
        mistake && `Likely: ${mistake}`,
      ].filter(Boolean).join("\n"),
    );
    this.facts = facts;
  }
}

/** Ends the test with a failure. */
export function fail(facts: FailureFacts): never {
  throw new TaskFailure(facts);
}

function text(value: Text | string): Text {
  return typeof value === "string" ? same(value) : value;
}
