/** What lists tell of manifests, and markers of repositories that cannot be read. */
import assert from "node:assert/strict";
import { BlobCount } from "../../core/cleanup/blob_count.ts";
import { shareListedBytes } from "../../core/cleanup/listed_facts.ts";
import type { Digest, InventoryImage, InventoryStage } from "../../core/contract/plugin.ts";
import { failed, MemoryRegistry } from "./support/memory_registry.ts";
import { DAY, putImage, putManifest, putStage, sig } from "./support/publish.ts";
import { planFor } from "./support/run.ts";

const digest = (name: string) => `sha256:${name}` as Digest;

function stage(name: string, bytes: number, previous?: string): InventoryStage {
  return {
    repository: "",
    tag: name,
    reference: name,
    digest: digest(name),
    stage: name,
    signature: name,
    bytes,
    ...(previous !== undefined && { previous }),
  };
}

Deno.test("of manifests that are only listed, what a stage adds to the one before is its own", () => {
  const stages = [stage("top", 150, "bottom"), stage("bottom", 100), stage("other", 30)];
  const image: InventoryImage = {
    ...stage("image", 160),
    dimg: "app",
    scheme: "custom",
    value: "v1",
    ownTag: "v1",
    signature: "top",
    chain: [],
    publishedAt: "2026-01-01T00:00:00Z",
  };
  const all = [...stages, image];
  const listed = Object.fromEntries(
    all.map(({ digest, bytes }) => [digest, { size: bytes, blobs: [], children: [] }]),
  );
  const manifests = shareListedBytes(
    { images: [image], stages, manifests: listed },
    new Set(all.map((t) => t.digest)),
  );
  const count = new BlobCount(manifests);
  for (const tag of all) count.hold(tag.digest);
  assert.deepEqual(
    ["bottom", "image", "top", "other"].map((name) => count.release(digest(name))),
    // The bottom is still needed by those above it.
    [0, 10, 150, 30],
  );
});

Deno.test("what was read of a stage counts below one that was only listed", () => {
  const stages = [stage("top", 150, "bottom"), stage("bottom", 100)];
  const manifests = shareListedBytes({
    images: [],
    stages,
    manifests: {
      [digest("top")]: { size: 150, blobs: [], children: [] },
      [digest("bottom")]: { size: 10, blobs: [["sha256:layer", 90]], children: [] },
    },
  }, new Set([digest("top")]));
  const count = new BlobCount(manifests);
  for (const { digest } of stages) count.hold(digest);
  assert.deepEqual(["top", "bottom"].map((name) => count.release(digest(name))), [60, 100]);
});

for (const status of [401, 403, 412, 503]) {
  Deno.test(`a marker that answers ${status} is a line, and the images and stages behind it stay`, async () => {
    const registry = new MemoryRegistry();
    registry.fault = (operation, repository, reference) => {
      if (operation === "get" && repository === "" && reference === "dappservice-dimg-app") {
        throw failed(`GET answered ${status}`, status);
      }
    };
    const signature = await sig("setup");
    await putStage(registry, { name: "setup", signature });
    await putStage(registry, { name: "unneeded", signature: await sig("unneeded"), ageMs: 90 * DAY });
    const chain = [{ image: "app", stages: [{ stage: "setup", signature }] }];
    await putImage(registry, { dimg: "app", tag: "main", scheme: "git_branch", value: "main", chain });
    await putManifest(registry, {
      repository: "",
      tag: "dappservice-dimg-app",
      layers: [],
      bytes: 1,
      annotations: { dapp: "shop", "dapp-dimg-name": "app" },
    });
    const plan = await planFor(registry, { git: { branches: ["main"] }, plan: { stages: "unneeded" } });
    assert.deepEqual(plan.tags.filter(({ verdict }) => verdict === "delete"), []);
    assert.ok(plan.tags.some(({ reference }) => reference.endsWith("/app:main")));
    assert.match(plan.notes.join(), new RegExp(`No stage goes: .*answered ${status}`));
  });
}
