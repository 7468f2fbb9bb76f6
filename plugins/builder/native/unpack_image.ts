/** Makes a directory of a layer's image. */
import { digestFromHex } from "../../../core/contract/plugin.ts";
import { createSha256 } from "../../../lib/sha256.ts";
import { IMAGE, isOccupied, type LayerMeta, markUnsynced, metaOf, SHOWN } from "./cache.ts";
import { DirectoryTree } from "./directory_tree.ts";
import { fillTree } from "./fill_tree.ts";
import { tarInImage } from "./layer_image.ts";

/**
 * Puts the files of an image where it would be mounted, and removes it. `layer` is its directory in the cache, `root` a path on
 * the same file system to make them at. Another process may do the same; whoever is first has done it.
 *
 * @throws when the image is damaged, which is then not taken for a whole layer any more
 */
export async function unpackImage(layer: string, root: string): Promise<void> {
  try {
    await unpackTo(root, layer);
    await markUnsynced(layer);
    await Deno.rename(root, `${layer}/${SHOWN}`); // in place of the empty one
  } catch (error) {
    await Deno.remove(root, { recursive: true }).catch(() => {});
    if (error instanceof Deno.errors.NotFound) return;
    if (!isOccupied(error)) throw error;
  }
  // also that of a process which was killed before it had come to it
  await Deno.remove(`${layer}/${IMAGE}`).catch(() => {});
}

async function unpackTo(root: string, layer: string): Promise<void> {
  const meta = await metaOf(layer);
  if (!meta) throw new Error(`nothing is known of "${layer}"`);
  const { diffId, dirs } = meta;
  Deno.mkdirSync(root, { mode: 0o755 });
  const note = () => {}; // it was said when the layer came
  const tree = new DirectoryTree({ root, rootless: false, note });
  try {
    await fillTree(tarInImage(`${layer}/${IMAGE}`), () => tree, { diffId, ...(dirs && { dirs }), note });
  } catch (error) {
    // A full disk, or a path that is too long for directories, leaves the image as it is.
    if (await isWhole(layer, meta)) throw error;
    await Deno.remove(`${layer}/meta.json`);
    throw new Error(`"${layer}/${IMAGE}" is damaged`, { cause: error });
  }
}

async function isWhole(layer: string, { diffId }: LayerMeta): Promise<boolean> {
  const hash = createSha256();
  for (const chunk of tarInImage(`${layer}/${IMAGE}`)) await hash.updateBeside(chunk);
  return digestFromHex(hash.hex()) === diffId;
}
