/** A project with two dimgs, published in a registry, and what is done with it. */
import type { EngineOptions } from "../../mod.ts";
import { use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { fakeBuilder, FakeBuilderLog } from "./fake_builder.ts";
import { writeBase } from "./golden_base.ts";
import { openProject, type TestProject } from "./project.ts";
import { withTempDir } from "./tmp.ts";

const layers = [[{ path: "etc/", type: "dir" as const }, { path: "etc/os", text: "a base\n" }]];
const dappfile = `
dimg: web
from: oci:../base:latest
shell: { install: [write installed 3], setup: [write made 4] }
docker: { CMD: [app] }
---
dimg: worker
from: oci:../base:latest
shell: { install: [write other 5] }
`;

/** An engine whose builder starts no processes. */
export function engineOf(project: TestProject, options: EngineOptions = {}) {
  return project.engine({
    platform: "linux/amd64",
    builder: "fake",
    plugins: [use(fakeBuilder(new FakeBuilderLog()))],
    ...options,
  });
}

export interface PublishedProject {
  readonly project: TestProject;
  readonly registry: MemoryRegistry;
  readonly repo: string;
  readonly root: string;
}

/** Where {@linkcode withPublished} publishes: in the registry. */
export const inRegistry = (_: string, host: string) => `${host}/group/app`;

/** Both dimgs, published as v1 with their stages. */
export async function withPublished(
  where: (root: string, host: string) => string,
  body: (published: PublishedProject) => Promise<void>,
  options: EngineOptions = {},
): Promise<void> {
  await withTempDir(async (root) => {
    await writeBase(`${root}/base`, { "linux/amd64": { layers }, "linux/arm64": { layers } });
    await Deno.mkdir(`${root}/a`);
    const project = openProject(`${root}/a`, `${root}/home`);
    await project.git("init", "-q", "-b", "main");
    await project.write({ "dappfile.yaml": dappfile });
    await project.commit("first");
    await using registry = new MemoryRegistry();
    const repo = where(root, registry.host);
    await push(project, repo, { build: true }, options);
    await body({ project, registry, repo, root });
  });
}

/** The same project on a machine that has built nothing. */
export async function anotherMachine({ project, root }: PublishedProject): Promise<TestProject> {
  const name = crypto.randomUUID();
  await project.git("clone", "-q", project.dir, `${root}/${name}`);
  return openProject(`${root}/${name}`, `${root}/home-${name}`);
}

/** Publishes both as v1, with their stages. */
export async function push(
  project: TestProject,
  repo: string,
  { build = false }: { readonly build?: boolean } = {},
  options: EngineOptions = {},
) {
  await using engine = engineOf(project, options);
  return await engine.push([], { repo, build, withStages: true, tags: [{ flag: "tag", value: "v1" }] });
}

export async function check(
  project: TestProject,
  repo: string,
  options: { readonly read?: boolean; readonly repair?: boolean } = {},
  names: readonly string[] = [],
) {
  await using engine = engineOf(project);
  return await engine.checkRepo(names, { repo, ...options });
}
