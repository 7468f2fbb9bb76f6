import { type LayerFiles, readLayerFiles } from "../../lib/layer/layer_files.ts";
import { openLayer } from "../../lib/layer/open.ts";
import { memoize } from "../../lib/memoize.ts";
import { blobFile } from "../../lib/oci/layout.ts";
import { Pool } from "../../lib/pool.ts";
import { EngineError } from "../contract/errors.ts";
import type { Layer, Store } from "../contract/store.ts";
import { LayerContents } from "../layers/contents.ts";
import { layerError } from "../layers/layer_reader.ts";
import { type Progress, shown, transferring } from "../layers/transfers.ts";
import type { LookNeeds } from "./needs.ts";
import type { OpenedImage } from "./open_image.ts";

/** Layers that are read at once. */
const PARALLEL = 3;

/**
 * Reads the layers of images, lowest first, each once. What is in a registry goes through a file that is removed at once.
 *
 * @throws LAYER_INVALID for what is not as the image says; STORE_CORRUPT, REGISTRY_FAILED
 */
export async function readLayers(
  session: Pick<LookNeeds, "store" | "options">,
  images: readonly OpenedImage[],
): Promise<readonly (readonly LayerFiles[])[]> {
  const { options } = session;
  const store = await session.store();
  const pool = new Pool(PARALLEL);
  const read = new Map<string, Promise<LayerFiles>>();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  return await transferring(options.emit, async (progress) => {
    const layerOf = async (image: OpenedImage, layer: Layer) =>
      await memoize(
        read,
        `${layer.digest} ${layer.diffId}`,
        () => pool.run(() => readLayer(layer, image, { store, signal, progress: shown(progress) }), signal),
      );
    try {
      return await Promise.all(
        images.map(async (image) =>
          await Promise.all(image.state.layers.map((layer) => layerOf(image, layer)))
        ),
      );
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(read.values());
      throw error;
    }
  }, { signal: options.signal });
}

interface Means {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

async function readLayer(
  layer: Layer,
  { title, place }: OpenedImage,
  { store, signal, progress }: Means,
): Promise<LayerFiles> {
  const { digest, size } = layer;
  if (!place || await store.blobs.size(digest) === size) {
    try {
      return await readFile(store.blobs.path(digest), layer, { title, signal });
    } catch (error) {
      signal.throwIfAborted();
      // Says whether the image is wrong, or the store's own file.
      await new LayerContents(store).require([layer], title, signal, { afresh: true });
      throw error;
    }
  }
  if ("dir" in place) return await readFile(`${place.dir}/${blobFile(digest)}`, layer, { title, signal });
  const file = `${await store.blobs.scratch()}/look-${crypto.randomUUID()}`;
  const report = (done: number) => progress(digest, `layer ${digest.slice(7, 19)} of ${title}`, done, size);
  try {
    report(0);
    await place.repository.download(layer, file, { signal, report });
    report(size);
    return await readFile(file, layer, { title, signal });
  } finally {
    await Deno.remove(file).catch(() => {});
  }
}

async function readFile(
  path: string,
  { digest, diffId }: Layer,
  { title, signal }: { readonly title: string; readonly signal: AbortSignal },
): Promise<LayerFiles> {
  const doing = `Cannot read layer ${digest} of "${title}"`;
  const fail = (why: string, cause?: unknown) =>
    new EngineError("LAYER_INVALID", `${doing}: ${why}`, { cause });
  try {
    const found = await readLayerFiles(openLayer(path), signal);
    if (found.diffId === diffId) return found;
    throw fail(`its content is ${found.diffId}, the image's configuration says ${diffId}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw fail(`"${path}" does not exist`, error);
    throw layerError(error, doing);
  }
}
