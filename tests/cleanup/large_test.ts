/** A registry of 10,000 tags, cleaned up and compared with an oracle that knows the rules and none of the code. */
import assert from "node:assert/strict";
import { type ImageRow, type Large, makeLarge } from "./support/large.ts";
import { memoryMemo } from "./support/memory_registry.ts";
import { applyFor, deletedBy, planFor } from "./support/run.ts";
import { DAY, HOUR } from "./support/publish.ts";

/** What must go, found tag by tag from what was generated. */
function oracle(large: Large): Set<string> {
  const trees = new Set(Object.values(large.commits));
  const exists = (o: ImageRow) => o.value in large.commits || trees.has(o.tree ?? "-");
  const kept = (row: ImageRow): boolean => {
    const rank = (matches: (other: ImageRow) => boolean) =>
      large.images.filter((other) => other.dimg === row.dimg && matches(other) && other.ageMs <= 30 * DAY)
        .filter((o) => o.ageMs < row.ageMs || (o.ageMs === row.ageMs && o.key < row.key)).length;
    switch (row.scheme) {
      case "git_branch":
        return large.branches.includes(row.value);
      case "git_tag":
        return large.tags.includes(row.value) && row.ageMs <= 30 * DAY &&
          rank((o) => o.scheme === "git_tag" && large.tags.includes(o.value)) < 10;
      case "git_commit":
        return exists(row) && row.ageMs <= 30 * DAY &&
          rank((o) => o.scheme === "git_commit" && exists(o)) < 50;
      default:
        return true;
    }
  };
  const gone = new Set(large.images.filter((row) => !kept(row)).map(({ key }) => key));
  const needed = new Set<string>();
  for (const row of large.images) if (!gone.has(row.key)) row.needs.forEach((s) => needed.add(s));
  for (const { needs } of large.foreign) needs.forEach((s) => needed.add(s));
  // Young stages, then everything below whatever is needed, until nothing changes.
  for (const stage of large.stages) if (stage.ageMs < 2 * HOUR) needed.add(stage.signature);
  for (let before = -1; before !== needed.size;) {
    before = needed.size;
    for (const stage of large.stages) {
      if (needed.has(stage.signature) && stage.previous) needed.add(stage.previous);
    }
  }
  for (const { signature, key } of large.stages) if (!needed.has(signature)) gone.add(key);
  return gone;
}

Deno.test("cleanup of 10,000 tags deletes exactly what the rules say, and a second plan costs next to nothing", async () => {
  const large = await makeLarge();
  const { registry } = large;
  const before = registry.state();
  assert.ok(Object.keys(before).length >= 10_000, `${Object.keys(before).length}`);
  const git = { branches: large.branches, tags: large.tags, commits: large.commits };
  const memo = memoryMemo();
  const first = await planFor(registry, { git, memo });
  const requests = registry.requests;
  registry.resetCounts();
  const plan = await planFor(registry, { git, memo });
  assert.ok(registry.requests <= requests * 0.05, `${registry.requests} of ${requests}`);
  // A tag that is listed and not there holds stages back until a second look does not find it either.
  const ofImages = plan.groups.filter(({ remove }) => !remove.every((tag) => tag.startsWith("dimgstage-")));
  assert.ok(ofImages.length > 0 && ofImages.length < plan.groups.length);
  assert.deepEqual(first.groups.map(({ digest }) => digest), ofImages.map(({ digest }) => digest));

  const expected = oracle(large);
  assert.deepEqual(deletedBy(plan).sort(), [...expected].sort());
  assert.ok(expected.size > 3000);

  const report = await applyFor(registry, plan, { memo });
  assert.deepEqual([report.outcome, report.counts.refused, report.counts.spared], ["complete", 0, 0]);
  const after = Object.fromEntries(
    Object.entries(registry.state()).filter(([key]) => !key.includes("service-mark")),
  );
  const rest = Object.fromEntries(Object.entries(before).filter(([key]) => !expected.has(key)));
  assert.deepEqual(after, rest);
  for (const [key, digest] of Object.entries(after)) {
    const repository = key.slice(0, key.lastIndexOf(":"));
    assert.ok(registry.manifests.get(repository)!.has(digest) || large.broken.has(key), key);
  }
  assert.deepEqual(deletedBy(await planFor(registry, { git, memo })), []);
});
