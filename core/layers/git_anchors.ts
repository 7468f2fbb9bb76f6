import type { Digest } from "../contract/digest.ts";
import { type GitItem, type GitLayerInput, layerKey } from "./git_layer.ts";
import { layerPath } from "../../lib/layer/paths.ts";
import type { Layer, Store } from "../contract/store.ts";
import { parseListing } from "../contract/signature.ts";
import type { LayerCompression } from "../contract/builder.ts";

/** An earlier full git layer that a patch can be built upon. */
export interface Anchor {
  /** `layerKey` of the layer. */
  readonly key: string;
  /** Blob with rows `mode:uid:gid oid path`. */
  readonly listing: Digest;
  readonly layer: Layer;
}

/** A usable anchor with what a patch must change. */
export interface AnchorChoice {
  readonly anchor: Anchor;
  readonly items: readonly GitItem[];
  /** Layer paths. */
  readonly whiteouts: readonly string[];
}

/** Anchors of one stage of one image whose blobs are still there, newest first. */
export async function knownAnchors(store: Store, set: string): Promise<readonly Anchor[]> {
  const rows = (await store.memo("git-anchors", set) ?? []) as readonly Anchor[];
  const present = await Promise.all(
    rows.map(async ({ layer, listing }) =>
      await store.blobSize(layer.digest) === layer.size && await store.blobSize(listing) !== undefined
    ),
  );
  return rows.filter((_, i) => present[i]);
}

/**
 * The anchor with the smallest difference, if one is close enough and the result would be the same as with a full layer:
 * the anchor's layer is what it would be on this parent, and nothing it deletes is also in the parent.
 */
export async function chooseAnchor(
  anchors: readonly Anchor[],
  input: GitLayerInput,
  options: { readonly store: Store; readonly compression: LayerCompression; readonly maxPart: number },
): Promise<AnchorChoice | undefined> {
  const { store, compression, maxPart } = options;
  const fs = input.parent;
  let best: AnchorChoice | undefined;
  for (const anchor of anchors) {
    const rows = parseListing(new TextDecoder().decode(await store.getBlob(anchor.listing)));
    const old = new Map(rows.map((row) => [row.path, `${row.mode} ${row.oid}`]));
    const items = input.items.filter(({ file, uid, gid }) =>
      old.get(file.target) !== `${file.mode}:${uid}:${gid} ${file.oid}`
    );
    const wanted = input.items.map(({ file }) => layerPath(file.target));
    const inParent = (path: string) => fs.lookup(fs.resolve(path, { last: false })) !== undefined;
    const whiteouts = removals(rows.map((row) => layerPath(row.path)), wanted, inParent);
    const changes = items.length + whiteouts.length;
    if (changes > rows.length * maxPart || (best && changes >= best.items.length + best.whiteouts.length)) {
      continue;
    }
    if (whiteouts.some(inParent)) continue;
    const key = await layerKey(anchor.listing, rows.map((row) => row.path), input, compression);
    if (key === anchor.key) best = { anchor, items, whiteouts };
  }
  return best;
}

/**
 * What to delete to get from one set of files to another: the highest directories that have no wanted file left and that
 * are not in the parent image either, otherwise the files. Nothing below a path that is itself wanted.
 */
export function removals(
  before: readonly string[],
  wanted: readonly string[],
  inParent: (path: string) => boolean,
): string[] {
  const files = new Set(wanted);
  const dirs = new Set<string>();
  for (const path of wanted) {
    for (let dir = up(path); dir !== "" && !dirs.has(dir); dir = up(dir)) dirs.add(dir);
  }
  const out = new Set<string>();
  for (const path of before) {
    if (files.has(path)) continue;
    let remove: string | undefined = path;
    for (let dir = up(path); dir !== ""; dir = up(dir)) {
      if (files.has(dir)) remove = undefined;
      else if (remove && !dirs.has(dir) && !inParent(dir)) remove = dir;
    }
    if (remove) out.add(remove);
  }
  return [...out];
}

function up(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
