import { EngineError, type FailedMoment, type OciPlatform } from "../../../core/contract/plugin.ts";
import type { FailureFacts } from "../../../lib/buildkit/client.ts";
import type { Gateway } from "../../../lib/buildkit/gateway.ts";
import { shellError } from "./failure.ts";
import { runInteractive } from "./interactive.ts";

/** A command of a Dockerfile that failed, and what is to be seen of it. */
export interface FailedCommand {
  readonly facts: FailureFacts;
  readonly when: FailedMoment;
  readonly platform: OciPlatform;
  readonly label: string;
  readonly term: string | undefined;
  readonly signal: AbortSignal;
}

/** A shell with the mounts, environment, user and directory of a command that failed. @throws RUN_FAILED */
export async function shellInDockerfile(
  gateway: Gateway,
  { facts, when, platform, label, term, signal }: FailedCommand,
): Promise<number> {
  const { exec, mounts = [], inputs = [] } = facts;
  const { meta } = exec ?? {};
  if (!exec || !meta) {
    throw new EngineError(
      "RUN_FAILED",
      `Cannot open a shell in "${label}": the daemon does not say what failed`,
    );
  }
  const [program = ""] = meta.args;
  const container = {
    Mounts: exec.mounts.map(({ $typeName: _, ...mount }, i) => ({
      ...mount,
      input: -1n,
      output: -1n,
      resultID: (when === "after" ? mounts[i] : inputs[Number(mount.input)]) ?? "",
    })),
    Network: exec.network,
    hostname: meta.hostname,
    platform: { OS: platform.os, Architecture: platform.architecture, Variant: platform.variant ?? "" },
  };
  try {
    return await runInteractive(gateway, container, {
      args: [/(?:^|\/)\w*sh$/.test(program) ? program : "/bin/sh"],
      env: [...meta.env, ...(term ? [`TERM=${term}`] : [])],
      cwd: meta.cwd,
      user: meta.user,
    }, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw shellError(error, label);
  }
}
