/**
 * Skeletons of layers: empty directories that lie directly below a layer, one wherever it has whiteouts.
 *
 * overlayfs hides whiteouts in directories that it merges, and shows them as names that cannot be looked at where a
 * directory is in one layer alone: when the layers below lack it, have something else there, or hide it. With its
 * skeleton below it each such directory is merged, whatever else an image has. It adds nothing that could be seen: the
 * layer has the same directories, and what a directory is like the topmost layer decides.
 */

import { layerDir, type LayerMeta } from "./cache.ts";

/** Makes the skeleton of a layer in its wrapper directory; `dirs` are the directories in which it has whiteouts. */
export function makeSkeleton(wrapper: string, dirs: readonly string[]): void {
  for (const dir of dirs) Deno.mkdirSync(`${wrapper}/s/${dir}`, { recursive: true, mode: 0o755 });
}

/** What overlayfs is to be told of a layer of the cache, lowest first, relative to the directory of layers. */
export function overlayDirs(
  name: string,
  meta: Pick<LayerMeta, "merged" | "format">,
): readonly string[] {
  const dir = layerDir(name, meta);
  return meta.merged.length === 0 ? [dir] : [`${name}/s`, dir];
}
