import assert from "node:assert/strict";
import { ciOf, collect, type CollectOptions, commit, failure } from "./support.ts";

const detached = { commit, branch: undefined };
const nowhere = { commit: undefined, branch: undefined };
const long = "x".repeat(129);

Deno.test("tag schemes give tags with scheme and value", async (t) => {
  type Row = readonly [
    name: string,
    wish: string,
    options: CollectOptions,
    tag: string,
    scheme: string,
    value: string,
  ];
  const cases: readonly Row[] = [
    ["a valid tag stays", "tag=v1.0", {}, "v1.0", "custom", "v1.0"],
    [
      "any other text is slugged",
      "tag=feature/using_cache",
      {},
      "feature-using-cache-81644ed0",
      "custom",
      "feature/using_cache",
    ],
    ["--tag-slug is the same", "tag-slug=v1.0", {}, "v1.0", "custom", "v1.0"],
    ["--tag-slug slugs", "tag-slug=а_б_ц_д", {}, "a-b-c-d-fce8fc50", "custom", "а_б_ц_д"],
    ["--tag-plain", "tag-plain=Release_1", {}, "Release_1", "custom", "Release_1"],
    ["the branch", "tag-branch", {}, "main", "git_branch", "main"],
    [
      "a branch that is no tag",
      "tag-branch",
      { git: { commit, branch: "core/feature/ADD_SETTINGS" } },
      "core-feature-add-settings-c3fd80df",
      "git_branch",
      "core/feature/ADD_SETTINGS",
    ],
    [
      "the branch that is checked out wins over CI",
      "tag-branch",
      { ci: ciOf({ branch: "other" }) },
      "main",
      "git_branch",
      "main",
    ],
    [
      "detached HEAD in CI",
      "tag-branch",
      { git: detached, ci: ciOf({ branch: "feature" }) },
      "feature",
      "git_branch",
      "feature",
    ],
    [
      "a branch without commits",
      "tag-branch",
      { git: { commit: undefined, branch: "main" } },
      "main",
      "git_branch",
      "main",
    ],
    ["the commit", "tag-commit", {}, commit, "git_commit", commit],
    ["the commit of a detached HEAD", "tag-commit", { git: detached }, commit, "git_commit", commit],
    ["the build", "tag-build-id", { ci: ciOf({ buildId: "88" }) }, "88", "ci", "88"],
    [
      "a build that is no tag",
      "tag-build-id",
      { ci: ciOf({ buildId: "branch/one/!@#4.4-3" }) },
      "branch-one-4-4-3-5589e04f",
      "ci",
      "branch/one/!@#4.4-3",
    ],
    [
      "CI's branch",
      "tag-ci",
      { ci: ciOf({ branch: "fix/memory-leak" }) },
      "fix-memory-leak-b3715a6e",
      "git_branch",
      "fix/memory-leak",
    ],
    ["CI's tag", "tag-ci", { ci: ciOf({ tag: "v2.3.1" }) }, "v2.3.1", "git_tag", "v2.3.1"],
    [
      "CI's tag wins over its branch",
      "tag-ci",
      { ci: ciOf({ tag: "v1", branch: "main" }) },
      "v1",
      "git_tag",
      "v1",
    ],
  ];
  for (const [name, wish, options, tag, scheme, value] of cases) {
    await t.step(name, async () => {
      const [found, ...more] = await collect([wish], options);
      assert.deepEqual(more, []);
      const { plugin, ...rest } = found!;
      assert.deepEqual(rest, { tag, scheme, value });
      assert.match(plugin, /^tag-/);
    });
  }
});

Deno.test("tag schemes say what is missing, and never fall back to latest", async (t) => {
  type Row = readonly [
    name: string,
    wish: string,
    options: CollectOptions,
    code: string,
    message: string | RegExp,
    fix?: RegExp,
  ];
  const cases: readonly Row[] = [
    [
      "--tag without text",
      "tag=",
      {},
      "TAG_INVALID",
      'Cannot tag with --tag "": it is empty, wanted is a text',
    ],
    [
      "--tag-plain with a slash",
      "tag-plain=a/b",
      {},
      "TAG_INVALID",
      /^Cannot tag with --tag-plain "a\/b": it is no tag, wanted/,
    ],
    ["--tag-plain that is too long", `tag-plain=${long}`, {}, "TAG_INVALID", /it is no tag/],
    ["--tag-plain that starts with a dot", "tag-plain=.a", {}, "TAG_INVALID", /it is no tag/],
    [
      "--tag-branch on a detached HEAD",
      "tag-branch",
      { git: detached },
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-branch: HEAD is detached, so no branch is checked out",
      /git switch BRANCH.*--tag/,
    ],
    [
      "--tag-branch on a detached HEAD in CI without a branch",
      "tag-branch",
      { git: detached, ci: ciOf({}) },
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-branch: HEAD is detached, so no branch is checked out, and Test CI names no branch either (looked at T_BRANCH, T_REF)",
    ],
    [
      "--tag-branch when CI builds a git tag",
      "tag-branch",
      { git: detached, ci: ciOf({ tag: "v1.0" }) },
      "TAG_SOURCE_MISSING",
      'Cannot tag with --tag-branch: HEAD is detached, so no branch is checked out, and Test CI builds the git tag "v1.0"',
      /--tag-ci/,
    ],
    [
      "--tag-branch outside of git",
      "tag-branch",
      { git: nowhere },
      "TAG_SOURCE_MISSING",
      /the project is in no git repository$/,
      /--tag, or run dapp in a clone/,
    ],
    [
      "--tag-commit outside of git",
      "tag-commit",
      { git: nowhere },
      "TAG_SOURCE_MISSING",
      /the project is in no git repository$/,
      /--tag, or run dapp in a clone/,
    ],
    [
      "--tag-commit of what no commit holds",
      "tag-commit",
      { git: { ...nowhere, branch: "main", uncommitted: ["dappfile.yaml"] } },
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-commit: what is built is in no commit of the project's git repository",
      /^Commit "dappfile.yaml", which differs from HEAD, or .*--tag$/,
    ],
    [
      "--tag-branch on a detached HEAD, of what no commit holds",
      "tag-branch",
      { git: { ...nowhere, uncommitted: ["dappfile.yaml"] } },
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-branch: HEAD is detached, so no branch is checked out",
    ],
    [
      "--tag-build-id outside of CI",
      "tag-build-id",
      {},
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-build-id: no CI system that dapp knows is running it",
    ],
    [
      "--tag-build-id without variables",
      "tag-build-id",
      { ci: ciOf({ branch: "main" }) },
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-build-id: Test CI names no build (looked at T_BUILD)",
    ],
    [
      "--tag-ci outside of CI",
      "tag-ci",
      {},
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-ci: no CI system that dapp knows is running it",
      /--tag-branch or --tag TAG/,
    ],
    [
      "--tag-ci without variables",
      "tag-ci",
      { ci: ciOf({ buildId: "1" }) },
      "TAG_SOURCE_MISSING",
      "Cannot tag with --tag-ci: Test CI names neither a git tag (looked at T_TAG) nor a branch (looked at T_BRANCH, T_REF)",
    ],
  ];
  for (const [name, wish, options, code, message, fix = /./] of cases) {
    await t.step(
      name,
      async () => assert.match((await failure(collect([wish], options), code, message)).fix, fix),
    );
  }
});
