import type { EngineEvent } from "../../mod.ts";
import type { Style } from "../style.ts";
import { stageTitle } from "./lines.ts";
import { LineBuffer } from "./output_lines.ts";

/** Turns output events into prefixed lines, and gives what is left of a stage's output when the stage ends. */
export class StageOutputs {
  readonly #open = new Map<string, { readonly stdout: LineBuffer; readonly stderr: LineBuffer }>();

  constructor(readonly style: Style) {}

  /** Lines that this event completes. */
  lines(event: EngineEvent): readonly string[] {
    if (event.type !== "stage.output" && event.type !== "stage.finished" && event.type !== "stage.failed") {
      return [];
    }
    const title = stageTitle(event.at);
    const prefix = this.style.dim(`${title} │ `);
    if (event.type !== "stage.output") {
      const buffers = this.#open.get(title);
      this.#open.delete(title);
      const rest = [buffers?.stdout.end(), buffers?.stderr.end()];
      return rest.filter((line) => line !== undefined).map((line) => prefix + line);
    }
    let buffers = this.#open.get(title);
    if (!buffers) {
      const { enabled } = this.style;
      buffers = { stdout: new LineBuffer(enabled), stderr: new LineBuffer(enabled) };
      this.#open.set(title, buffers);
    }
    return buffers[event.stream].add(event.text).map((line) => prefix + line);
  }
}
