import { builderContainer, firstEngine } from "../../../lib/docker/buildkit_container.ts";
import { DockerError } from "../../../lib/docker/engine.ts";
import { findEngines } from "../../../lib/docker/find_engines.ts";
import type { Environment } from "./address.ts";

/** The builder that `dapp builder setup` made on this machine, if it runs: its address, and the engine it is in. */
export async function builderSetUp(
  env: Environment,
  signal: AbortSignal,
): Promise<{ readonly address: string; readonly host: string } | undefined> {
  const { engine } = await firstEngine(await findEngines(env), signal);
  if (!engine) return undefined;
  try {
    const builder = await builderContainer(engine.host, signal);
    return builder?.state === "running" ? builder : undefined;
  } catch (error) {
    if (error instanceof DockerError) return undefined;
    throw error;
  }
}
