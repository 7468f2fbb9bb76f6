import type { Introspection } from "./api.ts";
import type { StageRef } from "./events.ts";
import type { SignedImage } from "./sign.ts";
import type { StageOutput } from "./stage_output.ts";
import type { StageWorker } from "./stage_work.ts";

/** Opens shells at the points the user asked for. */
export interface Introspector {
  readonly error: boolean;
  readonly beforeError: boolean;
  before(
    at: StageRef,
    parent: StageOutput | undefined,
    worker: StageWorker,
    image: SignedImage,
  ): Promise<void>;
  after(at: StageRef, output: StageOutput, worker: StageWorker, image: SignedImage): Promise<void>;
}

export const noIntrospection: Introspector = {
  error: false,
  beforeError: false,
  before: () => Promise.resolve(),
  after: () => Promise.resolve(),
};

/** The introspector for what `build` was asked. Stage names are those of `plan`; `install` also means `install.1`. */
export function createIntrospector(wanted: Introspection): Introspector {
  const matches = (at: StageRef, dimg: string | undefined, artifact: string | undefined) =>
    at.stage === (at.kind === "dimg" ? dimg : artifact);
  return {
    error: wanted.error ?? false,
    beforeError: wanted.beforeError ?? false,
    async before(at, parent, worker, image) {
      if (parent && matches(at, wanted.before, wanted.artifactBefore)) {
        await worker.inspect(at, parent, image, "before");
      }
    },
    async after(at, output, worker, image) {
      if (matches(at, wanted.stage, wanted.artifactStage)) await worker.inspect(at, output, image, "after");
    },
  };
}
