import { definePlugin } from "../../core/contract/plugin.ts";
import { keep, keepWithoutGit, matchesAny, newest } from "./_images.ts";
import { count, duration, patterns } from "./_options.ts";

/** Keeps the newest images of git tags that the remote has. */
export const keepGitTags = definePlugin({
  name: "keep-git-tags",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** Only tags that match; all when left out. */
      tags: patterns(z).optional(),
      maxAge: duration(z).default(30 * 86_400_000),
      /** Of each dimg the newest so many. */
      last: count(z).default(10),
    }),
  setup: ({ tags, maxAge, last }) => ({
    keep: async ({ inventory, git }) => {
      const images = inventory.images.filter(({ scheme }) => scheme === "git_tag");
      if (images.length === 0) return [];
      if (!git) return keepWithoutGit(images);
      const known = await git.tags();
      const live = images.filter(({ value }) => known.has(value) && matchesAny(tags, value));
      return newest(live, inventory, { maxAge, last })
        .map(({ image, words }) => keep(image, "git tag exists", `git tag "${image.value}" exists${words}`));
    },
  }),
});
