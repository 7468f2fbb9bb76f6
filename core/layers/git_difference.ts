import { parentPath } from "../../lib/layer/path_order.ts";
import { compareRows, listingOfRows, pathOf } from "../sign/listing_rows.ts";

/** How two listings of files differ, as far as a patch between them depends on it. */
export interface ListingDifference {
  /** Files that the first one has. */
  readonly size: number;
  /** Paths with another row, or with one in one of them only. */
  readonly changed: number;
  /** Whether both name the same paths. */
  readonly samePaths: boolean;
  /** Those of the first one that matter to a patch, as a listing. */
  readonly before: string;
  /** Paths of the second one that matter to a patch. */
  readonly after: ReadonlySet<string>;
}

/**
 * Compares two listings that `layerListing()` wrote. To a patch matter rows that differ, and of all others as many as
 * decide what becomes of the directories above them: one below each, and all that stand where those do.
 */
export function compareListings(before: string, after: string): ListingDifference {
  const { gone, came, same, changed } = compareRows(before, after);
  const kept = keptBeside([...gone, ...came].map(pathOf), same);
  return {
    size: gone.length + same.length,
    changed,
    samePaths: changed === gone.length && changed === came.length,
    before: listingOfRows([...gone, ...kept]),
    after: new Set([...came, ...kept].map(pathOf)),
  };
}

/** Of rows in the order of their paths those at `paths` and at what is above them, and one below each of these. */
function keptBeside(paths: readonly string[], rows: readonly string[]): readonly string[] {
  const places = new Set<string>();
  for (const path of paths) {
    for (let at = path; at !== "" && !places.has(at); at = parentPath(at)) places.add(at);
  }
  const kept = new Set<string>();
  for (const place of places) {
    for (let i = firstFrom(rows, place); i < rows.length && pathOf(rows[i]!) === place; i++) {
      kept.add(rows[i]!);
    }
    const below = rows[firstFrom(rows, `${place}/`)];
    if (below !== undefined && pathOf(below).startsWith(`${place}/`)) kept.add(below);
  }
  return [...kept];
}

/** Where the first row is whose path is not before `path`. */
function firstFrom(rows: readonly string[], path: string): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pathOf(rows[middle]!) < path) low = middle + 1;
    else high = middle;
  }
  return low;
}
