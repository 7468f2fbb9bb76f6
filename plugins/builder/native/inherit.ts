import type { DirMeta } from "./cache.ts";
import { parentPath } from "../../../lib/layer/path_order.ts";
import { ancestorsAndSelf } from "./inner_path.ts";
import { lstatIfPresent } from "./libc.ts";
import { isOpaque } from "./lower_view.ts";
import type { InheritRequest } from "./protocol.ts";

/**
 * What layers below say about directories that a layer has no entry for. In an overlay the topmost directory decides,
 * so a layer that merely passes through `usr` would otherwise change its owner and mode.
 */
export function inheritedDirs({ native, lower, paths, rootless }: InheritRequest): Record<string, DirMeta> {
  const found: Record<string, DirMeta> = {};
  const layers = lower.map(({ dir, implicit }) => ({
    root: `${native}/l/${dir}`,
    implicit: new Set(implicit),
  }))
    .reverse();
  for (const path of paths) {
    const meta = find(path);
    if (meta) found[path] = meta;
  }
  return found;

  function find(path: string): DirMeta | undefined {
    for (const { root, implicit } of layers) {
      const stat = lstatIfPresent(`${root}/${path}`);
      if (stat?.type === "dir") {
        const { mode, uid, gid, mtime } = stat;
        if (!implicit.has(path)) return { mode, uid, gid, mtime };
      } else if (stat || hidesBelow(root, path)) return undefined;
    }
  }

  function hidesBelow(root: string, path: string): boolean {
    return ancestorsAndSelf(parentPath(path)).some((parent) => {
      const stat = lstatIfPresent(`${root}/${parent}`);
      return stat !== undefined && (stat.type !== "dir" || isOpaque(`${root}/${parent}`, rootless));
    });
  }
}
