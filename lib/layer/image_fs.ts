import { LayerError } from "./error.ts";
import type { LayerIndex, LayerIndexEntry } from "./index.ts";
import type { KeptIndex } from "./index_rows.ts";
import { baseName, comparePaths, joinPath, parentPath } from "./path_order.ts";

/** An entry of an image and the layer (0 is the lowest) that holds it. */
export interface ImageEntry {
  readonly entry: LayerIndexEntry;
  readonly layer: number;
}

interface Node extends ImageEntry {
  /** By name; directories only. */
  readonly children?: Map<string, Node>;
}

const ROOT: LayerIndexEntry = { path: "", type: "dir", mode: 0o755, uid: 0, gid: 0, size: 0, implicit: true };
/** As in the kernel (path_resolution(7)). */
const MAX_LINKS = 40;
/** What merging costs for each entry, where a search costs the length of its path for each directory on the way. */
const MERGE_COST = 100;

/**
 * The file system that the layers of an image show together, by paths without leading "/".
 *
 * Single paths are searched for in the sorted indexes. Listing directories merges all layers, once, in time proportional
 * to their entries, as do searches once they have cost as much; look-ups use that too when it is there.
 */
export class ImageFs {
  readonly #indexes: readonly LayerIndex[];
  #merged: Node | undefined;
  /** What searches may still cost. */
  #patience: number;
  /** What was resolved last with its last part, and what that is: what comes next is often in it. */
  #resolved = { path: "", real: "" };

  /** `indexes`: lowest layer first. */
  constructor(indexes: readonly LayerIndex[]) {
    this.#indexes = indexes;
    this.#patience = MERGE_COST * indexes.reduce((sum, index) => sum + countOf(index), 1);
  }

  /** The entry at `path`, without following symlinks. The root is always there. */
  lookup(path: string): ImageEntry | undefined {
    if (this.#merged || (this.#patience -= searchCost(path)) < 0) return this.#find(path);
    return searchLayers(this.#indexes, path);
  }

  /** Names in a directory, sorted by bytes; none if it is no directory. Follows no symlinks. */
  list(dir: string): string[] {
    return [...this.#find(dir)?.children?.keys() ?? []].sort(comparePaths);
  }

  /** All entries below `path` in the order of {@linkcode comparePaths}, `path` itself not included. Follows no symlinks. */
  *walk(path: string): Generator<ImageEntry> {
    const children = this.#find(path)?.children;
    if (children) yield* walkSorted(children);
  }

  /**
   * Follows symlinks through all parents of `path`, and through the last part if `last`, like the kernel in a chroot:
   * absolute targets start at the root, ".." stops there. Parts that do not exist stay as they are.
   *
   * @throws {LayerError} after 40 symlinks
   */
  resolve(path: string, { last }: { readonly last: boolean }): string {
    const known = this.#resolved;
    const within = known.path !== "" && path.startsWith(known.path) && path[known.path.length] === "/";
    const [from, rest] = within ? [known.real, path.slice(known.path.length + 1)] : ["", path];
    const real = resolvePath(rest, last, (at) => this.lookup(at)?.entry, from);
    if (last) this.#resolved = { path, real };
    return real;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#merged ??= merge(this.#indexes);
    for (let at = 0; node && at < path.length;) {
      const slash = path.indexOf("/", at);
      const end = slash < 0 ? path.length : slash;
      node = node.children?.get(path.slice(at, end));
      at = end + 1;
    }
    return node;
  }
}

/** {@linkcode ImageFs.resolve} over any source of entries, from a directory on. @throws {LayerError} */
export function resolvePath(
  path: string,
  last: boolean,
  lookup: (path: string) => Pick<LayerIndexEntry, "type" | "link"> | undefined,
  from = "",
): string {
  const todo = path.split("/").reverse();
  let at = from;
  let links = 0;
  while (todo.length > 0) {
    const part = todo.pop()!;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      at = parentPath(at);
      continue;
    }
    const next = joinPath(at, part);
    const entry = last || todo.some((rest) => rest !== "") ? lookup(next) : undefined;
    if (entry?.type !== "symlink" || entry.link === undefined) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) {
      throw new LayerError(
        `Cannot resolve "/${path}": more than ${MAX_LINKS} symlinks, the last is "/${next}"`,
      );
    }
    if (entry.link.startsWith("/")) at = "";
    todo.push(...entry.link.split("/").reverse());
  }
  return at;
}

/** Number of entries, without making them. */
function countOf(index: LayerIndex | KeptIndex): number {
  return "count" in index ? index.count : index.entries.length;
}

function searchCost(path: string): number {
  let parts = 1;
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) parts++;
  return parts * path.length;
}

/** What {@linkcode merge} would have at `path`, without merging. */
function searchLayers(indexes: readonly LayerIndex[], path: string): ImageEntry | undefined {
  let implied: ImageEntry | undefined;
  for (let layer = indexes.length - 1; layer >= 0; layer--) {
    const index = indexes[layer]!;
    const entry = findEntry(index, path);
    if (entry && (entry.type !== "dir" || !entry.implicit)) {
      return implied?.entry.type === "dir" && entry.type !== "dir" ? implied : { entry, layer };
    }
    if (entry) implied = { entry, layer };
    if (hides(index, path)) return implied;
  }
  if (implied) return implied;
  return path === "" ? { entry: ROOT, layer: 0 } : undefined;
}

/** Whether a layer has `path` itself, or takes away what lower layers have there. */
export function touches(index: LayerIndex, path: string): boolean {
  return findEntry(index, path) !== undefined || hides(index, path);
}

/** Whether a layer lets nothing of lower layers show at `path`. */
function hides(index: LayerIndex, path: string): boolean {
  for (let at = path, below = false; at !== ""; at = parentPath(at), below = true) {
    if (find(index.whiteouts, at, (whiteout) => whiteout)) return true;
    if (below && find(index.opaque, at, (dir) => dir) !== undefined) return true;
    if (below && isOther(findEntry(index, at))) return true;
  }
  return path !== "" && index.opaque.includes("");
}

function findEntry(index: LayerIndex | KeptIndex, path: string): LayerIndexEntry | undefined {
  return "find" in index ? index.find(path) : find(index.entries, path, (entry) => entry.path);
}

function isOther(entry: LayerIndexEntry | undefined): boolean {
  return entry !== undefined && entry.type !== "dir";
}

/** Binary search in rows sorted by path. */
function find<T>(rows: readonly T[], path: string, pathOf: (row: T) => string): T | undefined {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = comparePaths(pathOf(rows[middle]!), path);
    if (order === 0) return rows[middle];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

function merge(indexes: readonly LayerIndex[]): Node {
  let root: Node = { entry: ROOT, layer: 0, children: new Map() };
  const dirAt = (path: string): Node | undefined => {
    let node: Node | undefined = root;
    for (const part of path === "" ? [] : path.split("/")) node = node?.children?.get(part);
    return node;
  };
  indexes.forEach((index, layer) => {
    // Whiteouts speak of lower layers only, so they come first, wherever they stand in the archive.
    for (const path of index.opaque) dirAt(path)?.children?.clear();
    for (const path of index.whiteouts) dirAt(parentPath(path))?.children?.delete(baseName(path));
    let dirPath = "";
    let dir: Node = root;
    for (const entry of index.entries) {
      if (entry.path === "") {
        root = dir = { entry, layer, children: root.children! };
        continue;
      }
      const parent = parentPath(entry.path);
      if (parent !== dirPath) {
        dirPath = parent;
        dir = dirAt(parent)!; // an index has all parents, and they sort first
      }
      const name = baseName(entry.path);
      const lower = dir.children!.get(name);
      if (entry.type !== "dir") dir.children!.set(name, { entry, layer });
      else if (!lower?.children) dir.children!.set(name, { entry, layer, children: new Map() });
      else if (!entry.implicit) dir.children!.set(name, { entry, layer, children: lower.children });
    }
  });
  return root;
}

function* walkSorted(children: ReadonlyMap<string, Node>): Generator<ImageEntry> {
  for (const [, node] of [...children].sort(([a], [b]) => comparePaths(a, b))) {
    yield node;
    if (node.children) yield* walkSorted(node.children);
  }
}
