import { isListOf } from "../../lib/guard.ts";
import { isFact } from "../contract/guards.ts";
import type { Store } from "../contract/store.ts";
import type { SignedGraph } from "../sign/sign.ts";
import type { StepPlace } from "../contract/place.ts";
import type { Fact, Signature } from "../contract/signature.ts";

/** What `explain` compares with. */
export interface KnownStage {
  readonly signature: Signature;
  readonly facts: readonly Fact[];
  /** The commit that was built, when it was built here. */
  readonly commit?: string;
  /** Where its commands ran, if they ran for this store. */
  readonly builtBy?: StepPlace;
}

const MEMO = "stage-facts-2";

/** The facts of an earlier stage: of one that was built here, or that came along with another from a registry. */
export async function knownStage(store: Store, signature: Signature): Promise<KnownStage | undefined> {
  const record = await store.stages.record(signature);
  if (record) {
    const { facts, builtBy, origin: { commit } } = record;
    return { signature, facts, ...(commit && { commit }), ...(builtBy && { builtBy }) };
  }
  const facts = await store.memo.get(MEMO, signature, isListOf(isFact));
  return facts && { signature, facts };
}

/** Keeps facts that came along with a stage, and notes which stages of the project they belong to. */
export async function rememberFacts(
  store: Store,
  project: string,
  signed: SignedGraph,
  stages: readonly StageFacts[],
): Promise<void> {
  const come = new Map(stages.map((row) => [row.signature, row]));
  await Promise.all(signed.images.flatMap(({ node, stages }) =>
    stages.map(async ({ spec, signature }) => {
      const row = come.get(signature);
      if (!row) return;
      if (!await store.stages.record(signature)) await store.memo.put(MEMO, signature, row.facts);
      await store.stages.addHistory(project, node.key, spec.name, signature);
    })
  ));
}

/** Facts of one stage, as they travel with the stages that stand on it. */
export interface StageFacts {
  readonly stage: string;
  readonly signature: Signature;
  readonly previous: Signature | null;
  readonly facts: readonly Fact[];
}
