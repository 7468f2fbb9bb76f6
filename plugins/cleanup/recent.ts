import { formatDuration } from "../../lib/quantity.ts";
import { definePlugin } from "../../core/contract/plugin.ts";
import { ageOf, keep } from "./_images.ts";
import { duration } from "./_options.ts";

/** Keeps images published a short while ago, whatever their tag. */
export const keepRecent = definePlugin({
  name: "keep-recent",
  api: 1,
  options: (z) => z.strictObject({ within: duration(z).default(2 * 3_600_000) }),
  setup: ({ within }) => ({
    keep: ({ inventory }) =>
      inventory.images.filter((image) => ageOf(image, inventory) <= within)
        .map((image) => keep(image, "recent", `published within ${formatDuration(within)}`)),
  }),
});
