/** What a value is, for messages about one that is something else than wanted. Never throws. */
export function shownKind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value === "") return "empty";
  if (typeof value === "string") return "a string";
  if (typeof value !== "object") return `a ${typeof value}`;
  try {
    if (value instanceof Promise) return "a promise that nobody awaited";
    return Array.isArray(value) ? "a list" : "an object";
  } catch {
    return "an object that cannot be looked at"; // a proxy
  }
}
