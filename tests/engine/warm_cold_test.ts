/**
 * A warm build is a cold build: whatever earlier commits left in a store, an image has the files it has when it is built
 * from nothing. `HISTORIES=500 SEED=1 deno test -A tests/engine/warm_cold_test.ts` tries more of them.
 */
import assert from "node:assert/strict";
import { EngineError, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { imageTree } from "../support/image_tree.ts";
import { openProject } from "../support/project.ts";
import {
  base,
  commitTrees,
  Dice,
  nextTree,
  randomDappfile,
  randomNumbers,
  type Tree,
} from "../support/random_history.ts";
import { withTempDir } from "../support/tmp.ts";

const histories = Number(Deno.env.get("HISTORIES") ?? 4);
const first = Number(Deno.env.get("SEED") ?? 1);
const STEPS = 8;

Deno.test("every commit of random histories is the same image built warm and cold", async () => {
  await withTempDir(async (root) => {
    await writeBase(`${root}/base`, { "linux/amd64": base });
    let built = 0;
    for (let seed = first; seed < first + histories; seed++) built += await tryHistory(root, seed);
    assert.ok(built > histories * STEPS / 2, `${built} commits could be built`);
  });
});

/** @returns how many commits could be built */
async function tryHistory(root: string, seed: number): Promise<number> {
  let built = 0;
  const dice = new Dice(randomNumbers(seed));
  const dir = `${root}/p${seed}`;
  await Deno.mkdir(dir);
  const { git } = openProject(dir, "");
  await git("init", "-q", "-b", "main");
  const dappfile = randomDappfile(dice);
  await Deno.writeTextFile(`${dir}/dappfile.yaml`, dappfile);
  const trees: Tree[] = [];
  for (let tree: Tree = new Map(); trees.length < STEPS;) trees.push(tree = nextTree(dice, tree));
  const commits = await commitTrees(dir, trees);
  for (const [i, commit] of commits.entries()) {
    await Deno.writeTextFile(`${dir}/.git/HEAD`, commit);
    const cold = `${root}/cold`;
    const [warmImage, coldImage] = [await build(dir, `${dir}/home`), await build(dir, cold)];
    const shown = `seed ${seed}, commit ${i + 1} of\n${dappfile}${
      trees.slice(0, i + 1).map(show).join("\n")
    }`;
    assert.deepEqual(warmImage, coldImage, shown);
    await Deno.remove(cold, { recursive: true });
    if (typeof coldImage !== "string") built++;
  }
  await Deno.remove(dir, { recursive: true });
  return built;
}

async function build(dir: string, home: string) {
  const { engine } = openProject(dir, home);
  const plugins = [use(fakeBuilder(new FakeBuilderLog()))];
  await using opened = engine({ platform: "linux/amd64", builder: "fake", plugins });
  try {
    const { images: [image] } = await opened.build();
    return { signature: image!.signature, tree: await imageTree(home, image!.state.layers) };
  } catch (error) {
    // Two entries may want one path: that is an error either way.
    if (error instanceof EngineError && error.code === "LAYER_INVALID") return "cannot be built";
    throw error;
  }
}

function show(tree: Tree): string {
  return JSON.stringify(Object.fromEntries(tree));
}
