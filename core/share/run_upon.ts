import { groupBy } from "../../lib/group_by.ts";
import { imagesOf } from "../plan/plan.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedGraph, SignedImage } from "../sign/sign.ts";

/**
 * Tells whether commands will run upon a stage of an image: in later stages of it, or of images that stand on it. `tops`
 * says where these stand; those that it does not have are to be built as a whole, or not at all.
 */
export function runsUpon({ images }: SignedGraph): (
  image: SignedImage,
  index: number,
  tops: ReadonlyMap<string, { readonly index: number }>,
) => boolean {
  const standing = groupBy(images, (image) => image.stages[0] && imagesOf(image, image.stages[0])[0]);
  return (image, index, tops) => {
    const open = [{ image, above: index + 1 }];
    // Those that are added come to their turn.
    for (const { image: { node, stages }, above } of open) {
      if (stages.slice(above).some(needsBuilder)) return true;
      for (const other of standing.get(node.key) ?? []) {
        if (!tops.has(other.node.key)) open.push({ image: other, above: 1 });
      }
    }
    return false;
  };
}
