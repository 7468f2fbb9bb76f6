import type { FileLayerRow } from "../../lib/layer/file_layer.ts";
import type { LayerCompression } from "../contract/builder.ts";
import { isLayer } from "../contract/guards.ts";
import { hasMembers, isCount, isListOf, isPair, isText } from "../../lib/guard.ts";
import type { Layer, Store } from "../contract/store.ts";
import { compareListings, type ListingDifference } from "./git_difference.ts";
import {
  type DirectoriesAbove,
  directoriesAbove,
  type GitItem,
  type GitLayerInput,
  layerKey,
  type OwnedDirs,
  parseLayerListing,
  planGitLayer,
} from "./git_layer.ts";
import { patchRows } from "./git_patch.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";

/** An earlier full git layer that a patch can be built upon. */
export interface Anchor {
  /** `layerKey` of the layer. */
  readonly key: string;
  /** Blob with the `layerListing` of its files. */
  readonly listing: Digest;
  /** Directories that it gives an owner of their own. */
  readonly dirs: readonly (readonly [path: string, owner: { readonly uid: number; readonly gid: number }])[];
  readonly layer: Layer;
}

const isAnchor = hasMembers<Anchor>({
  key: isText,
  listing: isDigest,
  dirs: isListOf(isPair(isText, hasMembers<Anchor["dirs"][number][1]>({ uid: isCount, gid: isCount }))),
  layer: isLayer,
});

/** A usable anchor with the patch upon it. */
export interface AnchorChoice {
  readonly anchor: Anchor;
  readonly rows: readonly FileLayerRow[];
  /** The files in it, by the path that they were asked for under. */
  readonly items: ReadonlyMap<string, GitItem>;
}

const MEMO = "git-anchors-2";
const KEPT = 4;

/** Anchors of one stage of one image whose blobs are still there, newest first. */
export async function knownAnchors(store: Store, set: string): Promise<readonly Anchor[]> {
  const rows = await store.memo.get(MEMO, set, isListOf(isAnchor)) ?? [];
  const present = await Promise.all(
    rows.map(async ({ layer, listing }) =>
      await store.blobs.size(layer.digest) === layer.size && await store.blobs.size(listing) !== undefined
    ),
  );
  return rows.filter((_, i) => present[i]);
}

/** Notes one more anchor beside those that are known. */
export async function noteAnchor(
  store: Store,
  set: string,
  anchor: Anchor,
  known: readonly Anchor[],
): Promise<void> {
  await store.memo.put(MEMO, set, [anchor, ...known].slice(0, KEPT));
}

/** The layer that is wanted, with what is known of it. */
export interface WantedLayer {
  readonly input: GitLayerInput;
  /** The `layerListing` of its files. */
  readonly text: string;
  readonly above: DirectoriesAbove;
}

/**
 * The anchor with the smallest difference, if one is close enough and the result is the same as with a full layer: the
 * anchor's layer is what it would be on this parent, and all that it covers up there the full layer covers up too.
 */
export async function chooseAnchor(
  anchors: readonly Anchor[],
  wanted: WantedLayer,
  options: { readonly store: Store; readonly compression: LayerCompression; readonly maxPart: number },
): Promise<AnchorChoice | undefined> {
  const { store, compression, maxPart } = options;
  const { parent, epoch, newDirs: owned } = wanted.input;
  let best: AnchorChoice | undefined;
  for (const anchor of anchors) {
    const text = new TextDecoder().decode(await store.blobs.get(anchor.listing));
    const difference = compareListings(text, wanted.text);
    const most = difference.size * maxPart;
    if (difference.changed > most) continue;
    const newDirs = new Map(anchor.dirs);
    const above = difference.samePaths && sameOwners(newDirs, owned)
      ? wanted.above
      : directoriesAbove(parseLayerListing(text).map(({ file }) => file.target), { parent, newDirs });
    if (await layerKey(anchor.listing, above, epoch, compression) !== anchor.key) continue;
    const { rows, items } = planPatch({ text, difference, newDirs, above }, wanted);
    if (!rows || changesIn(rows) > most) continue;
    if (!best || changesIn(rows) < changesIn(best.rows)) best = { anchor, rows, items };
  }
  return best;
}

/** A full layer, and how the wanted one differs from it. */
export interface EarlierLayer {
  /** The `layerListing` of its files. */
  readonly text: string;
  readonly difference: ListingDifference;
  readonly newDirs: OwnedDirs;
  readonly above: DirectoriesAbove;
}

/**
 * The patch that makes of an earlier layer the wanted one, with its files; no rows where only another layer does. Planned
 * is only what differs, unless links of the parent image or owners make more depend on it.
 */
export function planPatch(
  { text, difference, newDirs, above }: EarlierLayer,
  wanted: WantedLayer,
): { readonly rows: readonly FileLayerRow[] | undefined; readonly items: ReadonlyMap<string, GitItem> } {
  const { input, input: { parent, epoch } } = wanted;
  const isPart = above.plain && wanted.above.plain && sameOwners(newDirs, input.newDirs);
  const items = parseLayerListing(isPart ? difference.before : text);
  const before = planGitLayer({ items, parent, newDirs, epoch });
  const after = planGitLayer(isPart ? withFiles(input, difference.after) : input);
  return { rows: patchRows(before, after, parent), items: after.items };
}

function sameOwners(a: OwnedDirs, b: OwnedDirs): boolean {
  return JSON.stringify([...a]) === JSON.stringify([...b]);
}

/** The part of a layer that files at some image paths are. */
function withFiles(input: GitLayerInput, paths: ReadonlySet<string>): GitLayerInput {
  return { ...input, items: input.items.filter(({ file }) => paths.has(file.target)) };
}

function changesIn(rows: readonly FileLayerRow[]): number {
  return rows.filter(({ entry }) => entry.type !== "dir").length;
}
