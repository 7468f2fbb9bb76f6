import { type Guard, hasMembers, isJust, isListOf, isText } from "../guard.ts";
import { LayerError } from "./error.ts";
import { isIndexEntry, type LayerIndex, type LayerIndexEntry } from "./index.ts";
import { comparePaths } from "./path_order.ts";

/**
 * The index of a layer as it is kept: all entries in one text, of which nothing is made until somebody asks for it. Of
 * tens of thousands a build looks at a few. Format 2 was the index itself.
 */
export interface IndexRows {
  readonly format: 3;
  /** `PATH\0TYPE MODE UID GID SIZE\0` for each entry, with the rest of it as JSON before the last zero, after a space. */
  readonly rows: string;
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
}

/** An index that finds single entries without making the others. */
export interface KeptIndex extends LayerIndex {
  readonly kept: IndexRows;
  /** How many entries there are. */
  readonly count: number;
  find(path: string): LayerIndexEntry | undefined;
}

/** A row, and where the next one begins. */
const ROW =
  /([^\0]*)\0(file|dir|symlink|hardlink|char|block|fifo) (\d+) (\d+) (\d+) (\d+)(?: (\{[^\0]*\}))?\0/y;

/** Whether a value that was kept as JSON may be the index of a layer: {@linkcode indexOfRows} looks at its rows. */
export const isIndexRows: Guard<IndexRows> = hasMembers<IndexRows>({
  format: isJust(3),
  rows: isText,
  whiteouts: isListOf(isText),
  opaque: isListOf(isText),
});

/** Where rows begin, and where they end; undefined for anything else. */
function startsOf(rows: string): readonly number[] | undefined {
  const starts = [0];
  for (let at = 0; at < rows.length; starts.push(at)) {
    ROW.lastIndex = at;
    if (!ROW.test(rows)) return undefined;
    at = ROW.lastIndex;
  }
  return starts;
}

/** An index as it is kept. */
export function rowsOfIndex(index: LayerIndex | KeptIndex): IndexRows {
  if ("kept" in index) return index.kept;
  const { entries, whiteouts, opaque } = index;
  return { format: 3, rows: joinRows(entries, (entry) => entry), whiteouts, opaque };
}

/** The index of a layer whose entries are at hand and sorted, none of which is kept. */
export function keepIndex<T>(
  items: readonly T[],
  entryOf: (item: T) => LayerIndexEntry,
  whiteouts: readonly string[],
): KeptIndex {
  const rows = joinRows(items, entryOf);
  return indexOfRows({ format: 3, rows, whiteouts, opaque: [] })!;
}

/** Rows that are put together at once: there may be hundreds of thousands. */
const ROWS = 1000;

function joinRows<T>(items: readonly T[], entryOf: (item: T) => LayerIndexEntry): string {
  const parts: string[] = [];
  for (let at = 0; at < items.length; at += ROWS) {
    parts.push(items.slice(at, at + ROWS).map((item) => rowOf(entryOf(item))).join(""));
  }
  return parts.join("");
}

function rowOf(entry: LayerIndexEntry): string {
  const { path, type, mode, uid, gid, size, link, xattrs, implicit, repeated } = entry;
  const row = `${path}\0${type} ${mode} ${uid} ${gid} ${size}`;
  // Most are files without anything else.
  if (!link && !xattrs && !implicit && !repeated) return `${row}\0`;
  return `${row} ${JSON.stringify({ link, xattrs, implicit, repeated })}\0`;
}

/** The index that was kept, undefined when it is none; its entries are made when they are asked for. */
export function indexOfRows(kept: IndexRows): KeptIndex | undefined {
  const { rows, whiteouts, opaque } = kept;
  const starts = startsOf(rows);
  if (!starts) return undefined;
  const count = starts.length - 1;
  let all: readonly LayerIndexEntry[] | undefined;
  return {
    kept,
    count,
    format: 2,
    get entries() {
      return all ??= Array.from({ length: count }, (_, i) => entryAt(rows, starts[i]!));
    },
    find(path) {
      let [low, high] = [0, count];
      while (low < high) {
        const middle = (low + high) >> 1;
        const start = starts[middle]!;
        const order = comparePaths(rows.slice(start, rows.indexOf("\0", start)), path);
        if (order === 0) return entryAt(rows, start);
        if (order < 0) low = middle + 1;
        else high = middle;
      }
      return undefined;
    },
    whiteouts,
    opaque,
  };
}

/** @throws {LayerError} for what no index has */
function entryAt(rows: string, start: number): LayerIndexEntry {
  ROW.lastIndex = start;
  const [, path, type, mode, uid, gid, size, more = "{}"] = ROW.exec(rows) ?? [];
  const numbers = { mode: Number(mode), uid: Number(uid), gid: Number(gid), size: Number(size) };
  const entry: unknown = { path, type, ...numbers, ...JSON.parse(more) };
  if (isIndexEntry(entry)) return entry;
  throw new LayerError(`Cannot use what is remembered of "${path}" in a layer`);
}
