import type { Digest } from "../../lib/oci/digest.ts";

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
  | {
    readonly type: "stage.reused";
    readonly at: StageRef;
    readonly signature: string;
    readonly reason: string;
  }
  | {
    readonly type: "stage.started";
    readonly at: StageRef;
    readonly signature: string;
    readonly reason: string;
  }
  /** One chunk of the stage command's own output, decoded, cut at line ends where possible. */
  | {
    readonly type: "stage.output";
    readonly at: StageRef;
    readonly stream: "stdout" | "stderr";
    readonly text: string;
  }
  | {
    readonly type: "stage.finished";
    readonly at: StageRef;
    readonly signature: string;
    readonly ms: number;
    /** Compressed size of the layer it added; 0 when it added none. */
    readonly size: number;
  }
  | {
    readonly type: "stage.failed";
    readonly at: StageRef;
    readonly signature: string;
    readonly message: string;
  }
  | {
    readonly type: "image.ready";
    readonly image: string;
    readonly kind: "dimg" | "artifact";
    /** Manifest digest. */
    readonly digest: Digest;
    readonly signature: string;
    readonly built: number;
    readonly reused: number;
    readonly ms: number;
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
  /** A stage was taken from a registry instead of being built; `size` is what was downloaded. */
  | {
    readonly type: "stage.fetched";
    readonly at: StageRef;
    readonly signature: string;
    /** The repository it came from. */
    readonly from: string;
    readonly size: number;
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
  /** A registry asked for patience; the next try comes after `ms`. */
  | { readonly type: "registry.waiting"; readonly host: string; readonly ms: number; readonly reason: string }
  /** A download, upload, unpacking or export. `id` ties the three together; `total` is 0 when unknown. */
  | { readonly type: "transfer.started"; readonly id: string; readonly what: string; readonly total: number }
  | { readonly type: "transfer.progress"; readonly id: string; readonly done: number; readonly total: number }
  | { readonly type: "transfer.finished"; readonly id: string; readonly done: number; readonly ms: number }
  | { readonly type: "lock.waiting"; readonly resource: string; readonly holder: string };

/** Receives events; must not throw and must not block. */
export type EventSink = (event: EngineEvent) => void;

/** Emits an event without letting a renderer's mistake end the build. */
export function safeEmit(sink: ((event: EngineEvent) => void) | undefined): (event: EngineEvent) => void {
  return (event) => {
    try {
      sink?.(event);
    } catch {
      // A renderer that cannot print must not fail the work.
    }
  };
}
