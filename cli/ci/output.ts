import type { EngineEvent } from "../../mod.ts";
import type { Clock } from "../io.ts";
import { placeIn } from "./annotations.ts";
import { GroupedOutputs } from "./grouped_outputs.ts";
import type { CiLog } from "./log.ts";

/** What the log of a CI system gets of a run beside the lines of everybody. */
export class CiOutput {
  readonly #groups: GroupedOutputs | undefined;

  /** @param dir where the files of remarks are */
  constructor(readonly log: CiLog, clock: Pick<Clock, "date">, readonly dir: string) {
    this.#groups = log.group && new GroupedOutputs(log.group, clock);
  }

  /** What is printed now, of the lines that an event has completed. */
  lines(event: EngineEvent, lines: readonly string[]): readonly string[] {
    return this.#groups?.lines(event, lines) ?? lines;
  }

  /** The line that marks a place, in place of the line of an event. */
  mark(event: EngineEvent): string | undefined {
    if (event.type !== "note" || event.level !== "warn") return undefined;
    return this.log.annotate?.({ level: "warning", ...placeIn(event.text, this.dir) });
  }

  /** What is left, at the end. */
  close(): readonly string[] {
    return this.#groups?.close() ?? [];
  }
}
