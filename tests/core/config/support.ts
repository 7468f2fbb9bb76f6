import { parseConfig } from "../../../core/config/parse.ts";
import type { Config, ImageRule } from "../../../core/contract/config.ts";
import { EngineError } from "../../../core/contract/errors.ts";

/** The environment of the cases. */
export const env = { TAG: "1.20", EMPTY: "", PORT: "8080", URL: "https://example.com/x.git" };

/** The configuration that a valid text means. */
export function read(text: string): Config {
  return parseConfig(text, { file: "dappfile.yaml", env }).config;
}

/** The first image of a valid text. */
export function firstImage(text: string): ImageRule {
  return read(text).images[0]!;
}

/** Every problem of an invalid text as `line:column path: message | hint`. */
export function problemsOf(text: string, file = "dappfile.yaml"): string[] {
  try {
    parseConfig(text, { file, env });
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== "CONFIG_INVALID") throw error;
    return (error.details.problems ?? []).map(({ line, column, path, message, hint }) =>
      `${line}:${column}${path ? ` ${path}` : ""}: ${message}${hint ? ` | ${hint}` : ""}`
    );
  }
  return [];
}

/** `value` without lines, files and numbers of lines. */
export function withoutLines(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLines);
  if (typeof value !== "object" || value === null) return value;
  const rows = Object.entries(value).filter(([key]) => !["line", "lines", "file"].includes(key)).map((
    [k, v],
  ) => [k, withoutLines(v)]);
  return Object.fromEntries(rows);
}

/** One case of a table of rejected texts. */
export interface Reject {
  readonly name: string;
  readonly text: string;
  readonly want: readonly string[];
}
