/**
 * Checks that tests share: each says what was expected and what came, in the learner's terms.
 *
 * @module
 */

import { same, type Text } from "../../workbook/text.ts";
import type { WireError } from "../../workbook/protocol.ts";
import { showError, showValue } from "./explain.ts";
import { fail } from "./failure.ts";
import type { RemoteSocket } from "./learner.ts";
import { Remote } from "./wire.ts";

const CLASS_NAMES = {
  listener: "Deno.TcpListener",
  conn: "Deno.TcpConn",
  datagram: "Deno.DatagramConn",
} as const;

/** The value as an open socket of that kind, or the end of the test. */
export function expectSocket(
  value: unknown,
  kind: keyof typeof CLASS_NAMES,
  call: string,
  mistake?: string,
): RemoteSocket {
  const expected: Text = {
    en: `${call} returns an open ${CLASS_NAMES[kind]}`,
    ko: `${call} 호출이 열려 있는 ${CLASS_NAMES[kind]} 객체를 반환함`,
  };
  if (!(value instanceof Remote) || value.kind !== kind) {
    const isPlain = typeof value === "object" && value !== null && !(value instanceof Remote);
    fail({
      expected,
      received: isPlain
        ? { en: `a plain object ${showValue(value)}`, ko: `일반 객체 ${showValue(value)}` }
        : same(showValue(value)),
      mistake,
    });
  }
  if (value.closed) {
    fail({
      expected,
      received: {
        en: `a ${CLASS_NAMES[kind]} that is closed already`,
        ko: `이미 닫힌 ${CLASS_NAMES[kind]}`,
      },
      mistake: "closed-on-return",
    });
  }
  return value as RemoteSocket;
}

/** Fails unless both are the same text, number, boolean or nothing. */
export function expectEqual(
  received: unknown,
  expected: string | number | boolean | null | undefined,
  { what, mistake }: { what?: Text; mistake?: string | undefined } = {},
): void {
  if (Object.is(received, expected)) return;
  const shown = showValue(expected);
  fail({
    expected: what ? { en: `${what.en}: ${shown}`, ko: `${what.ko}: ${shown}` } : shown,
    received: showValue(received),
    mistake,
  });
}

/** Fails unless `condition` holds. */
export function expectThat(
  condition: boolean,
  expected: Text,
  received: Text | string,
  mistake?: string,
): void {
  if (!condition) fail({ expected, received, mistake });
}

/** Fails unless the error is of the class that `className` names, or of one derived from it. */
export function expectErrorClass(
  error: WireError,
  className: string,
  expected: Text,
  mistake?: string,
): void {
  const short = className.replace(/^Deno\.errors\./, "");
  if (!error.classes.includes(short)) fail({ expected, received: showError(error), mistake });
}

/** Fails unless the error's message contains `part`. */
export function expectMessage(
  error: WireError,
  part: string,
  expected: Text,
  mistake?: string,
): void {
  if (!error.message.includes(part)) fail({ expected, received: showError(error), mistake });
}
