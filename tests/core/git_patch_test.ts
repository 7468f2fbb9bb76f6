/** The two ways of getting from one commit to another without a full layer, planned only: thousands in seconds. */
import assert from "node:assert/strict";
import { planPatch } from "../../core/layers/git_anchors.ts";
import { compareListings } from "../../core/layers/git_difference.ts";
import {
  directoriesAbove,
  type GitItem,
  type GitLayerPlan,
  layerListing,
  lookOf,
  planGitLayer,
} from "../../core/layers/git_layer.ts";
import { patchRows } from "../../core/layers/git_patch.ts";
import { changeTrees, type TreeChange } from "../../core/layers/shown_trees.ts";
import { LayerError } from "../../lib/layer/error.ts";
import { type FileLayerRow, planFileLayer } from "../../lib/layer/file_layer.ts";
import { ImageFs } from "../../lib/layer/image_fs.ts";
import { indexEntries, type LayerIndex } from "../../lib/layer/index.ts";
import type { TarEntry } from "../../lib/tar/types.ts";
import { base, Dice, nextTree, randomNumbers, type Tree } from "../support/random_history.ts";

const rounds = Number(Deno.env.get("ROUNDS") ?? 200);
const first = Number(Deno.env.get("SEED") ?? 1);
const EPOCH = 5;

/** A layer with what its files hold. */
interface Layer {
  readonly index: LayerIndex;
  readonly looks: ReadonlyMap<string, string>;
}

const bottom: readonly Layer[] = base.layers.map((entries, layer) => {
  const rows = entries.map(({ path, type, mode = 755, uid = 0, link }): TarEntry => ({
    path: path.replace(/\/$/, ""),
    type: type ?? (link ? "symlink" : "file"),
    mode: parseInt(String(mode), 8),
    uid,
    gid: 0,
    size: 0,
    mtime: 0,
    ...(link && { link }),
  }));
  const looks = rows.map(({ path }) => [path, `base ${layer} ${path}`] as const);
  return { index: indexEntries(rows), looks: new Map(looks) };
});
const command = layerOf([{ path: "made/x", type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0 }]);

function layerOf(entries: readonly TarEntry[], looks: ReadonlyMap<string, string> = new Map()): Layer {
  return { index: indexEntries(entries), looks };
}

function layerOfRows(rows: readonly FileLayerRow[], { items }: Pick<GitLayerPlan, "items">): Layer {
  const looks = rows.filter(({ entry, item }) => entry.type !== "dir" && item);
  return layerOf(
    rows.map(({ entry }) => entry),
    new Map(looks.map((row) => [row.entry.path, lookOf(row, items)])),
  );
}

/** Everything that shows, but for contents of directories. */
function view(layers: readonly Layer[]): Record<string, string> {
  const fs = new ImageFs(layers.map(({ index }) => index));
  return Object.fromEntries(Array.from(fs.walk(""), ({ entry: { path, type, mode, uid, gid }, layer }) => {
    const look = type === "dir" ? "" : layers[layer]!.looks.get(path) ?? "";
    return [path, `${type} ${mode.toString(8)} ${uid}:${gid} ${look}`];
  }));
}

/** Entries with their owners, as a dappfile would have them. */
function randomEntries(dice: Dice) {
  const second = dice.pick(["/app/b", "/alias/x", "/srv", "/app/lnk", undefined]);
  const owner = () => dice.chance(0.3) ? { uid: 1 + dice.below(3), gid: 4 } : { uid: 0, gid: 0 };
  const entries = [{ to: dice.chance(0.8) ? "/app" : "", ...owner() }];
  return second ? [...entries, { to: second, ...owner() }] : entries;
}

function placed(entries: ReturnType<typeof randomEntries>, tree: Tree) {
  const newDirs = new Map<string, { uid: number; gid: number }>();
  const items = entries.flatMap(({ to, ...owner }, i) =>
    [...tree].flatMap(([path, text]) => {
      const target = `${to}/${path}`;
      if (entries.some((other, j) => j > i && `${target}/`.startsWith(`${other.to}/`))) return [];
      for (let dir = target; (owner.uid || owner.gid) && dir.lastIndexOf("/") >= Math.max(to.length, 1);) {
        dir = dir.slice(0, dir.lastIndexOf("/"));
        if (!newDirs.has(dir.slice(1))) newDirs.set(dir.slice(1), owner);
      }
      const file = { target, path, mode: text.slice(0, 6), oid: text.slice(7), repo: "" };
      return [{ file, ...owner } as unknown as GitItem];
    })
  );
  return { items, newDirs };
}

/** A plan of a tree, or undefined where no layer can hold it. */
function tryPlan<T>(plan: () => T): T | undefined {
  try {
    return plan();
  } catch (error) {
    if (error instanceof LayerError) return undefined;
    throw error;
  }
}

function* histories() {
  for (let seed = first; seed < first + rounds; seed++) {
    const dice = new Dice(randomNumbers(seed));
    const entries = randomEntries(dice);
    const trees: Tree[] = [];
    for (let tree: Tree = new Map([["always", "100644 0"]]); trees.length < 10;) {
      trees.push(tree = nextTree(dice, tree));
    }
    const show = (to: number) =>
      `seed ${seed}: ${JSON.stringify(entries)} ${
        JSON.stringify(trees.slice(0, to + 1).map((t) => Object.fromEntries(t)))
      }`;
    yield { trees, show, place: (tree: Tree) => placed(entries, tree) };
  }
}

const parent = new ImageFs(bottom.map(({ index }) => index));

/** The layer that makes a change upon an image, with what comes back from below. */
function layerOfChange(change: TreeChange, image: ImageFs): Layer {
  const restored = change.files.map((path) => {
    const { type, mode, uid, gid } = parent.lookup(path)!.entry;
    return { path, type: type as "file" | "symlink", mode, uid, gid, size: 0, mtime: 0 };
  });
  const plan = planFileLayer({
    items: [...change.wishes, ...restored],
    whiteouts: change.whiteouts,
    parent: image,
    newDirOwner: { uid: 0, gid: 0 },
    epoch: EPOCH,
  });
  const { index, looks } = layerOfRows(plan.rows, change);
  const back = change.files.map((path) =>
    [path, bottom[parent.lookup(path)!.layer]!.looks.get(path)!] as const
  );
  return { index, looks: new Map([...looks, ...back]) };
}

const planOn = (at: ReturnType<typeof placed>) => planGitLayer({ ...at, parent, epoch: EPOCH });

Deno.test("patchRows() makes of one commit's layer another's", () => {
  let patched = 0;
  for (const { trees, show, place } of histories()) {
    for (let i = 1; i < trees.length; i++) {
      const [before, after] = [trees[i - 1]!, trees[i]!].map((tree) => tryPlan(() => planOn(place(tree))));
      const rows = before && after && patchRows(before, after, parent);
      if (!rows) continue;
      patched++;
      const warm = [...bottom, layerOfRows(before.plan.rows, before), layerOfRows(rows, after)];
      assert.deepEqual(view(warm), view([...bottom, layerOfRows(after.plan.rows, after)]), show(i));
    }
  }
  assert.ok(patched > rounds * 2, `${patched} patches were made`);
});

Deno.test("planPatch() plans what differs, and gives what planning everything gives", () => {
  let part = 0;
  for (const { trees, show, place } of histories()) {
    for (let i = 1; i < trees.length; i++) {
      const [before, after] = [place(trees[i - 1]!), place(trees[i]!)];
      const planned = tryPlan(() => planOn(before));
      if (!planned) continue;
      const text = layerListing(before.items);
      const wanted = { input: { ...after, parent, epoch: EPOCH }, text: layerListing(after.items) };
      const above = (of: typeof before) =>
        directoriesAbove(of.items.map(({ file }) => file.target), { parent, newDirs: of.newDirs });
      const difference = compareListings(text, wanted.text);
      const earlier = { text, difference, newDirs: before.newDirs, above: above(before) };
      const all = tryPlan(() => patchRows(planned, planOn(after), parent));
      const found = tryPlan(() => planPatch(earlier, { ...wanted, above: above(after) }));
      assert.deepEqual(found?.rows, all, show(i));
      assert.deepEqual(found === undefined, tryPlan(() => planOn(after)) === undefined, show(i));
      if (found && found.items.size < after.items.length) part++;
    }
  }
  assert.ok(part > rounds, `${part} patches were planned from a part of the files`);
});

Deno.test("compareListings() counts paths that differ, whatever order JavaScript and UTF-8 have for them", () => {
  const row = (path: string, oid = "1") => `100644:0:0 ${oid} ${path}\0`;
  const names = ["/app/a b", "/app/a/x", "/app/a/y", "/app/b/z", "/app/\u{ff5e}", "/app/\u{1f600}"];
  const listing = (paths: readonly string[], changed: readonly string[] = []) =>
    paths.toSorted().map((path) => row(path, changed.includes(path) ? "2" : "1")).join("");
  for (const path of names) {
    const changed = compareListings(listing(names), listing(names, [path]));
    assert.deepEqual([changed.size, changed.changed, changed.samePaths], [names.length, 1, true]);
    assert.ok(changed.after.has(path) && changed.before.includes(row(path)));
    const others = names.filter((name) => name !== path);
    const gone = compareListings(listing(names), listing(others));
    assert.deepEqual([gone.size, gone.changed, gone.samePaths], [names.length, 1, false]);
    assert.ok(gone.before.includes(row(path)) && !gone.after.has(path));
    const came = compareListings(listing(others), listing(names));
    assert.deepEqual([came.size, came.changed, came.samePaths], [others.length, 1, false]);
    assert.ok(came.after.has(path) && !came.before.includes(row(path)));
  }
  assert.deepEqual(compareListings(listing(names), listing(names)), {
    size: names.length,
    changed: 0,
    samePaths: true,
    before: "",
    after: new Set(),
  });
});

Deno.test("changeTrees() shows another commit, whatever was shown before, and brings back what it covered", () => {
  let changed = 0;
  for (const { trees, show, place } of histories()) {
    let shown: { layers: Layer[]; own: Set<number>; tree: ReturnType<typeof placed> } | undefined;
    for (const [i, tree] of trees.entries()) {
      const after = place(tree);
      const full = tryPlan(() => planOn(after));
      if (!full) continue;
      const cold = [...bottom, layerOfRows(full.plan.rows, full), command];
      if (!shown) {
        shown = { layers: cold, own: new Set([bottom.length]), tree: after };
        continue;
      }
      const { layers, own } = shown;
      const image = new ImageFs(layers.map(({ index }) => index));
      const change = changeTrees(shown.tree, after, { below: parent, image, own, epoch: EPOCH });
      assert.deepEqual(change.lost, []);
      const layer = layerOfChange(change, image);
      shown = {
        layers: [...layers, layer],
        own: new Set([...own, layers.length]),
        tree: after,
      };
      assert.deepEqual(view(shown.layers), view(cold), show(i));
      changed++;
    }
  }
  assert.ok(changed > rounds * 2, `${changed} changes were made`);
});

Deno.test("changeTrees() leaves away what a command took away, in whatever shape it would come again", () => {
  let [changed, again] = [0, 0];
  for (const { trees, show, place } of histories()) {
    const before = place(trees[2]!);
    const shown = tryPlan(() => planOn(before));
    if (!shown) continue;
    // what git brought, and directories that it made
    const brought = shown.plan.rows.map(({ entry }) => entry).filter(({ path, type }) =>
      !/(^|\/)\.wh\./.test(path) && (type !== "dir" || !parent.lookup(path))
    );
    for (const { path } of brought.slice(0, 4)) {
      const removal = path.replace(/[^/]*$/, ".wh.$&");
      const taking = layerOf([{ path: removal, type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 }]);
      const layers = [...bottom, layerOfRows(shown.plan.rows, shown), taking];
      const image = new ImageFs(layers.map(({ index }) => index));
      for (const i of [3, 5, 9]) {
        const after = place(trees[i]!);
        const full = tryPlan(() => planOn(after));
        if (!full) continue;
        const own = new Set([bottom.length]);
        const change = changeTrees(before, after, { below: parent, image, own, epoch: EPOCH });
        const warm = view([...layers, layerOfChange(change, image)]);
        const cold = Object.entries(view([...bottom, layerOfRows(full.plan.rows, full)]));
        const isAway = (at: string) => at === path || at.startsWith(`${path}/`);
        assert.deepEqual(
          warm,
          Object.fromEntries(cold.filter(([at]) => !isAway(at))),
          `${path} of ${show(i)}`,
        );
        changed++;
        if (cold.some(([at]) => isAway(at))) again++;
      }
    }
  }
  assert.ok(
    changed > rounds && again > rounds,
    `${changed} changes were made, ${again} would bring it again`,
  );
});
