import { DecompressError } from "../../lib/compression/error.ts";
import { LayerError } from "../../lib/layer/error.ts";
import { ImageFs } from "../../lib/layer/image_fs.ts";
import { indexLayer, type LayerIndex } from "../../lib/layer/index.ts";
import { indexOfRows, isIndexRows, rowsOfIndex } from "../../lib/layer/index_rows.ts";
import { openLayer } from "../../lib/layer/open.ts";
import type { LayerOutline } from "../../lib/layer/outline.ts";
import { type LayerSource, readFile } from "../../lib/layer/read_files.ts";
import { memoize } from "../../lib/memoize.ts";
import { TarError } from "../../lib/tar/types.ts";
import { EngineError } from "../contract/errors.ts";
import type { Layer, Store } from "../contract/store.ts";
import { LayerContents } from "./contents.ts";
import type { LayerRef } from "../contract/builder.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Files that tell the numbers of owners, as far as outlines have them. */
const OWNER_FILES = ["etc/passwd", "etc/group"];
/** Longer ones are in no outline. */
const MAX_OWNERS = 64 << 10;

/** Looks into layers without unpacking them, by indexes that are made once for each content. */
export class LayerReader {
  /** By {@linkcode keyOf}: what a repository tells holds for its own layers. */
  readonly #indexes = new Map<string, Promise<LayerIndex>>();
  /** Those that nobody but a registry has told are not among them. */
  readonly #known = new Map<Digest, Promise<LayerIndex | undefined>>();
  readonly #reading = new Map<Digest, Promise<LayerIndex>>();
  /** Texts that looks have told. */
  readonly #texts = new Map<string, ReadonlyMap<string, string>>();
  readonly contents: LayerContents;

  /** @param look what is in a layer that is elsewhere; undefined when it must come here for that */
  constructor(
    readonly store: Store,
    readonly look?: (layer: Layer, place: string) => Promise<LayerOutline | undefined>,
  ) {
    this.contents = new LayerContents(store);
  }

  /** Tells the index of a layer that was just made, or that somebody made sure of. */
  async remember(diffId: Digest, index: LayerIndex): Promise<void> {
    this.#known.set(diffId, Promise.resolve(index));
    this.#indexes.set(keyOf({ diffId }), Promise.resolve(index));
    await this.store.memo.put("layer-index", diffId.slice(7), rowsOfIndex(index));
  }

  /** The file system that the layers show together. */
  async fs(layers: readonly LayerRef[]): Promise<ImageFs> {
    return new ImageFs(await Promise.all(layers.map((layer) => this.#index(layer))));
  }

  /** A small text file of an image, symbolic links followed; undefined when it is absent. */
  async text(layers: readonly LayerRef[], fs: ImageFs, path: string): Promise<string | undefined> {
    const real = fs.resolve(path, { last: true });
    const found = fs.lookup(real);
    const told = found?.entry.type === "file"
      ? this.#texts.get(keyOf(layers[found.layer]!))?.get(real)
      : undefined;
    if (told !== undefined) return told;
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

  /** A layer of the store without its contents; undefined when it is not here. */
  async outline(layer: Layer): Promise<LayerOutline | undefined> {
    const { digest, diffId, size } = layer;
    if (await this.store.blobs.size(digest) !== size) return undefined;
    const index = await this.#knownIndex(diffId) ??
      await this.#read({ diffId, stored: Promise.resolve(layer) });
    return { index, texts: await this.#ownerFiles(layer, index) };
  }

  async #ownerFiles({ digest, diffId }: Layer, index: LayerIndex): Promise<ReadonlyMap<string, string>> {
    const { blobs } = this.store;
    const texts = new Map<string, string>();
    const fs = new ImageFs([index]);
    for (const path of OWNER_FILES) {
      const entry = fs.lookup(path)?.entry;
      if (entry?.type !== "file" || entry.repeated) continue;
      // Reading ends with the file, unless all of the blob must be looked at.
      const untouched = await blobs.isUntouched?.(digest) ?? false;
      const file = { path: blobs.path(digest), name: digest, ...(!untouched && { diffId }) };
      try {
        const bytes = await readFile([file], fs, path, MAX_OWNERS);
        if (bytes) texts.set(path, new TextDecoder().decode(bytes));
      } catch (error) {
        if (!(error instanceof LayerError)) throw error; // too long, most likely: whoever needs it reads the layer
      }
    }
    return texts;
  }

  #index(layer: LayerRef): Promise<LayerIndex> {
    return memoize(
      this.#indexes,
      keyOf(layer),
      async () =>
        await this.#knownIndex(layer.diffId) ?? await this.#lookElsewhere(layer) ?? await this.#read(layer),
    );
  }

  #knownIndex(diffId: Digest): Promise<LayerIndex | undefined> {
    return memoize(
      this.#known,
      diffId,
      async () => {
        const kept = await this.store.memo.get("layer-index", diffId.slice(7), isIndexRows);
        return kept && indexOfRows(kept);
      },
    );
  }

  #read(layer: Pick<LayerRef, "diffId" | "stored">): Promise<LayerIndex> {
    return memoize(this.#reading, layer.diffId, async () => {
      const { digest } = await layer.stored;
      try {
        const { diffId, ...index } = await indexLayer(
          openLayer(this.store.blobs.path(digest), { fleeting: true }),
        );
        if (diffId !== layer.diffId) {
          throw new LayerError(`its tar has digest ${diffId}, the image says ${layer.diffId}`);
        }
        await this.contents.note({ digest, diffId: layer.diffId });
        await this.remember(diffId, index);
        return index;
      } catch (error) {
        throw layerError(error, `Cannot read layer ${digest}`);
      }
    });
  }

  async #lookElsewhere(ref: LayerRef): Promise<LayerIndex | undefined> {
    const { described, place } = ref;
    if (!this.look || !described || place === undefined) return undefined;
    const layer = await described;
    if (await this.store.blobs.size(layer.digest) === layer.size) return undefined;
    const outline = await this.look(layer, place);
    if (outline) this.#texts.set(keyOf(ref), outline.texts);
    return outline?.index;
  }
}

function keyOf({ diffId, place = "" }: Pick<LayerRef, "diffId" | "place">): string {
  return `${diffId} ${place}`;
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
