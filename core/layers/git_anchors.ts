import type { FileLayerRow } from "../../lib/layer/file_layer.ts";
import type { LayerCompression } from "../contract/builder.ts";
import { isLayer } from "../contract/guards.ts";
import { hasMembers, isCount, isListOf, isPair, isText } from "../../lib/guard.ts";
import type { Layer, Store } from "../contract/store.ts";
import {
  type GitLayerInput,
  type GitLayerPlan,
  layerKey,
  parseLayerListing,
  type PlacedFile,
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

/** A usable anchor with the rows of the patch upon it. */
export interface AnchorChoice {
  readonly anchor: Anchor;
  readonly rows: readonly FileLayerRow[];
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

/**
 * The anchor with the smallest difference, if one is close enough and the result is the same as with a full layer: the
 * anchor's layer is what it would be on this parent, and all that it covers up there the full layer covers up too.
 */
export async function chooseAnchor(
  anchors: readonly Anchor[],
  input: GitLayerInput,
  after: () => GitLayerPlan,
  options: { readonly store: Store; readonly compression: LayerCompression; readonly maxPart: number },
): Promise<AnchorChoice | undefined> {
  const { store, compression, maxPart } = options;
  const { parent, epoch } = input;
  let best: AnchorChoice | undefined;
  for (const anchor of anchors) {
    const items = parseLayerListing(new TextDecoder().decode(await store.blobs.get(anchor.listing)));
    if (changedFiles(items, input.items) > items.length * maxPart) continue;
    const newDirs = new Map(anchor.dirs);
    const targets = items.map(({ file }) => file.target);
    if (await layerKey(anchor.listing, targets, { parent, newDirs, epoch }, compression) !== anchor.key) {
      continue;
    }
    const rows = patchRows(planGitLayer({ items, parent, newDirs, epoch }), after(), parent);
    if (!rows || changesIn(rows) > items.length * maxPart) continue;
    if (!best || changesIn(rows) < changesIn(best.rows)) best = { anchor, rows };
  }
  return best;
}

/** How many files are new, changed or gone, wherever they are in the image. */
function changedFiles(before: readonly PlacedFile[], after: readonly PlacedFile[]): number {
  const old = new Map(before.map((item) => [item.file.target, item]));
  let kept = 0;
  let changed = 0;
  for (const { file, uid, gid } of after) {
    const was = old.get(file.target);
    if (was) kept++;
    const same = was?.file.oid === file.oid && was.file.mode === file.mode && was.uid === uid &&
      was.gid === gid;
    if (!same) changed++;
  }
  return changed + before.length - kept;
}

function changesIn(rows: readonly FileLayerRow[]): number {
  return rows.filter(({ entry }) => entry.type !== "dir").length;
}
