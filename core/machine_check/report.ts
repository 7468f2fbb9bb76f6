import { EngineError, explained, messageOf } from "../contract/errors.ts";

/** One thing that was looked at. */
export interface MachineCheck {
  /** `git`, `store`, `builder native`. */
  readonly name: string;
  /** `invalid`: it is there, but wrong. `unset`: nobody asked for it, or what it needs is missing. */
  readonly result: "ok" | "missing" | "invalid" | "unset";
  /** What was found, or why it does not work; one sentence. */
  readonly detail: string;
  /** What to do. */
  readonly fix?: string;
}

/** What this machine can do. */
export interface MachineReport {
  /** Whether the images of the project can be built here; without one, whether images with commands can. */
  readonly canBuild: boolean;
  /** In the order of reading. */
  readonly checks: readonly MachineCheck[];
}

/** A row of what does not work. */
export function broken(name: string, thrown: unknown): MachineCheck {
  const error = explained(thrown);
  const detail = messageOf(error);
  if (!(error instanceof EngineError)) return { name, result: "missing", detail };
  const { code, fix } = error;
  return { name, result: code.endsWith("_INVALID") ? "invalid" : "missing", detail, fix };
}

/** A row of what nobody asked for. */
export function unset(name: string, detail: string, fix?: string): MachineCheck {
  return { name, result: "unset", detail, ...(fix !== undefined && { fix }) };
}
