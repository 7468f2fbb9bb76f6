import type {
  BlobState,
  Digest,
  ListedTag,
  OutgoingBlob,
  RemoteManifest,
  RemovalOutcome,
  Repository,
  TagRemoval,
  TransferIo,
} from "../../core/contract/plugin.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import type { RegistryFeatures } from "../../lib/registry/inspect.ts";
import { findManifest, lookUpManifest } from "../../lib/registry/manifests.ts";
import { pullScope } from "../../lib/registry/scopes.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { type Advise, explained, explainedEach } from "./_explain.ts";

export interface OciRepositoryOptions {
  readonly client: RegistryClient;
  /** Below the host. */
  readonly path: string;
  /** Replaces the registry's own list of tags. */
  tags?(signal: AbortSignal): AsyncIterable<ListedTag>;
  remove(removal: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome>;
  /** Whether manifests without tags go by themselves. @default false */
  readonly collectsUntagged?: boolean;
  /** Removes a manifest that no tag is at, in place of the protocol. */
  removeUntagged?(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** Manifests that refer to one and are removed along with it. */
  referrers?(digest: Digest, signal: AbortSignal): Promise<readonly Digest[]>;
  /** Whether a manifest whose tag is overwritten stays until it is removed. @default false */
  readonly keepsOverwritten?: boolean;
  readonly advise?: Advise;
}

/** A repository of a registry that speaks the OCI distribution protocol. */
export class OciRepository implements Repository {
  readonly name: string;
  readonly #client: RegistryClient;
  readonly #path: string;
  readonly #options: OciRepositoryOptions;
  readonly removeUntagged?: (digest: Digest, signal: AbortSignal) => Promise<boolean>;
  readonly dropOverwritten?: (digest: Digest, signal: AbortSignal) => Promise<void>;
  readonly referrers?: (digest: Digest, signal: AbortSignal) => Promise<readonly Digest[]>;

  constructor(options: OciRepositoryOptions) {
    this.#client = options.client;
    this.#path = options.path;
    this.#options = options;
    this.name = `${options.client.domain}/${options.path}`;
    const { referrers } = options;
    if (referrers) this.referrers = (digest, signal) => this.#asked(() => referrers(digest, signal));
    if (!options.collectsUntagged) {
      this.removeUntagged = (digest, signal) => this.#removeUntagged(digest, signal);
    }
    if (options.keepsOverwritten) {
      this.dropOverwritten = async (digest, signal) => void await this.#removeUntagged(digest, signal);
    }
  }

  async head(reference: string, signal: AbortSignal): Promise<Digest | undefined> {
    return await this.#asked(() => lookUpManifest(this.#client, this.#path, { reference, signal }));
  }

  async manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined> {
    this.#client.expectContents();
    const found = await this.#asked(() => findManifest(this.#client, this.#path, { reference, signal }));
    if (!found) return undefined;
    const { digest, bytes, mediaType = typeWithin(bytes) } = found;
    return { digest, bytes, mediaType };
  }

  async blob(blob: { readonly digest: Digest; readonly size: number }, signal: AbortSignal) {
    const { getBlob } = await import("../../lib/registry/blobs.ts");
    return await this.#asked(() => getBlob(this.#client, this.#path, { blob, signal }));
  }

  async download(
    blob: { readonly digest: Digest; readonly size: number },
    file: string,
    io: TransferIo,
  ): Promise<void> {
    const { downloadBlob } = await import("../../lib/registry/blobs.ts");
    await this.#asked(() => downloadBlob(this.#client, this.#path, { blob, file, ...ioOf(io) }));
  }

  async probe(
    blob: { readonly digest: Digest; readonly size: number },
    { whole }: { readonly whole: boolean },
    io: TransferIo,
  ): Promise<BlobState> {
    if (whole) {
      const { verifyBlob } = await import("../../lib/registry/blobs.ts");
      return await this.#asked(() => verifyBlob(this.#client, this.#path, { blob, ...ioOf(io) }));
    }
    const { readableBlob } = await import("../../lib/registry/blob_state.ts");
    const { signal } = io;
    const question = { ...blob, scopes: [pullScope(this.#path)], signal };
    return await this.#asked(() => readableBlob(this.#client, this.#path, question));
  }

  async upload(blob: OutgoingBlob, io: TransferIo): Promise<"present" | "mounted" | "uploaded"> {
    const { uploadBlob } = await import("../../lib/registry/upload.ts");
    const here = `${this.#client.domain}/`;
    const from = (blob.from ?? []).filter((name) => name.startsWith(here)).map((name) =>
      name.slice(here.length)
    );
    return await this.#asked(() =>
      uploadBlob(this.#client, this.#path, {
        blob,
        from,
        isNew: blob.isNew ?? false,
        anew: blob.anew ?? false,
        sure: blob.sure ?? false,
        ...ioOf(io),
      })
    );
  }

  async putManifest(
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    reference: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { putManifest } = await import("../../lib/registry/put_manifest.ts");
    await this.#asked(() => putManifest(this.#client, this.#path, { manifest, reference, signal }));
  }

  async requirePush(signal: AbortSignal): Promise<void> {
    const { requirePush } = await import("../../lib/registry/push_right.ts");
    await this.#asked(() => requirePush(this.#client, this.#path, { signal }));
  }

  tags(signal: AbortSignal): AsyncIterable<ListedTag> {
    const listed = this.#options.tags?.(signal) ?? this.#names(signal);
    return explainedEach(this.#client.domain, listed, this.#options.advise);
  }

  async remove(removal: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome> {
    return await this.#asked(() => this.#options.remove(removal, signal));
  }

  async inspect(digest: Digest, signal: AbortSignal): Promise<RegistryFeatures> {
    const { inspectRepository } = await import("../../lib/registry/inspect.ts");
    return await this.#asked(() => inspectRepository(this.#client, this.#path, { digest, signal }));
  }

  async #removeUntagged(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const { removeUntagged } = this.#options;
    if (removeUntagged) return await this.#asked(() => removeUntagged(digest, signal));
    const { deleteManifest } = await import("../../lib/registry/delete_manifest.ts");
    const { outcome } = await this.#asked(() =>
      deleteManifest(this.#client, this.#path, { reference: digest, signal })
    );
    return outcome === "deleted" || outcome === "absent";
  }

  async *#names(signal: AbortSignal): AsyncGenerator<ListedTag> {
    const { listTags } = await import("../../lib/registry/tags.ts");
    for await (const tag of listTags(this.#client, this.#path, { signal })) yield { tag };
  }

  #asked<T>(action: () => Promise<T>): Promise<T> {
    return explained(this.#client.domain, action, this.#options.advise);
  }
}

function ioOf(io: TransferIo): TransferIo {
  return { signal: io.signal, report: (done) => io.report(done) };
}

/** The type that a manifest states of itself, for registries that do not say. */
function typeWithin(bytes: Uint8Array): string {
  try {
    const { mediaType } = JSON.parse(new TextDecoder().decode(bytes)) as { mediaType?: unknown };
    return typeof mediaType === "string" ? mediaType : mediaTypes.manifest;
  } catch {
    return mediaTypes.manifest;
  }
}
