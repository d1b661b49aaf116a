/**
 * What lies in a view of bytes, whatever its class says of it.
 *
 * The exercise may hand over objects of classes of its own, with other lengths and methods than the bytes have. Here
 * the engine alone is asked.
 *
 * @module
 */

const bytesClass = Uint8Array;
const { isView } = ArrayBuffer;
const least = Math.min;

type Getter<T> = (view: ArrayBufferView) => T;

function getterOf<T>(prototype: object, name: PropertyKey): Getter<T> {
  const { get } = Object.getOwnPropertyDescriptor(prototype, name)!;
  return Function.prototype.call.bind(get!) as Getter<T>;
}

function gettersOf(prototype: object) {
  return {
    buffer: getterOf<ArrayBuffer>(prototype, "buffer"),
    byteOffset: getterOf<number>(prototype, "byteOffset"),
    byteLength: getterOf<number>(prototype, "byteLength"),
  };
}

const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
const className = getterOf<string | undefined>(typedArray, Symbol.toStringTag);
const ofArrays = gettersOf(typedArray);
const ofDataViews = gettersOf(DataView.prototype);

/** The bytes of a view of any class, at most so many of them; undefined if it is none. */
export function bytesOf(value: unknown, most = Infinity): Uint8Array<ArrayBuffer> | undefined {
  if (!isView(value)) return undefined;
  const of = className(value) === undefined ? ofDataViews : ofArrays;
  return new bytesClass(of.buffer(value), of.byteOffset(value), least(of.byteLength(value), most));
}

/** How many bytes an array of bytes has. Its prototype, which the exercise may have changed, is not asked. */
export const lengthOf: (bytes: Uint8Array) => number = ofArrays.byteLength;

/** What lies under an array of bytes, for the same reason. */
export const bufferOf: (bytes: Uint8Array) => ArrayBuffer = ofArrays.buffer;

/** Whether it is a `Uint8Array`, of that class or one below it. */
export function isBytes(value: unknown): value is Uint8Array {
  return isView(value) && className(value) === "Uint8Array";
}
