import type { BrokenTag, Inventory, InventoryImage, InventoryStage, OtherTag } from "../contract/cleanup.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { addChildren } from "./groups.ts";

/** Any tag of an inventory. */
export type AnyTag = InventoryImage | InventoryStage | OtherTag | BrokenTag;

/** Where a manifest is: the repository below REPO, and its digest. */
export function placeOf(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}

/** Tags by the places of what they are at, manifests below an index included. */
export function tagsAt(
  { images, stages, others, broken, manifests }: Inventory,
): ReadonlyMap<string, readonly AnyTag[]> {
  const found = new Map<string, AnyTag[]>();
  for (const tag of [...images, ...stages, ...others, ...broken]) {
    if (!tag.digest) continue;
    const at = new Set([tag.digest]);
    addChildren(tag.digest, manifests, at);
    for (const digest of at) {
      const place = placeOf(tag.repository, digest);
      const there = found.get(place);
      if (there) there.push(tag);
      else found.set(place, [tag]);
    }
  }
  return found;
}
