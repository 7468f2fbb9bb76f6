/** The built-in plugins and the examples pass the suites that are published for those of others. */
import inputsToolVersions from "../../examples/inputs_tool_versions.ts";
import tagCalver from "../../examples/tag_calver.ts";
import type { Plugin, RegistryBackend, Repository } from "../../plugin.ts";
import { policies } from "../../plugins/builtin/policies.ts";
import { plugins } from "../../plugins/builtin/tagging.ts";
import { registryLayout } from "../../plugins/registry/layout.ts";
import { sourceArchive } from "../../plugins/source/archive.ts";
import { sourceOci } from "../../plugins/source/oci_layout.ts";
import { sourceRegistry } from "../../plugins/source/registry.ts";
import { sourceScratch } from "../../plugins/source/scratch.ts";
import {
  ciConformance,
  type CiSubject,
  cleanupConformance,
  createTestHost,
  inputsConformance,
  MemoryRegistry,
  openPlugin,
  registryConformance,
  sourceConformance,
  type SourceSubject,
  stageNode,
  taggingConformance,
} from "../../testing/mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { run } from "../support/process.ts";

for (const plugin of plugins.filter(({ name }) => name.startsWith("tag-"))) {
  taggingConformance(plugin.name, { plugin, host: { files: { "VERSION": "1" } } });
}
taggingConformance("examples/tag_calver.ts", { plugin: tagCalver });

/** Those that ask a daemon or need a registry that tells of pulls have their own tests. */
const elsewhere = ["keep-docker", "keep-pulled"];
const policyOptions: Readonly<Record<string, unknown>> = { "keep-kubernetes": { required: false } };
for (const plugin of policies.filter(({ name }) => !elsewhere.includes(name))) {
  cleanupConformance(plugin.name, {
    plugin,
    options: policyOptions[plugin.name],
    host: { files: { "keep.txt": "stable\n*-main\n" } },
  });
}

const ci: Readonly<Record<string, CiSubject<unknown>["environments"]>> = {
  "ci-gitlab": {
    "a branch": { GITLAB_CI: "true", CI_COMMIT_REF_NAME: "main", CI_COMMIT_BRANCH: "main", CI_JOB_ID: "7" },
    "a tag": { GITLAB_CI: "true", CI_COMMIT_REF_NAME: "v1", CI_COMMIT_TAG: "v1", CI_JOB_ID: "7" },
  },
  "ci-github": {
    "a branch": { GITHUB_ACTIONS: "true", GITHUB_REF: "refs/heads/main", GITHUB_RUN_ID: "9" },
    "a tag": { GITHUB_ACTIONS: "true", GITHUB_REF: "refs/tags/v1", GITHUB_RUN_ID: "9" },
    "a name alone": { GITHUB_ACTIONS: "true" },
  },
  "ci-travis": { "a tag": { TRAVIS: "true", TRAVIS_BRANCH: "v1.0", TRAVIS_TAG: "v1.0" } },
  "ci-jenkins": { "a branch": { JENKINS_URL: "http://jenkins/", BUILD_NUMBER: "5", GIT_BRANCH: "origin/x" } },
  "ci-circleci": { "a branch": { CIRCLECI: "true", CIRCLE_BRANCH: "feature/x" } },
  "ci-bitbucket": { "a branch": { BITBUCKET_BUILD_NUMBER: "44", BITBUCKET_BRANCH: "feature/x" } },
  "ci-azure": { "a tag": { TF_BUILD: "True", BUILD_SOURCEBRANCH: "refs/tags/v1.0" } },
};
for (const plugin of plugins.filter(({ name }) => name in ci)) {
  ciConformance(plugin.name, { plugin, environments: ci[plugin.name]! });
}

inputsConformance("examples/inputs_tool_versions.ts", {
  plugin: inputsToolVersions,
  host: { files: { ".tool-versions": "node 22\n" } },
  change: { ".tool-versions": "node 24\n" },
  stages: [stageNode("install", ["npm ci"]), stageNode("from")],
});

const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };

sourceConformance(
  "source-scratch",
  () =>
    Promise.resolve<SourceSubject>({
      plugin: sourceScratch,
      name: "scratch",
      foreign: "scratch:1",
      ...nothing,
    }),
);

sourceConformance("source-oci", async () => ({
  plugin: sourceOci,
  name: `oci:${await busyboxBase()}`,
  missing: "oci:nowhere",
  foreign: "debian:bookworm",
  ...nothing,
}));

sourceConformance("source-archive", async () => {
  const dir = await Deno.makeTempDir();
  await run(["tar", "-cf", `${dir}/image.tar`, "-C", await busyboxBase(), "."]);
  return {
    plugin: sourceArchive,
    name: `archive:${dir}/image.tar`,
    missing: `archive:${dir}/nowhere.tar`,
    foreign: "debian:bookworm",
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
});

sourceConformance("source-registry", async () => {
  const registry = new MemoryRegistry();
  await registry.addImage("base", "1", { layers: [new Uint8Array(2048), new Uint8Array(4096)] });
  return {
    plugin: sourceRegistry as Plugin<never>,
    name: `${registry.host}/base:1`,
    missing: `${registry.host}/base:2`,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
});

registryConformance("a registry that removes whole manifests alone", async () => {
  await using stack = new AsyncDisposableStack();
  const host = stack.use(await createTestHost());
  const opened = stack.use(await openPlugin(registryLayout, host));
  const backend = stack.use((await opened.openRegistry("oci:repo"))!);
  const whole: RegistryBackend = {
    kind: backend.kind,
    capabilities: { ...backend.capabilities, deletion: "manifest" },
    repository: (name) =>
      new Proxy(backend.repository(name), {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== "function") return value;
          const remove: Repository["remove"] = async (removal, signal) =>
            removal.alone || await target.head(removal.tag, signal) === undefined
              ? await target.remove(removal, signal)
              : { outcome: "inseparable", why: "it has other tags" };
          return key === "remove" ? remove : value.bind(target);
        },
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const kept = stack.move();
  return { backend: whole, [Symbol.asyncDispose]: () => kept.disposeAsync() };
});
