import { formatDuration } from "../../lib/quantity.ts";
import { definePlugin, EngineError } from "../../core/contract/plugin.ts";
import { keep, nearly } from "../../core/contract/reasons.ts";
import { durationOption } from "../../core/contract/option_schemas.ts";

/** Keeps images pulled a short while ago, where the registry tells when a tag was last pulled. */
export const keepPulled = definePlugin({
  name: "keep-pulled",
  api: 1,
  options: (z) => z.strictObject({ within: durationOption(z).default(30 * 86_400_000) }),
  setup: ({ within }) => ({
    keep: ({ inventory }) => {
      const { images } = inventory;
      if (images.length > 0 && images.every(({ pulledAt }) => pulledAt === undefined)) {
        throw new EngineError(
          "REGISTRY_UNSUPPORTED",
          `Cannot tell which images of ${inventory.repo} were pulled: this registry does not say when`,
          { fix: "Remove keep-pulled from `cleanup.keep`, or use keep-kubernetes or keep-last instead" },
        );
      }
      const now = Date.parse(inventory.now);
      return images.flatMap((image) => {
        const { pulledAt } = image;
        if (pulledAt === undefined) {
          return [keep(image, "pulled", "the registry does not say when it was pulled")];
        }
        const limit = `the rule keeps ${formatDuration(within)}`;
        if (pulledAt === null) return [nearly(image, "never pulled", `it was never pulled, ${limit}`)];
        if (now - Date.parse(pulledAt) > within) {
          return [nearly(image, "not pulled lately", `last pulled ${pulledAt}, ${limit}`)];
        }
        return [keep(image, "pulled", `pulled ${pulledAt}, within ${formatDuration(within)}`)];
      });
    },
  }),
});
