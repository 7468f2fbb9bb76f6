import { EngineError } from "../../core/contract/plugin.ts";
import { flagScheme, tagFrom } from "./_scheme.ts";

const flag = "tag-commit";

/** `--tag-commit`: the full id of the commit that is checked out. */
export const tagCommit = flagScheme(flag, "the id of the git commit", async ({ git: { commit } }) => {
  if (commit === undefined) {
    throw new EngineError(
      "TAG_SOURCE_MISSING",
      `Cannot tag with --${flag}: there is no commit in the project's git repository`,
      { fix: "Commit first, or name the tag yourself with --tag" },
    );
  }
  return await tagFrom(commit, "git_commit");
});
