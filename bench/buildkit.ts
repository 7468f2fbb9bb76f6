/** BuildKit by itself: `buildctl` and a `buildkitd` of its own, with the front end that is built in. */
import { kill, run } from "../tests/support/process.ts";
import type { Timed } from "./measure.ts";
import { runTimed, type Tool, type ToolOptions } from "./tool.ts";

/**
 * The image exporter compresses and hashes every layer, as dapp does. A cold build is one without cache
 * (`--no-cache`): pruning would take the unpacked base along.
 */
export async function openBuildctl({ dir, base }: ToolOptions): Promise<Tool> {
  const socket = `unix://${dir}/buildkitd.sock`;
  const daemon = new Deno.Command("setpriv", {
    args: [
      ...["--pdeathsig", "TERM", "buildkitd", "--addr", socket, "--root", `${dir}/root`],
      ...["--oci-worker=true", "--containerd-worker=false", "--oci-worker-net=host"],
      ...["--oci-worker-snapshotter=overlayfs", "--otel-socket-path", `${dir}/otel.sock`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const ended = daemon.status.then(() => true);
  const stop = async () => {
    kill(daemon, "SIGTERM");
    await ended;
  };
  try {
    await answering(socket, ended);
    const version = (await run(["buildctl", "--version"])).stdout.trim();
    return { ...buildctl({ dir, base }, socket), version, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function buildctl(
  { dir, base }: Pick<ToolOptions, "dir" | "base">,
  socket: string,
): Omit<Tool, "version" | typeof Symbol.asyncDispose> {
  let cold = false;
  const digest = baseDigest(base.layout);
  const build = (project: string, output: string): Timed => {
    const noCache = cold ? ["--no-cache"] : [];
    cold = false;
    return {
      argv: [
        ...["buildctl", "--addr", socket, "build", "--progress", "quiet", "--frontend", "dockerfile.v0"],
        ...["--local", `context=${project}`, "--local", `dockerfile=${project}`],
        ...["--oci-layout", `base=${base.layout}`],
        ...["--opt", `context:${base.image}=oci-layout://base@${digest}`],
        ...noCache,
        ...["--output", output],
      ],
    };
  };
  return {
    name: "buildctl",
    async reset(warmUp) {
      await runTimed(build(warmUp, "type=image,name=warm"));
      cold = true;
    },
    build: (project) => build(project, "type=image,name=app"),
    publish: (project, repo) =>
      build(project, `type=image,name=${repo}/app:x,push=true,registry.insecure=true`),
    async manifest(project) {
      const file = `${dir}/image.tar`;
      await runTimed(build(project, `type=tar,dest=${file}`));
      return (await run(["tar", "-xOf", file, "manifest.txt"])).stdout;
    },
  };
}

function baseDigest(layout: string): string {
  const { manifests } = JSON.parse(Deno.readTextFileSync(`${layout}/index.json`));
  return manifests[0].digest;
}

/** Waits until the daemon answers. @throws Error when it ends */
async function answering(socket: string, ended: Promise<boolean>): Promise<void> {
  for (;;) {
    const asked = await run(["buildctl", "--addr", socket, "debug", "workers"], { allowFailure: true });
    if (asked.code === 0) return;
    const pause = Promise.withResolvers<false>();
    const timer = setTimeout(() => pause.resolve(false), 100);
    const over = await Promise.race([ended, pause.promise]);
    clearTimeout(timer);
    if (over) throw new Error("Cannot measure buildctl: buildkitd ends at once");
  }
}
