import type { Digest } from "../contract/digest.ts";
import { type Anchor, type AnchorChoice, chooseAnchor, knownAnchors, removals } from "./git_anchors.ts";
import {
  type GitItem,
  type GitLayerInput,
  layerKey,
  layerListing,
  planGitLayer,
  writeGitLayer,
} from "./git_layer.ts";
import { type GitDelivery, listingOf } from "../sign/git_stages.ts";
import { Owners } from "./layers.ts";
import { layerPath } from "../../lib/layer/paths.ts";
import type { Layer } from "../contract/store.ts";
import { parseListing } from "../contract/signature.ts";
import { type LayerWorker, type StageDelta, type StageTask, storedLayer } from "./stage_output.ts";
import type { LayerRef } from "../contract/builder.ts";

/** Patches may be at most this part of their anchor, in files before and in bytes after they are made. */
const PATCH_FILES = 1 / 4;
const PATCH_BYTES = 1 / 2;
const KEPT_ANCHORS = 4;

/** How a full layer can be had: as it is, from an anchor, or by making it. */
interface LayerChoice {
  readonly key: string;
  readonly listing: Digest;
  /** Which anchors belong together. */
  readonly set: string;
  readonly anchors: readonly Anchor[];
  readonly known?: Layer;
  readonly choice?: AnchorChoice | undefined;
}

/** Puts the files of a git stage on top of the image: as one layer, or as an earlier layer and the difference to it. */
export async function deliverGit(worker: LayerWorker, task: StageTask): Promise<StageDelta> {
  return await new GitDeliverer(worker, task).deliver();
}

/**
 * Makes the full layer of a git stage before the image it goes on is finished, standing on an earlier stage of it. Of
 * use if the directories above the files look the same in the end, which the layer's key tells; harmless otherwise.
 */
export async function prepareGit(worker: LayerWorker, task: StageTask): Promise<readonly LayerRef[]> {
  return await new GitDeliverer(worker, task).prepare();
}

class GitDeliverer {
  constructor(readonly worker: LayerWorker, readonly task: StageTask) {}

  async deliver(): Promise<StageDelta> {
    const { input, trees, whole } = await this.#input();
    const { items, whiteouts } = input;
    if (items.length === 0 && whiteouts.length === 0) return { layers: [], trees };
    const layers = whole ? [await this.#write(planGitLayer(input))] : await this.#anchored(input);
    return { layers: layers.map(storedLayer), trees };
  }

  async prepare(): Promise<readonly LayerRef[]> {
    const { input, whole } = await this.#input();
    if (whole || input.items.length === 0) return [];
    const { known, choice, ...rest } = await this.#choose(input);
    if (known) return [storedLayer(known)];
    return choice ? [] : [storedLayer(await this.#full(input, rest))];
  }

  /** What the stage puts on its parent, and whether it shows a whole tree. */
  async #input() {
    const { session, reader } = this.worker;
    const { image, stage, parent } = this.task;
    const deliveries = await (await session.git(image.node))!.deliveries(stage.spec.name);
    const fs = await reader.fs(parent.layers);
    const owners = new Owners(reader, parent.layers, fs);
    const sources = await session.trees.of(image.node.rule.git);

    const items: GitItem[] = [];
    const whiteouts: string[] = [];
    const newDirs = new Map<string, { uid: number; gid: number }>();
    const trees: Record<string, Digest> = {};
    for (const delivery of deliveries) {
      const { entry, index } = delivery;
      const owner = await owners.resolve(entry.owner, entry.group);
      const { repository } = sources[index]!;
      const { files, removed } = await this.#changed(delivery, trees);
      whiteouts.push(...removed);
      for (const file of files) {
        items.push({ file, repository, ...owner });
        if (owner.uid || owner.gid) addDirectories(newDirs, entry.to, file.target, owner);
      }
    }
    const input = { items, whiteouts, parent: fs, newDirs, epoch: session.options.epoch };
    return { input, trees, whole: deliveries.some((delivery) => delivery.wholeTree) };
  }

  /** What an entry that shows its whole tree must change since the tree that was shown before. */
  async #changed({ entry, files, wholeTree }: GitDelivery, trees: Record<string, Digest>) {
    if (!wholeTree) return { files, removed: [] };
    const { store } = this.worker;
    const text = listingOf({ files });
    const shown = this.task.parent.trees[entry.to];
    trees[entry.to] = (await store.putBlob(new TextEncoder().encode(text))).digest;
    if (!shown) return { files, removed: [] };
    const before = parseListing(new TextDecoder().decode(await store.getBlob(shown)));
    const old = new Map(before.map((row) => [row.path, `${row.mode} ${row.oid}`]));
    return {
      files: files.filter((file) => old.get(file.target) !== `${file.mode} ${file.oid}`),
      removed: removals(
        before.map((r) => layerPath(r.path)),
        files.map((f) => layerPath(f.target)),
        () => false,
      ),
    };
  }

  async #anchored(input: GitLayerInput): Promise<Layer[]> {
    const { known, choice, ...rest } = await this.#choose(input);
    if (known) return [known];
    if (choice) {
      const { anchor, items, whiteouts } = choice;
      const layers: LayerRef[] = [...this.task.parent.layers, storedLayer(anchor.layer)];
      const parent = await this.worker.reader.fs(layers);
      const patch = await this.#write(planGitLayer({ ...input, items, whiteouts, parent }));
      if (patch.size <= anchor.layer.size * PATCH_BYTES) return [anchor.layer, patch];
    }
    return [await this.#full(input, rest)];
  }

  /** The layer itself if it was made before, else an anchor that is near enough, if any. */
  async #choose(input: GitLayerInput): Promise<LayerChoice> {
    const { store, session } = this.worker;
    const { compression } = session.options;
    const { digest: listing } = await store.putBlob(new TextEncoder().encode(layerListing(input.items)));
    const key = await layerKey(listing, input.items.map(({ file }) => file.target), input, compression);
    const { image, stage } = this.task;
    const set = JSON.stringify([(await session.project()).name, image.node.key, stage.spec.name]);
    const made = { key, listing, set };
    const known = await store.memo("git-layer", key) as Layer | undefined;
    if (known && await store.blobSize(known.digest) === known.size) return { ...made, anchors: [], known };
    const anchors = await knownAnchors(store, set);
    const choice = await chooseAnchor(anchors, input, { store, compression, maxPart: PATCH_FILES });
    return { ...made, anchors, choice };
  }

  /** Makes the full layer, which is the next anchor. */
  async #full(input: GitLayerInput, { key, listing, set, anchors }: LayerChoice): Promise<Layer> {
    const { store } = this.worker;
    const layer = await this.#write(planGitLayer(input));
    const anchor: Anchor = { key, listing, layer };
    await store.putMemo("git-layer", key, layer);
    await store.putMemo("git-anchors", set, [anchor, ...anchors].slice(0, KEPT_ANCHORS));
    return layer;
  }

  async #write(planned: ReturnType<typeof planGitLayer>): Promise<Layer> {
    const { store, session, reader } = this.worker;
    const file = await this.worker.temp();
    const { layer, index } = await writeGitLayer(planned, file, session.options.compression);
    await store.adoptBlob(file, layer.digest);
    await reader.remember(layer.diffId, index);
    return layer;
  }
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
