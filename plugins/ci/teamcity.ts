import type { CiValue } from "../../core/contract/plugin.ts";
import { ciPlugin, type Env, firstOf, refOf, textOf } from "./_facts.ts";

/** Set by hand in the build configuration, from `%teamcity.build.branch%`: TeamCity passes no branch to the environment. */
const branches = ["TEAMCITY_BUILD_BRANCH", "BRANCH_NAME"] as const;

/**
 * TeamCity (TeamCity docs, "Predefined build parameters").
 *
 * With tags in the branch specification a tag build's branch is `refs/tags/v1.0`. A pull request's is
 * `pull/12`.
 */
export const ciTeamcity = ciPlugin("ci-teamcity", (env) => {
  if (textOf(env, "TEAMCITY_VERSION") === undefined) return undefined;
  return {
    name: "TeamCity",
    tag: refOf(env, "tags", ...branches),
    branch: branchOf(env),
    buildId: firstOf(env, "BUILD_NUMBER"),
  };
});

/** `<default>` is how TeamCity calls the default branch when it hides its name. */
function branchOf(env: Env): CiValue {
  const { value, variables } = firstOf(env, ...branches);
  const branch = value?.replace(/^refs\/heads\//, "").replace(/^refs\/(pull\/\d+)\/.*$/, "$1");
  return { value: branch === "<default>" ? undefined : branch, variables };
}
