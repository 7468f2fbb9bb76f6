/** Plugins with one mistake each. Run by suites_find_mistakes_test.ts, in a process of its own: all of these fail. */
import { definePlugin, keep, type RegistryBackend, tagOf } from "../../plugin.ts";
import {
  builderConformance,
  busyboxLayers,
  ciConformance,
  cleanupConformance,
  createTestHost,
  createTestStore,
  inputsConformance,
  openPlugin,
  registryConformance,
  stageNode,
  taggingConformance,
} from "../../testing/mod.ts";
import { registryLayout } from "../../plugins/registry/layout.ts";

type Scheme = (text: string, flag: string) => readonly { tag: string; scheme: string; value: string }[];

function scheme(make: Scheme, summary = "the branch") {
  return definePlugin({
    name: "tag-wrong",
    api: 1,
    setup: () => ({
      tagFlags: () => [{ name: "tag-wrong", summary }],
      tags: ({ wishes, git }) => wishes.flatMap(({ flag }) => make(git.branch ?? "none", flag)),
    }),
  });
}

const own = (tag: string) => [{ tag, scheme: "wrong", value: tag }];

taggingConformance("invalid tags", {
  plugin: scheme((text, flag) => flag === "tag-wrong" ? own(text) : []),
});
taggingConformance("latest", {
  plugin: scheme((_, flag) => flag === "tag-wrong" ? own("latest") : []),
});
taggingConformance("flags of others", { plugin: scheme((text) => own(tagOf(text))) });
taggingConformance("other tags each time", {
  plugin: scheme((_, flag) => flag === "tag-wrong" ? own(crypto.randomUUID()) : []),
});
taggingConformance("help", {
  plugin: scheme((text, flag) => flag === "tag-wrong" ? own(tagOf(text)) : [], "The branch."),
});

cleanupConformance("changes its input", {
  plugin: definePlugin({
    name: "keep-wrong",
    api: 1,
    setup: () => ({
      keep: ({ inventory }) => {
        (inventory.images as unknown[]).pop();
        return [];
      },
    }),
  }),
});
cleanupConformance("depends on the order", {
  plugin: definePlugin({
    name: "keep-wrong",
    api: 1,
    setup: () => ({
      keep: ({ inventory }) => inventory.images.slice(0, 1).map((i) => keep(i, "first", "first")),
    }),
  }),
});
cleanupConformance("gives up outside of git", {
  plugin: definePlugin({
    name: "keep-wrong",
    api: 1,
    setup: () => ({
      keep: ({ inventory, git }) => git ? inventory.images.map((i) => keep(i, "git", "git")) : [],
    }),
  }),
});
cleanupConformance("names what is not there", {
  plugin: definePlugin({
    name: "keep-wrong",
    api: 1,
    setup: () => ({ keep: () => [{ reference: "registry.example.com/shop:nope", rule: "r", why: "w" }] }),
  }),
});

const says = { value: "x", variables: ["X"] };
ciConformance("claims every machine", {
  plugin: definePlugin({
    name: "ci-wrong",
    api: 1,
    setup: () => ({ detectCi: () => ({ name: "Wrong", tag: says, branch: says, buildId: says }) }),
  }),
  environments: { "a branch": { WRONG: "1" } },
});

inputsConformance("the place of the project, and no notice of changes", {
  plugin: definePlugin({
    name: "inputs-wrong",
    api: 1,
    setup: (_, { projectDir }) => ({ stageInputs: () => [{ key: "dir", value: projectDir }] }),
  }),
  change: { "a": "1" },
  stages: [stageNode("install", ["true"])],
});

registryConformance("stores no manifest", async () => {
  const host = await createTestHost();
  const opened = await openPlugin(registryLayout, host);
  const backend = await opened.openRegistry("oci:repo");
  if (!backend) throw new Error("registry-layout does not open oci:repo");
  const wrong: RegistryBackend = {
    kind: backend.kind,
    capabilities: backend.capabilities,
    repository: (name) =>
      new Proxy(backend.repository(name), {
        get(target, key) {
          if (key === "putManifest") return () => Promise.resolve();
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
  return {
    backend: wrong,
    async [Symbol.asyncDispose]() {
      await wrong[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
    },
  };
});

builderConformance("changes nothing", async () => {
  const store = await createTestStore();
  return {
    builder: {
      name: "idle",
      mounts: [],
      run: () => Promise.resolve({}),
      shell: () => Promise.resolve(0),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    store,
    base: await busyboxLayers(store),
    rootless: true,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
});
