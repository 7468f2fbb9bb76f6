/** Layers with whiteouts of every kind, upon bases of every shape: what a step sees, and what is captured of it. */
import assert from "node:assert/strict";
import type { LayerRef } from "../../core/contract/plugin.ts";
import { type LayerItem, makeLayer } from "../../testing/builder/layers.ts";
import { nativeFixture } from "./native_fixture.ts";
import { type Ran, StageRunner } from "../../testing/builder/stage_runner.ts";

/** Paths of an image, without leading "/", to what is there. */
type Tree = ReadonlyMap<string, "dir" | "file">;

/** A layer of someone else. */
interface Foreign {
  /** All that it has, with the directories that only lead somewhere. */
  readonly tree: Tree;
  /** Directories of it without an entry of their own. */
  readonly implicit: ReadonlySet<string>;
  /** What it deletes from the layers below. */
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
  /** Marks by other means: whiteouts that are devices with the number 0:0. */
  readonly devices: readonly string[];
}

const within = (path: string, dir: string) => dir === "" || path.startsWith(`${dir}/`);
const parents = (path: string) =>
  path.split("/").slice(0, -1).map((_, i, all) => all.slice(0, i + 1).join("/"));

/** What an image looks like with one more layer (image-spec layer.md, "Applying Changesets"). */
function apply(below: Tree, { tree, whiteouts, opaque, devices }: Foreign): Tree {
  const result = new Map(below);
  const remove = (path: string) => {
    for (const each of result.keys()) if (each === path || within(each, path)) result.delete(each);
  };
  for (const path of [...whiteouts, ...devices]) remove(path);
  for (const dir of opaque) for (const each of result.keys()) if (within(each, dir)) result.delete(each);
  for (const [path, type] of tree) {
    if (result.get(path) === "dir" && type === "dir") continue;
    remove(path);
    result.set(path, type);
  }
  return result;
}

/** A small generator of numbers (mulberry32): the same layers on every machine. */
function dice(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

function randomLayer(roll: (below: number) => number): Foreign {
  const path = () => ["t", ...Array.from({ length: 1 + roll(4) }, () => "abc"[roll(3)])].join("/");
  const tree = new Map<string, "dir" | "file">();
  const explicit = new Set<string>();
  const free = (path: string) => parents(path).every((dir) => tree.get(dir) !== "file");
  const add = (path: string, type: "dir" | "file") => {
    if (tree.has(path) || !free(path)) return;
    for (const dir of parents(path)) tree.set(dir, "dir");
    tree.set(path, type);
    explicit.add(path);
  };
  for (let count = roll(6); count > 0; count--) add(path(), roll(2) ? "dir" : "file");
  const marks = (count: number) => {
    const marked = [...new Set(Array.from({ length: count }, path))].filter(free);
    for (const each of marked) for (const dir of parents(each)) tree.set(dir, "dir");
    return marked;
  };
  const whiteouts = marks(roll(5));
  const opaque = [...tree].filter(([, type]) => type === "dir" && roll(6) === 0).map(([path]) => path);
  const devices = marks(roll(4) === 0 ? 1 : 0).filter((each) => !tree.has(each));
  const implicit = new Set([...tree.keys()].filter((path) => !explicit.has(path) && roll(2) === 0));
  return { tree, implicit, whiteouts, opaque, devices };
}

/** Its entries: directories before what is in them, marks anywhere. */
function entries(layer: Foreign, roll: (below: number) => number): LayerItem[] {
  const items: LayerItem[] = [...layer.tree].sort(([a], [b]) => a < b ? -1 : 1)
    .filter(([path]) => !layer.implicit.has(path)).map(([path, type]) => ({ path, type }));
  const put = (item: LayerItem) => items.splice(roll(items.length + 1), 0, item);
  for (const path of layer.whiteouts) put({ path: path.replace(/[^/]*$/, ".wh.$&"), mode: 0 });
  for (const path of layer.opaque) put({ path: `${path}/.wh..wh..opq`, mode: 0 });
  for (const path of layer.devices) put({ path, type: "char", major: 0, minor: 0 });
  return items;
}

/** What a step sees of /t and can do with it, and what is left of that. */
async function look(runner: StageRunner, image: readonly LayerRef[]): Promise<{ seen: Tree; ran: Ran }> {
  const command =
    "mkdir -p /t; cd /t; find . -type d | sed 's/^/dir /'; find . ! -type d | sed 's/^/file /'; " +
    "ls -ARl >/dev/null; cp -a /t /copy; diff -r /t /copy; rm -r /copy; cd /; rm -r /t; mkdir /t";
  const ran = await runner.run(image, [command]);
  const rows = ran.output.slice(`$ ${command}\n`.length).split("\n").filter((row) => row !== "");
  return {
    seen: new Map(rows.map((row) => {
      const [type, path] = row.split(" ./");
      return path === undefined ? ["t", "dir"] : [`t/${path}`, type as "dir" | "file"];
    })),
    ran,
  };
}

const sorted = (tree: Tree) => [...tree].map(([path, type]) => `${path} ${type}`).sort();

async function check(
  runner: StageRunner,
  base: readonly LayerRef[],
  layers: readonly LayerRef[],
  wanted: Tree,
) {
  const { seen, ran } = await look(runner, [...base, ...layers]);
  assert.deepEqual(sorted(seen), sorted(new Map([...wanted, ["t", "dir"]])));
  const deleted = [...ran.members.keys()].filter((path) => path !== "t").sort();
  const top = [...wanted.keys()].filter((path) => path.split("/").length === 2);
  assert.deepEqual(deleted, top.map((path) => path.replace("t/", "t/.wh.")).sort());
  assert.equal(await runner.ask(ran.image, "ls -A /t"), "");
}

Deno.test("steps see no trace of whiteouts, whatever the layers below have", async (t) => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const roll = dice(20260101);
  for (let i = 0; i < 25; i++) {
    const stack = Array.from({ length: 1 + roll(5) }, () => randomLayer(roll));
    const items = stack.map((layer) => entries(layer, roll));
    await t.step(JSON.stringify(items), async () => {
      const layers = await Promise.all(items.map((each) => makeLayer(fixture.store, each)));
      const distinct = new Set(layers.map(({ diffId }) => diffId));
      if (distinct.size < layers.length) return; // one layer twice is another test's
      await check(runner, fixture.base, layers, stack.reduce(apply, new Map()));
    });
  }
});

Deno.test("a layer that a step made hides nothing in an image that lacks what it deletes", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const full = await makeLayer(fixture.store, [
    ...["t", "t/a", "t/a/b"].map((path): LayerItem => ({ path, type: "dir" })),
    { path: "t/a/b/c" },
  ]);
  const { image } = await runner.run([...fixture.base, full], [
    "rm /t/a/b/c; rm -r /t/a/b; mkdir /t/a/b; touch /t/x",
  ]);
  const made = image.at(-1)!;
  const dir = ["t", "t/a", "t/a/b"].map((path): [string, "dir"] => [path, "dir"]);
  await check(runner, fixture.base, [made], new Map([...dir, ["t/x", "file"]]));
});

Deno.test("hard links to what the same layer deletes lead nowhere", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const link = await makeLayer(fixture.store, [{ path: "t/.wh.a" }, {
    path: "t/b",
    type: "hardlink",
    link: "t/a",
  }]);
  await assert.rejects(runner.run([...fixture.base, link], ["true"]), /hard link "\/t\/b" leads to "\/t\/a"/);
});

Deno.test("a file stays where the layer that brings it hides what was in a directory of its name", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const below = await makeLayer(fixture.store, [{ path: "t/a/b", content: "old" }, {
    path: "t/c/d",
    content: "old",
  }]);
  const items = [{ path: "t/a", content: "new" }, { path: "t/a/.wh.b" }, { path: "t/a/.wh..wh..opq" }];
  for (const layer of [items, items.toReversed()]) {
    const upper = await makeLayer(fixture.store, layer); // umoci writes the first
    const { output } = await runner.run([...fixture.base, below, upper], ["cat /t/a /t/c/d; ls -A /t"]);
    assert.match(output, /^newolda\nc\n$/m);
  }
});

Deno.test("hard links to directories are told as that", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  for (const target of ["t/a", "s/a"]) {
    const layer = await makeLayer(fixture.store, [
      { path: "t/a", type: "dir" },
      { path: "s", type: "symlink", link: "/t" },
      { path: "t/b", type: "hardlink", link: target },
    ]);
    await assert.rejects(
      runner.run([...fixture.base, layer], ["true"]),
      new RegExp(`hard link "/t/b" leads to "/${target}", a directory`),
    );
  }
});

Deno.test("directories that a layer does not describe inherit nothing from below an opaque one", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const dir = (path: string, mode: number): LayerItem => ({ path, type: "dir", mode });
  const layers = await Promise.all([
    makeLayer(fixture.store, [
      dir("t", 0o755),
      dir("t/a", 0o755),
      dir("t/a/b", 0o700),
      dir("t/a/b/c", 0o700),
    ]),
    makeLayer(fixture.store, [dir("t", 0o755), { path: "t/.wh..wh..opq" }, dir("t/a", 0o755)]),
    makeLayer(fixture.store, [{ path: "t/a/b/c/f" }]),
  ]);
  const modes = await runner.ask([...fixture.base, ...layers], "stat -c %a /t/a/b /t/a/b/c");
  assert.equal(modes, "755\n755\n");
});
