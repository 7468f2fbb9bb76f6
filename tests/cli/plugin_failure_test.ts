import assert from "node:assert/strict";
import { withProject } from "../support/project.ts";

const program = new URL("../../cli.ts", import.meta.url).pathname;

const PLUGIN = `import { definePlugin, EngineError } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "require-labels",
  api: 1,
  setup: () => ({
    config: () => {
      throw new EngineError("CONFIG_INVALID", 'Dimg "app" has no label "team"', { fix: "Add it under docker.LABEL" });
    },
  }),
});
`;

Deno.test("an error that a plugin words itself is told with the plugin that it is from", async () => {
  const files = {
    "dappfile.yaml": "project: shop\nplugins: [./labels.ts]\n---\ndimg: app\nfrom: scratch\n",
    "labels.ts": PLUGIN,
  };
  await withProject(files, async ({ dir, home }) => {
    const failed = async (...words: string[]) => {
      const args = ["run", "-A", "--no-check", program, "dimg", "plan", "-C", dir, "--home", home, ...words];
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, stdout: text(stdout), stderr: text(stderr) };
    };
    const told = await failed();
    assert.equal(told.code, 2);
    assert.equal(
      told.stderr,
      'error: Dimg "app" has no label "team"\n  plugin "require-labels", hook "config"\nfix: Add it under docker.LABEL\n',
    );
    assert.equal(JSON.parse((await failed("--json")).stdout).error.plugin, "require-labels");
  });
});
