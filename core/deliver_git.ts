import type { ImageFs } from "../lib/layer/image_fs.ts";
import type { Digest } from "./digest.ts";
import { type Anchor, chooseAnchor, knownAnchors, removals } from "./git_anchors.ts";
import { type GitItem, layerKey, layerListing, planGitLayer, writeGitLayer } from "./git_layer.ts";
import { type GitDelivery, listingOf } from "./git_stages.ts";
import { Owners } from "./layers.ts";
import { layerPath } from "./paths.ts";
import type { Layer, LayerRef } from "./roles.ts";
import { parseListing } from "./signature.ts";
import { type StageDelta, storedLayer } from "./stage_output.ts";
import type { StageTask, StageWorker } from "./stage_work.ts";

/** Patches may be at most this part of their anchor, in files before and in bytes after they are made. */
const PATCH_FILES = 1 / 4;
const PATCH_BYTES = 1 / 2;
const KEPT_ANCHORS = 4;

/** Puts the files of a git stage on top of the image: as one layer, or as an earlier layer and the difference to it. */
export async function deliverGit(worker: StageWorker, task: StageTask): Promise<StageDelta> {
  return await new GitDeliverer(worker, task).deliver();
}

class GitDeliverer {
  constructor(readonly worker: StageWorker, readonly task: StageTask) {}

  async deliver(): Promise<StageDelta> {
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
    if (items.length === 0 && whiteouts.length === 0) return { layers: [], trees };
    const input = { items, whiteouts, parent: fs, newDirs, epoch: session.options.epoch.value };
    const whole = deliveries.some((delivery) => delivery.wholeTree);
    const layers = whole ? [await this.#write(planGitLayer(input))] : await this.#anchored(input, fs);
    return { layers: layers.map(storedLayer), trees };
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

  async #anchored(input: Parameters<typeof planGitLayer>[0], fs: ImageFs): Promise<Layer[]> {
    const { store, session } = this.worker;
    const { compression } = session.options;
    const { digest: listing } = await store.putBlob(new TextEncoder().encode(layerListing(input.items)));
    const key = await layerKey(listing, input.items.map(({ file }) => file.target), input, compression);
    const known = await store.memo("git-layer", key) as Layer | undefined;
    if (known && await store.blobSize(known.digest) === known.size) return [known];

    const { image, stage } = this.task;
    const set = JSON.stringify([(await session.project()).name, image.node.key, stage.spec.name]);
    const anchors = await knownAnchors(store, set);
    const choice = await chooseAnchor(anchors, input, fs, { store, compression, maxPart: PATCH_FILES });
    if (choice) {
      const { anchor, items, whiteouts } = choice;
      const layers: LayerRef[] = [...this.task.parent.layers, storedLayer(anchor.layer)];
      const parent = await this.worker.reader.fs(layers);
      const patch = await this.#write(planGitLayer({ ...input, items, whiteouts, parent }));
      if (patch.size <= anchor.layer.size * PATCH_BYTES) return [anchor.layer, patch];
    }
    const layer = await this.#write(planGitLayer(input));
    const anchor: Anchor = { key, listing, layer };
    await store.putMemo("git-layer", key, layer);
    await store.putMemo("git-anchors", set, [anchor, ...anchors].slice(0, KEPT_ANCHORS));
    return [layer];
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
