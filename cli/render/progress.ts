import type { EngineEvent } from "../../mod.ts";

/** Counts how many of a build's stages are done. */
export class Progress {
  #open = new Set<string>();
  #total = 0;

  /** Takes an event; gives `7/12` when it ends a stage of several, else "". */
  event(event: EngineEvent): string {
    switch (event.type) {
      case "build.started":
        this.#open = new Set(event.stages.map(({ signature }) => signature));
        this.#total = this.#open.size;
        return "";
      case "stage.finished":
      case "stage.reused":
      case "stage.fetched":
        return this.#open.delete(event.signature) && this.#total > 1 ? this.text : "";
      default:
        return "";
    }
  }

  /** `7/12` */
  get text(): string {
    return `${this.#total - this.#open.size}/${this.#total}`;
  }

  /** Several stages are to be made, and some are not. */
  get open(): boolean {
    return this.#total > 1 && this.#open.size > 0;
  }
}
