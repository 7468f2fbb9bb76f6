import { DecompressError } from "../../lib/compression/error.ts";
import { LayerError } from "../../lib/layer/error.ts";
import { ImageFs } from "../../lib/layer/image_fs.ts";
import { indexLayer, isLayerIndex, type LayerIndex } from "../../lib/layer/index.ts";
import { openLayer } from "../../lib/layer/open.ts";
import { type LayerSource, readFile } from "../../lib/layer/read_files.ts";
import { TarError } from "../../lib/tar/types.ts";
import { EngineError } from "../contract/errors.ts";
import type { Layer, Store } from "../contract/store.ts";
import { LayerContents } from "./contents.ts";
import type { LayerRef } from "../contract/builder.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Looks into layers without unpacking them, by indexes that are made once for each content. */
export class LayerReader {
  readonly #indexes = new Map<Digest, Promise<LayerIndex>>();
  readonly contents: LayerContents;

  /** @param look what is in a layer that is elsewhere; undefined when it must come here for that */
  constructor(
    readonly store: Store,
    readonly look?: (layer: Layer, place: string) => Promise<LayerIndex | undefined>,
  ) {
    this.contents = new LayerContents(store);
  }

  /** Tells the index of a layer that was just made. */
  async remember(diffId: Digest, index: LayerIndex): Promise<void> {
    this.#indexes.set(diffId, Promise.resolve(index));
    await this.store.memo.put("layer-index", diffId.slice(7), index);
  }

  /** The file system that the layers show together. */
  async fs(layers: readonly LayerRef[]): Promise<ImageFs> {
    return new ImageFs(await Promise.all(layers.map((layer) => this.#index(layer))));
  }

  /** A small text file of an image, symbolic links followed; undefined when it is absent. */
  async text(layers: readonly LayerRef[], fs: ImageFs, path: string): Promise<string | undefined> {
    const bytes = await readFile(this.files(layers), fs, path, 1 << 20);
    return bytes && new TextDecoder().decode(bytes);
  }

  /** The blobs of layers: those that something is read from are brought into the store. */
  files(layers: readonly LayerRef[]): LayerSource[] {
    return layers.map((layer) => async () => {
      const { digest } = await layer.stored;
      return { path: this.store.blobs.path(digest), name: digest, diffId: layer.diffId };
    });
  }

  #index(layer: LayerRef): Promise<LayerIndex> {
    let index = this.#indexes.get(layer.diffId);
    if (!index) {
      index = this.#load(layer);
      this.#indexes.set(layer.diffId, index);
    }
    return index;
  }

  async #load(layer: LayerRef): Promise<LayerIndex> {
    const known = await this.store.memo.get("layer-index", layer.diffId.slice(7), isLayerIndex);
    if (known) return known;
    const there = await this.#lookElsewhere(layer);
    if (there) return there;
    const { digest } = await layer.stored;
    try {
      const { diffId, ...index } = await indexLayer(openLayer(this.store.blobs.path(digest)));
      if (diffId !== layer.diffId) {
        throw new LayerError(`its tar has digest ${diffId}, the image says ${layer.diffId}`);
      }
      await this.contents.note({ digest, diffId: layer.diffId });
      await this.store.memo.put("layer-index", diffId.slice(7), index);
      return index;
    } catch (error) {
      throw layerError(error, `Cannot read layer ${digest}`);
    }
  }

  async #lookElsewhere({ described, place, diffId }: LayerRef): Promise<LayerIndex | undefined> {
    if (!this.look || !described || place === undefined) return undefined;
    const layer = await described;
    if (await this.store.blobs.size(layer.digest) === layer.size) return undefined;
    const index = await this.look(layer, place);
    if (index) await this.store.memo.put("layer-index", diffId.slice(7), index);
    return index;
  }
}

/** What damaged layers and impossible contents make the format libraries throw, as an error for people. */
export function layerError(error: unknown, doing: string, fix?: string): unknown {
  const known = error instanceof LayerError || error instanceof TarError || error instanceof DecompressError;
  if (!known) return error;
  return new EngineError("LAYER_INVALID", `${doing}: ${error.message}`, {
    cause: error,
    ...(fix && { fix }),
  });
}

/** Numeric owner and group of files, from names or numbers, by the image's own passwd and group files. */
export class Owners {
  readonly #tables = new Map<string, Promise<Map<string, number>>>();

  constructor(readonly reader: LayerReader, readonly layers: readonly LayerRef[], readonly fs: ImageFs) {}

  /** @throws OWNER_UNKNOWN */
  async resolve(owner: string | undefined, group: string | undefined): Promise<{ uid: number; gid: number }> {
    const uid = await this.#id(owner, "etc/passwd", "user");
    const gid = await this.#id(group, "etc/group", "group");
    return { uid, gid };
  }

  async #id(name: string | undefined, path: string, what: string): Promise<number> {
    if (name === undefined) return 0;
    if (/^\d+$/.test(name)) return Number(name);
    let table = this.#tables.get(path);
    if (!table) {
      table = this.reader.text(this.layers, this.fs, path).then(parseIds);
      this.#tables.set(path, table);
    }
    const id = (await table).get(name);
    if (id !== undefined) return id;
    throw new EngineError(
      "OWNER_UNKNOWN",
      `Cannot find ${what} "${name}": /${path} of the image does not list it`,
    );
  }
}

function parseIds(text: string | undefined): Map<string, number> {
  const rows = (text ?? "").split("\n").map((line) => line.split(":"));
  return new Map(rows.flatMap(([name, , id]) => name && id && /^\d+$/.test(id) ? [[name, Number(id)]] : []));
}
