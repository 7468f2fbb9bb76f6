import { memoize } from "../../../lib/memoize.ts";
import {
  type BuilderRequest,
  type Digest,
  digestOf,
  EngineError,
  isDigest,
  type Layer,
  type LayerRef,
  type OciPlatform,
  type Store,
} from "../../../core/contract/plugin.ts";
import { DecompressError } from "../../../lib/compression/error.ts";
import { LayerError } from "../../../lib/layer/error.ts";
import { ImageFs } from "../../../lib/layer/image_fs.ts";
import { indexLayer, type LayerIndex } from "../../../lib/layer/index.ts";
import { indexOfRows, isIndexRows } from "../../../lib/layer/index_rows.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { TarError } from "../../../lib/tar/types.ts";
import { checkLinks, explicitLayer, needsExplicit } from "./explicit_layer.ts";

const TAR = "application/vnd.oci.image.layer.v1.tar";

/** A blob to be read: from memory, or from a file. */
export type ShelfBlob = Uint8Array | { readonly file: string; readonly size: number };

/** Layers that a daemon takes from a registry: named so that it does not hand them over; it never reads them here. */
export function namedBlobs(layers: readonly Layer[]): Map<string, ShelfBlob> {
  return new Map(layers.map(({ digest, size }) => [digest, { file: "", size }]));
}

/** Looks into a layer that a repository has; undefined when it must come here for that. */
export type RemoteLook = (layer: Layer, place: string) => Promise<LayerIndex | undefined>;

/** What an image holds. */
export interface ShelfView {
  readonly fs: ImageFs;
  /** BuildKit unpacks each layer as it is meant. */
  readonly plain: boolean;
}

/** Layers as an image that a daemon can read. */
export interface ShelfImage extends Disposable {
  /** Digest of its manifest. */
  readonly manifest: string;
  readonly blobs: ReadonlyMap<string, ShelfBlob>;
  /** How many layers the manifest has. */
  readonly layers: number;
  /** What is in it. */
  readonly fs: ImageFs;
}

/** A layer in the form in which daemons get it. */
interface Shelved {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly file: string;
  readonly diffId: string;
}

/** A tar that was made in this run, used until its blob is in the store. */
interface OwnTar extends Shelved {
  readonly index: LayerIndex;
  users: number;
  stored: boolean;
}

/**
 * The layers that steps stand on: what is in them, and what of them a daemon reads. A layer that this run has made is
 * given as it is before it is compressed. Nothing is given that does not have the content it should.
 */
export class LayerShelf {
  readonly #own = new Map<Digest, OwnTar>();
  readonly #indexes = new Map<string, Promise<LayerIndex>>();
  readonly #explicit = new Map<string, Promise<Shelved>>();

  constructor(
    readonly store: Store,
    readonly platform: OciPlatform,
    readonly onLayer: BuilderRequest["onLayer"],
  ) {}

  /** Keeps the tar of a new layer until its blob is in the store, and nobody reads it any more. */
  keep(diffId: Digest, file: string, size: number, index: LayerIndex): { stored(): void } {
    const tar: OwnTar = {
      mediaType: TAR,
      digest: diffId,
      size,
      file,
      diffId,
      index,
      users: 0,
      stored: false,
    };
    this.#own.get(diffId)?.file !== undefined || this.#own.set(diffId, tar);
    return {
      stored: () => {
        tar.stored = true;
        this.#discard(diffId, tar);
      },
    };
  }

  /** Looks into layers, so that they are known when a step needs them. */
  async look(layers: readonly LayerRef[]): Promise<void> {
    await Promise.all(layers.map((layer) => this.#index(layer)));
  }

  /** What layers show together, wherever they are. @throws LAYER_INVALID */
  async view(layers: readonly LayerRef[], look: RemoteLook): Promise<ShelfView> {
    const indexes = await Promise.all(layers.map((layer) => this.#index(layer, look)));
    const plain = indexes.every((index, i) => {
      if (index.opaque.includes("")) return false;
      if (!index.entries.some(({ type, implicit }) => implicit || type === "hardlink" || type === "dir")) {
        return true;
      }
      const below = new ImageFs(indexes.slice(0, i));
      checkLinks(index, below);
      return !needsExplicit(index, below);
    });
    return { fs: new ImageFs(indexes), plain };
  }

  /** The image that the layers make; in use until it is disposed of. @throws LAYER_INVALID */
  async image(layers: readonly LayerRef[]): Promise<ShelfImage> {
    const used = layers.flatMap(({ diffId }) => {
      const tar = this.#own.get(diffId);
      return tar ? [tar] : [];
    });
    for (const tar of used) tar.users++;
    const release = () => {
      for (const tar of used) {
        tar.users--;
        this.#discard(tar.diffId as Digest, tar);
      }
    };
    try {
      const indexes = await Promise.all(layers.map((layer) => this.#index(layer)));
      const first = Math.max(0, indexes.findLastIndex(({ opaque }) => opaque.includes("")));
      const shown = layers.slice(first);
      const shelved: Shelved[] = [];
      for (const [i, layer] of shown.entries()) {
        shelved.push(await this.#shelved(layer, indexes.slice(first, first + i + 1), shelved));
      }
      const { digest, blobs } = await this.#documents(shelved);
      return {
        manifest: digest,
        blobs,
        layers: shelved.length,
        fs: new ImageFs(indexes),
        [Symbol.dispose]: release,
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  #discard(diffId: Digest, tar: OwnTar): void {
    if (!tar.stored || tar.users > 0) return;
    if (this.#own.get(diffId) === tar) this.#own.delete(diffId);
    Deno.remove(tar.file).catch(() => {}); // it is in scratch, which goes as a whole
  }

  /** `indexes`: of the layers below, and last of this one. */
  async #shelved(
    layer: LayerRef,
    indexes: readonly LayerIndex[],
    below: readonly Shelved[],
  ): Promise<Shelved> {
    const own = this.#own.get(layer.diffId);
    if (own) return own;
    const { digest, size, mediaType, diffId } = await layer.stored;
    const file = this.store.blobs.path(digest);
    const index = indexes.at(-1)!;
    const fs = new ImageFs(indexes.slice(0, -1));
    checkLinks(index, fs);
    if (!needsExplicit(index, fs)) return { mediaType, digest, size, file, diffId };
    const key = [digest, ...below.map((lower) => lower.digest)].join(" ");
    return await memoize(this.#explicit, key, async () => {
      const tar = `${await this.store.blobs.scratch()}/explicit-${crypto.randomUUID()}`;
      const source = { file, index, below: fs, filesBelow: below.map((lower) => lower.file) };
      const made = await explicitLayer(source, tar);
      return { mediaType: TAR, digest: made, size: (await Deno.stat(tar)).size, file: tar, diffId: made };
    });
  }

  async #documents(layers: readonly Shelved[]) {
    const blobs = new Map<string, ShelfBlob>(
      layers.map(({ digest, file, size }) => [digest, { file, size }]),
    );
    const document = async (value: unknown) => {
      const bytes = new TextEncoder().encode(JSON.stringify(value));
      const digest = await digestOf(bytes);
      blobs.set(digest, bytes);
      return { digest, size: bytes.length };
    };
    const { os, architecture, variant } = this.platform;
    const config = await document({
      os,
      architecture,
      ...(variant && { variant }),
      config: {},
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(() => ({ created_by: "dapp", created: "1970-01-01T00:00:00Z" })),
    });
    const { digest } = await document({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...config },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    });
    return { digest, blobs };
  }

  #index(layer: LayerRef, look?: RemoteLook): Promise<LayerIndex> {
    const own = this.#own.get(layer.diffId);
    if (own) return Promise.resolve(own.index);
    return memoize(this.#indexes, layer.diffId, () => this.#read(layer, look));
  }

  /** What is in a layer, from a memo that says so of this very blob, or by reading all of it. */
  async #read(ref: LayerRef, look: RemoteLook | undefined): Promise<LayerIndex> {
    const { diffId, place } = ref;
    const layer = await (ref.described ?? ref.stored);
    const { digest, size } = layer;
    const { memo, blobs } = this.store;
    if (await memo.get("layer-content", digest.slice(7), isDigest) === diffId) {
      const known = await memo.get("layer-index", diffId.slice(7), isIndexRows);
      const index = known && indexOfRows(known);
      if (index) return index;
    }
    if (look && place !== undefined && await blobs.size(digest) !== size) {
      const found = await look(layer, place);
      if (found) return found;
    }
    await ref.stored;
    const problem = (why: string, cause?: unknown) =>
      new EngineError("LAYER_INVALID", `Cannot use layer ${digest}: ${why}`, { cause });
    try {
      const { diffId: found, ...index } = await indexLayer(openLayer(this.store.blobs.path(digest)));
      if (found !== diffId) throw problem(`its content has digest ${found}, the image says ${diffId}`);
      this.onLayer?.({ digest, diffId }, index);
      return index;
    } catch (error) {
      const known = error instanceof LayerError || error instanceof TarError ||
        error instanceof DecompressError;
      throw known ? problem(error.message, error) : error;
    }
  }
}
