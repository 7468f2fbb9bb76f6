import { LayerError } from "./error.ts";
import { ImageFs, touches } from "./image_fs.ts";
import type { LayerIndexEntry } from "./index.ts";
import type { FileNode, LayerFiles } from "./layer_files.ts";

/** A path that an image shows. */
export interface ShownFile {
  readonly path: string;
  /** The layer that holds it; 0 is the lowest. */
  readonly layer: number;
  readonly node: FileNode;
  /** The path that it is a hard link to. */
  readonly hardlink?: string;
}

/** A file whose bytes are in a layer, although the image does not show them. */
export interface HiddenFile {
  readonly path: string;
  readonly layer: number;
  readonly size: number;
  /** The layer that hides it. */
  readonly by: number;
  /** `repeated`: it was written again with the same content. */
  readonly how: "removed" | "rewritten" | "repeated";
}

/** What the layers of an image show together, and what they hide. */
export interface ImageFiles {
  /** In the order of a walk, the root first. */
  readonly shown: readonly ShownFile[];
  readonly hidden: readonly HiddenFile[];
}

/**
 * Puts layers together, lowest first.
 *
 * @throws {LayerError} for a hard link to nothing
 */
export function imageFiles(layers: readonly LayerFiles[]): ImageFiles {
  const indexes = layers.map(({ index }) => index);
  const fs = new ImageFs(indexes);
  const links = new HardLinks(layers);
  const shown = Array.from([fs.lookup("")!, ...fs.walk("")], ({ entry, layer }): ShownFile => ({
    path: entry.path,
    layer,
    node: links.nodeOf(entry, layer),
    ...(entry.type === "hardlink" && { hardlink: entry.link! }),
  }));
  const seen = new Set(shown.map(({ node }) => node));
  const hidden: HiddenFile[] = [];
  for (const [layer, { index, nodes }] of layers.entries()) {
    for (const { path, type } of index.entries) {
      const node = type === "file" ? nodes.get(path) : undefined;
      if (!node || node.size === 0 || seen.has(node)) continue;
      const by = indexes.findIndex((upper, i) => i > layer && touches(upper, path));
      const next = layers[by]?.nodes.get(path);
      const how = !next ? "removed" : next.digest === node.digest ? "repeated" : "rewritten";
      hidden.push({ path, layer, size: node.size, by, how });
    }
  }
  return { shown, hidden };
}

/** What paths are, hard links to what lower layers have included: once unpacked, they share the file. */
class HardLinks {
  readonly #below = new Map<number, ImageFs>();

  constructor(readonly layers: readonly LayerFiles[]) {}

  nodeOf(entry: LayerIndexEntry, layer: number): FileNode {
    const { path, type, mode, uid, gid, size, link, implicit } = entry;
    const own = this.layers[layer]?.nodes.get(path);
    if (own && !implicit) return own;
    if (type !== "hardlink") return { type, mode, uid, gid, size };
    const fs = this.#fsBelow(layer);
    const target = fs.lookup(fs.resolve(link!, { last: false }));
    if (target && target.entry.type !== "dir") return this.nodeOf(target.entry, target.layer);
    throw new LayerError(`Cannot read "/${path}": it is a hard link to "/${link}", which leads to no file`);
  }

  #fsBelow(layer: number): ImageFs {
    const fs = this.#below.get(layer) ??
      new ImageFs(this.layers.slice(0, layer).map(({ index }) => index));
    this.#below.set(layer, fs);
    return fs;
  }
}
