/**
 * What is built upon layers that stayed in REPO is what is built upon them here. `HISTORIES=50 SEED=1 deno test -A
 * tests/engine/left_layers_test.ts` tries more.
 */
import assert from "node:assert/strict";
import { EngineError, type EngineOptions, use } from "../../mod.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { openProject } from "../support/project.ts";
import { randomBase } from "../support/random_base.ts";
import { commitTrees, Dice, nextTree, randomNumbers, type Tree } from "../support/random_history.ts";
import { type RandomProject, randomProject } from "../support/random_project.ts";
import { withTempDir } from "../support/tmp.ts";

const histories = Number(Deno.env.get("HISTORIES") ?? 1);
const first = Number(Deno.env.get("SEED") ?? 1);
const COMMITS = 3;
const DIMGS = 4;

Deno.test("random images are the same, built upon layers that are here or in REPO", async () => {
  await withTempDir(async (root) => {
    const total = { built: 0, left: 0 };
    for (let seed = first; seed < first + histories; seed++) await tryHistory(`${root}/${seed}`, seed, total);
    assert.ok(total.built > histories * COMMITS * DIMGS / 2, `${total.built} images could be built`);
    assert.ok(total.left > total.built / 8, `${total.left} of ${total.built} stood on layers in REPO`);
  });
});

async function tryHistory(root: string, seed: number, total: { built: number; left: number }) {
  const dice = new Dice(randomNumbers(seed));
  const dir = `${root}/project`;
  const project = randomProject(dice, DIMGS);
  await Deno.mkdir(root);
  await writeBase(`${root}/base`, { "linux/amd64": randomBase(dice) });
  const trees: Tree[] = [];
  for (let tree: Tree = new Map(); trees.length < COMMITS;) trees.push(tree = nextTree(dice, tree));
  const commits = await commitTrees(dir, trees);
  await Deno.writeTextFile(`${dir}/dappfile.yaml`, project.dappfile);
  await using registry = new MemoryRegistry();
  const repo = `${registry.host}/group/app`;
  for (const [i, commit] of commits.entries()) {
    await Deno.writeTextFile(`${dir}/.git/HEAD`, commit);
    const [here, there] = [`${root}/here${i}`, `${root}/there${i}`];
    for (const name of project.names) {
      const whole = await build(project, name, dir, here, { repo, repoReadOnly: true });
      const upon = await build(project, name, dir, there, { repo });
      const shown = `seed ${seed}, dimg ${name}, commit ${i + 1} of\n${project.dappfile}`;
      assert.equal(upon.image, whole.image, shown);
      assert.equal(whole.left, 0);
      if (upon.image.startsWith("sha256:")) total.built++;
      if (upon.left > 0) total.left++;
    }
  }
}

/** The image by its digest, or why it cannot be built; and how many bytes of layers stayed in REPO. */
async function build(
  { env }: RandomProject,
  name: string,
  dir: string,
  home: string,
  options: EngineOptions,
): Promise<{ readonly image: string; readonly left: number }> {
  const { engine, events } = openProject(dir, home);
  await using opened = engine({
    ...{ platform: "linux/amd64", builder: "fake", plugins: [use(fakeBuilder(new FakeBuilderLog()))] },
    ...options,
    env: { ...Deno.env.toObject(), ...env },
  });
  try {
    if (options.repoReadOnly) await opened.build([name]);
    else await opened.push([name], { build: true });
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== "LAYER_INVALID") throw error;
    return { image: error.message, left: 0 };
  }
  const image = events.flatMap((event) => event.type === "image.ready" ? [event.digest] : []).at(-1)!;
  const left = events.reduce((sum, event) => sum + (event.type === "stage.fetched" ? event.left ?? 0 : 0), 0);
  return { image, left };
}
