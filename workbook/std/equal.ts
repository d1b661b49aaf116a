/**
 * Deep equality, by the rules of `assertEquals` of `@std/assert`.
 *
 * `isDeepStrictEqual` of `node:util` is close, but tells 0 from −0 and overlooks where two errors were made.
 * Here 0 equals −0, `NaN` equals `NaN`, and everything that can be read from an object counts: symbol keys,
 * getters, inherited members, and the stack of an error.
 *
 * @module
 */

/** Objects that hide their value from property access and tell it in their text. */
const TOLD_BY_TEXT: (abstract new (...args: never[]) => object)[] = [
  RegExp,
  URL,
  URLSearchParams,
  Intl.Locale,
];

/**
 * Whether `a` and `b` have the same shape and values, however deep and also when they contain themselves.
 *
 * Throws a `TypeError` for a `WeakMap` or `WeakSet`, whose contents nobody can list.
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

/** Pairs under comparison: meeting one again inside itself means that nothing so far was different. */
type Pairs = Map<object, Set<object>>;

function compare(a: unknown, b: unknown, open: Pairs): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (kindOf(a) !== kindOf(b)) return false;

  if (ArrayBuffer.isView(a) && !(a instanceof DataView)) {
    return sameElements(a as Uint8Array, b as Uint8Array);
  }
  if (a instanceof ArrayBuffer || a instanceof SharedArrayBuffer) {
    return sameElements(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  }
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`Cannot compare ${a.constructor.name} objects: their contents are hidden`);
  }
  if (a instanceof WeakRef) return compare(a.deref(), (b as WeakRef<WeakKey>).deref(), open);
  if (TOLD_BY_TEXT.some((constructor) => Object.getPrototypeOf(a) === constructor.prototype)) {
    return String(a) === String(b);
  }

  const partners = open.get(a) ?? new Set();
  if (partners.has(b)) return true;
  open.set(a, partners.add(b));

  if (Object.keys(a).length !== Object.keys(b).length) return false;
  if (a instanceof Set) return sameMembers([...a], [...(b as Set<unknown>)], open);
  if (a instanceof Map) return sameMembers([...a], [...(b as Map<unknown, unknown>)], open);
  return sameProperties(a, b, open);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The prototype; an object without one counts as a plain object. */
function kindOf(value: object): object {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

function sameElements(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  }
  return true;
}

/** Whether each of `left` has a partner of its own in `right`, in whatever order. */
function sameMembers(left: unknown[], right: unknown[], open: Pairs): boolean {
  if (left.length !== right.length) return false;
  const free = new Set(right.keys());
  return left.every((member) => {
    for (const index of free) {
      if (compare(member, right[index], open)) return free.delete(index);
    }
    return false;
  });
}

function sameProperties(a: object, b: object, open: Pairs): boolean {
  for (const name of new Set([...readableNames(a), ...readableNames(b)])) {
    if (!(name in a) || !(name in b)) return false;
    if (!compare(Reflect.get(a, name), Reflect.get(b, name), open)) return false;
  }
  return true;
}

/** All names that can be read from `value`: for a plain object its own enumerable ones, else inherited ones too. */
function readableNames(value: object): PropertyKey[] {
  const kind = kindOf(value);
  if (kind === Object.prototype || kind === Array.prototype) return Reflect.ownKeys({ ...value });
  const names: PropertyKey[] = [];
  for (
    let level: object | null = value;
    level && level !== Object.prototype && level !== Array.prototype;
    level = Object.getPrototypeOf(level)
  ) names.push(...Reflect.ownKeys(level));
  return names;
}
