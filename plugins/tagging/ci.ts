import { definePlugin, EngineError, type Tag, type TagRequest } from "../../core/plugin.ts";
import { requireCi } from "./_ci.ts";
import { tagFrom } from "./_tag.ts";

const flag = "tag-ci";

/** `--tag-ci`: the git tag that the CI system builds, else the branch. */
export const tagCi = definePlugin({
  name: "tag-ci",
  api: 1,
  setup: () => ({
    tagFlags: () => [{ name: flag, summary: "the git tag or branch that CI builds" }],
    tags: (request) =>
      Promise.all(request.wishes.filter((wish) => wish.flag === flag).map(() => tagOrBranch(request))),
  }),
});

async function tagOrBranch(request: TagRequest): Promise<Tag> {
  const { name, tag, branch } = requireCi(request.ci, flag);
  if (tag.value !== undefined) return await tagFrom(tag.value, "git_tag");
  if (branch.value !== undefined) return await tagFrom(branch.value, "git_branch");
  const [tags, branches] = [tag, branch].map(({ variables }) => variables.join(", "));
  throw new EngineError(
    "TAG_SOURCE_MISSING",
    `Cannot tag with --${flag}: ${name} names neither a git tag (looked at ${tags}) nor a branch (looked at ${branches})`,
    { fix: "Pass these variables on to dapp, or name the tag yourself with --tag" },
  );
}
