import type { StageChain } from "../contract/labels.ts";
import { imagesOf } from "../plan/plan.ts";
import type { Store } from "../contract/store.ts";
import type { SignedGraph, SignedImage } from "../sign/sign.ts";

/** Every stage that an image is made of: its own, and those of the images it stands on or imports from. */
export async function chainOf(signed: SignedGraph, image: SignedImage, store: Store): Promise<StageChain> {
  const images = new Map([[image.node.key, image]]);
  // Those that are added come to their turn.
  for (const of of images.values()) {
    for (const stage of of.stages) for (const key of imagesOf(of, stage)) images.set(key, signed.image(key));
  }
  return await Promise.all(
    [...images].map(async ([key, { stages }]) => ({
      image: key,
      stages: await Promise.all(stages.map(async ({ spec, signature }) => {
        const record = await store.stages.record(signature);
        const known = record && record.buildMs > 0;
        return {
          stage: spec.name,
          signature,
          ...(known && { ms: record.buildMs, bytes: record.addedBytes }),
        };
      })),
    })),
  );
}
