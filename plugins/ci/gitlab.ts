import { ciPlugin, firstOf, isOn, textOf } from "./_facts.ts";

/**
 * GitLab CI (GitLab docs, "Predefined CI/CD variables"), with the names of before GitLab 9.
 *
 * On tag pipelines CI_COMMIT_REF_NAME is the tag; in merge requests there is no CI_COMMIT_BRANCH.
 */
export const ciGitlab = ciPlugin("ci-gitlab", (env) => {
  if (!isOn(env, "GITLAB_CI")) return undefined;
  const number = firstOf(env, "CI_MERGE_REQUEST_IID");
  const origin = textOf(env, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID");
  return {
    name: "GitLab CI",
    tag: firstOf(env, "CI_COMMIT_TAG", "CI_BUILD_TAG"),
    branch: firstOf(env, "CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME", "CI_BUILD_REF_NAME"),
    buildId: firstOf(env, "CI_JOB_ID", "CI_BUILD_ID"),
    ...(number.value !== undefined && {
      pull: {
        source: firstOf(env, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
        target: textOf(env, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        number,
        // A pipeline of the fork itself publishes to the fork's registry, where its branch is at home.
        fork: origin !== undefined && origin !== textOf(env, "CI_PROJECT_ID"),
      },
    }),
  };
});
