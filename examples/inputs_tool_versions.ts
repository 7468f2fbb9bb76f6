/**
 * A plugin that adds a fact to signatures: every stage that runs commands depends on `.tool-versions`, so that
 * changing a tool's version rebuilds what the tool made.
 *
 *     plugins:
 *       - use: ./examples/inputs_tool_versions.ts
 *         options: { stages: [install, setup] }
 */
import { definePlugin } from "@dapp/dapp/plugin";

export default definePlugin({
  name: "inputs-tool-versions",
  api: 1,
  options: (z) =>
    z.strictObject({
      file: z.string().default(".tool-versions"),
      /** Stages that depend on the file; all that run commands when left out. */
      stages: z.array(z.string()).optional(),
    }),
  rights: ({ file }) => ({ read: [file] }),
  setup: async ({ file, stages }, host) => {
    const value = (await Deno.readTextFile(`${host.projectDir}/${file}`)).trim();
    return {
      stageInputs: ({ stage, commands }) =>
        (stages ? stages.includes(stage) : commands.length > 0) ? [{ key: file, value }] : [],
    };
  },
});
