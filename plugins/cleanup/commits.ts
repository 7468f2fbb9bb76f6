import { definePlugin, type InventoryImage } from "../../core/contract/plugin.ts";
import { nearly } from "../../core/contract/reasons.ts";
import { keepNewest, keepWithoutGit } from "./_images.ts";
import { countOption, durationOption } from "../../core/contract/option_schemas.ts";

/** Keeps the newest images of commits that a branch or tag of the remote reaches, or whose very files one has. */
export const keepCommits = definePlugin({
  name: "keep-commits",
  api: 1,
  options: (z) =>
    z.strictObject({
      maxAge: durationOption(z).default(30 * 86_400_000),
      /** Of each dimg the newest so many. */
      last: countOption(z).default(50),
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
      const isLive = (image: InventoryImage) =>
        commits.has(commitOf(image)) || (image.tree !== undefined && trees.has(image.tree));
      const [live, gone] = [true, false].map((there) => images.filter((image) => isLive(image) === there));
      const short = (image: InventoryImage) => commitOf(image).slice(0, 12);
      return [
        ...keepNewest(
          { images: live!, inventory, maxAge, last },
          (image) => commits.has(commitOf(image)) ? "commit exists" : "tree exists",
          (image) =>
            commits.has(commitOf(image))
              ? `commit ${short(image)} is in a branch or tag`
              : `another commit has the files of ${short(image)}`,
        ),
        ...gone!.map((image) =>
          nearly(image, "commit gone", `commit ${short(image)} is in no branch or tag`)
        ),
      ];
    },
  }),
});
