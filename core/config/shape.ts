import type * as z from "../../lib/zod_mini.ts";
import { explainKey } from "./keys.ts";
import { type DocumentScope, formatPath, type Path } from "./report.ts";
import { type DocumentKind, documentSchemas } from "./schema.ts";

type Issue = z.Issue;

/**
 * Checks the shape of one document and reports everything that is wrong with it.
 *
 * Wrong values are taken out before the rest is checked again, so that one mistake hides no other.
 */
export function checkShape<K extends DocumentKind>(
  kind: K,
  value: Record<string, unknown>,
  scope: DocumentScope,
): z.output<(typeof documentSchemas)[K]> {
  let data = value;
  for (let round = 0; round < 50; round++) {
    // Code that zod makes for a schema takes three times as long as to check a document without.
    const parsed = documentSchemas[kind].safeParse(data, { jitless: true });
    if (parsed.success) return parsed.data as z.output<(typeof documentSchemas)[K]>;
    if (round === 0) data = structuredClone(value);
    for (const issue of parsed.error.issues) {
      reportIssue(kind, issue, data, scope);
      removeWrong(issue, data);
    }
  }
  return {} as z.output<(typeof documentSchemas)[K]>;
}

function reportIssue(kind: DocumentKind, issue: Issue, data: unknown, scope: DocumentScope): void {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) {
      const { message, hint, meant } = explainKey(kind, path, key);
      scope.problem([...path, key], message, hint, "key");
      if (meant) scope.markBroken([...path, meant]);
    }
    return;
  }
  // An expression without a value was reported when it was read.
  if (scope.isBroken(scope.written(path))) return scope.markBroken(path);
  if (issue.code === "invalid_type") {
    const { message, hint } = explainType(issue, data, scope);
    scope.problem(path, message, hint);
  } else {
    const hint = issue.code === "custom" ? issue.params?.hint as string | undefined : undefined;
    scope.problem(path, issue.message, hint);
  }
}

function explainType(
  issue: Issue & { code: "invalid_type" },
  data: unknown,
  scope: DocumentScope,
): { message: string; hint?: string } {
  const path = scope.written(issue.path as Path);
  const value = valueAt(data, path);
  const name = formatPath(path.slice(typeof path.at(-1) === "number" ? -2 : -1));
  const found = describe(value);
  const listed = path.length === 1 &&
    ["git", "mount", "secrets", "import", "plugins"].includes(String(path[0]));
  if (issue.expected === "array" && listed) {
    return {
      message: `"${name}" takes a list of entries: found ${found}`,
      ...(isMap(value) && { hint: "Start each entry with `- `" }),
    };
  }
  if (path[0] === "shell" && isMap(value) && path.length > 1) {
    const [key, rest] = Object.entries(value)[0] ?? ["", ""];
    const command = typeof rest === "string" ? `${key}: ${rest}` : key;
    return {
      message: `"${name}" takes shell commands: found a map, because the text contains \`: \``,
      hint: `Put quotes around the command: ${quote(command)}`,
    };
  }
  if (value === "") return { message: "The value is empty" };
  const wanted =
    { array: "a text or a list of texts", object: "a map", string: "a text" }[issue.expected as string] ??
      issue.expected;
  if (value === null) {
    return {
      message: `"${name}" has no value: it takes ${wanted}`,
      hint: "Give it a value, or leave it out",
    };
  }
  return {
    message: `"${name}" takes ${wanted}: found ${found}`,
    ...(issue.expected === "object" && { hint: "Write `key: value` lines below it, with more indentation" }),
  };
}

function quote(text: string): string {
  return text.includes("'") ? JSON.stringify(text) : `'${text}'`;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  return isMap(value) ? "a map" : `the text "${String(value).split("\n")[0]}"`;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, step) => (at as Record<string | number, unknown> | null)?.[step], data);
}

function removeWrong(issue: Issue, data: unknown): void {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    const map = valueAt(data, path);
    if (isMap(map)) { for (const key of issue.keys) delete map[key]; }
    return;
  }
  // The path may go on into a text that was read as a list of one.
  for (let length = path.length; length > 0; length--) {
    const parent = valueAt(data, path.slice(0, length - 1));
    const step = path[length - 1]!;
    if (Array.isArray(parent) && typeof step === "number") return void (parent[step] = undefined);
    if (isMap(parent) && Object.hasOwn(parent, step)) return void delete parent[step];
  }
}
