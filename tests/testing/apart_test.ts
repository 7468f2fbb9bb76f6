/** A plugin of an author's test runs as dapp would run it, where the test says so. */
import assert from "node:assert/strict";
import { createTestHost, openPlugin, stageNode } from "../../testing/mod.ts";
import { definePlugin } from "../../plugin.ts";
import { fileUrl } from "../../core/hooks/module_url.ts";
import { withProject } from "../support/project.ts";

/** Adds facts from a file, which it may read or not. */
const module = (rights: string, failure = "throw error") =>
  `import { definePlugin } from "@dapp/dapp/plugin";
import { trimmed } from "../shared.ts";
export default definePlugin({
  name: "inputs-file",
  api: 1,
  options: (z) => z.strictObject({ file: z.string().default("VERSION") }),
  rights: ({ file }) => (${rights}),
  setup: ({ file }, { projectDir }) => ({
    stageInputs: async () => {
      try {
        return [{ key: file, value: trimmed(await Deno.readTextFile(projectDir + "/" + file)) }];
      } catch (error) {
        ${failure};
      }
    },
  }),
});
`;

/** What the test imports; its types are all that counts here. */
const plugin = definePlugin({
  name: "inputs-file",
  api: 1,
  options: (z) => z.strictObject({ file: z.string().default("VERSION") }),
  setup: () => ({}),
});

async function ask(text: string) {
  let facts: unknown;
  let warnings: readonly string[] = [];
  const files = {
    "tools/p.ts": text,
    "shared.ts": "export const trimmed = (text: string): string => text.trim();\n",
    // What `dapp plugin new` writes beside it says where its tests find dapp, and is not asked when dapp loads it.
    "tools/package.json": JSON.stringify({ devDependencies: { "@dapp/dapp": "^1.0.0" } }),
  };
  await withProject(files, async ({ dir }) => {
    await using host = await createTestHost({ files: { "VERSION": "1.2\n" } });
    const apart = fileUrl(`${dir}/tools/p.ts`);
    await using opened = await openPlugin(plugin, host, { apart, options: { file: "VERSION" } });
    facts = await opened.stageInputs(stageNode("install", ["make"]));
    warnings = opened.events.flatMap((event) => event.type === "note" ? [event.text] : []);
  });
  return { facts, warnings };
}

Deno.test("openPlugin() runs a plugin apart with the rights that it declares", async () => {
  assert.deepEqual(await ask(module("{ read: [file] }")), {
    facts: [{ key: "VERSION", value: "1.2" }],
    warnings: [],
  });
});

Deno.test("openPlugin() finds the right that a plugin lacks", async () => {
  await assert.rejects(ask(module("{}")), {
    code: "PLUGIN_FAILED",
    message:
      /^Plugin "inputs-file" failed in hook "stageInputs": it may not have read access to ".*VERSION"$/,
  });
});

Deno.test("openPlugin() warns of a right that a plugin goes on without", async () => {
  const { facts, warnings } = await ask(module("{}", "return []"));
  assert.deepEqual(facts, []);
  assert.match(warnings.join("\n"), /^Plugin "inputs-file" went on without read access to ".*VERSION"/);
});
