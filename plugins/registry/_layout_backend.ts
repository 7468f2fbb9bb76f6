import {
  type BlobState,
  type Digest,
  digestOf,
  EngineError,
  fullFact,
  isDigest,
  type ListedTag,
  messageOf,
  type OutgoingBlob,
  type RegistryBackend,
  type RegistryCapabilities,
  type RemoteManifest,
  type RemovalOutcome,
  type Repository,
  SERVICE_TAG_PREFIX,
  type TagRemoval,
  type TransferIo,
} from "../../core/contract/plugin.ts";
import { fileFailureOf } from "../../lib/file_failure.ts";
import { parseManifest } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { blobFile, layoutDirectory, REF_NAME } from "../../lib/oci/layout.ts";
import { LayoutDirectory } from "../../lib/oci/layout_dir.ts";
import type { Descriptor, OciPlatform } from "../../lib/oci/types.ts";
import { readChunks, writeBlob } from "../../lib/oci/write_blob.ts";
import { SharedUploads } from "../../lib/registry/shared_uploads.ts";
import { LayoutSweeper } from "./_layout_sweeper.ts";

const MAX_MANIFEST = 4 << 20;
const CAPABILITIES: RegistryCapabilities = {
  naming: "flat",
  nested: false,
  deletion: "tag",
  listing: "digests",
  pulls: false,
  settleMs: 1000,
};

/** A layout directory behind the registry role. It has one repository; deletion frees the space of what nothing names. */
export class LayoutBackend implements RegistryBackend, Repository {
  readonly kind = "layout";
  readonly #layout: LayoutDirectory;
  readonly #sweeper: LayoutSweeper;
  readonly #uploads = new SharedUploads();

  /**
   * @param name as the user wrote it: `oci:DIR`
   * @param now the time of this machine
   */
  constructor(readonly name: string, dir: string, now?: () => number) {
    this.#layout = new LayoutDirectory(dir);
    this.#sweeper = new LayoutSweeper(this.#layout, now);
  }

  /** One that knows the time of the file system, unless that is to be written first. */
  static async open(name: string, dir: string, now?: () => number): Promise<LayoutBackend> {
    const backend = new LayoutBackend(name, dir, now);
    await backend.#sweeper.hearClock();
    return backend;
  }

  get capabilities(): RegistryCapabilities {
    const { clockOffMs } = this.#sweeper;
    return { ...CAPABILITIES, ...(clockOffMs !== undefined && { clockOffMs }) };
  }

  repository(name: string): Repository {
    if (name === "") return this;
    throw new EngineError(
      "REGISTRY_UNSUPPORTED",
      `Cannot use repository "${name}" below "${this.name}": a layout directory is one repository`,
      { fix: "Use --naming flat" },
    );
  }

  head(reference: string, signal: AbortSignal): Promise<Digest | undefined> {
    return this.#explained(async () => {
      signal.throwIfAborted();
      if (isDigest(reference)) {
        return await this.#layout.blobSize(reference) === undefined ? undefined : reference;
      }
      return (await this.#entry(reference))?.digest;
    });
  }

  manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest | undefined> {
    return this.#explained(async () => {
      const digest = await this.head(reference, signal);
      if (digest === undefined) return undefined;
      const bytes = await this.#read(digest);
      if (!bytes) return undefined;
      const document = parseManifest(bytes, `manifest "${reference}" of ${this.name}`);
      const { mediaType } = document.kind === "index" ? document.index : document.manifest;
      return { digest, bytes, mediaType };
    });
  }

  blob({ digest }: Pick<Descriptor, "digest" | "size">, signal: AbortSignal): Promise<Uint8Array> {
    return this.#explainedBlob(async () => {
      signal.throwIfAborted();
      const bytes = await this.#read(digest);
      if (bytes) return bytes;
      throw new OciError("missing", `Cannot read blob ${digest} of ${this.name}: it is not there`);
    });
  }

  download(blob: Pick<Descriptor, "digest" | "size">, file: string, io: TransferIo): Promise<void> {
    return this.#explainedBlob(async () => {
      const title = `blob ${blob.digest} of ${this.name}`;
      await writeBlob(readChunks(this.#layout.blobPath(blob.digest)), file, blob, { ...io, title });
    });
  }

  /** Files are read, which takes no network. */
  probe(
    blob: Pick<Descriptor, "digest" | "size">,
    _options: { readonly whole: boolean },
    { signal }: TransferIo,
  ): Promise<BlobState> {
    return this.#explained(async () => {
      if (await this.#layout.blobSize(blob.digest) === undefined) return "absent";
      return await this.#layout.hasBlob(blob, signal) ? "there" : "damaged";
    });
  }

  upload(blob: OutgoingBlob, io: TransferIo): Promise<"present" | "uploaded"> {
    return this.#uploads.run<"present" | "uploaded">(blob.digest, () => this.#upload(blob, io), {
      done: "present",
      signal: io.signal,
    });
  }

  #upload(blob: OutgoingBlob, io: TransferIo): Promise<"present" | "uploaded"> {
    return this.#explained(async () => {
      io.signal.throwIfAborted();
      await this.#sweeper.hold();
      if (!blob.anew && await this.#layout.blobSize(blob.digest) === blob.size) return "present";
      const { source } = blob;
      try {
        await this.#layout.putBlob(blob, "bytes" in source ? source.bytes : source, io.signal);
      } catch (error) {
        if (!(error instanceof OciError)) throw error;
        throw new EngineError("STORE_CORRUPT", error.message, { cause: error });
      }
      io.report(blob.size);
      return "uploaded";
    });
  }

  putManifest(
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    reference: string,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#explained(async () => {
      const { bytes, mediaType } = manifest;
      const digest = await digestOf(bytes);
      await this.#sweeper.hold();
      const platform = await this.#platform(bytes, reference);
      const store = () => this.#layout.putBlob({ digest, size: bytes.length }, bytes, signal);
      if (isDigest(reference)) return await store();
      await this.#layout.locked(signal, async () => {
        await store();
        const index = await this.#layout.index();
        const kept = index.manifests.filter((entry) => entry.annotations?.[REF_NAME] !== reference);
        const entry: Descriptor = {
          mediaType,
          digest,
          size: bytes.length,
          annotations: { [REF_NAME]: reference },
          ...(platform && { platform }),
        };
        await this.#layout.writeIndex({ ...index, manifests: [...kept, entry] });
      });
    });
  }

  /** What an image is made for; all that a manifest names must be there. @throws {OciError} */
  async #platform(bytes: Uint8Array, reference: string): Promise<OciPlatform | undefined> {
    const title = `manifest "${reference}" for ${this.name}`;
    const document = parseManifest(bytes, title);
    const named = document.kind === "index"
      ? document.index.manifests
      : [document.manifest.config, ...document.manifest.layers];
    for (const { digest } of named) {
      if (await this.#layout.blobSize(digest) !== undefined) continue;
      throw new OciError("missing", `Cannot store ${title}: blob ${digest} is not there`);
    }
    if (document.kind === "index") return undefined;
    const config = await this.#read(document.manifest.config.digest);
    const { os, architecture, variant } = JSON.parse(new TextDecoder().decode(config)) as Partial<
      OciPlatform
    >;
    return os && architecture ? { architecture, os, ...(variant && { variant }) } : undefined;
  }

  async *tags(signal: AbortSignal): AsyncIterable<ListedTag> {
    signal.throwIfAborted();
    const { manifests } = await this.#explained(() => this.#layout.index());
    for (const { digest, annotations } of manifests) {
      const tag = annotations?.[REF_NAME];
      if (tag !== undefined) yield { tag, digest };
    }
  }

  remove({ tag, digest }: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome> {
    return this.#explained(() =>
      this.#layout.locked<RemovalOutcome>(signal, async () => {
        const index = await this.#layout.index();
        const entry = index.manifests.find(({ annotations }) => annotations?.[REF_NAME] === tag);
        if (!entry) return { outcome: "absent" };
        if (entry.digest !== digest) return { outcome: "refused", why: "it points at another image by now" };
        const manifests = index.manifests.filter(({ annotations }) => annotations?.[REF_NAME] !== tag);
        await this.#layout.writeIndex({ ...index, manifests });
        this.#sweeper.wanted = true;
        // Nobody copies these, and another one may need the room at once.
        const spare = tag.startsWith(SERVICE_TAG_PREFIX) && !manifests.some((each) => each.digest === digest);
        if (spare) await Deno.remove(this.#layout.blobPath(digest)).catch(() => {});
        return { outcome: "removed", by: "tag" };
      })
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sweeper[Symbol.asyncDispose]();
  }

  async #entry(tag: string): Promise<Descriptor | undefined> {
    const { manifests } = await this.#layout.index();
    return manifests.find(({ annotations }) => annotations?.[REF_NAME] === tag);
  }

  /** A blob, verified; undefined when it is absent. */
  async #read(digest: Digest): Promise<Uint8Array | undefined> {
    const bytes = await layoutDirectory(this.#layout.dir).read(blobFile(digest), MAX_MANIFEST);
    if (!bytes || await digestOf(bytes) === digest) return bytes;
    throw new OciError("invalid", `Cannot read blob ${digest} of ${this.name}: its content differs`);
  }

  /** What is not there, or is something else, is missing. */
  async #explainedBlob<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await this.#explained(action);
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      const missing = cause instanceof OciError || cause instanceof Deno.errors.NotFound;
      if (!missing || !(error instanceof EngineError) || error.code !== "REGISTRY_FAILED") throw error;
      throw new EngineError(error.code, error.message, { ...error.details, missing });
    }
  }

  async #explained<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const failure = fileFailureOf(error);
      const fromFiles = failure || Object.values(Deno.errors).some((type) => error instanceof type);
      if (error instanceof EngineError || !(error instanceof OciError) && !fromFiles) throw error;
      const message = error instanceof OciError
        ? error.message
        : `Cannot use "${this.name}": ${messageOf(error)}`;
      throw new EngineError("REGISTRY_FAILED", message, {
        cause: error,
        ...(error instanceof OciError && error.kind === "missing" && { missing: true }),
        ...fullFact(failure),
        fix: "Check the directory: its content, permissions and free space",
      });
    }
  }
}
