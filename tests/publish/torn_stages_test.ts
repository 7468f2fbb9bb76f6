/** Stages in REPO that are not what they say, or not whole: never used twice by mistake, and built again. */
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { definePlugin, EngineError, type EngineOptions, use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { openProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const base = {
  layers: [[{ path: "etc/", type: "dir" as const }, { path: "etc/passwd", text: "root:x:0:0:::\n" }]],
};
const dappfile = `
dimg: web
from: oci:../base:latest
shell: { install: [write installed 3] }
git: [{ add: /src, to: /app }]
`;
const path = "group/app";

/** A registry with all stages of an image, and a checkout with an empty store. */
async function withPublished(
  work: (published: {
    readonly registry: MemoryRegistry;
    readonly root: string;
    readonly first: TestProject;
    /** An engine of the checkout, or of another one. */
    engine(options?: EngineOptions, project?: TestProject): ReturnType<TestProject["engine"]>;
  }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (root) => {
    await writeBase(`${root}/base`, { "linux/amd64": base });
    await Deno.mkdir(`${root}/a`);
    const first = openProject(`${root}/a`, `${root}/home-a`);
    await first.git("init", "-q", "-b", "main");
    await first.write({ "dappfile.yaml": dappfile, "src/one": "1\n" });
    await first.commit("first");
    await using registry = new MemoryRegistry();
    const open = (project: TestProject, options: EngineOptions = {}) =>
      project.engine({
        platform: "linux/amd64",
        builder: "fake",
        plugins: [use(fakeBuilder(new FakeBuilderLog()))],
        repo: `${registry.host}/${path}`,
        ...options,
      });
    {
      await using engine = open(first);
      await engine.push([], { build: true });
    }
    await first.git("clone", "-q", first.dir, `${root}/b`);
    const second = openProject(`${root}/b`, `${root}/home-b`);
    await work({ registry, root, first, engine: (options, project = second) => open(project, options) });
  });
}

Deno.test("a layer that REPO has lost is made again by the first bp, and REPO is whole after it", async () => {
  await withPublished(async ({ registry, engine }) => {
    dropLowest(registry, [path, `${path}/web`]);
    for (const value of ["v1", "v2"]) {
      await using each = engine();
      await each.push([], { build: true, tags: [{ flag: "tag", value }] });
    }
    for (const repository of [path, `${path}/web`]) requireWhole(registry, repository);
  });
});

Deno.test("a stage whose layer REPO has lost is taken from where it is whole, and REPO is whole after it", async () => {
  await withPublished(async ({ registry, first, engine }) => {
    const copy = `${registry.host}/group/copy`;
    {
      await using copying = engine({ repo: copy }, first);
      await copying.build();
    }
    dropLowest(registry, [path]);
    await using each = engine({ cacheFrom: [copy] });
    assert.equal((await each.build()).stagesBuilt, 0);
    requireWhole(registry, path);
  });
});

Deno.test("a builder that goes on saying that something is missing is believed once", async () => {
  await withPublished(async ({ engine, root }) => {
    await Deno.writeTextFile(`${root}/b/dappfile.yaml`, dappfile.replace("]", "], setup: [write more 1]"));
    let runs = 0;
    const builder = definePlugin({
      name: "builder-lost",
      api: 1,
      setup: () => ({
        openBuilder: () => ({
          name: "lost",
          elsewhere: true,
          async run(step) {
            runs++;
            await step.shared?.();
            throw new EngineError("STAGE_FAILED", "it is not found", { missing: true });
          },
          shell: () => Promise.resolve(1),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }),
      }),
    });
    await using each = engine({ builder: "lost", plugins: [use(builder)] });
    await assert.rejects(each.build(), { code: "STAGE_FAILED", message: "it is not found" });
    assert.equal(runs, 2);
  });
});

/** Takes the lowest layer of all images away. */
function dropLowest(registry: MemoryRegistry, repositories: readonly string[]): void {
  for (const digest of registry.manifestsOf(path)) {
    const [lowest] = registry.documentOf(path, digest)?.layers ?? [];
    if (lowest) { for (const repository of repositories) registry.dropBlob(repository, lowest.digest); }
  }
}

/** Looks whether all layers are there that tags name. */
function requireWhole(registry: MemoryRegistry, repository: string): void {
  for (const [tag, digest] of Object.entries(registry.tagsOf(repository))) {
    for (const layer of registry.documentOf(repository, digest)?.layers ?? []) {
      assert.ok(registry.blobOf(repository, layer.digest), `${repository}:${tag} lacks ${layer.digest}`);
    }
  }
}

Deno.test("a stage whose layer holds something else than it says is refused however often it is asked for", async () => {
  await withPublished(async ({ registry, root, engine }) => {
    for (const [tag, digest] of Object.entries(registry.tagsOf(path))) {
      const manifest = registry.documentOf(path, digest);
      if (!tag.startsWith("dimgstage-") || !manifest?.layers || manifest.layers.length < 3) continue;
      const tar = new Uint8Array(gunzipSync(registry.blobOf(path, manifest.layers[2]!.digest)!));
      tar[new TextDecoder("latin1").decode(tar).indexOf("1\n\0")] = "9".charCodeAt(0);
      const blob = await registry.addBlob(path, new Uint8Array(gzipSync(tar)));
      const layers = manifest.layers.with(2, { ...manifest.layers[2]!, ...blob });
      const changed = { ...manifest, mediaType: manifest.mediaType!, layers };
      await registry.addManifest(path, changed, tag);
    }
    {
      await using each = engine();
      await each.push([], { build: true, tags: [{ flag: "tag", value: "v1" }] });
    }
    for (let i = 0; i < 2; i++) {
      await using each = engine();
      await assert.rejects(each.export(["web"], `oci:${root}/out${i}`));
    }
  });
});
