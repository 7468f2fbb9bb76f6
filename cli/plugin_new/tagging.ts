import type { PluginKind } from "./kind.ts";

export const tagging: PluginKind = {
  prefix: "tag-",
  what: "a tag scheme, with an option of its own for the commands that publish",
  named: "plugin",
  command: "dapp dimg bp REPO --tag-@NAME@",
  module: `/** A tag scheme: --tag-@NAME@ tags with the day and the commit, such as 2026.03.01-0123abcd. */
import { definePlugin, EngineError } from "@dapp/dapp/plugin";

const flag = "tag-@NAME@";

export default definePlugin({
  name: flag,
  api: 1,
  /** What a dappfile may write under "options"; all of it can be left out. */
  options: (z) => z.strictObject({ digits: z.int().min(4).max(40).default(8) }),
  setup: ({ digits }) => ({
    tagFlags: () => [{ name: flag, summary: "the day and the commit" }],
    tags: ({ wishes, git, now }) => {
      // A scheme answers its own flags alone.
      if (!wishes.some((wish) => wish.flag === flag)) return [];
      if (git.commit === undefined) {
        throw new EngineError(
          "TAG_SOURCE_MISSING",
          "Cannot tag with --tag-@NAME@: what is built is in no commit",
          {
            fix: "Commit it first, or name the tag yourself with --tag",
          },
        );
      }
      // The time of the run is handed over, so that all images of a run agree.
      const day = now.slice(0, 10).replaceAll("-", ".");
      const tag = day + "-" + git.commit.slice(0, digits);
      return [{ tag, scheme: "@NAME@", value: tag }];
    },
  }),
});
`,
  test: `import { rejects, strictEqual } from "node:assert/strict";
import { createTestHost, openPlugin, taggingConformance } from "@dapp/dapp/testing";
import plugin from "./mod.ts";

// As dapp runs it: with the rights that it declares and no others.
const apart = import.meta.resolve("./mod.ts");

// The rules of all tag schemes.
taggingConformance("tag-@NAME@", { plugin });

Deno.test("the tag is the day and the commit", async () => {
  await using host = await createTestHost({ now: "2026-03-01T12:00:00Z" });
  await using opened = await openPlugin(plugin, host, { apart, options: { digits: 4 } });
  const [first] = await opened.tags("tag-@NAME@", { git: { commit: "0123abcd".repeat(5), branch: "main" } });
  strictEqual(first?.tag, "2026.03.01-0123");
});

Deno.test("without a commit it says what to do", async () => {
  await using host = await createTestHost();
  await using opened = await openPlugin(plugin, host, { apart });
  const wish = opened.tags("tag-@NAME@", { git: { commit: undefined, branch: "main" } });
  await rejects(wish, { code: "TAG_SOURCE_MISSING" });
});
`,
};
