/** The tools that move a finished image between this machine and a registry. */
import { startDocker } from "../tests/support/docker.ts";
import { peer } from "../tests/support/peers.ts";
import { run } from "../tests/support/process.ts";
import { removeTree } from "../tests/support/tmp.ts";
import type { Lab } from "./lab.ts";
import { dapp } from "./dapp.ts";
import { forgetImages } from "./tools.ts";
import type { Timed } from "./measure.ts";

/** Where the image comes from: a project that dapp has built, and an OCI layout with the image as `latest`. */
export interface Source {
  readonly project: string;
  readonly home: string;
  readonly layout: string;
}

export interface Mover {
  readonly name: string;
  /** Takes the image as it is in the layout now. Not measured, like all but the commands. */
  take(): Promise<void>;
  /** Makes the next {@linkcode push} to `repo` possible. */
  prepare(repo: string): Promise<void>;
  /** Pushes the image as `REPO/app:x`. */
  push(repo: string): Timed;
  /** Forgets every image. */
  forget(): Promise<void>;
  /** Brings the image here, as it is sent; absent when the tool cannot do that alone. */
  pull?(repo: string): Timed;
  /** Brings the image here and makes it ready to run; absent when the tool does not unpack. */
  pullAndUnpack?(repo: string): Timed;
}

/** The movers that take part; `stack` takes them down. @throws Error when one is not installed */
export async function openMovers(
  stack: AsyncDisposableStack,
  lab: Lab,
  dir: string,
  source: Source,
): Promise<readonly Mover[]> {
  const movers: Mover[] = [];
  if (lab.only.includes("dapp")) movers.push(openDapp(lab, dir, source));
  if (lab.only.includes("skopeo")) movers.push(await openSkopeo(lab, dir, source));
  if (lab.only.includes("crane")) movers.push(await openCrane(lab, dir, source));
  if (lab.only.includes("regctl")) movers.push(await openRegctl(lab, dir, source));
  if (lab.only.includes("buildkit") || lab.only.includes("legacy")) {
    movers.push(await openDocker(stack, dir, source));
  }
  if (lab.only.includes("buildah")) movers.push(await openBuildah(dir, source));
  return movers;
}

const nothing = async () => {};

/** A pull takes the image's last stage; running a command in it unpacks it, and is measured too. */
function openDapp(lab: Lab, dir: string, here: Source): Mover {
  const other = { project: here.project, home: `${dir}/dapp` };
  return {
    name: "dapp",
    take: nothing,
    prepare: nothing,
    push: (repo) => dapp(lab, here, "push", "--tag=x", repo),
    forget: () => removeTree(other.home),
    pull: (repo) => dapp(lab, other, "stages pull", repo),
    pullAndUnpack: (repo) => dapp(lab, other, "run", `--repo=${repo}`, "app", "--", "true"),
  };
}

async function openSkopeo(lab: Lab, dir: string, { layout }: Source): Promise<Mover> {
  const skopeo = await required("skopeo");
  lab.versions.set("skopeo", (await run([skopeo, "--version"])).stdout.trim());
  const other = `${dir}/skopeo`;
  const copy = [skopeo, "copy", "--quiet"];
  return {
    name: "skopeo",
    take: nothing,
    prepare: nothing,
    push: (repo) => ({
      argv: [...copy, "--dest-tls-verify=false", `oci:${layout}:latest`, `docker://${repo}/app:x`],
    }),
    forget: () => removeTree(other),
    pull: (repo) => ({
      argv: [...copy, "--src-tls-verify=false", `docker://${repo}/app:x`, `oci:${other}:latest`],
    }),
  };
}

async function openCrane(lab: Lab, dir: string, { layout }: Source): Promise<Mover> {
  const crane = await required("crane");
  lab.versions.set("crane", (await run([crane, "version"])).stdout.trim());
  const other = `${dir}/crane`;
  return {
    name: "crane",
    take: nothing,
    prepare: nothing,
    push: (repo) => ({ argv: [crane, "push", "--insecure", layout, `${repo}/app:x`] }),
    forget: () => removeTree(other),
    pull: (repo) => ({ argv: [crane, "pull", "--insecure", "--format=oci", `${repo}/app:x`, other] }),
  };
}

async function openRegctl(lab: Lab, dir: string, { layout }: Source): Promise<Mover> {
  const regctl = await required("regctl");
  const { stdout } = await run([regctl, "version", "--format", "{{.VCSTag}}"]);
  lab.versions.set("regctl", stdout.trim());
  const other = `${dir}/regctl`;
  const copy = (repo: string, from: string, to: string): Timed => ({
    argv: [regctl, "image", "copy", "--host", `reg=${repo.split("/")[0]},tls=disabled`, from, to],
  });
  return {
    name: "regctl",
    take: nothing,
    prepare: nothing,
    push: (repo) => copy(repo, `ocidir://${layout}:latest`, `${repo}/app:x`),
    forget: () => removeTree(other),
    pull: (repo) => copy(repo, `${repo}/app:x`, `ocidir://${other}:latest`),
  };
}

async function openDocker(stack: AsyncDisposableStack, dir: string, { layout }: Source): Promise<Mover> {
  const docker = await startDocker({ dataRoot: `${dir}/docker` });
  if (docker === undefined) throw new Error("Cannot measure docker: it is not installed or this is not root");
  stack.use(docker);
  const call = (...args: string[]): Timed => ({ argv: [docker.client, ...args], env: docker.env });
  return {
    name: "docker",
    take: () => docker.load(layout, "app"),
    prepare: async (repo) => void await docker.docker(["tag", "app", `${repo}/app:x`]),
    push: (repo) => call("push", "--quiet", `${repo}/app:x`),
    forget: () => forgetImages(docker),
    pullAndUnpack: (repo) => call("pull", "--quiet", `${repo}/app:x`),
  };
}

async function openBuildah(dir: string, { layout }: Source): Promise<Mover> {
  const buildah = await required("buildah");
  const places = [
    "--root",
    `${dir}/buildah`,
    "--runroot",
    `${dir}/buildah-run`,
    "--storage-driver",
    "overlay",
  ];
  const env = { TMPDIR: `${dir}/buildah-tmp` };
  await Deno.mkdir(env.TMPDIR, { recursive: true });
  const call = (command: string, ...args: string[]): Timed => ({
    argv: [buildah, ...places, command, "--quiet", "--tls-verify=false", ...args],
    env,
  });
  const storage = `containers-storage:[overlay@${dir}/buildah+${dir}/buildah-run]localhost/app:latest`;
  return {
    name: "buildah",
    take: async () => void await run(["skopeo", "copy", "--quiet", `oci:${layout}:latest`, storage]),
    prepare: nothing,
    push: (repo) => call("push", "app", `docker://${repo}/app:x`),
    forget: async () => void await run([buildah, ...places, "rmi", "--all", "--force"], { env }),
    pullAndUnpack: (repo) => call("pull", `docker://${repo}/app:x`),
  };
}

/** @throws Error when the tool is not installed */
async function required(tool: string): Promise<string> {
  const path = await peer(tool);
  if (path === undefined) throw new Error(`Cannot measure ${tool}: it is not installed`);
  return path;
}
