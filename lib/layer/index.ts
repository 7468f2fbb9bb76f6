import { type Guard, hasMembers, isCount, isJust, isOptional, isRecordOf, isText } from "../guard.ts";
import { TarParser } from "../tar/parse.ts";
import type { TarEntry, TarType } from "../tar/types.ts";
import { Below } from "./below.ts";
import { LayerError } from "./error.ts";
import { PathMap } from "./path_map.ts";
import { baseName, comparePaths, joinPath, parentPath } from "./path_order.ts";
import { OPAQUE, WHITEOUT } from "./whiteout.ts";
import { type Digest, digestFromHex } from "../oci/digest.ts";
import { createSha256 } from "../sha256.ts";

const TYPES: ReadonlySet<string> = new Set(
  ["file", "dir", "symlink", "hardlink", "char", "block", "fifo"] satisfies TarType[],
);

/** One path of a layer, as far as looking things up needs it. */
export interface LayerIndexEntry {
  /** Without leading "/"; "" is the root. */
  readonly path: string;
  /** What it is. */
  readonly type: TarType;
  /** Permission bits. */
  readonly mode: number;
  /** Numeric owner. */
  readonly uid: number;
  /** Numeric group. */
  readonly gid: number;
  /** Size in bytes. */
  readonly size: number;
  /** Target of a link. */
  readonly link?: string;
  /** Extended attributes of a directory, base64. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** A directory that the layer only mentions in the paths below it. */
  readonly implicit?: true;
  /** The path occurs more than once in the archive; this is its last occurrence. */
  readonly repeated?: true;
}

/** What a layer holds and hides. JSON-printable. Format 1 was sorted in another order. */
export interface LayerIndex {
  /** Of this document. */
  readonly format: 2;
  /** Sorted as {@linkcode comparePaths} says, with all parent directories below the root. */
  readonly entries: readonly LayerIndexEntry[];
  /** Paths deleted from lower layers, sorted (image-spec layer.md, "Whiteouts"). */
  readonly whiteouts: readonly string[];
  /** Directories of which lower layers show nothing, sorted. */
  readonly opaque: readonly string[];
}

/** Whether a value is the type of an entry. */
export function isTarType(value: unknown): value is TarType {
  return isText(value) && TYPES.has(value);
}

/** Whether a value is an entry of an index. */
export const isIndexEntry: Guard<LayerIndexEntry> = hasMembers<LayerIndexEntry>({
  path: isText,
  type: isTarType,
  mode: isCount,
  uid: isCount,
  gid: isCount,
  size: isCount,
  link: isOptional(isText),
  xattrs: isOptional(isRecordOf(isText)),
  implicit: isOptional(isJust(true)),
  repeated: isOptional(isJust(true)),
});

/**
 * What a layer may hold, so that a small blob cannot take all memory: paths, with the directories that only lead to them,
 * and characters of their names, link targets and attributes.
 */
export const LAYER_LIMITS = { paths: 2_000_000, text: 256 << 20 } as const;

/** The entry of an index for one of a tar. */
export function entryOf({ path, type, mode, uid, gid, size, link, xattrs }: TarEntry): LayerIndexEntry {
  return {
    path,
    type,
    mode,
    uid,
    gid,
    size,
    ...(link !== undefined && { link }),
    ...(type === "dir" && xattrs && { xattrs: printable(xattrs) }),
  };
}

/** Collects the index of a layer, entry by entry in archive order. */
export class LayerIndexer {
  #parent = "";
  #paths = 0;
  #text = 0;
  readonly #entries = new PathMap<LayerIndexEntry>();
  /** Directories, explicit or implied. */
  readonly #dirs = new PathMap<true>();
  readonly #whiteouts = new Set<string>();
  readonly #opaque = new Set<string>();
  readonly #below = new Below();

  constructor() {
    this.#dirs.set("", true);
  }

  /** @throws {LayerError} for a whiteout of nothing, and for a layer beyond {@linkcode LAYER_LIMITS} */
  add(entry: TarEntry): void {
    const { path, type, link, xattrs } = entry;
    this.#spend(path.length + (link?.length ?? 0));
    for (const [name, value] of xattrs ?? []) this.#text += name.length + 2 * value.length;
    const name = baseName(path);
    const dir = this.#parentOf(path);
    if (name.startsWith(WHITEOUT)) return this.#hide(dir, name);
    this.#imply(dir);
    if (type === "dir") this.#dirs.set(path, true);
    else if (this.#dirs.has(path)) this.#drop(path);
    this.#below.add(path);
    const repeated = type !== "dir" && this.#entries.has(path);
    this.#entries.set(path, repeated ? { ...entryOf(entry), repeated } : entryOf(entry));
  }

  finish(): LayerIndex {
    for (const path of this.#dirs.keys()) {
      if (path === "" || this.#entries.has(path)) continue;
      this.#entries.set(path, { path, type: "dir", mode: 0o755, uid: 0, gid: 0, size: 0, implicit: true });
    }
    return {
      format: 2,
      entries: Array.from(this.#entries.entries(), ([, entry]) => entry)
        .sort((a, b) => comparePaths(a.path, b.path)),
      whiteouts: [...this.#whiteouts].sort(comparePaths),
      opaque: [...this.#opaque].sort(comparePaths),
    };
  }

  /** In the same words as the one before, where it is the same: looking up equal words that are others takes longer. */
  #parentOf(path: string): string {
    const cut = Math.max(path.lastIndexOf("/"), 0);
    if (cut !== this.#parent.length || !path.startsWith(this.#parent)) this.#parent = path.slice(0, cut);
    return this.#parent;
  }

  #hide(dir: string, name: string): void {
    // umoci writes what was in a directory beside the file that replaces it.
    if (!this.#isInFile(dir)) this.#imply(dir);
    if (name === OPAQUE) this.#opaque.add(dir);
    if (name.startsWith(WHITEOUT + WHITEOUT)) return; // the rest is private to AUFS
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw new LayerError(`Cannot read the layer: the whiteout "${joinPath(dir, name)}" names no file`);
    }
    this.#whiteouts.add(joinPath(dir, hidden));
  }

  #isInFile(dir: string): boolean {
    for (let at = dir; !this.#dirs.has(at); at = parentPath(at)) if (this.#entries.has(at)) return true;
    return false;
  }

  /** Notes that `dir` and its parents are directories; a file of that name was replaced. */
  #imply(dir: string): void {
    for (let at = dir; !this.#dirs.has(at); at = parentPath(at)) {
      this.#spend(at.length);
      this.#dirs.set(at, true);
      this.#entries.delete(at);
    }
    this.#below.add(dir);
  }

  #spend(text: number): void {
    this.#text += text;
    if (++this.#paths <= LAYER_LIMITS.paths && this.#text <= LAYER_LIMITS.text) return;
    throw new LayerError(
      `Cannot read the layer: it has more than ${LAYER_LIMITS.paths} files and directories, or their names more than ` +
        `${LAYER_LIMITS.text} characters`,
    );
  }

  /** A directory became something else: what was in it is gone. */
  #drop(dir: string): void {
    this.#dirs.delete(dir);
    for (const path of this.#below.take(dir, () => [...this.#dirs.keys(), ...this.#entries.keys()])) {
      this.#dirs.delete(path);
      this.#entries.delete(path);
    }
  }
}

/** The index of entries that are at hand. @throws {LayerError} */
export function indexEntries(entries: Iterable<TarEntry>): LayerIndex {
  const indexer = new LayerIndexer();
  for (const entry of entries) indexer.add(entry);
  return indexer.finish();
}

/** Reads an uncompressed layer: its index, and the digest of all its bytes. @throws {LayerError} @throws {TarError} */
export async function indexLayer(
  chunks: AsyncIterable<Uint8Array>,
  each: (entry: TarEntry) => void = () => {},
): Promise<LayerIndex & { diffId: Digest }> {
  const hash = createSha256();
  const indexer = new LayerIndexer();
  const entry = (found: TarEntry) => {
    indexer.add(found);
    each(found);
  };
  const parser = new TarParser({ entry, data() {}, hole() {}, end() {} });
  for await (const chunk of chunks) {
    hash.update(chunk);
    parser.push(chunk);
  }
  parser.finish();
  return { ...indexer.finish(), diffId: digestFromHex(hash.hex()) };
}

function printable(xattrs: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(Array.from(xattrs, ([name, value]) => [name, value.toBase64()]));
}
