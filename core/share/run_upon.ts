import { imagesOf } from "../plan/plan.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedGraph, SignedImage } from "../sign/sign.ts";

/**
 * Whether commands will run upon a stage of an image: in later stages of it, or of images that stand on it. `tops` says
 * where these stand; those that it does not have are to be built as a whole, or not at all.
 */
export function isRunUpon(
  signed: SignedGraph,
  image: SignedImage,
  index: number,
  tops: ReadonlyMap<string, { readonly index: number }>,
): boolean {
  const { key } = image.node;
  return image.stages.slice(index + 1).some(needsBuilder) ||
    signed.images.some((other) => {
      const [first] = other.stages;
      const stands = first !== undefined && imagesOf(other, first).includes(key);
      return stands && !tops.has(other.node.key) && isRunUpon(signed, other, 0, tops);
    });
}
