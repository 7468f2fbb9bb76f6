/** The roles that plugins fill, one small interface each. Part of the plugin contract. */
import type { Descriptor, ImageConfig } from "../../lib/oci/types.ts";
import type { Digest, Signature } from "./digest.ts";

/** Compressed blob and uncompressed tar of one layer. */
export interface Layer {
  /** Media type, as the registry or store has it. */
  readonly mediaType: string;
  /** Of the compressed blob. */
  readonly digest: Digest;
  /** Size in bytes. */
  readonly size: number;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
}

/** An image as data: what a stage produced or a base image contains. */
export interface ImageState {
  /** The image configuration. */
  readonly config: ImageConfig;
  /** Lowest first; one for each diff_id of the config. */
  readonly layers: readonly Layer[];
}

/** One named input of a stage. Keys are unique within a stage; a plugin's facts are keyed `plugin-name/key`. */
export interface Fact {
  /** Unique within the stage. */
  readonly key: string;
  /** What counts, as text. */
  readonly value: string;
  /** The value is the digest of a listing kept as a blob: rows of `mode id path`, NUL-separated, for `explain`. */
  readonly listing?: true;
}

/** All that is known of a finished stage; the file of a stage signature in the store. */
export interface StageRecord {
  /** The format of its signature; records of another one are never used. */
  readonly format: 2;
  /** Signature of the stage. */
  readonly signature: Signature;
  /** Signature of the stage before it; null for the first. */
  readonly previous: Signature | null;
  /** Name of the stage. */
  readonly stage: string;
  /** All that went into the signature. */
  readonly facts: readonly Fact[];
  /** The image up to here. */
  readonly image: ImageState;
  /**
   * What commands see beyond what the signature covers (`visible: all`): digests of blobs, for the stage that must show
   * another commit. Never signed.
   */
  readonly trees?: Readonly<Record<string, Digest>>;
  /** RFC 3339, when and how long it was built here. Never signed. */
  readonly builtAt: string;
  /** Milliseconds that building it took here. */
  readonly buildMs: number;
  /** Compressed bytes that this stage added. */
  readonly addedBytes: number;
  /** Project, image and git commit that first built it. Never signed. */
  readonly origin: { readonly project: string; readonly image: string; readonly commit?: string };
}

/** Content-addressed local storage of blobs and stage records. All writes are atomic and durable when they return. */
export interface Store extends AsyncDisposable {
  /** Directory for people and messages. */
  readonly path: string;
  /** A directory of this process, on the store's file system; removed at the end and after a crash. */
  scratch(): Promise<string>;
  /** Where a blob is, or will be. Existing files there are complete. */
  blobPath(digest: Digest): string;
  /** Size in bytes, or undefined when the blob is absent. */
  blobSize(digest: Digest): Promise<number | undefined>;
  /** Moves a finished file from `scratch()` to its digest; the caller has hashed it while writing. */
  adoptBlob(file: string, digest: Digest): Promise<void>;
  /** Stores bytes that are in memory. */
  putBlob(bytes: Uint8Array): Promise<Descriptor & { readonly digest: Digest }>;
  /** Whole blob in memory, verified; for manifests, configs and listings. @throws STORE_CORRUPT */
  getBlob(digest: Digest): Promise<Uint8Array>;
  /** The record, only if all its blobs are present. */
  stage(signature: Signature): Promise<StageRecord | undefined>;
  /** The record, whether or not its blobs are here. */
  record(signature: Signature): Promise<StageRecord | undefined>;
  /** Keeps the record of a finished stage; its blobs are there already. */
  putStage(record: StageRecord): Promise<void>;
  /** Notes that `image` (project/name) had this signature for a stage; newest first when read. */
  history(project: string, image: string, stage: string): Promise<readonly HistoryRow[]>;
  /** Notes a signature as the newest one. */
  addHistory(project: string, image: string, stage: string, signature: Signature): Promise<void>;
  /** Derived data that may vanish at any time; values are JSON. */
  memo(kind: string, key: string): Promise<unknown>;
  /** Remembers a value; that it cannot is no failure. */
  putMemo(kind: string, key: string, value: unknown): Promise<void>;
  /** A directory that is kept between builds (`builds/<project>/...`), created when missing. */
  keptDirectory(...parts: string[]): Promise<string>;
  /**
   * Exclusive lock between processes of this machine. Waiting is announced once through `onWait` with the holder.
   * @throws LOCK_TIMEOUT after `timeoutMs`
   */
  lock(name: string, options: LockOptions): Promise<AsyncDisposable>;
  /** Looks for damage, and mends it with `repair`. */
  check(options: { readonly repair: boolean }): Promise<StoreReport>;
  /** Every readable stage record, whether or not its blobs are here. */
  stages(): AsyncIterable<StageRecord>;
  /** Forgets a stage. Its blobs stay until they are swept, so whoever uses it now loses nothing. */
  removeStage(signature: Signature): Promise<void>;
  /** Removes blobs that no record refers to; nothing while any other process has the store open. */
  sweep(options?: SweepOptions): Promise<SweepReport>;
  /** Says that this process relies on stages, until it ends; cleanups of other processes leave them alone. */
  claim(signatures: readonly Signature[]): Promise<void>;
  /** Stages that other living processes rely on, with who. */
  claimed(): Promise<ReadonlyMap<Signature, string>>;
}

/** How unused blobs are removed. */
export interface SweepOptions {
  /** Only count what would go. @default false */
  readonly dryRun?: boolean;
  /** More to be done while no other process has the store open. */
  readonly alone?: () => Promise<void>;
}

/** What removing unused blobs did. */
export interface SweepReport {
  /** How many went. */
  readonly blobs: number;
  /** Size in bytes. */
  readonly bytes: number;
  /** Another process has the store open, so nothing was removed; the next sweep does it. */
  readonly busy: boolean;
}

/** An earlier signature of a stage. */
export interface HistoryRow {
  /** Signature of the stage. */
  readonly signature: Signature;
  /** RFC 3339. */
  readonly at: string;
}

/** How long and how a lock is waited for. */
export interface LockOptions {
  /** Longest wait. */
  readonly timeoutMs: number;
  /** Aborts the work. */
  readonly signal: AbortSignal;
  /** Told once who holds the lock. */
  onWait?(holder: string): void;
}

/** What a look at the whole store found. */
export interface StoreReport {
  /** Blobs looked at. */
  readonly blobs: number;
  /** Size in bytes. */
  readonly bytes: number;
  /** Stages looked at. */
  readonly stages: number;
  /** One sentence each; empty when the store is sound. */
  readonly problems: readonly string[];
  /** What was mended, one sentence each. */
  readonly repaired: readonly string[];
}

/** Asked for the local store. */
export interface StoreRequest {
  /** Directory of the store. */
  readonly home: string;
}
