import type { Digest, FetchIo, ImageState, RemoteImage, SourceRequest } from "../../core/contract/plugin.ts";
import { MAX_DOCUMENT, parseManifest } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { fetchLayers } from "../../lib/oci/fetch_layers.ts";
import { findImage, type ImageReader } from "../../lib/oci/find_image.ts";
import { imageOf } from "../../lib/oci/image.ts";
import type { Reference } from "../../lib/oci/reference.ts";
import type { Descriptor } from "../../lib/oci/types.ts";
import { downloadBlob, getBlob } from "../../lib/registry/blobs.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { getManifest } from "../../lib/registry/manifests.ts";
import { askRegistry } from "./_registry_head.ts";

/** One image name in a registry, read through the store: documents that it holds are not asked for again. */
export class RegistryImage {
  readonly #client: RegistryClient;
  readonly #reference: Reference;
  readonly #request: SourceRequest;

  constructor(client: RegistryClient, reference: Reference, request: SourceRequest) {
    this.#client = client;
    this.#reference = reference;
    this.#request = request;
  }

  /** The image manifest for the platform below a manifest or index, both kept in the store. */
  async find(
    root: Digest,
    options: { readonly pinned: boolean; readonly signal: AbortSignal },
  ): Promise<Digest> {
    const { platform, name: title } = this.#request;
    const { signal } = options;
    return await askRegistry(this.#reference, title, async () => {
      const found = await findImage(
        { digest: root, ...await this.#manifest(root, signal) },
        { platform, title, reader: this.#reader(signal) },
      );
      return found.digest;
    }, options.pinned ? `dappfile.lock pins ${root}. Run: dapp dimg lock --update` : undefined);
  }

  async fetch(id: Digest, { signal, progress }: FetchIo): Promise<ImageState> {
    const { name: title, store } = this.#request;
    const { path } = this.#reference;
    return await askRegistry(this.#reference, title, async () => {
      const image = await this.#image(id, signal);
      await fetchLayers(image.layers, store.blobs, {
        title,
        signal,
        progress,
        download: (blob, file, io) => downloadBlob(this.#client, path, { blob, file, ...io }),
      });
      return image;
    });
  }

  async describe(digest: Digest, signal: AbortSignal): Promise<RemoteImage> {
    const { domain, path } = this.#reference;
    const title = this.#request.name;
    const ask = <T>(action: () => Promise<T>) => askRegistry(this.#reference, title, action);
    return {
      image: await ask(() => this.#image(digest, signal)),
      repository: {
        name: `${domain}/${path}`,
        blob: (blob, signal) => ask(() => getBlob(this.#client, path, { blob, signal })),
      },
      digest,
    };
  }

  async #image(id: Digest, signal: AbortSignal): Promise<ImageState> {
    const { platform, name: title } = this.#request;
    const { bytes, mediaType } = await this.#manifest(id, signal);
    const document = parseManifest(bytes, `the manifest of "${title}"`, mediaType);
    if (document.kind === "index") {
      throw new OciError("invalid", `Cannot use image "${title}": ${id} is an index, wanted is an image`);
    }
    const config = await this.#reader(signal).config(document.manifest.config);
    return imageOf(document.manifest, config, { title, platform });
  }

  #reader(signal: AbortSignal): ImageReader {
    const { store } = this.#request;
    return {
      manifest: async ({ digest }) => (await this.#manifest(digest, signal)).bytes,
      config: async (blob: Descriptor) => {
        const { digest } = blob;
        if (blob.size > MAX_DOCUMENT) {
          const why = `its config has ${blob.size} bytes, allowed are ${MAX_DOCUMENT}`;
          throw new OciError("invalid", `Cannot use image "${this.#request.name}": ${why}`);
        }
        if (await store.blobs.size(digest) === blob.size) return await store.blobs.get(digest);
        const bytes = await getBlob(this.#client, this.#reference.path, { blob, signal });
        await store.blobs.put(bytes);
        return bytes;
      },
    };
  }

  async #manifest(digest: Digest, signal: AbortSignal) {
    const { store } = this.#request;
    const size = await store.blobs.size(digest);
    if (size !== undefined && size <= MAX_DOCUMENT) {
      return { bytes: await store.blobs.get(digest), mediaType: undefined };
    }
    const delivered = await getManifest(this.#client, this.#reference.path, { reference: digest, signal });
    await store.blobs.put(delivered.bytes);
    return { bytes: delivered.bytes, mediaType: delivered.mediaType };
  }
}
