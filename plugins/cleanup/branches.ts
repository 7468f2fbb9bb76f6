import { definePlugin } from "../../core/contract/plugin.ts";
import { nearly } from "../../core/contract/reasons.ts";
import { keepNewest, keepWithoutGit, matchesAny } from "./_images.ts";
import { countOption, durationOption, patternsOption } from "../../core/contract/option_schemas.ts";

/** Keeps images of branches that the remote has. */
export const keepBranches = definePlugin({
  name: "keep-branches",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** Only branches that match; all when left out. */
      branches: patternsOption(z).optional(),
      /** Images published longer ago go even if their branch exists. */
      maxAge: durationOption(z).optional(),
      /** Images of one branch and dimg: the newest so many. */
      perBranch: countOption(z).optional(),
    }),
  setup: ({ branches, maxAge, perBranch }) => ({
    keep: async ({ inventory, git }) => {
      const images = inventory.images.filter(({ scheme }) => scheme === "git_branch");
      if (images.length === 0) return [];
      if (!git) return keepWithoutGit(images);
      const heads = await git.branches();
      const named = images.filter(({ value }) => matchesAny(branches, value));
      const [live, gone] = [true, false].map((there) =>
        named.filter(({ value }) => heads.has(value) === there)
      );
      const by = ({ dimg, value }: { dimg: string; value: string }) => JSON.stringify([dimg, value]);
      const rule = "branch exists";
      return [
        ...keepNewest(
          { images: live!, inventory, maxAge, last: perBranch, by },
          rule,
          ({ value }) => `branch "${value}" exists`,
        ),
        ...gone!.map((image) => nearly(image, "branch gone", `no branch "${image.value}" exists`)),
      ];
    },
  }),
});
