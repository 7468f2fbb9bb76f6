import type { Digest } from "../../lib/oci/digest.ts";
import { isSignature, type Signature } from "../contract/signature.ts";
import type { StageRecord, Store } from "../contract/store.ts";
import type { StageFacts } from "../plan/known_facts.ts";
import { listingsOf } from "./describe_stage.ts";
import type { StageDocument } from "./stage_document.ts";

/**
 * What a registry is told of a stage of which the store alone knows, as of another commit: the facts of those that it
 * stands on or imports from as far as they are here, and no outlines.
 */
export async function describeRecord(
  record: StageRecord,
  { store, listingText }: {
    readonly store: Pick<Store, "stages">;
    readonly listingText: (digest: Digest) => Promise<string | undefined>;
  },
): Promise<StageDocument> {
  const { image, trees = {} } = record;
  const found = new Map<Signature, StageFacts>();
  const add = async ({ stage, signature, previous, facts }: StageRecord): Promise<void> => {
    if (found.has(signature)) return;
    found.set(signature, { stage, signature, previous, facts });
    // Images that are stood on or imported from are named by the signature of their last stage.
    for (const before of [previous, ...facts.map(({ value }) => value)]) {
      const below = before !== null && isSignature(before) ? await store.stages.record(before) : undefined;
      if (below) await add(below);
    }
  };
  await add(record);
  const stages = [...found.values()].reverse();
  return { stages, image, trees, listings: await listingsOf(stages, trees, listingText) };
}
