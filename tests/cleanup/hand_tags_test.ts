/** Tags that people put on images while a cleanup is at work, on registries that delete manifests with all their tags. */
import assert from "node:assert/strict";
import { readJournal, readPending } from "../../core/cleanup/journal.ts";
import type { Digest } from "../../core/contract/plugin.ts";
import { LEFT } from "../../core/cleanup/plan.ts";
import { parsePlan } from "../../core/cleanup/plan_file.ts";
import { withTempDir } from "../support/tmp.ts";
import { MemoryRegistry } from "./support/memory_registry.ts";
import {
  ago,
  DAY,
  never,
  putImage,
  putIndex,
  putManifest,
  putMarker,
  putStage,
  sig,
} from "./support/publish.ts";
import { applyFor, deletedBy, fakeClock, planFor } from "./support/run.ts";
import { parseDigest } from "../../lib/oci/digest.ts";

async function withGone(count: number, deletion: "tag" | "manifest" | "unknown" = "manifest") {
  const registry = new MemoryRegistry({ deletion });
  for (let i = 0; i < count; i++) {
    const image = { tag: `t${i}`, version: `t${i}`, scheme: "git_branch", value: "gone" };
    await putImage(registry, { ...image, layers: [`l${i}`] });
  }
  return registry;
}

const annotations = {
  dapp: "shop",
  "dapp-dimg": "true",
  "dapp-tag-scheme": "git_branch",
  "dapp-tag-value": "gone",
  "org.opencontainers.image.created": ago(90 * DAY),
};

Deno.test("tags put on images whose turn has not come stay, whenever that is", async () => {
  for (const deletion of ["tag", "manifest", "unknown"] as const) {
    for (const at of [1, 2, 5, 9, 17, 24, 30, 36]) {
      const registry = await withGone(20, deletion);
      // Somebody's tag that will be moved.
      await putImage(registry, { tag: "prod", project: "other" });
      const plan = await planFor(registry);
      const tags = registry.tags.get("")!;
      const copied = new Map<string, Digest>();
      let deletions = 0;
      registry.fault = (operation) => {
        if (operation !== "delete" || ++deletions !== at) return;
        const there = [...tags].filter(([tag]) => tag.startsWith("t"));
        for (const [n, [tag, digest]] of there.reverse().slice(0, 4).entries()) {
          const name = n === 3 ? "prod" : `copy-of-${tag}`;
          tags.set(name, digest);
          copied.set(name, digest);
        }
      };
      const report = await applyFor(registry, plan, { parallel: 4 });
      assert.deepEqual([report.outcome, report.counts.deleted], ["complete", 20], `${deletion} ${at}`);
      for (const [name, digest] of copied) {
        assert.equal(tags.get(name), digest, `${deletion} ${at} ${name}`);
        assert.ok(registry.manifests.get("")!.has(digest), `${deletion} ${at} ${name}`);
      }
      assert.ok(![...tags.keys()].some((tag) => tag.startsWith("t")));
    }
  }
});

Deno.test("what nobody has tagged meanwhile is deleted as a manifest, so that its space comes back", async () => {
  const registry = await withGone(8);
  const plan = await planFor(registry);
  const [kept] = [registry.tags.get("")!.get("t3")!];
  registry.fault = (operation, _, reference) => {
    if (operation === "delete" && reference === "t3") registry.tags.get("")!.set("mine", kept);
  };
  await applyFor(registry, plan);
  assert.deepEqual([...registry.manifests.get("")!.keys()], [kept]);
});

Deno.test("an index that got a tag meanwhile keeps the manifests that it refers to", async () => {
  const registry = new MemoryRegistry();
  const image = { dimg: "", scheme: "git_branch", value: "gone", version: "child" };
  const child = await putImage(registry, { ...image, tag: "child" });
  const other = await putManifest(registry, {
    repository: "",
    tag: "tmp",
    layers: ["o"],
    bytes: 5,
    annotations: { dapp: "other" },
  });
  registry.tags.get("")!.delete("tmp");
  const index = await putIndex(
    registry,
    { repository: "", tag: "multi", children: [child, other] },
    annotations,
  );
  const plan = await planFor(registry);
  registry.fault = (operation, _, reference) => {
    if (operation === "delete" && reference === "multi") registry.tags.get("")!.set("mine", index);
  };
  assert.equal((await applyFor(registry, plan)).outcome, "complete");
  assert.deepEqual(registry.state(), { ":mine": index });
  assert.deepEqual([...registry.manifests.get("")!.keys()].sort(), [child, other, index].sort());

  registry.fault = undefined;
  registry.tags.get("")!.delete("mine");
  registry.tags.get("")!.set("multi", index);
  await applyFor(registry, await planFor(registry));
  assert.equal(registry.manifests.get("")!.size, 0);
});

Deno.test("where tags cannot be overwritten, a manifest goes with the tags that are to go, or stays for the others", async () => {
  const registry = await withGone(6);
  registry.inseparable = true;
  const tags = registry.tags.get("")!;
  tags.set("t0-again", tags.get("t0")!);
  const plan = await planFor(registry);
  tags.set("mine", tags.get("t2")!);
  let lists = 0;
  registry.fault = (operation) => {
    // After the last look at all tags began.
    if (operation === "list" && ++lists === 1) tags.set("mine-too", tags.get("t4")!);
  };
  const report = await applyFor(registry, plan, { parallel: 2 });
  assert.deepEqual([report.outcome, report.exitCode], ["partial", 1]);
  assert.deepEqual([...tags.keys()].sort(), ["mine", "mine-too", "t0", "t0-again", "t2", "t4"]);
  const refused = report.tags.filter(({ outcome }) => outcome === "refused");
  assert.deepEqual(refused.map(({ reference }) => reference.split(":")[1]), ["t0", "t2", "t4"]);
  assert.match(refused[1]!.why!, /cannot be overwritten here; .*"mine"/);
});

Deno.test("a run that was stopped before manifests went leaves them to the next one", async () => {
  await withTempDir(async (dir) => {
    const journalPath = `${dir}/journal`;
    const registry = await withGone(6);
    const plan = await planFor(registry);
    const controller = new AbortController();
    registry.fault = (operation, _, reference) => {
      if (operation === "delete" && reference.startsWith("sha256:")) controller.abort(new Error("stopped"));
    };
    const first = await applyFor(registry, plan, { signal: controller.signal, journalPath, parallel: 1 });
    assert.equal(first.outcome, "interrupted");
    registry.fault = undefined;
    const left = [...registry.manifests.get("")!.keys()].map(parseDigest);
    assert.ok(left.length >= 5 && Object.keys(registry.state()).length === 0);
    // One of them has got a tag again.
    registry.tags.get("")!.set("mine", left[2]!);
    const pending = await readPending(journalPath, plan.repo);
    assert.deepEqual(new Set(pending.map(({ digest }) => digest)), new Set(left));
    const again = await planFor(registry);
    await applyFor(registry, again, { journalPath, pending });
    assert.deepEqual([...registry.manifests.get("")!.keys()], [left[2]]);
    assert.equal((await readPending(journalPath, plan.repo)).length, 1);
    assert.equal((await readJournal(journalPath)).length, 6);
  });
});

Deno.test("stages that a stopped run has left without tags go under a mark, unless they were published again", async () => {
  await withTempDir(async (dir) => {
    const journalPath = `${dir}/journal`;
    const registry = new MemoryRegistry();
    const signatures = await Promise.all(["a", "b", "c"].map(sig));
    for (const signature of signatures) await putStage(registry, { name: "from", signature });
    const controller = new AbortController();
    registry.fault = (operation, _, reference) => {
      if (operation === "delete" && reference.startsWith("sha256:")) controller.abort(new Error("stopped"));
    };
    const plan = await planFor(registry);
    await applyFor(registry, plan, { signal: controller.signal, journalPath, parallel: 1 });
    registry.fault = undefined;
    const again = await putStage(registry, { name: "from", signature: signatures[1]!, ageMs: 1 });
    await putStage(registry, { name: "from", signature: await sig("d") });
    const pending = await readPending(journalPath, plan.repo);
    const clock = fakeClock(Date.parse(plan.now) + DAY);
    await applyFor(registry, await planFor(registry), { journalPath, pending, clock });
    const stages = [...registry.tags.get("")!].filter(([tag]) => tag.startsWith("dimgstage-"));
    assert.deepEqual(stages, [[`dimgstage-${signatures[1]}`, again]]);
    assert.ok(registry.manifests.get("")!.has(again));
  });
});

Deno.test("tags that go on being listed although they are gone are cleared", async () => {
  const registry = await withGone(4);
  const plan = await planFor(registry);
  registry.fault = (operation, _, reference) => {
    if (operation !== "delete" || reference !== "t2" || registry.stale.length > 0) return;
    registry.stale.push("t2");
    registry.tags.get("")!.delete("t2");
  };
  const report = await applyFor(registry, plan);
  assert.equal(report.outcome, "complete");
  const listed = await Array.fromAsync(registry.repository("").tags(never));
  assert.deepEqual(listed, []);
});

Deno.test("a tag in REPO that has the image of a dimg's own repository was put there by hand, and stays", async () => {
  const registry = new MemoryRegistry();
  await putMarker(registry, "app");
  const image = { dimg: "app", tag: "v1", version: "v1", scheme: "git_tag", value: "v1" };
  const digest = await putImage(registry, image);
  const flat = await putImage(registry, {
    ...image,
    repository: "",
    tag: "app-v2",
    version: "v2",
    value: "v2",
  });
  // What `spush` published is a manifest of its own.
  await putImage(registry, { ...image, repository: "", tag: "v3", version: "v3", value: "v3" });
  for (const [name, manifest] of registry.manifests.get("app")!) {
    registry.manifests.get("")!.set(name, manifest);
  }
  const tags = registry.tags.get("")!;
  tags.set("v1", digest).set("v2", flat);
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan).sort(), [":app-v2", ":v3", "app:v1"]);
  const why = (tag: string) => plan.tags.find((row) => row.repository === "" && row.tag === tag)!.why;
  assert.deepEqual([why("v1"), why("v2")], ['tag "v1" of scheme "custom"', 'tag "v2" of scheme "custom"']);
  await applyFor(registry, plan);
  assert.deepEqual([tags.get("v1"), tags.get("v2")], [digest, flat]);
  assert.ok(registry.manifests.get("")!.has(digest) && registry.manifests.get("")!.has(flat));
});

Deno.test("a tag that a killed cleanup had moved aside goes with the next one, and no other at the word of a plan", async () => {
  const registry = new MemoryRegistry();
  const moved = { repository: "", layers: [], bytes: 1, annotations: { "dapp-removed-tag": "x" } };
  await putManifest(registry, { ...moved, tag: "feature" });
  const theirs = await putImage(registry, { tag: "theirs", project: "other" });
  const plan = await planFor(registry, { plan: { stages: "none" } });
  assert.deepEqual(deletedBy(plan), [":feature"]);
  assert.deepEqual(await parsePlan(JSON.stringify(plan)), plan);
  const changed = {
    ...plan,
    tags: plan.tags.map((row) =>
      row.tag === "theirs" ? { ...row, verdict: "delete" as const, rule: LEFT } : row
    ),
    groups: [
      ...plan.groups,
      { repository: "", digest: theirs, remove: ["theirs"], siblings: [], child: false },
    ],
  };
  const report = await applyFor(registry, changed);
  assert.deepEqual(report.tags.map(({ outcome }) => outcome), ["deleted", "spared"]);
  assert.deepEqual(registry.state(), { ":theirs": theirs });
});
