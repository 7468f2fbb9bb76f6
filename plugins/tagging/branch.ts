import { EngineError } from "../../core/contract/plugin.ts";
import { flagScheme, tagFrom } from "./_scheme.ts";

const flag = "tag-branch";

/** `--tag-branch`: the branch that is checked out; in CI, where HEAD is mostly detached, the branch that is built. */
export const tagBranch = flagScheme(flag, "the git branch", async ({ git, ci }) => {
  const branch = git.branch ?? ci?.branch.value;
  if (branch === undefined) {
    // A repository has a branch even before its first commit.
    const outside = git.commit === undefined && !git.uncommitted;
    const state = outside
      ? "the project is in no git repository"
      : "HEAD is detached, so no branch is checked out";
    const system = ci &&
      (ci.tag.value === undefined
        ? `${ci.name} names no branch either (looked at ${ci.branch.variables.join(", ")})`
        : `${ci.name} builds the git tag "${ci.tag.value}"`);
    throw new EngineError(
      "TAG_SOURCE_MISSING",
      `Cannot tag with --${flag}: ${state}${system ? `, and ${system}` : ""}`,
      {
        fix: outside
          ? "Name the tag yourself with --tag, or run dapp in a clone of the project's git repository"
          : ci?.tag.value === undefined
          ? "Check out a branch (git switch BRANCH), or name the tag yourself with --tag"
          : "Use --tag-ci, which takes the git tag or the branch, whichever is built",
      },
    );
  }
  return await tagFrom(branch, "git_branch");
});
