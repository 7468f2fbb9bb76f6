/** Data that is handed to code of others. */
import { isPlain } from "./guard.ts";

/**
 * A copy of data that cannot be changed: lists, objects, and copies of maps and sets. What has methods is no data, and
 * stays what it is.
 */
export function readOnly<T>(value: T): T {
  return copyOf(value, new Map()) as T;
}

function copyOf(value: unknown, copies: Map<object, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (copies.has(value)) return copies.get(value);
  const each = (item: unknown) => copyOf(item, copies);
  const keep = <C>(copy: C): C => {
    copies.set(value, copy);
    return copy;
  };
  if (Array.isArray(value)) {
    const list = keep([] as unknown[]);
    for (const item of value) list.push(each(item));
    return Object.freeze(list);
  }
  if (value instanceof Map) {
    const map = keep(new Map<unknown, unknown>());
    for (const [key, item] of value) map.set(each(key), each(item));
    return map;
  }
  if (value instanceof Set) {
    const set = keep(new Set<unknown>());
    for (const item of value) set.add(each(item));
    return set;
  }
  if (!isData(value)) return value;
  const copy = keep({} as Record<string, unknown>);
  for (const [key, item] of Object.entries(value)) copy[key] = each(item);
  return Object.freeze(copy);
}

function isData(value: object): boolean {
  return isPlain(value) &&
    Object.values(Object.getOwnPropertyDescriptors(value))
      .every((field) => "value" in field && typeof field.value !== "function");
}
