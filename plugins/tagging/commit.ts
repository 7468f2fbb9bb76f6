import { EngineError } from "../../core/contract/plugin.ts";
import { flagScheme, tagFrom } from "./_scheme.ts";

const flag = "tag-commit";

/** `--tag-commit`: the full id of the commit that is checked out. */
export const tagCommit = flagScheme(
  flag,
  "the id of the git commit",
  async ({ git: { commit, uncommitted } }) => {
    if (commit === undefined) {
      const why = uncommitted
        ? "what is built is in no commit of the project's git repository"
        : "there is no commit in the project's git repository";
      throw new EngineError("TAG_SOURCE_MISSING", `Cannot tag with --${flag}: ${why}`, {
        fix: uncommitted
          ? `Commit ${uncommitted.slice(0, 3).map((path) => `"${path}"`).join(", ")}${
            uncommitted.length > 3 ? " and the rest" : ""
          }, which ${
            uncommitted.length > 1 ? "differ" : "differs"
          } from HEAD, or name the tag yourself with --tag`
          : "Commit first, or name the tag yourself with --tag",
      });
    }
    return await tagFrom(commit, "git_commit");
  },
);
