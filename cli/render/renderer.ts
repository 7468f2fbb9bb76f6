/** What turns events into text while a command works. */
import type { Environment } from "../../lib/environment.ts";
import type { EngineEvent } from "../../mod.ts";
import type { Style } from "../style.ts";

/** Something that happened in work that a command follows itself. */
export interface Step {
  /** For programs. */
  readonly event: { readonly type: string };
  /** The line that stays. */
  readonly line?: (style: Style) => string;
  /** How far the work has come, until the next one; "" when it is done. */
  readonly live?: string;
}

export interface Renderer {
  event(event: EngineEvent): void;
  step(step: Step): void;
  /** A remark of the command line itself. */
  note(text: string): void;
  /** Prints what is pending and leaves the terminal as it was found. */
  close(): void;
}

export type RendererKind = "tty" | "plain" | "quiet" | "json";

/** Live progress needs a terminal on stderr that can move its cursor, and someone who looks at it. */
export function chooseRenderer(wanted: {
  readonly json: string | undefined;
  readonly quiet: boolean;
  readonly isTerminal: boolean;
  /** A shell will share the terminal. */
  readonly shell: boolean;
  readonly env: Environment;
}): RendererKind {
  if (wanted.json === "events") return "json";
  if (wanted.quiet) return "quiet";
  const watched = wanted.isTerminal && !wanted.shell && wanted.env.TERM !== "dumb" && !inCi(wanted.env);
  return watched ? "tty" : "plain";
}

/** Whether nobody looks, even if there is a terminal. */
export function inCi({ CI }: Environment): boolean {
  return Boolean(CI) && CI !== "false" && CI !== "0";
}
