import { formatDuration } from "../../lib/quantity.ts";
import { definePlugin } from "../../core/contract/plugin.ts";
import { ageOf, keep } from "../../core/contract/reasons.ts";
import { durationOption } from "../../core/contract/option_schemas.ts";

/** Keeps images published or pushed a short while ago, whatever their tag. */
export const keepRecent = definePlugin({
  name: "keep-recent",
  api: 1,
  options: (z) => z.strictObject({ within: durationOption(z).default(2 * 3_600_000) }),
  setup: ({ within }) => ({
    keep: ({ inventory }) =>
      inventory.images.flatMap((image) => {
        if (ageOf(image, inventory) <= within) {
          return [keep(image, "recent", `published within ${formatDuration(within)}`)];
        }
        // One that was restored is as old as ever, but somebody wants it.
        const { pushedAt = "" } = image;
        return Date.parse(inventory.now) - Date.parse(pushedAt) <= within
          ? [keep(image, "recent", `pushed within ${formatDuration(within)}`)]
          : [];
      }),
  }),
});
