import { ciPlugin, firstOf, textOf } from "./_facts.ts";

/** Bitbucket Pipelines (Bitbucket docs, "Variables and secrets"). BITBUCKET_BRANCH is the source branch in pull requests. */
export const ciBitbucket = ciPlugin("ci-bitbucket", (env) => {
  if (textOf(env, "BITBUCKET_BUILD_NUMBER") === undefined) return undefined;
  const number = firstOf(env, "BITBUCKET_PR_ID");
  return {
    name: "Bitbucket Pipelines",
    tag: firstOf(env, "BITBUCKET_TAG"),
    branch: firstOf(env, "BITBUCKET_BRANCH"),
    buildId: firstOf(env, "BITBUCKET_BUILD_NUMBER"),
    ...(number.value !== undefined && {
      pull: {
        source: firstOf(env, "BITBUCKET_BRANCH"),
        target: textOf(env, "BITBUCKET_PR_DESTINATION_BRANCH"),
        number,
        fork: false,
      },
    }),
  };
});
