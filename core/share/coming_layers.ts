import { fetchLayers } from "../../lib/oci/fetch_layers.ts";
import { observed } from "../../lib/pool.ts";
import type { Descriptor } from "../../lib/oci/types.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { LayerRef } from "../contract/builder.ts";
import type { EventSink } from "../contract/events.ts";
import type { Repository } from "../contract/registry.ts";
import type { Layer, Store } from "../contract/store.ts";
import type { Losses } from "../layers/losses.ts";
import { shown, transferring } from "../layers/transfers.ts";

/** What bringing the layers of an image takes. */
export interface ComingNeeds {
  readonly store: Pick<Store, "blobs">;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
  /** Takes what the repository has not, whatever it says. */
  readonly losses: Pick<Losses, "reading">;
  /** Layers may be lost when the machine fails. */
  readonly unsettled: boolean;
}

/** The layers of one image on their way from a repository into the store, from now on. */
export class ComingLayers {
  readonly #arrivals = new Map<Digest, PromiseWithResolvers<void>>();
  readonly #stop = new AbortController();
  /** Settles when all are here. */
  readonly done: Promise<void>;
  #bytes = 0;

  constructor(layers: readonly Descriptor[], repository: Repository, needs: ComingNeeds) {
    for (const { digest } of layers) {
      const arrival = Promise.withResolvers<void>();
      observed(arrival.promise);
      this.#arrivals.set(digest, arrival);
    }
    this.done = observed(this.#bring(layers, repository, needs));
  }

  /** Bytes that came for this, and not for somebody else who wanted the same. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The layers, each `stored` as soon as it is here. */
  refs(layers: readonly Layer[]): readonly LayerRef[] {
    return layers.map((layer) => ({
      diffId: layer.diffId,
      stored: observed(Promise.resolve(this.#arrivals.get(layer.digest)?.promise).then(() => layer)),
    }));
  }

  /** Gives up what is not here yet; settles when nothing comes any more. */
  async stop(reason: unknown): Promise<void> {
    this.#stop.abort(reason);
    await this.done.catch(() => {});
  }

  async #bring(
    layers: readonly Descriptor[],
    repository: Repository,
    { store, emit, signal, losses, ...needs }: ComingNeeds,
  ): Promise<void> {
    const either = AbortSignal.any([signal, this.#stop.signal]);
    try {
      await transferring(emit, (progress) =>
        fetchLayers(layers, store.blobs, {
          ...needs,
          title: repository.name,
          signal: either,
          progress: shown(progress),
          download: async (blob, file, io) => {
            const { digest } = blob;
            const read = () => repository.download(blob, file, io);
            await losses.reading(digest, repository.name, io.signal, read);
            this.#bytes += blob.size;
          },
          arrived: ({ digest }) => this.#arrivals.get(digest)?.resolve(),
        }), { signal: either });
    } catch (error) {
      for (const { reject } of this.#arrivals.values()) reject(error);
      throw error;
    }
  }
}
