import type { StageChain } from "../contract/labels.ts";
import { imagesOf } from "../plan/plan.ts";
import type { Store } from "../contract/store.ts";
import type { SignedGraph, SignedImage } from "../sign/sign.ts";

/** Every stage that an image is made of: its own, and those of the images it stands on or imports from. */
export async function chainOf(signed: SignedGraph, image: SignedImage, store: Store): Promise<StageChain> {
  const images = new Map<string, SignedImage>();
  const visit = (of: SignedImage) => {
    if (images.has(of.node.key)) return;
    images.set(of.node.key, of);
    for (const stage of of.stages) for (const key of imagesOf(of, stage)) visit(signed.image(key));
  };
  visit(image);
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
