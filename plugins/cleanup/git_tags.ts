import { definePlugin } from "../../core/contract/plugin.ts";
import { nearly } from "../../core/contract/reasons.ts";
import { keepNewest, keepWithoutGit, matchesAny } from "./_images.ts";
import { countOption, durationOption, patternsOption } from "../../core/contract/option_schemas.ts";

/** Keeps the newest images of git tags that the remote has. */
export const keepGitTags = definePlugin({
  name: "keep-git-tags",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** Only tags that match; all when left out. */
      tags: patternsOption(z).optional(),
      maxAge: durationOption(z).default(30 * 86_400_000),
      /** Of each dimg the newest so many. */
      last: countOption(z).default(10),
    }),
  setup: ({ tags, maxAge, last }) => ({
    keep: async ({ inventory, git }) => {
      const images = inventory.images.filter(({ scheme }) => scheme === "git_tag");
      if (images.length === 0) return [];
      if (!git) return keepWithoutGit(images);
      const known = await git.tags();
      const named = images.filter(({ value }) => matchesAny(tags, value));
      const [live, gone] = [true, false].map((there) =>
        named.filter(({ value }) => known.has(value) === there)
      );
      return [
        ...keepNewest(
          { images: live!, inventory, maxAge, last },
          "git tag exists",
          ({ value }) => `git tag "${value}" exists`,
        ),
        ...gone!.map((image) => nearly(image, "git tag gone", `no git tag "${image.value}" exists`)),
      ];
    },
  }),
});
