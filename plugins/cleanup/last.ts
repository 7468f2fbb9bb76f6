import { definePlugin } from "../../core/contract/plugin.ts";
import { keepNewest, tagMatches } from "./_images.ts";
import { countOption, patternsOption } from "../../core/contract/option_schemas.ts";

/** Keeps the newest images of each dimg, whatever their tags. */
export const keepLast = definePlugin({
  name: "keep-last",
  api: 1,
  options: (z) =>
    z.strictObject({
      count: countOption(z).default(10),
      /** Only tags that match; all when left out. */
      tags: patternsOption(z).optional(),
    }),
  setup: ({ count, tags }) => ({
    keep: ({ inventory }) =>
      keepNewest(
        { images: inventory.images.filter((image) => tagMatches(tags, image)), inventory, last: count },
        "last",
        ({ dimg }) => `an image of ${dimg === "" ? "the nameless dimg" : `dimg "${dimg}"`}`,
      ),
  }),
});
