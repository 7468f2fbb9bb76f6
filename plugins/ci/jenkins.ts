import type { CiValue } from "../../core/contract/plugin.ts";
import { ciPlugin, type Env, firstOf, textOf } from "./_facts.ts";

/**
 * Jenkins, multibranch pipelines and jobs with the git plugin (its "Global Variable Reference").
 *
 * BRANCH_NAME is the tag on tag builds and `PR-12` in pull requests. Build numbers are counted by job, and each branch
 * is a job of its own: BUILD_TAG, made of both, is the one that names a build alone.
 */
export const ciJenkins = ciPlugin("ci-jenkins", (env) => {
  if (textOf(env, "JENKINS_URL") === undefined) return undefined;
  const number = firstOf(env, "CHANGE_ID");
  return {
    name: "Jenkins",
    tag: firstOf(env, "TAG_NAME"),
    branch: branchOf(env),
    buildId: firstOf(env, "BUILD_TAG", "BUILD_NUMBER"),
    ...(number.value !== undefined && {
      pull: {
        source: firstOf(env, "CHANGE_BRANCH"),
        target: textOf(env, "CHANGE_TARGET"),
        number,
        fork: textOf(env, "CHANGE_FORK") !== undefined,
      },
    }),
  };
});

function branchOf(env: Env): CiValue {
  const { value, variables } = firstOf(env, "BRANCH_NAME", "GIT_LOCAL_BRANCH", "GIT_BRANCH");
  const branch = value?.replace(/^(refs\/heads\/|refs\/remotes\/origin\/|origin\/)/, "");
  return { value: branch === "detached" ? undefined : branch, variables };
}
