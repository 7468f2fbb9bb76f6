import { EngineError } from "../../core/contract/plugin.ts";
import { requireCi } from "./_ci.ts";
import { flagScheme, tagFrom } from "./_scheme.ts";

const flag = "tag-ci";

/** `--tag-ci`: the git tag that the CI system builds, else the branch. */
export const tagCi = flagScheme(flag, "the git tag or branch that CI builds", async (request) => {
  const { name, tag, branch } = requireCi(request.ci, flag);
  if (tag.value !== undefined) return await tagFrom(tag.value, "git_tag");
  if (branch.value !== undefined) return await tagFrom(branch.value, "git_branch");
  const [tags, branches] = [tag, branch].map(({ variables }) => variables.join(", "));
  throw new EngineError(
    "TAG_SOURCE_MISSING",
    `Cannot tag with --${flag}: ${name} names neither a git tag (looked at ${tags}) nor a branch (looked at ${branches})`,
    { fix: "Pass these variables on to dapp, or name the tag yourself with --tag" },
  );
});
