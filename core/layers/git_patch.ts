import type { FileLayerRow } from "../../lib/layer/file_layer.ts";
import type { ImageFs } from "../../lib/layer/image_fs.ts";
import { comparePaths, parentPath } from "../../lib/layer/path_order.ts";
import { whiteoutOf } from "../../lib/layer/whiteout.ts";
import { type GitLayerPlan, lookOf, type PlacedFile } from "./git_layer.ts";

/**
 * The layer that makes of an image with the layer `before` what it would be with the layer `after` in its place; both
 * were planned for `parent`, so they say where files really are, links of the image followed. Undefined where only a
 * layer in place of the other can do that: what `before` covers up in the parent image does not come back.
 */
export function patchRows(
  before: GitLayerPlan<PlacedFile>,
  after: GitLayerPlan,
  parent: ImageFs,
): FileLayerRow[] | undefined {
  const old = rowsByPath(before);
  const now = rowsByPath(after);
  const rows = new Map<string, FileLayerRow>();
  for (const [path, row] of now) {
    const was = old.get(path);
    if (was && lookOf(was, before.items) === lookOf(row, after.items)) continue;
    const covered = was !== undefined && was.entry.type !== "dir" && row.entry.type === "dir";
    if (covered && parent.lookup(path)?.entry.type === "dir") return undefined;
    rows.set(path, row);
  }
  for (const path of old.keys()) {
    if (now.has(path) || isReplaced(path, now)) continue;
    if (parent.lookup(path)) return undefined;
    const dir = parentPath(path);
    // It goes with its directory.
    if (old.has(dir) && !now.has(dir)) continue;
    rows.set(path, { entry: whiteoutOf(path) });
  }
  for (const path of [...rows.keys()]) {
    for (let dir = parentPath(path); dir !== ""; dir = parentPath(dir)) rows.set(dir, now.get(dir)!);
  }
  return [...rows].sort(([a], [b]) => comparePaths(a, b)).map(([, row]) => row);
}

/** Entries of a plan by path. */
export function rowsByPath({ plan }: GitLayerPlan<PlacedFile>): ReadonlyMap<string, FileLayerRow> {
  return new Map(plan.rows.map((row) => [row.entry.path, row]));
}

/** Whether something that is no directory stands above `path`. */
export function isReplaced(path: string, rows: ReadonlyMap<string, FileLayerRow>): boolean {
  for (let dir = parentPath(path); dir !== ""; dir = parentPath(dir)) {
    const row = rows.get(dir);
    if (row && row.entry.type !== "dir") return true;
  }
  return false;
}
