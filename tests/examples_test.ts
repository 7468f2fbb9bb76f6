import assert from "node:assert/strict";
import { withProject } from "./support/project.ts";
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

Deno.test("README's plugin loads in a project of its own, and type-checks there as strictly as Deno does by default", async () => {
  const readme = await Deno.readTextFile(`${root}README.md`);
  const [, plugin] = /```ts\n(import \{ definePlugin [\s\S]*?)```/.exec(readme)!;
  const [, entry] = /`(plugins: \[.*?\])`/.exec(readme)!;
  const stage = "dimg: app\nfrom: scratch\nshell: { install: [make] }\n";
  const files = {
    "dappfile.yaml": `project: shop\n${entry}\n---\n${stage}`,
    "toolchain.ts": plugin!,
    ".nvmrc": "22\n",
  };
  await withProject(files, async ({ dir, home, write }) => {
    const env = { DAPP_HOME: home, NO_COLOR: "1" };
    const signature = async () => {
      const argv = [Deno.execPath(), "run", "-A", `${root}cli.ts`, "dimg", "plan", "--json"];
      const { images } = JSON.parse((await run(argv, { cwd: dir, env })).stdout);
      return images[0].stages.find(({ stage }: { stage: string }) => stage === "install").signature;
    };
    const before = await signature();
    await write({ ".nvmrc": "24\n" });
    assert.notEqual(await signature(), before);
    const { imports } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
    await write({
      "deno.json": JSON.stringify({ imports: { ...imports, "@dapp/dapp/plugin": `${root}plugin.ts` } }),
    });
    await run([Deno.execPath(), "check", "toolchain.ts"], { cwd: dir, env });
  });
});

Deno.test("README shows the dappfile of a project that plans, and names files that exist", async () => {
  const readme = await Deno.readTextFile(`${root}README.md`);
  for (const [, target] of readme.matchAll(/\]\(([^)#:]+)\)/g)) {
    assert.ok(await Deno.stat(root + target), target!);
  }
  const yaml = readme.match(/```yaml\n(project: shop[\s\S]*?)```/)?.[1];
  const { parseConfig } = await import("../core/config/parse.ts");
  const { config } = parseConfig(yaml ?? "", { file: "README.md", env: {} });
  assert.deepEqual(config.warnings, []);
  assert.deepEqual(config.images.map(({ kind, name }) => `${kind} ${name}`), ["artifact assets", "dimg app"]);
});
