import { isLayer } from "../contract/guards.ts";
import { type FileLayerRow, planFileLayer } from "../../lib/layer/file_layer.ts";
import type { ImageFs } from "../../lib/layer/image_fs.ts";
import { layerPath } from "../../lib/layer/paths.ts";
import type { LayerRef } from "../contract/builder.ts";
import type { Layer } from "../contract/store.ts";
import type { GitDelivery } from "../sign/git_stages.ts";
import { type Anchor, type AnchorChoice, chooseAnchor, knownAnchors, noteAnchor } from "./git_anchors.ts";
import {
  directoriesAbove,
  type GitItem,
  type GitLayerInput,
  layerKey,
  layerListing,
  type OwnedDirs,
  parseLayerListing,
  type PlacedFile,
  planGitLayer,
  writeGitLayer,
} from "./git_layer.ts";
import { Owners } from "./layer_reader.ts";
import { longest, takeLayer } from "./new_layer.ts";
import { changeTrees, SHOWN, type ShownEntry, shownKey, type ShownTrees, type Trees } from "./shown_trees.ts";
import { setAside, Spool } from "./spool.ts";
import {
  type GrownLayer,
  type LayerWorker,
  settlingLayer,
  type StageDelta,
  type StageTask,
  storedLayer,
} from "./stage_output.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { observed } from "../../lib/pool.ts";

/** Patches may be at most this part of their anchor, in files before and in bytes after they are made. */
const PATCH_FILES = 1 / 4;
const PATCH_BYTES = 1 / 2;

/** How a full layer can be had: as it is, from an anchor, or by making it. */
interface LayerChoice {
  readonly key: string;
  readonly listing: Digest;
  /** What has that digest: the `layerListing` of its files. */
  readonly text: Uint8Array;
  /** Which anchors belong together. */
  readonly set: string;
  readonly anchors: readonly Anchor[];
  readonly known?: GrownLayer;
  readonly choice?: AnchorChoice | undefined;
}

/** One entry with its files where they go. */
interface Placed {
  readonly delivery: GitDelivery;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly items: readonly GitItem[];
}

/** A git stage to build. */
type GitTask = Omit<StageTask, "others">;

/** Puts the files of a git stage on top of the image: as one layer, or as an earlier layer and the difference to it. */
export async function deliverGit(worker: LayerWorker, task: GitTask): Promise<StageDelta> {
  return await new GitDeliverer(worker, task).deliver();
}

/**
 * Makes the full layer of a git stage before the image it goes on is finished, standing on an earlier stage of it. Of
 * use if the directories above the files look the same in the end, which the layer's key tells; harmless otherwise.
 */
export async function prepareGit(worker: LayerWorker, task: GitTask): Promise<readonly GrownLayer[]> {
  return await new GitDeliverer(worker, task).prepare();
}

class GitDeliverer {
  constructor(readonly worker: LayerWorker, readonly task: GitTask) {}

  async deliver(): Promise<StageDelta> {
    const { parent } = this.task;
    const fs = await this.worker.reader.fs(parent.layers);
    const shown = await this.#shown();
    const placed = await this.#place(fs, shown);
    const trees = placed.filter(({ delivery }) => delivery.wholeTree);
    const layers = shown && trees.length > 0
      ? await this.#change(shown, placed, fs)
      : await this.#full(this.#input(placed, fs));
    if (trees.length === 0) return { layers };
    const own = [...shown?.own ?? [], ...layers.map((_, i) => parent.layers.length + i)];
    const below = shown?.below ?? parent.layers.length;
    return { layers, trees: await this.#remember({ below, own, entries: entriesOf(shown, trees) }) };
  }

  async prepare(): Promise<readonly GrownLayer[]> {
    const fs = await this.worker.reader.fs(this.task.parent.layers);
    const placed = await this.#place(fs, undefined);
    if (placed.some(({ delivery }) => delivery.wholeTree)) return [];
    const input = this.#input(placed, fs);
    if (input.items.length === 0) return [];
    const chosen = await this.#choose(input);
    if (chosen.known) return [chosen.known];
    return chosen.choice ? [] : [await this.#make(chosen, input)];
  }

  /** What the stage brings, entry by entry. An entry that was shown before keeps the owner it had then. */
  async #place(fs: ImageFs, shown: ShownTrees | undefined): Promise<readonly Placed[]> {
    const { session, reader } = this.worker;
    const { image, stage, parent } = this.task;
    const deliveries = await (await session.git(image.node))!.deliveries(stage.spec.name);
    const owners = new Owners(reader, parent.layers, fs);
    const sources = await session.trees.of(image.node.rule.git);
    return await Promise.all(deliveries.map(async (delivery) => {
      const { entry, index, files } = delivery;
      const { uid, gid } = shown?.entries[shownKey(entry)] ?? await owners.resolve(entry.owner, entry.group);
      const { repository } = sources[index]!;
      return { delivery, owner: { uid, gid }, items: files.map((file) => ({ file, repository, uid, gid })) };
    }));
  }

  #input(placed: readonly Placed[], parent: ImageFs): GitLayerInput {
    const items = placed.flatMap(({ items }) => items);
    const newDirs = ownedDirs(
      placed.map(({ delivery, owner, items }) => ({ ...owner, to: delivery.entry.to, items })),
    );
    return { items, parent, newDirs, epoch: this.worker.session.options.epoch };
  }

  /** All files as a layer, or as an anchor with a patch. */
  async #full(input: GitLayerInput): Promise<readonly GrownLayer[]> {
    if (input.items.length === 0) return [];
    const chosen = await this.#choose(input);
    const { known, choice } = chosen;
    if (known) return [known];
    if (choice) {
      const { layer } = choice.anchor;
      const most = layer.size * PATCH_BYTES;
      const { ref, noted } = await this.#write(choice.rows, choice.items, { most });
      if (ref.tar !== undefined || (await ref.stored).size <= most) {
        return [this.#settling(storedLayer(layer)), this.#settling(ref, () => noted)];
      }
    }
    return [await this.#make(chosen, input)];
  }

  /** A layer that turns the trees which the image shows into those of this commit, and then the other files. */
  async #change(
    shown: ShownTrees,
    placed: readonly Placed[],
    image: ImageFs,
  ): Promise<readonly GrownLayer[]> {
    const { reader, session: { options: { epoch, emit } } } = this.worker;
    const { layers } = this.task.parent;
    const lower = layers.slice(0, shown.below);
    const below = await reader.fs(lower);
    const trees = placed.filter(({ delivery }) => delivery.wholeTree);
    const others = placed.filter(({ delivery }) => !delivery.wholeTree);
    const { wishes, items, whiteouts, files, lost } = changeTrees(
      treesBefore(shown, trees),
      this.#input(trees, below),
      { below, image, own: new Set(shown.own), epoch },
    );
    if (wishes.length + whiteouts.length + files.length === 0) {
      return await this.#full(this.#input(others, image));
    }
    for (const path of lost) {
      const text = `"/${path}" of the base is covered by an earlier commit and cannot be brought back`;
      emit({ type: "note", level: "warn", text });
    }
    await using spool = await Spool.open(await this.worker.temp());
    const targets = new Map(files.map((path) => [path, path]));
    const restored = await setAside({ worker: this.worker, layers: lower, fs: below, targets, spool });
    const newDirOwner = { uid: 0, gid: 0 };
    const plan = planFileLayer({
      items: [...wishes, ...restored],
      whiteouts,
      parent: image,
      newDirOwner,
      epoch,
    });
    const { ref, noted } = await this.#write(plan.rows, items, { spool });
    const changed = this.#settling(ref, () => noted);
    const then = others.length > 0 ? await reader.fs([...layers, changed]) : image;
    return [changed, ...await this.#full(this.#input(others, then))];
  }

  async #shown(): Promise<ShownTrees | undefined> {
    const digest = this.task.parent.trees[SHOWN];
    if (!digest) return undefined;
    return JSON.parse(new TextDecoder().decode(await this.worker.store.blobs.get(digest)));
  }

  async #remember(shown: ShownTrees): Promise<Record<string, Digest>> {
    const { digest } = await this.worker.store.blobs.put(new TextEncoder().encode(JSON.stringify(shown)));
    return { [SHOWN]: digest };
  }

  /** The layer itself if it was made before, else an anchor that is near enough, if any. */
  async #choose(input: GitLayerInput): Promise<LayerChoice> {
    const { store, session } = this.worker;
    const { compression } = session.options;
    const listed = layerListing(input.items);
    const text = new TextEncoder().encode(listed);
    const listing = await digestOf(text);
    const above = directoriesAbove(input.items.map(({ file }) => file.target), input);
    const key = await layerKey(listing, above, input.epoch, compression);
    const { image, stage } = this.task;
    const patches = image.node.rule.gitPatches ?? true;
    const set = JSON.stringify([(await session.project()).name, image.node.key, stage.spec.name]);
    const made = { key, listing, text, set };
    const here = this.worker.gitLayers.get(key);
    if (here) return { ...made, anchors: [], known: here };
    const known = await store.memo.get("git-layer", key, isLayer);
    if (known && await store.blobs.size(known.digest) === known.size) {
      // It may have come with a stage that was only pulled, and a cleanup takes listings.
      return { ...made, anchors: [], known: this.#settling(storedLayer(known), () => store.blobs.put(text)) };
    }
    const anchors = patches ? await knownAnchors(store, set) : [];
    const choice = await chooseAnchor(anchors, { input, text: listed, above }, {
      store,
      compression,
      maxPart: PATCH_FILES,
    });
    return { ...made, anchors, choice };
  }

  /** Makes the full layer, which is the next anchor once it is on the disk. */
  async #make(
    { key, listing, text, set, anchors }: LayerChoice,
    input: GitLayerInput,
  ): Promise<GrownLayer> {
    const { store, gitLayers } = this.worker;
    const { plan: { rows }, items } = planGitLayer(input);
    const { ref, noted } = await this.#write(rows, items);
    const made = this.#settling(ref, () => Promise.all([store.blobs.put(text), noted]), async (layer) => {
      await store.memo.put("git-layer", key, layer);
      await noteAnchor(store, set, { key, listing, dirs: [...input.newDirs], layer }, anchors);
    });
    gitLayers.set(key, made);
    return made;
  }

  /** A layer with what is flushed beside it, and what is remembered then. */
  #settling(
    ref: LayerRef,
    beside: () => Promise<unknown> = async () => {},
    then: (layer: Layer) => Promise<void> = async () => {},
  ): GrownLayer {
    const { blobs } = this.worker.store;
    return settlingLayer(ref, async (layer) => {
      await Promise.all([blobs.settle?.(layer.digest), beside()]);
      await then(layer);
    });
  }

  /**
   * Makes a layer; `noted` settles when what is in it is remembered, for which nobody need wait. One that may come to more
   * bytes than `most` is compressed before.
   */
  async #write(
    rows: readonly FileLayerRow[],
    items: ReadonlyMap<string, GitItem>,
    { spool, most = Infinity }: { readonly spool?: Spool; readonly most?: number } = {},
  ): Promise<{ readonly ref: LayerRef; readonly noted: Promise<void> }> {
    const { session: { options: { compression } }, reader } = this.worker;
    const file = await this.worker.temp();
    const { made, index } = await writeGitLayer({ plan: { rows }, items }, file, compression, spool);
    const layer = { ...made, file };
    const ref = await takeLayer(this.worker, layer, { late: this.task.followed && longest(layer) <= most });
    return { ref, noted: observed(reader.remember(ref.diffId, index)) };
  }
}

/** The trees that are in the image, of the entries whose trees are at hand now and of all others. */
function treesBefore(shown: ShownTrees, trees: readonly Placed[]): Trees<PlacedFile> {
  const now = new Set(trees.map(({ delivery }) => shownKey(delivery.entry)));
  const entries = Object.entries(shown.entries).filter(([key]) => now.has(key)).map((
    [, { files, ...entry }],
  ) => ({
    ...entry,
    items: parseLayerListing(files),
  }));
  return { items: entries.flatMap(({ items }) => items), newDirs: ownedDirs(entries) };
}

/** What is shown once the trees of this stage are. */
function entriesOf(shown: ShownTrees | undefined, trees: readonly Placed[]): Record<string, ShownEntry> {
  const now = trees.map(({ delivery: { entry }, owner, items }) => [
    shownKey(entry),
    { to: entry.to, ...owner, files: layerListing(items) },
  ]);
  return { ...shown?.entries, ...Object.fromEntries(now) };
}

/** Directories from each `to` down to its files, which belong to whom the files belong. */
function ownedDirs(
  entries: readonly { to: string; uid: number; gid: number; items: readonly PlacedFile[] }[],
): OwnedDirs {
  const dirs = new Map<string, { uid: number; gid: number }>();
  for (const { to, uid, gid, items } of entries) {
    if (uid || gid) { for (const { file } of items) addDirectories(dirs, to, file.target, { uid, gid }); }
  }
  return dirs;
}

/** Notes the owner of `to` and of every directory between it and a file. */
function addDirectories(
  dirs: Map<string, { uid: number; gid: number }>,
  to: string,
  target: string,
  owner: { uid: number; gid: number },
): void {
  const top = layerPath(to);
  let dir = layerPath(target);
  for (;;) {
    dir = dir.slice(0, Math.max(0, dir.lastIndexOf("/")));
    if (dir === "" || dir.length < top.length || dirs.has(dir)) return;
    dirs.set(dir, owner);
  }
}
