import { callable, isA, needed, options } from "../../lib/arguments.ts";
import { isNumber, isObject, isText } from "../../lib/guard.ts";

const NAME = /^[\w@][\w@./-]*$/;

const spec = needed(options<Record<"name" | "api" | "options" | "rights" | "setup", unknown>>({
  name: needed(isA('a text of letters, digits and "-"', (value) => isText(value) && NAME.test(value))),
  api: needed(isA("a number", isNumber)),
  options: isA("a function of zod, (z) => z.strictObject({ ... })", (value) => typeof value === "function"),
  rights: isA("an object or a function", (value) => isObject(value) || typeof value === "function"),
  setup: needed(callable),
}));

/**
 * Makes sure that a plugin is declared as the contract `api` says. One that was written for another contract is told so
 * where it is loaded, and may have other keys.
 *
 * @throws {TypeError} on keys that there are not, or that are something else
 */
export function requireSpec(given: unknown, api: number): void {
  if (isObject(given) && isNumber(given.api) && given.api !== api) return;
  const problem = spec.problem(given, "its declaration");
  if (problem !== undefined) throw new TypeError(`Cannot define a plugin: ${problem}`);
}
