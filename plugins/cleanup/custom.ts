import { definePlugin } from "../../core/contract/plugin.ts";
import { GIT_SCHEMES, keepNewest, matchesAny, tagMatches } from "./_images.ts";
import { countOption, durationOption, patternsOption } from "../../core/contract/option_schemas.ts";

/** Keeps tags that were not made from git: custom ones, those of CI systems, of other tag schemes. */
export const keepCustom = definePlugin({
  name: "keep-custom",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** Only tags that match; all when left out. */
      tags: patternsOption(z).optional(),
      /** Only tags of these schemes, such as `custom`, `ci`; all but those of git when left out. */
      schemes: patternsOption(z).optional(),
      maxAge: durationOption(z).optional(),
      /** Of each dimg the newest so many. */
      last: countOption(z).optional(),
    }),
  setup: ({ tags, schemes, maxAge, last }) => ({
    keep: ({ inventory }) => {
      const images = inventory.images.filter((image) =>
        (schemes ? matchesAny(schemes, image.scheme) : !GIT_SCHEMES.includes(image.scheme)) &&
        tagMatches(tags, image)
      );
      return keepNewest(
        { images, inventory, maxAge, last },
        "tag",
        (image) => `tag "${image.tag}" of scheme "${image.scheme}"`,
      );
    },
  }),
});
