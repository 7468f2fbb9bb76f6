/**
 * A warm build is a cold build: whatever earlier commits left in a store, an image has the files it has when it is built
 * from nothing, and the bytes too where the dappfile says so. `HISTORIES=50 SEED=1 deno test -A
 * tests/engine/warm_cold_test.ts` tries more of them.
 */
import assert from "node:assert/strict";
import { type BuiltImage, EngineError, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { imageTree } from "../support/image_tree.ts";
import { openProject } from "../support/project.ts";
import { base, commitTrees, Dice, nextTree, randomNumbers, type Tree } from "../support/random_history.ts";
import { type RandomProject, randomProject } from "../support/random_project.ts";
import { withTempDir } from "../support/tmp.ts";

const histories = Number(Deno.env.get("HISTORIES") ?? 1);
const first = Number(Deno.env.get("SEED") ?? 1);
const COMMITS = 8;
const DIMGS = 8;

Deno.test("every commit of random histories is the same image built warm and cold", async () => {
  await withTempDir(async (root) => {
    await writeBase(`${root}/base`, { "linux/amd64": base });
    const total = { built: 0, exact: 0, patched: 0 };
    for (let seed = first; seed < first + histories; seed++) await tryHistory(root, seed, total);
    assert.ok(total.built > histories * COMMITS * DIMGS / 2, `${total.built} images could be built`);
    assert.ok(total.exact > total.built / 8, `${total.exact} of ${total.built} must be the same bytes`);
    assert.ok(total.patched > 0, "no image had a patch");
  });
});

async function tryHistory(
  root: string,
  seed: number,
  total: { built: number; exact: number; patched: number },
) {
  const dice = new Dice(randomNumbers(seed));
  const dir = `${root}/p${seed}`;
  const project = randomProject(dice, DIMGS);
  const trees: Tree[] = [];
  for (let tree: Tree = new Map(); trees.length < COMMITS;) trees.push(tree = nextTree(dice, tree));
  const commits = await commitTrees(dir, trees);
  await Deno.writeTextFile(`${dir}/dappfile.yaml`, project.dappfile);
  for (const [i, commit] of commits.entries()) {
    await Deno.writeTextFile(`${dir}/.git/HEAD`, commit);
    const [warmHome, coldHome] = [`${dir}/home`, `${root}/cold`];
    const [warm, cold] = [await build(project, dir, warmHome), await build(project, dir, coldHome)];
    for (const name of project.names) {
      const [ours, theirs] = [warm.get(name)!, cold.get(name)!];
      const shown = () =>
        `seed ${seed}, dimg ${name}, commit ${i + 1} of\n${project.dappfile}${
          trees.slice(0, i + 1).map((tree) => JSON.stringify(Object.fromEntries(tree))).join("\n")
        }`;
      if (!ours || !theirs) {
        assert.equal(ours, theirs, shown());
        continue;
      }
      total.built++;
      const [before, after] = [await seen(ours, warmHome), await seen(theirs, coldHome)];
      assert.deepEqual(before, after, shown());
      if (project.exact.has(name)) total.exact++;
      else if (ours.digest !== theirs.digest) total.patched++;
      if (project.exact.has(name)) assert.equal(ours.digest, theirs.digest, shown());
    }
    await Deno.remove(coldHome, { recursive: true });
  }
  await Deno.remove(dir, { recursive: true });
}

async function seen({ signature, state }: BuiltImage, home: string) {
  return { signature, tree: await imageTree(home, state.layers) };
}

type Built = ReadonlyMap<string, BuiltImage | undefined>;

/** All dimgs; undefined stands for one that cannot be built, as when two entries want one path. */
async function build({ names, env }: RandomProject, dir: string, home: string): Promise<Built> {
  const { engine } = openProject(dir, home);
  const plugins = [use(fakeBuilder(new FakeBuilderLog()))];
  await using opened = engine({
    ...{ platform: "linux/amd64", builder: "fake", plugins },
    env: { ...Deno.env.toObject(), ...env },
  });
  const some = async (patterns: readonly string[]): Promise<readonly BuiltImage[]> => {
    try {
      return (await opened.build(patterns)).images;
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== "LAYER_INVALID") throw error;
      if (patterns.length === 1) return [];
      return (await Promise.all(patterns.map((name) => some([name])))).flat();
    }
  };
  const images = await some(names);
  return new Map(
    names.map((name) => [name, images.find((image) => image.kind === "dimg" && image.name === name)]),
  );
}
