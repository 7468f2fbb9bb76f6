import type { Digest } from "../../lib/oci/digest.ts";
import type { StepPlace } from "./place.ts";
import type { BuildTimes, StageTimes } from "./results.ts";

/** Names a stage of an image in events and errors. `image` is "" for the nameless dimg. */
export interface StageRef {
  /** Name of the image; "" is the nameless dimg. */
  readonly image: string;
  /** A dimg, or an artifact. */
  readonly kind: "dimg" | "artifact";
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
}

/** All that happens during a run, in order; renderers turn it into text. Times are milliseconds, sizes bytes. */
export type EngineEvent =
  /** Something the user should know once: "uncommitted changes are not included". */
  | { readonly type: "note"; readonly level: "info" | "warn"; readonly text: string }
  /** Detail for `--verbose`: which plugin claimed, which command ran. */
  | { readonly type: "detail"; readonly text: string }
  /** What a build will make, in no order. Each ends as finished, reused, fetched, failed or stopped, or is not begun. */
  | {
    readonly type: "build.started";
    readonly stages: readonly { readonly at: StageRef; readonly signature: string }[];
  }
  /** A stage whose turn it is has to wait; it is started, reused or fetched after that. */
  | {
    readonly type: "stage.waiting";
    readonly at: StageRef;
    readonly signature: string;
    readonly reason: string;
  }
  /** It is there already: in the store, or under work that another process has done. */
  | {
    readonly type: "stage.reused";
    readonly at: StageRef;
    readonly signature: string;
    readonly reason: string;
  }
  /** It is being built; `reason` says why it has to be. */
  | {
    readonly type: "stage.started";
    readonly at: StageRef;
    readonly signature: string;
    readonly reason: string;
  }
  /** Its commands run elsewhere than on this machine: told before they do, and again when that place was lost. */
  | {
    readonly type: "stage.placed";
    readonly at: StageRef;
    readonly signature: string;
    readonly place: StepPlace;
  }
  /** One chunk of the stage command's own output, decoded, cut at line ends where possible. */
  | {
    readonly type: "stage.output";
    readonly at: StageRef;
    readonly stream: "stdout" | "stderr";
    readonly text: string;
  }
  /** The work is done; what it added is being compressed and stored, while later stages may run. */
  | { readonly type: "stage.saving"; readonly at: StageRef; readonly signature: string }
  /** Built and saved. `ms` is its own time: `runningMs` + `savingMs`. */
  | StageTimes & {
    readonly type: "stage.finished";
    readonly at: StageRef;
    readonly signature: string;
    /** Compressed size of the layer it added; 0 when it added none. */
    readonly size: number;
  }
  /** It ends with an error, which the run reports as well. */
  | {
    readonly type: "stage.failed";
    readonly at: StageRef;
    readonly signature: string;
    readonly message: string;
    /** Of the first that failed: what still runs, and will end as it may. */
    readonly running?: readonly StageRef[];
    /** Of the first that failed: what was to be built and will not be begun. */
    readonly notStarted?: readonly StageRef[];
  }
  /** It ran when another stage failed, and was stopped. */
  | { readonly type: "stage.stopped"; readonly at: StageRef; readonly signature: string }
  /** An image is whole and saved. */
  | {
    readonly type: "image.ready";
    readonly image: string;
    readonly kind: "dimg" | "artifact";
    /** Manifest digest in the store. What is published has another one, with the facts of its tag: `tag.published`. */
    readonly digest: Digest;
    readonly signature: string;
    readonly built: number;
    readonly reused: number;
    /** From the beginning of the build until this image was saved: the sum of its parts. */
    readonly ms: number;
    readonly preparingMs: number;
    readonly waitingMs: number;
    readonly runningMs: number;
    readonly savingMs: number;
  }
  /** All images of a build are ready. */
  | BuildTimes & {
    readonly type: "build.finished";
    readonly images: number;
    readonly stagesBuilt: number;
    readonly stagesReused: number;
    /** The stages that took longest, the slowest first. */
    readonly slowest: readonly { readonly at: StageRef; readonly ms: number }[];
  }
  /** A stage is in REPO now. */
  | {
    readonly type: "stage.published";
    readonly at: StageRef;
    readonly signature: string;
    /** The full name with tag. */
    readonly reference: string;
    /** Compressed bytes of all its layers, also of those that were there. */
    readonly size: number;
    readonly ms: number;
  }
  /** A stage was taken from a registry instead of being built; `size` is what was downloaded, `left` what was not. */
  | {
    readonly type: "stage.fetched";
    readonly at: StageRef;
    readonly signature: string;
    /** The repository it came from. */
    readonly from: string;
    readonly size: number;
    /** Compressed bytes of the layers that stay there, since nothing needs them here. Absent when all are brought. */
    readonly left?: number;
    readonly ms: number;
  }
  /** A tag of a dimg is live, was there before, or would be written if this were no dry run. */
  | {
    readonly type: "tag.published";
    readonly image: string;
    /** The full name with tag. */
    readonly reference: string;
    /** Manifest digest, when it is known. */
    readonly digest?: Digest;
    readonly state: "pushed" | "exists" | "would push";
  }
  /** A registry, or who logs in to it, has said nothing for `ms`, and is waited for; `reason` says what for. */
  | { readonly type: "registry.waiting"; readonly host: string; readonly ms: number; readonly reason: string }
  /** A download, upload, unpacking or export. `id` ties the three together; `total` is 0 when unknown. */
  | { readonly type: "transfer.started"; readonly id: string; readonly what: string; readonly total: number }
  /** How far a transfer has come: first, last, and every 50 ms at most. */
  | { readonly type: "transfer.progress"; readonly id: string; readonly done: number; readonly total: number }
  /** A transfer is over, with so many bytes done; short of its end it has `failed`, or was `stopped`, with the run or another. */
  | {
    readonly type: "transfer.finished";
    readonly id: string;
    readonly done: number;
    readonly ms: number;
    readonly failed?: true;
    readonly stopped?: true;
  }
  /** Another process holds what this one needs. */
  | { readonly type: "lock.waiting"; readonly resource: string; readonly holder: string };

/** An event as it is told: with the moment, in UTC with milliseconds: `2026-01-02T03:04:05.678Z`. */
export type TimedEvent = EngineEvent & { readonly time: string };

/** What a plugin may tell; everything else that happens is dapp's to tell. */
export type PluginEvent = Extract<EngineEvent, Record<"type", "note" | "detail" | "registry.waiting">>;

/** Receives events inside of the engine. */
export type EventSink = (event: EngineEvent) => void;

/** Emits an event with its time, without letting a renderer's mistake end the build. */
export function safeEmit(sink: ((event: TimedEvent) => void) | undefined): EventSink {
  return (event) => {
    // A renderer that cannot print must not fail the work, whether it says so now or later.
    try {
      const told: unknown = sink?.({ ...event, time: new Date().toISOString() });
      if (told instanceof Promise) told.catch(() => {});
    } catch {
      return;
    }
  };
}
