import type { ContainerConfig } from "../../lib/oci/types.ts";
import { EngineError } from "../contract/errors.ts";
import type { GrownImage } from "../layers/stage_output.ts";
import { stageTitle } from "../sign/graph.ts";
import { applyInstructions, InstructionError } from "./docker_instructions.ts";
import type { BuildTask } from "./stage_task.ts";

/** What an image says of its containers after its `docker` instructions. @throws CONFIG_INVALID when one cannot be carried out */
export function containerOf(
  { at, image: { node: { rule } } }: Pick<BuildTask, "at" | "image">,
  parent: Pick<GrownImage, "config">,
): ContainerConfig {
  try {
    return applyInstructions(parent.config.config ?? {}, rule.docker ?? {});
  } catch (error) {
    if (!(error instanceof InstructionError)) throw error;
    const where = `\`docker\` of the document at line ${rule.line} of ${rule.file ?? "the dappfile"}`;
    const fix = error.hint === undefined ? `Correct ${where}` : `${error.hint}; correct ${where}`;
    const text = `Cannot build ${stageTitle(at)}: ${error.message}`;
    throw new EngineError("CONFIG_INVALID", text, { fix, cause: error });
  }
}
