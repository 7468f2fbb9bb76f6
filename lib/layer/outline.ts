import { hasMembers, isCount, isJust, isListOf, isOptional, isRecordOf, isText } from "../guard.ts";
import { encodeTarHeader } from "../tar/encode.ts";
import { normalizePath } from "../tar/header.ts";
import { checkLength, checkPathBytes, checkXattr } from "../tar/limits.ts";
import { TarError, type TarType } from "../tar/types.ts";
import { LayerError } from "./error.ts";
import { isTarType, LAYER_LIMITS, type LayerIndex, type LayerIndexEntry } from "./index.ts";
import { comparePaths, parentPath } from "./path_order.ts";

/** A layer without its contents: what whoever puts files on it has to know. */
export interface LayerOutline {
  /** Sizes are not told: they are 0. */
  readonly index: LayerIndex;
  /** Contents of a few small files, by path. */
  readonly texts: ReadonlyMap<string, string>;
}

/** What most entries have not. */
type More = Pick<LayerIndexEntry, "link" | "xattrs" | "implicit" | "repeated">;
type Row = readonly [path: string, type: TarType, mode: number, uid: number, gid: number, more?: More];

interface OutlineText {
  readonly format: 1;
  readonly opaque: readonly string[];
  readonly whiteouts: readonly string[];
  /** In the order of the index. */
  readonly rows: readonly Row[];
  readonly texts: Readonly<Record<string, string>>;
}

const isMore = hasMembers<More>({
  link: isOptional(isText),
  xattrs: isOptional(isRecordOf(isText)),
  implicit: isOptional(isJust(true)),
  repeated: isOptional(isJust(true)),
});

function isRow(value: unknown): value is Row {
  if (!Array.isArray(value) || value.length > 6) return false;
  const [path, type, mode, uid, gid, more] = value;
  return isText(path) && isTarType(type) && [mode, uid, gid].every(isCount) &&
    (value.length < 6 || isMore(more));
}

const isOutlineText = hasMembers<OutlineText>({
  format: isJust(1),
  opaque: isListOf(isText),
  whiteouts: isListOf(isText),
  rows: isListOf(isRow),
  texts: isRecordOf(isText),
});

/** Writes an outline as text. Equal outlines give equal texts. */
export function formatOutline({ index: { entries, whiteouts, opaque }, texts }: LayerOutline): string {
  const rows = entries.map(({ path, type, mode, uid, gid, link, xattrs, implicit, repeated }): Row => {
    const more = {
      ...(link !== undefined && { link }),
      ...(xattrs && { xattrs }),
      ...(implicit && { implicit }),
      ...(repeated && { repeated }),
    };
    return Object.keys(more).length > 0 ? [path, type, mode, uid, gid, more] : [path, type, mode, uid, gid];
  });
  const text: OutlineText = { format: 1, opaque, whiteouts, rows, texts: Object.fromEntries(texts) };
  return JSON.stringify(text);
}

/**
 * Reads what {@linkcode formatOutline} wrote, whoever wrote it: what is no index that a layer could have is refused.
 *
 * @throws {LayerError}
 */
export function parseOutline(text: string): LayerOutline {
  const outline = parseJson(text);
  if (!isOutlineText(outline)) throw invalid("its form is unknown");
  const { opaque, whiteouts, rows, texts } = outline;
  if (rows.length > LAYER_LIMITS.paths) throw invalid("it has too many paths");
  requireOrder(rows.map(([path]) => path));
  requireOrder(whiteouts);
  requireOrder(opaque);
  if (whiteouts.includes("")) throw invalid("it deletes nothing in particular");
  const dirs = new Set([""]);
  const entries = rows.map(([path, type, mode, uid, gid, more = {}]): LayerIndexEntry => {
    if (!dirs.has(parentPath(path))) throw invalid(`nothing is above "${path}"`);
    if (type === "dir") dirs.add(path);
    const { link, xattrs, implicit, repeated } = more;
    const entry = {
      ...{ path, type, mode, uid, gid, size: 0 },
      ...(link !== undefined && { link }),
      ...(xattrs && { xattrs }),
      ...(implicit && { implicit }),
      ...(repeated && { repeated }),
    };
    requireEntry(entry);
    return entry;
  });
  return { index: { format: 2, entries, whiteouts, opaque }, texts: new Map(Object.entries(texts)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(why: string): LayerError {
  return new LayerError(`Cannot use the outline of a layer: ${why}`);
}

/** Paths as archives give them, each once. */
function requireOrder(paths: readonly string[]): void {
  paths.forEach(requirePath);
  for (let i = 1; i < paths.length; i++) {
    if (comparePaths(paths[i - 1]!, paths[i]!) >= 0) throw invalid(`"${paths[i]}" is out of order`);
  }
}

function requirePath(path: string): void {
  try {
    if (normalizePath(path) === path) return;
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
  }
  throw invalid(`it has the path ${JSON.stringify(path)}`);
}

/** Paths that every tar can hold, as nearly all are. */
const PLAIN_PATH = /^[\x20-\x7e]{1,100}$/;

/** An entry that an archive can have, as far as its path was not looked at. */
function requireEntry({ path, type, mode, uid, gid, link, xattrs, implicit }: LayerIndexEntry): void {
  const isLink = type === "symlink" || type === "hardlink";
  const odd = type !== "dir" && (path === "" || implicit || xattrs);
  if (odd || mode > 0o7777 || isLink !== (link !== undefined)) {
    throw invalid(`"${path}" is no ${type} that a layer could have`);
  }
  if (type === "hardlink" && link !== undefined) requirePath(link);
  if (!xattrs && PLAIN_PATH.test(path) && (link === undefined || PLAIN_PATH.test(link))) return;
  const encoder = new TextEncoder();
  try {
    const attributes = Object.entries(xattrs ?? {}).map(([name, value]) =>
      [name, Uint8Array.fromBase64(value)] as const
    );
    for (const [name, value] of attributes) checkXattr(name, value);
    checkPathBytes(encoder.encode(path));
    checkLength(encoder.encode(link));
    encodeTarHeader({
      ...{ path, type, mode, uid, gid, size: 0, mtime: 0, major: 0, minor: 0, xattrs: new Map(attributes) },
      ...(link !== undefined && { link }),
    });
  } catch (error) {
    if (!(error instanceof TarError || error instanceof SyntaxError)) throw error;
    throw invalid(error.message);
  }
}
