import { ciPlugin, firstOf, isOn, textOf } from "./_facts.ts";

/**
 * Drone (Drone docs, "Environment reference").
 *
 * DRONE_BRANCH is the target branch in pull requests. Whether these come from a fork is not told.
 */
export const ciDrone = ciPlugin("ci-drone", (env) => {
  if (!isOn(env, "DRONE")) return undefined;
  const number = firstOf(env, "DRONE_PULL_REQUEST");
  return {
    name: "Drone",
    tag: firstOf(env, "DRONE_TAG"),
    branch: firstOf(env, "DRONE_BRANCH", "DRONE_COMMIT_BRANCH"),
    buildId: firstOf(env, "DRONE_BUILD_NUMBER"),
    ...(number.value !== undefined && {
      pull: {
        source: firstOf(env, "DRONE_SOURCE_BRANCH"),
        target: textOf(env, "DRONE_TARGET_BRANCH") ?? textOf(env, "DRONE_BRANCH"),
        number,
        fork: false,
      },
    }),
  };
});
