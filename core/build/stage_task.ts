import type { LayerRef } from "../contract/builder.ts";
import type { StageRef } from "../contract/events.ts";
import type { StepPlace } from "../contract/place.ts";
import type {
  GrownImage,
  HistoryLine,
  StageOutput,
  StageTask,
  TaskRegistry,
} from "../layers/stage_output.ts";

/** A stage that a build is to make. */
export interface BuildTask extends Omit<StageTask, "parent"> {
  /** How events call it. */
  readonly at: StageRef;
  /** The stage before it, unless it is the first. */
  readonly parent: StageOutput | undefined;
  /** Somebody wants it built anew, whatever is known of it. */
  readonly forced: boolean;
  /** The stage before it was made by this build, so that others may have made this one since the build looked for it. */
  readonly late: boolean;
}

/** A stage whose turn it is. */
export interface WorkTask extends BuildTask {
  /** What the history of the image says of it. */
  readonly line: HistoryLine;
  /** REPO, when stages are published there. */
  readonly registry: TaskRegistry | undefined;
  /** Takes where its commands run. */
  placed(place: StepPlace): void;
  /** Told when no command of it runs any more. */
  ran(): void;
}

/** What a stage is as soon as it is made. */
export interface MadeOutput extends GrownImage {
  /** Layers that it has from elsewhere, where no stage before it has them: those of the images that a Dockerfile names. */
  readonly below?: readonly LayerRef[];
}
