import { definePlugin } from "../../core/contract/plugin.ts";
import { keep, keepWithoutGit, newest } from "./_images.ts";
import { count, duration } from "./_options.ts";

/** Keeps the newest images of commits that a branch or tag of the remote reaches, or whose very files one has. */
export const keepCommits = definePlugin({
  name: "keep-commits",
  api: 1,
  options: (z) =>
    z.strictObject({
      maxAge: duration(z).default(30 * 86_400_000),
      /** Of each dimg the newest so many. */
      last: count(z).default(50),
    }),
  setup: ({ maxAge, last }) => ({
    keep: async ({ inventory, git }) => {
      const images = inventory.images.filter(({ scheme }) => scheme === "git_commit");
      if (images.length === 0) return [];
      if (!git) return keepWithoutGit(images);
      const [commits, trees] = [await git.commits(), await git.trees()];
      const commitOf = (image: { readonly commit?: string; readonly value: string }) =>
        image.commit ?? image.value;
      // A squash or rebase makes another commit of the same tree.
      const live = images.filter((image) =>
        commits.has(commitOf(image)) || (image.tree !== undefined && trees.has(image.tree))
      );
      return newest(live, inventory, { maxAge, last }).map(({ image, words }) => {
        const commit = commitOf(image).slice(0, 12);
        return commits.has(commitOf(image))
          ? keep(image, "commit exists", `commit ${commit} is in a branch or tag${words}`)
          : keep(image, "tree exists", `another commit has the files of ${commit}${words}`);
      });
    },
  }),
});
