import type { EventSink } from "../contract/events.ts";
import type { RegistryAccess, Repository } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../protocol/clock.ts";
import type { LayerReader } from "../layers/layer_reader.ts";
import type { Losses } from "../layers/losses.ts";
import type { SignedGraph } from "../sign/sign.ts";
import type { BlobUploader } from "./uploader.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What a run needs for stages in registries; its parts say which of it is theirs. */
export interface SharedStagesOptions {
  readonly platform: string;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
  /** With what is known of the clock of `target`. */
  readonly clock: Clock;
  readonly store: Store;
  /** Whoever looks into layers of the store. */
  reader(): Promise<Pick<LayerReader, "outline">>;
  /** How a repository is reached. */
  accessTo(name: string): RegistryAccess;
  /** The text of a listing; undefined when it cannot be had. */
  listingText(store: Store, digest: Digest): Promise<string | undefined>;
  readonly project: string;
  readonly signed: SignedGraph;
  readonly uploader: BlobUploader;
  /** What repositories turned out to lack; more is added. */
  readonly losses: Losses;
  /** Asked in this order. */
  readonly sources: readonly Repository[];
  /** Where stages are published; absent = nowhere. */
  readonly target: Repository | undefined;
}
