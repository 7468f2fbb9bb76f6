/** Small parts of the rules: what was given, what is missing. */
import type { DocumentScope, Path } from "./report.ts";

/** `object` without the keys that are undefined. */
export function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
type Defined<T> =
  & { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }
  & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** The texts of a list without those that were wrong. */
export function texts(list: readonly (string | undefined)[] | undefined): string[] {
  return (list ?? []).filter((item) => item !== undefined);
}

/** Whether a key was written, right or wrong. */
export function given(scope: DocumentScope, at: Path, entry: object, key: string): boolean {
  return Object.hasOwn(entry, key) && (entry as Record<string, unknown>)[key] !== undefined ||
    scope.isBroken([...at, key]);
}

/** Reports that a key of the map at `at` is missing, unless it was written wrong. */
export function requireKey(scope: DocumentScope, at: Path, entry: object, key: string, hint: string): void {
  if (!given(scope, at, entry, key)) scope.problem(at, `\`${key}\` is missing`, hint);
}
