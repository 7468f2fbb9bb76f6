import { groupBy } from "../../lib/group_by.ts";
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

/** Keeps facts that come along with stages, and notes which stages of the project they belong to: each once. */
export class ComingFacts {
  /** Of stages whose facts have not come yet. */
  readonly #places: Map<Signature, readonly { readonly image: string; readonly stage: string }[]>;

  constructor(readonly store: Store, readonly project: string, { images }: SignedGraph) {
    const places = images.flatMap(({ node, stages }) =>
      stages.map(({ spec, signature }) => ({ signature, image: node.key, stage: spec.name }))
    );
    this.#places = groupBy(places, ({ signature }) => signature);
  }

  async keep(rows: readonly StageFacts[]): Promise<void> {
    const { stages, memo } = this.store;
    await Promise.all(rows.map(async ({ signature, facts }) => {
      const places = this.#places.get(signature);
      if (!places) return;
      this.#places.delete(signature);
      if (!await stages.record(signature)) await memo.put(MEMO, signature, facts);
      for (const { image, stage } of places) await stages.addHistory(this.project, image, stage, signature);
    }));
  }
}

/** Facts of one stage, as they travel with the stages that stand on it. */
export interface StageFacts {
  readonly stage: string;
  readonly signature: Signature;
  readonly previous: Signature | null;
  readonly facts: readonly Fact[];
}
