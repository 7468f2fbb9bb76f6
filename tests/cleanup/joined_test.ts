/** Indexes that people made, and those that lost their annotations: the stages of all their parts stay. */
import assert from "node:assert/strict";
import { stageTag } from "../../core/contract/plugin.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { failed, memoryMemo, MemoryRegistry } from "./support/memory_registry.ts";
import { never, putImage, putIndex, putMarker, putStage, sig } from "./support/publish.ts";
import { applyFor, deletedBy, planFor } from "./support/run.ts";

/** Two images of branches that are gone, each upon a stage of its own, and a stage that nothing stands on. */
async function withTwo() {
  const registry = new MemoryRegistry();
  const digests = [];
  for (const name of ["one", "two"]) {
    const signature = await sig(name);
    await putStage(registry, { name, signature });
    const chain = [{ image: name, stages: [{ stage: name, signature }] }];
    digests.push(await putImage(registry, { tag: name, scheme: "git_branch", value: "gone", chain }));
  }
  await putStage(registry, { name: "unneeded", signature: await sig("unneeded") });
  return { registry, digests };
}

const unneeded = `:${stageTag(await sig("unneeded"))}`;

Deno.test("an index that somebody made of several images keeps the stages of all, whichever comes first", async () => {
  const { registry, digests } = await withTwo();
  const theirs = await putImage(registry, { tag: "theirs", project: "other" });
  await putIndex(registry, { repository: "", tag: "joined", children: [theirs, ...digests] });
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan).sort(), [unneeded, ":one", ":two"].sort());
  await applyFor(registry, plan);
  for (const digest of digests) assert.ok(registry.manifests.get("")!.has(digest));
});

Deno.test("while a part of an index cannot be read no stage goes, and nothing of that is remembered", async () => {
  const { registry, digests } = await withTwo();
  const index = await putIndex(registry, { repository: "", tag: "joined", children: digests });
  for (const tag of ["one", "two"]) registry.tags.get("")!.delete(tag);
  const memo = memoryMemo();
  registry.fault = (_, __, reference) => {
    if (reference === digests[1]) throw failed("GET answered 503", 503);
  };
  const plan = await planFor(registry, { memo });
  assert.deepEqual(deletedBy(plan), []);
  assert.match(plan.notes.join(), /No stage goes: what registry.test\/shop:joined stands on cannot be read/);
  registry.fault = undefined;
  assert.deepEqual(deletedBy(await planFor(registry, { memo })), [unneeded]);
  assert.equal(registry.tags.get("")!.get("joined"), index);
});

Deno.test("an image of several platforms that lost its annotations keeps the stages of every platform", async () => {
  const registry = new MemoryRegistry();
  const children = [];
  for (const name of ["amd64", "arm64"]) {
    const signature = await sig(name);
    await putStage(registry, { name, signature });
    const labels = {
      dapp: "shop",
      "dapp-dimg": "true",
      "dapp-tag-scheme": "custom",
      "dapp-signature": signature,
    };
    const config = {
      architecture: name,
      config: { Labels: labels },
      history: [{ created_by: "dapp docker" }],
    };
    const bytes = new TextEncoder().encode(JSON.stringify(config));
    const digest = await digestOf(bytes);
    registry.blobs.set(digest, bytes);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, digest, size: bytes.length },
      layers: [],
    };
    const document = new TextEncoder().encode(JSON.stringify(manifest));
    children.push(await digestOf(document));
    await registry.repository("").putManifest(
      { bytes: document, mediaType: manifest.mediaType },
      children.at(-1)!,
      never,
    );
  }
  await putStage(registry, { name: "unneeded", signature: await sig("unneeded") });
  await putIndex(registry, { repository: "", tag: "copied", children });
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan), [unneeded]);
  assert.equal(plan.tags.find(({ tag }) => tag === "copied")!.kind, "image");
});

Deno.test("an index takes its parts along, also where another repository has the same one", async () => {
  const registry = new MemoryRegistry();
  for (const dimg of ["app", "web"]) await putMarker(registry, dimg);
  const annotations = {
    dapp: "shop",
    "dapp-dimg": "true",
    "dapp-dimg-name": "app",
    "dapp-tag-scheme": "git_branch",
  };
  const part = await putImage(registry, { repository: "app", tag: "tmp" });
  registry.tags.get("app")!.delete("tmp");
  await putIndex(registry, { repository: "app", tag: "gone", children: [part] }, annotations);
  registry.manifests.set("web", new Map(registry.manifests.get("app")));
  registry.tags.set("web", new Map(registry.tags.get("app")));
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan), ["app:gone"]);
  await applyFor(registry, plan);
  assert.deepEqual([registry.manifests.get("app")!.size, registry.manifests.get("web")!.has(part)], [
    0,
    true,
  ]);
});
