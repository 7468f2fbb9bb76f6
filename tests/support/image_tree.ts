/** What an image looks like from inside, read from its layers with our own reader. */
import { ImageFs } from "../../lib/layer/image_fs.ts";
import { indexLayer } from "../../lib/layer/index.ts";
import { openLayer } from "../../lib/layer/open.ts";
import { readFile } from "../../lib/layer/read_files.ts";
import type { Layer } from "../../mod.ts";

/** The merged files of layers in a store: path to `mode uid:gid content-or-target`. */
export async function imageTree(home: string, layers: readonly Layer[]): Promise<Record<string, string>> {
  const files = layers.map(({ digest }) => ({ path: `${home}/blobs/sha256/${digest.slice(7)}` }));
  const fs = new ImageFs(await Promise.all(files.map(({ path }) => indexLayer(openLayer(path)))));
  const tree: Record<string, string> = {};
  for (const { entry } of fs.walk("")) {
    const { path, type, mode, uid, gid, link } = entry;
    const bytes = type === "file" || type === "hardlink" ? await readFile(files, fs, path, 1 << 20) : undefined;
    const content = type === "dir" ? "/" : type === "symlink" ? `-> ${link}` : new TextDecoder().decode(bytes);
    tree[path] = `${mode.toString(8)} ${uid}:${gid} ${content}`;
  }
  return tree;
}
