/** What builders leave in REPO for a step goes when nobody came to remove it, and not before. */
import assert from "node:assert/strict";
import { parsePlan } from "../../core/cleanup/plan_file.ts";
import { isForgottenSpare, isSpare, spareTag } from "../../core/protocol/spare_tags.ts";
import { withTempDir } from "../support/tmp.ts";
import { MemoryRegistry } from "./support/memory_registry.ts";
import { putImage, putManifest } from "./support/publish.ts";
import { applyFor, deletedBy, planFor } from "./support/run.ts";

const DAY = 24 * 3_600_000;

Deno.test("isForgottenSpare() knows spare tags of two days ago, and no others", () => {
  const now = 1_800_000_000_000;
  assert.ok(isForgottenSpare(spareTag(now - 3 * DAY), now));
  for (const tag of [spareTag(now), spareTag(now - DAY), spareTag(now + DAY)]) {
    assert.ok(isSpare(tag));
    assert.ok(!isForgottenSpare(tag, now), tag);
  }
  for (
    const tag of ["dappservice-mark", "dappservice-lease-00", "dappservice-spare-", "latest", "spare-0-1"]
  ) {
    assert.ok(!isForgottenSpare(tag, now), tag);
  }
  assert.notEqual(spareTag(now), spareTag(now));
});

for (const deletion of ["manifest", "tag"] as const) {
  Deno.test(`cleanups remove spare tags that nobody came for, and nothing that shares their layers (${deletion})`, async () => {
    await withTempDir(async (dir) => {
      const registry = new MemoryRegistry({ deletion });
      await putImage(registry, { scheme: "git_branch", layers: ["l"], tag: "main", value: "main" });
      const old = spareTag(Date.UTC(2000, 0, 1));
      const young = spareTag(Date.UTC(2100, 0, 1));
      const before = registry.state();
      for (const tag of [old, young]) {
        await putManifest(registry, { repository: "", tag, layers: ["l", tag], bytes: 9, annotations: {} });
      }
      const plan = await planFor(registry, { git: { branches: ["main"] } });
      assert.deepEqual(deletedBy(plan), [`:${old}`]);
      assert.deepEqual(await parsePlan(JSON.stringify(plan)), plan);
      const report = await applyFor(registry, plan, { journalPath: `${dir}/journal` });
      assert.deepEqual([report.counts.deleted, report.exitCode], [1, 0]);
      const rest = { ...registry.state() };
      assert.ok(Object.keys(rest).some((key) => key.endsWith(young)));
      for (const [key, value] of Object.entries(before)) assert.deepEqual(rest[key], value);
    });
  });
}
