import { ciPlugin, firstOf, isOn, refOf, textOf } from "./_facts.ts";

/**
 * Azure Pipelines (Azure docs, "Use predefined variables").
 *
 * BUILD_SOURCEBRANCH is a full ref, `refs/pull/12/merge` in pull requests; BUILD_SOURCEBRANCHNAME is but its last part.
 */
export const ciAzure = ciPlugin("ci-azure", (env) => {
  if (!isOn(env, "TF_BUILD")) return undefined;
  const source = firstOf(env, "SYSTEM_PULLREQUEST_SOURCEBRANCH");
  return {
    name: "Azure Pipelines",
    tag: refOf(env, "tags", "BUILD_SOURCEBRANCH"),
    branch: refOf(env, "heads", "BUILD_SOURCEBRANCH"),
    buildId: firstOf(env, "BUILD_BUILDID"),
    ...(source.value !== undefined && {
      pull: {
        source: { ...source, value: shortRef(source.value) },
        target: shortRef(textOf(env, "SYSTEM_PULLREQUEST_TARGETBRANCH")),
        number: firstOf(env, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
        fork: isOn(env, "SYSTEM_PULLREQUEST_ISFORK"),
      },
    }),
  };
});

function shortRef(ref: string | undefined): string | undefined {
  return ref?.replace(/^refs\/heads\//, "");
}
