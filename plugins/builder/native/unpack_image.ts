/** Makes a directory of a layer's image. */
import { digestFromHex } from "../../../core/contract/plugin.ts";
import { createSha256 } from "../../../lib/sha256.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import { IMAGE, isOccupied, markUnsynced, metaOf, SHOWN } from "./cache.ts";
import { DirectoryTree } from "./directory_tree.ts";
import { tarInImage } from "./layer_image.ts";
import { LayerUnpacker } from "./unpack.ts";

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
  const dirs = meta?.dirs;
  Deno.mkdirSync(root, { mode: 0o755 });
  const tree = new DirectoryTree({ root, rootless: false, note() {} });
  try {
    const unpacker = new LayerUnpacker(tree, { ...(dirs && { dirs }), note() {} });
    const parser = new TarParser(unpacker);
    const hash = createSha256();
    let failure: { readonly error: unknown } | undefined;
    for (const chunk of tarInImage(`${layer}/${IMAGE}`)) {
      const hashed = hash.updateBeside(chunk);
      try {
        if (!failure) parser.push(chunk);
      } catch (error) {
        failure = { error };
      }
      await hashed;
    }
    if (digestFromHex(hash.hex()) !== meta?.diffId) {
      await Deno.remove(`${layer}/meta.json`);
      throw new Error(`"${layer}/${IMAGE}" is damaged`);
    }
    if (failure) throw failure.error;
    unpacker.finish();
  } finally {
    tree.close();
  }
}
