import { definePlugin, EngineError, type Tag, type TagRequest } from "../../core/plugin.ts";
import { requireCi } from "./_ci.ts";
import { tagFrom } from "./_tag.ts";

const flag = "tag-build-id";

/** `--tag-build-id`: what the CI system calls this build or job. */
export const tagBuildId = definePlugin({
  name: "tag-build-id",
  api: 1,
  setup: () => ({
    tagFlags: () => [{ name: flag, summary: "the id of the CI build" }],
    tags: (request) =>
      Promise.all(request.wishes.filter((wish) => wish.flag === flag).map(() => buildIdTag(request))),
  }),
});

async function buildIdTag(request: TagRequest): Promise<Tag> {
  const { name, buildId } = requireCi(request.ci, flag);
  if (buildId.value !== undefined) return await tagFrom(buildId.value, "ci");
  throw new EngineError(
    "TAG_SOURCE_MISSING",
    `Cannot tag with --${flag}: ${name} names no build (looked at ${buildId.variables.join(", ")})`,
    { fix: "Pass these variables on to dapp, or name the tag yourself with --tag" },
  );
}
