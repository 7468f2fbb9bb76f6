import assert from "node:assert/strict";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";

const program = new URL("../../cli.ts", import.meta.url).pathname;

const PLUGIN = `import { definePlugin } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "tag-team",
  api: 1,
  setup: () => ({ tagFlags: () => [{ name: "tag-team", value: "NAME", summary: "the team" }], tags: () => [] }),
});
`;

const IMAGE = "dimg: app\nfrom: scratch\n";

Deno.test("--help of commands that publish shows the flags of plugins, and says when they cannot be known", async () => {
  const files = { "dappfile.yaml": `project: shop\nplugins: [./team.ts]\n---\n${IMAGE}`, "team.ts": PLUGIN };
  await withProject(files, async ({ dir, home, write }) => {
    const help = async (...words: string[]) =>
      (await run([
        Deno.execPath(),
        "run",
        "-A",
        "--no-check",
        program,
        ...words,
        "--help",
        "-C",
        dir,
        "--home",
        home,
      ])).stdout;
    assert.match(
      await help("dimg", "push"),
      /\n\nOptions of plugins:\n {6}--tag-team NAME +publish under the team \(tag-team\)\n$/,
    );
    assert.doesNotMatch(await help("dimg", "build"), /plugins:\n/);
    await write({ "team.ts": "throw new Error('boom');" });
    assert.match(
      await help("dimg", "bp"),
      /\n\nOptions of plugins are not known: Cannot load plugin "\.\/team\.ts": boom\n$/,
    );
    await write({ "team.ts": "for (;;);" });
    assert.match(
      await help("dimg", "bp"),
      /\n\nOptions of plugins are not known: they did not answer within 5s\n$/,
    );
    await write({ "dappfile.yaml": IMAGE });
    assert.doesNotMatch(await help("dimg", "push"), /Options of plugins/);
  });
});
