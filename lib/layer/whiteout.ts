import type { TarEntry } from "../tar/types.ts";
import { baseName, joinPath, parentPath } from "./path_order.ts";

/** Prefix of whiteout names (image-spec layer.md, "Whiteouts"). */
export const WHITEOUT = ".wh.";
/** Marks its directory as opaque. Read, never written: explicit whiteouts are what other tools write. */
export const OPAQUE = ".wh..wh..opq";

/** The entry that deletes `path` of lower layers, as containerd and BuildKit write it; it stands where `path` would. */
export function whiteoutOf(path: string): TarEntry {
  const name = joinPath(parentPath(path), WHITEOUT + baseName(path));
  return { path: name, type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 };
}

/** The path that an entry of this name deletes; undefined for any other. */
export function hiddenBy(path: string): string | undefined {
  const name = baseName(path);
  return name.startsWith(WHITEOUT) ? joinPath(parentPath(path), name.slice(WHITEOUT.length)) : undefined;
}
