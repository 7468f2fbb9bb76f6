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
  const next = (rows: Iterator<string, undefined>) => rows.next().value;
  for (let was = next(old), is = next(now); was !== undefined || is !== undefined;) {
    if (was !== undefined && was === is) {
      same.push(was);
      [was, is] = [next(old), next(now)];
      continue;
    }
    const order = was === undefined ? 1 : is === undefined ? -1 : compareText(pathOf(was), pathOf(is));
    if (order <= 0) {
      gone.push(was!);
      was = next(old);
    }
    if (order >= 0) {
      came.push(is!);
      is = next(now);
    }
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

/** One row after the other: of hundreds of thousands only those are kept that somebody keeps. */
function* rowsOf(listing: string): Generator<string, undefined> {
  for (let at = 0, end; (end = listing.indexOf("\0", at)) >= 0; at = end + 1) yield listing.slice(at, end);
}
