import { ciPlugin, firstOf, isOn, textOf } from "./_facts.ts";

/**
 * Travis CI (Travis docs, "Environment variables").
 *
 * TRAVIS_BRANCH is the tag on tag builds and the target branch in pull requests; TRAVIS_PULL_REQUEST is the number, or
 * "false".
 */
export const ciTravis = ciPlugin("ci-travis", (env) => {
  if (!isOn(env, "TRAVIS")) return undefined;
  return {
    name: "Travis CI",
    tag: firstOf(env, "TRAVIS_TAG"),
    branch: firstOf(env, "TRAVIS_BRANCH"),
    buildId: firstOf(env, "TRAVIS_BUILD_NUMBER", "TRAVIS_BUILD_ID"),
    ...(isOn(env, "TRAVIS_PULL_REQUEST") && {
      pull: {
        source: firstOf(env, "TRAVIS_PULL_REQUEST_BRANCH"),
        target: textOf(env, "TRAVIS_BRANCH"),
        number: firstOf(env, "TRAVIS_PULL_REQUEST"),
        fork: textOf(env, "TRAVIS_PULL_REQUEST_SLUG") !== textOf(env, "TRAVIS_REPO_SLUG"),
      },
    }),
  };
});
