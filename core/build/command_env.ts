import { DEFAULT_PATH, environment } from "./docker.ts";

/** The environment of commands in an image: its own, with PATH and HOME where it sets none. */
export function commandEnvironment(rows: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries([["PATH", DEFAULT_PATH], ["HOME", "/root"], ...environment(rows)]);
}
