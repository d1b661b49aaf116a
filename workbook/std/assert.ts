/**
 * Stands in for `@std/assert` where JSR cannot be reached: the assertions that the course uses.
 *
 * Same names, same verdicts, same error class, messages that read alike; `contract_test.ts` holds both to it.
 * Differences are shown without colours.
 *
 * @module
 */

import { format, showDifference } from "./diff.ts";
import { equal } from "./equal.ts";

export { equal };

/** What a failed assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

// deno-lint-ignore no-explicit-any -- whatever a constructor takes, it is only compared with.
type Constructor<T> = abstract new (...args: any[]) => T;

/** Ends the sentence `text` with the caller's own words, if there are any. */
function sentence(text: string, msg?: string): string {
  return msg ? `${text}: ${msg}` : `${text}.`;
}

/** Throws unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Throws always. */
export function fail(msg?: string): never {
  throw new AssertionError(sentence("Failed assertion", msg));
}

/** Throws unless both are deeply equal; see {@linkcode equal} for the rules. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    sentence("Values are not equal", msg) + showDifference(actual, expected),
  );
}

/** Throws if both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    sentence(`Expected actual: ${format(actual)} not to be: ${format(expected)}`, msg),
  );
}

/** Throws unless both are the same value by `Object.is`: here 0 and −0 differ. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const text = format(actual);
  throw new AssertionError(
    text === format(expected)
      ? sentence("Values have the same structure but are not reference-equal", msg) +
        `\n\n${text.replaceAll(/^/gm, "    ")}\n`
      : sentence("Values are not strictly equal", msg) + showDifference(actual, expected),
  );
}

/** Throws if `actual` is `null` or `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(
    sentence(`Expected actual: "${actual}" to not be null or undefined`, msg),
  );
}

/** Throws unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: Constructor<T>,
  msg = "",
): asserts actual is T {
  if (actual instanceof expectedType) return;
  const expected = `Expected object to be an instance of "${expectedType.name}"`;
  const kind = actual === null || actual === undefined
    ? String(actual)
    : typeof actual === "object"
    ? actual.constructor?.name ?? "Object"
    : typeof actual;
  const but = kind === expectedType.name
    ? ""
    : kind === "function"
    ? " but was not an instanced object"
    : ` but was "${kind}"`;
  throw new AssertionError(sentence(expected + but, msg));
}

/** Throws unless `expected` matches `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) return;
  throw new AssertionError(sentence(`Expected actual: "${actual}" to match: "${expected}"`, msg));
}

/** Throws unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(sentence(`Expected actual: "${actual}" to contain: "${expected}"`, msg));
}

/** Throws unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  throw new AssertionError(msg ?? `Expect ${format(actual)} > ${format(expected)}`);
}

/** Throws unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  throw new AssertionError(msg ?? `Expect ${format(actual)} < ${format(expected)}`);
}

/** What the caller of `assertThrows` or `assertRejects` expects of the error. */
interface ErrorExpectation {
  ErrorClass?: Constructor<Error>;
  msgIncludes?: string;
  msg?: string;
}

function readExpectation(
  classOrMsg?: Constructor<Error> | string,
  msgIncludes?: string,
  msg?: string,
): ErrorExpectation {
  return typeof classOrMsg === "string"
    ? { msg: classOrMsg }
    : { ErrorClass: classOrMsg, msgIncludes, msg };
}

/** Throws unless `error` is what was expected; `how` is the verb for a value that is no error at all. */
function checkError(error: unknown, how: string, expectation: ErrorExpectation): void {
  const { ErrorClass, msgIncludes, msg } = expectation;
  if (!ErrorClass) return;
  if (!(error instanceof Error)) {
    throw new AssertionError(sentence(`A non-Error object was ${how}`, msg));
  }
  const name = error.constructor?.name;
  if (!(error instanceof ErrorClass)) {
    const classes = `"${ErrorClass.name}", but was "${name}"`;
    throw new AssertionError(sentence(`Expected error to be instance of ${classes}`, msg));
  }
  if (!msgIncludes) return;
  if (plain(error.message).includes(plain(msgIncludes))) return;
  const messages = `${JSON.stringify(msgIncludes)}, but got ${JSON.stringify(error.message)}`;
  throw new AssertionError(sentence(`Expected error message to include ${messages}`, msg));
}

/** The text without colours. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- a colour starts with a control character.
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}

/** Throws unless calling `fn` throws, and hands back what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Throws unless calling `fn` throws an `ErrorClass` whose message contains `msgIncludes`. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: Constructor<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const expectation = readExpectation(classOrMsg, msgIncludes, msg);
  try {
    fn();
  } catch (error) {
    checkError(error, "thrown", expectation);
    return error;
  }
  throw new AssertionError(sentence("Expected function to throw", expectation.msg));
}

/** Throws unless the promise of `fn` rejects, and hands back what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Throws unless the promise of `fn` rejects with an `ErrorClass` whose message contains `msgIncludes`. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: Constructor<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const expectation = readExpectation(classOrMsg, msgIncludes, msg);
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
  } catch {
    // Said below: a function that throws at once did not reject.
  }
  if (typeof promise !== "object" || typeof promise?.then !== "function") {
    throw new AssertionError(
      sentence("Function throws when expected to reject", expectation.msg),
    );
  }
  try {
    await promise;
  } catch (error) {
    checkError(error, "rejected", expectation);
    return error;
  }
  throw new AssertionError(sentence("Expected function to reject", expectation.msg));
}
