import type { InventoryImage, InventoryStage } from "../cleanup_role.ts";
import type { BlobCount } from "./blob_count.ts";

/** What a budget is applied to. */
export interface BudgetInputs {
  readonly budgetBytes: number;
  /** Stages that stay so far. Their holders are in `count`, with those of everything else that stays. */
  readonly stages: readonly InventoryStage[];
  /** Whether a budget may take it away. */
  readonly evictable: (stage: InventoryStage) => boolean;
  /** Images that stay: they say when stages were last used and how long building them took. */
  readonly images: readonly InventoryImage[];
  readonly count: BlobCount;
}

/** A stage taken away for the budget. */
export interface Evicted {
  readonly stage: InventoryStage;
  readonly why: string;
}

/**
 * Picks stages to go until all others fit into the budget: those cheapest to build again for each byte that becomes
 * free first, of equals the one not used for longest. Only the top of a chain frees anything, as a stage's manifest
 * refers to all layers below it; so a chain loses its stages from the top, and none that another stage stands on.
 * What images hold anyway does not count: an image needs no stage to be pulled.
 */
export function evict(inputs: BudgetInputs): readonly Evicted[] {
  const { stages, count, budgetBytes } = inputs;
  const staying = new Map(stages.map((stage) => [stage.signature, stage]));
  const users = new Map<string, number>();
  for (const { previous } of stages) if (previous) users.set(previous, (users.get(previous) ?? 0) + 1);
  let total = ownBytes(stages, count);
  const { ms, usedAt } = factsOf(inputs.images);
  const evicted: Evicted[] = [];
  while (total > budgetBytes) {
    const tops = [...staying.values()].filter((s) => !users.get(s.signature) && inputs.evictable(s))
      .map((stage) => {
        const bytes = count.wouldFree(stage.digest);
        const cost = ms.get(stage.signature);
        // Nobody knows how long it took: it goes after all those that are known.
        return {
          stage,
          cost,
          perByte: cost === undefined ? Infinity : cost / Math.max(bytes, 1),
          at: usedAt.get(stage.signature) ?? Date.parse(stage.publishedAt),
        };
      })
      .sort((a, b) =>
        a.perByte === b.perByte
          ? a.at - b.at || (a.stage.signature < b.stage.signature ? -1 : 1)
          : a.perByte - b.perByte
      );
    if (tops.length === 0) break;
    // What is below a stage becomes a candidate in the next round.
    for (const { stage, cost } of tops) {
      if (total <= budgetBytes) break;
      const bytes = count.release(stage.digest);
      total -= bytes;
      staying.delete(stage.signature);
      if (stage.previous) users.set(stage.previous, users.get(stage.previous)! - 1);
      const took = cost === undefined ? "unknown build time" : `${Math.round(cost)} ms to build`;
      evicted.push({ stage, why: `stages take more than the budget; ${took}, frees ${bytes} bytes` });
    }
  }
  return evicted;
}

/** Bytes that only stages hold. */
function ownBytes(stages: readonly InventoryStage[], count: BlobCount): number {
  let bytes = 0;
  for (const { digest } of stages) bytes += count.release(digest);
  for (const { digest } of stages) count.hold(digest);
  return bytes;
}

function factsOf(images: readonly InventoryImage[]) {
  const ms = new Map<string, number>();
  const usedAt = new Map<string, number>();
  for (const image of images) {
    const at = Math.max(Date.parse(image.publishedAt), image.pulledAt ? Date.parse(image.pulledAt) : 0);
    for (const { signature, ms: took } of image.chain.flatMap(({ stages }) => stages)) {
      if (took !== undefined) ms.set(signature, took);
      usedAt.set(signature, Math.max(usedAt.get(signature) ?? 0, at));
    }
  }
  return { ms, usedAt };
}
