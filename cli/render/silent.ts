/** Renderers that print no progress: for scripts and programs. */
import type { EngineEvent } from "../../mod.ts";
import { withoutHashes } from "../format.ts";
import type { Output } from "../io.ts";
import type { Style } from "../style.ts";
import { linesFor } from "./lines.ts";
import type { Renderer, Step } from "./renderer.ts";

/** Prints no progress: only the answer, errors, and warnings of what the answer is not. */
export class QuietRenderer implements Renderer {
  constructor(readonly out: Output, readonly style: Style) {}

  event(event: EngineEvent): void {
    if (event.type !== "note" || event.level !== "warn") return;
    for (const line of linesFor(event, { style: this.style, verbose: false, progress: "" })) {
      this.out.write(`${line}\n`);
    }
  }

  step(): void {}
  note(): void {}
  close(): void {}
}

/** Prints each event as one line of JSON. */
export class JsonRenderer implements Renderer {
  constructor(readonly out: Output) {}

  event(event: EngineEvent): void {
    this.#write(event);
  }

  step({ event }: Step): void {
    this.#write(event);
  }

  /** Events of the engine bring their time; what the command line tells itself happens now. */
  #write(event: object): void {
    const text = JSON.stringify({ ...event, time: "time" in event ? event.time : now() });
    this.out.write(`${withoutHashes(text)}\n`);
  }

  note(text: string): void {
    this.event({ type: "note", level: "info", text });
  }

  close(): void {}
}

function now(): string {
  return new Date().toISOString();
}
