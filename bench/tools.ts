/** The tools side by side: each can forget its stages, build, and show what it built. */
import { type Docker, startDocker } from "../tests/support/docker.ts";
import { peer } from "../tests/support/peers.ts";
import { run } from "../tests/support/process.ts";
import { removeTree } from "../tests/support/tmp.ts";

/** A command that is measured as a whole process. */
export interface Timed {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Tool extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  /** Forgets all stages; afterwards the base image is local and has been built on. Not measured. */
  reset(warmUp: string): Promise<void>;
  /** Builds the project in `dir`. */
  build(dir: string): Timed;
  /** Content of /manifest.txt in the image built last. */
  manifest(dir: string): Promise<string>;
}

export interface ToolOptions {
  /** On the file system that is measured. */
  readonly dir: string;
  readonly base: { readonly layout: string; readonly image: string };
}

export const toolNames = ["dapp", "buildkit", "buildah"] as const;

/** Sets a tool up below its own directory. @throws Error when it is not installed */
export async function openTool(name: string, options: ToolOptions): Promise<Tool> {
  await Deno.mkdir(options.dir, { recursive: true });
  switch (name) {
    case "dapp":
      return await openDapp(options);
    case "buildkit":
      return await openBuildKit(options);
    case "buildah":
      return await openBuildah(options);
    default:
      throw new Error(`Cannot measure "${name}": known tools are ${toolNames.join(", ")}`);
  }
}

/** The command line as a user starts it. */
export const dappCommand = [Deno.execPath(), "run", "-A", new URL("../cli.ts", import.meta.url).pathname];

async function openDapp({ dir }: ToolOptions): Promise<Tool> {
  let store = `${dir}/store0`;
  let resets = 0;
  const build = (project: string): Timed => ({
    argv: [...dappCommand, "dimg", "build", "--dir", project, "--home", store],
    env: { CI: "true" },
  });
  return {
    name: "dapp",
    version: (await run([...dappCommand, "--version"])).stdout.trim(),
    async reset(warmUp) {
      await removeTree(store);
      store = `${dir}/store${++resets}`;
      await runTimed(build(warmUp));
    },
    build,
    async manifest(project) {
      const show = ["dimg", "run", "app", "--dir", project, "--home", store, "--", "cat", "/manifest.txt"];
      return (await run([...dappCommand, ...show])).stdout;
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function openBuildKit({ dir, base }: ToolOptions): Promise<Tool> {
  const docker: Docker | undefined = await startDocker({ dataRoot: `${dir}/data` });
  if (docker === undefined) {
    throw new Error("Cannot measure BuildKit: docker is not installed or this is not root");
  }
  await docker.load(base.layout, base.image);
  const format = "{{.ServerVersion}}, {{.Driver}} on {{(index .DriverStatus 0 1)}}";
  const { stdout } = await docker.docker(["info", "--format", format]);
  const build = (project: string): Timed => ({
    argv: [docker.client, "build", "--quiet", "--network", "host", "--tag", "app", project],
    env: { ...docker.env, DOCKER_BUILDKIT: "1" },
  });
  return {
    name: "buildkit",
    version: `inside dockerd ${stdout.trim()}`,
    async reset(warmUp) {
      await docker.docker(["image", "rm", "--force", "app"], { allowFailure: true });
      await docker.docker(["builder", "prune", "--all", "--force"]);
      await runTimed(build(warmUp));
      await docker.docker(["image", "rm", "--force", "app"]);
      await docker.docker(["builder", "prune", "--all", "--force"]);
    },
    build,
    manifest: async () => (await docker.docker(["run", "--rm", "--network", "host", "app"])).stdout,
    [Symbol.asyncDispose]: () => docker[Symbol.asyncDispose](),
  };
}

async function openBuildah({ dir, base }: ToolOptions): Promise<Tool> {
  const buildah = await peer("buildah");
  if (buildah === undefined) throw new Error("Cannot measure buildah: it is not installed");
  const places = ["--root", `${dir}/root`, "--runroot", `${dir}/run`, "--storage-driver", "overlay"];
  const env = { TMPDIR: `${dir}/tmp`, BUILDAH_ISOLATION: "chroot" };
  await Deno.mkdir(env.TMPDIR, { recursive: true });
  const call = (...args: string[]) => run([buildah, ...places, ...args], { env });
  // not "buildah pull": it makes a name of the layout's path, and refuses one with a hidden directory
  const storage = `containers-storage:[overlay@${dir}/root+${dir}/run]localhost/${base.image}:latest`;
  await run(["skopeo", "copy", "--quiet", `oci:${base.layout}:latest`, storage]);
  const baseId = (await call("images", "--all", "--quiet", "--no-trunc")).stdout.replace("sha256:", "")
    .trim();
  const build = (project: string): Timed => ({
    argv: [
      buildah,
      ...places,
      ...["build", "--layers", "--quiet", "--pull-never", "--network", "host", "--tag", "app", project],
    ],
    env,
  });
  const forget = async () => {
    const ids = (await call("images", "--all", "--quiet", "--no-trunc")).stdout.split("\n")
      .map((id) => id.replace("sha256:", "").trim()).filter((id) => id !== "" && id !== baseId);
    if (ids.length > 0) await call("rmi", "--force", ...new Set(ids));
  };
  return {
    name: "buildah",
    version: `${(await call("--version")).stdout.trim()}, overlay, chroot isolation`,
    async reset(warmUp) {
      await forget();
      await runTimed(build(warmUp));
      await forget();
    },
    build,
    async manifest() {
      const container = (await call("from", "--pull-never", "app")).stdout.trim();
      try {
        return (await call("run", container, "--", "cat", "/manifest.txt")).stdout;
      } finally {
        await call("rm", container);
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Runs a measured command outside of a measurement. */
export async function runTimed({ argv, env }: Timed): Promise<void> {
  await run(argv, env === undefined ? {} : { env });
}
