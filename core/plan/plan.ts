import { isOwn } from "../sign/base_rule.ts";
import { differing, diffFacts, type ListingReader, summarise } from "./diff.ts";
import { imageKey, imageTitle } from "../sign/graph.ts";
import { type KnownStage, knownStage } from "./known_facts.ts";
import type { HistoryRow, StageRecord, Store } from "../contract/store.ts";
import { lastStage, type SignedGraph, type SignedImage, type SignedStage } from "../sign/sign.ts";
import type { FactChange, Plan, PlannedImage, PlannedStage } from "../contract/results.ts";
import type { Signature } from "../contract/signature.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** How many earlier builds are looked at for one that is nearer than the newest. */
const LOOK_BACK = 10;

/** How a stage differs from the nearest earlier build of the same stage of the same image. */
export interface Comparison {
  readonly with?: { readonly stage: KnownStage; readonly at: string };
  readonly changes: readonly FactChange[];
  /** One sentence. */
  readonly reason: string;
}

/** A stage in a registry, above those in the store. */
export interface SharedTop {
  readonly index: number;
  /** Name of the repository. */
  readonly place: string;
}

/** What planning asks. */
export interface PlanInputs {
  readonly project: string;
  readonly platform: string;
  readonly store: Store;
  readonly listing: ListingReader;
  /** Highest stages in registries, where they are above those in the store. */
  readonly locate?: (
    signed: SignedGraph,
    tops: CachedTops,
    roots: ReadonlySet<string>,
  ) => Promise<ReadonlyMap<string, SharedTop>>;
}

/** The record of the highest cached stage of each image that has one. */
export type CachedTops = ReadonlyMap<string, { readonly index: number; readonly record: StageRecord }>;

/**
 * Finds the highest cached stage of each image: one look-up for an image that is up to date. With `elsewhere` also those
 * whose layers are in that repository, as far as this machine knows.
 */
export async function findTops(
  signed: SignedGraph,
  store: Store,
  elsewhere: (repository: string) => boolean = () => false,
): Promise<CachedTops> {
  const tops = new Map<string, { index: number; record: StageRecord }>();
  await Promise.all(signed.images.map(async (image) => {
    for (let index = image.stages.length - 1; index >= 0; index--) {
      const { signature } = image.stages[index]!;
      const record = await store.stages.whole(signature) ?? await recordAt(store, signature, elsewhere);
      if (record) return void tops.set(image.node.key, { index, record });
    }
  }));
  return tops;
}

async function recordAt(
  store: Store,
  signature: Signature,
  elsewhere: (repository: string) => boolean,
): Promise<StageRecord | undefined> {
  const record = await store.stages.record(signature);
  return record?.elsewhere && elsewhere(record.elsewhere.repository) ? record : undefined;
}

/** The same without the given stages and those above them. */
export async function withoutStages(
  signed: SignedGraph,
  tops: CachedTops,
  forced: ReadonlySet<Signature>,
  store: Store,
): Promise<CachedTops> {
  const out = new Map(tops);
  for (const [key, { index }] of tops) {
    const { stages } = signed.image(key);
    const first = stages.findIndex((stage) => forced.has(stage.signature));
    if (first < 0 || first > index) continue;
    out.delete(key);
    for (let i = first - 1; i >= 0; i--) {
      const record = await store.stages.whole(stages[i]!.signature);
      if (!record) continue;
      out.set(key, { index: i, record });
      break;
    }
  }
  return out;
}

/** The images that a build of `roots` touches: those, and what their missing stages stand on or import from. */
export function neededImages(
  signed: SignedGraph,
  tops: ReadonlyMap<string, { readonly index: number }>,
  roots: ReadonlySet<string>,
): ReadonlySet<string> {
  const needed = new Set(roots);
  // Later images need earlier ones, never the reverse.
  for (const image of [...signed.images].reverse()) {
    if (!needed.has(image.node.key)) continue;
    const top = tops.get(image.node.key)?.index ?? -1;
    for (const stage of image.stages.slice(top + 1)) {
      for (const key of imagesOf(image, stage)) needed.add(key);
    }
  }
  return needed;
}

/** Keys of other images that one stage uses directly. */
export function imagesOf(image: SignedImage, stage: SignedStage): string[] {
  const { work } = stage.spec;
  const { base } = image.node.rule;
  switch (work.kind) {
    case "import":
      return work.rules.map((r) => imageKey("artifact", r.artifact));
    case "from":
      return isOwn(base) ? [imageKey(base.kind, base.name)] : [];
    case "dockerfile":
    case "git":
    case "run":
    case "docker":
      return [];
    default:
      return unreachable(work);
  }
}

/** States what a build of `roots` will do to every stage, and why. */
export async function planBuild(
  signed: SignedGraph,
  roots: ReadonlySet<string>,
  inputs: PlanInputs,
): Promise<Plan> {
  const local = await findTops(signed, inputs.store);
  const shared = await inputs.locate?.(signed, local, roots) ?? new Map<string, SharedTop>();
  const tops = new Map<string, { readonly index: number }>([...local, ...shared]);
  const needed = neededImages(signed, tops, roots);
  const images: PlannedImage[] = [];
  for (const image of signed.images) {
    const { rule, key } = image.node;
    const top = tops.get(key)?.index ?? -1;
    const stages: PlannedStage[] = [];
    let rebuilt: string | undefined;
    for (const [i, { spec, signature, hermetic }] of image.stages.entries()) {
      const at = { stage: spec.name, signature, hermetic };
      if (i <= top) {
        const place = shared.get(key)?.place ?? "the store";
        const cached = i === top || await inputs.store.stages.whole(signature) !== undefined;
        const above = image.stages[top]!.spec.name;
        stages.push({
          ...at,
          state: cached ? "cached" : "covered",
          reason: !cached
            ? `not needed: ${above} is in ${place}`
            : i === top
            ? `in ${place}`
            : "in the store",
        });
      } else if (!needed.has(key)) {
        stages.push({ ...at, state: "unneeded", reason: "nothing that will be built uses it" });
      } else {
        const { reason } = await compareStage(image, image.stages[i]!, inputs, rebuilt);
        stages.push({ ...at, state: "build", reason });
        rebuilt = spec.name;
      }
    }
    images.push({ name: rule.name, kind: rule.kind, signature: lastStage(image).signature, stages });
  }
  return { project: inputs.project, platform: inputs.platform, images };
}

/** Compares a stage with the earlier build that is nearest to it; `rebuilt` names the stage before it when that is rebuilt too. */
export async function compareStage(
  image: SignedImage,
  stage: SignedStage,
  inputs: Pick<PlanInputs, "project" | "store" | "listing">,
  rebuilt?: string,
): Promise<Comparison> {
  const { rule } = image.node;
  const title = imageTitle(rule.kind, rule.name);
  const rows = await inputs.store.stages.history(inputs.project, image.node.key, stage.spec.name);
  const nearest = await nearestBuild(stage, rows, inputs.store);
  if (nearest) {
    const changes = await diffFacts(nearest.stage.facts, stage.facts, inputs.listing);
    const reason = changes.length > 0
      ? summarise(changes)
      : rebuilt
      ? `${rebuilt} before it is rebuilt`
      : "the stage before it changed";
    return { with: nearest, changes, reason };
  }
  const again = rows.some((row) => row.signature === stage.signature);
  return { changes: [], reason: again ? await whyAgain(inputs.store, stage) : `first build for ${title}` };
}

/**
 * The earlier build with the fewest other facts, the newest of several: what was changed, built and changed back is not
 * told as a change. One that differs in files alone is taken without a look at older ones.
 */
async function nearestBuild(
  { signature: own, facts }: SignedStage,
  rows: readonly HistoryRow[],
  store: Store,
): Promise<Comparison["with"]> {
  let nearest: { readonly found: NonNullable<Comparison["with"]>; readonly others: number } | undefined;
  for (const [i, { signature, at }] of rows.entries()) {
    if (nearest && i >= LOOK_BACK) break;
    const known = signature === own ? undefined : await knownStage(store, signature);
    if (!known) continue;
    const others = differing(known.facts, facts);
    if (!nearest || others.length < nearest.others) {
      nearest = { found: { stage: known, at }, others: others.length };
    }
    if (others.every(({ a, b }) => (a ?? b)?.listing)) break;
  }
  return nearest?.found;
}

/** Why a stage is built that was built before. */
async function whyAgain({ stages }: Store, { signature }: SignedStage): Promise<string> {
  const record = await stages.record(signature);
  if (!record) return "it was built before, and is not in this store";
  if (record.elsewhere) return `layers of it were left in ${record.elsewhere.repository}`;
  return await stages.whole(signature)
    ? "it is in the store and built anew"
    : "layers of it are gone from the store";
}
