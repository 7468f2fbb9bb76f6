import { EngineError } from "../../core/contract/plugin.ts";
import { flagScheme, tagFrom } from "./_scheme.ts";

const flag = "tag-commit";

/** `--tag-commit`: the full id of the commit that is checked out. */
export const tagCommit = flagScheme(
  flag,
  "the id of the git commit",
  async ({ git: { commit, branch, uncommitted } }) => {
    if (commit === undefined) {
      // A repository has a branch even before its first commit.
      const outside = branch === undefined && !uncommitted;
      const why = uncommitted
        ? "what is built is in no commit of the project's git repository"
        : outside
        ? "the project is in no git repository"
        : "there is no commit in the project's git repository";
      throw new EngineError("TAG_SOURCE_MISSING", `Cannot tag with --${flag}: ${why}`, {
        fix: uncommitted
          ? `Commit ${uncommitted.slice(0, 3).map((path) => `"${path}"`).join(", ")}${
            uncommitted.length > 3 ? " and the rest" : ""
          }, which ${
            uncommitted.length > 1 ? "differ" : "differs"
          } from HEAD, or name the tag yourself with --tag`
          : outside
          ? "Name the tag yourself with --tag, or run dapp in a clone of the project's git repository"
          : "Commit first, or name the tag yourself with --tag",
      });
    }
    return await tagFrom(commit, "git_commit");
  },
);
