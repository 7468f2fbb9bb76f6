import { compareText } from "../contract/signature.ts";

/** Rows of two listings, as `formatListing()` writes them, without the NUL that ends each. */
export interface RowDifference {
  /** Of the first one, without those that the second has. */
  readonly gone: readonly string[];
  /** Of the second one, without those that the first has. */
  readonly came: readonly string[];
  /** What both have, sorted by path as they are. */
  readonly same: readonly string[];
  /** How many paths have no row that is in both. */
  readonly changed: number;
}

/** Compares two listings row by row; nothing is made of the rows that are in both, which most are. */
export function compareRows(before: string, after: string): RowDifference {
  const [old, now] = [rowsOf(before), rowsOf(after)];
  const [gone, came, same]: [string[], string[], string[]] = [[], [], []];
  let changed = 0;
  for (let i = 0, j = 0; i < old.length || j < now.length;) {
    const [was, is] = [old[i], now[j]];
    if (was === is) {
      same.push(was!);
      i++;
      j++;
      continue;
    }
    const order = was === undefined ? 1 : is === undefined ? -1 : compareText(pathOf(was), pathOf(is));
    if (order <= 0) gone.push(old[i++]!);
    if (order >= 0) came.push(now[j++]!);
    changed++;
  }
  return { gone, came, same, changed };
}

/** Rows as a listing. */
export function listingOfRows(rows: readonly string[]): string {
  return rows.map((row) => `${row}\0`).join("");
}

/** The path that a row of a listing is about: what comes after mode and object id. */
export function pathOf(row: string): string {
  return row.slice(row.indexOf(" ", row.indexOf(" ") + 1) + 1);
}

function rowsOf(listing: string): readonly string[] {
  return listing.split("\0").slice(0, -1);
}
