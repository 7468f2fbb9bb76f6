/** Checks for values that come from files, as small as start-up time asks: a run without changes loads no schemas. */

/** Whether a value of unknown origin is a `T`. */
export type Guard<T> = (value: unknown) => value is T;

/** Whatever a value is. */
export function isAnything(_: unknown): _ is unknown {
  return true;
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

/** Whether `value` is a size or number of things. */
export function isCount(value: unknown): value is number {
  return isNumber(value) && Number.isSafeInteger(value) && value >= 0;
}

/** Whether `value` is an object with named members. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` is an object that has what is written in it, and nothing of a class. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

/** A guard of exactly this value. */
export function isJust<const T>(wanted: T): Guard<T> {
  return (value): value is T => value === wanted;
}

export function isListOf<T>(item: Guard<T>): Guard<readonly T[]> {
  return (value): value is readonly T[] => {
    if (!Array.isArray(value)) return false;
    for (const each of value) if (!item(each)) return false;
    return true;
  };
}

export function isPair<A, B>(first: Guard<A>, second: Guard<B>): Guard<readonly [A, B]> {
  return (value): value is readonly [A, B] =>
    Array.isArray(value) && value.length === 2 && first(value[0]) && second(value[1]);
}

/** A guard of objects whose members, whatever they are called, all pass. */
export function isRecordOf<T>(item: Guard<T>): Guard<Readonly<Record<string, T>>> {
  return (value): value is Readonly<Record<string, T>> => isObject(value) && Object.values(value).every(item);
}

/** A guard of objects with these members; further ones do not matter. */
export function hasMembers<T>(members: { readonly [K in keyof T]-?: Guard<T[K]> }): Guard<T> {
  const names = Object.keys(members);
  const guards = Object.values<Guard<unknown>>(members);
  // Loops, as an index of a layer has thousands of objects.
  return (value): value is T => {
    if (!isObject(value)) return false;
    for (let i = 0; i < names.length; i++) if (!guards[i]!(value[names[i]!])) return false;
    return true;
  };
}

/** A guard that also lets pass what is not there. */
export function isOptional<T>(guard: Guard<T>): Guard<T | undefined> {
  return (value): value is T | undefined => value === undefined || guard(value);
}

/** A guard that lets pass what one of two does. */
export function isEither<A, B>(a: Guard<A>, b: Guard<B>): Guard<A | B> {
  return (value): value is A | B => a(value) || b(value);
}
