/**
 * Makes fast the built-ins that the host works with, before a stranger's code is loaded.
 *
 * The host's maps, lists and buffers are reached through methods that all code of a process shares. Who replaces one
 * is called with the host's own objects, and could take limits and faults away. Those methods can then neither be
 * replaced nor removed; anything may still be added, except to `Object.prototype`, and classes may still override them.
 *
 * @module
 */

type Keyed = Record<PropertyKey, unknown>;

/** What objects of one's own may have a method of the same name of by assignment: pinned, that would throw. */
const OFTEN_ASSIGNED = new Set<PropertyKey>([
  "constructor",
  "toString",
  "toLocaleString",
  "valueOf",
  "toJSON",
]);

/** Pins what `object` has. Assigning to what inherits from it throws, too; defining does not. */
function pin(object: object): void {
  for (const key of Reflect.ownKeys(object)) {
    const property = Object.getOwnPropertyDescriptor(object, key)!;
    if (!property.configurable || OFTEN_ASSIGNED.has(key)) continue;
    if (typeof property.value === "function") {
      Object.defineProperty(object, key, { writable: false, configurable: false });
    } else if (property.get || property.set) {
      Object.defineProperty(object, key, { configurable: false });
    }
  }
}

/** The same for what others inherit from and then assign to, as Node's Buffer does. */
function pinSoftly(object: object): void {
  for (const key of Reflect.ownKeys(object)) {
    const property = Object.getOwnPropertyDescriptor(object, key)!;
    const { value } = property;
    if (!property.configurable || OFTEN_ASSIGNED.has(key)) continue;
    // Above all what says of which class a copy is.
    if (property.get) Object.defineProperty(object, key, { configurable: false });
    if (typeof value !== "function") continue;
    Object.defineProperty(object, key, {
      configurable: false,
      get: () => value,
      set(this: object, own: unknown) {
        if (this === object) throw new TypeError(`Cannot replace ${String(key)}`);
        Object.defineProperty(this, key, {
          value: own,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      },
    });
  }
}

/** Pins the methods of the classes and the functions that the host uses. */
export function pinBuiltIns(): void {
  const typedArray = Object.getPrototypeOf(Uint8Array);
  for (const object of [typedArray, typedArray.prototype, Uint8Array, Uint8Array.prototype]) {
    pinSoftly(object);
  }
  const collections = [Map, Set, WeakMap, WeakSet];
  const others = [Array, String, Promise];
  for (const one of [...collections, ...others]) pinSoftly(one);
  for (const one of collections) pinSoftly(one.prototype);
  const iterators = [[], new Map(), new Set(), ""].map((iterable) =>
    Object.getPrototypeOf((iterable as Iterable<unknown>)[Symbol.iterator]())
  );
  const prototypes = [...others, Function, RegExp].map((one) => one.prototype);
  for (const object of [...prototypes, ...iterators, Object, Reflect, JSON, Number, Math]) {
    pin(object);
  }
  pin(Object.getPrototypeOf(iterators[0]!));
  pin(TextEncoder.prototype);
  pin(TextDecoder.prototype);
  pin(Performance.prototype);
  pinClasses();
  // Nothing that the host assigns to an object or a list of its own may meet a setter of the exercise's.
  Object.preventExtensions(Object.prototype);
  Object.defineProperty(Array.prototype, "length", { writable: false });
}

/** Pins who is an instance of what, of which class a copy is, and the names under which the classes are found. */
function pinClasses(): void {
  const fixed = { writable: false, configurable: false };
  const classes = [Array, Error, Map, Number, Promise, RegExp, Set, String, Uint8Array];
  const ordinary = Function.prototype[Symbol.hasInstance];
  for (const one of classes) {
    Object.defineProperty(one.prototype, "constructor", fixed);
    Object.defineProperty(one, Symbol.hasInstance, { value: ordinary, ...fixed });
    Object.defineProperty(globalThis, one.name, fixed);
  }
  Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), "constructor", fixed);
  for (const name of ["Object", "Reflect", "JSON", "Math", "Function", "WeakMap"]) {
    Object.defineProperty(globalThis, name, fixed);
  }
}

/**
 * Node's streams could otherwise be put on a connection of Deno's, or on the host's own pipes, by a number: bytes would
 * then come and go past the limits and faults.
 */
function keepHandles(process: Keyed): void {
  const binding = process.binding as
    | ((name: string) => Record<string, { prototype: object }>)
    | undefined;
  Reflect.deleteProperty(process, "binding");
  if (!binding) return;
  const refuse = () => {
    throw new Error("A graded exercise opens no descriptor by its number");
  };
  for (
    const [name, className] of [["tcp_wrap", "TCP"], ["pipe_wrap", "Pipe"], [
      "udp_wrap",
      "UDP",
    ]] as const
  ) {
    const prototype = binding.call(process, name)[className]?.prototype;
    for (const method of ["open", "openFromRid"]) {
      if (!prototype || !(method in prototype)) continue;
      Object.defineProperty(prototype, method, {
        value: refuse,
        writable: false,
        configurable: false,
      });
    }
  }
}

/** Takes away what leads around the workbook to the inside of this process. */
export function closeBackDoors(): void {
  const deno = Deno as unknown as Keyed;
  Reflect.deleteProperty(deno, deno.internal as symbol);
  for (const name of ["sessionStorage", "BroadcastChannel", "indexedDB"]) {
    Reflect.deleteProperty(globalThis, name);
  }
  // Made when it is first asked for, which takes long.
  const make = Object.getOwnPropertyDescriptor(globalThis, "process")?.get;
  if (!make) return;
  let made: Keyed | undefined;
  Object.defineProperty(globalThis, "process", {
    configurable: true,
    enumerable: false,
    get() {
      if (!made) {
        made = make.call(globalThis) as Keyed;
        Reflect.deleteProperty(made, "getBuiltinModule");
        // It would read the suite's orders.
        Object.defineProperty(made, "stdin", { value: undefined });
        keepHandles(made);
      }
      return made;
    },
  });
}
