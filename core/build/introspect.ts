import type { StageRef } from "../contract/events.ts";
import { requireStage } from "../plan/explain.ts";
import type { SignedImage } from "../sign/sign.ts";

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

/**
 * Makes sure that the stages in which shells are wanted are some of these images, built or not.
 *
 * @throws STAGE_UNKNOWN
 */
export function requireStages(wanted: Introspection, images: readonly SignedImage[]): void {
  for (const kind of ["dimg", "artifact"] as const) {
    const own = images.filter(({ node }) => node.rule.kind === kind);
    const names = kind === "dimg"
      ? [wanted.stage, wanted.before]
      : [wanted.artifactStage, wanted.artifactBefore];
    for (const name of names) if (name !== undefined) requireStage(own, name);
  }
}

/** What a build may be asked for beside what to build. */
export interface BuildOptions {
  /** When to open a shell in a stage. */
  readonly introspect?: Introspection;
  /** When a stage fails, stop those that still run instead of letting them end. @default false */
  readonly failFast?: boolean;
  /** Say what became of every stage also when none was to be built, which takes a look at each. @default false */
  readonly stages?: boolean;
}

/** When to open a shell in a stage. Stage names as `plan` prints them; needs a terminal. */
export interface Introspection {
  /** In the failed stage, with what its commands wrote so far. */
  readonly error?: boolean;
  /** In the file system the failed stage started from. */
  readonly beforeError?: boolean;
  /** After this stage is available, built or cached. */
  readonly stage?: string;
  /** Before this stage, in its parent, with its mounts. */
  readonly before?: string;
  /** Same two for artifacts. */
  readonly artifactStage?: string;
  /** Before this stage of an artifact. */
  readonly artifactBefore?: string;
}
