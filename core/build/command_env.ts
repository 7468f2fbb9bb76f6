import type { GrownImage } from "../layers/stage_output.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { DEFAULT_PATH, environment } from "./docker_instructions.ts";
import { proxyVariables } from "./step_network.ts";

/** Options that commands of stages see something of. */
export type EnvironmentNeeds = Pick<ResolvedOptions, "env" | "untrusted" | "epoch">;

/** The environment of programs in an image: its own, with PATH where it sets none. */
export function programEnvironment(rows: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries([["PATH", DEFAULT_PATH], ...environment(rows)]);
}

/** The environment of a stage's commands, which run as root upon `parent`. */
export function stepEnvironment(
  options: EnvironmentNeeds,
  { config }: Pick<GrownImage, "config">,
): Record<string, string> {
  return {
    ...proxyVariables(options),
    HOME: "/root",
    ...programEnvironment(config.config?.Env),
    SOURCE_DATE_EPOCH: String(options.epoch),
  };
}
