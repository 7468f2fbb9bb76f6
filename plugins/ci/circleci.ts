import { ciPlugin, firstOf, isOn } from "./_facts.ts";

/**
 * CircleCI (CircleCI docs, "Project values and variables").
 *
 * CIRCLE_BRANCH is not set on tag builds, is the source branch in pull requests, and `pull/12` when these come from a
 * fork.
 */
export const ciCircleci = ciPlugin("ci-circleci", (env) => {
  if (!isOn(env, "CIRCLECI")) return undefined;
  return {
    name: "CircleCI",
    tag: firstOf(env, "CIRCLE_TAG"),
    branch: firstOf(env, "CIRCLE_BRANCH"),
    buildId: firstOf(env, "CIRCLE_BUILD_NUM"),
  };
});
