import type { Digest, Signature } from "./digest.ts";
import type { ImageState } from "./roles.ts";

/** What a run made. JSON-printable. */
export interface BuildResult {
  readonly project: string;
  readonly platform: string;
  readonly images: readonly BuiltImage[];
  readonly stagesBuilt: number;
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
