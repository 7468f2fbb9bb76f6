/** A real Docker daemon of the test's own: own data, socket and containerd; no bridge and no firewall rules. */
import { mountsBelow, unmountBelow } from "./journal_fs.ts";
import { peer } from "./peers.ts";
import { endDaemon, run, type RunOptions, type RunResult } from "./process.ts";
import { removeTree } from "./tmp.ts";

export interface Docker extends AsyncDisposable {
  readonly socket: string;
  /** Path of the command line client whose version fits the daemon's. */
  readonly client: string;
  /** DOCKER_HOST and an empty DOCKER_CONFIG. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs the client. Containers need `--network host` (or none). @throws RunError */
  docker(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Loads the image `latest` of an OCI layout directory as `name`. Needs skopeo. */
  load(layout: string, name: string): Promise<void>;
}

export interface DockerOptions {
  /** Where images live; must be a file system that overlayfs can use. @default a temporary directory */
  readonly dataRoot?: string;
}

/** Starts a daemon, or returns undefined when Docker is not installed or this process is not root. */
export async function startDocker(options: DockerOptions = {}): Promise<Docker | undefined> {
  const dockerd = await peer("dockerd");
  if (dockerd === undefined || await peer("docker") === undefined || Deno.uid() !== 0) return undefined;
  const client = await fittingClient(dockerd);
  const dir = await Deno.makeTempDir({ prefix: "dapp-docker-" }); // short: socket names have at most 107 bytes
  const id = dir.slice(dir.lastIndexOf("/") + 1);
  const dataRoot = options.dataRoot ?? `${dir}/data`;
  const socket = `${dir}/docker.sock`;
  const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: `${dir}/config` };
  await Deno.mkdir(dataRoot, { recursive: true });
  await Deno.writeTextFile(`${dir}/daemon.json`, "{}");
  const keep = [...await mountsBelow(dataRoot), ...await mountsBelow(dir)];
  // pdeathsig: a killed test run takes its daemon along
  const child = new Deno.Command("setpriv", {
    args: ["--pdeathsig", "TERM", "sh", "-c", 'exec "$@" >"$0" 2>&1', `${dir}/log`, dockerd].concat(
      ["--host", `unix://${socket}`, "--pidfile", `${dir}/pid`],
      ["--config-file", `${dir}/daemon.json`, "--data-root", dataRoot, "--exec-root", `${dir}/exec`],
      ["--iptables=false", "--ip6tables=false", "--bridge=none", "--shutdown-timeout=5"],
      ["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", `/${id}`],
      ["--containerd-namespace", id, "--containerd-plugins-namespace", `${id}-plugins`],
    ),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const stop = async () => {
    await endDaemon(child);
    await unmountBelow(dataRoot, keep);
    await unmountBelow(dir, keep);
    await removeControlGroups(id);
    await removeTree(dir);
  };
  try {
    await answering(child, client, socket);
  } catch (error) {
    const log = (await Deno.readTextFile(`${dir}/log`).catch(() => "")).split("\n").slice(-20).join("\n");
    await stop();
    throw new Error(`Cannot start dockerd: it ended before it answered\n${log}`, { cause: error });
  }
  const docker: Docker["docker"] = (args, runOptions = {}) =>
    run([client, ...args], { ...runOptions, env: { ...env, ...runOptions.env } });
  return {
    socket,
    client,
    env,
    docker,
    async load(layout, name) {
      const to = `docker-daemon:${name.includes(":") ? name : `${name}:latest`}`;
      await run(["skopeo", "copy", "--dest-daemon-host", `unix://${socket}`, `oci:${layout}:latest`, to]);
    },
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * One daemon for the tests of a file, started before the first and stopped after the last. Call it at the top of the
 * file; the function it returns gives the daemon inside tests.
 */
export function useDocker(options: DockerOptions = {}): () => Docker | undefined {
  let docker: Docker | undefined;
  Deno.test.beforeAll(async () => {
    docker = await startDocker(options);
  });
  Deno.test.afterAll(async () => {
    await docker?.[Symbol.asyncDispose]();
  });
  return () => docker;
}

/** Resolves when the socket is there, behind which requests wait for the daemon; rejects when the daemon ends. */
async function answering(child: Deno.ChildProcess, client: string, socket: string): Promise<void> {
  const ended = child.status.then(({ code }): never => {
    throw new Error(`exit code ${code}`);
  });
  ended.catch(() => {}); // observed below, or of no interest any more
  using watcher = Deno.watchFs(socket.slice(0, socket.lastIndexOf("/")), { recursive: false });
  const created = (async () => {
    if (await isThere(socket)) return;
    for await (const event of watcher) {
      if (event.paths.includes(socket) && event.kind === "create") return;
    }
  })();
  await Promise.race([created, ended]);
  await Promise.race([run([client, "--host", `unix://${socket}`, "version"]), ended]);
}

/** Best effort: a control group that is still in use stays. */
async function removeControlGroups(id: string): Promise<void> {
  await run(["sh", "-c", 'find /sys/fs/cgroup -depth -type d -path "*/$0*" -exec rmdir {} +', id], {
    allowFailure: true,
  });
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Of all clients on the path, the one of the daemon's version: a later one builds with a plugin instead. */
async function fittingClient(dockerd: string): Promise<string> {
  const wanted = majorMinor((await run([dockerd, "--version"])).stdout);
  const found: string[] = [];
  for (const dir of (Deno.env.get("PATH") ?? "").split(":")) {
    if (!await isThere(`${dir}/docker`)) continue;
    found.push(`${dir}/docker`);
    if (majorMinor((await run([`${dir}/docker`, "--version"])).stdout) === wanted) return `${dir}/docker`;
  }
  return found[0] ?? "docker";
}

function majorMinor(version: string): string | undefined {
  return /version (\d+\.\d+)\./.exec(version)?.[1];
}
