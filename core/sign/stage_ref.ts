import type { StageRef } from "../contract/events.ts";
import type { SignedImage, SignedStage } from "./sign.ts";

/** How events call a stage. */
export function refOf(image: SignedImage, stage: SignedStage): StageRef {
  return { image: image.node.rule.name, kind: image.node.rule.kind, stage: stage.spec.name };
}
