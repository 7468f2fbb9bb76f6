/** The registry role: where stages and images are kept for everybody. Part of the plugin contract. */
import type { Guard } from "../../lib/guard.ts";
import type { Descriptor } from "../../lib/oci/types.ts";
import type { RegistryFeatures } from "../../lib/registry/inspect.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Asked for a REPO. The first plugin that answers serves it. */
export interface RegistryRequest {
  /** As the user wrote it: `host[:port]/path` or `oci:DIR`. */
  readonly repo: string;
  /** What `--registry-kind` says; a plugin of another kind must not answer. */
  readonly kind?: string;
  /** The command stores something there: who logs in may ask for that at once. @default false */
  readonly writes?: boolean;
  /** How the user wants it to be reached. */
  readonly access: RegistryAccess;
  /** Environment of the run. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative directories start here. */
  readonly projectDir: string;
  /** What was found out in earlier runs, by host or repository; may vanish at any time. Values are JSON. */
  readonly memo: RegistryMemo;
  /** Aborts the work. */
  readonly signal: AbortSignal;
}

/** What is remembered between runs. */
export interface RegistryMemo {
  /** Undefined when nothing is known. */
  get<T>(kind: string, key: string, is: Guard<T>): Promise<T | undefined>;
  /** Remembers a value that JSON can say. */
  put(kind: string, key: string, value: unknown): Promise<void>;
}

/** How the user wants the registry to be reached. */
export interface RegistryAccess {
  /** From `--registry-username`; for the host of REPO alone. */
  readonly username?: string;
  /** Goes with `username`. */
  readonly password?: string;
  /** Hosts (with port) that may be asked without verified TLS. */
  readonly insecure: readonly string[];
}

/**
 * What a registry can do, as far as it is known without trying.
 *
 * `deletion`: `tag` the registry itself removes one tag and leaves others of the same manifest, `manifest` it removes
 * manifests with all their tags, `none` nothing can be removed, `unknown` shows at the first deletion.
 * `listing`: what a list of tags tells without reading manifests.
 */
export interface RegistryCapabilities {
  /** What `--naming` means when it is not given. */
  readonly naming: "nested" | "flat";
  /** Whether repositories below REPO are possible. */
  readonly nested: boolean;
  /** How a tag can go. */
  readonly deletion: "tag" | "manifest" | "none" | "unknown";
  /** What a list of tags tells. */
  readonly listing: "names" | "digests" | "times";
  /** Whether a list of tags says when each was last pulled. */
  readonly pulls: boolean;
  /** Milliseconds in which a request takes effect, or never does. @default 30000 */
  readonly settleMs?: number;
  /** Small requests that it should get at once; may change with what it answers. @default 16 */
  readonly atOnce?: number;
  /**
   * Milliseconds that its clock is ahead of this machine's, negative when it is behind, as far as it tells; may change
   * with what it answers. Cleanups count ages from the clock that is behind.
   */
  readonly clockOffMs?: number;
}

/** One REPO with the repositories below it. */
export interface RegistryBackend extends AsyncDisposable {
  /** Short name of the kind: `oci`, `docker-hub`, `gitlab`, `harbor`, `layout`. */
  readonly kind: string;
  /** What it can do, as far as that is known. */
  readonly capabilities: RegistryCapabilities;
  /**
   * A repository: "" is REPO itself, any other name is below it.
   *
   * @throws {EngineError} REGISTRY_UNSUPPORTED when the registry has no such names
   */
  repository(name: string): Repository;
}

/** A manifest or index as it is stored. */
export interface RemoteManifest {
  /** Digest of the manifest. */
  readonly digest: Digest;
  /** The document as it is stored. */
  readonly bytes: Uint8Array;
  /** Media type, as the registry or store has it. */
  readonly mediaType: string;
}

/** The file of a blob. */
export interface BlobFile {
  /** Where it is. */
  readonly file: string;
  /** Asked when the file is about to be read. */
  untouched?(): Promise<boolean>;
}

/** A blob to be stored. */
export interface OutgoingBlob {
  /** Of the content. */
  readonly digest: Digest;
  /** Size in bytes. */
  readonly size: number;
  /**
   * A file with exactly this content, or the content itself. `untouched` tells whether the file was verified and nobody
   * has changed it since, so that a registry that verifies what it gets is enough.
   */
  readonly source: BlobFile | { readonly bytes: Uint8Array };
  /** Full names of repositories that may have it ({@linkcode Repository.name}); those of other registries are passed over. */
  readonly from?: readonly string[];
  /**
   * Nobody is known to have stored it there, so that looking it up first may cost more than it saves. It may be there all
   * the same. @default false
   */
  readonly isNew?: boolean;
  /**
   * It could not be read from that registry, whatever that says: it is neither looked up nor taken over from elsewhere,
   * but sent, and all of it read back. @default false
   */
  readonly anew?: boolean;
  /** What repositories of `from` have can surely be read. @default false */
  readonly sure?: boolean;
}

/**
 * What is there of a blob. `lost`: the registry says that it has it, and does not give it. `damaged`: what it gives is
 * something else.
 */
export type BlobState = "there" | "absent" | "lost" | "damaged";

/** What a transfer needs while it runs. */
export interface TransferIo {
  /** Aborts the work. */
  readonly signal: AbortSignal;
  /** Takes the bytes done so far; may start again from less after a failure. */
  report(done: number): void;
}

/** What a list tells of a manifest or index, so that it need not be read. */
export interface ListedManifest {
  /** Of the manifest. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Of the image's configuration, as far as they are told. */
  readonly labels: Readonly<Record<string, string>>;
  /** Compressed bytes of all that it is made of. */
  readonly bytes: number;
  /** Manifests of an index. */
  readonly children: readonly Digest[];
}

/** A tag as the registry lists it. */
export interface ListedTag {
  /** What stands after the ":". */
  readonly tag: string;
  /** What the tag points at, when the list says so. */
  readonly digest?: Digest;
  /** RFC 3339, when the tag was last written. */
  readonly pushedAt?: string;
  /** RFC 3339; null = never. */
  readonly pulledAt?: string | null;
  /** Why it cannot be removed: an immutability or protection rule. */
  readonly locked?: string;
  /** Where reading a manifest would count as a pull, or take long. */
  readonly manifest?: ListedManifest;
}

/** A tag to be removed. */
export interface TagRemoval {
  /** What stands after the ":". */
  readonly tag: string;
  /** What it points at. */
  readonly digest: Digest;
  /** The manifest may go as well, if the registry itself makes sure that no other tag is at it. */
  readonly alone: boolean;
}

/**
 * `refused`: this tag stays for the reason given, others may still go. `inseparable`: the tag cannot go without its
 * manifest, which takes all its tags along; {@linkcode Repository.removeUntagged} does that.
 */
export type RemovalOutcome =
  /** `left`: why the manifest stays, takes space and has no tag, although it could have gone. */
  | { readonly outcome: "removed"; readonly by: "tag" | "manifest"; readonly left?: string }
  | { readonly outcome: "absent" }
  | { readonly outcome: "inseparable"; readonly why: string }
  | { readonly outcome: "refused"; readonly why: string };

/**
 * One repository. All failures are `EngineError`s: REGISTRY_DENIED, REGISTRY_FAILED, REGISTRY_UNSUPPORTED. All methods
 * may be called side by side.
 */
export interface Repository {
  /** The full name, as `docker pull` and `skopeo` take it: `host/path`, or `oci:DIR`. */
  readonly name: string;
  /** The digest behind a tag, or of a digest that is there; undefined when there is none. One HEAD. */
  head(reference: string, signal: AbortSignal): Promise<Digest | undefined>;
  /** A manifest or index by tag or digest, verified; undefined when there is none. */
  manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined>;
  /** A small blob, verified. */
  blob(blob: Pick<Descriptor, "digest" | "size">, signal: AbortSignal): Promise<Uint8Array>;
  /** A blob into a new file, verified; continues after a cut connection. */
  download(blob: Pick<Descriptor, "digest" | "size">, file: string, io: TransferIo): Promise<void>;
  /**
   * What is really there of a blob, whatever is said of it: by its last byte, or with `whole` by all of it, whose digest
   * is compared. Absent where nobody can tell without fetching it: then that is done.
   */
  probe?(
    blob: Pick<Descriptor, "digest" | "size">,
    options: { readonly whole: boolean },
    io: TransferIo,
  ): Promise<BlobState>;
  /** Stores a blob unless it is there. */
  upload(blob: OutgoingBlob, io: TransferIo): Promise<"present" | "mounted" | "uploaded">;
  /** Stores a manifest under a tag, or under its own digest; all it names must be there. */
  putManifest(
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    reference: string,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Makes sure that this user may store here, as far as the registry tells before anything is sent. Absent where nobody
   * needs a right.
   *
   * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED, REGISTRY_UNSUPPORTED
   */
  requirePush?(signal: AbortSignal): Promise<void>;
  /** Every tag, in no particular order; none when the repository does not exist. */
  tags(signal: AbortSignal): AsyncIterable<ListedTag>;
  /**
   * Removes one tag and nothing that other tags name.
   *
   * @throws {EngineError} REGISTRY_UNSUPPORTED when the registry deletes nothing at all
   */
  remove(removal: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome>;
  /**
   * Removes a manifest, with every tag that is at it; false when the registry keeps it. For those that no tag is at, such
   * as one of an index that is gone. Absent where such manifests go by themselves.
   */
  removeUntagged?(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /**
   * Manifests that refer to one, such as signatures and SBOMs (`subject`), and that the registry removes along with it.
   * Absent where it leaves them alone.
   */
  referrers?(digest: Digest, signal: AbortSignal): Promise<readonly Digest[]>;
  /**
   * Removes a manifest whose only tag was overwritten, unless a tag is at it. Absent where nobody sees such manifests.
   */
  dropOverwritten?(digest: Digest, signal: AbortSignal): Promise<void>;
  /** Finds out, at a manifest that is there, what the protocol leaves open. Absent where there is no such protocol. */
  inspect?(digest: Digest, signal: AbortSignal): Promise<RegistryFeatures>;
}
