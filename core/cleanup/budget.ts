import type { InventoryImage, InventoryStage } from "../contract/cleanup.ts";
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
  const weigh = (stage: InventoryStage) => {
    const cost = ms.get(stage.signature);
    const bytes = count.wouldFree(stage.digest);
    // Nobody knows how long it took: it goes after all those that are known.
    const perByte = cost === undefined ? Infinity : cost / Math.max(bytes, 1);
    return {
      stage,
      cost,
      perByte,
      at: usedAt.get(stage.signature) ?? Date.parse(stage.publishedAt ?? "1970-01-01"),
    };
  };
  const isTop = (stage: InventoryStage) => !users.get(stage.signature) && inputs.evictable(stage);
  const tops = stages.filter(isTop).map(weigh);
  const evicted: Evicted[] = [];
  while (total > budgetBytes && tops.length > 0) {
    const first = tops.reduce((a, b) => goesBefore(b, a) ? b : a);
    tops.splice(tops.indexOf(first), 1);
    const { stage, cost } = first;
    const bytes = count.release(stage.digest);
    total -= bytes;
    const took = cost === undefined ? "unknown build time" : `${Math.round(cost)} ms to build`;
    evicted.push({ stage, why: `stages take more than the budget; ${took}, frees ${bytes} bytes` });
    const below = stage.previous === undefined ? undefined : staying.get(stage.previous);
    if (!below) continue;
    users.set(below.signature, users.get(below.signature)! - 1);
    if (isTop(below)) tops.push(weigh(below));
  }
  return evicted;
}

interface Weighed {
  readonly stage: InventoryStage;
  readonly perByte: number;
  readonly at: number;
}

function goesBefore(a: Weighed, b: Weighed): boolean {
  if (a.perByte !== b.perByte) return a.perByte < b.perByte;
  return a.at === b.at ? a.stage.signature < b.stage.signature : a.at < b.at;
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
