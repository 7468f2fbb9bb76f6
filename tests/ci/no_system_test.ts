import assert from "node:assert/strict";
import { detect, type Env } from "./support.ts";

Deno.test("CI plugins recognise nothing outside of CI", async (t) => {
  const cases: readonly (readonly [string, Env])[] = [
    ["nothing set", {}],
    ["CI alone", { CI: "true" }],
    ["switched off", { GITLAB_CI: "false", GITHUB_ACTIONS: "false", TRAVIS: "0", TF_BUILD: "False" }],
    ["set but empty", {
      GITLAB_CI: "",
      GITHUB_ACTIONS: "",
      JENKINS_URL: "",
      DRONE: "",
      TEAMCITY_VERSION: " ",
    }],
    ["variables of a system that does not run", {
      CI_COMMIT_TAG: "v1",
      GITHUB_REF: "refs/tags/v1",
      BRANCH_NAME: "main",
    }],
  ];
  for (const [name, env] of cases) await t.step(name, async () => assert.equal(await detect(env), undefined));
});
