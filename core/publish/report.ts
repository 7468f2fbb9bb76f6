import type { Digest, Signature } from "../digest.ts";

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
