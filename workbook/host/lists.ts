/**
 * Lists and bytes of the host's that no code of the exercise's is asked about.
 *
 * A prototype that all code shares may be given another one above it, with traps for what it does not have itself:
 * the elements that are added to a list, and the length of bytes. So an element is defined, not assigned, and bytes
 * with orders in them have a prototype of their own.
 *
 * @module
 */

const define = Object.defineProperty;

/** Puts `value` at the end of `list`. */
export function append<T>(list: T[], value: T): void {
  define(list, list.length, { value, writable: true, enumerable: true, configurable: true });
}

const bytesClass = Uint8Array;
const setPrototypeOf = Object.setPrototypeOf;
const methods = Object.create(null);
for (const from of [Object.getPrototypeOf(Uint8Array.prototype), Uint8Array.prototype]) {
  Object.defineProperties(methods, Object.getOwnPropertyDescriptors(from));
}
Object.freeze(methods);

/** The first bytes of a buffer, as only the host sees them: with the methods of their class, but not by inheritance. */
export function privateBytes(buffer: ArrayBuffer, length: number): Uint8Array<ArrayBuffer> {
  return setPrototypeOf(new bytesClass(buffer, 0, length), methods);
}
