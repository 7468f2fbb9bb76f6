import type { EngineEvent } from "../../mod.ts";
import type { Clock, Output } from "../io.ts";
import { placeIn } from "./annotations.ts";
import { GroupedOutputs } from "./grouped_outputs.ts";
import { type CiLog, withoutCommands } from "./log.ts";

/** What the log of a CI system gets of a run beside the lines of everybody. */
export class CiOutput {
  readonly #groups: GroupedOutputs | undefined;

  /** @param out the log itself @param dir where the files of remarks are */
  constructor(readonly log: CiLog, readonly out: Output, clock: Pick<Clock, "date">, readonly dir: string) {
    this.#groups = log.group && new GroupedOutputs(log.group, clock);
  }

  /** Prints what is to be seen now, of the lines that an event has completed. */
  lines(event: EngineEvent, lines: readonly string[]): void {
    this.#print(this.#groups?.lines(event, lines) ?? lines.map(withoutCommands));
  }

  /** Prints the line that marks a place, in place of the line of an event; false where there is none. */
  mark(event: EngineEvent): boolean {
    if (event.type !== "note" || event.level !== "warn" || !this.log.annotate) return false;
    this.#print([this.log.annotate({ level: "warning", ...placeIn(event.text, this.dir) })]);
    return true;
  }

  /** Prints what is left, at the end. */
  close(): void {
    this.#print(this.#groups?.close() ?? []);
  }

  #print(lines: readonly string[]): void {
    for (const line of lines) this.out.write(`${line}\n`);
  }
}
