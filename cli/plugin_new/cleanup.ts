import type { PluginKind } from "./kind.ts";

export const cleanup: PluginKind = {
  prefix: "keep-",
  what: "a cleanup policy, which gives reasons to keep images",
  named: "policy",
  command: "dapp dimg cleanup repo REPO --dry-run",
  module:
    `/** A cleanup policy: keeps images with these tags while they are young. What no policy keeps may go. */
import {
  ageOf,
  definePlugin,
  durationOption,
  formatDuration,
  keep,
  matchName,
  nearly,
  patternsOption,
} from "@dapp/dapp/plugin";

const WEEK = 7 * 24 * 3_600_000;

export default definePlugin({
  name: "keep-@NAME@",
  api: 1,
  /** What a dappfile may write under "options"; all of it can be left out. */
  options: (z) =>
    z.strictObject({
      /** Patterns of tags, such as "nightly-*". */
      tags: patternsOption(z).default(["*"]),
      /** Such as "30d". */
      within: durationOption(z).default(WEEK),
    }),
  setup: ({ tags, within }) => ({
    // The inventory says what time it is, so that all policies of a run agree.
    keep: ({ inventory }) =>
      inventory.images
        .filter(({ ownTag }) => tags.some((pattern) => matchName(pattern, ownTag)))
        .map((image) =>
          ageOf(image, inventory) <= within
            ? keep(image, "@NAME@", "not older than " + formatDuration(within))
            // No reason to keep it, but the plan says how near it came.
            : nearly(image, "@NAME@", "older than " + formatDuration(within))
        ),
  }),
});
`,
  test: `import { ok, strictEqual } from "node:assert/strict";
import { cleanupConformance, createTestHost, openPlugin, recordedInventory } from "@dapp/dapp/testing";
import plugin from "./mod.ts";

// As dapp runs it: with the rights that it declares and no others.
const apart = import.meta.resolve("./mod.ts");

// The rules of all cleanup policies.
cleanupConformance("keep-@NAME@", { plugin });

Deno.test("young images are kept, as long as their tags match", async () => {
  await using host = await createTestHost();
  const { inventory } = recordedInventory();
  const kept = async (options: { tags?: string; within: string }) => {
    await using opened = await openPlugin(plugin, host, { apart, options });
    return (await opened.keep(inventory)).filter(({ nearly }) => !nearly).length;
  };
  ok(inventory.images.length > 0);
  strictEqual(await kept({ within: "5000w" }), inventory.images.length);
  strictEqual(await kept({ within: "0s" }), 0);
  strictEqual(await kept({ tags: "no-such-tag", within: "5000w" }), 0);
});
`,
};
