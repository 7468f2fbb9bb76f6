/** The layers that steps stand on: each is unpacked once, by a helper. */
import type { BuilderRequest, Digest, LayerRef } from "../../../core/contract/plugin.ts";
import { memoize } from "../../../lib/memoize.ts";
import { type DirMeta, type LayerCache, layerDir, type LayerMeta, layerName } from "./cache.ts";
import type { HelperProcess } from "./helper_process.ts";
import type { HelperPool } from "./pool.ts";
import type { UnpackedLayer } from "./unpack_layer.ts";

/** Bytes of a layer up to which unpacking it is no more work than starting a helper for it. */
const SMALL_LAYER = 8 << 20;

/** An unpacked layer. */
export interface Unpacked {
  readonly name: string;
  readonly meta: LayerMeta;
}

/** What unpacking takes. */
export interface UnpackNeeds {
  readonly request: Pick<BuilderRequest, "store" | "onLayer">;
  /** Once it is aborted, layers that come are not unpacked any more. */
  readonly signal: AbortSignal;
  readonly rootless: boolean;
  /** Whether new layers are made images where that can be. */
  makesImages(): Promise<boolean>;
  /** Whether those that are images may stay it. */
  keepsImages(): boolean;
  helpers(): HelperPool;
  /** A new path to work at. */
  path(): Promise<string>;
}

export class UnpackedLayers {
  readonly #unpacked = new Map<Digest, Promise<Unpacked>>();
  readonly #variants = new Map<string, Promise<Unpacked>>();
  /** Layers that are to be unpacked once they are here. */
  #coming = 0;

  constructor(readonly cache: LayerCache, readonly needs: UnpackNeeds) {}

  /** One that a step has just left. */
  add(layer: Unpacked): void {
    this.#unpacked.set(layer.meta.diffId, Promise.resolve(layer));
  }

  /** The unpacked layers, lowest first. Of a layer that occurs twice the upper one counts: it hides all of the lower. */
  async lower(parents: readonly LayerRef[]): Promise<Unpacked[]> {
    const refs = parents.filter(({ diffId }, i) =>
      !parents.some((other, j) => j > i && other.diffId === diffId)
    );
    const plain = await Promise.all(refs.map((ref) => this.plain(ref)));
    const layers: Unpacked[] = [];
    for (const [i, layer] of plain.entries()) {
      layers.push(await this.#adapted(refs[i]!, layer, layers));
    }
    return layers;
  }

  /** A layer as its tar is. */
  plain(ref: LayerRef): Promise<Unpacked> {
    return memoize(this.#unpacked, ref.diffId, async () => {
      const name = await layerName(ref.diffId);
      return await this.#unpack(ref, name);
    });
  }

  /** The layer, or a copy in which directories that it does not describe look like those below. */
  async #adapted(ref: LayerRef, layer: Unpacked, below: readonly Unpacked[]): Promise<Unpacked> {
    const { implicit } = layer.meta;
    if (implicit.length === 0 || below.length === 0) return layer;
    const dirs = await this.needs.helpers().use((helper) =>
      helper.request<Record<string, DirMeta>>({
        op: "inherit",
        native: this.cache.native,
        lower: below.map(({ name, meta }) => ({ dir: layerDir(name, meta), implicit: meta.implicit })),
        paths: implicit,
        rootless: this.needs.rootless,
      })
    );
    const name = await layerName(ref.diffId, implicit.map((path) => dirs[path]));
    if (name === layer.name) return layer;
    return await memoize(this.#variants, name, () => this.#unpack(ref, name, dirs));
  }

  /** Makes a directory of an image of an earlier run. Should that fail, for want of room say, it is still one. */
  async #spread(name: string): Promise<void> {
    const ask = async (helper: HelperProcess) =>
      await helper.request({ op: "spread", layer: this.cache.path(name), run: await this.needs.path() });
    await this.needs.helpers().use(ask).catch(() => {});
  }

  async #unpack(ref: LayerRef, name: string, dirs?: Record<string, DirMeta>): Promise<Unpacked> {
    let meta = await this.cache.read(name, ref.diffId);
    if (meta && !this.needs.keepsImages() && await this.cache.isImage(name, meta)) {
      await this.#spread(name);
      meta = await this.cache.read(name, ref.diffId); // not there when the image was damaged
    }
    if (meta) return { name, meta };
    const { diffId, tar } = ref;
    const unpack = (blob: string, tar: boolean) => async (helper: HelperProcess) =>
      await helper.request<UnpackedLayer>({
        op: "unpack",
        native: this.cache.native,
        run: await this.needs.path(),
        name,
        diffId,
        blob,
        tar,
        rootless: this.needs.rootless,
        image: await this.needs.makesImages(),
        ...(dirs && { dirs }),
      });
    if (tar !== undefined) {
      return { name, meta: (await this.needs.helpers().useBeside(unpack(tar, true))).meta };
    }
    // A helper for each starts while they come.
    this.needs.helpers().warmUp(++this.#coming);
    const { digest, size } = await ref.stored.finally(() => this.#coming--);
    this.needs.signal.throwIfAborted();
    const ask = unpack(this.needs.request.store.blobs.path(digest), false);
    const unpacked = size <= SMALL_LAYER
      ? await this.needs.helpers().useBeside(ask)
      : await this.needs.helpers().use(ask);
    this.needs.request.onLayer?.({ digest, diffId }, unpacked.index);
    return { name, meta: unpacked.meta };
  }
}
