/** Commands about a builder in a container of this machine's Docker engine. */
import { EngineError } from "../../mod.ts";
import {
  builderContainer,
  firstEngine,
  type FoundEngine,
  removeBuilder,
  setUpBuilder,
} from "../../lib/docker/buildkit_container.ts";
import { DockerError } from "../../lib/docker/engine.ts";
import { findEngines } from "../../lib/docker/find_engines.ts";
import type { CommandRun, Context } from "../command.ts";

/** `dapp builder setup`: makes, or finds, a BuildKit daemon in a container. */
export const builderSetup: CommandRun = async ({ io, options, answer }) => {
  const { signal } = io;
  const engine = await requireEngine(io, signal);
  const image = options.text("image");
  if (options.flag("dry-run")) {
    answer({ engine, dryRun: true }, () => [`would set up a builder in ${named(engine)}`]);
    return 0;
  }
  const done = await told("Cannot set up a builder", () => setUpBuilder(engine.host, image, signal));
  const builder = await builderContainer(engine.host, signal);
  const isDefault = Deno.build.os !== "linux";
  answer({ engine, builder, done }, () => [
    `engine: ${named(engine)}`,
    ...done,
    ...(isDefault ? ["dapp uses it on this machine without further settings."] : [
      "To use it, for this machine or in the first document of a dappfile:",
      `  export BUILDKIT_HOST=${builder?.address}${
        engine.found === "DOCKER_HOST" || engine.host === "unix:///var/run/docker.sock"
          ? ""
          : ` DOCKER_HOST=${engine.host}`
      }`,
      `  plugins: [{ use: builder-buildkit, options: { addresses: "${builder?.address}" } }]`,
    ]),
  ]);
  return 0;
};

/** `dapp builder list`: the builder that was set up, and its engine. */
export const builderList: CommandRun = async ({ io, answer, quiet }) => {
  const { signal } = io;
  const engine = await requireEngine(io, signal);
  const builder = await told("Cannot list builders", () => builderContainer(engine.host, signal));
  answer({ engine, builders: builder ? [builder] : [] }, () => {
    if (!builder) return quiet ? [] : [`none in ${named(engine)}; make one with: dapp builder setup`];
    return [
      quiet ? builder.address : `${builder.address}  ${builder.state}  ${builder.image}  in ${named(engine)}`,
    ];
  });
  return 0;
};

/** `dapp builder remove`: removes it with what it keeps. */
export const builderRemove: CommandRun = async ({ io, options, answer }) => {
  const { signal } = io;
  const engine = await requireEngine(io, signal);
  const dryRun = options.flag("dry-run");
  const removed = await told(
    "Cannot remove the builder",
    async () =>
      dryRun
        ? await builderContainer(engine.host, signal) !== undefined
        : await removeBuilder(engine.host, signal),
  );
  answer({ engine, removed, dryRun }, () => [
    removed
      ? `${dryRun ? "would remove" : "removed"} container dapp-buildkitd and its volume in ${named(engine)}`
      : `none in ${named(engine)}`,
  ]);
  return 0;
};

function named({ version, found, host }: FoundEngine): string {
  return `${version} at ${host} (${found})`;
}

/** @throws BUILDER_UNAVAILABLE when no engine answers */
async function requireEngine({ env }: Context["io"], signal: AbortSignal): Promise<FoundEngine> {
  const { engine, silent } = await firstEngine(await findEngines(env), signal);
  if (engine) return engine;
  const why = silent.length > 0
    ? silent.join("; ")
    : "neither DOCKER_HOST, nor a docker context, nor a known socket is there";
  throw new EngineError("BUILDER_UNAVAILABLE", `Cannot find a Docker engine: ${why}`, {
    fix: "Start Docker Desktop, Podman, Colima or another Docker engine, or set DOCKER_HOST",
  });
}

async function told<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    throw new EngineError("BUILDER_UNAVAILABLE", `${doing}: ${error.message}`, {
      fix: "See what the engine says, and run the command again: what is done already stays",
    });
  }
}
