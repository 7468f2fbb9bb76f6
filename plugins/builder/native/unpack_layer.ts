/** Unpacks a layer blob into the cache, inside a helper process. */
import { EngineError, fullFact, messageOf } from "../../../core/contract/errors.ts";
import { fileFailureOf } from "../../../lib/file_failure.ts";
import { type LayerIndex, LayerIndexer } from "../../../lib/layer/index.ts";
import { openLayer, readChunks } from "../../../lib/layer/open.ts";
import { bootId, IMAGE, LayerCache, type LayerMeta, SHOWN, uuidOf } from "./cache.ts";
import { DirectoryTree } from "./directory_tree.ts";
import { type Filling, fillTree } from "./fill_tree.ts";
import { ImageTree, NoImageError } from "./image_tree.ts";
import { canMountImages, ImageFile } from "./layer_image.ts";
import type { LayerTree } from "./layer_tree.ts";
import type { UnpackRequest } from "./protocol.ts";
import { makeSkeleton } from "./skeleton.ts";

/** An unpacked layer, and what is in it. */
export interface UnpackedLayer {
  readonly meta: LayerMeta;
  readonly index: LayerIndex;
}

type Note = (text: string) => void;

/** Unpacks, verifies the digest of the tar, and moves the tree to its place. @throws LAYER_INVALID */
export async function unpackLayer(request: UnpackRequest, note: Note): Promise<UnpackedLayer> {
  const { native, run, name, diffId, rootless, image } = request;
  const wrapper = `${run}/c`;
  try {
    const asImage = image && !rootless && canMountImages(`${run}/t`);
    const unpacked = asImage && await unpackToImage(request, wrapper, note) ||
      await unpackToDirectory(request, wrapper, note);
    makeSkeleton(wrapper, unpacked.meta.merged);
    await new LayerCache(native).adopt(wrapper, name, unpacked.meta, `${run}/aside`);
    return unpacked;
  } catch (error) {
    const failure = fileFailureOf(error);
    throw new EngineError(
      failure ? "STORE_FAILED" : "LAYER_INVALID",
      `Cannot unpack layer "${diffId}"${failure ? ` to "${native}"` : ""}: ${messageOf(error)}`,
      { cause: error, ...fullFact(failure) },
    );
  } finally {
    await Deno.remove(run, { recursive: true });
  }
}

/** As one file; undefined for a layer with something that is left to directories. */
async function unpackToImage(request: UnpackRequest, wrapper: string, note: Note) {
  Deno.mkdirSync(`${wrapper}/${SHOWN}`, { recursive: true, mode: 0o755 });
  try {
    using image = new ImageFile(`${wrapper}/${IMAGE}`);
    let tree: ImageTree | undefined;
    const unpacked = await unpackTo(
      (contentAt) => tree = new ImageTree(() => image.at(contentAt())),
      request,
      { format: 4, note, chunk: (bytes) => image.write(bytes) },
    );
    image.finish(tree!.root, uuidOf(request.name));
    return unpacked;
  } catch (error) {
    if (!(error instanceof NoImageError)) throw error;
    Deno.removeSync(wrapper, { recursive: true });
    return undefined;
  }
}

async function unpackToDirectory(request: UnpackRequest, wrapper: string, note: Note) {
  const root = `${wrapper}/d`;
  Deno.mkdirSync(root, { recursive: true, mode: 0o755 });
  const tree = new DirectoryTree({ root, rootless: request.rootless, note });
  return await unpackTo(() => tree, request, { format: 3, note });
}

async function unpackTo(
  open: (contentAt: () => number) => LayerTree,
  { blob, tar, diffId, dirs }: UnpackRequest,
  { format, ...told }: Pick<LayerMeta, "format"> & Pick<Filling, "note" | "chunk">,
): Promise<UnpackedLayer> {
  const indexer = new LayerIndexer();
  const chunks = (tar ? readChunks : openLayer)(blob, { fleeting: true });
  const given = { diffId, ...(dirs && { dirs }) };
  const found = await fillTree(chunks, open, { ...given, ...told, entry: (entry) => indexer.add(entry) });
  return { meta: { format, boot: bootId(), ...given, ...found }, index: indexer.finish() };
}
