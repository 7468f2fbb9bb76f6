/** The kinds of value a dappfile has, as zod types that also explain themselves. */
import { compileGlob, GlobError } from "../../lib/glob.ts";
import { readAbsolutePath, readWord, type Refuse } from "../../lib/dockerfile/values.ts";
import * as z from "../../lib/zod_mini.ts";

/** JSON Schema of what is accepted where a text is meant. */
export const SCALAR = { type: ["string", "number", "boolean"] };
/** The same where a list of texts may stand as well, or nothing. */
export const LIST_OR_SCALAR = { type: [...SCALAR.type, "array", "null"] };

export type { Refuse };

/** What editors and the reference of the dappfile say of a schema, beside what it checks: members of its JSON Schema. */
export type About = string | { readonly [member: string]: unknown };

/** Says what editors show of a schema, which is nobody else's: a description, or members that it has beside others. */
export function about<S extends z.ZodType>(schema: S, what: About): S {
  const more = typeof what === "string" ? { description: what } : what;
  z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), ...more });
  return schema;
}

/** A value that may be absent. */
export function optional<S extends z.ZodType>(schema: S, what: About) {
  return about(z.optional(schema), what);
}

/** What a schema reads of something else. */
export function preprocess<S extends z.ZodType>(change: (value: unknown) => unknown, schema: S) {
  return z.pipe<z.Transform, S>(z.transform(change), schema);
}

/** A text that is checked and normalised by `read`, which refuses it or gives what is kept. */
export function checked<T>(read: (text: string, refuse: Refuse) => T) {
  return z.pipe(
    z.string(),
    z.transform((text: string, { issues }): T => {
      try {
        return read(text, (message, hint) => {
          throw new Refusal(message, hint);
        });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        issues.push(refused(text, error.message, error.hint));
        return z.NEVER;
      }
    }),
  );
}

/** What is wrong with a value, at a path in it. */
export function refused(input: unknown, message: string, hint?: string, path: PropertyKey[] = []) {
  return { code: "custom" as const, input, message, path, params: { hint } };
}

class Refusal extends Error {
  constructor(message: string, readonly hint: string | undefined) {
    super(message);
  }
}

/** Any text but the empty one. */
export const text = checked((value, refuse) => value.trim() === "" ? refuse("The value is empty") : value);

/** One word: a name or number. */
export const word = checked(readWord);

/** `true` or `false`. */
export const flag = checked((value, refuse) => {
  if (/^(?:true|True|TRUE)$/.test(value)) return true;
  if (/^(?:false|False|FALSE)$/.test(value)) return false;
  const meant = /^(?:yes|y|on|1)$/i.test(value)
    ? "true"
    : /^(?:no|n|off|0)$/i.test(value)
    ? "false"
    : undefined;
  return refuse(`"${value}" is neither true nor false`, meant && `Did you mean \`${meant}\`?`);
});

/** An absolute path without `.`, `..`, doubled or trailing slashes. */
export const absolutePath = checked(readAbsolutePath);

/** A path that stays relative, without `.`, doubled or trailing slashes; "" is where it starts. `..` is kept. */
export const relativePath = checked((value, refuse) => {
  if (value.trim() === "") return refuse("The path is empty", "Write `.` for the directory itself");
  if (value.startsWith("/")) {
    return refuse(
      `Path "${value}" is absolute: it must be relative`,
      `Did you mean "${value.replace(/^\/+/, "") || "."}"?`,
    );
  }
  return value.split("/").filter((part) => part !== "" && part !== ".").join("/");
});

/** A pattern relative to `add`, without a leading `./` or a trailing slash. */
export const glob = checked((value, refuse) => {
  if (value === "") return refuse("The pattern is empty", 'Write "**/*" for all files');
  if (value.startsWith("/")) {
    const tail = value.replace(/^\/+/, "");
    return refuse(
      `Pattern "${value}" starts with "/": patterns are relative to \`add\``,
      `Did you mean "${tail === "" ? "**/*" : tail}"?`,
    );
  }
  if (value.startsWith("!")) {
    return refuse(`Pattern "${value}" starts with "!"`, "Put exceptions under excludePaths");
  }
  const parts = value.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) return refuse(`Pattern "${value}" contains "..": patterns cannot leave \`add\``);
  if (parts.length === 0) return refuse(`Pattern "${value}" matches nothing`, 'Write "**/*" for all files');
  const pattern = parts.join("/");
  try {
    compileGlob(pattern);
  } catch (error) {
    if (!(error instanceof GlobError)) throw error;
    return refuse(error.message);
  }
  return pattern;
});

/** A list, where one value may be written without brackets and nothing means an absent list. */
export function listOf<S extends z.ZodType>(item: S) {
  return about(
    preprocess(
      (value) => value === null ? undefined : typeof value === "string" ? [value] : value,
      z.optional(z.array(z.optional(item))),
    ),
    LIST_OR_SCALAR,
  );
}

/** A list of maps; nothing means an absent list. */
export function entriesOf<S extends z.ZodType>(entry: S) {
  return about(preprocess((value) => value ?? undefined, z.optional(z.array(z.optional(entry)))), {
    type: ["array", "null"],
  });
}

/** A map with known keys; nothing means an absent map. */
export function section<T extends z.Shape>(shape: T) {
  return about(preprocess((value) => value ?? undefined, z.optional(z.strictObject(shape))), {
    type: ["object", "null"],
  });
}
