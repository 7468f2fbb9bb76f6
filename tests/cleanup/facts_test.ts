/** Images whose annotations another tool dropped, indexes of other tools, and tags that name nothing. */
import assert from "node:assert/strict";
import { type Digest, digestOf, labels, stageTag } from "../../core/contract/plugin.ts";
import { readInventory } from "../../core/cleanup/inventory.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { failed, memoryMemo, MemoryRegistry } from "./support/memory_registry.ts";
import { never, putImage, putIndex, putMarker, putStage, sig } from "./support/publish.ts";
import { applyFor, deletedBy, planFor } from "./support/run.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** An image with a configuration that says something, and no annotations. */
async function putPlain(
  registry: MemoryRegistry,
  at: { readonly repository: string; readonly tag: string },
  config: Record<string, unknown>,
): Promise<Digest> {
  const bytes = encode(config);
  const digest = await digestOf(bytes);
  registry.blobs.set(digest, bytes);
  const { dockerManifest: mediaType, dockerConfig } = mediaTypes;
  const manifest = encode({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: dockerConfig, digest, size: bytes.length },
    layers: [],
  });
  await registry.repository(at.repository).putManifest({ bytes: manifest, mediaType }, at.tag, never);
  return await digestOf(manifest);
}

/** Labels of an image of a branch. */
const labelsOf = (branch: string, signature: string) => ({
  [labels.project]: "shop",
  [labels.dimg]: "true",
  [labels.name]: "app",
  [labels.scheme]: "git_branch",
  [labels.value]: branch,
  [labels.signature]: signature,
  "org.opencontainers.image.version": branch,
});
const byDapp = [{ created_by: "base" }, { created_by: "dapp setup: make" }];

/** Two stages and one of an artifact; the configuration of the top one names them all, as published stages do. */
async function putStages(registry: MemoryRegistry) {
  await putMarker(registry, "app");
  const [from, top, artifact] = await Promise.all(["from", "top", "artifact"].map(sig));
  await putStage(registry, { name: "from", signature: from! });
  await putStage(registry, { name: "buildArtifact", signature: artifact! });
  const stages = [["from", from], ["buildArtifact", artifact], ["setup", top]].map(([stage, signature]) => ({
    stage,
    signature,
    previous: null,
    facts: [],
  }));
  const bytes = encode({ dapp: { format: 1, stages } });
  const digest = await digestOf(bytes);
  registry.blobs.set(digest, bytes);
  const manifest = encode({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest, size: bytes.length },
    layers: [],
    annotations: {
      [labels.project]: "shop",
      [labels.dimg]: "false",
      [labels.stage]: "setup",
      [labels.signature]: top,
      [labels.previous]: from,
    },
  });
  const tag = stageTag(top!);
  await registry.repository("").putManifest({ bytes: manifest, mediaType: mediaTypes.manifest }, tag, never);
  return { top: top!, tags: [from!, top!, artifact!].map((s) => `:${stageTag(s)}`).sort() };
}

Deno.test("an image without annotations is known by its labels, with all stages that it stands on", async () => {
  const registry = new MemoryRegistry();
  const { top, tags } = await putStages(registry);
  const at = { repository: "app", tag: "main" };
  await putPlain(registry, at, { config: { Labels: labelsOf("main", top) }, history: byDapp });
  const memo = memoryMemo();
  for (let run = 0; run < 2; run++) {
    const plan = await planFor(registry, { git: { branches: ["main"] }, memo });
    assert.deepEqual(deletedBy(plan), []);
    const image = plan.tags.find(({ reference }) => reference.endsWith("app:main"))!;
    assert.deepEqual([image.kind, image.plugin], ["image", "keep-branches"]);
  }
  const gone = await planFor(registry, { git: { branches: ["other"] } });
  assert.deepEqual(deletedBy(gone).sort(), [...tags, "app:main"]);
  const report = await applyFor(registry, gone);
  assert.deepEqual([report.counts.deleted, report.exitCode], [4, 0]);
  assert.deepEqual(Object.keys(registry.state()).filter((key) => !key.includes("dappservice")), []);
});

Deno.test("what somebody built upon an image inherits its labels, but is not the project's, and keeps its stages", async () => {
  const registry = new MemoryRegistry();
  const { top } = await putStages(registry);
  const at = { repository: "app", tag: "main" };
  const history = [...byDapp, { created_by: "RUN apt-get install -y agent" }];
  await putPlain(registry, at, { config: { Labels: labelsOf("main", top) }, history });
  const plan = await planFor(registry, { git: { branches: ["other"] } });
  assert.deepEqual(deletedBy(plan), []);
  const image = plan.tags.find(({ reference }) => reference.endsWith("app:main"))!;
  assert.deepEqual([image.kind, image.verdict], ["foreign", "keep"]);
});

Deno.test("an index without annotations is what its images say", async () => {
  const registry = new MemoryRegistry();
  const { top, tags } = await putStages(registry);
  const at = { repository: "app", tag: "tmp" };
  const child = await putPlain(registry, at, {
    config: { Labels: labelsOf("main", top) },
    history: byDapp,
  });
  registry.tags.get("app")!.delete("tmp");
  await putIndex(registry, { repository: "app", tag: "main", children: [child] });
  assert.deepEqual(deletedBy(await planFor(registry, { git: { branches: ["main"] } })), []);
  const gone = await planFor(registry, { git: { branches: ["other"] } });
  assert.deepEqual(deletedBy(gone).sort(), [...tags, "app:main"]);
  await applyFor(registry, gone);
  assert.equal(registry.manifests.get("app")!.size, 0);
});

Deno.test("an index that somebody made from images of the project is theirs, and keeps the stages of these", async () => {
  const registry = new MemoryRegistry();
  const { top, tags } = await putStages(registry);
  const image = { dimg: "app", scheme: "git_branch", value: "gone" };
  const chain = [{ image: "app", stages: [{ stage: "setup", signature: top }] }];
  const child = await putImage(registry, { ...image, tag: "gone", chain });
  await putIndex(registry, { repository: "app", tag: "theirs", children: [child] });
  const plan = await planFor(registry);
  // The artifact's stage is in no chain.
  assert.deepEqual(deletedBy(plan).filter((key) => !tags.includes(key)), ["app:gone"]);
  assert.ok(!deletedBy(plan).includes(`:${stageTag(top)}`));
  await applyFor(registry, plan);
  assert.ok(registry.manifests.get("app")!.has(child));
});

Deno.test("an index whose entries are blobs, or manifests that cannot be read, is foreign and stops no image", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "gone", scheme: "git_branch", value: "gone" });
  const [layer, broken] = await Promise.all(["layer", "broken"].map((text) => digestOf(text)));
  const types = ["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.buildkit.cacheconfig.v0"];
  for (const [tag, rows] of [["buildcache", types], ["half", [mediaTypes.manifest]]] as const) {
    const manifests = rows.map((mediaType) => ({
      mediaType,
      digest: mediaType === mediaTypes.manifest ? broken! : layer!,
      size: 1000,
    }));
    const bytes = encode({ schemaVersion: 2, mediaType: mediaTypes.index, manifests });
    registry.manifests.get("")!.set(await digestOf(bytes), { bytes, mediaType: mediaTypes.index });
    registry.tags.get("")!.set(tag, await digestOf(bytes));
  }
  registry.fault = (operation, _, reference) => {
    assert.notEqual(reference, layer, "no manifest request finds a blob");
    if (operation === "get" && reference === broken) throw failed("GET answered 500", 500);
  };
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan), [":gone"]);
  assert.equal((await applyFor(registry, plan)).exitCode, 0);
  assert.deepEqual(Object.keys(registry.state()), [":buildcache", ":half"]);
});

Deno.test("a listed tag that is not found holds stages back, unless it was missing before", async () => {
  const registry = new MemoryRegistry();
  const signature = await sig("stage");
  await putStage(registry, { name: "from", signature });
  registry.stale.push("phantom");
  const memo = memoryMemo();
  const first = await planFor(registry, { memo });
  assert.deepEqual(deletedBy(first), []);
  assert.match(
    first.notes.join(),
    /No stage goes: what registry.test\/shop:phantom stands on cannot be read/,
  );
  assert.deepEqual(deletedBy(await planFor(registry, { memo })), [`:${stageTag(signature)}`]);
  // It came back, and is missing once more.
  const read = async () =>
    (await readInventory(registry, { project: "shop", memo, signal: never, verify: true })).broken;
  registry.stale.length = 0;
  await putImage(registry, { tag: "phantom" });
  assert.deepEqual(await read(), []);
  registry.tags.get("")!.delete("phantom");
  registry.stale.push("phantom");
  assert.deepEqual((await read()).map(({ seenBefore }) => seenBefore), [undefined]);
  assert.deepEqual((await read()).map(({ seenBefore }) => seenBefore), [true]);
});

Deno.test("a cleanup ends where the registry takes its mark and does not have it afterwards", async () => {
  const registry = new MemoryRegistry();
  await putStage(registry, { name: "from", signature: await sig("stage") });
  const plan = await planFor(registry);
  const before = Object.keys(registry.state());
  registry.fault = (operation, _, reference) => {
    if (operation === "get" && reference === "dappservice-mark") registry.tags.get("")!.delete(reference);
  };
  await assert.rejects(applyFor(registry, plan), {
    code: "REGISTRY_FAILED",
    message: /took the mark 3 times, and does not have it/,
  });
  assert.deepEqual(Object.keys(registry.state()), before);
});

Deno.test("a tag that cannot be found when stages are about to go holds them back", async () => {
  const registry = new MemoryRegistry();
  await putStage(registry, { name: "from", signature: await sig("stage") });
  await putImage(registry, { tag: "gone", scheme: "git_branch", value: "gone" });
  const plan = await planFor(registry);
  assert.equal(deletedBy(plan).length, 2);
  registry.stale.push("just-pushed");
  const report = await applyFor(registry, plan);
  assert.deepEqual([report.counts.deleted, report.counts.spared], [1, 1]);
  // The tag that this run has removed does not hold back anything, listed or not.
  const again = await planFor(registry, { plan: { stages: "unneeded" }, memo: memoryMemo() });
  assert.deepEqual(deletedBy(again), []);
});

Deno.test("a tag whose manifest is damaged when stages are about to go holds them back, unless it was so before", async () => {
  const registry = new MemoryRegistry();
  const signature = await sig("stage");
  await putStage(registry, { name: "from", signature });
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan), [`:${stageTag(signature)}`]);
  await putDamaged(registry, "just-pushed");
  const memo = memoryMemo();
  const report = await applyFor(registry, plan, { memo });
  assert.deepEqual([report.counts.deleted, report.counts.spared], [0, 1]);
  const later = await applyFor(registry, plan, { memo });
  assert.deepEqual([later.counts.deleted, later.counts.spared], [1, 0]);
});

/** A tag whose manifest is none. */
async function putDamaged(registry: MemoryRegistry, tag: string): Promise<void> {
  const bytes = encode({ schemaVersion: 2, layers: "none" });
  const digest = await digestOf(bytes);
  registry.manifests.get("")!.set(digest, { bytes, mediaType: mediaTypes.manifest });
  registry.tags.get("")!.set(tag, digest);
}
