/** Checks of what programs hand over that no compiler has looked at. What may be left out may be undefined. */
import { isFlag, isObject, isText } from "./guard.ts";
import { shownKind } from "./shown_kind.ts";
import { didYouMean } from "./suggest.ts";

export interface Check {
  /** What it lets pass, for messages. */
  readonly wanted: string;
  /** What is wrong with the value at a place, as the end of a sentence; undefined when nothing is. */
  problem(value: unknown, at: string): string | undefined;
}

/** A check by a guard. */
export function isA(
  wanted: string,
  is: (value: unknown) => boolean,
  shown: (value: unknown) => string = shownKind,
): Check {
  return {
    wanted,
    problem: (value, at) =>
      value === undefined || is(value) ? undefined : `${at} is ${shown(value)}, wanted is ${wanted}`,
  };
}

export const text: Check = isA("a text", isText);
export const flag: Check = isA("true or false", isFlag);
export const callable: Check = isA("a function", (value) => typeof value === "function");

/** A number that is not less. */
export function numberFrom(least: number): Check {
  const is = (value: unknown) => typeof value === "number" && value >= least;
  return isA(`a number from ${least}`, is, shownScalar);
}

/** One of these texts. */
export function oneOf<const T extends string>(...values: readonly T[]): Check {
  const wanted = values.map((value) => `"${value}"`).join(" or ");
  return isA(wanted, (value) => (values as readonly unknown[]).includes(value), shownScalar);
}

/** What must not be left out. */
export function needed(check: Check): Check {
  return {
    wanted: check.wanted,
    problem: (value, at) =>
      value === undefined ? `${at} is missing, wanted is ${check.wanted}` : check.problem(value, at),
  };
}

export function listOf(item: Check, wanted = "a list"): Check {
  const list = isA(wanted, Array.isArray);
  const each = needed(item);
  const problem: Check["problem"] = (value, at) =>
    list.problem(value, at) ??
      firstOf(
        ((value ?? []) as readonly unknown[]).entries(),
        ([index, one]) => each.problem(one, `${at}[${index}]`),
      );
  return { wanted, problem };
}

export const texts: Check = listOf(text, "a list of texts");

/** An object with members of any name. */
export function recordOf(member: Check): Check {
  return members(() => member);
}

/** An object with no other members than these. */
export function options<T>(checks: { readonly [K in keyof T]-?: Check }): Check {
  const known = new Map(Object.entries<Check>(checks));
  const there = members((name) => known.get(name), [...known.keys()]);
  const problem: Check["problem"] = (value, at) =>
    there.problem(value, at) ??
      (value === undefined
        ? undefined
        : firstOf(known, ([name, check]) =>
          (value as Record<string, unknown>)[name] === undefined
            ? check.problem(undefined, memberAt(at, name))
            : undefined));
  return { wanted: there.wanted, problem };
}

function members(checkOf: (name: string) => Check | undefined, known: readonly string[] = []): Check {
  const object = isA("an object", isObject);
  const problem: Check["problem"] = (value, at) =>
    object.problem(value, at) ?? firstOf(Object.entries(value ?? {}), ([name, item]) => {
      const check = checkOf(name);
      return check
        ? check.problem(item, memberAt(at, name))
        : `${at} has no "${name}"${didYouMean(name, known)}`;
    });
  return { wanted: object.wanted, problem };
}

function memberAt(at: string, name: string): string {
  return /^[\w$]+$/.test(name) ? `${at}.${name}` : `${at}[${JSON.stringify(name)}]`;
}

function shownScalar(value: unknown): string {
  if (isText(value) && value !== "") return JSON.stringify(value.slice(0, 100));
  return typeof value === "number" ? String(value) : shownKind(value);
}

function firstOf<T>(items: Iterable<T>, problemOf: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = problemOf(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
