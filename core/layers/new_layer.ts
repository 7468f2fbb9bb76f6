/** Layers that were just made, on their way into the store. */
import { longestOutput } from "../../lib/compression/format.ts";
import type { SmallTar } from "../../lib/layer/tar_writer.ts";
import type { WrittenLayer } from "../../lib/layer/writer.ts";
import { observed } from "../../lib/pool.ts";
import type { LayerFile, LayerRef, StepResult } from "../contract/builder.ts";
import type { Layer } from "../contract/store.ts";
import { type LayerWorker, storedLayer, type TaskRegistry } from "./stage_output.ts";

/** A layer in a file of its own: compressed, or as a tar if it is small. */
export type NewLayer = SmallTar | WrittenLayer & LayerFile;

/** The most bytes that a layer can have in the store. */
export function longest(made: NewLayer): number {
  return "tar" in made ? longestOutput(made.size) : made.size;
}

/**
 * Takes a layer that was made. With `late` one that is small is compressed while the commands that stand on it run, if the
 * builder does that: they have its tar meanwhile.
 */
export async function takeLayer(
  worker: LayerWorker,
  made: NewLayer,
  { late }: { readonly late: boolean },
): Promise<LayerRef> {
  if (!("tar" in made)) return storedLayer(await adopt(worker, made));
  const { diffId, tar } = made;
  const compress = late ? await worker.compressor() : undefined;
  if (!compress) {
    const layer = await adopt(worker, await compressHere(worker, made));
    await Deno.remove(tar).catch(() => {}); // nobody was told of it
    return storedLayer(layer);
  }
  // A builder that fails, or is stopped, takes nothing along that was made.
  const compressed = compress(tar).catch(() => compressHere(worker, made));
  const stored = compressed.then((layer) => {
    if (layer.diffId === diffId) return adopt(worker, layer);
    throw new TypeError(`The builder compressed something else than "${tar}"`);
  });
  return { diffId, tar, stored: observed(stored) };
}

/** Takes a layer that a builder has made: here, or where the builder left it. */
export async function takeBuilt(
  { reader, store }: Pick<LayerWorker, "reader" | "store">,
  { diffId, index, blob }: NonNullable<StepResult["layer"]>,
  registry?: TaskRegistry,
): Promise<LayerRef> {
  if (index) await reader.remember(diffId, index);
  // A builder that is elsewhere says at once where the layer is; others compress on.
  const made = await Promise.race([blob, Promise.resolve(undefined)]);
  if (made && "place" in made && registry) {
    const { place: _, ...layer } = made;
    return registry.left(layer);
  }
  const stored = blob.then(async (made) => {
    if ("place" in made) {
      throw new TypeError(`The builder left a layer in "${made.place}", where nobody asked for it`);
    }
    const { file, ...layer } = made;
    await store.blobs.adopt(file, layer.digest);
    return layer;
  });
  return { diffId, stored: observed(stored) };
}

async function compressHere(worker: LayerWorker, { tar }: SmallTar): Promise<WrittenLayer & LayerFile> {
  const { compressTarFile } = await import("../../lib/layer/writer.ts");
  const file = await worker.temp();
  return { ...await compressTarFile(tar, file, worker.session.options.compression, 0), file };
}

async function adopt({ store }: LayerWorker, made: Layer & LayerFile): Promise<Layer> {
  const { digest, diffId, size, mediaType, file } = made;
  await store.blobs.adopt(file, digest, { unsettled: true });
  return { digest, diffId, size, mediaType };
}
