import { formatOutline } from "../../lib/layer/outline.ts";
import { needsFirst } from "../../lib/needs_first.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { Signature } from "../contract/signature.ts";
import type { StageRecord } from "../contract/store.ts";
import type { StageFacts } from "../plan/known_facts.ts";
import { imagesOf } from "../plan/plan.ts";
import { lastStage, type SignedGraph, type SignedImage, type SignedStage } from "../sign/sign.ts";
import { addedLayers } from "./layer_origins.ts";
import type { SharedStagesOptions } from "./shared_options.ts";
import type { StageDocument } from "./stage_document.ts";

/** What describing stages takes. */
export type DescribeNeeds = Pick<SharedStagesOptions, "store" | "signed" | "listingText">;

/** What a registry is told of a stage, without its outlines. */
export async function describeStage(
  image: SignedImage,
  stage: SignedStage,
  { image: state, trees = {} }: Pick<StageRecord, "image" | "trees">,
  { store, signed, listingText }: DescribeNeeds,
): Promise<StageDocument> {
  const stages = factsUpTo(signed, image, stage);
  const listings = await listingsOf(stages, trees, (digest) => listingText(store, digest));
  return { stages, image: state, trees, listings };
}

/** Texts of the listings that facts and trees are digests of, as far as they can be had. */
export async function listingsOf(
  stages: readonly StageFacts[],
  trees: Readonly<Record<string, Digest>>,
  listingText: (digest: Digest) => Promise<string | undefined>,
): Promise<ReadonlyMap<Digest, string>> {
  const listings = new Map<Digest, string>();
  const digests = [
    ...Object.values(trees),
    ...stages.flatMap(({ facts }) => facts.flatMap((fact) => fact.listing ? [fact.value] : [])),
  ];
  for (const digest of new Set(digests)) {
    const text = await listingText(digest);
    if (text !== undefined) listings.set(digest, text);
  }
  return listings;
}

/** Facts of a stage and of all that it stands on or imports from, each once, the stage itself last. */
function factsUpTo(signed: SignedGraph, image: SignedImage, stage: SignedStage): readonly StageFacts[] {
  const imageOf = new Map([[stage, image]]);
  const stages = needsFirst([stage], (each) => {
    const of = imageOf.get(each)!;
    const before = of.stages[of.stages.indexOf(each) - 1];
    if (before) imageOf.set(before, of);
    const others = imagesOf(of, each).map((key) => {
      const other = signed.image(key);
      imageOf.set(lastStage(other), other);
      return lastStage(other);
    });
    return before ? [before, ...others] : others;
  });
  const out = new Map<Signature, StageFacts>();
  for (const { signature, previous, facts, spec } of stages) {
    out.set(signature, { stage: spec.name, signature, previous, facts });
  }
  return [...out.values()];
}

/** What is in the layers that a stage adds, the highest first. */
export async function outlinesOf(
  image: SignedImage,
  stage: SignedStage,
  record: StageRecord,
  { signed, reader }: Pick<SharedStagesOptions, "signed" | "reader">,
): Promise<ReadonlyMap<Digest, string>> {
  const added = addedLayers(signed, image, stage, record.image);
  if (added.length === 0) return new Map();
  const looks = await reader();
  const rows = await Promise.all(
    added.toReversed().map(async (layer) => [layer.diffId, await looks.outline(layer)] as const),
  );
  return new Map(rows.flatMap(([diffId, found]) => found ? [[diffId, formatOutline(found)] as const] : []));
}
