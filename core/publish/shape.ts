/** What a plugin's answer must look like: its keys and no others. */
export interface Shape {
  readonly [key: string]: EntryKind | Shape;
}

/** "text" must not be empty, "text?" may be left out, "name?" may be empty too. */
type EntryKind = "text" | "text?" | "name?" | "texts";

/**
 * What is wrong with a plugin's answer, as the end of a sentence ("its key ..."); undefined when it has that shape.
 *
 * A misspelt key is as much of a mistake as it is in a dappfile.
 */
export function shapeProblem(value: unknown, shape: Shape, path = ""): string | undefined {
  const prefix = path === "" ? "" : `${path}.`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${path === "" ? "it" : `its key "${path}"`} is ${kindOf(value)}, wanted is an object`;
  }
  const unknown = Object.keys(value).find((key) => !(key in shape));
  if (unknown !== undefined) {
    return `its key "${prefix}${unknown}" is unknown, known are ${
      Object.keys(shape).map((key) => `"${prefix}${key}"`).join(", ")
    }`;
  }
  for (const [key, wanted] of Object.entries(shape)) {
    const entry: unknown = (value as Readonly<Record<string, unknown>>)[key];
    const problem = typeof wanted === "object"
      ? shapeProblem(entry, wanted, prefix + key)
      : entryProblem(entry, wanted, prefix + key);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function entryProblem(value: unknown, wanted: EntryKind, path: string): string | undefined {
  const bad = (what: string) => `its key "${path}" is ${kindOf(value)}, wanted is ${what}`;
  if (wanted === "texts") {
    const good = Array.isArray(value) && value.every((item) => typeof item === "string");
    return good ? undefined : bad("a list of texts");
  }
  if (value === undefined && wanted !== "text") return undefined;
  return typeof value === "string" && (value !== "" || wanted === "name?") ? undefined : bad("a text");
}

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (value === "") return "empty";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
