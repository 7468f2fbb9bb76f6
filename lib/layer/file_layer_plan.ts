import { TAR_LIMITS } from "../tar/limits.ts";
import type { TarEntry } from "../tar/types.ts";
import { LayerError } from "./error.ts";
import { type ImageFs, resolvePath } from "./image_fs.ts";
import { baseName, comparePaths, joinPath, parentPath } from "./path_order.ts";
import { WHITEOUT, whiteoutOf } from "./whiteout.ts";

/** A file, directory or symlink that a layer shall bring. */
export interface FileItem {
  /** In the image, without leading "/". Symlinks of the parent image in its directories are followed. */
  readonly path: string;
  readonly type: "file" | "dir" | "symlink";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly link?: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

export interface FileLayerInput {
  /** In any order; each path once, and never the root. */
  readonly items: readonly FileItem[];
  /** Paths to delete from the parent image. What is not there, or is replaced by an item, needs no whiteout. */
  readonly whiteouts?: readonly string[];
  /** The image that the layer goes on; undefined for an empty one. */
  readonly parent?: ImageFs;
  /** Owner of directories that neither the items nor the parent image have. */
  readonly newDirOwner: { readonly uid: number; readonly gid: number };
  /** Modification time of the directories that the layer adds by itself, seconds since 1970. */
  readonly epoch: number;
}

/** All entries of a layer in their canonical order. */
export interface FileLayerPlan {
  readonly rows: readonly FileLayerRow[];
}

export interface FileLayerRow {
  readonly entry: TarEntry;
  /** The item as it was given; absent for whiteouts and parent directories. */
  readonly item?: FileItem;
}

/**
 * Lays out a layer: in the order of {@linkcode comparePaths}, missing directories added (with the owner and mode of the
 * parent image, so that nothing of it changes), whiteouts where the hidden path would stand. The same input in any order
 * gives the same plan.
 *
 * In one layer a whiteout and an entry of the same name contradict each other: when items fill a deleted directory
 * again, everything else that was in it is deleted name by name.
 *
 * @throws {LayerError} for items that collide or cannot be in a layer
 */
export function planFileLayer(input: FileLayerInput): FileLayerPlan {
  const { parent, newDirOwner, epoch } = input;
  const rows = new Map<string, FileLayerRow>();
  const gone = new Set<string>();
  const resolved = new Map<string, string>();
  /** Where a path really is: symlinks of the parent image are followed in its directories, unless replaced or deleted. */
  const locate = (path: string): string => {
    const dir = parentPath(path);
    let real = resolved.get(dir);
    if (real === undefined) {
      real = resolvePath(dir, true, (at) => {
        return rows.has(at) || hasSelfOrParent(at, gone) ? undefined : parent?.lookup(at)?.entry;
      });
      resolved.set(dir, real);
    }
    return real === dir ? path : joinPath(real, baseName(path));
  };
  const put = (path: string, row: FileLayerRow) => {
    if (rows.has(path)) throw new LayerError(`Cannot make a layer: "/${path}" is there twice`);
    rows.set(path, row);
  };

  const wishes: (FileItem | { readonly path: string; readonly type?: undefined })[] = [
    ...Array.from(input.whiteouts ?? [], (path) => ({ path })),
    ...input.items,
  ];
  // Sorted, so that whatever decides where a path leads is known before that path.
  for (const item of wishes.sort((a, b) => comparePaths(a.path, b.path))) {
    checkPath(item.path);
    const path = locate(item.path);
    const size = item.type === "file" ? item.size : 0;
    if (item.type === undefined) gone.add(path);
    // Of hundreds of thousands most are what they were given as, and kept once.
    else {put(path, {
        entry: path === item.path && size === item.size ? item : { ...item, path, size },
        item,
      });}
  }
  const hidden = [...gone].filter((path) => {
    if (parent && !parent.lookup(path)) return false;
    // Deleting or replacing a directory hides all that is in it.
    for (let dir = parentPath(path); dir !== ""; dir = parentPath(dir)) {
      const row = rows.get(dir);
      if (gone.has(dir) || (row && row.entry.type !== "dir")) return false;
    }
    return true;
  });

  const addParents = (path: string) => {
    for (let dir = parentPath(path); dir !== ""; dir = parentPath(dir)) {
      const row = rows.get(dir);
      if (row?.entry.type === "dir") return;
      if (row) {
        throw new LayerError(`Cannot make a layer: "/${path}" is below "/${dir}", which is no directory`);
      }
      rows.set(dir, { entry: parentDirectory(dir) });
    }
  };
  const parentDirectory = (path: string): TarEntry => {
    const lower = hasSelfOrParent(path, gone) ? undefined : parent?.lookup(path)?.entry;
    const added = { path, type: "dir", size: 0, mtime: epoch } as const;
    if (lower?.type !== "dir") return { ...added, mode: 0o755, ...newDirOwner };
    const { mode, uid, gid, xattrs } = lower;
    return { ...added, mode, uid, gid, ...(xattrs && { xattrs: binary(xattrs) }) };
  };
  for (const path of [...rows.keys(), ...hidden]) addParents(path);

  const hide = (path: string) => {
    const row = rows.get(path);
    if (!row) return put(path, { entry: whiteoutOf(path) });
    // Replacing hides as well, unless a directory would be merged with one below.
    if (row.entry.type !== "dir" || parent?.lookup(path)?.entry.type !== "dir") return;
    for (const name of parent.list(path)) hide(joinPath(path, name));
  };
  hidden.forEach(hide);
  return { rows: [...rows.keys()].sort(comparePaths).map((path) => rows.get(path)!) };
}

/** Of names that are neither hidden nor long, as most are. */
const PLAIN_PATH = /^[^/.][^/]*(?:\/[^/.][^/]*)*$/;

/** @throws {LayerError} */
function checkPath(path: string): void {
  if (path.length * 3 <= TAR_LIMITS.component && PLAIN_PATH.test(path)) return;
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    throw new LayerError(
      `Cannot make a layer: "${path}" is no path of an image, expected one like "usr/bin/env", below the root`,
    );
  }
  if (parts.some((part) => part.startsWith(WHITEOUT))) {
    throw new LayerError(`Cannot make a layer: the name of "/${path}" means deletion in layers`);
  }
  const tooLong = [...parts.map((part) => ({ part, limit: TAR_LIMITS.component })), {
    part: path,
    limit: TAR_LIMITS.path - 1,
  }]
    .find(({ part, limit }) => part.length * 3 > limit && new TextEncoder().encode(part).length > limit);
  if (tooLong) {
    const { part, limit } = tooLong;
    throw new LayerError(
      `Cannot make a layer: "${
        part.slice(0, 60)
      }..." is too long for a file system, allowed are ${limit} bytes`,
    );
  }
}

function hasSelfOrParent(path: string, paths: ReadonlySet<string>): boolean {
  if (paths.size === 0) return false;
  for (let at = path; at !== ""; at = parentPath(at)) if (paths.has(at)) return true;
  return false;
}

function binary(xattrs: Readonly<Record<string, string>>): Map<string, Uint8Array> {
  return new Map(Object.entries(xattrs).map(([name, value]) => [name, Uint8Array.fromBase64(value)]));
}
