import type { SignedStage } from "./sign.ts";

/** Whether a builder makes a stage; all others the engine makes itself. */
export function needsBuilder({ spec: { work } }: Pick<SignedStage, "spec">): boolean {
  return work.kind === "dockerfile" || (work.kind === "run" && work.commands.length > 0);
}
