/** What turns events into text while a command works. */
import type { EngineEvent } from "../../mod.ts";

export interface Renderer {
  event(event: EngineEvent): void;
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
  readonly env: Readonly<Record<string, string | undefined>>;
}): RendererKind {
  if (wanted.json === "events") return "json";
  if (wanted.quiet) return "quiet";
  const { CI, TERM } = wanted.env;
  const watched = wanted.isTerminal && !wanted.shell && TERM !== "dumb" &&
    (!CI || CI === "false" || CI === "0");
  return watched ? "tty" : "plain";
}
