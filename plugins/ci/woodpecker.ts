import { ciPlugin, firstOf, textOf } from "./_facts.ts";

/**
 * Woodpecker (Woodpecker docs, "Environment variables"). Stands before Drone, whose variables old releases also set.
 *
 * CI_COMMIT_BRANCH is the target branch in pull requests. Whether these come from a fork is not told.
 */
export const ciWoodpecker = ciPlugin("ci-woodpecker", (env) => {
  if (textOf(env, "CI") !== "woodpecker" && textOf(env, "CI_SYSTEM_NAME") !== "woodpecker") return undefined;
  const number = firstOf(env, "CI_COMMIT_PULL_REQUEST");
  return {
    name: "Woodpecker",
    tag: firstOf(env, "CI_COMMIT_TAG"),
    branch: firstOf(env, "CI_COMMIT_BRANCH"),
    buildId: firstOf(env, "CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER"),
    ...(number.value !== undefined && {
      pull: {
        source: firstOf(env, "CI_COMMIT_SOURCE_BRANCH"),
        target: textOf(env, "CI_COMMIT_TARGET_BRANCH") ?? textOf(env, "CI_COMMIT_BRANCH"),
        number,
        fork: false,
      },
    }),
  };
});
