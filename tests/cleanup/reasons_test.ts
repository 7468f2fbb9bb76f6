/** Why a tag goes, in terms of the rule that came nearest to keeping it; and remotes that are another repository. */
import assert from "node:assert/strict";
import { otherRemote } from "../../core/cleanup/other_remote.ts";
import { parsePlan } from "../../core/cleanup/plan_file.ts";
import type { PlannedRemoval } from "../../core/cleanup/plan.ts";
import { type CleanupGit, definePlugin, type InventoryImage, use } from "../../core/contract/plugin.ts";
import { keepBranches } from "../../plugins/cleanup/branches.ts";
import { keepGitTags } from "../../plugins/cleanup/git_tags.ts";
import { keepLast } from "../../plugins/cleanup/last.ts";
import { keepSemver } from "../../plugins/cleanup/semver.ts";
import { MemoryRegistry } from "./support/memory_registry.ts";
import { ago, DAY, NOW, putImage, putMarker, putStage, sig } from "./support/publish.ts";
import { planFor } from "./support/run.ts";

const reasons = (tags: readonly PlannedRemoval[]) =>
  Object.fromEntries(
    tags.filter(({ kind }) => kind === "image").map((
      { tag, verdict, rule, why },
    ) => [tag, [verdict, rule, why]]),
  );

Deno.test("a tag that goes says which rule came nearest to keeping it", async () => {
  const registry = new MemoryRegistry();
  await putMarker(registry, "app");
  const put = (tag: string, scheme: string, value: string, days: number) =>
    putImage(registry, { dimg: "app", tag, scheme, value, ageMs: days * DAY, commit: "c".repeat(40) });
  for (let n = 1; n <= 4; n++) await put(`v1.0.${n}`, "git_tag", `v1.0.${n}`, 10 - n);
  await put("v0.9", "git_tag", "v0.9", 40);
  await put("v0.8", "git_tag", "v0.8", 50);
  await put("old", "git_branch", "feature/old", 5);
  await put("abc", "git_commit", "a".repeat(40), 5);
  await put("x-1", "ours", "1", 5);
  const git = { branches: ["main"], tags: ["v1.0.1", "v1.0.2", "v1.0.3", "v1.0.4", "v0.9"] };
  const plan = await planFor(registry, {
    git,
    policies: [use(keepGitTags, { last: 2, maxAge: "30d" }), use(keepBranches)],
  });
  assert.deepEqual(reasons(plan.tags), {
    "v1.0.4": ["keep", "git tag exists", 'git tag "v1.0.4" exists, among the newest 2, not older than 30d'],
    "v1.0.3": ["keep", "git tag exists", 'git tag "v1.0.3" exists, among the newest 2, not older than 30d'],
    "v1.0.2": ["delete", "enough newer ones", 'git tag "v1.0.2" exists, but 3rd newest, the rule keeps 2'],
    "v1.0.1": ["delete", "enough newer ones", 'git tag "v1.0.1" exists, but 4th newest, the rule keeps 2'],
    "v0.9": ["delete", "too old", 'git tag "v0.9" exists, but older than 30d'],
    "v0.8": ["delete", "git tag gone", 'no git tag "v0.8" exists'],
    old: ["delete", "branch gone", 'no branch "feature/old" exists'],
    abc: ["delete", "nobody keeps it", `no policy is about commit "${"a".repeat(40)}"`],
    "x-1": ["delete", "nobody keeps it", 'no policy is about ours scheme "1"'],
  });
  const old = plan.tags.find(({ tag }) => tag === "old")!;
  assert.deepEqual([old.dimg, old.scheme, old.commit, old.time], [
    "app",
    "git_branch",
    "c".repeat(40),
    ago(5 * DAY),
  ]);
  assert.ok(old.bytes! > 100);
  assert.deepEqual(await parsePlan(JSON.stringify(plan)), plan);
});

Deno.test("several rules that came near are all told, and one that keeps wins", async () => {
  const registry = new MemoryRegistry();
  for (let n = 1; n <= 13; n++) {
    await putImage(registry, {
      tag: `1.${n}.0`,
      scheme: "git_branch",
      value: n === 2 ? "live" : "gone",
      ageMs: n * DAY,
    });
  }
  const plan = await planFor(registry, {
    git: { branches: ["live"] },
    policies: [use(keepBranches), use(keepLast, { count: 1 }), use(keepSemver, { lines: 2 })],
  });
  const of = (tag: string) => plan.tags.find((each) => each.tag === tag)!;
  assert.deepEqual([of("1.1.0").verdict, of("1.1.0").plugin], ["keep", "keep-last"]);
  assert.deepEqual([of("1.2.0").verdict, of("1.2.0").plugin], ["keep", "keep-branches"]);
  assert.deepEqual([of("1.12.0").verdict, of("1.12.0").plugin], ["keep", "keep-semver"]);
  assert.equal(of("1.11.0").why, 'no branch "gone" exists');
  assert.deepEqual(of("1.11.0").also!.map(({ why }) => why), [
    "an image of the nameless dimg, but 11th newest, the rule keeps 1",
    "line 1.11 is the 3rd newest, the rule keeps 2",
  ]);
});

Deno.test("policies from outside say what came near too; anything else that they add is refused", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "a" });
  const policy = (row: Record<string, unknown>) =>
    definePlugin({
      name: "keep-deployed",
      api: 1,
      setup: () => ({
        keep: ({ inventory }) =>
          inventory.images.map(({ reference }) => ({
            reference,
            rule: "deployed",
            why: "was, until May",
            ...row,
          })),
      }),
    });
  const plan = await planFor(registry, { policies: [use(policy({ nearly: true }))] });
  assert.deepEqual(reasons(plan.tags), { a: ["delete", "deployed", "was, until May"] });
  for (const row of [{ nearly: false }, { nearly: "yes" }, { near: true }]) {
    await assert.rejects(planFor(registry, { policies: [use(policy(row))] }), {
      code: "PLUGIN_RESULT_INVALID",
    });
  }
});

Deno.test("a flush says that it is one, and what was not asked for says so shortly", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "a", scheme: "git_branch", value: "main" });
  await putStage(registry, { name: "from", signature: await sig("s") });
  const flush = await planFor(registry, { policies: [], plan: { flush: true } });
  assert.deepEqual(flush.tags.map(({ rule, why }) => [rule, why]), [
    ["flush", "all images are to go"],
    ["not asked for", "stages go with --with-stages only"],
  ]);
});

/** A repository with commits, of which some are at branches. */
function gitOf(branches: Record<string, string>, commits: readonly string[], trees: readonly string[] = []) {
  let asked = 0;
  const git: CleanupGit = {
    branches: () => Promise.resolve(new Map(Object.entries(branches))),
    tags: () => Promise.resolve(new Map()),
    commits: () => {
      asked++;
      return Promise.resolve(new Map(commits.map((id) => [id, { tree: `tree ${id}`, time: NOW / 1000 }])));
    },
    trees: () => Promise.resolve(new Set([...commits.map((id) => `tree ${id}`), ...trees])),
  };
  return { git, asked: () => asked };
}

Deno.test("otherRemote() notices a fork, and takes no repository with many dead branches for one", async (t) => {
  const image = (n: number, row: Partial<InventoryImage>): InventoryImage => ({
    repository: "",
    tag: `t${n}`,
    reference: `r/shop:t${n}`,
    digest: `sha256:${String(n).padStart(64, "0")}` as InventoryImage["digest"],
    dimg: "",
    scheme: "git_branch",
    value: `b${n}`,
    ownTag: `t${n}`,
    commit: `c${n}`,
    signature: "",
    chain: [],
    publishedAt: ago(n * DAY),
    bytes: 1,
    ...row,
  });
  const inventoryOf = (images: readonly InventoryImage[]) => ({
    project: "shop",
    repo: "r/shop",
    now: ago(0),
    images,
    stages: [],
    others: [],
    broken: [],
    manifests: {},
  });
  const many = Array.from({ length: 40 }, (_, n) => image(n, {}));
  const cases: readonly (readonly [string, readonly InventoryImage[], ReturnType<typeof gitOf>, boolean])[] =
    [
      [
        "a fork that lags behind",
        [image(90, { value: "main" }), ...many],
        gitOf({ main: "old" }, ["old", "c1"]),
        true,
      ],
      ["an unrelated repository", many, gitOf({ trunk: "x" }, ["x", "y"]), true],
      [
        "the right one, most branches are gone",
        [image(90, { value: "main" }), ...many],
        gitOf({ main: "c90" }, ["c90"]),
        false,
      ],
      [
        "the right one, its branches went on",
        [image(90, { value: "main" }), image(91, { value: "dev" }), ...many],
        gitOf({ main: "newer", dev: "newest" }, ["newer", "newest", "c90", "c91"]),
        false,
      ],
      [
        "merged as squashes",
        many.map((each, n) => ({ ...each, scheme: "git_commit", tree: `t ${n}` })),
        gitOf({ main: "x" }, ["x"], many.slice(0, 25).map((_, n) => `t ${n}`)),
        false,
      ],
      ["too few commits to tell", many.slice(0, 4), gitOf({ trunk: "x" }, ["x"]), false],
      ["nothing recorded", many.map(({ commit: _, ...rest }) => rest), gitOf({ trunk: "x" }, ["x"]), false],
    ];
  for (const [name, images, { git }, other] of cases) {
    await t.step(name, async () => {
      const said = await otherRemote(git, inventoryOf(images));
      assert.equal(said !== undefined, other, said!);
    });
  }
  await t.step("branches that are where their images were built tell it without any history", async () => {
    const { git, asked } = gitOf({ main: "c90" }, []);
    await otherRemote(git, inventoryOf([image(90, { value: "main" }), ...many]));
    assert.equal(asked(), 0);
  });
});
