/** The end of each running stage's output, to be repeated when the stage fails and it is not in sight any more. */
import type { EngineEvent } from "../../mod.ts";
import { stageTitle } from "./lines.ts";

/** Lines repeated after a failure. */
export const TAIL_LINES = 20;
const TAIL_CHARACTERS = 16 * 1024;

export interface FailedStage {
  readonly title: string;
  /** Raw text, the last lines. */
  readonly output: string;
  /** Whether a log of all events ends with that output and the failure, nothing of other stages between. */
  inSight: boolean;
}

interface Open {
  output: string;
  /** The end of it, after what another stage printed last. */
  together: string;
}

export class Tails {
  readonly #open = new Map<string, Open>();
  readonly failed: FailedStage[] = [];

  event(event: EngineEvent): void {
    if (event.type !== "detail") { for (const stage of this.failed) stage.inSight = false; }
    if (event.type === "stage.output") {
      const title = stageTitle(event.at);
      for (const [other, open] of this.#open) if (other !== title) open.together = "";
      const { output, together } = this.#open.get(title) ?? { output: "", together: "" };
      this.#open.set(title, { output: end(output + event.text), together: end(together + event.text) });
    } else if (event.type === "stage.finished" || event.type === "stage.failed") {
      const title = stageTitle(event.at);
      const { output, together } = this.#open.get(title) ?? { output: "", together: "" };
      this.#open.delete(title);
      if (event.type === "stage.finished" || output === "") return;
      const inSight = together === output || together.split("\n").length > TAIL_LINES;
      this.failed.push({ title, output, inSight });
    }
  }
}

function end(text: string): string {
  return text.slice(-TAIL_CHARACTERS);
}
