import type { EngineEvent } from "../../mod.ts";
import type { Clock } from "../io.ts";
import { stageTitle } from "../render/lines.ts";
import { type CiLog, withoutCommands } from "./log.ts";

type Group = NonNullable<CiLog["group"]>;

/**
 * Output of stages in groups that fold. Groups cannot run beside each other in one log: the output of one stage is shown
 * as it comes, that of others is held back until the group before them is closed.
 */
export class GroupedOutputs {
  #open: string | undefined;
  readonly #held = new Map<string, { readonly lines: string[]; ended: boolean }>();

  constructor(readonly group: Group, readonly clock: Pick<Clock, "date">) {}

  /** What is printed now, of the lines that an event has completed. */
  lines(event: EngineEvent, lines: readonly string[]): readonly string[] {
    if (!("at" in event)) return [];
    const title = stageTitle(event.at);
    const ended = event.type === "stage.finished" || event.type === "stage.failed" ||
      event.type === "stage.stopped";
    const safe = lines.map(withoutCommands);
    if (this.#open === undefined || this.#open === title) {
      const opened = this.#open === undefined && safe.length > 0 ? [this.#start(title)] : [];
      const closed = ended && this.#open === title ? [this.#end(), ...this.#next()] : [];
      return [...opened, ...safe, ...closed];
    }
    const held = this.#held.get(title);
    if (held) {
      held.lines.push(...safe);
      held.ended = ended;
    } else if (safe.length > 0) this.#held.set(title, { lines: [...safe], ended });
    return [];
  }

  /** What is left, at the end. */
  close(): readonly string[] {
    const last = this.#open === undefined ? [] : [this.#end()];
    for (const held of this.#held.values()) held.ended = true;
    return [...last, ...this.#next()];
  }

  /** Groups of stages that have ended, and the beginning of one that runs. */
  #next(): readonly string[] {
    const out: string[] = [];
    for (const [title, { lines, ended }] of this.#held) {
      if (!ended) continue;
      this.#held.delete(title);
      out.push(this.#start(title), ...lines, this.#end());
    }
    const [running] = this.#held;
    if (!running) return out;
    const [title, { lines }] = running;
    this.#held.delete(title);
    return [...out, this.#start(title), ...lines];
  }

  #start(title: string): string {
    this.#open = title;
    return this.group.open(title, this.#seconds());
  }

  #end(): string {
    const title = this.#open!;
    this.#open = undefined;
    return this.group.close(title, this.#seconds());
  }

  #seconds(): number {
    return Math.floor(this.clock.date() / 1000);
  }
}
