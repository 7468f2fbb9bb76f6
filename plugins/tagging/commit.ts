import { definePlugin, EngineError, type Tag, type TagRequest } from "../../core/plugin.ts";

const flag = "tag-commit";

/** `--tag-commit`: the full id of the commit that is checked out. */
export const tagCommit = definePlugin({
  name: "tag-commit",
  api: 1,
  setup: () => ({
    tagFlags: () => [{ name: flag, summary: "the id of the git commit" }],
    tags: (request) => request.wishes.filter((wish) => wish.flag === flag).map(() => commitTag(request)),
  }),
});

function commitTag({ git: { commit } }: TagRequest): Tag {
  if (commit === undefined) {
    throw new EngineError(
      "TAG_SOURCE_MISSING",
      `Cannot tag with --${flag}: there is no commit in the project's git repository`,
      { fix: "Commit first, or name the tag yourself with --tag" },
    );
  }
  return { tag: commit, scheme: "git_commit", value: commit };
}
