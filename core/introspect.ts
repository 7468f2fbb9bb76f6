import type { Introspection } from "./api.ts";
import type { StageRef } from "./events.ts";

/** Where the user asked for a shell. */
export interface Introspector {
  /** In the failed stage. */
  readonly error: boolean;
  /** In what the failed stage started from. */
  readonly beforeError: boolean;
  before(at: StageRef): boolean;
  after(at: StageRef): boolean;
}

/** Stage names are those of `plan`. */
export function createIntrospector(wanted: Introspection = {}): Introspector {
  return {
    error: wanted.error ?? false,
    beforeError: wanted.beforeError ?? false,
    before: ({ kind, stage }) => stage === (kind === "dimg" ? wanted.before : wanted.artifactBefore),
    after: ({ kind, stage }) => stage === (kind === "dimg" ? wanted.stage : wanted.artifactStage),
  };
}
