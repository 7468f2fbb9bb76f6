import type { PluginKind } from "./kind.ts";

export const inputs: PluginKind = {
  prefix: "inputs-",
  what: "facts that belong to the signatures of stages: when they change, stages are built again",
  named: "plugin",
  command: "dapp dimg explain",
  module:
    `/** Facts for signatures: stages that run commands are built again when a file of the project changes. */
import { definePlugin } from "@dapp/dapp/plugin";

export default definePlugin({
  name: "inputs-@NAME@",
  api: 1,
  /** What a dappfile may write under "options"; all of it can be left out. */
  options: (z) =>
    z.strictObject({
      /** Path in the project. */
      file: z.string().min(1).default(".tool-versions"),
      /** Stages that depend on it; absent: all that run commands. */
      stages: z.array(z.string()).optional(),
    }),
  rights: ({ file }) => ({ read: [file] }),
  setup: async ({ file, stages }, { projectDir }) => {
    const value = await textOf(projectDir + "/" + file);
    return {
      // Texts alone: no time, no path of this machine, nothing that differs between two servers.
      stageInputs: ({ stage, commands }) =>
        (stages ? stages.includes(stage) : commands.length > 0) ? [{ key: file, value }] : [],
    };
  },
});

/** A file that is not there counts as an empty one. */
async function textOf(path: string): Promise<string> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
`,
  test: `import { deepStrictEqual } from "node:assert/strict";
import { createTestHost, inputsConformance, openPlugin, stageNode } from "@dapp/dapp/testing";
import plugin from "./mod.ts";

// As dapp runs it: with the rights that it declares and no others.
const apart = import.meta.resolve("./mod.ts");

// The rules of all plugins that add facts to signatures.
inputsConformance("inputs-@NAME@", {
  plugin,
  host: { files: { ".tool-versions": "nodejs 22.0.0" } },
  change: { ".tool-versions": "nodejs 24.0.0" },
  stages: [stageNode("install", ["npm ci"])],
});

Deno.test("stages that run commands depend on the file", async () => {
  await using host = await createTestHost({ files: { VERSION: "1.2" } });
  await using opened = await openPlugin(plugin, host, { apart, options: { file: "VERSION" } });
  const facts = await opened.stageInputs(stageNode("setup", ["make"]));
  deepStrictEqual(facts, [{ key: "VERSION", value: "1.2" }]);
  deepStrictEqual(await opened.stageInputs(stageNode("from")), []);
});
`,
};
