import type { Signature } from "../contract/signature.ts";
import type { StepPlace } from "../contract/place.ts";
import type { StageRef } from "../contract/events.ts";
import type { StageTimes } from "../contract/results.ts";

/** What became of a stage of this build. */
export type StageOutcome =
  | ({ readonly state: "built" } & StageTimes)
  | { readonly state: "reused" }
  | { readonly state: "fetched" };

/** Keeps account of the stages of a build: which are to be made, which are being made, and what became of them. */
export class Ledger {
  readonly #planned = new Map<Signature, StageRef>();
  readonly #running = new Map<Signature, StageRef>();
  readonly #begun = new Set<Signature>();
  readonly #places = new Map<Signature, StepPlace>();
  readonly #ended = new Map<Signature, StageOutcome | undefined>();

  /** A stage will be made, unless it comes from elsewhere meanwhile. */
  plan(signature: Signature, at: StageRef): void {
    if (!this.#planned.has(signature)) this.#planned.set(signature, at);
  }

  start(signature: Signature, at: StageRef): void {
    this.#running.set(signature, at);
    this.#begun.add(signature);
  }

  /** Its commands run there. */
  place(signature: Signature, place: StepPlace): void {
    this.#places.set(signature, place);
  }

  /** Where its commands ran last. */
  placeOf(signature: Signature): StepPlace | undefined {
    return this.#places.get(signature);
  }

  /** Its work is done, and being saved. */
  save(signature: Signature): void {
    this.#running.delete(signature);
  }

  /** Without an outcome the stage failed, or was stopped. */
  end(signature: Signature, outcome?: StageOutcome): void {
    this.#running.delete(signature);
    this.#ended.set(signature, outcome);
  }

  outcome(signature: Signature): StageOutcome | undefined {
    return this.#ended.get(signature);
  }

  get planned(): readonly (readonly [Signature, StageRef])[] {
    return [...this.#planned];
  }

  /** Stages whose work goes on. */
  get running(): readonly StageRef[] {
    return [...this.#running.values()];
  }

  /** Stages that were to be made and were not begun. */
  get notStarted(): readonly StageRef[] {
    return [...this.#planned].flatMap(([signature, at]) =>
      this.#begun.has(signature) || this.#ended.has(signature) ? [] : [at]
    );
  }
}
