import type { InventoryImage } from "../contract/cleanup.ts";

/**
 * Images that stand under several names that dapp itself could have published them under, as after
 * `skopeo copy REPO/app:v1 REPO:v1`: every published tag is a manifest of its own, so all but one were put there by hand.
 *
 * @param copies references of those that can only have been put there by hand
 */
export function tellHandCopies(
  images: readonly InventoryImage[],
  copies: ReadonlySet<string>,
): readonly InventoryImage[] {
  const best = new Map<string, number>();
  const published = images.filter(({ reference }) => !copies.has(reference));
  for (const image of published) {
    best.set(image.digest, Math.min(best.get(image.digest) ?? Infinity, rankOf(image)));
  }
  return images.map((image) =>
    copies.has(image.reference) || rankOf(image) === best.get(image.digest) ? image : byHand(image)
  );
}

/** `REPO/DIMG:TAG` first, then `REPO:DIMG-TAG`, then `REPO:TAG`. */
function rankOf({ repository, tag, ownTag }: InventoryImage): number {
  return repository !== "" ? 0 : tag !== ownTag ? 1 : 2;
}

function byHand(image: InventoryImage): InventoryImage {
  const { tag, publishedAt, pushedAt = publishedAt } = image;
  const later = Date.parse(pushedAt) > Date.parse(publishedAt) ? pushedAt : publishedAt;
  return { ...image, scheme: "custom", value: tag, ownTag: tag, publishedAt: later };
}
