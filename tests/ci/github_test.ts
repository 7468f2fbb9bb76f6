import assert from "node:assert/strict";
import { withTempDir } from "../support/tmp.ts";
import { detect, type Env, testCi } from "./support.ts";

const base = {
  CI: "true",
  GITHUB_ACTIONS: "true",
  GITHUB_REPOSITORY: "shop/app",
  GITHUB_RUN_ID: "5500",
  GITHUB_HEAD_REF: "",
  GITHUB_BASE_REF: "",
};
const pull = {
  ...base,
  GITHUB_EVENT_NAME: "pull_request",
  GITHUB_REF: "refs/pull/12/merge",
  GITHUB_REF_NAME: "12/merge",
  GITHUB_HEAD_REF: "feature/x",
  GITHUB_BASE_REF: "main",
};
const pullTarget = {
  ...pull,
  GITHUB_EVENT_NAME: "pull_request_target",
  GITHUB_REF: "refs/heads/main",
  GITHUB_REF_NAME: "main",
};

testCi("ci-github", "GitHub Actions", [
  {
    name: "push to a branch",
    env: {
      ...base,
      GITHUB_REF: "refs/heads/feature/x",
      GITHUB_REF_NAME: "feature/x",
      GITHUB_REF_TYPE: "branch",
    },
    branch: "feature/x",
    buildId: "5500",
  },
  {
    name: "push of a tag",
    env: { ...base, GITHUB_REF: "refs/tags/v1.0", GITHUB_REF_NAME: "v1.0", GITHUB_REF_TYPE: "tag" },
    tag: "v1.0",
    buildId: "5500",
  },
  { name: "pull request without an event file", env: pull, branch: "pull/12", buildId: "5500" },
  { name: "pull_request_target without an event file", env: pullTarget, buildId: "5500" },
  { name: "no ref", env: base, buildId: "5500" },
  { name: "nothing but the name of the system", env: { GITHUB_ACTIONS: "true" } },
]);

Deno.test("ci-github reads from the event whether a pull request is a stranger's", async (t) => {
  const event = (repo: unknown) => JSON.stringify({ number: 12, pull_request: { head: { repo } } });
  const own = event({ full_name: "shop/app" });
  const foreign = event({ full_name: "stranger/app" });
  const cases: readonly (readonly [name: string, env: Env, event: string, branch: string])[] = [
    ["a branch of the repository", pull, own, "feature/x"],
    ["a fork", pull, foreign, "pull/12"],
    ["a fork that is gone", pull, event(null), "pull/12"],
    [
      "the branch of a fork that is called like the target",
      { ...pull, GITHUB_HEAD_REF: "main" },
      foreign,
      "pull/12",
    ],
    ["pull_request_target, a branch of the repository", pullTarget, own, "feature/x"],
    ["pull_request_target, a fork", pullTarget, foreign, "pull/12"],
    ["an event that is no JSON", pull, "{", "pull/12"],
  ];
  await withTempDir(async (dir) => {
    const file = `${dir}/event.json`;
    for (const [name, env, text, branch] of cases) {
      await t.step(name, async () => {
        await Deno.writeTextFile(file, text);
        const found = await detect({ ...env, GITHUB_EVENT_PATH: file });
        assert.equal(found?.facts.branch.value, branch);
        assert.equal(found.facts.tag.value, undefined);
      });
    }
  });
});
