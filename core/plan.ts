import type { Signature } from "./digest.ts";

/** What a run will do, in the order it will do it. JSON-printable. */
export interface Plan {
  readonly project: string;
  readonly platform: string;
  readonly images: readonly PlannedImage[];
}

export interface PlannedImage {
  readonly name: string;
  readonly kind: "dimg" | "artifact";
  /** Signature of the last stage. */
  readonly signature: Signature;
  readonly stages: readonly PlannedStage[];
}

export interface PlannedStage {
  readonly stage: string;
  readonly signature: Signature;
  /**
   * `cached`: in the store. `covered`: absent, but a later stage is cached. `build`: will be built.
   * `unneeded`: an artifact stage that nothing to be built imports from.
   */
  readonly state: "cached" | "covered" | "build" | "unneeded";
  /** Why, in one sentence. */
  readonly reason: string;
  /** Whether the stage's commands see undeclared files. */
  readonly hermetic: boolean;
}
