import type { Digest, Signature } from "./digest.ts";
import type { ImageState } from "./store.ts";

/** What publishing made, or would make on a dry run. JSON-printable. */
export interface PublishReport {
  readonly project: string;
  /** REPO in full. */
  readonly repo: string;
  readonly dryRun: boolean;
  readonly images: readonly PublishedImage[];
  /** Stages, when they were asked for. */
  readonly stages: readonly MovedStage[];
  readonly bytes: TransferCount;
}

export interface PublishedImage {
  /** Of the dimg. */
  readonly name: string;
  readonly signature: Signature;
  readonly tags: readonly PublishedTag[];
}

export interface PublishedTag {
  /** The full name with tag. */
  readonly reference: string;
  readonly tag: string;
  readonly scheme: string;
  /** What the tag was made from. */
  readonly value: string;
  /** The plugin that gave the tag. */
  readonly plugin: string;
  /** Manifest digest; undefined on a dry run when the tag would be written, and in a local engine. */
  readonly digest?: Digest;
  /** `exists`: it was there already, with the same content and facts. */
  readonly state: "pushed" | "exists" | "would push";
}

/** A stage that was moved between the store and REPO. */
export interface MovedStage {
  readonly image: string;
  readonly kind: "dimg" | "artifact";
  readonly stage: string;
  readonly signature: Signature;
  /** The full name with tag. */
  readonly reference: string;
  /**
   * `exists`: it was there already. `absent`: not in REPO. `not built`: not in the store, so not pushed; a later stage
   * may be.
   */
  readonly state: "pushed" | "would push" | "pulled" | "would pull" | "exists" | "absent" | "not built";
}

/** Bytes of blobs, by what it took to have them there. */
export interface TransferCount {
  readonly uploaded: number;
  /** Linked from another repository of the same registry. */
  readonly mounted: number;
  /** There before. */
  readonly present: number;
}

/** What a run will do, in the order it will do it. JSON-printable. */
export interface Plan {
  readonly project: string;
  readonly platform: string;
  readonly images: readonly PlannedImage[];
}

export interface PlannedImage {
  readonly name: string;
  readonly kind: "dimg" | "artifact";
  /** Signature of the last stage. */
  readonly signature: Signature;
  readonly stages: readonly PlannedStage[];
}

export interface PlannedStage {
  readonly stage: string;
  readonly signature: Signature;
  readonly state: StageState;
  /** Why, in one sentence. */
  readonly reason: string;
  /** Whether the signature covers all that the stage's commands see. */
  readonly hermetic: boolean;
}

/**
 * `cached`: in the store. `covered`: absent, but a later stage is cached. `build`: will be built.
 * `unneeded`: nothing that will be built uses it.
 */
export type StageState = "cached" | "covered" | "build" | "unneeded";

/** What a run made. JSON-printable. */
export interface BuildResult {
  readonly project: string;
  readonly platform: string;
  readonly images: readonly BuiltImage[];
  /** Of all images, artifacts included. */
  readonly stagesBuilt: number;
  /** Of the selected dimgs. */
  readonly stagesReused: number;
}

export interface BuiltImage {
  readonly name: string;
  readonly kind: "dimg" | "artifact";
  readonly signature: Signature;
  /** Digest of the image manifest in the store. */
  readonly digest: Digest;
  readonly state: ImageState;
}

export type FactChange =
  | { readonly kind: "value"; readonly key: string; readonly before?: string; readonly after?: string }
  /** Unified-diff lines, each starting with " ", "-" or "+". */
  | { readonly kind: "commands"; readonly key: string; readonly diff: readonly string[] }
  | { readonly kind: "files"; readonly key: string; readonly files: readonly FileChange[] };

export interface FileChange {
  readonly path: string;
  readonly change: "added" | "removed" | "modified";
  /** git object ids (with mode when the mode changed). */
  readonly before?: string;
  readonly after?: string;
  /** The commit that last touched the path: `<short id> <subject>`. */
  readonly commit?: string;
}
