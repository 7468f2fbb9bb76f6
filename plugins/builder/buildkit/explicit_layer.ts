import { LayerError } from "../../../lib/layer/error.ts";
import type { ImageFs } from "../../../lib/layer/image_fs.ts";
import type { LayerIndex, LayerIndexEntry } from "../../../lib/layer/index.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { joinPath } from "../../../lib/layer/path_order.ts";
import { TarFile } from "../../../lib/layer/tar_file.ts";
import { OPAQUE, whiteoutOf } from "../../../lib/layer/whiteout.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";

/**
 * Whether BuildKit would unpack a layer otherwise than it is meant: directories that the layer does not describe get new
 * times, and a directory that the layer deletes and makes anew shows what was in it.
 */
export function needsExplicit(index: LayerIndex, below: ImageFs): boolean {
  return implied(index, below).length > 0 || remade(index).length > 0;
}

/** @throws {LayerError} for a hard link to nothing, which would fail in the daemon with less to go by */
export function checkLinks(index: LayerIndex, below: ImageFs): void {
  const own = new Set(index.entries.map(({ path }) => path));
  for (const { type, path, link = "" } of index.entries) {
    if (type !== "hardlink" || own.has(link) || below.lookup(below.resolve(link, { last: false }))) continue;
    throw new LayerError(
      `Cannot unpack the layer: the hard link "/${path}" leads to "/${link}", which is not there`,
    );
  }
}

/** Where a layer is, and those below it. */
export interface ExplicitSource {
  readonly file: string;
  readonly index: LayerIndex;
  readonly below: ImageFs;
  /** Files of the layers below, lowest first. */
  readonly filesBelow: readonly string[];
}

/** Writes a layer that says outright what `file` means upon the layers below, and gives the digest of it. */
export async function explicitLayer(
  { file, index, below, filesBelow }: ExplicitSource,
  target: string,
): Promise<string> {
  const tar = new TarFile(target);
  const again = remade(index);
  const dropped = new Set(again.map((path) => whiteoutOf(path).path));
  try {
    const wanted = Map.groupBy(implied(index, below), ({ path }) => below.lookup(path)!.layer);
    for (const [layer, entries] of [...wanted].sort(([a], [b]) => a - b)) {
      const paths = new Set(entries.map(({ path }) => path));
      const found = new Map<string, TarEntry>();
      await eachEntry(
        filesBelow[layer]!,
        (entry) => void (paths.has(entry.path) && found.set(entry.path, entry)),
      );
      for (const entry of found.values()) tar.add(entry);
    }
    let size: number | undefined;
    await eachEntry(
      file,
      (entry) => {
        size = undefined;
        if (dropped.has(entry.path)) return;
        tar.add(entry);
        if (entry.type === "file") size = entry.size;
      },
      (chunk) => size !== undefined && tar.content(chunk),
      () => size !== undefined && tar.pad(size),
    );
    for (const path of again) tar.add(marker(path)); // its directory must be there
    return tar.finish();
  } finally {
    tar.close();
  }
}

/** Directories of the layers below that this layer only leads through. */
function implied(index: LayerIndex, below: ImageFs): readonly LayerIndexEntry[] {
  return index.entries.flatMap(({ path, implicit }) => {
    const entry = implicit && below.lookup(path)?.entry;
    return entry && entry.type === "dir" && !entry.implicit ? [entry] : [];
  });
}

/** Directories that this layer deletes and makes anew. */
function remade({ entries, whiteouts }: LayerIndex): readonly string[] {
  const deleted = new Set(whiteouts);
  return entries.flatMap(({ path, type }) => type === "dir" && deleted.has(path) ? [path] : []);
}

async function eachEntry(
  file: string,
  entry: (entry: TarEntry) => void,
  data: (chunk: Uint8Array) => unknown = () => {},
  end: () => unknown = () => {},
): Promise<void> {
  const parser = new TarParser({ entry, data: (chunk) => void data(chunk), end: () => void end() });
  for await (const chunk of openLayer(file)) parser.push(chunk);
  parser.finish();
}

function marker(dir: string): TarEntry {
  return { path: joinPath(dir, OPAQUE), type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 };
}
