/** The outside of a golden case, made from its `world.yaml`: repositories with fixed commits, base images. */
import { parse } from "yaml";
import type { BaseImage } from "./golden_base.ts";
import { writeBase } from "./golden_base.ts";
import { type FileSpec, writeFiles } from "./project.ts";
import { run } from "./process.ts";

/** One state of a repository. */
export interface CommitSpec {
  readonly write?: Readonly<Record<string, FileSpec>>;
  readonly remove?: readonly string[];
  /** Directory of a submodule to name in `repositories`; it is moved to the newest commit there. */
  readonly submodules?: Readonly<Record<string, string>>;
}

/** One run of the engine. */
export interface BuildSpec {
  /** @default linux/amd64 */
  readonly platform?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** With an empty store instead of the one that earlier builds filled. */
  readonly cold?: boolean;
}

export interface Step extends CommitSpec {
  readonly name: string;
  /** @default one, with nothing special */
  readonly builds?: readonly BuildSpec[];
}

/** `world.yaml` of a case. */
export interface World {
  readonly about: string;
  /** Stages run commands: where a machine cannot run them, only signatures are compared. */
  readonly commands?: boolean;
  /** OCI layouts `../bases/NAME` of images tagged `latest`. */
  readonly bases?: Readonly<Record<string, Readonly<Record<string, BaseImage>>>>;
  /** Repositories `../repositories/NAME` with their commits. */
  readonly repositories?: Readonly<Record<string, readonly CommitSpec[]>>;
  /** Commits of the project, in order, each built. */
  readonly steps: readonly Step[];
}

/** Who commits, when and how: the same everywhere. */
export const gitEnv: Readonly<Record<string, string>> = {
  GIT_AUTHOR_NAME: "Ann",
  GIT_AUTHOR_EMAIL: "ann@example.com",
  GIT_AUTHOR_DATE: "2024-01-01T00:00:00Z",
  GIT_COMMITTER_NAME: "Ann",
  GIT_COMMITTER_EMAIL: "ann@example.com",
  GIT_COMMITTER_DATE: "2024-01-01T00:00:00Z",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "protocol.file.allow",
  GIT_CONFIG_VALUE_0: "always",
};

export async function readWorld(caseDir: string): Promise<World> {
  return parse(await Deno.readTextFile(`${caseDir}/world.yaml`)) as World;
}

/** Makes what lies beside the project, and the project's empty repository with the dappfile in it. */
export async function createWorld(root: string, caseDir: string, world: World): Promise<void> {
  for (const [name, images] of Object.entries(world.bases ?? {})) {
    await writeBase(`${root}/bases/${name}`, images);
  }
  for (const [name, commits] of Object.entries(world.repositories ?? {})) {
    const dir = `${root}/repositories/${name}`;
    await createRepository(dir);
    for (const spec of commits) await commit(root, dir, spec);
  }
  await createRepository(`${root}/project`);
  await Deno.copyFile(`${caseDir}/dappfile.yaml`, `${root}/project/dappfile.yaml`);
}

async function createRepository(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  await git(dir, "init", "-q", "-b", "main", "--object-format=sha1");
}

/** Brings a repository of the world into the next state. */
export async function commit(root: string, dir: string, spec: CommitSpec): Promise<void> {
  for (const path of spec.remove ?? []) await Deno.remove(`${dir}/${path}`, { recursive: true });
  await writeFiles(dir, spec.write ?? {});
  for (const [path, name] of Object.entries(spec.submodules ?? {})) {
    await git(dir, "submodule", "--quiet", "add", "--force", `${root}/repositories/${name}`, path);
    // A work tree elsewhere has another path; the commit shall be the same.
    await git(dir, "config", "--file=.gitmodules", `submodule.${path}.url`, `../repositories/${name}`);
  }
  await git(dir, "add", "-A");
  await git(dir, "commit", "-q", "--allow-empty", "-m", "commit");
}

async function git(dir: string, ...args: string[]): Promise<void> {
  await run(["git", "-C", dir, ...args], { env: gitEnv });
}
