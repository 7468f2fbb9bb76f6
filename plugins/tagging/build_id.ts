import { EngineError } from "../../core/contract/plugin.ts";
import { requireCi } from "./_ci.ts";
import { flagScheme, tagFrom } from "./_scheme.ts";

const flag = "tag-build-id";

/** `--tag-build-id`: what the CI system calls this build or job. */
export const tagBuildId = flagScheme(flag, "the id of the CI build", async (request) => {
  const { name, buildId } = requireCi(request.ci, flag);
  if (buildId.value !== undefined) return await tagFrom(buildId.value, "ci");
  throw new EngineError(
    "TAG_SOURCE_MISSING",
    `Cannot tag with --${flag}: ${name} names no build (looked at ${buildId.variables.join(", ")})`,
    { fix: "Pass these variables on to dapp, or name the tag yourself with --tag" },
  );
});
