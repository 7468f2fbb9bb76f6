import type { ImageState, StageRecord } from "../contract/store.ts";
import type { SignedImage, SignedStage } from "./sign.ts";

/** What was done to have a stage, beside what is signed. */
export interface StageOutcome
  extends Pick<StageRecord, "buildMs" | "builtBy" | "addedBytes" | "unseen" | "elsewhere"> {
  readonly image: ImageState;
  readonly trees: NonNullable<StageRecord["trees"]>;
  readonly project: string;
  readonly commit?: string | undefined;
}

/** The record of a stage that has come to be here just now. */
export function stageRecord(
  of: SignedImage,
  { signature, previous, spec, facts }: SignedStage,
  { image, trees, project, commit, unseen, elsewhere, buildMs, builtBy, addedBytes }: StageOutcome,
): StageRecord {
  return {
    format: 2,
    signature,
    previous,
    stage: spec.name,
    facts,
    image,
    ...(Object.keys(trees).length > 0 && { trees }),
    ...(unseen && { unseen }),
    ...(elsewhere && { elsewhere }),
    builtAt: new Date().toISOString(),
    buildMs,
    ...(builtBy && { builtBy }),
    addedBytes,
    origin: { project, image: of.node.key, ...(commit && { commit }) },
  };
}
