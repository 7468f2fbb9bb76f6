/** The roles that plugins fill, one small interface each. Part of the plugin contract. */
import type { Guard } from "../../lib/guard.ts";
import type { Descriptor, ImageConfig } from "../../lib/oci/types.ts";
import type { StepPlace } from "./place.ts";
import type { Fact, Signature } from "./signature.ts";
import type { Digest } from "../../lib/oci/digest.ts";

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
  /**
   * It was taken from a registry as it is: every blob is what its digest says, and nobody has made sure yet that layers
   * hold what the image's configuration says, nor that they outlive a failure of the machine. The engine does before it
   * uses the stage.
   */
  readonly unseen?: true;
  /**
   * Blobs that are not here are in this repository, named by this manifest. Only who can bring them may use such a stage
   * ({@linkcode Stages.whole} does not give it). Never signed.
   */
  readonly elsewhere?: { readonly repository: string; readonly manifest: Digest };
  /** RFC 3339, when and how long it was built here. Never signed. */
  readonly builtAt: string;
  /** Milliseconds that building it took here. */
  readonly buildMs: number;
  /** Where its commands ran, if it has any and they ran for this store. Never signed. */
  readonly builtBy?: StepPlace;
  /** Compressed bytes that this stage added. */
  readonly addedBytes: number;
  /** Project, image and git commit that first built it. Never signed. */
  readonly origin: { readonly project: string; readonly image: string; readonly commit?: string };
}

/** Content-addressed local storage, in parts. All writes are atomic, and durable when they return unless it says otherwise. */
export interface Store extends AsyncDisposable {
  /** Directory for people and messages. */
  readonly path: string;
  /** Bytes by digest. */
  readonly blobs: Blobs;
  /** Finished stages by signature. */
  readonly stages: Stages;
  /** What can be found out again. */
  readonly memo: Memo;
  /** What processes say to each other. */
  readonly locks: Locks;
  /** Keeping it sound and small. */
  readonly housekeeping: Housekeeping;
}

/** Bytes by their digest. */
export interface Blobs {
  /** A directory of this process, on the store's file system; removed at the end and after a crash. */
  scratch(): Promise<string>;
  /** Where a blob is, or will be. Existing files there are complete. */
  path(digest: Digest): string;
  /** Size in bytes, or undefined when the blob is absent. */
  size(digest: Digest): Promise<number | undefined>;
  /**
   * Moves a finished file from `scratch()` to its digest; the caller has hashed it while writing. With `unsettled` it may
   * be lost when the machine fails, until it is settled.
   */
  adopt(file: string, digest: Digest, options?: { readonly unsettled?: boolean }): Promise<void>;
  /** Makes sure that a blob outlives a failure of the machine. Absent where every blob does that is adopted. */
  settle?(digest: Digest): Promise<void>;
  /**
   * Whether a blob's file is, as far as the file system tells, as it was when it was stored and verified. Absent where
   * nobody can tell: it is then read once more before it is sent.
   */
  isUntouched?(digest: Digest): Promise<boolean>;
  /** Stores bytes that are in memory. */
  put(bytes: Uint8Array): Promise<Descriptor & { readonly digest: Digest }>;
  /** Whole blob in memory, verified; for manifests, configs and listings. @throws STORE_CORRUPT */
  get(digest: Digest): Promise<Uint8Array>;
}

/** Finished stages by their signature. */
export interface Stages {
  /** The record, only if all its blobs are present. */
  whole(signature: Signature): Promise<StageRecord | undefined>;
  /** The record, whether or not its blobs are here. */
  record(signature: Signature): Promise<StageRecord | undefined>;
  /** Every readable stage record, whether or not its blobs are here. */
  all(): AsyncIterable<StageRecord>;
  /** Keeps the record of a finished stage; its blobs are there already. One that is `unseen` need not be durable. */
  put(record: StageRecord): Promise<void>;
  /** Notes that `image` (project/name) had this signature for a stage; newest first when read. */
  history(project: string, image: string, stage: string): Promise<readonly HistoryRow[]>;
  /** Puts a signature on top of a history. */
  addHistory(project: string, image: string, stage: string, signature: Signature): Promise<void>;
}

/** Derived data that may vanish at any time; values are JSON. Writing may fail quietly: it is only remembering. */
export interface Memo {
  /** What was put there, if it still has the shape that `is` checks; whatever else is there counts as absent. */
  get<T>(kind: string, key: string, is: Guard<T>): Promise<T | undefined>;
  /** Keeps a value. */
  put(kind: string, key: string, value: unknown): Promise<void>;
}

/** What processes of this machine say to each other. */
export interface Locks {
  /**
   * Exclusive lock between processes. Waiting is announced once through `onWait` with the holder.
   * @throws LOCK_TIMEOUT after `timeoutMs`
   */
  take(name: string, options: LockOptions): Promise<AsyncDisposable>;
  /** Says that this process relies on stages, until it ends; cleanups of other processes leave them alone. */
  claim(signatures: readonly Signature[]): Promise<void>;
  /** Stages that other living processes rely on, with who. */
  claimed(): Promise<ReadonlyMap<Signature, string>>;
}

/** Keeping the store sound and small. Nothing that removes needs space. */
export interface Housekeeping {
  /** Reads everything and says what is wrong; with `repair` removes what is damaged. */
  check(options: { readonly repair: boolean }): Promise<StoreReport>;
  /** Forgets a stage. Its blobs stay until they are swept, so whoever uses it now loses nothing. */
  forget(signature: Signature): Promise<void>;
  /**
   * Removes blobs that no record refers to, and may remove memos that were not used for long; nothing while any other
   * process has the store open.
   */
  sweep(options?: SweepOptions): Promise<SweepReport>;
  /** A directory that is kept between builds, created when missing. */
  directory(...parts: string[]): Promise<string>;
  /**
   * Makes room on a full disk, by giving up what is kept for that and what can be found out again. For whoever must write
   * in order to remove. False when nothing is left to give up.
   */
  makeRoom(): Promise<boolean>;
  /** What is remembered between builds beside stages and blobs; only a reset of everything takes it. */
  sections(): Promise<readonly StoreSection[]>;
}

/** A part of the store that can be removed as a whole. */
export interface StoreSection {
  /** Where it is, for people. */
  readonly path: string;
  /** What it is, for people: `kept between builds`. */
  readonly what: string;
  /** Removes it; needs no space. */
  remove(): Promise<void>;
}

/** How unused blobs are removed. */
export interface SweepOptions {
  /** Only count what would go. @default false */
  readonly dryRun?: boolean;
  /** More to be done while no other process has the store open. */
  readonly alone?: () => Promise<void>;
}

/** What removing unused blobs, and memos that were not used for long, did. */
export interface SweepReport {
  /** Where the blobs are, for people. */
  readonly path: string;
  /** How many went. */
  readonly blobs: number;
  /** Size in bytes. */
  readonly bytes: number;
  /** Another process has the store open, so nothing was removed; the next sweep does it. */
  readonly busy: boolean;
  /** Memos that went, where they are, and their size in bytes. Absent: none. */
  readonly memos?: { readonly path: string; readonly count: number; readonly bytes: number };
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
