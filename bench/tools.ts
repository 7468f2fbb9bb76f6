/** The tools side by side: each can forget its stages, build, and show what it built. */
import { type Docker, startDocker } from "../tests/support/docker.ts";
import { peer } from "../tests/support/peers.ts";
import { run } from "../tests/support/process.ts";
import { openBuildctl, openDappBuildkit } from "./buildkit.ts";
import { dapp } from "./dapp.ts";
import { removeTree } from "../tests/support/tmp.ts";
import type { Lab } from "./lab.ts";
import type { Timed } from "./measure.ts";
import { inOrder, runTimed, type Tool, type ToolOptions } from "./tool.ts";

/** Those of the `wanted` tools that take part, each below `dir`; `stack` takes them down. */
export async function openTools(
  stack: AsyncDisposableStack,
  lab: Lab,
  dir: string,
  wanted: readonly ToolName[],
): Promise<readonly Tool[]> {
  const tools: Tool[] = [];
  for (const name of wanted.filter((name) => lab.only.includes(name.replace("-stages", "")))) {
    const tool = stack.use(await openTool(name, { dir: `${dir}/${name}`, base: lab.base, dapp: lab.dapp }));
    lab.versions.set(tool.name, tool.version);
    tools.push(tool);
  }
  return tools;
}

type ToolName = "dapp" | "dapp-stages" | "dapp-buildkit" | "buildkit" | "buildctl" | "buildah" | "legacy";

/** Sets a tool up below its own directory. @throws Error when it is not installed */
async function openTool(name: ToolName, options: ToolOptions): Promise<Tool> {
  await Deno.mkdir(options.dir, { recursive: true });
  switch (name) {
    case "dapp":
    case "dapp-stages":
      return await openDapp(name, options);
    case "dapp-buildkit":
      return await openDappBuildkit(options);
    case "buildkit":
    case "legacy":
      return await openDocker(name, options);
    case "buildctl":
      return await openBuildctl(options);
    case "buildah":
      return await openBuildah(options);
  }
}

/** `dapp-stages` shares every stage through REPO and publishes in a second process; `dapp` only publishes. */
async function openDapp(name: "dapp" | "dapp-stages", options: ToolOptions): Promise<Tool> {
  const { dir } = options;
  let store = `${dir}/store0`;
  let resets = 0;
  const call = (project: string, ...words: readonly string[]) =>
    dapp(options, { project, home: store }, ...words);
  const build = (project: string) => call(project, "build");
  return {
    name,
    version: (await run([...options.dapp, "--version"])).stdout.trim(),
    async reset(warmUp) {
      await removeTree(store);
      store = `${dir}/store${++resets}`;
      await runTimed(build(warmUp));
    },
    build,
    publish: (project, repo) =>
      name === "dapp" ? call(project, "bp", "--tag=x", repo) : inOrder(
        call(project, "build", `--repo=${repo}`),
        call(project, "push", "--tag=x", repo),
      ),
    async manifest(project) {
      const { argv } = call(project, "run", "app", "--", "cat", "/manifest.txt");
      return (await run(argv)).stdout;
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** A daemon of its own for each builder: they would share layers. */
async function openDocker(name: "buildkit" | "legacy", { dir, base }: ToolOptions): Promise<Tool> {
  const docker: Docker | undefined = await startDocker({ dataRoot: `${dir}/data` });
  if (docker === undefined) {
    throw new Error(`Cannot measure "${name}": docker is not installed or this is not root`);
  }
  await docker.load(base.layout, base.image);
  const format = "{{.ServerVersion}}, {{.Driver}} on {{(index .DriverStatus 0 1)}}";
  const { stdout } = await docker.docker(["info", "--format", format]);
  const env = { ...docker.env, DOCKER_BUILDKIT: name === "buildkit" ? "1" : "0" };
  const build = (project: string, ...names: readonly string[]): Timed => ({
    argv: [
      ...[docker.client, "build", "--quiet", "--network", "host", "--tag", "app"],
      ...names.flatMap((name) => ["--tag", name]),
      project,
    ],
    env,
  });
  const forget = async () => {
    await forgetImages(docker, `${base.image}:latest`);
    await docker.docker(["builder", "prune", "--all", "--force"]);
  };
  return {
    name,
    version: `inside dockerd ${stdout.trim()}`,
    async reset(warmUp) {
      await forget();
      await runTimed(build(warmUp));
      await forget();
    },
    build,
    publish: (project, repo) =>
      inOrder(build(project, `${repo}/app:x`), {
        argv: [docker.client, "push", "--quiet", `${repo}/app:x`],
        env,
      }),
    manifest: async () => (await docker.docker(["run", "--rm", "--network", "host", "app"])).stdout,
    [Symbol.asyncDispose]: () => docker[Symbol.asyncDispose](),
  };
}

/** Removes every image but `kept`, and with them what they were built from. */
export async function forgetImages(docker: Docker, kept?: string): Promise<void> {
  const { stdout } = await docker.docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
  const names = stdout.split("\n").filter((name) => name !== "" && name !== kept && !name.includes("<none>"));
  if (names.length > 0) await docker.docker(["image", "rm", "--force", ...names]);
  await docker.docker(["image", "prune", "--force"]);
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
    publish: (project, repo) =>
      inOrder(build(project), {
        argv: [buildah, ...places, "push", "--quiet", "--tls-verify=false", "app", `docker://${repo}/app:x`],
        env,
      }),
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
