import assert from "node:assert/strict";
import { run } from "./support/process.ts";
import { withTempDir } from "./support/tmp.ts";

const root = new URL("../", import.meta.url).pathname;

Deno.test("README's first command builds the example, exports it and lists what is inside", async () => {
  await withTempDir(async (dir) => {
    const env = { DAPP_HOME: `${dir}/home`, NO_COLOR: "1" };
    const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
    const command = (tasks.build.command as string).replaceAll("deno run", `"${Deno.execPath()}" run`);
    const { stdout } = await run(["sh", "-ec", command], { cwd: root, env });
    assert.match(stdout, /^dapp sha256:[0-9a-f]{64}$/m);
    assert.match(stdout, /^0 stages built, \d+ reused$/m);
    assert.match(stdout, / \/opt\/dapp\/cli\.ts$/m);
    assert.match(stdout, / \/usr\/share\/doc\/dapp\/dappfile\.md$/m);
  });
});

Deno.test("README shows the dappfile of a project that plans, and names files that exist", async () => {
  const readme = await Deno.readTextFile(`${root}README.md`);
  for (const [, target] of readme.matchAll(/\]\(([^)#:]+)\)/g)) {
    assert.ok(await Deno.stat(root + target), target);
  }
  const yaml = readme.match(/```yaml\n(project: shop[\s\S]*?)```/)?.[1];
  const { parseConfig } = await import("../core/config/parse.ts");
  const { config } = parseConfig(yaml ?? "", { file: "README.md", env: {} });
  assert.deepEqual(config.warnings, []);
  assert.deepEqual(config.images.map(({ kind, name }) => `${kind} ${name}`), ["artifact assets", "dimg app"]);
});
