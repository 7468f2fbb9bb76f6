import { DEFAULT_PATH, environment } from "./docker_instructions.ts";

/** The environment of programs in an image: its own, with PATH where it sets none. */
export function programEnvironment(rows: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries([["PATH", DEFAULT_PATH], ...environment(rows)]);
}

/** The environment of a stage's commands, which run as root. */
export function commandEnvironment(rows: readonly string[] | undefined): Record<string, string> {
  return { HOME: "/root", ...programEnvironment(rows) };
}
