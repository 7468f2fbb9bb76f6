/**
 * Ends a choice among the members of a union: a new member does not compile until somebody handles it.
 *
 * @throws {TypeError} for what came past the types, such as from a plugin in JavaScript
 */
export function unreachable(value: never): never {
  throw new TypeError(`Cannot go on: nothing is made for ${JSON.stringify(value)}`);
}
