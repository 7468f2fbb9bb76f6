/** A registry in memory, strict about blobs, with counters and faults. */
import { parseManifest } from "../../../lib/oci/documents.ts";
import {
  type Digest,
  digestOf,
  EngineError,
  type ErrorDetails,
  isDigest,
  type ListedTag,
  type RegistryBackend,
  type RegistryCapabilities,
  type RegistryMemo,
  type RemoteManifest,
  type RemovalOutcome,
  type Repository,
  type TagRemoval,
} from "../../../core/contract/plugin.ts";

type Operation = "list" | "head" | "get" | "put" | "delete" | "blob" | "upload";

/** Called before each operation; throws to make it fail. */
export type Fault = (operation: Operation, repository: string, reference: string) => void | Promise<void>;

interface Stored {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

export class MemoryRegistry implements RegistryBackend {
  readonly kind = "memory";
  readonly host = "registry.test";
  readonly tags = new Map<string, Map<string, Digest>>();
  readonly manifests = new Map<string, Map<string, Stored>>();
  /** Across repositories, as registries keep them. */
  readonly blobs = new Map<string, Uint8Array | undefined>();
  readonly counts: Record<Operation, number> = {
    list: 0,
    head: 0,
    get: 0,
    put: 0,
    delete: 0,
    blob: 0,
    upload: 0,
  };
  readonly locked = new Map<string, string>();
  readonly pulledAt = new Map<string, string | null>();
  /** Whether tags go with their manifests alone, as where they cannot be overwritten. */
  inseparable = false;
  /** Tags that lists still name although they are gone. */
  readonly stale: string[] = [];
  fault: Fault | undefined;
  capabilities: RegistryCapabilities;

  constructor(capabilities: Partial<RegistryCapabilities> = {}) {
    this.capabilities = {
      naming: "nested",
      nested: true,
      deletion: "manifest",
      listing: "names",
      pulls: false,
      ...capabilities,
    };
  }

  repository(name: string): Repository {
    return new MemoryRepository(this, name);
  }

  get requests(): number {
    return Object.values(this.counts).reduce((a, b) => a + b);
  }

  resetCounts(): void {
    for (const key of Object.keys(this.counts)) this.counts[key as Operation] = 0;
  }

  /** Everything that can be pulled: `repository:tag` -> digest. */
  state(): Record<string, Digest> {
    const rows = [...this.tags].flatMap(([name, tags]) =>
      [...tags].map(([tag, d]) => [`${name}:${tag}`, d] as const)
    );
    return Object.fromEntries(rows.sort(([a], [b]) => a < b ? -1 : 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class MemoryRepository implements Repository {
  readonly name: string;
  constructor(readonly registry: MemoryRegistry, readonly path: string) {
    this.name = `${registry.host}/shop${path === "" ? "" : `/${path}`}`;
  }

  get #tags(): Map<string, Digest> {
    const found = this.registry.tags.get(this.path) ?? new Map<string, Digest>();
    this.registry.tags.set(this.path, found);
    return found;
  }

  get #manifests(): Map<string, Stored> {
    const found = this.registry.manifests.get(this.path) ?? new Map<string, Stored>();
    this.registry.manifests.set(this.path, found);
    return found;
  }

  async #count(operation: Operation, reference: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.registry.counts[operation]++;
    await this.registry.fault?.(operation, this.path, reference);
    signal.throwIfAborted();
  }

  #resolve(reference: string): Digest | undefined {
    const digest = isDigest(reference) ? reference : this.#tags.get(reference);
    return digest !== undefined && this.#manifests.has(digest) ? digest : undefined;
  }

  async head(reference: string, signal: AbortSignal): Promise<Digest | undefined> {
    await this.#count("head", reference, signal);
    return this.#resolve(reference);
  }

  async manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined> {
    await this.#count("get", reference, signal);
    const digest = this.#resolve(reference);
    return digest && { digest, ...this.#manifests.get(digest)! };
  }

  async blob({ digest }: { readonly digest: string }, signal: AbortSignal): Promise<Uint8Array> {
    await this.#count("blob", digest, signal);
    if (!this.registry.blobs.has(digest)) {
      throw failed(`Cannot read blob ${digest}: BLOB_UNKNOWN`, 404, { missing: true });
    }
    return this.registry.blobs.get(digest) ?? new Uint8Array();
  }

  download(): Promise<void> {
    return Promise.reject(new Error("not needed"));
  }

  async upload(
    blob: Parameters<Repository["upload"]>[0],
    io: Parameters<Repository["upload"]>[1],
  ): Promise<"present" | "uploaded"> {
    await this.#count("upload", blob.digest, io.signal);
    if (this.registry.blobs.has(blob.digest)) return "present";
    this.registry.blobs.set(blob.digest, "bytes" in blob.source ? blob.source.bytes : undefined);
    return "uploaded";
  }

  async putManifest(
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    reference: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#count("put", reference, signal);
    const digest = await digestOf(manifest.bytes);
    const document = parseManifest(manifest.bytes, reference, manifest.mediaType);
    const lost = document.kind === "index"
      ? document.index.manifests.find((m) => !this.#manifests.has(m.digest))?.digest
      : [document.manifest.config, ...document.manifest.layers].find((b) =>
        !this.registry.blobs.has(b.digest)
      )?.digest;
    if (lost) throw failed(`Cannot put ${reference}: MANIFEST_BLOB_UNKNOWN ${lost}`, 400, { missing: true });
    this.#manifests.set(digest, { bytes: manifest.bytes, mediaType: manifest.mediaType });
    if (!isDigest(reference)) this.#tags.set(reference, digest);
  }

  async *tags(signal: AbortSignal): AsyncIterable<ListedTag> {
    const names = [...this.#tags.keys(), ...(this.path === "" ? this.registry.stale : [])];
    const { listing, pulls } = this.registry.capabilities;
    for (let i = 0; i === 0 || i < names.length; i += 1000) {
      await this.#count("list", "", signal);
      for (const tag of names.slice(i, i + 1000)) {
        const key = `${this.path}:${tag}`;
        const digest = this.#tags.get(tag);
        const locked = this.registry.locked.get(key);
        const pulled = this.registry.pulledAt.get(key);
        yield {
          tag,
          ...(listing !== "names" && digest && { digest }),
          ...(locked !== undefined && { locked }),
          ...(pulls && { pulledAt: pulled ?? null }),
        };
      }
    }
  }

  async remove({ tag, digest }: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome> {
    await this.#count("delete", tag, signal);
    if (this.registry.locked.has(`${this.path}:${tag}`)) {
      return { outcome: "refused", why: "the tag is immutable" };
    }
    if (this.registry.inseparable && this.#tags.has(tag)) {
      return { outcome: "inseparable", why: "tags cannot be overwritten here" };
    }
    const at = this.#tags.get(tag);
    if (at !== undefined && at !== digest) return { outcome: "refused", why: "it was moved meanwhile" };
    if (!this.#tags.delete(tag)) return { outcome: "absent" };
    const { stale } = this.registry;
    if (stale.includes(tag)) stale.splice(stale.indexOf(tag), 1);
    return { outcome: "removed", by: "tag" };
  }

  async removeUntagged(digest: Digest, signal: AbortSignal): Promise<boolean> {
    await this.#count("delete", digest, signal);
    this.#manifests.delete(digest);
    for (const [name, at] of this.#tags) if (at === digest) this.#tags.delete(name);
    return true;
  }
}

/** A failure as a backend gives it. */
export function failed(
  message: string,
  status: number,
  facts: Pick<ErrorDetails, "retryAfterMs" | "missing"> = {},
): EngineError {
  const code = status === 401 || status === 403 ? "REGISTRY_DENIED" : "REGISTRY_FAILED";
  return new EngineError(code, message, { ...facts, ...(status === 429 && { limited: true }) });
}

/** A memo in memory. */
export function memoryMemo(): RegistryMemo & { readonly values: Map<string, unknown> } {
  const values = new Map<string, unknown>();
  return {
    values,
    get: (kind, key, is) => {
      const value: unknown = structuredClone(values.get(`${kind}/${key}`));
      return Promise.resolve(is(value) ? value : undefined);
    },
    put: (kind, key, value) => Promise.resolve(void values.set(`${kind}/${key}`, structuredClone(value))),
  };
}
