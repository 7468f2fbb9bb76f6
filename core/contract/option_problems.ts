/** What is wrong with the options of a plugin, one problem for each. Loaded when something is. */
import * as z from "../../lib/zod.ts";
import { suggest } from "../../lib/suggest.ts";
import type { Problem } from "./errors.ts";

/** The problems by their path below the options; the file is not known here. */
export function optionProblems(issues: readonly z.core.$ZodIssue[], schema: unknown): readonly Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const nowhere = { file: "", line: 0, column: 0 };
    if (issue.code !== "unrecognized_keys") {
      return [{ ...nowhere, path: pathOf(issue.path), message: messageOf(issue) }];
    }
    const known = keysAt(schema, issue.path);
    return issue.keys.map((key) => {
      const near = suggest(key, known);
      const hint = near
        ? `Did you mean \`${near}\`?`
        : known.length > 0
        ? `Known keys: ${known.join(", ")}`
        : undefined;
      return {
        ...nowhere,
        path: pathOf([...issue.path, key]),
        message: `Unknown key "${key}"`,
        ...(hint !== undefined && { hint }),
      };
    });
  });
}

/** What zod says of a value of another kind, in words of YAML; what the author of a schema wrote stays. */
function messageOf({ code, message, path }: z.core.$ZodIssue): string {
  const [, wanted, found] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? [];
  if (code !== "invalid_type" || wanted === undefined || found === undefined) return message;
  const takes = `it takes ${kinds[wanted] ?? wanted}`;
  const name = path.length === 0 ? "The options" : `"${String(path.at(-1))}"`;
  return found === "undefined"
    ? `${name} ${path.length === 0 ? "are" : "is"} missing: ${takes}`
    : `${name} ${path.length === 0 ? "are" : "is"} ${kinds[found] ?? found}: ${takes}`;
}

/** How a dappfile calls what zod calls so. */
const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "`true` or `false`",
  array: "a list",
  object: "a map",
  record: "a map",
  null: "empty",
};

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === "number" ? `${text}[${step}]` : text === "" ? String(step) : `${text}.${String(step)}`,
    "",
  );
}

/** The keys of the object schema at a path, as far as objects lead there. */
function keysAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  let at = unwrapped(schema);
  for (const step of path) at = at instanceof z.ZodObject ? unwrapped(at.shape[String(step)]) : undefined;
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrapped(schema.unwrap());
  return schema;
}
