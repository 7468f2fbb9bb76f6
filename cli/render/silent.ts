/** Renderers that print no progress: for scripts and programs. */
import type { EngineEvent } from "../../mod.ts";
import type { Output } from "../io.ts";
import type { Renderer, Step } from "./renderer.ts";

/** Prints nothing: only the answer and errors are wanted. */
export class QuietRenderer implements Renderer {
  event(): void {}
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
    this.out.write(`${JSON.stringify({ ...event, time: "time" in event ? event.time : now() })}\n`);
  }

  note(text: string): void {
    this.event({ type: "note", level: "info", text });
  }

  close(): void {}
}

function now(): string {
  return new Date().toISOString();
}
