import type { LocalBlobs } from "./blobs.ts";
import type { Reserve } from "./reserve.ts";
import type { LocalStages } from "./stages.ts";

/** What keeping house needs of a store's directory. */
export interface StoreParts {
  /** The directory. */
  readonly path: string;
  /** Locked, shared, by every process that has the store open. */
  readonly use: Deno.FsFile;
  readonly blobs: LocalBlobs;
  readonly stages: LocalStages;
  readonly reserve: Reserve;
}
