/** Makes a directory of a layer's image. */
import { TarParser } from "../../../lib/tar/parse.ts";
import { IMAGE, isOccupied, markUnsynced, metaOf, SHOWN } from "./cache.ts";
import { DirectoryTree } from "./directory_tree.ts";
import { tarInImage } from "./layer_image.ts";
import { LayerUnpacker } from "./unpack.ts";

/**
 * Puts the files of an image where it would be mounted, and removes it. `layer` is its directory in the cache, `root` a path on
 * the same file system to make them at. Another process may do the same; whoever is first has done it.
 */
export async function unpackImage(layer: string, root: string): Promise<void> {
  try {
    await unpackTo(root, layer);
    await markUnsynced(layer);
    await Deno.rename(root, `${layer}/${SHOWN}`); // in place of the empty one
    await Deno.remove(`${layer}/${IMAGE}`);
  } catch (error) {
    await Deno.remove(root, { recursive: true }).catch(() => {});
    if (!isOccupied(error) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function unpackTo(root: string, layer: string): Promise<void> {
  const { dirs } = await metaOf(layer) ?? {};
  Deno.mkdirSync(root, { mode: 0o755 });
  const tree = new DirectoryTree({ root, rootless: false, note() {} });
  try {
    const unpacker = new LayerUnpacker(tree, { ...(dirs && { dirs }), note() {} });
    const parser = new TarParser(unpacker);
    for (const chunk of tarInImage(`${layer}/${IMAGE}`)) parser.push(chunk);
    unpacker.finish();
  } finally {
    tree.close();
  }
}
