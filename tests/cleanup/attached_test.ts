/** Signatures, attestations and lists of referrers follow their image. */
import assert from "node:assert/strict";
import { readJournal } from "../../core/cleanup/journal.ts";
import { parsePlan } from "../../core/cleanup/plan_file.ts";
import { restore } from "../../core/cleanup/restore.ts";
import type { Digest } from "../../core/contract/plugin.ts";
import { withTempDir } from "../support/tmp.ts";
import { removedBefore } from "../../core/cleanup/removed_before.ts";
import { failed, MemoryRegistry } from "./support/memory_registry.ts";
import { never, putImage, putIndex, putManifest, putStage, sig } from "./support/publish.ts";
import { applyFor, deletedBy, planFor } from "./support/run.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

const tagOf = (digest: Digest, suffix: string) => `${digest.replace(":", "-")}${suffix}`;

/** What cosign and oras put beside an image. */
async function attach(registry: MemoryRegistry, digest: Digest, suffixes: readonly string[]): Promise<void> {
  for (const suffix of suffixes) {
    const spec = { repository: "", tag: tagOf(digest, suffix), layers: [`${suffix} ${digest}`], bytes: 9 };
    if (suffix !== "") await putManifest(registry, { ...spec, annotations: {} });
    else {
      const child = await putManifest(registry, { ...spec, tag: "tmp", annotations: {} });
      registry.tags.get("")!.delete("tmp");
      await putIndex(registry, { repository: "", tag: spec.tag, children: [child] });
    }
  }
}

const all = [".sig", ".att", ".sbom", ""];

for (const deletion of ["manifest", "tag"] as const) {
  Deno.test(`what is attached to an image is kept with it, goes with it, and comes back with it (${deletion})`, async () => {
    await withTempDir(async (dir) => {
      const journalPath = `${dir}/journal`;
      const registry = new MemoryRegistry({ deletion });
      const image = { scheme: "git_branch", layers: ["l"] };
      const live = await putImage(registry, { ...image, tag: "main", value: "main" });
      const gone = await putImage(registry, { ...image, tag: "gone", value: "gone" });
      const theirs = await putImage(registry, { ...image, tag: "theirs", value: "gone", project: "other" });
      const unknown = digestFromHex("7".repeat(64));
      for (const digest of [live, gone, theirs, unknown]) await attach(registry, digest, all);
      const before = registry.state();
      const plan = await planFor(registry, { git: { branches: ["main"] } });
      assert.deepEqual(
        deletedBy(plan).sort(),
        [":gone", ...all.map((suffix) => `:${tagOf(gone, suffix)}`)].sort(),
      );
      const kept = plan.tags.find(({ tag }) => tag === tagOf(live, ".sig"))!;
      assert.deepEqual([kept.rule, kept.why], ["attached", "it belongs to registry.test/shop:main"]);
      assert.deepEqual(await parsePlan(JSON.stringify(plan)), plan);

      const report = await applyFor(registry, plan, { journalPath });
      assert.deepEqual([report.counts.deleted, report.exitCode], [5, 0]);
      const rest = Object.fromEntries(
        Object.entries(before).filter(([key]) => !deletedBy(plan).includes(key)),
      );
      assert.deepEqual(registry.state(), rest);

      const back = await restore(registry, await readJournal(journalPath), { signal: never, tags: ["gone"] });
      assert.deepEqual(back.map(({ outcome }) => outcome), Array(5).fill("restored"));
      assert.deepEqual(registry.state(), before);
    });
  });
}

Deno.test("what is attached to an image that got a tag meanwhile stays, as does what is attached below an index", async () => {
  const registry = new MemoryRegistry();
  const image = { scheme: "git_branch", value: "gone", version: "x" };
  const gone = await putImage(registry, { ...image, tag: "x" });
  const child = await putImage(registry, { tag: "child", project: "other" });
  registry.tags.get("")!.delete("child");
  await putIndex(registry, { repository: "", tag: "multi", children: [child] });
  for (const digest of [gone, child]) await attach(registry, digest, [".sig"]);
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan).sort(), [`:${tagOf(gone, ".sig")}`, ":x"].sort());
  registry.fault = (operation, _, reference) => {
    if (operation === "delete" && reference === "x") registry.tags.get("")!.set("mine", gone);
  };
  const report = await applyFor(registry, plan);
  assert.deepEqual([report.counts.deleted, report.counts.spared, report.exitCode], [1, 1, 0]);
  assert.ok(registry.tags.get("")!.has(tagOf(gone, ".sig")));
});

Deno.test("a plan that was changed takes no tag of others for something attached", async () => {
  const registry = new MemoryRegistry();
  const theirs = await putImage(registry, { tag: "theirs", project: "other" });
  await attach(registry, theirs, [".sig"]);
  const plan = await planFor(registry);
  const change = (tag: string) => ({
    ...plan,
    tags: plan.tags.map((row) =>
      row.tag === tag ? { ...row, verdict: "delete" as const, rule: "attached" } : row
    ),
    groups: plan.tags.filter((row) => row.tag === tag).map(({ repository, digest }) => ({
      repository,
      digest: digest!,
      remove: [tag],
      siblings: [],
      child: false,
    })),
  });
  await assert.rejects(parsePlan(JSON.stringify(change("theirs"))), /is not the project's/);
  const report = await applyFor(registry, change(tagOf(theirs, ".sig")));
  assert.deepEqual(report.tags.map(({ outcome }) => outcome), ["spared"]);
});

Deno.test("what a run that was stopped left of a removed image goes with the next one, and nothing else does", async () => {
  await withTempDir(async (dir) => {
    const journalPath = `${dir}/journal`;
    const registry = new MemoryRegistry({ deletion: "tag" });
    const image = { scheme: "git_branch", layers: ["l"] };
    const gone = await putImage(registry, { ...image, tag: "gone", value: "gone" });
    const unknown = digestFromHex("7".repeat(64));
    for (const digest of [gone, unknown]) await attach(registry, digest, [".sig", ".att"]);
    const left = [".sig", ".att"].map((suffix) => tagOf(gone, suffix));
    registry.fault = (operation, _, reference) => {
      if (operation === "delete" && left.includes(reference)) throw failed("the connection was cut", 500);
    };
    const first = await applyFor(registry, await planFor(registry), { journalPath });
    assert.notEqual(first.exitCode, 0);
    registry.fault = undefined;
    assert.ok(!registry.tags.get("")!.has("gone"));
    for (const tag of left) assert.ok(registry.tags.get("")!.has(tag), tag);

    // Without its journal nobody knows whose they are.
    assert.deepEqual(deletedBy(await planFor(registry)), []);
    const repo = "registry.test/shop";
    const removed = await removedBefore(journalPath, { repo, project: "shop" });
    assert.deepEqual([...await removedBefore(journalPath, { repo, project: "other" })], []);
    const only = await planFor(registry, { plan: { stages: "none", removed, dimgs: ["web"] } });
    assert.deepEqual(deletedBy(only), []);
    const next = await planFor(registry, { plan: { stages: "unneeded", removed } });
    assert.deepEqual(deletedBy(next).sort(), left.map((tag) => `:${tag}`).sort());
    const second = await applyFor(registry, next, { journalPath });
    assert.deepEqual([second.counts.deleted, second.exitCode], [2, 0]);
    assert.ok(registry.tags.get("")!.has(tagOf(unknown, ".sig")));
  });
});

for (const deletion of ["manifest", "tag"] as const) {
  Deno.test(`a signature of a signature goes after it, with their image (${deletion})`, async () => {
    const registry = new MemoryRegistry({ deletion });
    const image = { scheme: "git_branch", layers: ["l"] };
    const live = await putImage(registry, { ...image, tag: "main", value: "main" });
    const gone = await putImage(registry, { ...image, tag: "gone", value: "gone" });
    const put = (digest: Digest, layers: readonly string[]) =>
      putManifest(registry, {
        repository: "",
        tag: tagOf(digest, ".sig"),
        layers,
        bytes: 9,
        annotations: {},
      });
    const going: string[] = [];
    for (const subject of [live, gone]) {
      let at = subject;
      for (const text of ["one", "two", "three"]) {
        if (subject === gone) going.push(`:${tagOf(at, ".sig")}`);
        at = await put(at, [`${text} of ${subject}`]);
      }
    }
    // Names that go round in a circle say nothing.
    const [a, b] = [
      await put(digestFromHex("8".repeat(64)), ["a"]),
      await put(digestFromHex("9".repeat(64)), ["b"]),
    ];
    registry.tags.get("")!.set(tagOf(a, ".att"), b).set(tagOf(b, ".att"), a);
    const before = registry.state();
    const plan = await planFor(registry, { git: { branches: ["main"] } });
    assert.deepEqual(deletedBy(plan).sort(), [...going, ":gone"].sort());
    const report = await applyFor(registry, plan);
    assert.deepEqual([report.counts.deleted, report.exitCode], [4, 0]);
    const rest = Object.entries(before).filter(([key]) => ![...going, ":gone"].includes(key));
    assert.deepEqual(registry.state(), Object.fromEntries(rest));
  });
}

Deno.test("what is attached to a part of an image stays while any index has that part, at any depth", async () => {
  const registry = new MemoryRegistry();
  const part = await putImage(registry, { tag: "tmp" });
  registry.tags.get("")!.delete("tmp");
  const annotations = {
    dapp: "shop",
    "dapp-dimg": "true",
    "dapp-tag-scheme": "git_branch",
    "dapp-tag-value": "gone",
  };
  const image = await putIndex(registry, { repository: "", tag: "gone", children: [part] }, annotations);
  await putIndex(registry, { repository: "", tag: "joined", children: [image] });
  await attach(registry, part, [".sig"]);
  assert.deepEqual(deletedBy(await planFor(registry)), [":gone"]);
});

Deno.test("what a run that was stopped left of a stage, and of a signature, goes with the next one", async () => {
  await withTempDir(async (dir) => {
    const journalPath = `${dir}/journal`;
    const registry = new MemoryRegistry({ deletion: "tag" });
    const stage = await putStage(registry, { name: "setup", signature: await sig("setup") });
    const image = await putImage(registry, { scheme: "git_branch", value: "gone", tag: "gone" });
    const spec = { repository: "", layers: ["s"], bytes: 9, annotations: {} };
    const signature = await putManifest(registry, { ...spec, tag: tagOf(image, ".sig") });
    const left = [tagOf(signature, ".sig"), tagOf(stage, ".att")];
    for (const tag of left) await putManifest(registry, { ...spec, tag, layers: [tag] });
    registry.fault = (operation, _, reference) => {
      if (operation === "delete" && left.includes(reference)) throw failed("the connection was cut", 500);
    };
    await applyFor(registry, await planFor(registry), { journalPath });
    registry.fault = undefined;
    assert.deepEqual(
      Object.keys(registry.state()).filter((key) => !key.startsWith(":dappservice")),
      left.map((tag) => `:${tag}`).sort(),
    );
    const removed = await removedBefore(journalPath, { repo: "registry.test/shop", project: "shop" });
    const next = await planFor(registry, { plan: { stages: "unneeded", removed } });
    assert.deepEqual(deletedBy(next).sort(), left.map((tag) => `:${tag}`).sort());
  });
});
