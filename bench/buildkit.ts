/** BuildKit by itself: `buildctl` and a `buildkitd` of its own, with the front end that is built in. */
import { kill, run } from "../tests/support/process.ts";
import { removeTree } from "../tests/support/tmp.ts";
import { dapp } from "./dapp.ts";
import type { Timed } from "./measure.ts";
import { runTimed, type Tool, type ToolOptions } from "./tool.ts";

/** A `buildkitd` of a tool's own. */
interface BenchDaemon extends AsyncDisposable {
  /** As BUILDKIT_HOST names it. */
  readonly socket: string;
  readonly version: string;
}

/**
 * The image exporter compresses and hashes every layer, as dapp does. A cold build is one without cache
 * (`--no-cache`): pruning would take the unpacked base along.
 */
export async function openBuildctl({ dir, base }: ToolOptions): Promise<Tool> {
  const daemon = await openDaemon(dir);
  return {
    ...buildctl({ dir, base }, daemon.socket),
    version: daemon.version,
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/**
 * dapp with the commands of stages in BuildKit. What is pushed goes through a registry: commands' layers from the daemon.
 * Its stages are forgotten on both sides; the build that warms up unpacks the base again.
 */
export async function openDappBuildkit(options: ToolOptions): Promise<Tool> {
  const { dir } = options;
  const daemon = await openDaemon(dir);
  let store = `${dir}/store0`;
  let resets = 0;
  const call = (project: string, ...words: readonly string[]): Timed => {
    const { argv, env } = dapp(options, { project, home: store }, ...words);
    return { argv, env: { ...env, BUILDKIT_HOST: daemon.socket } };
  };
  const build = (project: string) => call(project, "build");
  return {
    name: "dapp-buildkit",
    version: `dapp with ${daemon.version}`,
    async reset(warmUp) {
      await removeTree(store);
      store = `${dir}/store${++resets}`;
      await run(["buildctl", "--addr", daemon.socket, "prune", "--all"]);
      await runTimed(build(warmUp));
    },
    build,
    publish: (project, repo) => call(project, "bp", "--with-stages", "--tag=x", repo),
    async manifest(project) {
      const { argv, env } = call(project, "run", "app", "--", "cat", "/manifest.txt");
      return (await run(argv, env === undefined ? {} : { env })).stdout;
    },
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

async function openDaemon(dir: string): Promise<BenchDaemon> {
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
    return { socket, version, [Symbol.asyncDispose]: stop };
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
