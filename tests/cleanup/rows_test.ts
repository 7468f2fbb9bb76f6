/** The complaints about the old tool's cleanup, by their number in the list of section 10 of its description. */
import assert from "node:assert/strict";
import { use } from "../../core/contract/plugin.ts";
import { keepCustom } from "../../plugins/cleanup/custom.ts";
import { keepGitTags } from "../../plugins/cleanup/git_tags.ts";
import { keepKubernetes } from "../../plugins/cleanup/kubernetes/mod.ts";
import { failed, memoryMemo, MemoryRegistry } from "./support/memory_registry.ts";
import { DAY, HOUR, putImage, putIndex, putMarker, putStage, sig } from "./support/publish.ts";
import { applyFor, deletedBy, planFor } from "./support/run.ts";

const all = { stages: "unneeded" } as const;

/** A chain of three stages of one dimg, in the registry. */
async function putChain(registry: MemoryRegistry, name: string, ageMs = 90 * DAY) {
  const names = ["from", "install", "setup"];
  const signatures = await Promise.all(names.map((n) => sig(`${name} ${n}`)));
  const below: string[] = [];
  for (const [i, stage] of names.entries()) {
    const previous = signatures[i - 1];
    const spec = {
      name: stage,
      signature: signatures[i]!,
      below: [...below],
      ageMs,
      ...(previous && { previous }),
    };
    await putStage(registry, spec);
    below.push(`${stage} ${signatures[i]}`);
  }
  const chain = [{ image: name, stages: names.map((stage, i) => ({ stage, signature: signatures[i]! })) }];
  return { chain, layers: below, tags: signatures.map((s) => `:dimgstage-${s}`) };
}

Deno.test("row 1: a stage that is not yet part of a published image survives, with all it stands on", async () => {
  const registry = new MemoryRegistry();
  const old = await putChain(registry, "old");
  const top = await sig("fresh");
  await putStage(registry, {
    name: "extra",
    signature: top,
    previous: old.chain[0]!.stages[1]!.signature,
    ageMs: HOUR,
  });
  const gone = deletedBy(await planFor(registry));
  assert.deepEqual(gone, [old.tags[2]]);
});

Deno.test("row 2: a limit keeps the newest images, not the oldest", async () => {
  const registry = new MemoryRegistry();
  await putMarker(registry, "app");
  for (let day = 1; day <= 5; day++) {
    await putImage(registry, {
      dimg: "app",
      tag: `v${day}`,
      scheme: "git_tag",
      value: `v${day}`,
      ageMs: day * DAY,
    });
  }
  const plan = await planFor(registry, {
    git: { tags: ["v1", "v2", "v3", "v4", "v5"] },
    policies: [use(keepGitTags, { last: 2 })],
  });
  assert.deepEqual(deletedBy(plan), ["app:v3", "app:v4", "app:v5"]);
});

Deno.test("row 3: stages of a deployed image stay, although no git rule keeps the image", async () => {
  const registry = new MemoryRegistry();
  const used = await putChain(registry, "used");
  await putImage(registry, { tag: "gone", scheme: "git_branch", value: "gone", ...used, salt: "deployed" });
  const spare = use({
    ...keepCustom,
    name: "keep-deployed",
    optionsSchema: () => Promise.resolve(undefined),
    load: () =>
      Promise.resolve({
        keep: ({ inventory }) =>
          inventory.images.map(({ reference }) => ({ reference, rule: "deployed", why: "pod web" })),
      }),
  });
  const plan = await planFor(registry, { policies: [spare], plan: all });
  assert.deepEqual(deletedBy(plan), []);
});

Deno.test("row 5 and 7: what does not carry this project's label is never touched", async () => {
  const registry = new MemoryRegistry();
  const theirs = await sig("their stage");
  await putStage(registry, { name: "from", signature: theirs, project: "other" });
  await putImage(registry, { tag: "other-image", project: "other", scheme: "git_branch", value: "gone" });
  await putImage(registry, { tag: "mine", scheme: "git_branch", value: "gone" });
  assert.deepEqual(deletedBy(await planFor(registry)), [":mine"]);
  const before = registry.state();
  const plan = await planFor(registry, { policies: [], plan: { stages: "all" } });
  await applyFor(registry, plan);
  const { ":mine": _, ...rest } = before;
  assert.deepEqual(withoutService(registry.state()), rest);
});

Deno.test("row 7: an image of another project is a root for a stage that both share", async () => {
  const registry = new MemoryRegistry();
  const shared = await putChain(registry, "shared");
  await putImage(registry, { tag: "theirs", project: "other", chain: shared.chain });
  assert.deepEqual(deletedBy(await planFor(registry)), []);
});

Deno.test("row 7: a flush leaves stages while a tag cannot be read: another project's image may stand on them", async () => {
  const registry = new MemoryRegistry();
  const { chain, tags } = await putChain(registry, "shared");
  const flush = () => planFor(registry, { policies: [], plan: { stages: "all" } });
  const before = await flush();
  assert.equal(deletedBy(before).length, tags.length);
  await putImage(registry, { tag: "theirs", project: "other", chain });
  registry.fault = (operation, _, reference) => {
    if (operation === "get" && reference === "theirs") throw failed("GET answered 429", 429);
  };
  const report = await applyFor(registry, before);
  assert.deepEqual([report.counts.deleted, report.counts.spared], [0, tags.length]);
  const plan = await flush();
  assert.deepEqual(deletedBy(plan), []);
  assert.match(plan.notes.join(), /No stage goes: what registry.test\/shop:theirs stands on cannot be read/);
});

Deno.test("row 8: images of renamed and removed dimgs and of all schemes can go", async () => {
  const registry = new MemoryRegistry();
  await putMarker(registry, "old-name");
  await putImage(registry, { dimg: "old-name", tag: "main", scheme: "git_branch", value: "gone" });
  for (const tag of ["nightly-1", "nightly-2", "keep-me"]) {
    const ageMs = tag === "nightly-2" ? DAY : 3 * DAY;
    await putImage(registry, { dimg: "old-name", tag, ageMs });
  }
  const policies = [
    use(keepCustom, { tags: "nightly-*", last: 1 }),
    use({ ...keepCustom, name: "b" }, { tags: "keep-*" }),
  ];
  const plan = await planFor(registry, { policies });
  assert.deepEqual(deletedBy(plan), ["old-name:main", "old-name:nightly-1"]);
});

Deno.test("row 10: outside of git, images made from git stay and the plan says why", async () => {
  const registry = new MemoryRegistry();
  for (const scheme of ["git_branch", "git_tag", "git_commit"]) {
    await putImage(registry, { tag: scheme, scheme });
  }
  const plan = await planFor(registry, { git: "none" });
  assert.deepEqual(deletedBy(plan), []);
  assert.deepEqual(plan.tags.map(({ rule }) => rule), ["no git", "no git", "no git"]);
});

Deno.test("row 11: a second plan asks for almost nothing", async () => {
  const registry = new MemoryRegistry();
  const memo = memoryMemo();
  for (let i = 0; i < 100; i++) {
    await putImage(registry, { tag: `c${i}`, scheme: "git_commit", value: `c${i}` });
  }
  const first = await planFor(registry, { memo });
  const requests = registry.requests;
  registry.resetCounts();
  assert.deepEqual((await planFor(registry, { memo })).groups, first.groups);
  assert.ok(registry.requests <= requests * 0.05, `${registry.requests} of ${requests}`);
});

Deno.test("row 12: applying a plan again finds everything gone and succeeds", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "x", scheme: "git_branch", value: "gone" });
  const plan = await planFor(registry);
  assert.equal((await applyFor(registry, plan)).counts.deleted, 1);
  const again = await applyFor(registry, plan);
  assert.deepEqual([again.outcome, again.exitCode, again.counts.gone], ["complete", 0, 1]);
});

Deno.test("row 14 and 15: chains follow signatures, also over a stage that is not in the registry", async () => {
  const registry = new MemoryRegistry();
  const [a, b, c] = await Promise.all(["a", "b", "c"].map(sig)) as [string, string, string];
  await putStage(registry, { name: "from", signature: a });
  // b was never pushed; c says it stands on it.
  await putStage(registry, { name: "setup", signature: c, previous: b });
  const stages = [{ stage: "from", signature: a }, { stage: "install", signature: b }, {
    stage: "setup",
    signature: c,
  }];
  await putImage(registry, {
    tag: "main",
    scheme: "git_branch",
    value: "main",
    chain: [{ image: "app", stages }],
  });
  // Another server pushed the same signature with other bytes.
  await putStage(registry, { name: "setup", signature: c, previous: b, bytes: 7 });
  const plan = await planFor(registry, { git: { branches: ["main"] } });
  assert.deepEqual(deletedBy(plan), []);
  const chain = plan.tags.find(({ signature }) => signature === a)!.chain;
  assert.match(
    chain.join(" -> "),
    /^branch "main" exists -> .*image .*:main -> dimg app -> stage setup .* -> stage from/,
  );
});

Deno.test("row 16: an image that is pushed between plan and removal keeps its stages", async () => {
  const registry = new MemoryRegistry();
  const { chain, tags } = await putChain(registry, "app");
  const plan = await planFor(registry);
  assert.deepEqual(deletedBy(plan).sort(), [...tags].sort());
  await putImage(registry, { tag: "just-now", chain });
  const report = await applyFor(registry, plan);
  assert.deepEqual([report.counts.spared, report.counts.deleted], [3, 0]);
});

Deno.test("row 17: freed bytes are those of blobs that nothing left refers to; only manifests are deleted", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "a", scheme: "git_branch", value: "main", layers: ["shared", "a"] });
  await putImage(registry, { tag: "b", scheme: "git_branch", value: "gone", layers: ["shared", "b"] });
  const blobs = registry.blobs.size;
  const plan = await planFor(registry, { git: { branches: ["main"] } });
  const manifest = registry.manifests.get("")!.get(registry.tags.get("")!.get("b")!)!;
  assert.equal(plan.freedBytes, 1000 + 100 + manifest.bytes.length);
  await applyFor(registry, plan);
  assert.equal(registry.blobs.size, blobs);
});

Deno.test("row 18: a digest with a tag that stays loses only its other tags", async () => {
  for (const deletion of ["tag", "manifest"] as const) {
    const registry = new MemoryRegistry({ deletion });
    await putImage(registry, { tag: "gone", scheme: "git_branch", value: "gone" });
    const digest = registry.tags.get("")!.get("gone")!;
    const plan = await planFor(registry);
    // Somebody tags the same manifest after the plan was made.
    registry.tags.get("")!.set("hand-made", digest);
    const report = await applyFor(registry, plan);
    assert.deepEqual(registry.state(), { ":hand-made": digest });
    assert.ok(registry.manifests.get("")!.has(digest));
    assert.deepEqual([report.counts.deleted, report.exitCode], [1, 0]);
  }
});

Deno.test("row 18: a tag that somebody put on an image by hand says nothing of git, and stays", async () => {
  const registry = new MemoryRegistry();
  for (const dimg of ["app", "web"]) await putMarker(registry, dimg);
  const { chain, tags } = await putChain(registry, "copied");
  const image = { dimg: "app", scheme: "git_branch", value: "gone", version: "gone", chain };
  const copies = [["app", "prod"], ["web", "gone"], ["", "other-gone"]] as const;
  await putImage(registry, { ...image, tag: "gone" });
  await putImage(registry, { ...image, repository: "", tag: "app-gone" });
  await putImage(registry, { ...image, repository: "", tag: "gone" });
  for (const [repository, tag] of copies) await putImage(registry, { ...image, repository, tag });
  const memo = memoryMemo();
  for (let run = 0; run < 2; run++) {
    const plan = await planFor(registry, { memo, git: { branches: ["main"] } });
    assert.deepEqual(deletedBy(plan).sort(), [":app-gone", ":gone", "app:gone"]);
    assert.ok(
      plan.tags.filter(({ kind }) => kind === "image").every(({ rule, verdict }) =>
        verdict === "delete" || rule === "tag"
      ),
    );
    for (const tag of tags) assert.ok(!deletedBy(plan).includes(tag), tag);
  }
  const nightly = [use(keepCustom, { tags: "nightly-*" })];
  const named = copies.map(([repository, tag]) => `${repository}:${tag}`);
  const gone = deletedBy(await planFor(registry, { policies: nightly }));
  for (const name of named) assert.ok(gone.includes(name), name);
});

Deno.test("flush with some dimgs chosen leaves the stages that images of the others stand on", async () => {
  const registry = new MemoryRegistry();
  for (const dimg of ["app", "web"]) await putMarker(registry, dimg);
  const [app, web] = [await putChain(registry, "app"), await putChain(registry, "web")];
  await putImage(registry, { dimg: "app", tag: "a", chain: app.chain });
  await putImage(registry, { dimg: "web", tag: "w", chain: web.chain });
  const flush = (dimgs?: readonly string[]) =>
    planFor(registry, { policies: [], plan: { stages: "all", ...(dimgs && { dimgs }) } });
  assert.deepEqual(deletedBy(await flush(["app"])).sort(), [...app.tags, "app:a"].sort());
  assert.equal(deletedBy(await flush()).length, 8);
});

Deno.test("row 18: a manifest that an index refers to is not deleted from under it", async () => {
  const registry = new MemoryRegistry();
  const child = await putImage(registry, { tag: "gone", scheme: "git_branch", value: "gone" });
  await putIndex(registry, { repository: "", tag: "multi", children: [child] });
  const plan = await planFor(registry);
  assert.equal((await applyFor(registry, plan)).counts.deleted, 1);
  assert.deepEqual(Object.keys(registry.state()), [":multi"]);
  assert.ok(registry.manifests.get("")!.has(child));
});

Deno.test("row 7: a plan that was changed removes nothing that does not carry the project's label", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "theirs", project: "other" });
  await putMarker(registry, "app");
  const before = registry.state();
  const plan = await planFor(registry);
  const groups = plan.tags.map(({ repository, digest, tag }) => ({
    repository,
    digest: digest!,
    remove: [tag],
    siblings: [],
    child: false,
  }));
  const tags = plan.tags.map((tag) => ({ ...tag, kind: "image" as const, verdict: "delete" as const }));
  const report = await applyFor(registry, { ...plan, groups, tags });
  assert.deepEqual(report.tags.map(({ outcome }) => outcome), ["spared", "spared"]);
  assert.deepEqual(registry.state(), before);
  const renamed = tags.map((tag) => ({ ...tag, reference: `${tag.reference}x` }));
  await assert.rejects(applyFor(registry, { ...plan, groups, tags: renamed }), /it calls tag/);
});

Deno.test("row 19: a registry that may not delete ends the run with one message", async () => {
  const registry = new MemoryRegistry();
  for (let i = 0; i < 20; i++) {
    await putImage(registry, { tag: `t${i}`, scheme: "git_branch", value: "gone" });
  }
  const before = registry.state();
  const plan = await planFor(registry);
  registry.fault = (operation) => {
    if (operation === "delete") throw failed("DELETE answered 401", 401);
  };
  const report = await applyFor(registry, plan, { parallel: 2 });
  assert.deepEqual([report.outcome, report.exitCode], ["impossible", 1]);
  assert.match(report.message!, /401/);
  assert.equal(report.counts["not tried"], 20);
  assert.ok(registry.counts.delete <= 2);
  assert.deepEqual(registry.state(), before);
});

Deno.test("row 31: a project of the same name elsewhere has another REPO; a plan is bound to its REPO", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "x", scheme: "git_branch", value: "gone" });
  const plan = await planFor(registry);
  await assert.rejects(
    applyFor(registry, { ...plan, repo: "registry.test/elsewhere/shop" }),
    /it was made for "registry.test\/elsewhere\/shop", this is "registry.test\/shop"/,
  );
});

Deno.test("row 36: an in-use source that does not answer fails the plan", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "x", scheme: "git_branch", value: "gone" });
  await assert.rejects(planFor(registry, { policies: [use(keepKubernetes)] }), /there is no kubeconfig/);
});

Deno.test("row 37: limits are options, and a plan says which rule decided", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "v1", scheme: "git_tag", ageMs: 40 * DAY });
  const git = { tags: ["v1"] };
  assert.deepEqual(deletedBy(await planFor(registry, { git })), [":v1"]);
  const plan = await planFor(registry, { git, policies: [use(keepGitTags, { maxAge: "60d", last: 1 })] });
  const [tag] = plan.tags;
  assert.deepEqual(
    [tag?.verdict, tag?.plugin, tag?.why],
    ["keep", "keep-git-tags", 'git tag "v1" exists, among the newest 1, not older than 60d'],
  );
});

function withoutService(state: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(state).filter(([key]) => !key.startsWith(":dappservice-")));
}
