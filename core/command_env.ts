import { environment } from "./docker.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of commands in an image: its own, with PATH and HOME where it sets none. */
export function commandEnvironment(rows: readonly string[] | undefined): Record<string, string> {
  return { PATH: DEFAULT_PATH, HOME: "/root", ...environment(rows) };
}
