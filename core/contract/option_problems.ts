/** What is wrong with the options of a plugin, one problem for each. Loaded when something is. */
import * as z from "../../lib/zod.ts";
import { suggest } from "../../lib/suggest.ts";
import type { Problem } from "./errors.ts";

/** The problems by their path below the options; the file is not known here. */
export function optionProblems(issues: readonly z.core.$ZodIssue[], schema: unknown): readonly Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const nowhere = { file: "", line: 0, column: 0 };
    if (issue.code !== "unrecognized_keys") {
      return [{ ...nowhere, path: pathOf(issue.path), message: issue.message }];
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
