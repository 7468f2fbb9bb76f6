import type { OciPlatform } from "../../lib/oci/types.ts";
import type { RegistryAccess, Repository } from "./registry.ts";
import type { ImageState, Store } from "./store.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** A base image found. `id` is what enters the signature. */
export interface ResolvedImage {
  /** Digest of the image for the platform: what enters the signature. */
  readonly id: Digest;
  /** Digest of the index or manifest the name pointed at, for the lock file; undefined when names do not move. */
  readonly pin?: Digest;
}

/** A base image that a registry has. */
export interface RemoteImage {
  /** The image; its layers may not be in the store. */
  readonly image: ImageState;
  /** The repository that has it, by its full name. */
  readonly repository: Pick<Repository, "name" | "blob">;
  /** Digest of its manifest. */
  readonly digest: Digest;
}

/** Where base images come from. */
export interface ImageSource extends AsyncDisposable {
  /** Finds the image for a platform without its layers. `pin` (from dappfile.lock) wins over the name's tag. */
  resolve(pin: Digest | undefined, signal: AbortSignal): Promise<ResolvedImage>;
  /** Brings config and all layers into the store. */
  fetch(image: ResolvedImage, io: FetchIo): Promise<ImageState>;
  /** The image without its layers, and the registry where others can get them. Absent where there is none. */
  describe?(image: ResolvedImage, signal: AbortSignal): Promise<RemoteImage>;
}

/** What fetching needs while it runs. */
export interface FetchIo {
  /** Aborts the work. */
  readonly signal: AbortSignal;
  /** `what` such as "layer 3f2a… of debian:bookworm"; called with growing `done`. */
  progress(id: string, what: string, done: number, total: number): void;
  /** Tells the user something once. */
  note(text: string): void;
}

/** Asked for the text after `from:`. */
export interface SourceRequest {
  /** The text after `from:`. */
  readonly name: string;
  /** `os/architecture[/variant]` */
  readonly platform: OciPlatform;
  /** Where layers go. */
  readonly store: Store;
  /** Relative paths in `name` start here. */
  readonly projectDir: string;
  /** Environment of the run. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How registries are to be reached; absent = as the environment says. */
  readonly access?: RegistryAccess;
}
