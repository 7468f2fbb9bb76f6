import type { LayerIndex } from "../../lib/layer/index.ts";
import type { OciPlatform } from "../../lib/oci/types.ts";
import type { Digest, Signature } from "./digest.ts";
import type { Layer, Store } from "./store.ts";

/** A host directory bound into a step. Nothing in it enters the image. */
export interface StepMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/**
 * A layer that steps can already stand on. Its content is fixed (`diffId`) before it is compressed, so the next
 * stage need not wait for the blob.
 */
export interface LayerRef {
  readonly diffId: Digest;
  /** Settles when the blob is in the store. */
  readonly stored: Promise<Layer>;
}

/** What a builder must do for one stage, free of names and time. */
export interface BuildStep {
  readonly label: string;
  readonly signature: Signature;
  /** Lowest first. */
  readonly parents: readonly LayerRef[];
  /** Each is shell text; they share one shell and stop at the first failure. */
  readonly commands: readonly string[];
  /** Complete environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly StepMount[];
  readonly network: "host" | "none";
  /** Latest modification time that a file in the layer may carry, seconds since 1970. */
  readonly epoch: number;
  readonly compression: LayerCompression;
}

export interface LayerCompression {
  readonly kind: "gzip" | "zstd";
  /** gzip 2 to 9, zstd 1 to 19. */
  readonly level: number;
}

/** What a finished step added. */
export interface StepResult {
  /** Undefined when the step changed nothing. */
  readonly layer?: {
    readonly diffId: Digest;
    /** What is in it, when the builder knows; otherwise it is read back from the blob when needed. */
    readonly index?: LayerIndex;
    /** The compressed layer in the store's scratch directory, hashed but not yet adopted. Never rejects unobserved. */
    readonly blob: Promise<Layer & { readonly file: string }>;
  };
}

/** An interactive or piped command in an image; nothing it writes is kept. */
export interface ShellStep {
  readonly label: string;
  /** Lowest first. */
  readonly parents: readonly LayerRef[];
  readonly argv: readonly string[];
  /** Complete, but for HOME: where it is absent, it is the user's. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path inside; created when missing. */
  readonly cwd: string;
  /** `user`, `uid`, `user:group` or `uid:gid`; "" is root. A known user without a group has all its groups of the image. */
  readonly user: string;
  readonly mounts: readonly StepMount[];
  readonly network: "host" | "none";
}

export interface StepIo {
  output(stream: "stdout" | "stderr", text: string): void;
  readonly signal: AbortSignal;
  /** Called with the step's file system still in place when a command failed, before it is discarded. */
  readonly onFailure?: (shell: () => Promise<number>) => Promise<void>;
}

/** Runs commands on top of an image and captures what they changed. */
export interface Builder extends AsyncDisposable {
  readonly name: string;
  /** Prepares what the first step will need while the engine still plans; never throws. */
  warmUp?(): void;
  /** Unpacks layers that a later step will probably stand on; settles when it is done, and never throws. */
  prefetch?(layers: readonly LayerRef[]): Promise<void>;
  /** @throws STAGE_FAILED when a command fails, BUILDER_UNAVAILABLE when this machine lacks something */
  run(step: BuildStep, io: StepIo): Promise<StepResult>;
  /** Runs with this process's own stdin, stdout and stderr; returns the exit code, 128+n for signal n. */
  shell(step: ShellStep, signal: AbortSignal): Promise<number>;
}

/** Asked when a command stage is about to be built. */
export interface BuilderRequest {
  readonly platform: OciPlatform;
  readonly store: Store;
  /** The name from `--builder` or the configuration; undefined = whoever can. */
  readonly name?: string;
  /** Steps that may run at once. */
  readonly parallel: number;
  /** To be told what is in a blob that was unpacked and has the content it should, which saves reading it again. */
  readonly onLayer?: (layer: Pick<Layer, "digest" | "diffId">, index: LayerIndex) => void;
}
