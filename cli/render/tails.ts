/** The end of each running stage's output, to be repeated when the stage fails. */
import type { EngineEvent } from "../../mod.ts";
import { stageTitle } from "./lines.ts";

/** Lines repeated after a failure. */
export const TAIL_LINES = 20;
const TAIL_CHARACTERS = 16 * 1024;

export interface FailedStage {
  readonly title: string;
  /** Raw text, the last lines. */
  readonly output: string;
}

export class Tails {
  readonly #open = new Map<string, string>();
  readonly failed: FailedStage[] = [];

  event(event: EngineEvent): void {
    if (event.type === "stage.output") {
      const title = stageTitle(event.at);
      this.#open.set(title, ((this.#open.get(title) ?? "") + event.text).slice(-TAIL_CHARACTERS));
    } else if (event.type === "stage.finished" || event.type === "stage.failed") {
      const title = stageTitle(event.at);
      const text = this.#open.get(title);
      this.#open.delete(title);
      if (event.type === "stage.failed" && text) this.failed.push({ title, output: text });
    }
  }
}
