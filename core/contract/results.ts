import type { StepPlace } from "./place.ts";
import type { ImageState } from "./store.ts";
import type { Signature } from "./signature.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What publishing made, or would make on a dry run. JSON-printable. */
export interface PublishReport {
  /** Name of the project. */
  readonly project: string;
  /** REPO in full. */
  readonly repo: string;
  /** Nothing was changed, only told. */
  readonly dryRun: boolean;
  /** One row for each dimg. */
  readonly images: readonly PublishedImage[];
  /** Stages, when they were asked for. */
  readonly stages: readonly MovedStage[];
  /** What it took to have the blobs there. */
  readonly bytes: TransferCount;
  /** Of the build that came first (`bp`). */
  readonly build?: Pick<BuildResult, "stages" | "times">;
}

/** A dimg and its tags. */
export interface PublishedImage {
  /** Of the dimg. */
  readonly name: string;
  /** Of its last stage. */
  readonly signature: Signature;
  /** In the order they were asked for. */
  readonly tags: readonly PublishedTag[];
}

/** One tag of a dimg. */
export interface PublishedTag {
  /** The full name with tag. */
  readonly reference: string;
  /** What stands after the ":". */
  readonly tag: string;
  /** The tag scheme, as cleanup knows it. */
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
  /** Name of the image; "" is the nameless dimg. */
  readonly image: string;
  /** A dimg, or an artifact. */
  readonly kind: "dimg" | "artifact";
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
  /** Signature of the stage. */
  readonly signature: Signature;
  /** The full name with tag. */
  readonly reference: string;
  /**
   * `exists`: it was there already. `absent`: not in REPO. `unusable`: in REPO and not whole, as a warning says.
   * `not built`: not in the store, so not pushed; a later stage may be.
   */
  readonly state:
    | "pushed"
    | "would push"
    | "pulled"
    | "would pull"
    | "exists"
    | "absent"
    | "unusable"
    | "not built";
}

/** Bytes of blobs, by what it took to have them there. */
export interface TransferCount {
  /** Sent. */
  readonly uploaded: number;
  /** Linked from another repository of the same registry. */
  readonly mounted: number;
  /** There before. */
  readonly present: number;
}

/** What a run will do, in the order it will do it. JSON-printable. */
export interface Plan {
  /** Name of the project. */
  readonly project: string;
  /** `os/architecture[/variant]` */
  readonly platform: string;
  /** One row for each image. */
  readonly images: readonly PlannedImage[];
}

/** What will be done for one image. */
export interface PlannedImage {
  /** Name of the dimg or artifact; "" is the nameless one. */
  readonly name: string;
  /** A dimg, or an artifact. */
  readonly kind: "dimg" | "artifact";
  /** Signature of the last stage. */
  readonly signature: Signature;
  /** One row for each stage, in order. */
  readonly stages: readonly PlannedStage[];
}

/** What will be done for one stage. */
export interface PlannedStage {
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
  /** Signature of the stage. */
  readonly signature: Signature;
  /** What will be done. */
  readonly state: StageState;
  /** Why, in one sentence. */
  readonly reason: string;
  /** Whether the signature covers all that the stage's commands see. */
  readonly hermetic: boolean;
  /** Of commands that will run: where, if nothing is lost or busy until then. */
  readonly runsAt?: StepPlace;
}

/**
 * `cached`: in the store. `covered`: absent, but a later stage is cached. `build`: will be built.
 * `unneeded`: nothing that will be built uses it.
 */
export type StageState = "cached" | "covered" | "build" | "unneeded";

/** What a run made. JSON-printable. */
export interface BuildResult {
  /** Name of the project. */
  readonly project: string;
  /** `os/architecture[/variant]` */
  readonly platform: string;
  /** The selected dimgs. */
  readonly images: readonly BuiltImage[];
  /** Of all images, artifacts included. */
  readonly stagesBuilt: number;
  /** Of the selected dimgs. */
  readonly stagesReused: number;
  /**
   * Every stage of the selected dimgs and of what was built for them, in order; none where nothing was to be built and
   * nobody asked for them.
   */
  readonly stages: readonly BuiltStage[];
  /** How long the build took. */
  readonly times: BuildTimes;
}

/** How long a build took in milliseconds. At any moment the build is in one part, so they add up to `ms`. */
export interface BuildTimes {
  /** The whole. */
  readonly ms: number;
  /** The project was read, registries were asked, and stages taken from there. */
  readonly preparingMs: number;
  /** Nothing of what follows went on: other processes, or layers to be unpacked, were waited for. */
  readonly waitingMs: number;
  /** At least one stage did its work. */
  readonly runningMs: number;
  /** Layers were compressed and stored, and no stage did its work. */
  readonly savingMs: number;
  /** All was built, and stages still went to REPO. */
  readonly publishingMs: number;
}

/** How long a stage took in milliseconds. */
export interface StageTimes {
  /** Its own time, the sum of the next two. */
  readonly ms: number;
  /** Its work: commands, files, bringing the base. */
  readonly runningMs: number;
  /** Compressing and storing what it added. */
  readonly savingMs: number;
  /** Beside `ms`: for other stages to be saved or unpacked, other processes, and its turn. */
  readonly waitingMs: number;
}

/** A stage after a build. */
export interface BuiltStage {
  /** Name of the image; "" is the nameless dimg. */
  readonly image: string;
  /** A dimg, or an artifact. */
  readonly kind: "dimg" | "artifact";
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
  /** `os/architecture[/variant]` */
  readonly platform: string;
  /** Signature of the stage. */
  readonly signature: Signature;
  /**
   * `reused`: it was in the store. `fetched`: it came from a registry. `covered`: it is not here, and not needed, since a
   * later one is. `would build`: on a dry run.
   */
  readonly state: "built" | "reused" | "fetched" | "covered" | "would build";
  /** The repository a fetched one came from. */
  readonly from?: string;
  /** Of one that was built, how long that took. */
  readonly times?: StageTimes;
  /** Where its commands ran, when they did so for this store. */
  readonly builtBy?: StepPlace;
  /** Compressed bytes that it added, where it is in the store. */
  readonly size?: number;
  /** Digest of the manifest of the image up to here, where it is in the store. */
  readonly digest?: Digest;
}

/** An image that is whole in the store. */
export interface BuiltImage {
  /** Name of the dimg or artifact; "" is the nameless one. */
  readonly name: string;
  /** A dimg, or an artifact. */
  readonly kind: "dimg" | "artifact";
  /** Of its last stage. */
  readonly signature: Signature;
  /** Digest of the image manifest in the store. */
  readonly digest: Digest;
  /** Configuration and layers. */
  readonly state: ImageState;
}

/** One fact that differs between two builds. */
export type FactChange =
  | { readonly kind: "value"; readonly key: string; readonly before?: string; readonly after?: string }
  /** Unified-diff lines, each starting with " ", "-" or "+". */
  | { readonly kind: "commands"; readonly key: string; readonly diff: readonly string[] }
  | { readonly kind: "files"; readonly key: string; readonly files: readonly FileChange[] };

/** One file that differs between two builds. */
export interface FileChange {
  /** Absolute, in the image. */
  readonly path: string;
  /** What became of it. */
  readonly change: "added" | "removed" | "modified";
  /** git object ids (with mode when the mode changed). */
  readonly before?: string;
  /** What it is now. */
  readonly after?: string;
  /** The commit that last touched the path: `<short id> <subject>`. */
  readonly commit?: string;
}
