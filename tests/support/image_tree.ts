/** What an image looks like from inside, read from its layers with our own reader. */
import { createHash } from "node:crypto";
import { ImageFs } from "../../lib/layer/image_fs.ts";
import { indexLayer } from "../../lib/layer/index.ts";
import { openLayer } from "../../lib/layer/open.ts";
import { readFiles } from "../../lib/layer/read_files.ts";
import type { Layer } from "../../mod.ts";

const SHOWN = 64 * 1024;

/** The merged files of layers in a store: path to `mode uid:gid content-or-target`; large contents by digest. */
export async function imageTree(home: string, layers: readonly Layer[]): Promise<Record<string, string>> {
  const files = layers.map(({ digest }) => ({ path: `${home}/blobs/sha256/${digest.slice(7)}` }));
  const fs = new ImageFs(await Promise.all(files.map(({ path }) => indexLayer(openLayer(path)))));
  const tree: Record<string, string> = {};
  const wanted = new Map<string, number>();
  for (const { entry: { path, type, mode, uid, gid, link }, layer } of fs.walk("")) {
    if (type === "file" || type === "hardlink") wanted.set(path, layer);
    const content = type === "dir" ? "/" : type === "symlink" ? `-> ${link}` : "";
    tree[path] = `${mode.toString(8)} ${uid}:${gid} ${content}`;
  }
  await readFiles(files, wanted, async (path, { mode, uid, gid, size }, chunks) => {
    const hash = createHash("sha256");
    let text = "";
    for await (const chunk of chunks) {
      hash.update(chunk);
      if (size <= SHOWN) text += new TextDecoder().decode(chunk);
    }
    tree[path] = `${mode.toString(8)} ${uid}:${gid} ${size <= SHOWN ? text : `sha256 ${hash.digest("hex")}`}`;
  });
  return tree;
}
